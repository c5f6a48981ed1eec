"""A plan in one sentence, and what to do next in another: the same words in every report.

Both are plain text on one line. Names in them come from the plan, so a format that has a syntax escapes them.
"""

from migrator.domain.units import Moment, span
from migrator.domain.zone import Zone
from migrator.reports.estimate import Range
from migrator.reports.glossary import HELD, RUNS, STATUSES, TO_GO
from migrator.reports.glossary import steps as steps_word
from migrator.reports.runs import RunState
from migrator.reports.summary import Summary, WaveLine
from migrator.reports.untrusted import one_line
from migrator.workflow.states import Phase


def headline(summary: Summary) -> str:
    """How far, what failed, and when the rest is done.

    "412 of 500 images imported, 3 failed, done tomorrow between 02:40 and 03:50 UTC". Cancelled images are
    not counted, and days are told from `generated_at`.
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
        (summary.steps_failed, f"{steps_word(summary.steps_failed)} failed"),
        (summary.steps_left, f"{steps_word(summary.steps_left)} {TO_GO}"),
    ):
        if count:
            parts.append(f"{count:,} {word}")
    if summary.machines.all:
        parts.append(summary.machines.sentence)
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
        if eta.range is not None:
            rest = f", all but {eta.left_out:,}" if eta.left_out else ""
            return [f"done {between(eta.range, summary.generated_at, summary.zone)}{rest}"]
        return [f"running, no estimate: {eta.reason}"] if eta.images else []
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
    steps, later = [], []
    for target, fault in sorted(summary.halted.items()):
        # Backticks are ours: formats may take them for code.
        remedy = (fault.remedy or fault.message).replace("`", "'")
        steps.append(f"Target {one_line(target)} stopped submitting: {remedy.rstrip('.')}.")
    if late := [wave for wave in summary.waves if _closed_on(wave, summary)]:
        names = ", ".join(one_line(wave.name) for wave in late)
        steps.append(f"Move not_after of wave {names} in the plan: its window has closed.")
    if summary.held:
        later.append(
            f"look in the console for the {summary.held:,} held: if an image is there, {command}` adopts it; "
            f"if it is not, add `--again TARGET/NAME`"
        )
    if totals.unfinished > summary.held and not running:
        later.append(f"{'continue' if summary.runs else 'start'} with {command}`")
    elif summary.steps_left and not running:
        later.append(f"continue with {command}`")
    if summary.steps_failed:
        later.append(f"look at the shares and copies that failed, then {command} --retry-failed`")
    if totals.failed:
        later.append(f"fix the causes of the failures, then {command} --retry-failed`")
    if later and running:
        # A second run of the same plan would be refused while this one goes on.
        steps.append(f"When this run has ended, {'; '.join(later)}.")
    else:
        steps += [f"{sentence[:1].upper()}{sentence[1:]}." for sentence in later]
    if steps or running:
        return " ".join(steps)
    if summary.drifted:
        return (
            f"{_images(summary.drifted)} edited after import: to have one again, add `--again TARGET/NAME`."
        )
    return "Nothing is left to do."


def _closed_on(wave: WaveLine, summary: Summary) -> bool:
    """Whether images of a wave are still to be submitted that will not be."""
    left = summary.by_wave.get(wave.name)
    late = wave.not_after is not None and wave.not_after <= summary.generated_at
    return late and left is not None and left[Phase.PENDING] > 0


def _images(count: int) -> str:
    return f"{count:,} {'image' if count == 1 else 'images'}"


def between(moments: Range, now: Moment, zone: Zone) -> str:
    """A range as a person there would say it at `now`: "today between 21:10 and 21:40 UTC"."""
    earliest, latest = zone.day_and_time(moments.earliest, now), zone.day_and_time(moments.latest, now)
    if earliest == latest:
        return f"{latest} {zone.name}"
    day, time = earliest.rsplit(" ", 1)
    last_day, last_time = latest.rsplit(" ", 1)
    if day == last_day:
        return f"{day} between {time} and {last_time} {zone.name}"
    return f"between {earliest.removeprefix('on ')} and {latest.removeprefix('on ')} {zone.name}"
