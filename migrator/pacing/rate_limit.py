"""How throttle answers change a rate.

The plan says how fast we may go at most; the service says, by refusing, how fast it lets us go today. Nobody
documents those limits, so they are learned: cut at once when throttled, come back quickly to just below what
went through, and try a little more only now and then, so that trying costs few refusals.

What is known of the limit is one of three things (`Knowledge`); `LEARNED` says what a throttle answer makes
of it, and the rest follows from it: how near the limit the rate goes, and whether more is ever tried.
"""

import math
from enum import Enum, auto

from migrator.domain.cloud import RateHint
from migrator.pacing.token_bucket import TokenBucket


class Knowledge(Enum):
    """What is known of the service's limit."""

    NOTHING = auto()
    """It never throttled us while we were busy: the plan's own rate holds."""
    GUESSED = auto()
    """From what went through until it throttled us."""
    HINTED = auto()
    """The service said it, in a header or in an answer."""


class Throttle(Enum):
    """What a throttle answer tells about the limit."""

    BUSY = auto()
    """We lately sent about as much as we may: what went through is about the limit."""
    IDLE = auto()
    """We sent little, so it is not about our rate."""
    HINT = auto()
    """It names the limit."""


LEARNED: dict[tuple[Knowledge, Throttle], Knowledge] = {
    (Knowledge.NOTHING, Throttle.BUSY): Knowledge.GUESSED,
    (Knowledge.NOTHING, Throttle.IDLE): Knowledge.NOTHING,
    (Knowledge.NOTHING, Throttle.HINT): Knowledge.HINTED,
    (Knowledge.GUESSED, Throttle.BUSY): Knowledge.GUESSED,  # a new guess
    (Knowledge.GUESSED, Throttle.IDLE): Knowledge.GUESSED,
    (Knowledge.GUESSED, Throttle.HINT): Knowledge.HINTED,
    (Knowledge.HINTED, Throttle.BUSY): Knowledge.HINTED,  # what the service says beats what we count
    (Knowledge.HINTED, Throttle.IDLE): Knowledge.HINTED,
    (Knowledge.HINTED, Throttle.HINT): Knowledge.HINTED,
}

CUT = 0.7
"""What a throttle answer leaves of the rate, while nobody knows the limit."""

USED = {Knowledge.GUESSED: 0.95, Knowledge.HINTED: 0.98}
"""How much of a limit is used; not all of a hinted one: the service's windows and ours are not aligned."""

COMEBACK = 5.0
"""Seconds in which the rate comes back to just below the limit."""

TRY_AFTER = 400
TRY_AFTER_SECONDS = 300.0
"""So many requests go well, or so much time, before a little more than the limit is tried."""

TRY = 0.05
"""The first step beyond a guessed limit, as a part of it; while it goes well, each doubles the next."""

TOLERATED = 0.01
"""Refused requests, as a fraction of all, that do not make us slower: a service that refuses one request in a
hundred whatever the rate would else be asked more and more seldom, and in the end hardly at all."""

BLINK = 0.2
"""Seconds of silence after a refused request that may have been chance, where the service names none."""

REMEMBERED = 250
"""Requests over which that fraction is taken."""

SLOT = 10.0
"""Seconds over which it is counted how much is sent."""

LONGEST_HINTED_SILENCE = 600.0
"""Seconds for which a header may silence us at once, whatever it says."""

LONGEST_SILENCE = 60.0
SLOWEST = 0.02
"""However often the service throttles us, one request may leave every fifty seconds: somebody has to ask
whether it is better."""


