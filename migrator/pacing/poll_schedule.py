"""When a running job is worth asking again.

A question costs a request of a short budget; a late one costs an idle slot. What the service says of a job's
progress puts bounds on its end: at an age `a`, a part `p` done that may be off by `e` on either side means
that the whole takes between `a / (p + e)` and `a / (p - e)`. Each answer has such bounds, and the end is
where all of them overlap. From them follows when to ask:

* While they are wide and the soonest end is far, nine tenths of the way to it: late answers say most.
* Then where the end is due. Questions that share the rest between them are `sqrt(PRICE * width)` apart, which
  makes their number and the delay, weighed by PRICE, together least.

How far off progress may be is learned from the jobs that ended (progress.py): rounding, coarse steps,
progress that runs ahead or stands still all become wider bounds, and at last those are no forecast. Until
enough have ended, whole percents are taken for granted, and a job is believed only as far as two answers
about it agree and its progress grows. A job whose answers contradict each other has no forecast, and one that
outlives its own is asked ever more seldom, down to the steady pace.

Without a forecast a job may end at any moment, and only asking at a steady pace, or a list that shows
finished images, tells. What finished jobs of the target took narrows it down: none ends much sooner than the
fastest of them, and where time goes by size, the size tells when.

A job that the service lets wait is asked ever more seldom until its turn comes, and its progress counts from
then. When that was is known only roughly; the nearer the end, the less it matters.
"""

from collections import deque
from math import inf, sqrt
from statistics import median

from msgspec import Struct

from migrator.domain.plan import Polling
from migrator.domain.units import Moment
from migrator.pacing.progress import Accuracy, Reliability, tenth

PRICE = 1.0
"""Seconds that an end may be noticed later for one question less."""

AFTER = 0.2
"""Seconds after a moment at which it is asked about: just early is a wasted question."""

NEAR = 0.9
"""The part of the way to the soonest end after which a job is asked for better bounds."""

WIDE = 0.05
"""Bounds wider than this part of the job's time are worth one more question on the way."""

ON_THE_WAY = 0.5
"""Seconds by which a job may have begun before its acceptance was known here."""

NEARLY_DONE = 0.985
"""What a job says beyond this is not compared: services stop counting before the end."""

ROUGHLY = 0.2
"""Bounds are a forecast while they are narrower than this part of the job's age."""

PATIENT = 4
"""Answers after which a job without a believable forecast counts as one that will never have one."""

KEPT = 20
"""Answers that are remembered of one job."""

SURE_PART = 0.5
"""No job of many ended before this part of the shortest one's time."""

FEW = 20
"""Ended jobs that say something about others."""

RECENT = 50
"""Ended jobs that are remembered: a service may be slower at night than by day."""

STEADY = 1.5
"""Time goes by size when the slowest job took at most so many times as long for each byte as the fastest."""


class Bounds(Struct, frozen=True, gc=False):
    """A job ends between these moments."""

    soonest: Moment
    latest: Moment

    @property
    def width(self) -> float:
        return self.latest - self.soonest

    def within(self, other: "Bounds") -> "Bounds":
        """Where both hold; its width is negative when they contradict each other."""
        return Bounds(max(self.soonest, other.soonest), min(self.latest, other.latest))


