"""When the rest will be done: a range, for each wave and for the whole, or the reason why nobody can tell."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from msgspec import Struct

from migrator.domain.plan import Limits, Plan
from migrator.domain.units import Moment
from migrator.pacing.projection import Played, Projection
from migrator.pacing.survival import Observation, Survival
from migrator.reports.pace import Situation, TargetPace
from migrator.reports.runs import RunLine
from migrator.workflow.ledger import Planned
from migrator.workflow.states import State
from migrator.workflow.waves import Waves

_LEFT_OUT_OF_EACH_END = 0.03
"""The fraction of rounds below the range, and above it."""

_WIDENED = 1.25
"""What is not played through, such as a service that gets slower, makes the range so many times as wide."""

_DISAGREES = 1 / 3
"""Model and measured pace that differ by more make no estimate."""

_SURELY = 2.5
"""... where the difference is more than so many standard deviations of a count."""

_LOOK_BACK = 1800.0
"""Seconds in which the measured pace is taken."""


class Range(Struct, frozen=True, kw_only=True):
    """A moment that nobody knows for sure."""

    earliest: Moment
    at: Moment
    """The middle: as likely too early as too late."""

    latest: Moment


class WaveEstimate(Struct, frozen=True, kw_only=True):
    """One wave; None where there is nothing to tell."""

    begins: Range | None
    """When the first of its images is submitted that is still to be; None when none is."""

    ends: Range | None
    """When its last image is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When the rest will be done.

    The rest of the plan is played forward with what limits it now: the images under way at once, the submit
    rate, how long images took, waves one after the other with their windows, held and overdue images.
    """

    range: Range | None
    """Holds the end in nine of ten runs; None when it is unknown, when nothing is left, or when no run is
    at work."""

    seconds: float | None
    """Its middle as time from now, also when no run is at work; 0 when nothing is left, None if unknown."""

    images: int
    """Unfinished images that the estimate covers."""

    left_out: int
    """Unfinished images that it cannot cover: overdue, held for a person, of a target that stopped, or of a
    wave that closes before they are submitted."""

    too_late: int = 0
    """Of `left_out`: those of a wave that closes before they are submitted, or does not open."""

    reason: str = ""
    """Why there is no estimate; empty where there is one, or nothing to estimate."""

    waves: Mapping[str, WaveEstimate] = field(default_factory=dict)
    """By name, of the waves that have something left; empty when no run is at work."""

    @property
    def at(self) -> Moment | None:
        """The middle of the range."""
        return None if self.range is None else self.range.at


def estimate(
    pairs: Iterable[tuple[Planned, State]],
    plan: Plan,
    halted: Iterable[str],
    runs: Sequence[RunLine],
    now: Moment,
    *,
    at_work: bool,
) -> Estimate:
    """Of what is left of the images in `pairs`; nothing more is submitted to the targets in `halted`."""
    pairs = list(pairs)
    waves = Waves(
        plan.waves, ((item.image, state) for item, state in pairs if not state.removed) if plan.waves else ()
    )
    paces: defaultdict[str, TargetPace] = defaultdict(TargetPace)
    stopped, left_out = frozenset(halted), 0
    for item, state in pairs:
        image = item.image
        known = paces[image.target].add(
            image,
            state,
            waves.index(image),
            halted=image.target in stopped or image.target not in plan.targets,
        )
        left_out += not known
    images = sum(len(pace.waiting) + pace.under_way for pace in paces.values())
    if not images:
        reason = "what is left waits for a person" if left_out else ""
        return _nothing(images, left_out, None if left_out else 0.0, reason)
    seen = {name: pace.seen(runs, now) for name, pace in paces.items()}
    together = [one for every in seen.values() for one in every]
    if not any(one.ended for one in together):
        return _nothing(images, left_out, None, "no image is done yet")
    if disagreement := _disagreement(paces, seen, runs, now):
        return _nothing(images, left_out, None, disagreement)
    run, open_ = (runs[-1] if runs else None), waves.gate(now).open
    work = [
        pace.work(
            seen[name] if _tells(seen[name]) else together,
            Situation(limits=_limits(plan, name), late=plan.policy.late, run=run, now=now, open=open_),
        )
        for name, pace in sorted(paces.items())
    ]
    projection, dice = Projection(work, waves, now), Random(0)  # noqa: S311
    rounds = [projection.play(dice) for _ in range(projection.rounds)]
    never = round(_quantile([float(played.never) for played in rounds], 0.5))
    if never >= images:
        return _nothing(
            images, left_out + images, None, "the waves of what is left do not open", too_late=images
        )
    end = _range([played.end for played in rounds], now)
    return Estimate(
        range=end if at_work else None,
        seconds=round(end.at - now, 3),
        images=images - never,
        left_out=left_out + never,
        too_late=never,
        waves=_by_wave(plan, rounds, now) if at_work else {},
    )


def _nothing(
    images: int, left_out: int, seconds: float | None, reason: str, *, too_late: int = 0
) -> Estimate:
    return Estimate(
        range=None, seconds=seconds, images=images, left_out=left_out, too_late=too_late, reason=reason
    )


def _limits(plan: Plan, target: str) -> Limits:
    return plan.targets[target].limits if target in plan.targets else Limits()


def _tells(seen: Sequence[Observation]) -> bool:
    return any(one.ended for one in seen)


def _disagreement(
    paces: Mapping[str, TargetPace],
    seen: Mapping[str, Sequence[Observation]],
    runs: Sequence[RunLine],
    now: Moment,
) -> str:
    """How the pace of late differs from what all times together let expect; empty where it does not."""
    expected = measured = 0.0
    since = max(now - _LOOK_BACK, runs[-1].began_at if runs else now)
    for name, pace in paces.items():
        if _tells(seen[name]):
            ended, due = pace.ended_since(since, now, Survival(seen[name]))
            measured, expected = measured + ended, expected + due
    apart = abs(measured - expected)
    if apart <= max(_DISAGREES * expected, _SURELY * math.sqrt(expected)):
        return ""
    hours = (now - since) / 3600
    return (
        f"lately {measured / hours:,.0f} images an hour were done, "
        f"and the times before let expect {expected / hours:,.0f}"
    )


def _by_wave(plan: Plan, rounds: Sequence[Played], now: Moment) -> dict[str, WaveEstimate]:
    found = {}
    for index, wave in enumerate(plan.waves):
        begins = [played.begins[index] for played in rounds if index in played.begins]
        ends = [played.ends[index] for played in rounds if index in played.ends]
        if ends:
            found[wave.name] = WaveEstimate(
                begins=_range(begins, now) if begins else None, ends=_range(ends, now)
            )
    return found


def _range(moments: Sequence[Moment], now: Moment) -> Range:
    at = _quantile(moments, 0.5)
    earliest, latest = (
        at + _WIDENED * (_quantile(moments, share) - at)
        for share in (_LEFT_OUT_OF_EACH_END, 1 - _LEFT_OUT_OF_EACH_END)
    )
    # No end lies before the first that was played through by more than what was added.
    earliest = max(earliest, now, min(moments) - (_WIDENED - 1) * (at - min(moments)))
    return Range(earliest=round(earliest, 3), at=round(max(at, now), 3), latest=round(latest, 3))


def _quantile(values: Sequence[float], share: float) -> float:
    """Between two values in proportion."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
