"""When the rest will be done: the remaining jobs of a target, played through with what is known.

A percentage does not tell it: images differ, a window fills and drains, and the last jobs take their time
however many came before. So jobs are started as the window (max_jobs) and the submit rate allow, and each
takes as long as some job before it did.
"""

import heapq
import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_QUANTILES = 101
_GOLDEN = 0.6180339887498949
"""Steps of this share of a list visit it evenly mixed, short times and long, without dice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How a duration varies, in seconds; percentiles by nearest rank."""

    count: int
    p50: float
    p95: float
    max: float


def spread(values: Iterable[float]) -> Spread | None:
    """How `values`, in seconds, vary; None when there are none."""
    ordered = sorted(values)
    if not ordered:
        return None
    last = len(ordered)

    def percentile(share: float) -> float:
        return round(ordered[max(math.ceil(share * last), 1) - 1], 3)

    return Spread(count=last, p50=percentile(0.5), p95=percentile(0.95), max=round(ordered[-1], 3))


def sample(values: Sequence[float]) -> list[float]:
    """At most a hundred or so of the values, ascending, spread over all of them."""
    ordered = sorted(values)
    if len(ordered) <= _QUANTILES:
        return ordered
    return [ordered[index * (len(ordered) - 1) // (_QUANTILES - 1)] for index in range(_QUANTILES)]


def makespan(
    *, pending: int, elapsed: Sequence[float], window: int, interval: float, times: Sequence[float]
) -> float:
    """Seconds until `pending` jobs, and those that run since `elapsed` seconds, are all done.

    At most `window` run at once (more than zero, unless nothing is pending), one begins every `interval`
    seconds at most, and they take what earlier ones took: `times`, ascending, at least one.
    """
    slots = [_left(spent, times) for spent in elapsed]
    end = max(slots, default=0.0)
    heapq.heapify(slots)
    if pending:
        # A window that was narrowed since: the first jobs to end free no slot.
        for _ in range(len(slots) - window):
            heapq.heappop(slots)
        slots = [0.0] * min(window - len(slots), pending) + slots
        heapq.heapify(slots)
    begin = -interval
    count = len(times)
    for job in range(pending):
        begin = max(slots[0], begin + interval)
        done = begin + times[int(job * _GOLDEN % 1 * count)]
        heapq.heapreplace(slots, done)
        end = max(end, done)
    return end


def _left(spent: float, times: Sequence[float]) -> float:
    """Seconds that a job still takes after `spent`: what longer ones took beyond it, on average."""
    beyond = times[bisect_right(times, spent) :]
    if not beyond:
        return spent / 10  # longer than any so far: not done, and nobody knows; say a little more
    return sum(beyond) / len(beyond) - spent
