"""How often something dear is made again whose cost grows with the plan: as often as its share allows."""

from collections.abc import Iterable, Mapping
from math import inf


def pause(spent: float, *, share: float, least: float) -> float:
    """Seconds until something is made again that took `spent` seconds of a processor the last time.

    It takes at most the part `share` of a core, and is made at most every `least` seconds.
    """
    return max(least, spent / share)


class RefreshSchedule:
    """Several things, each made again as often as it can be afforded. Moments are the caller's own clock."""

    def __init__(self, names: Iterable[str], *, share: float, least: float, now: float) -> None:
        """`share` is that of all of them, in equal parts; none is due before `least` seconds."""
        self._due = dict.fromkeys(names, now + least)
        self._share = share / max(1, len(self._due))
        self._least = least

    def due(self, now: float) -> tuple[str, ...]:
        """Those whose turn it is, in the order in which they were named."""
        return tuple(name for name, moment in self._due.items() if moment <= now)

    def wait(self, now: float) -> float:
        """Seconds until the next one is due; 0.0 where one is, inf where there is none."""
        return max(0.0, min(self._due.values(), default=inf) - now)

    def made(self, spent: Mapping[str, float], now: float) -> None:
        """These were made, and took so many seconds of a processor each."""
        for name, seconds in spent.items():
            self._due[name] = now + pause(seconds, share=self._share, least=self._least)
