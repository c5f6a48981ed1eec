"""The two request signatures, checked against published vectors, and the signers that use them.

`SDK-HMAC-SHA256` signs requests to IMS and IAM (Huawei Cloud, "Signing API Requests"); OBS has a signature of
its own (OBS API reference, "Authentication in the Header"). Both sign the very bytes that are sent, so a body
is serialised once, and both refuse a clock that is more than fifteen minutes off.

More than five wrong signatures in a row lock an access key for five minutes, so a request that was refused is
never simply signed again: `KeySigner.renew` first has to find other keys than those that were refused.
"""

import hmac
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from email.utils import formatdate
from hashlib import sha1, sha256
from urllib.parse import quote

from msgspec.structs import replace

from migrator.domain.credentials import Keys
from migrator.domain.http import Request
from migrator.domain.ports import Clock
from migrator.domain.units import Moment

KeySource = Callable[[], Awaitable[Keys]]
"""Gives the keys that hold now: the same object while they do, another one when they changed.

Raises CredentialsError, or what Http raises."""

_ALGORITHM = "SDK-HMAC-SHA256"
_EMPTY = sha256(b"").hexdigest()
_PLAIN = re.compile(r"[A-Za-z0-9\-._~/]*").fullmatch

SUBRESOURCES = frozenset(
    {
        "acl",
        "cors",
        "delete",
        "encryption",
        "inventory",
        "lifecycle",
        "location",
        "logging",
        "metadata",
        "notification",
        "partNumber",
        "policy",
        "quota",
        "replication",
        "requestPayment",
        "storageClass",
        "storageinfo",
        "storagePolicy",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    }
)
"""Query names that take part in an OBS signature; others do not."""


def host_and_path(url: str) -> tuple[str, str]:
    """Host (with its port, where it has one) and decoded path of a URL without a query."""
    host, slash, path = url.partition("://")[2].partition("/")
    return host, slash + path


def encoded(text: str) -> str:
    """`text` percent-encoded but for letters, digits and "-_.~"."""
    return text if _PLAIN(text) and "/" not in text else quote(text, safe="~")


def encoded_path(path: str) -> str:
    """A decoded path, each segment percent-encoded; "/" stays."""
    return path if _PLAIN(path) else quote(path, safe="/~")


def canonical_request(request: Request) -> tuple[str, str]:
    """What is signed, and the names of the signed headers joined by ";".

    Every header takes part but those with "_" in their names. The path ends with a slash here, though not in
    the URL that is sent.
    """
    headers = {name.lower(): value.strip() for name, value in request.headers.items() if "_" not in name}
    names = sorted(headers)
    path = encoded_path(host_and_path(request.url)[1])
    if not path.endswith("/"):
        path += "/"
    query = "&".join([f"{encoded(name)}={encoded(value)}" for name, value in sorted(request.query)])
    lines = "".join([f"{name}:{headers[name]}\n" for name in names])
    signed = ";".join(names)
    body = request.body
    payload = (headers.get("x-sdk-content-sha256") or sha256(body).hexdigest()) if body else _EMPTY
    return f"{request.method.upper()}\n{path}\n{query}\n{lines}\n{signed}\n{payload}", signed


def sign(request: Request, *, ak: str, sk: str) -> str:
    """The Authorization header of `request`, which has its headers Host and X-Sdk-Date already."""
    return _authorization(request, ak, hmac.new(sk.encode(), digestmod=sha256), request.headers["X-Sdk-Date"])


def _authorization(request: Request, ak: str, key: hmac.HMAC, date: str) -> str:
    canonical, signed = canonical_request(request)
    digest = key.copy()
    digest.update(f"{_ALGORITHM}\n{date}\n{sha256(canonical.encode()).hexdigest()}".encode())
    return f"{_ALGORITHM} Access={ak}, SignedHeaders={signed}, Signature={digest.hexdigest()}"


