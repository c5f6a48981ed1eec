"""`migrator diff`: two reports, and what changed between them, for a person (80 columns) or a machine."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from migrator.cli.common import Console, plural
from migrator.domain.cells import cell_len, fitted
from migrator.domain.errors import UsageError
from migrator.domain.units import span
from migrator.reports.diff import ComparedReport, Difference, DurationChange, NotAReport, difference, read
from migrator.reports.glossary import DONE, FAILED, STATUSES, TO_GO, statuses_of
from migrator.reports.untrusted import one_line
from migrator.workflow.states import FINISHED, Phase

_WIDTH = 80
_LISTED = 10
"""Images named under one heading; `--json` names all."""

_MOST_BYTES = 1024**3


def diff(old: Path, new: Path, console: Console) -> int:
    """Print what changed from one report to the other. Raises UsageError for a file that is no report."""
    found = difference(_report(old), _report(new))
    if found.new.generated_at < found.old.generated_at:
        console.warn("the second report is older than the first; the first one given is the one before")
    if found.old.plan != found.new.plan:
        console.warn("these are reports of two plans; images are compared by TARGET/NAME all the same")
    if console.json:
        console.object(_machine(found))
    else:
        for line in _lines(found):
            console.out(line.rstrip())
    return 0


def _report(path: Path) -> ComparedReport:
    hint = "Name two report.json, the earlier one first."
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{one_line(str(path))}: cannot be read: {reason}", hint=hint) from None
    try:
        if len(data) > _MOST_BYTES:
            raise NotAReport("this is no migrator report: it is larger than any")
        return read(json.loads(data))
    except NotAReport as error:
        reason = str(error)
    except (ValueError, RecursionError):
        reason = "this is no migrator report: it is not JSON, or only a part of it"
    if "newer version" in reason:
        hint = "Upgrade migrator, or compare with the version that wrote it."
    raise UsageError(f"{one_line(str(path))}: {reason}", hint=hint)


# --- For a machine --------------------------------------------------------------------------------------


def _machine(found: Difference) -> dict[str, object]:
    new = found.new.images
    return {
        "plan": {"old": found.old.plan, "new": found.new.plan},
        "generated_at": {
            "old": found.old.generated_at.isoformat(),
            "new": found.new.generated_at.isoformat(),
        },
        "totals": {
            name: {"images": len(report.images)} | {phase.value: report.statuses[phase] for phase in Phase}
            for name, report in (("old", found.old), ("new", found.new))
        },
        "done": found.done,
        "recovered": found.recovered,
        "failed": [{"key": key, "code": new[key].code, "message": new[key].message} for key in found.failed],
        "undone": found.undone,
        "added": found.added,
        "gone": found.gone,
        "slower": [_duration(change) for change in found.slower],
        "faster": [_duration(change) for change in found.faster],
        "moves": [
            {"from": before.value, "to": after.value, "count": count}
            for (before, after), count in found.moves.items()
        ],
    }


def _duration(change: DurationChange) -> dict[str, object]:
    return {"key": change.key, "old_seconds": change.before, "new_seconds": change.after}


# --- For a person ---------------------------------------------------------------------------------------


def _lines(found: Difference) -> Iterator[str]:
    old, new = found.old, found.new
    names = new.plan if old.plan == new.plan else f"{old.plan} → {new.plan}"
    yield _fit(names, _WIDTH)
    apart = abs((new.generated_at - old.generated_at).total_seconds())
    yield f"{old.generated_at:%Y-%m-%d %H:%M} → {new.generated_at:%Y-%m-%d %H:%M} UTC, {span(apart)}"
    if found.empty:
        yield ""
        yield "nothing changed"
        return
    yield ""
    yield f"{'':<12}{'before':>10}{'after':>10}{'change':>10}"
    earlier = _counts(old)
    for name, count in _counts(new).items():
        change = count - earlier[name]
        yield f"{name:<12}{earlier[name]:>10,}{count:>10,}{f'{change:+,}' if change else '':>10}"
    yield from _heading("newly done", found.done)
    yield from _heading("recovered: failed before, done now", found.recovered)
    yield from _heading("newly failed", [_failure(new, key) for key in found.failed])
    yield from _heading("done before, no longer", found.undone)
    yield from _heading("new in the plan", found.added)
    yield from _heading("gone from the plan", found.gone)
    yield from _heading("slower", [_times(change) for change in found.slower])
    yield from _heading("faster", [_times(change) for change in found.faster])
    if found.moves:
        yield ""
        yield "status moves"
        for (before, after), count in found.moves.items():
            yield f"  {STATUSES[before].word:>12} → {STATUSES[after].word:<12}{count:>8,}"


def _counts(report: ComparedReport) -> dict[str, int]:
    statuses = report.statuses
    done = sum(statuses[phase] for phase in statuses_of(DONE))
    return {
        "images": len(report.images),
        DONE.word: done,
        FAILED.word: statuses[Phase.FAILED],
        TO_GO: sum(count for phase, count in statuses.items() if phase not in FINISHED),
    }


def _heading(title: str, items: Sequence[str]) -> Iterator[str]:
    if not items:
        return
    yield ""
    yield f"{title} ({plural(len(items), 'image')})"
    for item in items[:_LISTED]:
        yield "  " + _fit(item, _WIDTH - 2)
    if len(items) > _LISTED:
        yield f"  and {len(items) - _LISTED:,} more"


def _failure(report: ComparedReport, key: str) -> str:
    image = report.images[key]
    return "  ".join(filter(None, (_fit(key, 34), image.code, image.message)))


def _times(change: DurationChange) -> str:
    share = f" ({(change.after - change.before) / change.before:+.0%})" if change.before else ""
    return f"{_fit(change.key, 44)}  {span(change.before)} → {span(change.after)}{share}"


def _fit(text: str, width: int) -> str:
    """The text on one line, cut to `width` columns of a terminal, where Chinese takes two for each sign."""
    line = one_line(text)
    return line if cell_len(line) <= width else fitted(line, width - 1) + "…"
