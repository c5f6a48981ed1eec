"""When a running job is worth asking again.

A question costs a request of a short budget; a late one costs an idle slot. The service's own progress is the
best guide while it keeps its word: two steps forward in a row that agree about the end are believed, until
the job outlives that end or stands still. Without a guide a job may end at any moment, and only asking at a
steady pace, or a list that shows finished images, tells.
"""

from dataclasses import dataclass
from math import inf

from migrator.model import Moment, Polling

AGREE = 0.08
"""Two predictions of the end agree when they differ by less than this part of the job's age."""

ROUGHLY = 0.6
"""The same for predictions that agree roughly: worth a longer pause, but no more."""

NEAR = 30.0
"""Seconds before a predicted end from which the end itself is waited for; before, nine tenths of the way."""

AFTER = 0.5
"""Seconds after the predicted end at which it is asked for: a moment early is a wasted question."""

PATIENT = 4
"""Answers after which a job without a believable forecast counts as one that will never have one."""

SURE_PART = 0.5
"""No job of many ended before this part of the shortest one's time."""


@dataclass(slots=True)
class Forecast:
    """What the answers about one job say about its end. Moments are the caller's own clock."""

    began_at: Moment
    """When the job was accepted, or first watched."""

    progress: float = 0.0
    """As last told; a fraction."""

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

    def heard(self, progress: float | None, now: Moment) -> None:
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
    polling: Polling, forecast: Forecast, now: Moment, *, shortest: float | None = None, swept: bool = False
) -> float:
    """Seconds until a running job is worth another question, within [min_interval, max_interval].

    `shortest` is what the fastest of many finished jobs took; `swept` says that lists show finished images,
    so that somebody else watches for the end.
    """
    left = None if forecast.ends_at is None else forecast.ends_at - now
    if left is not None and forecast.sure:
        guess = left + AFTER if left <= NEAR else 0.9 * left
    elif left is not None:
        guess = min(left + AFTER, max(polling.first, left / 3) if forecast.rough else polling.first)
    elif swept and forecast.blind:
        guess = polling.max_interval
    else:
        guess = polling.first
        if shortest is not None:
            guess = max(guess, forecast.began_at + SURE_PART * shortest - now)
    return min(max(guess, polling.min_interval), polling.max_interval)
