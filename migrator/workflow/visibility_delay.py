"""How long an image may stay invisible before its attempt counts as not found.

Nobody documents whether an unfinished import, or its tags, shows in image lists, so "not found" proves
nothing by itself. Each target therefore learns from its own accepted jobs, whose truth it knows:

* enough of them were listed while they ran → an absent one is lost after some times the longest delay seen,
  more times the fewer were seen: the longest of five says little about the next;
* running ones are not listed → an absent one may still be running, so it is lost only when its import would
  have ended and been listed: a few times the longest that it took for a job;
* nothing known → not at all: more is learned while jobs run, and in the end a person has to tell.
"""

from enum import StrEnum
from functools import cache
from math import inf, prod

from msgspec import Struct

ENOUGH = 5
"""Jobs seen while running, before lists are trusted to show running imports; and jobs whose finished images
were listed, before they say how long that may take. The fewer there were, the more is added (`margin`)."""

MARGIN = 3.0
"""How many times the longest of many delays one more may take."""

DOUBT = 1e-4
"""The chance that is left to a delay beyond all that is allowed for."""

MANY = 50
"""Delays of which the longest says enough."""

LEAST = 60.0


@cache
def _margin(count: int) -> float:
    most = MARGIN
    while prod(number / (number + most) for number in range(1, count + 1)) > DOUBT:
        most *= 1.02
    return most


def margin(count: int) -> float:
    """How many times the longest of `count` delays the next may take, with DOUBT as the chance of more.

    Never less than MARGIN, and more where few were seen. Delays are taken to have an exponential tail: then
    the next is longer than m times the longest with a chance of 1/(1+m) * 2/(2+m) * ... * count/(count+m),
    because the longest is a sum of `count` independent steps (Renyi's representation of order statistics).
    """
    return _margin(min(max(count, 1), MANY))


class ListedBy(StrEnum):
    """What a list was filtered by."""

    TAG = "tag"
    NAME = "name"


class VisibilityDelays(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one target's own jobs taught about its lists."""

    seen: int = 0
    """Jobs that were listed while they ran, by a list that tells something about how soon they show."""

    unseen: int = 0
    """Jobs that ended without having been listed while they ran, though a list was made in time."""

    longest_delay: float = 0.0
    """Seconds from acceptance to the first list that showed the job; the longest of those seen."""

    ended: int = 0
    """Jobs that ended well and whose images were listed."""

    longest_job: float = 0.0
    """Seconds from acceptance until the last of them was listed as finished, at most."""

    @property
    def listed(self) -> bool | None:
        """Whether running imports show in lists; None while nobody knows."""
        if self.seen >= ENOUGH and self.unseen * 20 <= self.seen:
            return True
        return False if self.unseen >= ENOUGH else None

    def worth_recording(self, recorded: "VisibilityDelays | None") -> bool:
        """Whether this says something that `recorded` did not: another verdict, or twice the evidence."""
        old = recorded or VisibilityDelays()
        more = self.seen + self.unseen + self.ended, old.seen + old.unseen + old.ended
        return self.listed is not old.listed or more[0] >= 2 * max(more[1], ENOUGH)

    def visibility_timeout(self, fixed: float | None) -> float:
        """Seconds after an attempt may last have been accepted until an empty look-up proves that it was not;
        inf while nothing tells."""
        if fixed is not None:
            return fixed
        if self.listed:
            return max(LEAST, margin(self.seen) * self.longest_delay)
        if self.ended >= ENOUGH:
            return max(LEAST, margin(self.ended) * self.longest_job)
        return inf