class AdaptiveRateLimiter:
    """A token bucket whose rate gives way when the service throttles it, and finds what goes through."""

    __slots__ = (
        "_adaptive",
        "_counted",
        "_cut_at",
        "_cycle",
        "_cycle_at",
        "_grown_at",
        "_knowledge",
        "_limit",
        "_refused",
        "_step",
        "_throttles",
        "_tried_at",
        "_used",
        "_well",
        "bucket",
        "ceiling",
    )

    def __init__(self, rate: float, burst: int, now: float, *, adaptive: bool) -> None:
        self.ceiling = rate
        """What the plan allows, in requests a second."""
        self.bucket = TokenBucket(rate, burst, now)
        self._adaptive = adaptive
        self._knowledge = Knowledge.NOTHING
        self._limit: float | None = None
        self._throttles = 0
        self._well = 0
        self._step = TRY
        self._tried_at = now
        self._cut_at = -1e9
        self._grown_at = now
        self._cycle_at, self._cycle = now, 0
        self._used = [0, 0, 0]
        self._counted, self._refused = 0, 0.0

    @property
    def limit(self) -> float | None:
        """What the service seems to allow, in requests a second; None while nothing is known."""
        return self._limit

    @property
    def slowed(self) -> bool:
        """Whether the rate is below what the plan allows."""
        return self.bucket.rate < self.ceiling

    def on_throttled(
        self, now: float, retry_after: float | None = None, hint: RateHint | None = None
    ) -> None:
        """The service throttled us: be silent for as long as it asks, and slower afterwards, for everybody.

        Throttle answers in a row, and those about requests that were under way, are about the same excess:
        only the silence grows with them, and the rate is cut once.
        """
        self._throttles += 1
        self._count(refused=True)
        passing = hint is None and self._throttles == 1 and self._may_be_chance
        silence = retry_after or (BLINK if passing else min(2.0 ** (self._throttles - 1), LONGEST_SILENCE))
        self.bucket.drain(now)
        self.bucket.block(now + silence)
        if not self._adaptive or passing or self._throttles > 1 or now - self._cut_at < 1.0:
            return
        self._cut_at = self._tried_at = now
        self._well, self._step = 0, TRY
        self._counted, self._refused = 0, 0.0  # of the new rate
        busy = Throttle.BUSY if self._busy(now) else Throttle.IDLE
        throttle = busy if hint is None else Throttle.HINT
        self._knowledge = LEARNED[self._knowledge, throttle]
        if hint is not None:
            self._limit = hint.limit / hint.period
        elif self._knowledge is Knowledge.GUESSED and throttle is Throttle.BUSY:
            # What went through since the last one is the best guess, but one throttle answer proves little.
            through = self._cycle / max(now - self._cycle_at, 1e-9)
            self._limit = min(self.bucket.rate, max(through, CUT * self.bucket.rate))
        self._cycle_at, self._cycle = now, 0
        cut = 1.0 if self._knowledge is Knowledge.HINTED else CUT
        self._set(min(self._goal, self.bucket.rate * cut), now + silence)

    def on_answer(self, now: float) -> None:
        """A request went through: come back to just below the limit, and now and then try a little more."""
        self._throttles = 0
        self._cycle += 1
        self._count(refused=False)
        self._note(now)
        if not self._adaptive:
            return
        self._well += 1
        if self._knowledge is Knowledge.GUESSED:
            self._try_more(now)
        gap = self._goal - self.bucket.rate
        if gap > 0 and now > self._grown_at:
            self._set(self.bucket.rate + gap * min(1.0, (now - self._grown_at) / COMEBACK), now)

    def on_rate_hint(self, hint: RateHint, now: float) -> None:
        """The service says what it allows: keep to it before it has to refuse anything."""
        nothing_new = self._knowledge is Knowledge.NOTHING and hint.limit / hint.period >= self.ceiling
        if not self._adaptive or nothing_new:
            return
        self._knowledge, self._limit = Knowledge.HINTED, hint.limit / hint.period
        self._set(self._goal, now)
        if hint.remain == 0:
            silence = min(hint.period / 4, hint.period / hint.limit, LONGEST_HINTED_SILENCE)
            self.bucket.block(now + silence)

    @property
    def _goal(self) -> float:
        if self._limit is None:
            return self.ceiling
        return min(self.ceiling, self._limit * USED[self._knowledge])

    def _try_more(self, now: float) -> None:
        """Raise a guessed limit now and then: it may have been too low, or more may be allowed by now."""
        if self._limit and (self._well >= TRY_AFTER or now - self._tried_at >= TRY_AFTER_SECONDS):
            self._well, self._tried_at = 0, now
            self._limit = min(self._limit * (1.0 + self._step), self.ceiling / USED[Knowledge.GUESSED])
            self._step *= 2.0

    @property
    def _may_be_chance(self) -> bool:
        """Whether as many are refused where one in a hundred is, whatever the rate."""
        return self._refused <= TOLERATED + 2.0 * math.sqrt(TOLERATED / self._counted)

    def _count(self, *, refused: bool) -> None:
        """Keep the fraction of refused requests: of all since the last cut, then of the latest."""
        self._counted = min(self._counted + 1, REMEMBERED)
        self._refused += (refused - self._refused) / self._counted

    def _note(self, now: float) -> None:
        slot = int(now / SLOT)
        if slot != self._used[0]:
            self._used = [slot, 0, self._used[1] if slot == self._used[0] + 1 else 0]
        self._used[1] += 1

    def _busy(self, now: float) -> bool:
        """Whether we lately sent about as much as we may: only then is a throttle about the rate."""
        slot, current, before = self._used
        lately = max(current, before) if int(now / SLOT) - slot <= 1 else 0
        return lately >= 0.5 * min(self.bucket.rate * SLOT, self.bucket.rate * (now - self._cycle_at))

    def _set(self, rate: float, now: float) -> None:
        slowest = min(SLOWEST, self.ceiling)
        self.bucket.set_rate(min(self.ceiling, max(slowest, rate)), now)
        self._grown_at = now
