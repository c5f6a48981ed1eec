"""What a rehearsal measured, shown: lines for a person, or one object of JSON."""

from collections import Counter
from collections.abc import Iterator

from migrator.cli.common import Console
from migrator.cli.preflight import FOUND_OFFLINE
from migrator.cli.rehearsal import DEFAULT_QUOTA, WINDOW, Rehearsal
from migrator.domain.units import span
from migrator.plan.grouping import Grouped
from migrator.preflight import Finding, Severity
from migrator.reports import findings


def show(rehearsal: Rehearsal, warnings: Grouped, console: Console) -> None:
    """Print it, with the `warnings` of reading the plan."""
    if rehearsal.interrupted:
        console.say("the rehearsal was interrupted, so it says nothing; no trace of it is in the cloud")
    if console.json:
        console.object(as_json(rehearsal, warnings))
    elif not rehearsal.interrupted:
        for line in as_text(rehearsal, warnings):
            console.out(line)
        if rehearsal.reports is not None:
            console.say(f"reports of the rehearsal: {rehearsal.reports}")


def as_json(rehearsal: Rehearsal, warnings: Grouped) -> dict[str, object]:
    """The object of `run --simulate --json`; of an interrupted rehearsal, only that it was."""
    ending = {"reason": rehearsal.reason, "exit_code": rehearsal.exit_code}
    if rehearsal.interrupted:
        return {"plan": rehearsal.plan, **ending}
    preflight, seconds = rehearsal.preflight, rehearsal.seconds
    return {
        "plan": rehearsal.plan,
        "fault_profile": rehearsal.fault_profile,
        "speed": rehearsal.speed,
        "warnings": warnings.lines,
        "job_seconds": rehearsal.job_seconds,
        "expected_seconds": None if seconds is None else round(seconds),
        "totals": _totals(rehearsal),
        "peak_imports_per_second": round(rehearsal.peak_imports, 2),
        "peak_queries_per_second": round(rehearsal.peak_queries, 2),
        "peak_window_seconds": WINDOW,
        "most_jobs": rehearsal.most_jobs,
        "requests": rehearsal.requests,
        "refused": rehearsal.error_codes,
        "lost": rehearsal.undelivered,
        "preflight": None
        if preflight is None
        else findings.as_json(
            rehearsal.plan,
            _problems(rehearsal),
            images=preflight.images,
            exit_code=preflight.exit_code,
        ),
        "over_default_quota": dict(rehearsal.over_quota),
        "failures": _failures(rehearsal),
        **ending,
        "reports": None if rehearsal.reports is None else str(rehearsal.reports),
    }


def as_text(rehearsal: Rehearsal, warnings: Grouped) -> Iterator[str]:
    """The lines of `run --simulate`."""
    yield from findings.as_text(one for one in _problems(rehearsal) if one.code not in FOUND_OFFLINE)
    summary, seconds = rehearsal.summary, rehearsal.seconds
    if summary is not None and seconds is not None:
        until = " until it stops" if summary.totals.unfinished else ""
        assumed = f"if one import takes {span(rehearsal.job_seconds)} on average (assumed)"
        yield f"{'takes':<14}{span(seconds)}{until}, {assumed}"
        rates = f"{rehearsal.peak_imports:.2g} imports/s, {rehearsal.peak_queries:.2g} queries/s"
        yield f"{'peak':<14}{rates} in the busiest minute"
        yield f"{'most jobs':<14}{rehearsal.most_jobs} at once"
        yield f"{'refused':<14}{refused(rehearsal)}"
        totals = ", ".join(f"{count} {status}" for status, count in _totals(rehearsal).items() if count)
        yield f"{'images':<14}{totals or 'none'}"
        for cause in summary.failures:
            yield f"{'fails':<14}{cause.count} x {cause.code} {cause.message}"
            if cause.remedy:
                yield f"{'':<14}{cause.remedy}"
    for target, count in rehearsal.over_quota.items():
        held = f"{count} images, and a project holds {DEFAULT_QUOTA} unless its quota was raised"
        yield f"{'quota':<14}{target}: {held}"
        yield f"{'':<14}Look at the quota in the console, or let `migrator preflight` ask for it."
    if warnings:
        yield f"{'warnings':<14}{warnings.count} about the plan itself, said above"
    yield f"{'would end':<14}{rehearsal.reason} (exit code {rehearsal.exit_code})"


def _problems(rehearsal: Rehearsal) -> list[Finding]:
    """What preflight found, but for what is nobody's mistake."""
    if rehearsal.preflight is None:
        return []
    return [one for one in rehearsal.preflight.findings if one.severity is not Severity.INFO]


def _totals(rehearsal: Rehearsal) -> dict[str, int]:
    if rehearsal.summary is None:
        return {}
    return {phase.value: count for phase, count in rehearsal.summary.totals.by_status.items()}


def _failures(rehearsal: Rehearsal) -> list[dict[str, object]]:
    return [
        {"code": cause.code, "message": cause.message, "remedy": cause.remedy, "count": cause.count}
        for cause in (rehearsal.summary.failures if rehearsal.summary else ())
    ]


def refused(rehearsal: Rehearsal) -> str:
    """Requests of any kind that were answered with an error, or not at all, by code."""
    asked = sum(rehearsal.requests.values())
    counts = Counter(rehearsal.error_codes) + Counter(rehearsal.undelivered)
    if not counts:
        return f"none of {asked:,} requests"
    most = ", ".join(f"{count} x {code}" for code, count in counts.most_common(5))
    return f"{sum(counts.values()):,} of {asked:,} requests ({most})"
