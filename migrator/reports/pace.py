"""What each target's images took so far and what they have left: what estimates are made of."""

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import NamedTuple

from msgspec import Struct

from migrator.domain.image import USUAL, Image
from migrator.domain.plan import Limits
from migrator.domain.units import Moment
from migrator.pacing.projection import Running, TargetWork, Waiting
from migrator.pacing.survival import Observation, Survival
from migrator.reports.rows import began_at
from migrator.reports.runs import RunLine
from migrator.workflow.states import FINISHED, Attempt, Outcome, Phase, State

_RECENT = 400
"""So many of the images that began last tell how long images take now."""

_SAMPLE = 2_000
"""Hardly more of them are looked at than so many: of a hundred thousand under way, a part tells as much."""

_LONGEST_LOOK_BACK = 3600.0
"""Seconds under load that tell how many images are under way at once."""

_SHORTEST_LOOK_BACK = 60.0

_TELLING = 12
"""So few ended images tell nothing of how long their method takes."""

_ASSUMED = {"quick": 1.0, "normal": 3.0}
"""How many times as long as the quickest each method takes until that is known: converting takes longer (IMS
user guide, FAQ on importing)."""

_LEAST_PACE = 0.01

NEARLY = 0.85
"""Who submits at this fraction of the rate is held back by it, not by the job limit."""


class _Span(NamedTuple):
    """One image from its first request to its end, or so far."""

    began: Moment
    ended: Moment
    """inf while it goes on."""

    wave: int
    size: float
    method: str
    doubt: Attempt | None = None
    """The attempt that is in doubt, where it is."""


class Situation(Struct, frozen=True, kw_only=True):
    """What holds for every image of a target at the moment of the estimate."""

    limits: Limits
    late: float
    """Seconds within which a request without an answer may still be accepted."""

    run: RunLine | None
    """The latest."""

    now: Moment
    open: frozenset[int]
    """Waves that may submit now."""


