"""How long an image may stay invisible before its attempt counts as lost.

Nobody documents whether an unfinished import, or its tags, shows in image lists, so "not found" proves
nothing by itself. Each target therefore learns from its own accepted jobs, whose truth it knows:

* enough of them were listed while they ran → an absent one is lost after a few times the longest delay seen;
* running ones are not listed → an absent one may still be running, so it is lost only when its import would
  have ended: a few times the longest job seen;
* nothing known → an hour.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from migrator.model import Moment

ENOUGH = 5
"""Jobs seen while running, before lists are trusted to show running imports."""

ENOUGH_ENDED = 20
"""Jobs that ended, before their durations say how long one may take."""

MARGIN = 3.0
LEAST = 60.0
UNKNOWN = 3600.0
PLAUSIBLE = 30.0
"""A running job that was absent from a list this long after its acceptance counts as not listed. And one that
was first listed later than this proves how slow lists are only if an earlier list did not show it."""

ROUND_TRIP = 5.0
"""Seconds that an answer, and the list asked for after it, may take."""


class By(StrEnum):
    """What a list was filtered by."""

    TAG = "tag"
    NAME = "name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """What one target's own jobs taught about its lists."""

    seen: int = 0
    """Jobs that were listed while they ran, by a list that tells something about how soon they show."""

    unseen: int = 0
    """Jobs that ended without having been listed while they ran, though a list was made in time."""

    longest_delay: float = 0.0
    """Seconds from acceptance to the first list that showed the job; the longest of those seen."""

    ended: int = 0
    """Jobs that ended."""

    longest_job: float = 0.0
    """Seconds that the longest of them took."""

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
            return max(LEAST, MARGIN * self.longest_delay)
        if self.ended >= ENOUGH_ENDED:
            return max(LEAST, MARGIN * self.longest_job)
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


class Calibration:
    """The bookkeeping behind `Learned`, for one way of listing one target. Time comes in as an argument."""

    def __init__(self, learned: Learned | None = None) -> None:
        self.learned = learned or Learned()
        self._watched: dict[str, _Watched] = {}
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

    def settle(self, fixed: float | None) -> float:
        """`Learned.settle`, with an eye on what is missed now: lists may have become slower since."""
        learned = self.learned
        if learned.listed:
            learned = replace(learned, longest_delay=max(learned.longest_delay, self.missing))
        return learned.settle(fixed)

    @property
    def usual_delay(self) -> float | None:
        """Seconds after which a running job usually shows, judged by this run alone; None: nobody knows yet.

        Less than `Learned.longest_delay`, which rests on what happened at all, and good enough for a guess.
        """
        if not self.learned.listed or len(self._soonest) < ENOUGH:
            return None
        return max(self._soonest[-1], self._latest_miss)

    def accepted(self, key: str, at: Moment, *, earlier: bool = False) -> None:
        """A job of ours was accepted; by an `earlier` run, perhaps."""
        self._watched[key] = _Watched(at, earlier)

    def listed(self, unfinished: set[str], finished: set[str], at: Moment) -> None:
        """A whole list of our images, answered at `at`, showed these keys.

        A finished image says nothing about unfinished ones, so it counts neither way.
        """
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

    def ended(self, key: str, at: Moment) -> None:
        """A job of ours is known to have ended."""
        job = self._watched.pop(key, None)
        if job is not None and not job.earlier:
            old = self.learned
            self.learned = replace(
                old,
                unseen=old.unseen + (job.absent and not job.seen),
                ended=old.ended + 1,
                longest_job=max(old.longest_job, at - job.accepted_at),
            )
