"""The object storage, read only: is the file there, how large is it, in which class and region?

A HEAD answer has no body, so on failure the status is all there is. The storage class header is absent for
Standard, which is the good case. (OBS API reference: "Querying Object Metadata", "Obtaining Bucket
Metadata".)
"""

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import TypeVar

from migrator.clouds.answers import again_later, failure, text, whole
from migrator.clouds.signing import ObsSigner, canonical_resource
from migrator.errors import CredentialsError, Halted, OutcomeUnknown, Refused
from migrator.model import Fault, Moment, Request, Response
from migrator.ports import Http

T = TypeVar("T")

STANDARD = "STANDARD"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One object, as its metadata tell."""

    size: int
    """Bytes."""

    storage_class: str = STANDARD
    """"STANDARD", "WARM", "COLD" or "DEEP_ARCHIVE"; imports need the first."""

    etag: str = ""
    modified_at: Moment | None = None
    encryption: str = ""
    """Empty, "kms", or "customer": imports cannot read the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketInfo:
    """One bucket, as its metadata tell."""

    region: str
    """Region id; empty where the service does not say."""

    storage_class: str = STANDARD
    file_system: bool = False
    """A parallel file system; whether imports read from those is documented nowhere."""


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

    Raises Refused when these credentials may not read it, Unavailable to ask again later.
    """
    if response.status == 404:
        return None
    _demand(response)
    headers = response.headers
    size = whole(headers.get("content-length"))
    if size is None or size < 0:
        raise Refused(_fault(response, "the object storage does not tell the size of the object"))
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


def _demand(response: Response) -> None:
    if 200 <= response.status < 300:
        return
    if response.status == 403:
        raise Refused(_fault(response, "these credentials may not read it, or their signature is wrong"))
    error = failure(response)
    if isinstance(error, Halted):  # one bucket that is elsewhere does not stop the others
        raise Refused(error.fault)
    raise error


def _fault(response: Response, message: str) -> Fault:
    return Fault(
        message=f"HTTP {response.status}: {message}",
        remedy="Give this user read access to the bucket, and check keys and clock.",
        request_id=text(response.headers.get("x-obs-request-id"), 80),
        status=response.status,
    )


def _storage_class(response: Response) -> str:
    named = text(response.headers.get("x-obs-storage-class"), 40).upper()
    return {"": STANDARD, "STANDARD_IA": "WARM", "GLACIER": "COLD"}.get(named, named)


def _date(value: str) -> Moment | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


class Obs:
    """The object storage of one target: two questions about what lies in it."""

    def __init__(self, http: Http, signer: ObsSigner, endpoint: str) -> None:
        self._http = http
        self._signer = signer
        self._endpoint = endpoint.rstrip("/")

    async def object(self, bucket: str, key: str) -> ObjectInfo | None:
        """One object, None when it is not there.

        Raises Refused when it may not be read, Unavailable to ask again later, Halted without credentials.
        """
        request = object_request(self._endpoint, bucket, key)
        return await self._ask(request, canonical_resource(bucket, key), read_object)

    async def bucket(self, bucket: str) -> BucketInfo | None:
        """One bucket, None when it is not there. Raises as `object` does."""
        request = bucket_request(self._endpoint, bucket)
        return await self._ask(request, canonical_resource(bucket, ""), read_bucket)

    async def _ask(self, request: Request, resource: str, read: Callable[[Response], T]) -> T:
        try:
            signed = await self._signer.sign(request, resource)
            response = await self._http.send(signed)
            if response.status in (401, 403) and await self._signer.renew(signed, resource):
                response = await self._http.send(await self._signer.sign(request, resource))
        except OutcomeUnknown as lost:
            raise again_later(lost) from lost
        except CredentialsError as error:
            raise Halted(Fault(code="MIG.credentials", message=str(error), remedy=error.hint)) from error
        return read(response)
