"""What the stand-in knows of its callers, shown under /_sim/ (where its settings can be changed, too)."""

import json
from typing import Any

from pydantic import ValidationError

from migrator.domain.units import Moment
from migrator.simulator.account import Account
from migrator.simulator.image_view import view
from migrator.simulator.jobs import AcceptedImport
from migrator.simulator.settings import Settings
from migrator.simulator.wire import Reply, ok, stamp


def show(account: Account, method: str, path: str, body: bytes, now: Moment) -> Reply:
    """The answer to a call under /_sim/."""
    match method, path:
        case "GET", "/_sim/ledger":
            return ok(_ledger(account))
        case "GET", "/_sim/stats":
            return ok(_stats(account, now))
        case "GET", "/_sim/jobs":
            return ok({"jobs": _jobs(account, now)})
        case "GET", "/_sim/images":
            return ok({"images": _images(account, now)})
        case "GET", "/_sim/settings":
            return Reply(
                status=200,
                headers={"Content-Type": "application/json"},
                body=account.settings.model_dump_json().encode(),
            )
        case "POST", "/_sim/settings":
            try:
                account.change(changed(account.settings, body))
            except (ValidationError, ValueError) as wrong:
                return ok({"error": str(wrong)}, 400)
            return ok({"ok": True})
        case "POST", "/_sim/expire-tokens":
            return ok({"expired": account.guard.expire_all()})
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


def _line(account: Account, line: AcceptedImport) -> dict[str, Any]:
    return {
        "job_id": line.job_id,
        "image_id": line.image_id,
        "project_id": line.project_id,
        "accepted_at": stamp(line.accepted_at, 3),
        "tags": line.tags,
        "method": line.method,
        "duplicate": line.duplicate,
        "answer": account.answers.get(line.job_id, ""),
    }


def _ledger(account: Account) -> dict[str, Any]:
    return {
        "accepted": {
            name: [_line(account, line) for line in lines] for name, lines in account.accepted.items()
        },
        "duplicates": sorted({line.name for line in account.duplicates}),
        "repeated": sorted(name for name, lines in account.accepted.items() if len(lines) > 1),
    }


def _stats(account: Account, now: Moment) -> dict[str, Any]:
    stats = account.stats
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
        "accepted": sum(len(lines) for lines in account.accepted.values()),
        "duplicates": len(account.duplicates),
        "most_running_jobs": account.most_running,
        "connections": stats.connections,
    }


def _jobs(account: Account, now: Moment) -> list[dict[str, Any]]:
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
        for project in account.projects.values()
        for job in project.jobs.values()
    ]


def _images(account: Account, now: Moment) -> list[dict[str, Any]]:
    return [
        {**view(record, now, account.settings), "_tags": record.tags}
        for project in account.projects.values()
        for record in project.records
        if record.status(now) is not None
    ]
