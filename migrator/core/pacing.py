"""How the service's complaints change our rates and our job window.

The plan says how fast we may go at most; the service says, by refusing, how fast it lets us go today. Nobody
documents those limits, so they are learned: cut at once when it complains, come back quickly to just below
what it took, and try a little more only now and then, so that trying costs few refusals.
"""

from migrator.core.bucket import Bucket
from migrator.model import RateHint

CUT = 0.7
"""What a complaint leaves of the rate, while nobody knows the limit."""

BELOW = 0.95
"""How much of a limit that we guessed is used."""

BELOW_TOLD = 0.98
"""How much of a limit that the service told is used: its windows and ours are not aligned."""

COMEBACK = 5.0
"""Seconds in which the rate comes back to just below the limit."""

TRY_AFTER = 400
TRY_AFTER_SECONDS = 300.0
"""So many requests go well, or so much time, before a little more than the limit is tried."""

TRY = 0.05
"""The first step beyond a guessed limit, as a part of it; while it goes well, each doubles the next."""

SLOT = 10.0
"""Seconds over which it is counted how much is sent."""

LONGEST_SILENCE = 60.0
SLOWEST = 0.02
"""However often the service complains, one request may leave every fifty seconds: somebody has to ask whether
it is better."""


class Pace:
    """A token bucket whose rate gives way when the service complains, and finds what it tolerates."""

    __slots__ = (
        "_adaptive",
        "_complaints",
        "_cut_at",
        "_cycle",
        "_cycle_at",
        "_grown_at",
        "_limit",
        "_step",
        "_told",
        "_tried_at",
        "_used",
        "_well",
        "bucket",
        "ceiling",
    )

    def __init__(self, rate: float, burst: int, now: float, *, adaptive: bool) -> None:
        self.ceiling = rate
        """What the plan allows, in requests a second."""
        self.bucket = Bucket(rate, burst, now)
        self._adaptive = adaptive
        self._limit: float | None = None
        self._told = False
        self._complaints = 0
        self._well = 0
        self._step = TRY
        self._tried_at = now
        self._cut_at = -1e9
        self._grown_at = now
        self._cycle_at, self._cycle = now, 0
        self._used = [0, 0, 0]

    @property
    def limit(self) -> float | None:
        """What the service seems to allow, in requests a second; None while it never complained."""
        return self._limit

    @property
    def slowed(self) -> bool:
        """Whether the rate is below what the plan allows."""
        return self.bucket.rate < self.ceiling

    def complained(self, now: float, retry_after: float | None = None, hint: RateHint | None = None) -> None:
        """The service throttled us: be silent for as long as it asks, and slower afterwards, for everybody.

        Complaints in a row, and those about requests that were under way, are about the same excess: only the
        silence grows with them, and the rate is cut once.
        """
        self._complaints += 1
        silence = retry_after or min(2.0 ** (self._complaints - 1), LONGEST_SILENCE)
        self.bucket.drain(now)
        self.bucket.block(now + silence)
        if not self._adaptive or self._complaints > 1 or now - self._cut_at < 1.0:
            return
        self._cut_at = self._tried_at = now
        self._well, self._step = 0, TRY
        if hint is not None:
            self._heed(hint)
        elif not self._told and self._busy(now):
            # What went through since the last complaint is the best guess, but one complaint proves little.
            through = self._cycle / max(now - self._cycle_at, 1e-9)
            self._limit = min(self.bucket.rate, max(through, CUT * self.bucket.rate))
        self._cycle_at, self._cycle = now, 0
        self._set(min(self._goal, self.bucket.rate if self._told else self.bucket.rate * CUT), now + silence)

    def answered(self, now: float) -> None:
        """A request went through: come back to just below the limit, and now and then try a little more."""
        self._complaints = 0
        self._cycle += 1
        self._note(now)
        if not self._adaptive:
            return
        self._well += 1
        if (
            self._limit
            and not self._told
            and (self._well >= TRY_AFTER or now - self._tried_at >= TRY_AFTER_SECONDS)
        ):
            self._well, self._tried_at = 0, now
            self._limit *= 1.0 + self._step
            self._step *= 2.0
        gap = self._goal - self.bucket.rate
        if gap > 0 and now > self._grown_at:
            self._set(self.bucket.rate + gap * min(1.0, (now - self._grown_at) / COMEBACK), now)

    def told(self, hint: RateHint, now: float) -> None:
        """The service says what it allows: keep to it before it has to refuse anything."""
        if not self._adaptive or (self._limit is None and hint.limit / hint.period >= self.ceiling):
            return
        self._heed(hint)
        self._set(self._goal, now)
        if hint.remain == 0:
            self.bucket.block(now + min(hint.period / 4, hint.period / hint.limit))

    @property
    def _goal(self) -> float:
        if self._limit is None:
            return self.ceiling
        return min(self.ceiling, self._limit * (BELOW_TOLD if self._told else BELOW))

    def _note(self, now: float) -> None:
        slot = int(now / SLOT)
        if slot != self._used[0]:
            self._used = [slot, 0, self._used[1] if slot == self._used[0] + 1 else 0]
        self._used[1] += 1

    def _busy(self, now: float) -> bool:
        """Whether we lately sent about as much as we may: only then does a complaint speak about the rate."""
        slot, current, before = self._used
        lately = max(current, before) if int(now / SLOT) - slot <= 1 else 0
        return lately >= 0.5 * min(self.bucket.rate * SLOT, self.bucket.rate * (now - self._cycle_at))

    def _heed(self, hint: RateHint) -> None:
        self._limit, self._told = hint.limit / hint.period, True

    def _set(self, rate: float, now: float) -> None:
        slowest = min(SLOWEST, self.ceiling)
        self.bucket.set_rate(min(self.ceiling, max(slowest, rate)), now)
        self._grown_at = now


