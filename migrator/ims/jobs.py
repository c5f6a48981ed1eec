"""Jobs of the image service: how an import does, asked by either call.

(IMS API reference: "Querying the Progress of an Asynchronous Job" and "Querying the Status of an
Asynchronous Job".)
"""

import re
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from migrator.domain.cloud import Fault, JobStatus
from migrator.domain.errors import (
    RejectedError,
    TargetHaltedError,
)
from migrator.domain.http import Request, Response
from migrator.ims import error_codes
from migrator.ims.answers import (
    checked,
    document,
    failure,
    identifier,
    listed_objects,
    members,
    moment,
    number,
    redacted,
    text,
    unreadable,
)

RUNNING = frozenset({"INIT", "RUNNING"})
"""States of a job that goes on; beside SUCCESS and FAIL, all that the reference lists."""

_CODE = re.compile(r"\b(?:IMG|APIGW?|IAM)\.\d{4}\b")


def progress_request(endpoint: str, job_id: str) -> Request:
    """How a job does, by the call that the current reference recommends."""
    return Request(method="GET", url=f"{endpoint}/v1/cloudimages/job/{checked(job_id)}")


def status_request(endpoint: str, project_id: str, job_id: str) -> Request:
    """How a job does, by the older call."""
    return Request(method="GET", url=f"{endpoint}/v1/{project_id}/jobs/{checked(job_id)}")


def read_job(response: Response, job_id: str) -> JobStatus:
    """What either job call answers. Raises RejectedError for a job that the service does not know."""
    if not 200 <= response.status < 300:
        error = failure(response)
        if response.status == 404 and isinstance(error, TargetHaltedError) and not error.fault.code:
            remedy = "Nothing to do: migrator looks for the image that the job was to make."
            raise RejectedError(replace(error.fault, remedy=remedy))
        raise error
    job = members(document(response.body))
    status = text(job.get("status"), 40).upper()
    if not status:
        raise unreadable(response, "a job status")
    if job.get("job_id") not in (None, "", job_id):
        raise unreadable(response, f"job {job_id}: it is about another one")
    entities = members(job.get("entities"))
    return JobStatus(
        job_id=job_id,
        status=status,
        progress=_fraction(entities.get("process_percent")),
        image_id=_image_id(entities),
        fault=None if status in RUNNING or status == "SUCCESS" else _job_fault(job, response),
        end_at=moment(job.get("end_time")),
    )


def _fraction(value: object) -> float | None:
    found = number(value)
    if found is None or found < 0:
        return None
    return min(found if found <= 1 else found / 100, 1.0)


def _image_id(entities: Mapping[str, object]) -> str | None:
    inner = (members(sub.get("entities")) for sub in listed_objects(entities.get("sub_jobs_result")))
    for place in (entities, *inner, *listed_objects(entities.get("results"))):
        found = place.get("image_id")
        if isinstance(found, str) and identifier(found):
            return found
    return None


def _job_fault(job: Mapping[str, object], response: Response) -> Fault:
    """Why a job failed, from its top level, its entities, its sub jobs and theirs.

    A generic code ("unknown system error") may stand above the specific one: the most specific leads, and
    what else is said follows it.
    """
    said: list[tuple[str, str]] = []
    for place in _places(job):
        wrapped = members(place.get("error"))
        code = _first(place, "error_code", "addition_error_code") or _first(wrapped, "code")
        message = _first(place, "fail_reason", "error", "addition_error_msg", "error_msg")
        message = message or _first(wrapped, "message")
        if not code and (named := _CODE.search(message)):
            code = named[0]
        message = message.removeprefix(f"{code}: ")  # said once already
        if (code or message) and (code, message) not in said:
            said.append((code, message))
    said.sort(key=_generality)  # stable: of equals, the outermost leads
    code = next((code for code, _ in said if code), "")
    texts = [f"{other}: {words}" if other and other != code else words for other, words in said if words]
    once = list(dict.fromkeys(texts))
    message = "; also ".join([*(words.rstrip(".") for words in once[:-1]), *once[-1:]])
    row = error_codes.row(code) if code else None
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


def _generality(said: tuple[str, str]) -> int:
    """How little a code says about what to do: 0 for one that names the cause."""
    row = error_codes.row(said[0]) if said[0] else None
    if row is None:
        return 2
    return 1 if row.owner == "service" else 0


def _places(job: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    entities = members(job.get("entities"))
    subs = [*listed_objects(entities.get("sub_jobs_result")), *listed_objects(job.get("sub_jobs_result"))]
    yield from (job, entities, *subs)
    yield from (members(sub.get("entities")) for sub in subs)


def _first(place: Mapping[str, object], *names: str) -> str:
    found = (
        str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)
        for value in map(place.get, names)
    )
    return next((value for value in found if value and value.lower() not in ("null", "none")), "")
