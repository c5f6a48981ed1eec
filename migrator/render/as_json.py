"""The report as JSON, for programs: `migrator.report/1`, described by `report_schema()`.

Written as it goes, one image a line, so that a report of 100,000 images takes no memory and line tools can
compare two reports. Moments are ISO 8601 in UTC, durations seconds, sizes GB.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from itertools import islice
from json.encoder import encode_basestring as _text
from typing import Any, BinaryIO

from pydantic_core import PydanticSerializationError, to_json

from migrator.core.causes import Cause, plain
from migrator.core.estimate import Spread
from migrator.core.lifecycle import Attempt
from migrator.core.settle import Learned
from migrator.core.summary import Row, RunLine, Summary, Tally
from migrator.model import Fault, Moment
from migrator.render.words import iso

SCHEMA = "migrator.report/1"

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_LINES = 512
"""Rows to encode between two writes."""


def report_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what `write` writes."""
    schema: dict[str, Any] = json.loads(files(__package__).joinpath("report.schema.json").read_bytes())
    return schema


def write(summary: Summary, stream: BinaryIO) -> None:
    """Write the report to `stream`."""
    stream.write(_folded(head(summary))[:-2] + b',\n"images":[')
    rows, comma = iter(summary.images), "\n"
    while lines := list(map(_image, islice(rows, _LINES))):
        stream.write((comma + ",\n".join(lines)).encode("utf-8", "replace"))
        comma = ",\n"
    stream.write(b"\n]\n}\n")


def _compact(value: object) -> bytes:
    try:
        return to_json(value)  # twice as fast as the standard library
    except PydanticSerializationError:
        # Half a surrogate pair, which JSON can carry and UTF-8 cannot, must not cost anybody the report.
        return _encode(value).encode("utf-8", "replace")


