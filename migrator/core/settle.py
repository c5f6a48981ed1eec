"""How long an image may stay invisible before its attempt counts as lost.

Nobody documents whether an unfinished import, or its tags, shows in image lists, so "not found" proves
nothing by itself. Each target therefore learns from its own accepted jobs, whose truth it knows:

* enough of them were listed while they ran → an absent one is lost after some times the longest delay seen,
  more times the fewer were seen: the longest of five says little about the next;
* running ones are not listed → an absent one may still be running, so it is lost only when its import would
  have ended and been listed: a few times the longest that it took for a job;
* nothing known → an hour.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import prod

from msgspec import Struct
from msgspec.structs import replace

from migrator.model import Moment

ENOUGH = 5
"""Jobs seen while running, before lists are trusted to show running imports."""

ENOUGH_ENDED = 20
"""Jobs whose finished images were listed, before they say how long that may take."""

MARGIN = 3.0
"""How many times the longest of many delays one more may take."""

DOUBT = 1e-4
"""The chance that is left to a delay beyond all that is allowed for."""

MANY = 50
"""Delays of which the longest says enough."""

LEAST = 60.0
UNKNOWN = 3600.0
PLAUSIBLE = 30.0
"""A running job that was absent from a list this long after its acceptance counts as not listed. And one that
was first listed later than this proves how slow lists are only if an earlier list did not show it."""

STALE = 60.0
"""Seconds after which a list is too old for a verdict to rest on what it taught."""

ROUND_TRIP = 5.0
"""Seconds that an answer, and the list asked for after it, may take."""


@cache
def _margin(count: int) -> float:
    most = MARGIN
    while prod(number / (number + most) for number in range(1, count + 1)) > DOUBT:
        most *= 1.02
    return most


def margin(count: int) -> float:
    """How many times the longest of `count` delays the next may take, with DOUBT as the chance of more.

    Never less than MARGIN, and more where few were seen. Delays are taken to have an exponential tail: then
    the next is longer than m times the longest with a chance of 1/(1+m) * 2/(2+m) * ... * count/(count+m),
    because the longest is a sum of `count` independent steps (Renyi's representation of order statistics).
    """
    return _margin(min(max(count, 1), MANY))


class By(StrEnum):
    """What a list was filtered by."""

    TAG = "tag"
    NAME = "name"


class Learned(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one target's own jobs taught about its lists."""

    seen: int = 0
    """Jobs that were listed while they ran, by a list that tells something about how soon they show."""

    unseen: int = 0
    """Jobs that ended without having been listed while they ran, though a list was made in time."""

    longest_delay: float = 0.0
    """Seconds from acceptance to the first list that showed the job; the longest of those seen."""

    ended: int = 0
    """Jobs that ended well and whose images were listed."""

    longest_job: float = 0.0
    """Seconds from acceptance until the last of them was listed as finished, at most."""

    @property
    def listed(self) -> bool | None:
        """Whether running imports show in lists; None while nobody knows."""
        if self.seen >= ENOUGH and self.unseen * 20 <= self.seen:
            return True
        return False if self.unseen >= ENOUGH else None

    def worth_telling(self, told: "Learned | None") -> bool:
        """Whether this says something that `told` did not: another verdict, or twice the evidence."""
        old = told or Learned()
        more = self.seen + self.unseen + self.ended, old.seen + old.unseen + old.ended
        return self.listed is not old.listed or more[0] >= 2 * max(more[1], ENOUGH)

    def settle(self, fixed: float | None) -> float:
        """Seconds from an attempt to the moment when an empty look-up proves that it did not happen."""
        if fixed is not None:
            return fixed
        if self.listed:
            return max(LEAST, margin(self.seen) * self.longest_delay)
        if self.ended >= ENOUGH_ENDED:
            return max(LEAST, margin(self.ended) * self.longest_job)
        return UNKNOWN


@dataclass(slots=True)
class _Watched:
    accepted_at: Moment
    earlier: bool
    """Accepted by an earlier run: nobody looked meanwhile, so it only tells whether it is missed now."""
    seen: bool = False
    missed_at: float = 0.0
    """The age at which a list last did not show it; 0.0 when none was made, or all did."""
    absent: bool = False
    """A list did not show it, though it should have."""
    unlisted_at: float = 0.0
    """The age at which its finished image was last missed."""


class Calibration:
    """The bookkeeping behind `Learned`, for one way of listing one target. Time comes in as an argument."""

    def __init__(self, learned: Learned | None = None) -> None:
        self.learned = learned or Learned()
        self._watched: dict[str, _Watched] = {}
        self._unshown: dict[str, _Watched] = {}
        """Jobs that ended well, and whose finished images no list has shown yet."""
        self._looked_at: Moment | None = None
        self._soonest: list[float] = []
        self._latest_miss = 0.0

    @property
    def curious(self) -> bool:
        """Whether one more list would teach something.

        Jobs that a list did not show are waited for to the last, or else the quick ones alone would count.
        """
        listed = self.learned.listed
        if listed is False:
            return False
        return any((listed is None or job.missed_at) and not job.seen for job in self._watched.values())

    @property
    def missing(self) -> float:
        """Seconds for which the oldest job that runs and was not listed yet has been missed."""
        return max((job.missed_at for job in self._watched.values() if not job.seen), default=0.0)

    def settle(self, fixed: float | None, now: Moment) -> float:
        """`Learned.settle`, with an eye on what runs now.

        Lists may have become slower since, and the jobs that have ended so far may be the short ones. Nor is
        anything relied upon that nobody has looked at lately.
        """
        if fixed is None and (self._looked_at is None or now - self._looked_at > STALE):
            return UNKNOWN
        unlisted = max((job.unlisted_at for job in self._unshown.values() if not job.seen), default=0.0)
        oldest = max((now - job.accepted_at for job in self._watched.values()), default=0.0)
        learned = replace(
            self.learned,
            longest_delay=max(self.learned.longest_delay, self.missing, unlisted),
            longest_job=max(self.learned.longest_job, oldest),
        )
        return learned.settle(fixed)

    @property
    def usual_delay(self) -> float | None:
        """Seconds after which a running job usually shows, judged by this run alone; None: nobody knows yet.

        Less than `Learned.longest_delay`, which rests on what happened at all, and good enough for a guess.
        """
        if not self.learned.listed or len(self._soonest) < ENOUGH:
            return None
        return max(self._soonest[-1], self._latest_miss)

    def accepted(self, key: str, at: Moment) -> None:
        """A job of ours was accepted."""
        self._watched[key] = _Watched(at, earlier=False)

    def resumed(self, key: str, accepted_at: Moment, *, ended: bool) -> None:
        """An earlier run left this job: it runs, or it has `ended` well and its image is to be verified."""
        (self._unshown if ended else self._watched)[key] = _Watched(accepted_at, earlier=True)

    def listed(self, unfinished: set[str], finished: set[str], at: Moment) -> None:
        """A whole list of our images, answered at `at`, showed these keys.

        A finished image says nothing about unfinished ones, so it counts neither way.
        """
        self._looked_at = at
        for key, job in self._watched.items():
            if job.seen or key in finished:
                continue
            age = max(0.0, at - job.accepted_at)
            if key in unfinished:
                job.seen = True
                if not job.earlier and (job.missed_at or age <= PLAUSIBLE):
                    longest = max(self.learned.longest_delay, age)
                    self.learned = replace(self.learned, seen=self.learned.seen + 1, longest_delay=longest)
                    self._soonest = sorted([*self._soonest, age])[:ENOUGH]
            else:
                job.missed_at, job.absent = age, job.absent or age >= PLAUSIBLE
                self._latest_miss = max(self._latest_miss, age)

    def ended(self, key: str, *, well: bool) -> None:
        """A job of ours is known to have ended; one that ended badly may never have had an image to list."""
        job = self._watched.pop(key, None)
        if job is None or not well:
            return
        self._unshown[key] = job
        if job.absent and not job.seen and not job.earlier:
            self.learned = replace(self.learned, unseen=self.learned.unseen + 1)

    def forget(self, key: str) -> None:
        """Nobody looks after this job any more."""
        self._watched.pop(key, None)
        self._unshown.pop(key, None)

    def unlisted(self, key: str, at: Moment) -> None:
        """The image of a job that ended well was looked for at `at`, and was not listed."""
        if (job := self._unshown.get(key)) is not None:
            job.unlisted_at = at - job.accepted_at

    def shown(self, key: str, at: Moment) -> None:
        """The image of a job that ended well was listed at `at`, for the first time that anybody looked."""
        job = self._unshown.pop(key, None)
        if job is None or job.earlier:
            return
        old, age = self.learned, at - job.accepted_at
        self.learned = replace(
            old,
            ended=old.ended + 1,
            longest_job=max(old.longest_job, age),
            # Missed while it ran, and even after that: so slow can lists be.
            longest_delay=max(old.longest_delay, age)
            if job.missed_at and not job.seen
            else old.longest_delay,
        )
