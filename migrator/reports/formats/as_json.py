"""The report as JSON, for programs: `migrator.report/1`, described by `report_schema()`.

Written as it goes, one image a line, so that a report of 100,000 images takes no memory and line tools can
compare two reports. Moments are ISO 8601 in UTC, durations seconds, sizes GB.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.resources import files
from itertools import islice
from json.encoder import encode_basestring as _text
from math import inf
from typing import Any, BinaryIO

from pydantic_core import PydanticSerializationError, to_json

from migrator.domain.cloud import Fault
from migrator.domain.units import Moment
from migrator.pacing.estimate import Spread
from migrator.reports.causes import Cause
from migrator.reports.columns import COLUMNS, Kind, ReportColumn, row_writer
from migrator.reports.estimate import Estimate, Range
from migrator.reports.machines import Machines, MachineState
from migrator.reports.runs import RunLine
from migrator.reports.summary import Summary
from migrator.reports.tally import Tally
from migrator.reports.throughput import Throughput
from migrator.reports.times import iso, minutes
from migrator.reports.untrusted import plain
from migrator.workflow.beliefs import ServiceSeen, Verdict
from migrator.workflow.states import Attempt, Outcome, Phase
from migrator.workflow.visibility_delay import VisibilityDelays

SCHEMA = "migrator.report/1"

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_LINES = 512
"""Rows to encode between two writes."""


def report_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what `write` writes."""
    schema: dict[str, Any] = json.loads(files(__package__).joinpath("report.schema.json").read_bytes())
    schema["$defs"]["image"] = {
        "type": "object",
        "description": "One image into one target.",
        "additionalProperties": False,
        "required": [column.name for column in _COLUMNS],
        "properties": {column.name: _described(column) for column in _COLUMNS},
    }
    return schema


def _described(column: ReportColumn) -> dict[str, Any]:
    """The member of an image, as the schema describes it."""
    shape = dict(_SHAPES[column.kind])
    if column.optional and "$ref" in shape:
        shape = {"anyOf": [shape, {"type": "null"}]}
    elif column.optional:
        shape["type"] = [shape["type"], "null"]
    shape = {**shape, "description": column.meaning}
    return {**shape, "enum": list(column.choices)} if column.choices else shape


_SHAPES: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": "string"},
    Kind.NAME: {"type": "string"},
    Kind.CHOICE: {"type": "string"},
    Kind.STATUS: {"$ref": "#/$defs/status"},
    Kind.NUMBER: {"type": "integer"},
    Kind.DECIMAL: {"type": "number", "minimum": 0},
    Kind.MINUTES: {"type": "number", "minimum": 0},
    Kind.FRACTION: {"type": "number", "minimum": 0, "maximum": 1},
    Kind.MOMENT: {"$ref": "#/$defs/moment"},
    Kind.YES_NO: {"type": "boolean"},
    Kind.ERROR: {"$ref": "#/$defs/error"},
    Kind.ATTEMPTS: {"type": "array", "items": {"$ref": "#/$defs/attempt"}},
    Kind.LABELS: {"type": "object", "additionalProperties": {"type": "string"}},
}


def write(summary: Summary, stream: BinaryIO) -> None:
    """Write the report to `stream`."""
    stream.write(_folded(head(summary))[:-2] + b',\n"images":[')
    images, comma = map(_image, summary.images), "\n"
    while lines := tuple(islice(images, _LINES)):
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
    plan = summary.plan
    return {
        "schema": SCHEMA,
        "generated_at": iso(summary.generated_at),
        "journal": {"first_run": summary.runs[0].run if summary.runs else None, "events": summary.events},
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
        "machines": _machines(summary.machines),
        "throughput": _throughput(summary.throughput),
        "eta": _eta(summary.eta),
        "waits": list(summary.waits),
        "durations": {
            "cloud": _spread(summary.durations.cloud),
            "submit": _spread(summary.durations.submit),
        },
        "listings": {
            target: {
                "settle_seconds": None if listing.settle == inf else listing.settle,
                "by": {by.value: _learned(learned) for by, learned in listing.by.items()},
            }
            for target, listing in summary.listings.items()
        },
        "service": {region: _beliefs(seen) for region, seen in summary.service.items()},
        "failures": list(_causes(summary.failures)),
        "waiting": list(_causes(summary.waiting)),
    }


