"""Notifications by POST to a webhook, signed so that a receiver can tell them from others and from old ones.

The rules:

1. The address is a secret: it comes from the environment, what tells it apart is registered as secret, and no
   error repeats it. It is https, or http to this machine.
2. Headers and signature are those of Standard Webhooks (standardwebhooks.com): `webhook-id`,
   `webhook-timestamp`, and `webhook-signature` = "v1," and the Base64 of the HMAC-SHA256 of
   "ID.TIMESTAMP.BODY". Each try is signed anew, so a receiver may refuse what is some minutes old.
3. Redirects are not followed, and of an answer nothing but its status is looked at.
"""

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import SecretBytes, SecretStr

from migrator.domain.errors import OutcomeUnknown, RetryableError, UsageError
from migrator.domain.http import Request
from migrator.domain.notify import Message, Sent
from migrator.domain.ports import Http
from migrator.domain.secrets import SECRETS
from migrator.domain.units import Moment

WANTED = 4096
"""Bytes of an answer that are read, and thrown away: most end before, which keeps the connection."""

_PREFIX = "whsec_"
_LEAST_SECRET = 16
_NOT_NOW = frozenset({408, 425, 429, 502, 503, 504})
"""Of these it is the receiver that is not well, whatever the message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a webhook is."""

    url: SecretStr
    """Scheme, host and decoded path."""

    query: tuple[tuple[str, str], ...]
    """Never shown."""

    host: str

    def __repr__(self) -> str:
        return "Address(…)"


def read_address(text: str) -> Address:
    """The address that a variable holds, which is secret from then on.

    Raises ValueError, which says what is wrong with it and repeats nothing.
    """
    SECRETS.register(*secret_parts(text))
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("is not an address") from None
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not host:
        raise ValueError('is not an address of the form "https://host/path"')
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or a password before its host, which are not sent")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("would send everything unencrypted: it has to begin with https://")
    if "%2f" in parts.path.lower() or not text.isprintable() or " " in text:
        raise ValueError("holds %2F in its path, a space or a control character, which cannot be sent")
    shown = f"[{host}]" if ":" in host else host
    usual = {"https": 443, "http": 80}[parts.scheme]
    origin = f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, usual) else "")
    query = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return Address(url=SecretStr(origin + (unquote(parts.path) or "/")), query=query, host=host)


def read_secret(text: str) -> SecretBytes:
    """What requests are signed with: the bytes of the Base64 after "whsec_", or of any other text.

    Raises ValueError, which says what is wrong with it and repeats nothing.
    """
    SECRETS.register(text, text.removeprefix(_PREFIX))
    key = text.encode()
    if text.startswith(_PREFIX):
        try:
            key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"begins with {_PREFIX}, and no Base64 follows") from None
    if len(key) < _LEAST_SECRET:
        raise ValueError(f"is too short: {_LEAST_SECRET} bytes at least, such as from `openssl rand -hex 24`")
    return SecretBytes(key)


_TOKEN = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[\w~+=.-]{12,}|[\w~+=-]{20,}", re.ASCII)
_ID = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HOST = re.compile(r"(?:://|@)[^/?#\s@]*\.[^/?#\s@]*(?=[/?#\s]|$)")
_PASSWORD = re.compile(r"://[^/?#\s@:]*:([^/?#\s@]{8,})@")


def secret_parts(text: str) -> Iterator[str]:
    """The passwords and tokens within addresses, none of which must be repeated.

    Hosts are none; and neither is what looks like the id of a project or an image: taken out of the answers
    of the cloud, it would be missing there.
    """
    yield from map(unquote, _PASSWORD.findall(text))
    for piece in map(unquote, re.split(r"[/?&=:@,;\s]+", _HOST.sub("/", text))):
        if _TOKEN.fullmatch(piece) and not _ID.fullmatch(piece):
            yield piece


def signature(secret: bytes, id_: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`."""
    digest = hmac.digest(secret, f"{id_}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


class Webhook:
    """Sends messages to one address."""

    def __init__(
        self, http: Http, address: Address, secret: SecretBytes | None, now: Callable[[], Moment]
    ) -> None:
        self._http = http
        self._address = address
        self._secret = secret
        self._now = now

    async def __call__(self, message: Message) -> Sent:
        """One POST, and what its status means."""
        timestamp = int(self._now())
        headers = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
        }
        if self._secret is not None:
            key = self._secret.get_secret_value()
            headers["webhook-signature"] = signature(key, message.id, timestamp, message.body)
        request = Request(
            method="POST",
            url=self._address.url.get_secret_value(),
            query=self._address.query,
            headers=headers,
            body=message.body,
            wanted_bytes=WANTED,
        )
        try:
            answer = await self._http.send(request)
        except (RetryableError, OutcomeUnknown) as error:
            # Its message begins with the host, which is part of the address.
            what = error.fault.message.partition(": ")[2] or error.fault.code
            return Sent(failure=what.replace(self._address.host, "its host"))
        except UsageError:
            return Sent(failure="its address cannot be used")
        return verdict(answer.status)


def verdict(status: int) -> Sent:
    """What an answer's status means."""
    if 200 <= status < 300:
        return Sent()
    if 300 <= status < 400:
        return Sent(
            failure=f"it redirects (HTTP {status}), which is not followed: set the address it leads to"
        )
    return Sent(failure=f"it answers HTTP {status}", refused=status not in _NOT_NOW)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
