"""The image service: quick import, its jobs, the list of images, the quota.

Each call is a pair of plain functions, one that builds the request and one that reads the answer; `Ims`
joins them through Http. Only the import cannot be repeated at will, so only `read_submit` may say that nobody
knows what became of it.
(IMS API reference: "Importing an Image File Quickly", "Querying the Progress of an Asynchronous Job",
"Querying Images", "Querying the Image Quota", "Querying Supported OS Versions", "Deleting an Image".)
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from msgspec import Struct, field
from msgspec.json import encode
from msgspec.structs import replace

from migrator.clouds import codes
from migrator.clouds.answers import (
    again_later,
    ask,
    document,
    exchange,
    failure,
    members,
    moment,
    number,
    rate_hint,
    read_fault,
    redacted,
    shaped,
    text,
    unreadable,
    whole,
)
from migrator.errors import CredentialsError, Halted, OutcomeUnknown, Refused, Unavailable
from migrator.model import (
    CloudImage,
    Fault,
    Image,
    ImagePage,
    ImageQuery,
    ImageType,
    JobApi,
    JobReport,
    Marker,
    Moment,
    Quota,
    RateHint,
    Request,
    Response,
    Target,
)
from migrator.ports import Http, Signer

PAGE = 500
"""Images asked for at once: the documented default, and no larger page is promised."""

_ID = re.compile(r"[A-Za-z0-9][\w.\-]{0,127}", re.ASCII).fullmatch
_CODE = re.compile(r"\b(?:IMG|APIGW?|IAM)\.\d{4}\b")
_JSON = {"Content-Type": "application/json"}
_GONE = {"IMG.0086", "IMG.0144"}

# --- Import ---------------------------------------------------------------------------------------------


def submit_body(image: Image, marker: Marker | None) -> dict[str, object]:
    """The members of an import request: those that the plan sets, and the marker among the tags.

    A data disk always names its os_type: the oldest reference requires it, newer ones take Linux for granted.
    """
    data = image.type is ImageType.DATA
    body: dict[str, object] = {"name": image.name}
    if image.description is not None:
        body["description"] = image.description
    if data:
        body["os_type"] = image.os_type or "Linux"
    elif image.os_version is not None:
        body["os_version"] = image.os_version
    body |= {"image_url": image.image_url, "min_disk": image.min_disk, "type": image.type.value}
    system = (
        {}
        if data
        else {
            "architecture": image.architecture,
            "hw_firmware_type": image.hw_firmware_type,
            "license_type": image.license_type,
        }
    )
    more = {**system, "enterprise_project_id": image.enterprise_project_id}
    body |= {name: value for name, value in more.items() if value is not None}
    marks = marker.tags if marker else {}
    if image.tags is not None:  # the two ways to write tags exclude each other in one request
        body["tags"] = [*image.tags, *(f"{key}.{value}" for key, value in marks.items())]
    elif tags := {**(image.image_tags or {}), **marks}:
        body["image_tags"] = [{"key": key, "value": value} for key, value in tags.items()]
    return body


def submit_request(endpoint: str, image: Image, marker: Marker | None) -> Request:
    """Ask for the import of `image`. The body is serialised here and nowhere else: it is what gets signed."""
    body = encode(submit_body(image, marker))
    url = f"{endpoint}/v2/cloudimages/quickimport/action"
    return Request(method="POST", url=url, headers=dict(_JSON), body=body)


def read_submit(response: Response) -> str:
    """The job id of an accepted import.

    Raises Unavailable when it surely did not happen and may be repeated, OutcomeUnknown when it may have
    happened, NameTaken or Refused when it never will, Halted when no other import would fare better.
    """
    if 200 <= response.status < 300:
        job_id = members(document(response.body)).get("job_id")
        if isinstance(job_id, str) and _ID(job_id):
            return job_id
        if codes.judge(response.status, read_fault(response).code).throttle:
            raise failure(response, submit=True)
        raise unreadable(response, "a job id", submit=True)
    raise failure(response, submit=True)


# --- Jobs -----------------------------------------------------------------------------------------------


def progress_request(endpoint: str, job_id: str) -> Request:
    """How a job does, by the call that the current reference recommends."""
    return Request(method="GET", url=f"{endpoint}/v1/cloudimages/job/{_checked(job_id)}")


def status_request(endpoint: str, project_id: str, job_id: str) -> Request:
    """How a job does, by the older call."""
    return Request(method="GET", url=f"{endpoint}/v1/{project_id}/jobs/{_checked(job_id)}")


def read_job(response: Response, job_id: str) -> JobReport:
    """What either job call answers. Raises Refused for a job that the service does not know."""
    if not 200 <= response.status < 300:
        error = failure(response)
        if response.status == 404 and isinstance(error, Halted) and not error.fault.code:
            remedy = "Nothing to do: migrator looks for the image that the job was to make."
            raise Refused(replace(error.fault, remedy=remedy))
        raise error
    job = members(document(response.body))
    status = text(job.get("status"), 40).upper()
    if not status:
        raise unreadable(response, "a job status")
    entities = members(job.get("entities"))
    return JobReport(
        job_id=job_id,
        status=status,
        progress=_fraction(entities.get("process_percent")),
        image_id=_image_id(entities),
        fault=_job_fault(job, response) if status == "FAIL" else None,
        end_at=moment(job.get("end_time")),
    )


def _fraction(value: object) -> float | None:
    found = number(value)
    if found is None or found < 0:
        return None
    return min(found if found <= 1 else found / 100, 1.0)


def _image_id(entities: Mapping[str, object]) -> str | None:
    inner = (members(sub.get("entities")) for sub in _objects(entities.get("sub_jobs_result")))
    for place in (entities, *inner, *_objects(entities.get("results"))):
        found = place.get("image_id")
        if isinstance(found, str) and _ID(found):
            return found
    return None


def _job_fault(job: Mapping[str, object], response: Response) -> Fault:
    """Why a job failed: from its top level, its entities, its sub jobs or theirs, the first that says."""
    code = message = ""
    for place in _places(job):
        wrapped = members(place.get("error"))
        here = _first(place, "error_code", "addition_error_code") or _first(wrapped, "code")
        words = _first(place, "fail_reason", "error", "addition_error_msg", "error_msg")
        words = words or _first(wrapped, "message")
        code, message = code or here, message or words
    if not code and (named := _CODE.search(message)):
        code = named[0]
    row = codes.row(code) if code else None
    if row is None or row.owner == "service":
        remedy = "Run again with --retry-failed; if it fails again, ask the vendor's support about this job."
    else:
        remedy = row.remedy
    return Fault(
        code=code,
        message=redacted(message or (row.message if row else "") or "the job failed and gave no reason"),
        remedy=remedy,
        request_id=text(response.headers.get("x-request-id"), 80),
        status=response.status,
    )


def _places(job: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    entities = members(job.get("entities"))
    subs = [*_objects(entities.get("sub_jobs_result")), *_objects(job.get("sub_jobs_result"))]
    yield from (job, entities, *subs)
    yield from (members(sub.get("entities")) for sub in subs)


def _first(place: Mapping[str, object], *names: str) -> str:
    found = (text(place.get(name)) for name in names)
    return next((value for value in found if value and value.lower() not in ("null", "none")), "")


# --- Images ---------------------------------------------------------------------------------------------


def images_request(endpoint: str, query: ImageQuery, after: str | None = None) -> Request:
    """One page of private images, oldest first, in every enterprise project that the caller may see.

    Oldest first, so that an image which arrives between two pages does not shift what is still to come.
    """
    pairs = [
        ("__imagetype", "private"),
        ("enterprise_project_id", "all_granted_eps"),
        ("limit", str(PAGE)),
        ("sort_dir", "asc"),
        ("sort_key", "created_at"),
    ]
    if query.id is not None:
        pairs.append(("id", query.id))
    if query.name is not None:
        pairs.append(("name", query.name))
    if query.tag is not None:
        pairs.append(("tag", "=".join(query.tag)))
    if query.created_since is not None:
        since = datetime.fromtimestamp(int(query.created_since), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        pairs.append(("created_at", f"gte:{since}"))
    if after is not None:
        pairs.append(("marker", after))
    return Request(method="GET", url=f"{endpoint}/v2/cloudimages", query=tuple(pairs))


def read_images(response: Response, query: ImageQuery, after: str | None = None) -> ImagePage:
    """One page of images.

    A page that cannot be read to its last entry raises Unavailable: to leave an image out would be to claim
    that it does not exist. The list ends with an empty page, as there is no link to a next one; a page
    shorter than asked for proves nothing, because a service may cap it. Only one image can have an id.
    """
    if not 200 <= response.status < 300:
        error = failure(response)
        if after is not None and isinstance(error, Refused) and error.fault.code in _GONE:
            remedy = "Nothing to do: an image was deleted while the list was read; migrator reads it again."
            raise Unavailable(replace(error.fault, remedy=remedy))
        raise error
    listed = shaped(response.body, _Listed)
    if listed is None or listed.images is None:
        raise unreadable(response, "a list of images")
    images = tuple([_image(entry, response) for entry in listed.images])
    last = images[-1].id if images else None
    if (paging := members(listed.page_info)) and "next_marker" in paging:
        last = text(paging["next_marker"], 200) or None
    return ImagePage(images=images, next=None if query.id is not None or last == after else last)


class _Entry(Struct):
    """What is read of an image in a list; whatever stands there."""

    id: Any = None
    name: Any = None
    status: Any = None
    tags: Any = None
    os_version: Any = field(default=None, name="__os_version")
    os_type: Any = field(default=None, name="__os_type")
    min_disk: Any = None
    size: Any = field(default=None, name="__image_size")
    architecture: Any = None
    support_arm: Any = field(default=None, name="__support_arm")
    hw_firmware_type: Any = None
    virtual_env_type: Any = None
    enterprise_project_id: Any = None
    created_at: Any = None
    data_origin: Any = field(default=None, name="__data_origin")


class _Listed(Struct):
    images: list[_Entry] | None = None
    page_info: Any = None


def _image(entry: _Entry, response: Response) -> CloudImage:
    if not isinstance(entry.id, str) or not _ID(entry.id):
        raise unreadable(response, "an id for every image")
    size = whole(entry.size)
    return CloudImage(
        id=entry.id,
        name=_words(entry.name) or "",
        status=text(entry.status, 40).lower(),
        tags=_tags(entry.tags),
        os_version=_words(entry.os_version),
        os_type=_words(entry.os_type),
        min_disk=whole(entry.min_disk),
        size=size if size is None or size >= 0 else None,
        architecture=_architecture(entry),
        hw_firmware_type=_words(entry.hw_firmware_type),
        virtual_env_type=_words(entry.virtual_env_type),
        enterprise_project_id=_words(entry.enterprise_project_id),
        created_at=moment(entry.created_at),
        data_origin=_words(entry.data_origin),
    )


def _words(value: object) -> str | None:
    """Text as it is, but for what no file could hold: names are compared, so they are not shortened."""
    if not isinstance(value, str) or not value:
        return None
    return value if value.isascii() else value.encode(errors="replace").decode()


def _architecture(entry: _Entry) -> str | None:
    named = entry.architecture
    if isinstance(named, str) and named.lower() in ("x86", "arm"):
        return named.lower()
    return {"true": "arm", "false": "x86"}.get(str(entry.support_arm).lower())


def _tags(value: object) -> dict[str, str]:
    """Tags as "key=value", "key.value" or objects: the reference does not say which form comes back."""
    tags: dict[str, str] = {}
    if isinstance(value, list):
        for tag in value:
            if isinstance(tag, str):
                key, sign, rest = tag.partition("=")
                if not sign or "." in key:  # whichever comes first: a value may hold the other
                    key, _, rest = tag.partition(".")
                tags[_words(key) or ""] = _words(rest) or ""
            elif isinstance(tag, dict) and isinstance(tag.get("key"), str):
                tags[_words(tag["key"]) or ""] = _words(tag.get("value")) or ""
    return tags


def delete_request(endpoint: str, image_id: str) -> Request:
    """Delete one image."""
    return Request(method="DELETE", url=f"{endpoint}/v2/images/{_checked(image_id)}")


def read_delete(response: Response) -> None:
    """No error when the image is gone, whoever deleted it."""
    if 200 <= response.status < 300:
        return
    error = failure(response)
    code = read_fault(response).code
    if code in _GONE or (response.status == 404 and not code):
        return
    raise error


# --- Quota and operating systems --------------------------------------------------------------------------


def quota_request(endpoint: str) -> Request:
    """How many private images there are and may be."""
    return Request(method="GET", url=f"{endpoint}/v1/cloudimages/quota")


def read_quota(response: Response) -> Quota:
    """The quota of private images."""
    if not 200 <= response.status < 300:
        raise failure(response)
    quotas = members(members(document(response.body)).get("quotas"))
    for resource in _objects(quotas.get("resources")):
        used, limit = whole(resource.get("used")), whole(resource.get("quota"))
        if resource.get("type") == "image" and used is not None and limit is not None:
            return Quota(used=used, limit=limit)
    raise unreadable(response, "a quota of images")


def os_versions_request(endpoint: str, architecture: str | None = None) -> Request:
    """Which operating systems an import may name; all of them, or those of "x86" or "arm"."""
    query = (("tag", architecture),) if architecture else ()
    return Request(method="GET", url=f"{endpoint}/v1/cloudimages/os_version", query=query)


def read_os_versions(response: Response) -> frozenset[str]:
    """The values that os_version may have, spelt as they must be."""
    if not 200 <= response.status < 300:
        raise failure(response)
    listed = document(response.body)
    if not isinstance(listed, list):
        raise unreadable(response, "a list of operating systems")
    versions = (
        version for platform in _objects(listed) for version in _objects(platform.get("version_list"))
    )
    names = (_words(version.get("os_version")) for version in versions)
    return frozenset(name for name in names if name)


def date_request(endpoint: str) -> Request:
    """Ask for nothing, unsigned: whatever comes back bears a date, and counts for no wrong signature."""
    return Request(method="GET", url=f"{endpoint}/")


def read_date(response: Response) -> Moment | None:
    """The service's own clock when it answered (RFC 9110, 6.6.1); None where it does not say."""
    try:
        return parsedate_to_datetime(response.headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _objects(value: object) -> Iterator[Mapping[str, object]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def _checked(name: str) -> str:
    """An id that stays one segment of a path. Raises Refused for anything else."""
    if _ID(name):
        return name
    remedy = "This id cannot be the service's own; see whether the journal was edited."
    raise Refused(Fault(code="MIG.id", message=f"not an id: {text(name, 80)!r}", remedy=remedy))


# --- The service of one target ----------------------------------------------------------------------------


class Ims:
    """The image service of one target (ports.Cloud), spoken to through `http` and signed by `signer`.

    `project_id` is the id, or something that finds it and remembers what it found.
    """

    def __init__(
        self,
        http: Http,
        signer: Signer,
        target: Target,
        project_id: str | Callable[[], Awaitable[str]],
    ) -> None:
        self._http = http
        self._signer = signer
        self._endpoint = target.ims_endpoint.rstrip("/")
        self._project_id = project_id
        self._told: Callable[[RateHint, bool], None] = lambda hint, of_submissions: None
        self._api = target.job_api

    def listen(self, told: Callable[[RateHint, bool], None]) -> None:
        self._told = told

    async def submit(self, image: Image, marker: Marker | None) -> str:
        request = await self._complete(submit_request(self._endpoint, image, marker))
        response = await exchange(self._http, self._signer, request)
        self._heed(response, of_submissions=True)
        return read_submit(response)

    async def job(self, job_id: str) -> JobReport:
        if self._api is not JobApi.STATUS:
            response = await self._ask(progress_request(self._endpoint, job_id))
            if self._api is JobApi.PROGRESS or not _no_such_path(response):
                return read_job(response, job_id)
        response = await self._ask(status_request(self._endpoint, await self._project(), job_id))
        report = read_job(response, job_id)
        self._api = JobApi.STATUS  # only now is it known that the path was missing, and not the job
        return report

    async def images(self, query: ImageQuery, *, after: str | None = None) -> ImagePage:
        response = await self._ask(images_request(self._endpoint, query, after))
        return read_images(response, query, after)

    async def quota(self) -> Quota:
        return read_quota(await self._ask(quota_request(self._endpoint)))

    async def delete(self, image_id: str) -> None:
        read_delete(await self._ask(delete_request(self._endpoint, image_id)))

    async def os_versions(self, architecture: str | None = None) -> frozenset[str]:
        """The values that os_version may have in this region; of all architectures, or "x86" or "arm"."""
        return read_os_versions(await self._ask(os_versions_request(self._endpoint, architecture)))

    async def date(self) -> Moment | None:
        """What the service's clock says; None where it does not tell. Raises Unavailable."""
        try:
            return read_date(await self._http.send(date_request(self._endpoint)))
        except OutcomeUnknown as lost:
            raise again_later(lost) from lost

    async def _ask(self, request: Request) -> Response:
        response = await ask(self._http, self._signer, await self._complete(request))
        self._heed(response, of_submissions=False)
        return response

    async def _complete(self, request: Request) -> Request:
        """With the project named: accounts with several projects in a region have to, and others may."""
        return replace(request, headers={**request.headers, "X-Project-Id": await self._project()})

    async def _project(self) -> str:
        if isinstance(self._project_id, str):
            return self._project_id
        try:
            return await self._project_id()
        except OutcomeUnknown as lost:
            raise again_later(lost) from lost
        except CredentialsError as error:
            raise Halted(Fault(code="MIG.credentials", message=str(error), remedy=error.hint)) from error

    def _heed(self, response: Response, *, of_submissions: bool) -> None:
        if (hint := rate_hint(response.headers)) is not None:
            self._told(hint, of_submissions)


def _no_such_path(response: Response) -> bool:
    """Whether the gateway does not know the call; a service that knows it answers with a code of its own."""
    return response.status == 404 and not read_fault(response).code.startswith("IMG.")