def _folded(value: object) -> bytes:
    """JSON with each member of a list of objects, or of an object of objects, on its own line."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return b"[\n" + b",\n".join(map(_compact, value)) + b"\n]"
    if isinstance(value, dict) and any(isinstance(member, dict | list) for member in value.values()):
        members = (_compact(name) + b":" + _folded(member) for name, member in value.items())
        return b"{\n" + b",\n".join(members) + b"\n}"
    return _compact(value)


def head(summary: Summary) -> dict[str, Any]:
    """Everything but the images."""
    plan, throughput, eta = summary.plan, summary.throughput, summary.eta
    return {
        "schema": SCHEMA,
        "generated_at": iso(summary.generated_at),
        "plan": {
            "name": plan.name,
            "description": plan.description,
            "owner": plan.owner,
            "targets": {
                target.name: {
                    "region": target.region,
                    "max_jobs": target.limits.max_jobs,
                    "submit_rate": str(target.limits.submit_rate),
                }
                for target in plan.targets.values()
            },
        },
        "runs": [_run(run) for run in summary.runs],
        "halted": {target: _error(fault) for target, fault in summary.halted.items()},
        "totals": {
            "images": summary.totals.images,
            "removed": summary.removed,
            "drifted": summary.drifted,
            "held": summary.held,
            "by_status": _tally(summary.totals),
            "by_wave": _tallies(summary.by_wave),
            "by_target": _tallies(summary.by_target),
            "by_label": {key: _tallies(values) for key, values in summary.by_label.items()},
        },
        "throughput": {
            "per_hour": throughput.per_hour,
            "possible_per_hour": throughput.possible_per_hour,
            "last_hour": throughput.last_hour,
            "running_seconds": throughput.running_seconds,
            "bucket_seconds": throughput.bucket_seconds,
            "buckets": [
                {"at": iso(bucket.at), "succeeded": bucket.succeeded, "failed": bucket.failed}
                for bucket in throughput.buckets
            ],
        },
        "eta": {
            "at": _moment(eta.at),
            "seconds": eta.seconds,
            "images": eta.images,
            "left_out": eta.left_out,
        },
        "durations": {
            "cloud": _spread(summary.durations.cloud),
            "submit": _spread(summary.durations.submit),
        },
        "listings": {
            target: {
                "settle_seconds": listing.settle,
                "by": {by.value: _learned(learned) for by, learned in listing.by.items()},
            }
            for target, listing in summary.listings.items()
        },
        "failures": list(_causes(summary.failures)),
        "waiting": list(_causes(summary.waiting)),
    }


def _moment(moment: Moment | None) -> str | None:
    return None if moment is None else iso(moment)


def _error(fault: Fault | None) -> dict[str, str] | None:
    if fault is None:
        return None
    return {
        "code": fault.code,
        "message": fault.message,
        "remedy": fault.remedy,
        "request_id": fault.request_id,
    }


def _run(run: RunLine) -> dict[str, Any]:
    return {
        "run": run.run,
        "state": run.state,
        "began_at": iso(run.began_at),
        "ended_at": _moment(run.ended_at),
        "seconds": run.seconds,
        "version": run.version,
        "host": run.host,
        "pid": run.pid,
        "reason": run.reason,
        "exit_code": run.exit_code,
        "halted": {target: _error(fault) for target, fault in run.halted.items()},
    }


def _tally(tally: Tally) -> dict[str, int]:
    return {status.value: count for status, count in tally.by_status.items()}


def _tallies(tallies: Mapping[str, Tally]) -> dict[str, dict[str, int]]:
    return {name: {"images": tally.images} | _tally(tally) for name, tally in tallies.items()}


def _spread(spread: Spread | None) -> dict[str, float] | None:
    if spread is None:
        return None
    return {"count": spread.count, "p50": spread.p50, "p95": spread.p95, "max": spread.max}


def _learned(learned: Learned) -> dict[str, Any]:
    return {
        "listed": learned.listed,
        "seen": learned.seen,
        "unseen": learned.unseen,
        "longest_delay": round(learned.longest_delay, 3),
        "ended": learned.ended,
        "longest_job": round(learned.longest_job, 3),
    }


def _causes(causes: Iterable[Cause]) -> Iterator[dict[str, Any]]:
    for cause in causes:
        yield {
            "why": cause.why,
            "code": cause.code,
            "message": cause.message,
            "remedy": cause.remedy,
            "count": cause.count,
            "first_at": _moment(cause.first_at),
            "last_at": _moment(cause.last_at),
            "owners": cause.owners,
            "request_id": cause.request_id,
            "keys": cause.keys,
        }


# --- Rows -----------------------------------------------------------------------------------------------
# They are most of a report, and a template filled with encoded values takes half the time of any encoder.


def _template(*members: str) -> str:
    return "{" + ",".join(f'"{member}":%s' for member in members) + "}"


_IMAGE = _template(
    "key",
    "name",
    "target",
    "wave",
    "labels",
    "status",
    "type",
    "os",
    "min_disk",
    "image_url",
    "image_id",
    "job_id",
    "progress",
    "submitted_at",
    "job_ended_at",
    "finished_at",
    "seconds",
    "error",
    "attempts",
    "removed",
    "drifted",
    "held",
)
_ATTEMPT = _template("number", "began_at", "ended_at", "outcome", "job_id", "error")
_ERROR = _template("code", "message", "remedy", "request_id")


def _image(row: Row) -> str:
    image, state, drifted = row
    labels = image.labels
    return _IMAGE % (
        _text(state.key),
        _text(image.name),
        _text(image.target),
        _text(image.wave or ""),
        "{" + ",".join([f"{_text(key)}:{_text(value)}" for key, value in labels.items()]) + "}",
        _text(state.phase),
        _text(image.type),
        _text(row.os),
        image.min_disk,
        _text(image.image_url),
        _text_or_null(state.image_id),
        _text_or_null(state.job_id),
        _number(row.progress),
        _moment_or_null(state.submitted_at),
        _moment_or_null(state.job_ended_at),
        _moment_or_null(state.finished_at),
        _number(row.seconds),
        _fault(state.fault),
        "[" + ",".join(map(_attempt, state.attempts)) + "]",
        _BOOLS[state.removed],
        _BOOLS[drifted],
        _BOOLS[state.held],
    )


def _attempt(attempt: Attempt) -> str:
    return _ATTEMPT % (
        attempt.number,
        _moment_or_null(attempt.began_at),
        _moment_or_null(attempt.ended_at),
        _text(attempt.outcome),
        _text_or_null(attempt.job_id),
        _fault(attempt.fault),
    )


def _fault(fault: Fault | None) -> str:
    if fault is None:
        return "null"
    fault = plain(fault)
    return _ERROR % (_text(fault.code), _text(fault.message), _text(fault.remedy), _text(fault.request_id))


_BOOLS = ("false", "true")


def _text_or_null(text: str | None) -> str:
    return "null" if text is None else _text(text)


def _moment_or_null(moment: Moment | None) -> str:
    return "null" if moment is None else f'"{iso(moment)}"'


def _number(number: float | None) -> str:
    return "null" if number is None else repr(number)
