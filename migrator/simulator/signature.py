"""Two of the request signatures, as the service checks them; written apart from the client's.

SDK-HMAC-SHA256: API gateway developer guide, "AK/SK Signing and Authentication Algorithm".
OBS: OBS API reference, "User Signature Authentication", "Authentication of Signature in a Header".
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from urllib.parse import quote

from migrator.domain.units import Moment
from migrator.simulator.wire import Call

ALGORITHM = "SDK-HMAC-SHA256"

OBS_SUBRESOURCES = frozenset(
    {
        "acl",
        "append",
        "attname",
        "cors",
        "delete",
        "deletebucket",
        "encryption",
        "inventory",
        "lifecycle",
        "location",
        "logging",
        "metadata",
        "modify",
        "notification",
        "partNumber",
        "policy",
        "position",
        "quota",
        "rename",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "storageClass",
        "storageinfo",
        "storagePolicy",
        "tagging",
        "torrent",
        "truncate",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
        "x-image-process",
        "x-image-save-bucket",
        "x-image-save-object",
        "x-obs-security-token",
    }
)
"""Query parameters that an OBS signature covers."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What an Authorization header says."""

    access_key: str
    signed: tuple[str, ...]
    """Lower-case names of the headers covered."""

    signature: str


def claim(authorization: str) -> Claim | None:
    """The claim in an SDK-HMAC-SHA256 header; None when it is not one."""
    algorithm, _, rest = authorization.partition(" ")
    fields = dict(field.strip().partition("=")[::2] for field in rest.split(","))
    if algorithm != ALGORITHM or not {"Access", "SignedHeaders", "Signature"} <= fields.keys():
        return None
    return Claim(fields["Access"], tuple(fields["SignedHeaders"].split(";")), fields["Signature"])


@lru_cache(maxsize=4096)
def _escape(text: str) -> str:
    return quote(text, safe="-_.~")


def canonical_request(
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    signed: Iterable[str],
    body: bytes,
) -> str:
    """The text whose hash is signed. `path` and `query` are decoded; header names are lower case."""
    uri = "/".join(map(_escape, path.split("/")))
    if uri[-1:] != "/":
        uri += "/"
    pairs = "&".join(f"{_escape(name)}={_escape(value)}" for name, value in sorted(query))
    names = sorted(signed)
    lines = "".join(f"{name}:{headers.get(name, '').strip()}\n" for name in names)
    digest = headers.get("x-sdk-content-sha256") or hashlib.sha256(body).hexdigest()
    return f"{method}\n{uri}\n{pairs}\n{lines}\n{';'.join(names)}\n{digest}"


def well_formed(call: Call, said: Claim) -> bool:
    """Whether this is a signature of this call at all, whoever made it.

    It has to cover its date, and nothing that did not arrive. Terraform's client does not sign the host, and
    is let in all the same.
    """
    if "x-sdk-date" not in said.signed or not set(said.signed) <= call.headers.keys():
        return False
    claimed = call.headers.get("x-sdk-content-sha256", "")
    return claimed in ("", "UNSIGNED-PAYLOAD") or claimed == hashlib.sha256(call.body).hexdigest()


def genuine(call: Call, said: Claim, secret: str) -> bool:
    """Whether `secret` made this signature for this call, and the signature covers what it must."""
    if not well_formed(call, said):
        return False
    canonical = canonical_request(
        call.method, call.path, call.query, call.headers, said.signed, call.body
    ).encode()
    text = f"{ALGORITHM}\n{call.headers.get('x-sdk-date', '')}\n{hashlib.sha256(canonical).hexdigest()}"
    made = hmac.digest(secret.encode(), text.encode(), "sha256").hex()
    return hmac.compare_digest(made, said.signature)


def signed_at(call: Call) -> Moment | None:
    """The moment in X-Sdk-Date; None when it cannot be read."""
    return _moment(call.headers.get("x-sdk-date", ""))


@lru_cache(maxsize=64)
def _moment(text: str) -> Moment | None:
    # Not strptime, which takes ten times as long.
    if (found := _STAMP(text)) is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except ValueError:
        return None


_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII).fullmatch


DIALECTS = {"OBS": "x-obs-", "AWS": "x-amz-"}
"""The prefix of the headers that belong to each way of signing; the second is the older, S3-like one."""


@dataclass(frozen=True, slots=True)
class ObsClaim:
    """What an Authorization header of the object storage says."""

    prefix: str
    """Of the headers that this dialect calls its own."""

    access_key: str
    signature: str


def obs_claim(authorization: str) -> ObsClaim | None:
    """The claim in an OBS or AWS header; None when it is neither."""
    scheme, _, rest = authorization.partition(" ")
    access_key, colon, signature = rest.partition(":")
    return ObsClaim(DIALECTS[scheme], access_key, signature) if scheme in DIALECTS and colon else None


def obs_text(call: Call, resource: str, prefix: str = "x-obs-") -> str:
    """What an OBS request signs. `resource` is "/bucket/key", percent-encoded."""
    headers = call.headers
    own = sorted((name, value) for name, value in headers.items() if name.startswith(prefix))
    date = "" if f"{prefix}date" in headers else headers.get("date", "")
    covered = sorted((name, value) for name, value in call.query if name in OBS_SUBRESOURCES)
    lines = [call.method, headers.get("content-md5", ""), headers.get("content-type", ""), date]
    lines += [f"{name}:{value.strip()}" for name, value in own]
    tail = "&".join(f"{name}={value}" if value else name for name, value in covered)
    return "\n".join([*lines, f"{resource}?{tail}" if tail else resource])


def obs_genuine(call: Call, resource: str, said: ObsClaim, secret: str) -> bool:
    """Whether `secret` made this OBS signature.

    A lone bucket is signed as "/bucket/" by the manual and by boto3, as "/bucket" by esdk, and either stands
    in URLs; so both are taken for it, whichever was sent.
    """
    bare = resource.rstrip("/")
    alone = "/" not in bare.removeprefix("/")
    for text in {resource, bare or "/", f"{bare}/"} if alone else {resource}:
        signed = obs_text(call, text, said.prefix).encode()
        made = base64.b64encode(hmac.digest(secret.encode(), signed, "sha1")).decode()
        if hmac.compare_digest(made, said.signature):
            return True
    return False


def obs_signed_at(call: Call, prefix: str = "x-obs-") -> Moment | None:
    """The moment in x-obs-date (or the dialect's own) or Date; None when it cannot be read."""
    try:
        return parsedate_to_datetime(call.headers.get(f"{prefix}date") or call.headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return None