class KeySigner:
    """Signs with an access key (ports.Signer); its source is asked again whenever it might have changed."""

    def __init__(self, keys: KeySource, clock: Clock) -> None:
        self._source = keys
        self._clock = clock
        self._keys: Keys | None = None
        self._hmac = hmac.new(b"", digestmod=sha256)
        self._date = (0, "")

    async def sign(self, request: Request) -> Request:
        keys = await self._source()
        second = int(self._clock.now())
        if second != self._date[0]:
            moment = datetime.fromtimestamp(second, UTC)
            self._date = (second, moment.strftime("%Y%m%dT%H%M%SZ"))
        return self._signed(request, keys, self._date[1])

    async def renew(self, rejected: Request) -> bool:
        """Whether the source has other keys by now: only those are worth another try."""
        keys = await self._source()
        again = self._signed(rejected, keys, rejected.headers.get("X-Sdk-Date", ""))
        return again.headers["Authorization"] != rejected.headers.get("Authorization")

    def _signed(self, request: Request, keys: Keys, date: str) -> Request:
        if (
            keys is not self._keys
        ):  # preparing an HMAC costs more than using it, so it is done once for each key
            self._keys, self._hmac = keys, hmac.new(keys.sk.get_secret_value().encode(), digestmod=sha256)
        headers = {**request.headers, "Host": host_and_path(request.url)[0], "X-Sdk-Date": date}
        headers.pop("Authorization", None)
        headers.pop("X-Security-Token", None)
        if keys.security_token is not None:
            headers["X-Security-Token"] = keys.security_token.get_secret_value()
        request = replace(request, headers=headers)
        headers["Authorization"] = _authorization(request, keys.ak, self._hmac, date)
        return request


# --- OBS ------------------------------------------------------------------------------------------------


def canonical_resource(bucket: str, key: str, query: Iterable[tuple[str, str]] = ()) -> str:
    """What an OBS request is about, as its signature names it, whichever way the bucket stands in the URL."""
    named = sorted((name, value) for name, value in query if name in SUBRESOURCES)
    tail = "&".join(f"{name}={value}" if value else name for name, value in named)
    resource = f"/{bucket}/{encoded_path(key)}"
    return f"{resource}?{tail}" if tail else resource


def sign_obs(method: str, resource: str, headers: dict[str, str], *, ak: str, sk: str) -> str:
    """The Authorization header of an OBS request about `resource` (see canonical_resource)."""
    low = {name.lower(): value.strip() for name, value in headers.items()}
    own = "".join(f"{name}:{low[name]}\n" for name in sorted(low) if name.startswith("x-obs-"))
    date = "" if "x-obs-date" in low else low.get("date", "")
    text = f"{method}\n{low.get('content-md5', '')}\n{low.get('content-type', '')}\n{date}\n{own}{resource}"
    return f"OBS {ak}:{b64encode(hmac.digest(sk.encode(), text.encode(), sha1)).decode()}"


class ObsSigner:
    """Signs requests to OBS with an access key. A refused one is signed again only with other keys."""

    def __init__(self, keys: KeySource, clock: Clock) -> None:
        self._source = keys
        self._clock = clock

    async def sign(self, request: Request, resource: str) -> Request:
        """`request`, signed as being about `resource`. Raises CredentialsError, or what Http raises."""
        return self._signed(request, resource, await self._source(), self._clock.now())

    async def renew(self, rejected: Request, resource: str) -> bool:
        """Whether the source has other keys than those that signed `rejected`."""
        keys = await self._source()
        again = self._signed(rejected, resource, keys, rejected.headers.get("Date", ""))
        return again.headers["Authorization"] != rejected.headers.get("Authorization")

    def _signed(self, request: Request, resource: str, keys: Keys, date: Moment | str) -> Request:
        stamp = date if isinstance(date, str) else formatdate(date, usegmt=True)
        headers = {**request.headers, "Date": stamp}
        headers.pop("x-obs-security-token", None)
        if keys.security_token is not None:
            headers["x-obs-security-token"] = keys.security_token.get_secret_value()
        headers["Authorization"] = sign_obs(
            request.method, resource, headers, ak=keys.ak, sk=keys.sk.get_secret_value()
        )
        return replace(request, headers=headers)