PROBE_AFTER = 15.0
"""Seconds before a narrowed window is tried wider; doubled each time that it is refused again."""

LONGEST_PROBE = 900.0

SPARE = 3
"""Where the service queues, so many jobs more than run hide the time until an end is noticed."""


class Window:
    """How many jobs may be in the cloud at once: what the plan allows, or less where the service says so.

    A service that refuses one job too many (IMG.0060) narrows the window to what fits; as long as more does
    fit, it widens again in growing steps. One that accepts it and lets it wait gains nothing from a wide
    window: a few waiting jobs keep every slot of it busy.
    """

    __slots__ = ("_level", "_pause", "_probe_at", "_queueing", "_step", "most", "size")

    def __init__(self, most: int) -> None:
        self.most = most
        """What the plan allows."""
        self.size = most
        """What is used of it now."""
        self._pause = PROBE_AFTER
        self._level = -2
        self._probe_at = 0.0
        self._step = 1
        self._queueing = False

    def refused(self, in_cloud: int, now: float) -> None:
        """The service refused one more job while `in_cloud` of ours were unfinished."""
        again = in_cloud <= self._level + 1
        self._pause = min(self._pause * 2, LONGEST_PROBE) if again else PROBE_AFTER
        self._level = in_cloud
        self.size = max(1, min(self.size, in_cloud))
        self._probe_at, self._step = now + self._pause, 1
        self._queueing = False

    def accepted(self, in_cloud: int, now: float) -> None:
        """The service took a job, and `in_cloud` of ours are unfinished now."""
        if self._queueing or self.size >= self.most or in_cloud < self.size or now < self._probe_at:
            return
        self.size = min(self.most, self.size + self._step)
        self._step *= 2

    def told(self, *, running: int, waiting: int) -> None:
        """Of our jobs that were asked about, so many run, and so many still wait for their turn."""
        if waiting:
            self._queueing = True
        if self._queueing:
            self.size = min(self.most, max(1, running) + SPARE)