@dataclass(slots=True)
class _Doubts:
    """Submissions whose outcome was, or is, unknown."""

    taken: int = 0
    """Submissions that were accepted, doubted or not."""

    adopted: int = 0
    """Those of them that were doubted."""

    lost: list[Attempt] = field(default_factory=list)
    """Those that turned out never to have happened."""

    def add(self, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            self.taken += attempt.outcome in (Outcome.ACCEPTED, Outcome.ADOPTED)
            self.adopted += attempt.outcome is Outcome.ADOPTED
            if attempt.outcome is Outcome.NOT_FOUND:
                self.lost.append(attempt)

    def seconds(self, attempt: Attempt, late: float) -> float:
        """From a submission until it counts as never accepted: as it was, or as it may be expected."""
        if attempt.outcome is Outcome.NOT_FOUND and attempt.ended_at is not None:
            return max(attempt.ended_at - attempt.began_at, 0.0)
        if not attempt.final:
            return _A_LONG_DOUBT * late
        answered = [self.seconds(lost, late) for lost in self.lost if lost.final]
        return median(answered) if answered else late / 4

    def fraction_lost(self) -> float:
        """Of the submissions that are in doubt."""
        return (len(self.lost) + 1) / (len(self.lost) + self.adopted + 2)


_A_LONG_DOUBT = 1.2
"""A doubt takes so many times policy.late: lists are asked for a while longer."""

_RATHER = 4
"""Doubts that were seen count so many times as much as the long one that is always possible."""

_HARDLY = 0.02
"""What is taken for lost before any submission was."""


class TargetPace:
    """One target: the images that began, and those that did not."""

    def __init__(self) -> None:
        self.spans: list[_Span] = []
        self.waiting: list[tuple[int, int, int, float, str]] = []
        """Wave, priority (the highest first), place in the plan, size, method."""
        self.stuck = 0
        """Images that hold a slot for nobody knows how long: overdue, or held for a person."""
        self.well = self.badly = 0
        self._doubts = _Doubts()

    def add(self, image: Image, state: State, wave: int, *, halted: bool) -> bool:
        """Take in one image; False when nobody can tell when it will be done."""
        phase, method = state.phase, state.method or image.method
        self._doubts.add(state.attempts)
        began = _began(state)
        if phase in FINISHED:
            if began is not None and state.finished_at is not None:
                self.spans.append(_Span(began, max(state.finished_at, began), wave, image.min_disk, method))
            self.well += phase in (Phase.SUCCEEDED, Phase.SKIPPED)
            self.badly += phase is Phase.FAILED
            return True
        if state.held or phase is Phase.OVERDUE:
            self.stuck += 1
            return False
        if phase is Phase.PENDING and halted:
            return False
        if phase is Phase.PENDING and began is None:
            self.waiting.append((wave, -image.priority, len(self.waiting), image.min_disk, method))
            return True
        # A found import of which nobody knows when it began counts as having just begun.
        since = math.inf if began is None else began
        doubt = state.attempts[-1] if phase is Phase.IN_DOUBT and state.attempts else None
        self.spans.append(_Span(since, math.inf, wave, image.min_disk, method, doubt))
        return True

    @cached_property
    def paces(self) -> dict[str, float]:
        """By method, how many times as long as by the most usual one an image takes; ask when all are in."""
        took: defaultdict[str, list[float]] = defaultdict(list)
        methods = {span.method for span in self.spans} | {method for *_, method in self.waiting}
        for span in self.spans:
            if span.ended < math.inf:
                took[span.method].append(span.ended - span.began)
        usual = max(
            took or methods or [USUAL], key=lambda method: (len(took.get(method, ())), method == USUAL)
        )
        typical = median(took[usual]) if took.get(usual) else 0.0
        found = {}
        for method in methods:
            known = took.get(method, ())
            if len(known) >= _TELLING and typical > 0:
                found[method] = max(median(known) / typical, _LEAST_PACE)
            else:
                found[method] = _ASSUMED.get(method, 1.0) / _ASSUMED.get(usual, 1.0)
        return found

    @property
    def under_way(self) -> int:
        """Images that began and have not ended."""
        return sum(span.ended == math.inf for span in self.spans)

    def seen(self, runs: Sequence[RunLine], now: Moment) -> list[Observation]:
        """How long the latest images took; those that went on between two runs are left out, because nobody
        saw when they ended."""
        begins = [run.began_at for run in runs]
        paces = self.paces
        found = []
        for span in sorted(self.spans, key=lambda span: span.began)[-_RECENT - self.under_way :]:
            ended = span.ended < math.inf
            until = span.ended if ended else now
            whole = span.began <= until and bisect_right(begins, span.began) == bisect_right(begins, until)
            if whole and span.doubt is None:
                found.append(Observation((until - span.began) / paces[span.method], ended, span.size))
        # Every so many-th: ended and running ones stay in proportion, and a law is fitted to them many times.
        return found[:: 1 + len(found) // _SAMPLE]

    def ended_since(self, since: Moment, now: Moment, survival: Survival) -> tuple[int, float]:
        """How many images ended since then, and how many were to be expected to."""
        ended, due = 0, 0.0
        for span in self.spans:
            until, pace = min(span.ended, now), self.paces[span.method]
            if span.began <= until and until > since:
                ended += span.ended <= now
                due += survival.hazard((until - span.began) / pace)
                due -= survival.hazard(max(since - span.began, 0.0) / pace)
        return ended, due

    def work(self, seen: Sequence[Observation], there: Situation) -> TargetWork:
        """What is left, with what limits it."""
        now, late, doubts = there.now, there.late, self._doubts
        running = [
            Running(
                span.wave,
                span.size,
                max(now - span.began, 0.0),
                None if span.doubt is None else doubts.seconds(span.doubt, late),
                self.paces[span.method],
            )
            for span in self.spans
            if span.ended == math.inf
        ]
        seen_doubts = [doubts.seconds(attempt, late) for attempt in doubts.lost]
        seen_doubts += [job.doubt for job in running if job.doubt is not None]
        in_doubt = sum(job.doubt is not None for job in running)
        lost = len(doubts.lost) + doubts.fraction_lost() * in_doubt + _HARDLY
        return TargetWork(
            waiting=[
                Waiting(wave, size, self.paces[method]) for wave, _, _, size, method in sorted(self.waiting)
            ],
            running=running,
            slots=self._slots(there),
            interval=1 / there.limits.submit_rate.per_second,
            seen=seen,
            well=(self.well + 1) / (self.well + self.badly + 1),
            lost=lost / (len(doubts.lost) + in_doubt + doubts.taken + 1),
            lost_in_doubt=doubts.fraction_lost(),
            doubts=[_A_LONG_DOUBT * late, *seen_doubts * _RATHER],
        )

    def _slots(self, there: Situation) -> int:
        """How many images may be under way at once: what was measured, or else what the plan allows."""
        most = there.limits.max_jobs
        slots = max(most - self.stuck, 0)
        measured = self._measured_slots(there) if slots else None
        return slots if measured is None else min(measured, 3 * most)

    def _measured_slots(self, there: Situation) -> int | None:
        """How many were under way at once lately, while more could have begun.

        None where that tells nothing: too short a time, or the submit rate held them back and not the cloud.
        """
        run = there.run
        if run is None:
            return None
        loaded = self._loaded(run.began_at, there.now if run.ended_at is None else run.ended_at, there.open)
        # The first half may be the time in which they became so many.
        look_back = min(sum(end - begin for begin, end in loaded) / 2, _LONGEST_LOOK_BACK)
        if look_back < _SHORTEST_LOOK_BACK:
            return None
        parts = _last(loaded, look_back)
        begun = sum(begin < span.began <= end for begin, end in parts for span in self.spans)
        if begun >= NEARLY * there.limits.submit_rate.per_second * look_back:
            return None
        under_way = sum(
            max(min(span.ended, end) - max(span.began, begin), 0.0)
            for begin, end in parts
            for span in self.spans
            if span.doubt is None
        )
        return max(round(under_way / look_back), 1)

    def _loaded(self, since: Moment, until: Moment, open_: frozenset[int]) -> list[tuple[Moment, Moment]]:
        """When images waited that could have begun, in order and without overlap."""
        first: dict[int, Moment] = {}
        last: dict[int, Moment] = {}
        for span in self.spans:
            if since <= span.began <= until:
                first[span.wave] = min(first.get(span.wave, span.began), span.began)
                last[span.wave] = max(last.get(span.wave, span.began), span.began)
        for wave in {wave for wave, *_ in self.waiting} & open_ & first.keys():
            last[wave] = until
        merged: list[tuple[Moment, Moment]] = []
        for begin, end in sorted((first[wave], last[wave]) for wave in first):
            if merged and begin <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
            else:
                merged.append((begin, end))
        return merged


def _began(state: State) -> Moment | None:
    """When its first request left, of those after the last that never happened."""
    attempts, began = state.attempts, began_at(state)
    lost = [place for place, attempt in enumerate(attempts) if attempt.outcome is Outcome.NOT_FOUND]
    if began is None or not lost or began > attempts[lost[-1]].began_at:
        return began
    return attempts[lost[-1] + 1].began_at if lost[-1] + 1 < len(attempts) else None


def _last(parts: Sequence[tuple[Moment, Moment]], seconds: float) -> list[tuple[Moment, Moment]]:
    """The last so many seconds of the parts."""
    found = []
    for begin, end in reversed(parts):
        if seconds <= 0:
            break
        found.append((max(begin, end - seconds), end))
        seconds -= end - begin
    return found
