"""What the stand-in remembers of its callers, and how it shows that under /_sim/."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from migrator.model import Moment
from migrator.simulator.images import view
from migrator.simulator.jobs import Accepted
from migrator.simulator.settings import Settings
from migrator.simulator.wire import Act, Reply, ok, stamp

if TYPE_CHECKING:
    from migrator.simulator.state import Simulator

FIRST = 20
"""How many of the first refusals are kept."""


@dataclass(slots=True, kw_only=True)
class Stats:
    """Counters of everything that was asked and how it was answered."""

    began_at: Moment
    last_at: Moment
    requests: Counter[str] = field(default_factory=Counter)
    """By kind: "import", "poll", "list", "tags", "token", "object", ..."""

    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    """Error codes sent, whoever made them up."""

    acts: Counter[str] = field(default_factory=Counter)
    """Answers that were not delivered as they should be."""

    import_refusals: Counter[str] = field(default_factory=Counter)
    """Imports that were not taken in, by code or mishap."""

    first_refused: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    """Requests in each simulated second, by kind."""

    connections: int = 0
    """Opened so far; counted by the server."""

    def count(self, kind: str, now: Moment, reply: Reply, *, accepted: bool) -> None:
        """Take one answered call in."""
        self.last_at = now
        self.requests[kind] += 1
        self.seconds[kind][int(now)] += 1
        if reply.act is not Act.NONE:
            self.acts[reply.act.value] += 1
        if reply.status:
            self.statuses[reply.status] += 1
        if reply.code:
            self.codes[reply.code] += 1
        if kind == "import" and not accepted:
            self.import_refusals[reply.code or reply.act.value] += 1
        if (reply.code or reply.act is not Act.NONE) and len(self.first_refused) < FIRST:
            what = reply.code or reply.act.value
            self.first_refused.append({"at": stamp(now, 3), "kind": kind, "what": what})

    def peak(self, kind: str) -> int:
        """Most requests of one kind in one simulated second."""
        return max(self.seconds[kind].values(), default=0) if kind in self.seconds else 0


def show(simulator: "Simulator", method: str, path: str, body: bytes, now: Moment) -> Reply:
    """The answer to a call under /_sim/."""
    match method, path:
        case "GET", "/_sim/ledger":
            return ok(_ledger(simulator))
        case "GET", "/_sim/stats":
            return ok(_stats(simulator, now))
        case "GET", "/_sim/jobs":
            return ok({"jobs": _jobs(simulator, now)})
        case "GET", "/_sim/images":
            return ok({"images": _images(simulator, now)})
        case "GET", "/_sim/settings":
            return Reply(
                status=200,
                headers={"Content-Type": "application/json"},
                body=simulator.settings.model_dump_json().encode(),
            )
        case "POST", "/_sim/settings":
            try:
                simulator.change(changed(simulator.settings, body))
            except (ValidationError, ValueError) as wrong:
                return ok({"error": str(wrong)}, 400)
            return ok({"ok": True})
        case "POST", "/_sim/expire-tokens":
            return ok({"expired": simulator.guard.expire_all()})
    return ok({"error": "no such page"}, 404)


def changed(settings: Settings, body: bytes) -> Settings:
    """`settings` with the members of a JSON object over it. Raises ValueError for what does not fit."""
    new = json.loads(body)
    if not isinstance(new, dict):
        raise ValueError("expected a JSON object")
    old = settings.model_dump()
    for name, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(name), dict) and name.endswith("_odds"):
            new[name] = {**old[name], **value}
    return Settings.model_validate({**old, **new})


def _line(simulator: "Simulator", line: Accepted) -> dict[str, Any]:
    return {
        "job_id": line.job_id,
        "image_id": line.image_id,
        "project_id": line.project_id,
        "accepted_at": stamp(line.accepted_at, 3),
        "tags": line.tags,
        "duplicate": line.duplicate,
        "answer": simulator.told.get(line.job_id, ""),
    }


def _ledger(simulator: "Simulator") -> dict[str, Any]:
    return {
        "accepted": {
            name: [_line(simulator, line) for line in lines] for name, lines in simulator.accepted.items()
        },
        "duplicates": sorted({line.name for line in simulator.duplicates}),
        "repeated": sorted(name for name, lines in simulator.accepted.items() if len(lines) > 1),
    }


def _stats(simulator: "Simulator", now: Moment) -> dict[str, Any]:
    stats = simulator.stats
    length = max(stats.last_at - stats.began_at, 1e-9)
    return {
        "simulated_seconds": now - stats.began_at,
        "requests": dict(stats.requests),
        "requests_per_second": {kind: count / length for kind, count in stats.requests.items()},
        "peak_per_second": {kind: stats.peak(kind) for kind in stats.requests},
        "statuses": {str(status): count for status, count in stats.statuses.items()},
        "codes": dict(stats.codes),
        "misdelivered": dict(stats.acts),
        "import_refusals": dict(stats.import_refusals),
        "first_refused": stats.first_refused,
        "accepted": sum(len(lines) for lines in simulator.accepted.values()),
        "duplicates": len(simulator.duplicates),
        "most_running_jobs": simulator.most_running,
        "connections": stats.connections,
    }


def _jobs(simulator: "Simulator", now: Moment) -> list[dict[str, Any]]:
    return [
        {
            "job_id": job.id,
            "name": job.record.asked.name,
            "image_id": job.record.id,
            "project_id": project.id,
            "status": job.status(now),
            "fate": job.fate,
            "accepted_at": stamp(job.accepted, 3),
            "starts_at": stamp(job.starts, 3),
            "ends_at": stamp(job.ends, 3),
        }
        for project in simulator.projects.values()
        for job in project.jobs.values()
    ]


def _images(simulator: "Simulator", now: Moment) -> list[dict[str, Any]]:
    return [
        {**view(record, now, simulator.settings), "_tags": record.tags}
        for project in simulator.projects.values()
        for record in project.records
        if record.status(now) is not None
    ]
