"""The object storage, read only: is the file there, how large is it, in which class and region? A few of its
bytes are read where they tell more, and never all.

A HEAD answer has no body, so on failure the status is all there is. The storage class header is absent for
Standard, which is the good case. (OBS API reference: "Querying Object Metadata", "Obtaining Bucket
Metadata", "Downloading Objects", "Listing Objects in a Bucket", "Listing Initiated Multipart Tasks".)
"""

import re
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from html import unescape
from ipaddress import ip_address
from typing import TypeVar

from msgspec.structs import replace

from migrator.domain.cloud import STANDARD, BucketInfo, Fault, ObjectInfo, ObjectPage
from migrator.domain.disk_header import ByteRange
from migrator.domain.errors import RejectedError, TargetHaltedError
from migrator.domain.http import Request, Response
from migrator.domain.ports import Http
from migrator.domain.secrets import SECRETS
from migrator.domain.units import Moment
from migrator.ims.answers import failure, text, unreadable, whole
from migrator.ims.exchange import before_it_left
from migrator.ims.signing import ObsSigner, canonical_resource

T = TypeVar("T")

__all__ = ["BucketInfo", "ObjectInfo", "Obs"]

_NO_WORD = "the object storage says nothing of this object: it may be encrypted with a customer's key (SSE-C)"
_CUSTOMER_KEY = "Upload it without SSE-C: imports cannot read what only its owner's key decrypts."

PAGE = 1000
"""Objects that one list shows at most (OBS API reference, "Listing Objects in a Bucket")."""

_ENTRY = re.compile(rb"<Contents>(.*?)</Contents>", re.DOTALL)
_UPLOAD = re.compile(rb"<Upload>(.*?)</Upload>", re.DOTALL)


def bucket_url(endpoint: str, bucket: str) -> str:
    """Base URL of a bucket: its name goes before the host, or into the path where that cannot be."""
    scheme, _, host = endpoint.rstrip("/").partition("://")
    return f"{scheme}://{host}/{bucket}" if _pathlike(host) else f"{scheme}://{bucket}.{host}"


def _pathlike(host: str) -> bool:
    name = host.removeprefix("[").partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    return True


def object_request(endpoint: str, bucket: str, key: str) -> Request:
    """The metadata of one object."""
    return Request(method="HEAD", url=f"{bucket_url(endpoint, bucket)}/{key}")


def bucket_request(endpoint: str, bucket: str) -> Request:
    """The metadata of one bucket."""
    return Request(method="HEAD", url=f"{bucket_url(endpoint, bucket)}/")


def read_object(response: Response) -> ObjectInfo | None:
    """The object, or None when there is no such object or bucket.

    Raises RejectedError when these credentials may not read it, RetryableError to ask again later.
    """
    if response.status == 404:
        return None
    if response.status == 400 and not response.body:
        raise RejectedError(replace(_fault(response, _NO_WORD), remedy=_CUSTOMER_KEY))
    _demand(response)
    headers = response.headers
    size = whole(headers.get("content-length"))
    if size is None or size < 0:
        raise RejectedError(_fault(response, "the object storage does not tell the size of the object"))
    encryption = text(headers.get("x-obs-server-side-encryption"), 40)
    if "x-obs-server-side-encryption-customer-algorithm" in headers:
        encryption = "customer"
    return ObjectInfo(
        size=size,
        storage_class=_storage_class(response),
        etag=text(headers.get("etag"), 100).strip('"'),
        modified_at=_date(headers.get("last-modified", "")),
        encryption=encryption,
    )


def read_bucket(response: Response) -> BucketInfo | None:
    """The bucket, or None when there is none. Raises as read_object does."""
    if response.status == 404:
        return None
    _demand(response)
    headers = response.headers
    return BucketInfo(
        region=text(headers.get("x-obs-bucket-location"), 60),
        storage_class=_storage_class(response),
        file_system=headers.get("x-obs-fs-file-interface", "").lower() == "enabled",
    )


def list_request(endpoint: str, bucket: str, after: str = "") -> Request:
    """The objects of a bucket whose keys come after `after`, in the order of their bytes; one page."""
    query = (("marker", after), ("max-keys", str(PAGE))) if after else (("max-keys", str(PAGE)),)
    return Request(method="GET", url=f"{bucket_url(endpoint, bucket)}/", query=query)


def read_list(response: Response) -> ObjectPage:
    """One page of objects, without their encryption, which a list does not show. Raises as read_object does.

    A page that cannot be read to its last entry raises RetryableError: to leave an object out would be to
    claim that it does not exist.
    """
    _demand(response)
    body = response.body
    if b"<ListBucketResult" not in body:
        raise unreadable(response, "a list of objects")
    objects: dict[str, ObjectInfo] = {}
    for entry in _ENTRY.findall(body):
        key, size = _member(entry, b"Key"), whole(_member(entry, b"Size"))
        if not key or size is None or size < 0:
            raise unreadable(response, "key and size of every object")
        objects[key] = ObjectInfo(
            size=size, storage_class=_class_of(_member(entry, b"StorageClass")), encryption=None
        )
    more = _member(body, b"IsTruncated").lower() == "true"
    last = _member(body, b"NextMarker") or next(reversed(objects), "")
    return ObjectPage(objects=objects, next=last if more and last else None)


def uploads_request(endpoint: str, bucket: str, prefix: str) -> Request:
    """The uploads in parts that nobody has completed, of objects whose keys begin with `prefix`."""
    url = f"{bucket_url(endpoint, bucket)}/"
    return Request(method="GET", url=url, query=(("prefix", prefix), ("uploads", "")))


