"""What one receiver of notifications is owed, and when to try next.

The rules:

1. The oldest goes first. Where the receiver is not there, everything waits; where it refuses one message,
   that one waits and the others go on, SPACING seconds later.
2. The pause doubles from try to try, at random below that, and is never longer than RETRY.cap: a receiver
   that is back after a minute hears within another.
3. Nothing is ever given up: what is still owed when a run ends is the next run's. A receiver that this
   process cannot reach whatever it does, for want of an address, is left to that at once.
"""

import random
from math import inf

from migrator.domain.notify import Sent
from migrator.domain.plan import Retry
from migrator.pacing.retry import backoff
from migrator.pacing.scheduler import Idle
from migrator.workflow.events import NotificationOwed

RETRY = Retry(base=2.0, cap=60.0)
SPACING = 1.0


class Outbox:
    """The debts to one receiver. Time and dice are arguments."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._owed: dict[str, NotificationOwed] = {}
        self._tries: dict[str, int] = {}
        """How often each was refused in a row."""
        self._later: dict[str, float] = {}
        """When each may be tried again."""
        self._missed = 0
        """How often in a row the receiver was not there."""
        self._not_before = -inf
        self._hopeless = False

    @property
    def settled(self) -> bool:
        """Whether there is nothing more to wait for in this run."""
        return not self._owed or self._hopeless

    def __len__(self) -> int:
        return len(self._owed)

    def add(self, owed: NotificationOwed) -> None:
        """One more."""
        self._owed.setdefault(owed.id, owed)

    def next(self, now: float) -> NotificationOwed | Idle:
        """What to send now, or how long there is nothing to send."""
        if self.settled:
            return Idle(inf)
        if now < self._not_before:
            return Idle(self._not_before - now)
        for id_, owed in self._owed.items():
            if self._later.get(id_, -inf) <= now:
                return owed
        return Idle(min(self._later.values()) - now)

    def tried(self, id_: str, sent: Sent, now: float) -> None:
        """What came of sending it."""
        if sent.delivered:
            self._missed = 0
            for known in (self._owed, self._tries, self._later):
                known.pop(id_, None)
        elif sent.hopeless:
            self._hopeless = True
        elif sent.refused:
            self._missed = 0
            self._tries[id_] = self._tries.get(id_, 0) + 1
            self._later[id_] = now + backoff(RETRY, self._tries[id_], self._rng)
            self._not_before = now + SPACING
        else:
            self._missed += 1
            self._not_before = now + backoff(RETRY, self._missed, self._rng)

    def hurry(self) -> None:
        """The run is about to end: try everything once more, without the pauses so far."""
        self._tries.clear()
        self._later.clear()
        self._missed, self._not_before = 0, -inf
