"""The image service: imports, their jobs, the list of images, the quota.

Each call is a pair of plain functions, one that builds the request and one that reads the answer; `Ims`
joins them through Http. Only the import cannot be repeated at will, so only `read_submit` may say that nobody
knows what became of it.
(IMS API reference: "Importing an Image File Quickly", "Querying the Progress of an Asynchronous Job",
"Querying Images", "Querying the Image Quota", "Querying Supported OS Versions", "Deleting an Image".)
"""

from collections.abc import Awaitable, Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import partial

from msgspec.json import encode
from msgspec.structs import replace

from migrator.domain.cloud import ImagePage, ImageQuery, JobStatus, KeyState, Quota, RateHint
from migrator.domain.errors import (
    OutcomeUnknown,
)
from migrator.domain.http import Request, Response
from migrator.domain.image import Image, Marker
from migrator.domain.plan import JobApi, Target
from migrator.domain.ports import Http, Signer
from migrator.domain.units import Moment
from migrator.ims import error_codes
from migrator.ims.after_import import (
    accept_request,
    copy_request,
    members_request,
    read_done,
    read_members,
    share_request,
    tag_request,
)
from migrator.ims.answers import (
    document,
    failure,
    identifier,
    listed_objects,
    members,
    moment,
    optional_text,
    rate_hint,
    read_fault,
    unreadable,
    whole,
)
from migrator.ims.exchange import again_later, ask, before_it_left, exchange, send_once, signed
from migrator.ims.fields import sent_members
from migrator.ims.images import delete_request, images_request, read_delete, read_images
from migrator.ims.jobs import progress_request, read_job, status_request
from migrator.ims.keys import key_request, read_key
from migrator.ims.methods import method_of

_JSON = {"Content-Type": "application/json"}

# --- Import ---------------------------------------------------------------------------------------------


def submit_body(image: Image, marker: Marker | None) -> dict[str, object]:
    """The members of an import request: those that the plan sets, and the marker among the tags."""
    takes = sent_members(method_of(image), image.type)
    values = ((name, value_of(image, marker)) for name, value_of in takes)
    return {name: value for name, value in values if value is not None}


def submit_request(endpoint: str, image: Image, marker: Marker | None) -> Request:
    """Ask for the import of `image`. The body is serialised here and nowhere else: it is what gets signed."""
    body = encode(submit_body(image, marker))
    url = f"{endpoint}{method_of(image).path}"
    return Request(method="POST", url=url, headers=dict(_JSON), body=body)


def read_submit(response: Response) -> str:
    """The job id of an accepted import.

    Raises RetryableError when it surely did not happen and may be repeated, OutcomeUnknown when it may have
    happened, NameTaken or RejectedError when it never will, TargetHaltedError when no other import would fare
    better.
    """
    if 200 <= response.status < 300:
        job_id = members(document(response.body)).get("job_id")
        if isinstance(job_id, str) and identifier(job_id):
            return job_id
        if error_codes.judge(response.status, read_fault(response).code).throttle:
            raise failure(response, submit=True)
        raise unreadable(response, "a job id", submit=True)
    raise failure(response, submit=True)


# --- Quota and operating systems --------------------------------------------------------------------------


def quota_request(endpoint: str) -> Request:
    """How many private images there are and may be."""
    return Request(method="GET", url=f"{endpoint}/v1/cloudimages/quota")


UNLIMITED = 10**9
"""A quota of -1: there is none."""


def read_quota(response: Response) -> Quota:
    """The quota of private images."""
    if not 200 <= response.status < 300:
        raise failure(response)
    quotas = members(members(document(response.body)).get("quotas"))
    for resource in listed_objects(quotas.get("resources")):
        used, limit = whole(resource.get("used")), whole(resource.get("quota"))
        if resource.get("type") == "image" and used is not None and limit is not None:
            return Quota(used=used, limit=UNLIMITED if limit < 0 else limit)
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
        version
        for platform in listed_objects(listed)
        for version in listed_objects(platform.get("version_list"))
    )
    names = (optional_text(version.get("os_version")) for version in versions)
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


# --- The service of one target ----------------------------------------------------------------------------


