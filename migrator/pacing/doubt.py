"""An attempt whose outcome is unknown: when it may be given up, and when only a person can tell.

Two clocks must both have run out, one after the other, before an attempt counts as not found:

1. *late acceptance*: a request without a final answer (time-out, reset after sending, 408, 499, 504) may
still be accepted until `policy.late` after it was signed, because the gateway takes no older signature; 2.
*visibility*: an import that was accepted may not be listed yet. This clock starts when the first one ends,
and only empty look-ups from then on count, several of them, spread over it.

Both are counted on the run's monotonic clock, from the moment at which this run began to doubt. That is later
than the signature, and so on the safe side; a run that finds a doubt in the journal counts anew, and so does
one whose wall clock jumped.
"""

from dataclasses import dataclass
from enum import Enum, auto
from math import inf

from migrator.domain.units import Moment

LOOK_UPS = 3
"""Empty look-ups, at least, on which it rests that an attempt was not found."""

BLIND = 3600.0
"""Seconds after which an attempt is left for a person where nothing that runs can tell any more."""


def late_for(late: float, signed_at: Moment | None, now: Moment) -> float:
    """Seconds from `now` for which a request may still be accepted; `late` is the plan's.

    Counted from now, though it was signed before: that is on the safe side. Where the clock that signed it
    was ahead of this one, a gateway takes it for so much longer.
    """
    return late + max((signed_at or 0.0) - now, 0.0)


class Verdict(Enum):
    """What a look-up that found nothing leads to."""

    LOOK_AGAIN = auto()
    NOT_FOUND = auto()
    """It was never accepted: safe to submit again."""
    UNDECIDABLE = auto()
    """Nothing that this target does will tell: a person has to."""


@dataclass(slots=True, kw_only=True)
class Doubt:
    """One attempt in doubt, as this run has watched it. Ticks are the run's monotonic seconds."""

    began: float
    """When this run began to doubt it."""

    late: float
    """Seconds for which it may still be accepted; 0.0 after a final answer."""

    look_ups: int = 0
    """Empty look-ups since it could not be accepted any more."""

    def restart(self, tick: float) -> None:
        """Count anew: the clock cannot be trusted to have shown how much time went by."""
        self.began, self.look_ups = tick, 0

    def age(self, tick: float) -> float:
        """Seconds for which it has been looked for."""
        return tick - self.began

    def visible_since(self, tick: float) -> float:
        """Seconds since the last moment at which it may have been accepted; negative while it may be yet."""
        return tick - self.began - self.late

    def looked_up(self, asked: float, timeout: float, *, evidence_grows: bool) -> Verdict:
        """What an empty look-up, asked for at `asked`, leads to.

        `timeout` is the visibility timeout, inf while nothing tells how long it is. `evidence_grows` says
        that jobs of ours run, or will, which may still tell.
        """
        since = self.visible_since(asked)
        if since < 0:
            return Verdict.LOOK_AGAIN
        self.look_ups += 1
        if self.look_ups < LOOK_UPS or since < timeout:
            undecidable = timeout == inf and not evidence_grows and since >= BLIND
            return Verdict.UNDECIDABLE if undecidable else Verdict.LOOK_AGAIN
        return Verdict.NOT_FOUND

    def next_look_up(self, tick: float, timeout: float, *, shortest: float, longest: float) -> float:
        """Seconds until it is looked up again: pauses that grow, and one at the end of the visibility
        timeout.

        `shortest` and `longest` bound the pause. The timeout is looked into several times, however short it
        is.
        """
        pause = min(max(self.age(tick) / 2, shortest), longest)
        since = self.visible_since(tick)
        if since < 0:
            return max(min(pause, -since), 0.1)
        if timeout == inf:
            return pause
        spread = timeout / LOOK_UPS if self.look_ups < LOOK_UPS else timeout - since
        return max(min(pause, spread), 0.1)
