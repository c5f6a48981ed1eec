"""How long jobs take, learned from those that ended and from those that still run.

The jobs that ended first are the short ones, so their mean alone promises too much while the long ones still
run. The Kaplan-Meier estimator counts a running job as one that takes longer than it has run so far
(E. L. Kaplan and P. Meier, Nonparametric Estimation from Incomplete Observations, 1958).
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from random import Random
from statistics import NormalDist
from typing import NamedTuple

_TELLING = 12
"""So few ended jobs tell nothing of how size matters."""

_SURE = 3.0
"""A slope of so many standard errors is not an accident."""


class Observation(NamedTuple):
    """One job: so long it took, or has run so far."""

    seconds: float
    ended: bool
    size: float = 1.0
    """Of its disk; only ratios matter."""


class Survival:
    """Durations to draw from, in seconds: as they were seen, and beyond the longest seen as a lognormal law
    that fits all of them has it. What began an hour ago does not show how long the longest of many take."""

    def __init__(self, observations: Sequence[Observation]) -> None:
        """Of at least one job."""
        ordered = sorted(observations)
        self._times: list[float] = []
        self._reached: list[float] = []
        """The fraction of jobs that end by the time of the same place."""
        alive, left = 1.0, len(ordered)
        for one in ordered:
            if one.ended:
                # One more than there are: the longest of n jobs is not the longest there can be.
                alive *= 1 - 1 / (left + 1)
                self._times.append(one.seconds)
                self._reached.append(1 - alive)
            left -= 1
        self._last = max(ordered[-1].seconds, _LEAST)
        self._law = _Lognormal(ordered)

    def draw(self, chance: float) -> float:
        """A duration; `chance` is from 0 to 1, and as many jobs are shorter."""
        place = bisect_right(self._reached, chance)
        if place < len(self._times):
            return self._times[place]
        beyond = 1.0 - (self._reached[-1] if self._reached else 0.0)
        return self._law.beyond(self._last, (1.0 - chance) / beyond)

    def draw_rest(self, spent: float, chance: float) -> float:
        """How much longer a job takes that has run for `spent`."""
        place = bisect_right(self._times, spent)
        if place == len(self._times):
            return self._law.beyond(max(spent, _LEAST), 1.0 - chance) - spent
        gone = self._reached[place - 1] if place else 0.0
        return max(self.draw(gone + chance * (1.0 - gone)) - spent, 0.0)

    def hazard(self, spent: float) -> float:
        """How many ends are to be expected of one job, were it replaced at each end, until it ran so long."""
        place = bisect_right(self._times, spent)
        known = -math.log(1.0 - self._reached[place - 1]) if place else 0.0
        if spent <= self._last:
            return known
        return known + math.log(self._law.longer(self._last) / self._law.longer(spent))

    def moments(self, draws: int = 200) -> tuple[float, float]:
        """Mean and standard deviation of a duration."""
        values = [self.draw((place + 0.5) / draws) for place in range(draws)]
        mean = math.fsum(values) / draws
        return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / draws)


class _Lognormal:
    """The lognormal law that fits jobs of which some still run: expectation and maximisation in turns."""

    def __init__(self, observations: Sequence[Observation]) -> None:
        """`observations` are in the order of their times."""
        ended = [math.log(max(one.seconds, _LEAST)) for one in observations if one.ended]
        running = [math.log(max(one.seconds, _LEAST)) for one in observations if not one.ended]
        known, squares, count = math.fsum(ended), math.fsum(x * x for x in ended), len(ended) + len(running)
        least = _LEAST_SIGMA / math.sqrt(max(len(ended), 1))
        self._mu = math.fsum(ended or running) / max(len(ended), 1 if ended else count)
        self._sigma = max(math.sqrt(max(squares / max(len(ended), 1) - self._mu**2, 0.0)), least)
        groups = _grouped(running)
        for _ in range(_TURNS if running else 0):
            total, square = known, squares
            for x, many in groups:
                # What a normal value is on average, and its square, that is known to be more than x.
                z = (x - self._mu) / self._sigma
                ratio = _density(z) / max(_longer(z), 1e-300) if z < _FAR else z + 1 / z
                total += many * (self._mu + self._sigma * ratio)
                square += many * (self._mu**2 + self._sigma**2 + self._sigma * (self._mu + x) * ratio)
            self._mu = total / count
            self._sigma = max(math.sqrt(max(square / count - self._mu**2, 0.0)), least)

    def longer(self, seconds: float) -> float:
        """The fraction of jobs that take longer."""
        return max(_longer((math.log(seconds) - self._mu) / self._sigma), 1e-300)

    def beyond(self, seconds: float, share: float) -> float:
        """How long a job takes than which `share` of those that take longer than `seconds` take longer."""
        left = min(max(self.longer(seconds) * share, 1e-300), 1 - 1e-12)
        exponent = min(self._mu - self._sigma * _NORMAL.inv_cdf(left), math.log(seconds * _AT_MOST))
        return max(math.exp(exponent), seconds)


def _grouped(values: Sequence[float]) -> list[tuple[float, int]]:
    """Neighbours as their mean, and how many they are: a law is fitted again and again."""
    step = max(1, math.ceil(len(values) / _GROUPS))
    parts = (values[start : start + step] for start in range(0, len(values), step))
    return [(math.fsum(part) / len(part), len(part)) for part in parts]


def _longer(z: float) -> float:
    return 0.5 * math.erfc(z * _ROOT)


def _density(z: float) -> float:
    return _PEAK * math.exp(-0.5 * z * z)


_NORMAL = NormalDist()
_ROOT = 1 / math.sqrt(2)
_PEAK = 1 / math.sqrt(2 * math.pi)
_GROUPS = 40
"""Running jobs are looked at in so many groups, at most."""

_FAR = 30.0
"""Standard deviations from which on the ratio of density and tail is told by its asymptote."""

_AT_MOST = 20.0
"""No job takes so many times as long as the longest so far; a law that was fitted to three knows no end."""

_TURNS = 12
_LEAST = 1e-3
_LEAST_SIGMA = 0.5
"""Of one job; a few that took the same say little about the next."""


def size_exponent(observations: Sequence[Observation]) -> float:
    """How durations grow with size: 0 not at all, 1 in proportion; 0 where that may be an accident."""
    points = [
        (math.log(one.size), math.log(one.seconds))
        for one in observations
        if one.ended and one.seconds > 0 and one.size > 0
    ]
    count = len(points)
    if count < _TELLING:
        return 0.0
    middle = math.fsum(x for x, _ in points) / count, math.fsum(y for _, y in points) / count
    across = math.fsum((x - middle[0]) ** 2 for x, _ in points)
    if across <= 1e-9:
        return 0.0
    slope = math.fsum((x - middle[0]) * (y - middle[1]) for x, y in points) / across
    scatter = math.fsum((y - middle[1] - slope * (x - middle[0])) ** 2 for x, y in points)
    error = math.sqrt(scatter / (count - 2) / across)
    return min(slope, 1.0) if slope > _SURE * error else 0.0


def resampled(observations: Sequence[Observation], dice: Random) -> list[Observation]:
    """As many jobs drawn from the same, some of them twice: how much what was seen is itself an accident."""
    return dice.choices(observations, k=len(observations))
