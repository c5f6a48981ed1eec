"""The object storage: which objects and buckets there are, and the few questions one may ask about them.

Answers: OBS API reference, "Querying Object Metadata", "Querying Bucket Metadata", "Obtaining Bucket Location
Information", "Listing Initiated Multipart Tasks", "Listing Objects in a Bucket", "Error Responses".
"""

import re
import struct
from hashlib import md5
from html import escape
from random import Random
from urllib.parse import quote

from msgspec.structs import replace

from migrator.domain.units import Moment
from migrator.simulator import signature
from migrator.simulator.access import Guard
from migrator.simulator.aws4 import Aws4Claim, aws4_claim, aws4_genuine, aws4_signed_at
from migrator.simulator.settings import BucketSettings, ObjectSettings, Settings
from migrator.simulator.validate import Invalid, check_bucket
from migrator.simulator.wire import Call, Reply, obs_error

_S3 = {
    "x-obs-bucket-location": "x-amz-bucket-region",
    "x-obs-storage-class": "x-amz-storage-class",
    "x-obs-server-side-encryption": "x-amz-server-side-encryption",
    "x-obs-server-side-encryption-customer-algorithm": "x-amz-server-side-encryption-customer-algorithm",
}
"""How the S3-like dialect calls the headers of an answer."""

MOST_KEYS = 1000
"""Objects that one list shows."""

_SCHEMA = 'xmlns="http://obs.myhwclouds.com/doc/2015-06-30/"'