def _machines(machines: Machines) -> dict[str, Any]:
    return {
        "total": len(machines.all),
        "by_state": {state.value: machines.count(state) for state in MachineState},
        "all": [
            {
                "name": machine.name,
                "state": machine.state.value,
                "waves": list(filter(None, machine.waves)),
                "done_at": _moment(machine.done_at),
                "disks": {"images": machine.disks.images} | _tally(machine.disks),
            }
            for machine in machines.all
        ],
    }


def _beliefs(seen: ServiceSeen) -> list[dict[str, Any]]:
    return [
        {
            "belief": belief.id,
            "says": belief.says,
            "verdict": count.verdict.value,
            "seen": count.seen,
            "against": count.against,
            "depends": belief.depends,
            "remedy": belief.otherwise if count.verdict is Verdict.CONTRADICTED else "",
        }
        for belief, count in seen.verdicts()
    ]


def _throughput(throughput: Throughput) -> dict[str, Any]:
    return {
        "per_hour": throughput.per_hour,
        "possible_per_hour": throughput.possible_per_hour,
        "last_hour": throughput.last_hour,
        "running_seconds": throughput.running_seconds,
        "bucket_seconds": throughput.slice_seconds,
        "buckets": [
            {"at": iso(each.at), "succeeded": each.succeeded, "failed": each.failed}
            for each in throughput.slices
        ],
    }


def _moment(moment: Moment | None) -> str | None:
    return None if moment is None else iso(moment)


def _eta(eta: Estimate) -> dict[str, Any]:
    return {
        "at": _moment(eta.at),
        "earliest": _moment(None if eta.range is None else eta.range.earliest),
        "latest": _moment(None if eta.range is None else eta.range.latest),
        "seconds": eta.seconds,
        "images": eta.images,
        "left_out": eta.left_out,
        "reason": eta.reason,
        "waves": {
            name: {"begins": _range(wave.begins), "ends": _range(wave.ends)}
            for name, wave in eta.waves.items()
        },
    }


def _range(moments: Range | None) -> dict[str, str] | None:
    if moments is None:
        return None
    return {"at": iso(moments.at), "earliest": iso(moments.earliest), "latest": iso(moments.latest)}


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


def _learned(learned: VisibilityDelays) -> dict[str, Any]:
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
            "why": cause.kind,
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


# --- Rows -------------------------------------------------------------------------------------------------
# They are most of a report, and a template filled with encoded values takes half the time of any encoder.


def _attempts(attempts: Iterable[Attempt]) -> str:
    return "[" + ",".join(map(_attempt, attempts)) + "]"


def _attempt(attempt: Attempt) -> str:
    ended_at = "null" if attempt.ended_at is None else _quoted(attempt.ended_at)
    job_id = "null" if attempt.job_id is None else _text(attempt.job_id)
    error = "null" if attempt.fault is None else _fault(attempt.fault)
    return (
        f'{{"number":{attempt.number},"began_at":{_quoted(attempt.began_at)},"ended_at":{ended_at},'
        f'"outcome":{_OUTCOMES[attempt.outcome]},"job_id":{job_id},"error":{error}}}'
    )


_OUTCOMES = {outcome: _text(outcome) for outcome in Outcome}


def _fault(fault: Fault) -> str:
    fault = plain(fault)
    return (
        f'{{"code":{_text(fault.code)},"message":{_text(fault.message)},'
        f'"remedy":{_text(fault.remedy)},"request_id":{_text(fault.request_id)}}}'
    )


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join([f"{_text(key)}:{_text(value)}" for key, value in labels.items()]) + "}"


def _quoted(moment: Moment) -> str:
    return f'"{iso(moment)}"'


_WRITE: dict[Kind, Callable[[Any], str]] = {
    Kind.TEXT: _text,
    Kind.NAME: _text,
    Kind.CHOICE: _text,
    Kind.STATUS: {phase: _text(phase) for phase in Phase}.__getitem__,
    Kind.NUMBER: str,
    Kind.DECIMAL: repr,
    Kind.MINUTES: lambda seconds: repr(minutes(seconds)),
    Kind.FRACTION: repr,
    Kind.MOMENT: _quoted,
    Kind.YES_NO: ("false", "true").__getitem__,
    Kind.ERROR: _fault,
    Kind.ATTEMPTS: _attempts,
    Kind.LABELS: _labels,
}

_COLUMNS = [column for column in COLUMNS if column.json]
_image = row_writer(
    "{" + ",".join(f'"{column.name}":%s' for column in _COLUMNS) + "}",
    [(column.source, _WRITE[column.kind]) for column in _COLUMNS],
    unknown="null",
)
"""One image on one line."""