class Forecast(Struct, gc=False):
    """What the answers about one job say about its end. Moments are the caller's own clock."""

    accepted_at: Moment
    """When the job was accepted, or first watched."""

    waited_until: Moment | None = None
    """When it was last known to wait for its turn at the service; None: it never did."""

    began_by: Moment | None = None
    """When it was first known to have begun after that."""

    answers: int = 0
    """How often the service said that it runs."""

    told: tuple[tuple[Moment, float], ...] = ()
    """How far it was at which moment, as the service said: the first and the last answer in each tenth, so
    that a progress which stands still is remembered from its beginning to its end; the latest KEPT of them.
    A tuple, since most jobs have a few, and a deque takes 600 bytes for the first."""

    @property
    def waits(self) -> bool:
        """The service has not begun it, as far as is known."""
        return self.waited_until is not None and self.began_by is None

    @property
    def began_at(self) -> Moment:
        """When it may have begun at the soonest."""
        return self.accepted_at - ON_THE_WAY if self.waited_until is None else self.waited_until

    def on_waiting(self, now: Moment) -> None:
        """The service says that the job has not begun."""
        self.waited_until, self.began_by, self.answers = now, None, 0
        self.told = ()

    def on_turn(self, since: Moment, now: Moment) -> None:
        """The job has waited, and its turn came when another ended at `since`, which is known `now`."""
        self.waited_until, self.began_by = max(self.began_at, since - ON_THE_WAY), now

    def may_have_waited(self) -> None:
        """The service lets jobs wait: one that was never asked about may have waited until just now."""
        if self.answers == 0 and self.waited_until is None:
            self.waited_until = self.accepted_at

    def on_progress(self, progress: float | None, now: Moment) -> None:
        """The job still runs, and the service says how far it is; None when it does not say."""
        self.answers += 1
        if self.waits:
            self.began_by = now
        if progress is not None and 0.0 <= progress < NEARLY_DONE and now > self.accepted_at:
            told = self.told
            if len(told) > 1 and tenth(told[-2][1]) == tenth(told[-1][1]) == tenth(progress):
                told = told[:-1]
            self.told = (*told, (now, progress))[-KEPT:]

    def ends(self, reliability: Reliability) -> Bounds | None:
        """When it ends; None while nobody can tell."""
        bounds, agreeing, told = Bounds(-inf, inf), 0, self.told
        learned = True
        for now, progress in reversed(told):
            accuracy = reliability.accuracy(progress)
            both = bounds.within(self._bounds(accuracy, now, progress))
            if both.width < 0:
                break
            bounds, agreeing, learned = both, agreeing + 1, learned and accuracy.learned
        if learned:
            believed = agreeing >= min(len(told), 2)
        else:
            believed = agreeing >= 2 and told[-1][1] > told[-agreeing][1]
        return bounds if believed and bounds.soonest > -inf else None

    def blind(self, reliability: Reliability) -> bool:
        """It was asked about often enough, and still nobody can tell when it ends."""
        if self.answers < PATIENT:
            return False
        bounds = self.ends(reliability)
        return bounds is None or self.is_vague(bounds)

    def is_vague(self, bounds: Bounds) -> bool:
        """Whether bounds of its end are too wide for a forecast."""
        return bounds.width > ROUGHLY * (bounds.soonest - self.began_at)

    def teach(self, reliability: Reliability, ended_at: Moment) -> None:
        """It ended well: what was told of its progress can be compared with what was true."""
        if self.waited_until is None:
            for now, told in self.told:
                if now < ended_at:
                    reliability.compare(told, self.accepted_at, now, ended_at)

    def _bounds(self, accuracy: Accuracy, now: Moment, progress: float) -> Bounds:
        most, least = progress + accuracy.behind, progress - accuracy.ahead
        first, last = self.began_at, self.began_by or self.accepted_at
        return Bounds(
            soonest=now if most >= 1.0 else last + (now - last) / most,
            latest=inf if least <= 0.0 else first + (now - first) / least,
        )


class History:
    """What the latest finished jobs of one target say about others: how long they took, for how many bytes
    where that is known, and how far off their progress was."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=RECENT)
        self._for_a_byte: deque[float] = deque(maxlen=RECENT)
        self._least = self._least_for_a_byte = inf
        self._pace: float | None = None
        self.reliability = Reliability()

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


def next_poll(
    polling: Polling,
    forecast: Forecast,
    now: Moment,
    *,
    reliability: Reliability,
    least: float | None = None,
    expected: float | None = None,
    swept: bool = False,
) -> float:
    """Seconds until a running job is worth another question, within [min_interval, max_interval].

    `reliability`, `least` and `expected` are what finished jobs say (see History); `swept` says that lists
    show finished images, one soon after the other, so that somebody else watches for the end.
    """
    if swept and forecast.blind(reliability):
        guess = polling.max_interval
    elif forecast.waits:
        guess = max(polling.first, now - forecast.accepted_at)
    elif (bounds := forecast.ends(reliability)) is None:
        guess = _without_forecast(polling, forecast, now, least, expected)
    else:
        guess = _until_end(polling, forecast, bounds, now)
        if forecast.is_vague(bounds):
            guess = max(guess, _without_forecast(polling, forecast, now, least, expected))
    return min(max(guess, polling.min_interval), polling.max_interval)


def _without_forecast(
    polling: Polling, forecast: Forecast, now: Moment, least: float | None, expected: float | None
) -> float:
    """Seconds until the next question about a job of which others alone say when it may end."""
    due = None if expected is None else forecast.accepted_at + expected - now
    if due is not None and due > 0:
        return min(due + AFTER, max(polling.first, due / 3))
    return (
        polling.first if least is None else max(polling.first, forecast.accepted_at + SURE_PART * least - now)
    )


def _until_end(polling: Polling, forecast: Forecast, bounds: Bounds, now: Moment) -> float:
    """Seconds until a job whose end is known to be within `bounds` is worth another question."""
    if now >= bounds.latest:
        return min(now - bounds.latest, polling.first)
    left = bounds.within(Bounds(now, inf))
    until = left.soonest - now
    if left.width > WIDE * (left.soonest - forecast.began_at) and NEAR * until > polling.first:
        return NEAR * until
    return until + min(sqrt(PRICE * left.width), left.width, polling.first) + AFTER