def read_uploads(response: Response) -> frozenset[str]:
    """Keys of objects whose upload is not complete; the first thousand. Raises as read_object does."""
    _demand(response)
    return frozenset(_member(entry, b"Key") for entry in _UPLOAD.findall(response.body))


_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)", re.ASCII | re.IGNORECASE)


def range_request(endpoint: str, bucket: str, key: str, wanted: ByteRange) -> Request:
    """Some bytes of an object (RFC 9110, "Range"): no more of the answer is read, whatever it holds."""
    first, last = wanted
    return Request(
        method="GET",
        url=f"{bucket_url(endpoint, bucket)}/{key}",
        headers={"Range": f"bytes={'' if first is None else first}-{last}"},
        wanted_bytes=last if first is None else last - first + 1,
    )


def read_range(response: Response, wanted: ByteRange) -> bytes:
    """The bytes that were asked for, or as many of them as the object has. Raises as read_object does, and
    RejectedError where other bytes were sent.
    """
    if response.status == 416:  # Range Not Satisfiable: the object ends before
        return b""
    _demand(response)
    first, last = wanted
    body = response.body
    if response.status == 206:
        if not _answers(response, wanted):
            raise RejectedError(_fault(response, "the object storage sent other bytes than it was asked for"))
        return body
    # Whoever does not know ranges sends the object from its start, of which no more was read than was wanted.
    if whole(response.headers.get("content-length")) == len(body):
        return body[-last:] if first is None else body[first : last + 1]
    if first == 0:
        return body[: last + 1]
    raise RejectedError(_fault(response, "the object storage sends whole objects only"))


def _answers(response: Response, wanted: ByteRange) -> bool:
    """Whether a 206 holds the bytes that were wanted, or as many of them as the object has."""
    found = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
    if found is None:
        return False
    first, last, size = int(found[1]), int(found[2]), found[3]
    if len(response.body) != last - first + 1:
        return False
    if wanted.first is None:
        return last - first < wanted.last and size in ("*", str(last + 1))
    return first == wanted.first and last <= wanted.last


def _member(xml: bytes, name: bytes) -> str:
    """The text of the first element `name`; empty when there is none."""
    found = re.search(rb"<%s>([^<]*)</%s>" % (name, name), xml)
    return SECRETS.masked(unescape(found[1].decode(errors="replace"))) if found else ""


def _demand(response: Response) -> None:
    if 200 <= response.status < 300:
        return
    if response.status == 403:
        raise RejectedError(
            _fault(response, "these credentials may not read it, or their signature is wrong")
        )
    error = failure(response)
    if isinstance(error, TargetHaltedError):  # one bucket that is elsewhere does not stop the others
        raise RejectedError(error.fault)
    raise error


def _fault(response: Response, message: str) -> Fault:
    return Fault(
        message=f"HTTP {response.status}: {message}",
        remedy="Give this user read access to the bucket, and check keys and clock.",
        request_id=text(response.headers.get("x-obs-request-id"), 80),
        status=response.status,
    )


def _storage_class(response: Response) -> str:
    return _class_of(text(response.headers.get("x-obs-storage-class"), 40))


def _class_of(written: str) -> str:
    named = written.upper()
    return {"": STANDARD, "STANDARD_IA": "WARM", "GLACIER": "COLD"}.get(named, named)


def _date(value: str) -> Moment | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


class Obs:
    """The object storage of one target (ports.ObjectStore): questions about what lies in it."""

    def __init__(self, http: Http, signer: ObsSigner, endpoint: str) -> None:
        self._http = http
        self._signer = signer
        self._endpoint = endpoint.rstrip("/")

    async def object(self, bucket: str, key: str) -> ObjectInfo | None:
        """One object, None when it is not there.

        Raises RejectedError when it may not be read, RetryableError to ask again later, TargetHaltedError
        without credentials.
        """
        request = object_request(self._endpoint, bucket, key)
        return await self._ask(request, canonical_resource(bucket, key), read_object)

    async def bucket(self, bucket: str) -> BucketInfo | None:
        """One bucket, None when it is not there. Raises as `object` does."""
        request = bucket_request(self._endpoint, bucket)
        return await self._ask(request, canonical_resource(bucket, ""), read_bucket)

    async def objects(self, bucket: str, *, after: str = "") -> ObjectPage:
        """The objects of a bucket after the key `after`, one page. Raises as `object` does, or RejectedError
        when there is no such bucket."""
        request = list_request(self._endpoint, bucket, after)
        return await self._ask(request, canonical_resource(bucket, ""), read_list)

    async def uploads(self, bucket: str, prefix: str) -> frozenset[str]:
        """Keys that begin with `prefix` and whose upload is not complete. Raises as `objects` does."""
        request = uploads_request(self._endpoint, bucket, prefix)
        return await self._ask(request, canonical_resource(bucket, "", request.query), read_uploads)

    async def read(self, bucket: str, key: str, *, first: int | None, last: int) -> bytes:
        """The bytes of an object from number `first` to number `last`, or its last `last` bytes.

        Raises as `object` does, and RejectedError where it is not there or other bytes were sent.
        """
        wanted = ByteRange(first, last)
        request = range_request(self._endpoint, bucket, key, wanted)
        return await self._ask(
            request, canonical_resource(bucket, key), lambda response: read_range(response, wanted)
        )

    async def _ask(self, request: Request, resource: str, read: Callable[[Response], T]) -> T:
        with before_it_left():  # a question is asked again, wherever it got to
            signed = await self._signer.sign(request, resource)
            response = await self._http.send(signed)
            if response.status in (401, 403) and await self._signer.renew(signed, resource):
                response = await self._http.send(await self._signer.sign(request, resource))
        return read(response)
