"""How often something dear is made again whose cost grows with the plan: as often as its share allows."""

from collections.abc import Iterable, Mapping
from math import inf


def pause(spent: float, *, share: float, least: float) -> float:
    """Seconds until something is made again that took `spent` seconds of a processor the last time.

    It takes at most the part `share` of a core, and is made at most every `least` seconds.
    """
    return max(least, spent / share)


class RefreshSchedule:
    """Several things, each made again as often as it can be afforded. Moments are the caller's own clock.

    What they have in common is made once for all of those that are made together. So where one is due, those
    come along that are half-way to their turn; made early they wait the longer for the next one.
    """

    def __init__(self, names: Iterable[str], *, share: float, first: float, least: float, now: float) -> None:
        """`share` is that of all of them, in equal parts; they are made after `first` seconds, and then at
        most every `least` seconds."""
        self._due = dict.fromkeys(names, now + first)
        self._pauses = dict.fromkeys(self._due, first)
        self._share = share / max(1, len(self._due))
        self._least = least

    def due(self, now: float) -> tuple[str, ...]:
        """Those to be made now, in the order in which they were named; none while it is nobody's turn."""
        if self.wait(now) > 0:
            return ()
        return tuple(name for name, moment in self._due.items() if moment <= now + self._pauses[name] / 2)

    def wait(self, now: float) -> float:
        """Seconds until the next one is due; 0.0 where one is, inf where there is none."""
        return max(0.0, min(self._due.values(), default=inf) - now)

    def made(self, spent: Mapping[str, float], now: float, *, common: float = 0.0) -> None:
        """These were made, and took so many seconds of a processor each; what they share took `common`."""
        for name, seconds in spent.items():
            cost = seconds + common / len(spent)
            self._pauses[name] = pause(cost, share=self._share, least=self._least)
            self._due[name] = max(now, self._due[name]) + self._pauses[name]
