"""When a job is worth asking again, and how the service's complaints change our rates."""

from migrator.core.bucket import Bucket
from migrator.model import Moment, Polling

FLOOR = 0.02
"""However often the service complains, one request may leave every fifty seconds: somebody has to ask whether
it is better."""

CUT = 0.7
RECOVERY = 30.0
"""Seconds in which the rate grows back by what one complaint took."""


def next_poll(
    polling: Polling, *, submitted_at: Moment, now: Moment, progress: float | None, typical: float | None
) -> float:
    """Seconds until a running job is worth another question, within [min_interval, max_interval].

    `progress` is the service's own fraction (never trusted to be complete), `typical` what finished jobs of
    this target took in seconds. Without either, the interval grows with the job's age.
    """
    age = max(0.0, now - submitted_at)
    if progress is not None and 0.02 < progress < 1.0 and age > 0:
        left = age / progress - age
        guess = left / 2 if left > 4 * polling.min_interval else left
    elif typical is not None and typical > age:
        guess = (typical - age) / 2
    else:
        guess = age / 5
    return min(max(guess, polling.min_interval), polling.max_interval)


class Pace:
    """A bucket whose rate gives way when the service complains, and comes back step by step."""

    __slots__ = ("_adaptive", "_cut_at", "_grown_at", "bucket", "ceiling")

    def __init__(self, rate: float, burst: int, now: float, *, adaptive: bool) -> None:
        self.ceiling = rate
        self.bucket = Bucket(rate, burst, now)
        self._adaptive = adaptive
        self._cut_at = -1e9
        self._grown_at = now

    @property
    def slowed(self) -> bool:
        """Whether the rate is below what the plan allows."""
        return self.bucket.rate < self.ceiling

    def complained(self, now: float, retry_after: float | None) -> None:
        """The service throttled us: cut the rate at once for everybody, and be silent for as long as it asks.

        Answers to requests that left before the last cut complain about the old rate, so one cut a second is
        enough.
        """
        self.bucket.drain(now)
        if retry_after:
            self.bucket.block(now + retry_after)
        if self._adaptive and now - self._cut_at >= 1.0:
            self.bucket.set_rate(max(min(FLOOR, self.ceiling), self.bucket.rate * CUT), now)
            self._cut_at = self._grown_at = now

    def answered(self, now: float) -> None:
        """A request went through: grow towards the plan's rate."""
        if self.slowed and now > self._grown_at:
            step = self.ceiling * (1 - CUT) * (now - self._grown_at) / RECOVERY
            self.bucket.set_rate(min(self.ceiling, self.bucket.rate + step), now)
        self._grown_at = now