class ObjectStorage:
    """Every bucket and object, listed or made up."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def bucket(self, name: str) -> BucketSettings:
        found = self.settings.buckets.get(name)
        if found is not None:
            return found
        listed = any(address.startswith(f"{name}:") for address in self.settings.objects)
        return BucketSettings(missing=not (listed or self.settings.any_object))

    def listed(self, bucket: str, key: str) -> bool:
        """Whether somebody said what this object is like."""
        return f"{bucket}:{key}" in self.settings.objects

    def object(self, bucket: str, key: str) -> ObjectSettings:
        found = self.settings.objects.get(f"{bucket}:{key}")
        if found is not None:
            return found
        if not self.settings.any_object:
            return ObjectSettings(missing=True)
        least, most = self.settings.object_gb
        gigabytes = Random(f"{self.settings.seed}:{bucket}:{key}").uniform(least, most)  # noqa: S311
        if key.endswith(".mf"):
            gigabytes /= 100_000
        return ObjectSettings(size=int(gigabytes * 2**30))


def resource(call: Call) -> tuple[str, str]:
    """(bucket, key) that a call is about, from a virtual host or from the path."""
    bucket, dot, rest = call.host.partition(".obs.")
    path = call.path.lstrip("/")
    if dot and rest:
        return bucket, path
    bucket, _, key = path.partition("/")
    return bucket, key


def is_storage(call: Call) -> bool:
    """Whether a call is for the object storage, to judge by its signature or its host."""
    return (
        _claim(call) is not None
        or call.host.startswith("obs.")
        or ".obs." in call.host
        or call.one("apiversion") is not None
    )


def answer(store: ObjectStorage, guard: Guard, call: Call, now: Moment) -> Reply:
    """The answer to one call of the object storage, in the dialect that it was asked in."""
    reply = _answer(store, guard, call, now)
    if _dialect(call) == "x-obs-":
        return reply
    return replace(reply, headers={_S3.get(name, name): value for name, value in reply.headers.items()})


def _claim(call: Call) -> signature.ObsClaim | Aws4Claim | None:
    """What the Authorization header claims, in whichever of the three ways; None without one."""
    authorization = call.headers.get("authorization", "")
    return signature.obs_claim(authorization) or aws4_claim(authorization)


def _dialect(call: Call) -> str:
    """The prefix of the headers that the caller understands."""
    said = _claim(call)
    return said.prefix if said else "x-obs-"


def _answer(store: ObjectStorage, guard: Guard, call: Call, now: Moment) -> Reply:
    method = call.method
    if call.one("apiversion") is not None:
        return Reply(status=200, headers={"x-obs-api": "3.0"})
    bucket, key = resource(call)
    refused = _refusal(guard, call, bucket, now)
    if refused is not None:
        return refused
    if not bucket:
        return _buckets(store, method)
    try:
        check_bucket(bucket)
    except Invalid:
        return obs_error(400, "InvalidBucketName", "The specified bucket is not valid.", method=method)
    its = store.bucket(bucket)
    if its.missing:
        return obs_error(404, "NoSuchBucket", "The specified bucket does not exist.", method=method)
    if its.forbidden:
        return obs_error(403, "AccessDenied", "Access Denied", method=method)
    if method not in ("HEAD", "GET"):
        return obs_error(405, "MethodNotAllowed", "This stand-in is read-only.", method=method)
    region = its.region or guard.default_region(call)
    if key:
        return _object(store, call, bucket, key)
    if method == "HEAD":
        return _bucket(its, region)
    return _bucket_question(store, call, bucket, region)


def _refusal(guard: Guard, call: Call, bucket: str, now: Moment) -> Reply | None:
    method = call.method
    said = _claim(call)
    if said is None:
        return obs_error(403, "AccessDenied", "Anonymous access is forbidden.", method=method)
    known = guard.keys.get(said.access_key)
    if known is None:
        return obs_error(
            403, "InvalidAccessKeyId", "The access key does not exist in our records.", method=method
        )
    at = aws4_signed_at(call) if isinstance(said, Aws4Claim) else signature.obs_signed_at(call, said.prefix)
    if at is None or abs(at + guard.ahead - now) > guard.skew:
        return obs_error(
            403, "RequestTimeTooSkewed", "The difference between the times is too large.", method=method
        )
    if not _genuine(call, bucket, said, known.secret):
        return obs_error(
            403, "SignatureDoesNotMatch", "The calculated signature does not match.", method=method
        )
    if call.headers.get(f"{said.prefix}security-token", "") != known.security_token or known.dies <= now:
        return obs_error(403, "AccessDenied", "The security token is invalid or has expired.", method=method)
    return None


def _genuine(call: Call, bucket: str, said: signature.ObsClaim | Aws4Claim, secret: str) -> bool:
    if isinstance(said, Aws4Claim):
        return aws4_genuine(call, said, secret)
    raw = call.raw_path or quote(call.path, safe="/-_.~")
    path = f"/{bucket}{raw}" if ".obs." in call.host else raw
    return signature.obs_genuine(call, path, said, secret)


def _object(store: ObjectStorage, call: Call, bucket: str, key: str) -> Reply:
    its, method = store.object(bucket, key), call.method
    if its.missing:
        return obs_error(404, "NoSuchKey", "The specified key does not exist.", method=method)
    if its.forbidden:
        return obs_error(403, "AccessDenied", "Access Denied", method=method)
    customers = f"{_dialect(call)}server-side-encryption-customer-"
    if its.sse == "customer" and not (its.sse_told or f"{customers}key" in call.headers):
        # Without the key nobody may even ask; to a HEAD the service says so by its status alone.
        text = "The object was stored using a form of Server Side Encryption. Its key must be provided."
        return obs_error(400, "InvalidRequest", text, method=method)
    if method == "GET":
        return _piece(its, key, call)
    headers = {
        "Content-Length": str(its.size),
        "Content-Type": "application/octet-stream",
        "ETag": f'"{md5(key.encode(), usedforsecurity=False).hexdigest()}-{its.size // 2**28 + 1}"',
        "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT",
    }
    if its.storage_class != "STANDARD":
        headers["x-obs-storage-class"] = its.storage_class
    if its.sse == "kms":
        headers["x-obs-server-side-encryption"] = "kms"
    elif its.sse == "customer":
        headers["x-obs-server-side-encryption-customer-algorithm"] = "AES256"
    return Reply(status=200, headers=headers)


_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def _piece(its: ObjectSettings, key: str, call: Call) -> Reply:
    """A few bytes of an object: what it begins with, as far as anybody said, and zeros."""
    asked = _RANGE.fullmatch(call.headers.get("range", ""))
    if asked is None or not any(asked.groups()):
        return obs_error(405, "MethodNotAllowed", "This stand-in holds no whole files.", method="GET")
    first, last = asked[1], asked[2]
    begin = int(first) if first else max(its.size - int(last), 0)
    end = min(int(last) + 1 if first and last else its.size, its.size)
    if begin >= end:
        return obs_error(416, "InvalidRange", "The requested range cannot be satisfied.", method="GET")
    if end - begin > _LONGEST_PIECE:
        return obs_error(405, "MethodNotAllowed", "This stand-in holds no whole files.", method="GET")
    head = bytes.fromhex(its.head) or _made_up(its, key)
    data = head[begin:end].ljust(end - begin, b"\0")
    return Reply(status=206, headers={"Content-Range": f"bytes {begin}-{end - 1}/{its.size}"}, body=data)


_LONGEST_PIECE = 2**20


def _made_up(its: ObjectSettings, key: str) -> bytes:
    """The head of a QCOW2 file whose disk has a size (QEMU, docs/interop/qcow2.txt); nothing of others."""
    if not its.virtual_gb or not key.lower().endswith(".qcow2"):
        return b""
    fields = (0x514649FB, 3, 0, 0, 16, its.virtual_gb * 2**30, 0, 1, 2**18, 2**16, 1, 0, 0, 0, 0, 0, 4, 104)
    return struct.pack(">IIQIIQIIQQIIQQQQII", *fields)


def _buckets(store: ObjectStorage, method: str) -> Reply:
    """Every bucket that somebody said something of."""
    if method != "GET":
        return obs_error(405, "MethodNotAllowed", "This stand-in is read-only.", method=method)
    named = {address.partition(":")[0] for address in store.settings.objects}
    rows = "".join(
        f"<Bucket><Name>{name}</Name><CreationDate>2025-01-01T00:00:00.000Z</CreationDate></Bucket>"
        for name in sorted(named | store.settings.buckets.keys())
        if not store.bucket(name).missing
    )
    return _xml(
        f"<ListAllMyBucketsResult {_SCHEMA}><Owner><ID>simulator</ID></Owner>"
        f"<Buckets>{rows}</Buckets></ListAllMyBucketsResult>"
    )


def _bucket(its: BucketSettings, region: str) -> Reply:
    headers = {
        "x-obs-bucket-location": region,
        "x-obs-storage-class": its.storage_class,
        "x-obs-version": "3.0",
        "x-obs-epid": "0",
    }
    if its.parallel_file_system:
        headers["x-obs-fs-file-interface"] = "Enabled"
    return Reply(status=200, headers=headers)


def _bucket_question(store: ObjectStorage, call: Call, bucket: str, region: str) -> Reply:
    names = {name for name, _ in call.query}
    if "location" in names:
        body = f"<Location {_SCHEMA}>{region}</Location>"
        if _dialect(call) == "x-amz-":
            inner = f"<LocationConstraint>{region}</LocationConstraint>"
            body = f"<CreateBucketConfiguration {_SCHEMA}>{inner}</CreateBucketConfiguration>"
    elif "uploads" in names:
        rows = "".join(
            f"<Upload><Key>{escape(key)}</Key><UploadId>{number:032x}</UploadId></Upload>"
            for number, (key, its) in enumerate(_listed(store, bucket, call.one("prefix") or ""))
            if its.upload_begun
        )
        body = (
            f"<ListMultipartUploadsResult {_SCHEMA}><Bucket>{bucket}</Bucket><MaxUploads>1000</MaxUploads>"
            f"<IsTruncated>false</IsTruncated>{rows}</ListMultipartUploadsResult>"
        )
    else:
        prefix, marker = call.one("prefix") or "", call.one("marker") or ""
        asked = call.one("max-keys") or ""
        most = min(int(asked), MOST_KEYS) if asked.isdecimal() else MOST_KEYS
        every = [
            (key, its)
            for key, its in _listed(store, bucket, prefix)
            if not its.missing and key.encode() > marker.encode()
        ]
        shown = every[:most]
        more = len(every) > most
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{its.size}</Size>"
            f"<StorageClass>{its.storage_class}</StorageClass></Contents>"
            for key, its in shown
        )
        last = f"<NextMarker>{escape(shown[-1][0])}</NextMarker>" if more and shown else ""
        body = (
            f"<ListBucketResult {_SCHEMA}><Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<Marker>{escape(marker)}</Marker>{last}<MaxKeys>{most}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{rows}</ListBucketResult>"
        )
    return _xml(body)


def _xml(body: str) -> Reply:
    text = f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>{body}'
    return Reply(status=200, headers={"Content-Type": "application/xml"}, body=text.encode())


def _listed(store: ObjectStorage, bucket: str, prefix: str) -> list[tuple[str, ObjectSettings]]:
    """The objects of a bucket that somebody said something of, in the order of their keys' bytes."""
    found = [
        (key, its)
        for address, its in store.settings.objects.items()
        for owner, _, key in [address.partition(":")]
        if owner == bucket and key.startswith(prefix)
    ]
    return sorted(found, key=lambda one: one[0].encode())
