"""When a running job is worth asking again.

A question costs a request of a short budget; a late one costs an idle slot. The service's own progress is the
best guide while it keeps its word: two steps forward in a row that agree about the end are believed, until
the job outlives that end or stands still. Without a guide a job may end at any moment, and only asking at a
steady pace, or a list that shows finished images, tells. What finished jobs of the target took narrows it
down: none ends much sooner than the fastest of them, and where time goes by size, the size tells when.
"""

from collections import deque
from dataclasses import dataclass
from math import inf
from statistics import median

from migrator.domain.plan import Polling
from migrator.domain.units import Moment

AGREE = 0.08
"""Two predictions of the end agree when they differ by less than this part of the job's age."""

ROUGHLY = 0.6
"""The same for predictions that agree roughly: worth a longer pause, but no more."""

NEAR = 45.0
"""Seconds before a predicted end from which the end itself is waited for; before, nine tenths of the way."""

AFTER = 0.5
"""Seconds after the predicted end at which it is asked for: a moment early is a wasted question."""

PATIENT = 4
"""Answers after which a job without a believable forecast counts as one that will never have one."""

SURE_PART = 0.5
"""No job of many ended before this part of the shortest one's time."""

FEW = 20
"""Ended jobs that say something about others."""

RECENT = 50
"""Ended jobs that are remembered: a service may be slower at night than by day."""

STEADY = 1.5
"""Time goes by size when the slowest job took at most so many times as long for each byte as the fastest."""


class History:
    """How long the latest finished jobs of one target took, and for how many bytes where that is known."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=RECENT)
        self._for_a_byte: deque[float] = deque(maxlen=RECENT)
        self._least = self._least_for_a_byte = inf
        self._pace: float | None = None

    def took(self, seconds: float, size: int | None) -> None:
        """A job of `size` bytes ended `seconds` after it was accepted."""
        self._seconds.append(seconds)
        self._least = min(self._seconds)
        if size:
            self._for_a_byte.append(seconds / size)
            self._least_for_a_byte = min(self._for_a_byte)
            steady = max(self._for_a_byte) <= STEADY * self._least_for_a_byte
            self._pace = median(self._for_a_byte) if steady else None

    def least(self, size: int | None) -> float | None:
        """Seconds that a job of `size` bytes hardly stays below; None while nobody knows."""
        if len(self._seconds) < FEW:
            return None
        by_size = self._least_for_a_byte * size if size and len(self._for_a_byte) >= FEW else 0.0
        return max(self._least, by_size)

    def expected(self, size: int | None) -> float | None:
        """Seconds that a job of `size` bytes takes; None unless time has gone by size so far."""
        if not size or self._pace is None or len(self._for_a_byte) < FEW:
            return None
        return self._pace * size


@dataclass(slots=True)
class Forecast:
    """What the answers about one job say about its end. Moments are the caller's own clock."""

    began_at: Moment
    """When the job was accepted, or first watched."""

    progress: float = 0.0
    """As the service last said; a fraction."""

    ends_at: Moment | None = None
    """When it would end if it went on as it did; None while nobody can tell."""

    sure: bool = False
    """Two predictions in a row agreed."""

    rough: bool = False
    """Two predictions in a row agreed roughly."""

    answers: int = 0
    """How often the service said that it still runs."""

    @property
    def blind(self) -> bool:
        """It was asked about often enough, and still nobody can tell when it ends."""
        return not self.rough and self.answers >= PATIENT

    def on_progress(self, progress: float | None, now: Moment) -> None:
        """The job still runs, and the service says how far it is; None when it does not say."""
        self.answers += 1
        age = now - self.began_at
        if progress is None or not self.progress < progress < 1.0 or age <= 0:
            self.ends_at, self.sure, self.rough = None, False, False
            return
        predicted = self.began_at + age / progress
        off = inf if self.ends_at is None else abs(predicted - self.ends_at)
        self.sure, self.rough = off <= max(AGREE * age, 2.0), off <= ROUGHLY * age
        self.ends_at, self.progress = predicted, progress


def next_poll(
    polling: Polling,
    forecast: Forecast,
    now: Moment,
    *,
    least: float | None = None,
    expected: float | None = None,
    swept: bool = False,
) -> float:
    """Seconds until a running job is worth another question, within [min_interval, max_interval].

    `least` and `expected` are what finished jobs say about its duration (see History); `swept` says that
    lists show finished images, so that somebody else watches for the end.
    """
    due = None if expected is None else forecast.began_at + expected - now
    left = None if forecast.ends_at is None else forecast.ends_at - now
    if left is not None and forecast.sure:
        guess = left + AFTER if left <= NEAR else 0.9 * left
    elif left is not None:
        guess = min(left + AFTER, max(polling.first, left / 3) if forecast.rough else polling.first)
    elif swept and forecast.blind:
        guess = polling.max_interval
    elif due is not None and due > 0:
        guess = min(due + AFTER, max(polling.first, due / 3))
    else:
        guess = polling.first
        if least is not None:
            guess = max(guess, forecast.began_at + SURE_PART * least - now)
    return min(max(guess, polling.min_interval), polling.max_interval)
