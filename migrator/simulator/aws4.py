"""The S3-like signature of version 4 (AWS4-HMAC-SHA256), as the object storage checks it.

S3 API reference, "Authenticating Requests: Using the Authorization Header". OBS takes it beside its own
signature; boto3 and the vendor's storage clients send it when they are told to speak S3.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import ClassVar
from urllib.parse import quote

from migrator.domain.units import Moment
from migrator.simulator.wire import Call

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
_SPACES = re.compile(r" +")


@dataclass(frozen=True, slots=True)
class Aws4Claim:
    """What an Authorization header of version 4 says."""

    prefix: ClassVar[str] = "x-amz-"
    """Of the headers that this dialect calls its own."""

    access_key: str
    day: str
    region: str
    service: str
    signed: tuple[str, ...]
    """Lower-case names of the headers covered."""

    signature: str

    @property
    def scope(self) -> str:
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def aws4_claim(authorization: str) -> Aws4Claim | None:
    """The claim in an AWS4-HMAC-SHA256 header; None when it is not one."""
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        return None
    fields = dict(field.strip().partition("=")[::2] for field in rest.split(","))
    if not {"Credential", "SignedHeaders", "Signature"} <= fields.keys():
        return None
    credential = fields["Credential"].split("/")
    if len(credential) != 5 or credential[4] != "aws4_request":
        return None
    access_key, day, region, service, _ = credential
    signed = tuple(fields["SignedHeaders"].split(";"))
    return Aws4Claim(access_key, day, region, service, signed, fields["Signature"])


def aws4_genuine(call: Call, said: Aws4Claim, secret: str) -> bool:
    """Whether `secret` made this signature for this call, and the signature covers what it must."""
    headers = call.headers
    payload = headers.get("x-amz-content-sha256", "")
    at = aws4_signed_at(call)
    if (
        said.service != "s3"
        or "host" not in said.signed
        or not set(said.signed) <= headers.keys() | {"host"}
        or payload not in (UNSIGNED, hashlib.sha256(call.body).hexdigest())
        or at is None
        or _stamp(at)[:8] != said.day
    ):
        return False
    # What belongs to the dialect has to be covered; otherwise somebody on the way could change it.
    if not {name for name in headers if name.startswith("x-amz-")} <= set(said.signed):
        return False
    canonical = canonical_request(call, said.signed, payload).encode()
    text = f"{ALGORITHM}\n{_stamp(at)}\n{said.scope}\n{hashlib.sha256(canonical).hexdigest()}"
    made = hmac.digest(signing_key(secret, said), text.encode(), "sha256").hex()
    return hmac.compare_digest(made, said.signature)


def canonical_request(call: Call, signed: tuple[str, ...], payload: str) -> str:
    """The text whose hash is signed; `payload` is the hash of the body, or UNSIGNED."""
    path = "/".join(map(_escape, call.path.split("/"))) or "/"
    pairs = sorted((_escape(name), _escape(value)) for name, value in call.query)
    query = "&".join(f"{name}={value}" for name, value in pairs)
    present = {"host": call.host, **call.headers}
    lines = "".join(f"{name}:{_SPACES.sub(' ', present[name].strip())}\n" for name in signed)
    return f"{call.method}\n{path}\n{query}\n{lines}\n{';'.join(signed)}\n{payload}"


def signing_key(secret: str, said: Aws4Claim) -> bytes:
    """The key of one day, region and service, derived from the secret."""
    key = f"AWS4{secret}".encode()
    for part in (said.day, said.region, said.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def aws4_signed_at(call: Call) -> Moment | None:
    """The moment in x-amz-date or Date; None when it cannot be read."""
    written = call.headers.get("x-amz-date")
    try:
        if written is None:
            return parsedate_to_datetime(call.headers["date"]).timestamp()
        return datetime.strptime(written, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except (KeyError, ValueError, TypeError):
        return None


def _stamp(moment: Moment) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y%m%dT%H%M%SZ")


def _escape(text: str) -> str:
    return quote(text, safe="-_.~")
