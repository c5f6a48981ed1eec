"""Reading a report back: what it knows of jobs, for a journal that is older than it.

A report is a file that anybody may have changed. What does not read as one is said to be none, and what it
says of a job is believed only as far as the service confirms it.

run.json is the least of reports. A run writes it before its first request, so that until its first whole
report something beside the journal tells that it began.
"""

import csv
import io
import re
from datetime import datetime

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder, Encoder

from migrator.domain.units import Moment
from migrator.reports.formats.as_json import SCHEMA
from migrator.reports.times import iso
from migrator.workflow.restore import LaterReport, Reported
from migrator.workflow.states import Phase

HEAD = 4096
"""Bytes at a report's beginning that hold how far the journal had come."""

RUN_FILE = "run.json"
RUN_SCHEMA = "migrator.run/1"

_PROGRESS = re.compile(rb'"journal":\{"first_run":"([^"]*)","events":(\d+)\}')


class NotAReport(Exception):
    """The file is not a report of this plan that can be read."""


class _Journal(Struct):
    first_run: str | None
    events: int


class _Plan(Struct):
    name: str


class _Run(Struct):
    state: str


class _Image(Struct):
    key: str
    status: Phase
    job_id: str | None = None
    submitted_at: str | None = None


class _Report(Struct):
    schema: str
    generated_at: str
    plan: _Plan
    runs: list[_Run]
    images: list[_Image]
    journal: _Journal | None = None


class _Begun(Struct):
    schema: str
    plan: _Plan
    run: str
    began_at: str
    journal: _Journal


_decode = Decoder(_Report).decode
_decode_begun = Decoder(_Begun).decode
_encode = Encoder().encode


def journal_progress(head: bytes) -> tuple[str, int] | None:
    """(first run, number of events) as the beginning of a JSON report says; None where it does not."""
    found = _PROGRESS.search(head)
    return (found[1].decode("utf-8", "replace"), int(found[2])) if found else None


def read_json(data: bytes, plan: str) -> LaterReport:
    """A JSON report of the plan of this name. Raises NotAReport."""
    try:
        report = _decode(data)
        generated_at = _moment(report.generated_at)
        images = {
            image.key: _reported(image.status, image.job_id, image.submitted_at) for image in report.images
        }
    except (MsgspecError, ValueError, RecursionError) as error:
        raise NotAReport(str(error)) from None
    if report.schema != SCHEMA or report.plan.name != plan:
        raise NotAReport(f"it is {report.schema!r} of plan {report.plan.name!r}")
    journal = report.journal
    return LaterReport(
        generated_at=generated_at,
        images=images,
        first_run=journal.first_run if journal else None,
        events=journal.events if journal else None,
        ended=bool(report.runs) and report.runs[-1].state == "ended",
    )


def write_begun(plan: str, run: str, at: Moment, first_run: str | None, events: int) -> bytes:
    """run.json: this run of the plan began at `at`, when the journal had come so far."""
    begun = _Begun(
        schema=RUN_SCHEMA,
        plan=_Plan(name=plan),
        run=run,
        began_at=iso(at),
        journal=_Journal(first_run=first_run, events=events),
    )
    return _encode(begun) + b"\n"


def read_begun(data: bytes, plan: str) -> LaterReport:
    """What run.json tells of the plan of this name: that a run went on, and no job. Raises NotAReport."""
    try:
        begun = _decode_begun(data)
        began_at = _moment(begun.began_at)
    except (MsgspecError, ValueError, RecursionError) as error:
        raise NotAReport(str(error)) from None
    if begun.schema != RUN_SCHEMA or begun.plan.name != plan:
        raise NotAReport(f"it is {begun.schema!r} of plan {begun.plan.name!r}")
    return LaterReport(
        generated_at=began_at, images={}, first_run=begun.journal.first_run, events=begun.journal.events
    )


def read_csv(data: bytes) -> LaterReport:
    """A CSV report, which does not say how far the journal had come. Raises NotAReport."""
    try:
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
        images = {
            row["key"]: _reported(Phase(row["status"]), row["job_id"] or None, row["submitted_at"] or None)
            for row in rows
        }
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise NotAReport(f"{type(error).__name__}: {error}") from None
    return LaterReport(generated_at=0.0, images=images)


def _reported(status: Phase, job_id: str | None, submitted_at: str | None) -> Reported:
    return Reported(
        phase=status, job_id=job_id, submitted_at=None if submitted_at is None else _moment(submitted_at)
    )


def _moment(text: str) -> Moment:
    return datetime.fromisoformat(text).timestamp()
