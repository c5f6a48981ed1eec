"""How long a commit waits for company: a sync costs the same for one row and for a hundred."""

PATIENCE = 0.002
"""Seconds that the first in line waits at most."""

TRIAL_EVERY = 32
"""Commits after which one waits to the end, to see how many come."""

KEPT = 0.75
"""What is left of the expected number when fewer came."""


class Crowd:
    """Learns how many callers usually come together; whoever is the last of them need not wait.

    Callers in lockstep, each back as soon as the last commit released them, are complete at once; those that
    trickle in are waited for.
    """

    __slots__ = ("_commits", "_expected")

    def __init__(self) -> None:
        self._expected = 1
        self._commits = 0

    def complete(self, waiting: int) -> bool:
        """Whether `waiting` callers are as many as are likely to come."""
        return waiting >= self._expected and self._commits % TRIAL_EVERY != 0

    def sent(self, waiting: int) -> None:
        """A commit with so many callers is on its way."""
        self._commits += 1
        self._expected = max(waiting, int(self._expected * KEPT), 1)
