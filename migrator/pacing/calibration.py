"""What accepted jobs teach about how soon a target lists imports: the bookkeeping behind VisibilityDelays."""

from math import inf

from msgspec import Struct
from msgspec.structs import replace

from migrator.workflow.visibility_delay import ENOUGH, VisibilityDelays

PLAUSIBLE = 30.0
"""A running job that was absent from a list this long after its acceptance counts as not listed. And one that
was first listed later than this proves how slow lists are only if an earlier list did not show it."""

COMPARABLE = 60.0
"""Seconds after an attempt in doubt within which another job was accepted of which it may be the like."""

STALE = 60.0
"""Seconds after which a list is too old for a verdict to rest on what it taught."""

ROUND_TRIP = 5.0
"""Seconds that an answer, and the list asked for after it, may take."""


class _Watched(Struct, gc=False):
    accepted_at: float
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
    """The bookkeeping behind `VisibilityDelays`, for one way of listing one target. Time comes in as an
    argument."""

    def __init__(self, learned: VisibilityDelays | None = None) -> None:
        self.learned = learned or VisibilityDelays()
        self._watched: dict[str, _Watched] = {}
        self._seen = 0
        """How many of those a list has shown."""
        self._missed: set[str] = set()
        """The others of those that a list did not show."""
        self._unshown: dict[str, _Watched] = {}
        """Jobs that ended well, and whose finished images no list has shown yet."""
        self._looked_at: float | None = None
        self._soonest: list[float] = []
        self._latest_miss = 0.0

    @property
    def curious(self) -> bool:
        """Whether one more list would teach something.

        Jobs that a list did not show are waited for to the last, or else the quick ones alone would count.
        """
        listed = self.learned.listed
        if listed is None:
            return self._seen < len(self._watched)
        return listed and bool(self._missed)

    @property
    def missing(self) -> float:
        """Seconds for which the oldest job that runs and was not listed yet has been missed."""
        return max((self._watched[key].missed_at for key in self._missed), default=0.0)

    def fresh(self, now: float) -> bool:
        """Whether a list was read lately: what was learned may rest on nothing older."""
        return self._looked_at is not None and now - self._looked_at <= STALE

    def visibility_timeout(self, fixed: float | None, now: float, doubted: float) -> float:
        """`VisibilityDelays.visibility_timeout`, with an eye on what runs now.

        Lists may have become slower since, and the jobs that have ended so far may be the short ones. Nor is
        anything relied upon that nobody has looked at lately. Where lists are not known to show running
        imports, jobs that were accepted no later than an attempt in doubt say more than any figure: it is not
        given up while one of them runs unlisted, for it may be such a one.
        """
        if fixed is None and not self.fresh(now):
            return inf
        if not self.learned.listed and any(
            job.accepted_at <= doubted + COMPARABLE and not job.seen for job in self._watched.values()
        ):
            return inf
        unlisted = max((job.unlisted_at for job in self._unshown.values() if not job.seen), default=0.0)
        oldest = max((now - job.accepted_at for job in self._watched.values()), default=0.0)
        learned = replace(
            self.learned,
            longest_delay=max(self.learned.longest_delay, self.missing, unlisted),
            longest_job=max(self.learned.longest_job, oldest),
        )
        return learned.visibility_timeout(fixed)

    @property
    def usual_delay(self) -> float | None:
        """Seconds after which a running job usually shows, judged by this run alone; None: nobody knows yet.

        Less than `VisibilityDelays.longest_delay`, which rests on what happened at all, and good enough for a
        guess.
        """
        if not self.learned.listed or len(self._soonest) < ENOUGH:
            return None
        return max(self._soonest[-1], self._latest_miss)

    def accepted(self, key: str, at: float) -> None:
        """A job of ours was accepted."""
        self._taken(key)
        self._watched[key] = _Watched(at, earlier=False)

    def resumed(self, key: str, accepted_at: float, *, ended: bool) -> None:
        """An earlier run left this job: it runs, or it has `ended` well and its image is to be verified."""
        self._taken(key)
        (self._unshown if ended else self._watched)[key] = _Watched(accepted_at, earlier=True)

    def listed(self, unfinished: set[str], finished: set[str], at: float) -> None:
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
                self._seen += 1
                self._missed.discard(key)
                if not job.earlier and (job.missed_at or age <= PLAUSIBLE):
                    longest = max(self.learned.longest_delay, age)
                    self.learned = replace(self.learned, seen=self.learned.seen + 1, longest_delay=longest)
                    self._soonest = sorted([*self._soonest, age])[:ENOUGH]
            else:
                job.missed_at, job.absent = age, job.absent or age >= PLAUSIBLE
                self._latest_miss = max(self._latest_miss, age)
                if age:
                    self._missed.add(key)

    def ended(self, key: str, *, well: bool) -> None:
        """A job of ours is known to have ended; one that ended badly may never have had an image to list."""
        job = self._taken(key)
        if job is None or not well:
            return
        self._unshown[key] = job
        if job.absent and not job.seen and not job.earlier:
            self.learned = replace(self.learned, unseen=self.learned.unseen + 1)

    def forget(self, key: str) -> None:
        """Nobody looks after this job any more."""
        self._taken(key)
        self._unshown.pop(key, None)

    def _taken(self, key: str) -> _Watched | None:
        """A job that is watched for its running image no longer; None if it was not."""
        job = self._watched.pop(key, None)
        if job is not None:
            self._seen -= job.seen
            self._missed.discard(key)
        return job

    def unlisted(self, key: str, at: float) -> None:
        """The image of a job that ended well was looked for at `at`, and was not listed."""
        if (job := self._unshown.get(key)) is not None:
            job.unlisted_at = at - job.accepted_at

    def shown(self, key: str, at: float) -> None:
        """The image of a job that ended well was listed at `at`, for the first time that anybody looked."""
        job = self._unshown.pop(key, None)
        if job is None:
            return
        old, age = self.learned, at - job.accepted_at
        if job.earlier:  # it was listed by then, at the latest: a bound, and on the safe side
            self.learned = replace(old, ended=old.ended + 1, longest_job=max(old.longest_job, age))
            return
        self.learned = replace(
            old,
            ended=old.ended + 1,
            longest_job=max(old.longest_job, age),
            # Missed while it ran, and even after that: so slow can lists be.
            longest_delay=max(old.longest_delay, age)
            if job.missed_at and not job.seen
            else old.longest_delay,
        )
