"""Lists as hints: one request shows which of many images turned active, and their jobs are then asked about.

A hint is never a verdict. Whether lists show finished images at all is not promised, so it is found out: jobs
that a list announced against jobs that ended before a list which did not show them.

Where many jobs have no forecast of their end, one list after the other watches for them. Otherwise lists find
out wrong forecasts, and their interval follows what they are worth: it doubles with each list that announces
nothing but what was foreseen, and is short again after one that does.
"""

from math import inf

from migrator.domain.units import Moment

ENOUGH = 5
"""Jobs that ended, before lists are believed or given up."""

LATE = 2.0
"""A list that was asked for so many seconds after a job's end should show its image."""

TRIAL = 15.0
"""Seconds between two lists while it is not known what they are good for."""

COST = 3
"""Jobs without a forecast that make a list worth its requests, for each page of it."""

LONGEST = 300.0
"""Seconds between two lists that announce nothing new, at most."""

CHEAP = 0.05
"""The part of the query rate that lists may take however few jobs run: they find out wrong forecasts."""

MANY = 10
"""Running jobs, for each page of a list, that make it worth more than that."""


class Hints:
    """What lists have been good for, at one target."""

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0
        self._known: set[str] = set()
        """Keys that a list showed as active, or whose job is known to have succeeded."""
        self._asked_at: Moment = -inf
        self._interval = TRIAL
        """Seconds between two lists, where most jobs have a forecast."""

    @property
    def trusted(self) -> bool:
        """Lists show finished images, so that jobs need not be asked one by one."""
        return self.hits >= ENOUGH and self.misses * 4 <= self.hits

    @property
    def useless(self) -> bool:
        """Lists do not show finished images, or not soon."""
        return self.misses >= ENOUGH and self.misses * 4 > self.hits

    def swept(self, active: set[str], asked_at: Moment) -> set[str]:
        """A list, asked for at `asked_at`, showed these keys as active; returns those that are new."""
        fresh = active - self._known
        self._known |= fresh
        self._asked_at = asked_at
        return fresh

    def announced(self, *, unforeseen: bool) -> None:
        """What a list announced was `unforeseen`, at least in part; or no more than forecasts knew."""
        self._interval = TRIAL if unforeseen else min(2 * self._interval, LONGEST)

    def ended(self, key: str, ended_at: Moment | None) -> None:
        """A job is known to have succeeded; `ended_at` is when, as far as the service says."""
        if key in self._known:
            self.hits += 1
        elif ended_at is not None and self._asked_at > ended_at + LATE:
            self.misses += 1
        self._known.add(key)

    def forget(self, key: str) -> None:
        """Nobody looks after this image any more."""
        self._known.discard(key)

    def watching(self, *, blind: int, pages: int) -> bool:
        """Whether so many jobs without a forecast are worth one list after the other, and lists show ends."""
        return self.trusted and blind >= COST * pages

    def next_sweep(
        self, *, running: int, blind: int, pages: int, shortest: float, rate: float
    ) -> float | None:
        """Seconds until one more list is worth it; None while it is not.

        `running` is the number of jobs that are watched, `blind` of those whose end nobody can tell, `pages`
        the requests that a list takes, `shortest` the least time between two questions, and `rate` how many
        questions a second are allowed.
        """
        if self.useless:
            return None
        if blind >= COST * pages:
            return shortest if self.trusted else TRIAL
        cheap = pages <= CHEAP * rate * TRIAL
        if not running or not (cheap or running >= MANY * pages):
            return None
        return TRIAL if blind else self._interval  # a job may have been left to lists while there were more
