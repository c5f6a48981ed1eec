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
    entities = members(job.get("entities"))
    return JobStatus(
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
    inner = (members(sub.get("entities")) for sub in listed_objects(entities.get("sub_jobs_result")))
    for place in (entities, *inner, *listed_objects(entities.get("results"))):
        found = place.get("image_id")
        if isinstance(found, str) and identifier(found):
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


def _places(job: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    entities = members(job.get("entities"))
    subs = [*listed_objects(entities.get("sub_jobs_result")), *listed_objects(job.get("sub_jobs_result"))]
    yield from (job, entities, *subs)
    yield from (members(sub.get("entities")) for sub in subs)


def _first(place: Mapping[str, object], *names: str) -> str:
    found = (text(place.get(name)) for name in names)
    return next((value for value in found if value and value.lower() not in ("null", "none")), "")
