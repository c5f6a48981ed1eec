"""A plan in one sentence, and what to do next in another: the same words in every report.

Both are plain text on one line. Names in them come from the plan, so a format that has a syntax escapes them.
"""

from datetime import UTC, datetime

from migrator.domain.units import Moment
from migrator.reports.glossary import HELD, RUNS, STATUSES, TO_GO
from migrator.reports.runs import RunState
from migrator.reports.summary import Summary
from migrator.reports.untrusted import one_line
from migrator.workflow.states import Phase


def headline(summary: Summary) -> str:
    """How far, what failed, and when the rest is done.

    "412 of 500 images imported, 3 failed, done tomorrow 03:10 UTC at this pace". Cancelled images are not
    counted, and days are told from `generated_at`.
    """
    totals = summary.totals
    if not totals.images:
        return "no images yet"
    if not totals.wanted:
        return f"{_images(totals.images)} {STATUSES[Phase.CANCELLED].word}, nothing to import"
    imported = STATUSES[Phase.SUCCEEDED].word
    parts = [f"{totals[Phase.SUCCEEDED]:,} of {_images(totals.wanted)} {imported}"]
    if totals[Phase.SUCCEEDED] == totals.wanted:
        parts = [
            f"all {_images(totals.wanted)} {imported}" if totals.wanted > 1 else f"the image is {imported}"
        ]
    for count, word in (
        (totals[Phase.SKIPPED], STATUSES[Phase.SKIPPED].word),
        (totals.failed, STATUSES[Phase.FAILED].word),
        (summary.held, HELD),
        (totals[Phase.OVERDUE], STATUSES[Phase.OVERDUE].word),
    ):
        if count:
            parts.append(f"{count:,} {word}")
    parts.extend(_outlook(summary))
    return ", ".join(parts)


def _outlook(summary: Summary) -> list[str]:
    """What may be expected of the unfinished ones; empty when there are none."""
    eta, unfinished = summary.eta, summary.totals.unfinished
    if not unfinished:
        return []
    if not summary.runs:
        return ["not started"]
    if summary.runs[-1].state is RunState.RUNNING:
        if eta.at is not None:
            rest = f", all but {eta.left_out:,}" if eta.left_out else ""
            return [f"done {day_and_time(eta.at, summary.generated_at)} at this pace{rest}"]
        return ["running, no estimate yet"] if eta.images else []
    last = summary.runs[-1].state
    stopped = RUNS[last] if last is RunState.KILLED else "stopped"
    if not eta.images or eta.seconds is None:
        return [f"{stopped} with {unfinished:,} {TO_GO}"]
    return [f"{stopped} with {unfinished:,} {TO_GO}, about {span(eta.seconds)} of running"]


def next_step(summary: Summary) -> str:
    """What somebody has to do now, the most urgent first; "" while there is nothing to do but wait."""
    totals, command = summary.totals, "`migrator run PLAN"
    if not totals.images:
        return f"Start with {command}`."
    running = bool(summary.runs) and summary.runs[-1].state is RunState.RUNNING
    steps = []
    for target, fault in sorted(summary.halted.items()):
        # Backticks are ours: formats may take them for code.
        remedy = (fault.remedy or fault.message).replace("`", "'")
        steps.append(f"Target {one_line(target)} stopped submitting: {remedy.rstrip('.')}.")
    if summary.held:
        steps.append(
            f"Look in the console for the {summary.held:,} held: if an image is there, {command}` adopts it; "
            f"if it is not, add `--again TARGET/NAME`."
        )
    if totals.unfinished > summary.held and not running:
        steps.append(f"{'Continue' if summary.runs else 'Start'} with {command}`.")
    if totals.failed:
        steps.append(f"Fix the causes of the failures, then {command} --retry-failed`.")
    if steps or running:
        return " ".join(steps)
    if summary.drifted:
        return (
            f"{_images(summary.drifted)} edited after import: to have one again, add `--again TARGET/NAME`."
        )
    return "Nothing is left to do."


def _images(count: int) -> str:
    return f"{count:,} {'image' if count == 1 else 'images'}"


def day_and_time(moment: Moment, now: Moment) -> str:
    """The moment as a person at `now` would say it: "today 21:40 UTC", "on 2026-12-05 03:10 UTC"."""
    then = datetime.fromtimestamp(moment, UTC)
    days = (then.date() - datetime.fromtimestamp(now, UTC).date()).days
    day = {0: "today", 1: "tomorrow"}.get(days, f"on {then:%Y-%m-%d}")
    return f"{day} {then:%H:%M} UTC"


def span(seconds: float) -> str:
    """A duration in its two largest units: "45 s", "12 min", "3 h 20 min", "2 d 4 h"."""
    if round(seconds) < 60:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    # Hours are rounded before they are split, so that no day has twenty-four of them left over.
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
