"""What the rest of a plan waits for: a sentence for each reason, the same in every report and terminal."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from msgspec import Struct

from migrator.domain.cloud import Fault
from migrator.domain.plan import Plan
from migrator.domain.units import Moment, span
from migrator.domain.zone import Zone
from migrator.pacing.estimate import Spread
from migrator.reports.causes import Cause, CauseKind
from migrator.reports.glossary import CAUSES, HELD, STATUSES, TO_GO, steps
from migrator.reports.pace import NEARLY
from migrator.reports.runs import RunLine
from migrator.reports.untrusted import one_line, plain
from migrator.workflow.ledger import Planned
from migrator.workflow.states import FINISHED, Phase, State, StepPhase
from migrator.workflow.steps import left
from migrator.workflow.waves import Waves

_HANGS = 3.0
"""A job hangs that runs so many times as long as 95 of 100 did."""

_HANGS_AT_LEAST = 60.0
"""Seconds beyond them, because three times three seconds is nothing."""

_NAMED = 3
"""Hanging jobs that are named."""

_LONG_SILENCE = 10.0
"""Seconds without a submission that are worth a sentence; shorter ones are part of the rate."""

_LOOK_BACK = 60.0
"""Seconds whose submissions tell whether the rate holds the others back."""

_SHORTEST_LOOK_BACK = 30.0


class _Job(NamedTuple):
    name: str
    seconds: float


class StandingStill(Struct, frozen=True, kw_only=True):
    """What a summary knows already of images that stand still."""

    halted: Mapping[str, Fault]
    """Targets that stopped submitting, and why."""

    waiting: Sequence[Cause]
    """Why unfinished images stand still."""

    settle: float
    """Seconds for which those in doubt may be looked up."""

    usual: Spread | None
    """What jobs took so far."""

    run: RunLine | None
    """The run that goes on; None where none does."""


def waits(
    pairs: Sequence[tuple[Planned, State]],
    plan: Plan,
    now: Moment,
    zone: Zone,
    still: StandingStill,
) -> tuple[str, ...]:
    """What keeps the unfinished images of `pairs`, the most urgent first; empty when nothing is left."""
    halted = still.halted
    counts = dict.fromkeys(Phase, 0)
    held_ones, late = 0, 0.0
    for _, state in pairs:
        counts[state.phase] += 1
        held_ones += state.held
        if state.phase is Phase.IN_DOUBT and not state.attempts[-1].final:
            late = plan.policy.late
    if not any(count for phase, count in counts.items() if phase not in FINISHED):
        return _after_imports(pairs)
    sentences = [f"target {one_line(name)} stopped: {with_remedy(fault)}" for name, fault in halted.items()]
    to_do = sum(state.phase is Phase.PENDING and item.image.target not in halted for item, state in pairs)
    waves = Waves(plan.waves, ((item.image, state) for item, state in pairs if not state.removed))
    gate = waves.gate(now)
    if still.run is not None:
        targets = _targets(pairs, waves, gate.open, max(still.run.began_at, now - _LOOK_BACK))
        sentences += _silences(targets, halted, now)
    if gate.why is not None:
        sentences.append(gate.why.told(zone))
    if still.run is not None:
        sentences += _held_by_rate(targets, plan, min(now - still.run.began_at, _LOOK_BACK))
        sentences += _hanging(pairs, to_do, now, still.usual)
    for cause in still.waiting:
        if cause.kind in (CauseKind.RETRYING, CauseKind.OVERDUE):
            fault = Fault(message=cause.message, code=cause.code, remedy=cause.remedy)
            sentences.append(f"{cause.count:,} {CAUSES[cause.kind]}: {with_remedy(fault)}")
    if (in_doubt := counts[Phase.IN_DOUBT] - held_ones) > 0:
        sentences.append(doubtful(in_doubt, late + still.settle))
    if held_ones:
        sentences.append(held(held_ones))
    return (*sentences, *_after_imports(pairs))


def _after_imports(pairs: Iterable[tuple[Planned, State]]) -> tuple[str, ...]:
    """Shares and copies of images that are there, as far as they are not done."""
    counts: Counter[bool] = Counter()
    for item, state in pairs:
        if state.phase is Phase.SUCCEEDED and (item.image.share_with or item.image.copy_to):
            for step in left(item.image, state):
                known = state.steps.get(step.name)
                counts[known is not None and known.phase is StepPhase.IN_DOUBT] += 1
    doubtful, to_go, sentences = counts[True], counts[False], []
    if doubtful:
        word = STATUSES[Phase.IN_DOUBT].word
        sentences.append(f"{doubtful:,} {steps(doubtful)} {word}: looked up before anything is sent again")
    if to_go:
        sentences.append(f"{to_go:,} {steps(to_go)} {TO_GO}, at most five of a target at once")
    return tuple(sentences)


def _hanging(
    pairs: Iterable[tuple[Planned, State]], to_do: int, now: Moment, usual: Spread | None
) -> list[str]:
    """Jobs that run much longer than any before, and who waits for them."""
    if usual is None:
        return []
    longest = max(_HANGS * usual.p95, usual.p95 + _HANGS_AT_LEAST)
    jobs, others = [], 0
    for item, state in pairs:
        if state.phase is Phase.RUNNING and state.submitted_at is not None:
            seconds = now - state.submitted_at
            if seconds > longest:
                jobs.append(_Job(one_line(item.image.name), seconds))
                continue
        others += state.phase in (Phase.RUNNING, Phase.VERIFYING, Phase.SUBMITTING)
    if not jobs:
        return []
    jobs.sort(key=lambda job: -job.seconds)
    named = [f"{job.name}, running {span(job.seconds)}" for job in jobs[:_NAMED]]
    if len(jobs) > _NAMED:
        named.append(f"and {len(jobs) - _NAMED:,} more")
    noun = "1 job" if len(jobs) == 1 else f"{len(jobs):,} jobs"
    whom = f"{'; '.join(named)}{',' if len(jobs) == 1 else ';'} usually {span(usual.p50)}"
    if to_do and not others:
        return [f"{to_do:,} {'waits' if to_do == 1 else 'wait'} for {noun}: {whom}"]
    return [f"{noun} {'takes' if len(jobs) == 1 else 'take'} much longer than usual: {whom}"]


@dataclass(slots=True)
class _Target:
    """What the images of one target say about the others of it."""

    ready: int = 0
    """Images that could be submitted now."""

    under_way: int = 0
    submitted: int = 0
    """Lately."""

    paused_until: Moment = -inf
    refusal: Fault | None = None
    """Why it is paused."""


def _targets(
    pairs: Iterable[tuple[Planned, State]], waves: Waves, open_: frozenset[int], since: Moment
) -> dict[str, _Target]:
    """Each target of the images; what was submitted is counted `since` then."""
    found: defaultdict[str, _Target] = defaultdict(_Target)
    for item, state in pairs:
        one = found[item.image.target]
        if state.phase is Phase.PENDING:
            one.ready += waves.index(item.image) in open_
        elif state.phase not in FINISHED:
            one.under_way += 1
        if state.paused_until is not None and state.paused_until > one.paused_until:
            one.paused_until, one.refusal = state.paused_until, state.fault
        one.submitted += bool(state.attempts) and state.attempts[-1].began_at > since
    return found


def _silences(targets: Mapping[str, _Target], halted: Mapping[str, Fault], now: Moment) -> Iterator[str]:
    """Services that asked everybody to wait."""
    for name, one in targets.items():
        seconds = one.paused_until - now
        if one.ready and seconds > _LONG_SILENCE and name not in halted and one.refusal is not None:
            why = with_remedy(one.refusal)
            yield f"nothing is submitted to {one_line(name)} for {span(seconds)}: {why}"


def _held_by_rate(targets: Mapping[str, _Target], plan: Plan, seconds: float) -> Iterator[str]:
    """Images that wait for the submit rate of their target, though more jobs may run."""
    if seconds < _SHORTEST_LOOK_BACK:
        return
    for name, one in targets.items():
        target = plan.targets.get(name)
        if target is None or not one.ready or one.under_way >= target.limits.max_jobs:
            continue
        rate = target.limits.submit_rate
        if one.submitted >= NEARLY * rate.per_second * seconds:
            wait = "waits" if one.ready == 1 else "wait"
            yield f"{one.ready:,} {wait} for the submit rate of {one_line(name)}: {rate} (submit_rate)"


def doubtful(count: int, seconds: float) -> str:
    """What attempts in doubt wait for, `seconds` at most: one may still be accepted, and then lists may take
    long to show it."""
    word = STATUSES[Phase.IN_DOUBT].word
    if seconds == inf:
        return f"{count:,} {word}: looked up until other jobs have shown how soon lists show them"
    return f"{count:,} {word}: looked up for up to {span(seconds)} before they are sent again"


def held(count: int) -> str:
    """What images wait for that are left for a person."""
    return f"{count:,} {HELD}: see in the console whether the image is there, then run again"


def with_remedy(fault: Fault) -> str:
    """A fault and what to do about it, in one line."""
    clean = plain(fault)
    said = str(clean).rstrip(".")
    return f"{said}: {clean.remedy}" if clean.remedy else said