class SignedRequest:
    """A request that is signed and has not left (ports.Submission)."""

    def __init__(
        self, http: Http, signer: Signer, request: Request, heed: Callable[[Response], None]
    ) -> None:
        """`heed` is shown the answer before it is read."""
        self._http = http
        self._signer = signer
        self._request = request
        self._heed = heed
        self.signed_at = moment(request.headers.get("X-Sdk-Date"))

    async def send(self) -> str:
        response = await send_once(self._http, self._signer, self._request)
        self._heed(response)
        return read_submit(response)


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
        self._key_service = target.kms_endpoint and target.kms_endpoint.rstrip("/")
        self._project_id = project_id
        self._on_rate_hint: Callable[[RateHint, bool], None] = lambda hint, of_submissions: None
        self._api = target.job_api
        self._calls = (JobApi.PROGRESS, JobApi.STATUS)
        self.job_call: JobApi | None = None
        """The call that told of a job; None before any did."""

    def listen(self, on_rate_hint: Callable[[RateHint, bool], None]) -> None:
        self._on_rate_hint = on_rate_hint

    async def prepare(self, image: Image, marker: Marker | None) -> "SignedRequest":
        heed = partial(self._heed, of_submissions=True)
        return await self._sign(submit_request(self._endpoint, image, marker), heed)

    def prefer_status_call(self) -> None:
        """Ask for jobs by the older call first, which is what this service was seen to answer."""
        self._calls = (JobApi.STATUS, JobApi.PROGRESS)

    async def job(self, job_id: str) -> JobStatus:
        call, other = self._calls if self._api is JobApi.AUTO else (self._api, self._api)
        response = await self._ask_for_job(call, job_id)
        missing = call is not other and _no_such_path(response)
        if missing:
            response, call = await self._ask_for_job(other, job_id), other
        report = read_job(response, job_id)
        if missing:
            self._api = call  # only now is it known that the path was missing, and not the job
        self.job_call = call
        return report

    async def _ask_for_job(self, call: JobApi, job_id: str) -> Response:
        if call is JobApi.PROGRESS:
            return await self._ask(progress_request(self._endpoint, job_id))
        return await self._ask(status_request(self._endpoint, await self._project(), job_id))

    async def images(self, query: ImageQuery, *, after: str | None = None) -> ImagePage:
        response = await self._ask(images_request(self._endpoint, query, after))
        return read_images(response, query, after)

    async def quota(self) -> Quota:
        return read_quota(await self._ask(quota_request(self._endpoint)))

    async def delete(self, image_id: str) -> None:
        read_delete(await self._ask(delete_request(self._endpoint, image_id)))

    async def share(self, image_id: str, project: str) -> "SignedRequest":
        return await self._sign(share_request(self._endpoint, image_id, project))

    async def accept(self, image_id: str) -> str:
        """As the project of this target. Accepting twice changes nothing, so this may be sent again."""
        request = accept_request(self._endpoint, image_id, await self._project())
        return read_submit(await exchange(self._http, self._signer, await self._complete(request)))

    async def members(self, image_id: str) -> dict[str, str]:
        request = members_request(self._endpoint, await self._project(), image_id)
        return read_members(await self._ask(request))

    async def copy(
        self, image_id: str, *, name: str, region: str, project: str, agency: str
    ) -> "SignedRequest":
        request = copy_request(
            self._endpoint, image_id, name=name, region=region, project=project, agency=agency
        )
        return await self._sign(request)

    async def tag(self, image_id: str, tags: Mapping[str, str]) -> None:
        request = tag_request(self._endpoint, await self._project(), image_id, tags)
        read_done(await self._ask(request))

    async def _sign(
        self, request: Request, heed: Callable[[Response], None] = lambda response: None
    ) -> "SignedRequest":
        request = await signed(self._signer, await self._complete(request))
        return SignedRequest(self._http, self._signer, request, heed)

    async def os_versions(self, architecture: str | None = None) -> frozenset[str]:
        """The values that os_version may have in this region; of all architectures, or "x86" or "arm"."""
        return read_os_versions(await self._ask(os_versions_request(self._endpoint, architecture)))

    async def key(self, key_id: str) -> KeyState | None:
        """Whether a KMS key can be used; None where nobody knows the key service's address."""
        if self._key_service is None:
            return None
        request = key_request(self._key_service, await self._project(), key_id)
        return read_key(await self._ask(request))

    async def date(self) -> Moment | None:
        """What the service's clock says; None where it does not tell. Raises RetryableError."""
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
        with before_it_left():
            return await self._project_id()

    def _heed(self, response: Response, *, of_submissions: bool) -> None:
        if (hint := rate_hint(response.headers)) is not None:
            self._on_rate_hint(hint, of_submissions)


def _no_such_path(response: Response) -> bool:
    """Whether the gateway does not know the call; a service that knows it answers with a code of its own."""
    return response.status == 404 and not read_fault(response).code.startswith("IMG.")
