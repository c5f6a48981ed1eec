"""Reading a report back: what it knows of jobs, for a journal that is older than it.

A report is a file that anybody may have changed. What does not read as one is said to be none, and what it
says of a job is believed only as far as the service confirms it.
"""

import csv
import io
import re
from datetime import datetime

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder

from migrator.domain.units import Moment
from migrator.reports.formats.as_json import SCHEMA
from migrator.workflow.restore import LaterReport, Reported
from migrator.workflow.states import Phase

HEAD = 4096
"""Bytes at a report's beginning that hold how far the journal had come."""

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


_decode = Decoder(_Report).decode


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
