"""The rest of a plan, played through in simulated time with what limits it now.

A percentage does not tell when the rest is done: images differ, the job limit fills and drains, waves wait
for each other and for the clock, and the last jobs take their time however many came before. So jobs are
begun as job limit, submit rate and waves allow, each takes as long as a job seen before, and all of that is
done again and again with other dice: how the ends differ is the range that is told.
"""

import heapq
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from typing import NamedTuple

from migrator.domain.units import Moment
from migrator.pacing.survival import Observation, Survival, resampled, size_exponent
from migrator.workflow.waves import Waves

ROUNDS = 40
"""How often the rest is played through."""

FEWEST_ROUNDS = 8
"""The same where very many are under way: their ends differ little from round to round."""

_STEPS = 80_000
"""Ends of images under way that are played, in all rounds together."""

_BUNDLES = 250
"""So many images under way are played one by one; more than that in so many bundles."""

_SINGLES = 200
"""The last so many jobs of each wave are played one by one; those before them in chunks, which end alike."""

_CHUNKS = 200


class Waiting(NamedTuple):
    """An image that is still to be submitted."""

    wave: int
    size: float
    pace: float = 1.0
    """How many times as long as others of its size it takes."""


class Running(NamedTuple):
    """An image whose import is under way, or may be."""

    wave: int
    size: float
    spent: float
    """Seconds since it began."""

    doubt: float | None = None
    """Seconds from its submission until it counts as never accepted, should it not be found; None where it is
    not in doubt."""

    pace: float = 1.0
    """As of Waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetWork:
    """What is left for one target, and what limits it now."""

    waiting: Sequence[Waiting]
    """In the order of submission within each wave."""

    running: Sequence[Running]
    slots: int
    """Images that may be under way at once."""

    interval: float
    """Seconds between two submissions, at least."""

    seen: Sequence[Observation]
    """How long its jobs took, each by its pace; at least one."""

    well: float
    """The fraction of images that end well."""

    lost: float
    """The fraction of submissions that turn out, after a doubt, never to have happened."""

    lost_in_doubt: float
    """The same of those that are in doubt now."""

    doubts: Sequence[float]
    """Seconds that such doubts take, each as likely as the others; at least one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How one round went."""

    end: Moment
    """When the last image was done; the moment it began where nothing was."""

    begins: Mapping[int, Moment]
    """By wave: when the first of its images was submitted that were still to be."""

    ends: Mapping[int, Moment]
    """By wave: when the last of its images was done that were left."""

    never: int
    """Images that were not submitted, because their wave closed or never opened."""


class _Chunk(NamedTuple):
    images: int
    size: float
    pace: float = 1.0
    slots: int = 1
    """That its images hold together: 1 where one follows the other."""


class _Bundle(NamedTuple):
    """Images of one wave that are under way and much alike."""

    like: Running
    images: int


class Projection:
    """What is left, made ready to be played through many times."""

    def __init__(self, work: Sequence[TargetWork], waves: Waves, now: Moment) -> None:
        """`waves` tells how far each wave has come at `now`."""
        self._prepared = [_Prepared(one) for one in work]
        self._waves, self._now = waves, now

    @property
    def rounds(self) -> int:
        """How often it is worth while to play it through."""
        running = sum(2 * len(one.bundles) for one in self._prepared)
        return max(FEWEST_ROUNDS, min(ROUNDS, _STEPS // max(1, running)))

    def play(self, dice: Random) -> Played:
        """One round."""
        targets = [_Target(one, dice) for one in self._prepared]
        return _Round(targets, self._waves.copy(), self._now).played()


class _Prepared:
    """One target: what is the same in every round."""

    def __init__(self, work: TargetWork) -> None:
        self.work = work
        self._exponent = size_exponent(work.seen)
        sizes = sorted(one.size for one in work.seen)
        self._typical = sizes[len(sizes) // 2] or 1.0
        self.seen = [one._replace(seconds=one.seconds / self.factor(one.size)) for one in work.seen]
        self.queues = _queues(work.waiting)
        self.bundles = _bundles(work.running)

    def factor(self, size: float) -> float:
        """How much longer than a typical one a job of this size takes."""
        return float((size / self._typical) ** self._exponent) if self._exponent else 1.0


class _Target:
    """One target in one round."""

    def __init__(self, prepared: _Prepared, dice: Random) -> None:
        self._factor, self._dice = prepared.factor, dice
        self._survival = Survival(resampled(prepared.seen, dice))
        self._mean, self._deviation = self._survival.moments()
        work = prepared.work
        self.bundles = prepared.bundles
        self.slots, self.interval, self._well = work.slots, work.interval, work.well
        self.under_way = 0
        self._lost, self._lost_in_doubt = work.lost, work.lost_in_doubt
        self._doubts = work.doubts
        self.next_at = self.looks_at = -math.inf
        self.queues = {wave: deque(queue) for wave, queue in prepared.queues.items()}

    @property
    def left(self) -> int:
        return sum(chunk.images for queue in self.queues.values() for chunk in queue)

    def next_wave(self, open_: frozenset[int]) -> int | None:
        return next((wave for wave, queue in self.queues.items() if queue and wave in open_), None)

    def rests_of(self, bundle: _Bundle) -> Iterator[tuple[int, float]]:
        """How many of its images are done after how many more seconds: the last of them, and the others.

        The longest of n jobs is longer than the n-th root of a chance: drawn for itself, it lets the end of
        a run come as late as if each job had been played.
        """
        job, images = bundle
        factor = self._factor(job.size) * job.pace
        spent, chance = job.spent / factor, self._dice.random
        yield 1, self._survival.draw_rest(spent, chance() ** (1 / images)) * factor
        if images > 1:
            yield images - 1, self._survival.draw_rest(spent, chance()) * factor

    def doubt_of(self, job: Running) -> float | None:
        """Seconds until an image in doubt is submitted again; None where it need not be."""
        if job.doubt is None or self._dice.random() >= self._lost_in_doubt:
            return None
        return max(job.doubt - job.spent, 0.0)

    def how_many_lost(self, count: int) -> int:
        """So many of some submissions never happened."""
        return min(math.floor(count * self._lost + self._dice.random()), count)

    def doubt(self) -> float:
        """Seconds of one doubt."""
        return self._dice.choice(self._doubts)

    def duration_of(self, chunk: _Chunk) -> float:
        if chunk.images == 1:
            return self._survival.draw(self._dice.random()) * self._factor(chunk.size) * chunk.pace
        spread = self._deviation * math.sqrt(chunk.images) * self._dice.gauss(0.0, 1.0)
        return max(self._mean * chunk.images + spread, 0.0) * self._factor(chunk.size) * chunk.pace

    def how_many_well(self, count: int) -> int:
        if count == 1:
            return int(self._dice.random() < self._well)
        return round(count * self._well)


class _Kind(Enum):
    END = auto()
    """Images are done."""
    AGAIN = auto()
    """Images of a lost submission stand in line again."""
    LOOK = auto()
    """Something may begin."""


class _Event(NamedTuple):
    at: Moment
    number: int
    """Breaks ties."""
    kind: _Kind
    target: int
    wave: int
    chunk: _Chunk


_NOBODY = _Chunk(images=0, size=0.0)


class _Round:
    """Events in the order of time."""

    def __init__(self, targets: Sequence[_Target], waves: Waves, now: Moment) -> None:
        self._targets, self._waves, self._now = targets, waves, now
        self._events: list[_Event] = []
        self._numbers = 0
        self._begins: dict[int, Moment] = {}
        self._ends: dict[int, Moment] = {}
        self._gate = waves.gate(now)
        for index, target in enumerate(targets):
            for bundle in target.bundles:
                job = bundle.like
                image = _Chunk(images=1, size=job.size, pace=job.pace)
                if (doubt := target.doubt_of(job)) is not None:
                    self._push(now + doubt, _Kind.AGAIN, index, job.wave, image)
                    continue
                target.under_way += bundle.images
                for images, rest in target.rests_of(bundle):
                    done = image._replace(images=images, slots=images)
                    self._push(now + rest, _Kind.END, index, job.wave, done)
        self._look_again_when_the_gate_does()

    def played(self) -> Played:
        for index in range(len(self._targets)):
            self._begin(index, self._now)
        while self._events:
            now, _, kind, index, wave, chunk = heapq.heappop(self._events)
            target = self._targets[index]
            if kind is _Kind.END:
                target.under_way -= chunk.slots
                self._ends[wave] = now
                self._waves.ended(wave, chunk.images, target.how_many_well(chunk.images))
            elif kind is _Kind.AGAIN:
                target.queues.setdefault(wave, deque()).appendleft(chunk)
            for each in range(len(self._targets)) if self._gate_moved(now) else (index,):
                self._begin(each, now)
        return Played(
            end=max(self._ends.values(), default=self._now),
            begins=self._begins,
            ends=self._ends,
            never=sum(target.left for target in self._targets),
        )

    def _gate_moved(self, now: Moment) -> bool:
        if not self._waves.any:
            return False
        before, self._gate = self._gate, self._waves.gate(now)
        if self._gate.open == before.open and self._gate.until == before.until:
            return False
        self._look_again_when_the_gate_does()
        return True

    def _begin(self, index: int, now: Moment) -> None:
        """Begin what this target may begin now."""
        target = self._targets[index]
        while target.under_way < target.slots:
            wave = target.next_wave(self._gate.open)
            if wave is None:
                return
            if target.next_at > now:
                if target.looks_at != target.next_at:
                    target.looks_at = target.next_at
                    self._push(target.next_at, _Kind.LOOK, index, wave, _NOBODY)
                return
            chunk = target.queues[wave].popleft()
            self._begins.setdefault(wave, now)
            target.next_at = max(target.next_at, now) + target.interval * chunk.images
            lost = target.how_many_lost(chunk.images)
            for _ in range(lost):
                image = chunk._replace(images=1)
                self._push(now + target.doubt(), _Kind.AGAIN, index, wave, image)
            if taken := chunk.images - lost:
                target.under_way += 1
                accepted = chunk._replace(images=taken)
                self._push(now + target.duration_of(accepted), _Kind.END, index, wave, accepted)

    def _look_again_when_the_gate_does(self) -> None:
        if self._gate.until is not None:
            self._push(self._gate.until, _Kind.LOOK, 0, 0, _NOBODY)

    def _push(self, at: Moment, kind: _Kind, target: int, wave: int, chunk: _Chunk) -> None:
        self._numbers += 1
        heapq.heappush(self._events, _Event(at, self._numbers, kind, target, wave, chunk))


def _bundles(running: Sequence[Running]) -> list[_Bundle]:
    """Each image under way by itself, or very many of them together with those that are most like them.

    What an image in doubt leads to is decided for each.
    """
    if len(running) <= _BUNDLES:
        return [_Bundle(job, 1) for job in running]
    bundles = [_Bundle(job, 1) for job in running if job.doubt is not None]
    waves: dict[int, list[Running]] = {}
    for job in running:
        if job.doubt is None:
            waves.setdefault(job.wave, []).append(job)
    width = math.ceil(len(running) / _BUNDLES)
    for wave, jobs in waves.items():
        jobs.sort(key=lambda job: (job.pace, job.size, job.spent))
        for start in range(0, len(jobs), width):
            part = jobs[start : start + width]
            size, spent, pace = (
                math.fsum(values) / len(part)
                for values in zip(*((job.size, job.spent, job.pace) for job in part), strict=True)
            )
            bundles.append(_Bundle(Running(wave, size, spent, pace=pace), len(part)))
    return bundles


def _queues(waiting: Sequence[Waiting]) -> dict[int, list[_Chunk]]:
    """By wave, in their order: many jobs of one wave as chunks, but for the last of them."""
    images: dict[int, list[Waiting]] = {}
    for image in waiting:
        images.setdefault(image.wave, []).append(image)
    queues = {}
    for wave, each in sorted(images.items()):
        bulk = max(len(each) - _SINGLES, 0)
        width = max(math.ceil(bulk / _CHUNKS), 1)
        parts = [each[start : min(start + width, bulk)] for start in range(0, bulk, width)]
        chunks = [
            _Chunk(
                images=len(part),
                size=sum(one.size for one in part) / len(part),
                pace=sum(one.pace for one in part) / len(part),
            )
            for part in parts
        ]
        queues[wave] = chunks + [_Chunk(images=1, size=one.size, pace=one.pace) for one in each[bulk:]]
    return queues
