"""Keeps the write-ahead log small whatever readers do.

SQLite copies the log into the database by itself, but starts it over only in a moment in which nobody reads
from it. Readers that overlap, each with a new snapshot before the one before it ends, leave no such moment.
So a log that has grown too long is copied between two commits, waiting a little for those who read: whoever
begins to read meanwhile finds everything in the database, and is in nobody's way. The waiting is bounded, and
grows from try to try. A process that never ends its transaction cannot be outrun: that is said once.
"""

import sqlite3
from collections.abc import Callable

RESTARTED_ABOVE = 32 * 2**20
"""Bytes of a log that is to start over."""

MOST = 64 * 2**20
"""Bytes that it should never have; a log of so many is said."""

_STEP = 4 * 2**20
"""Bytes that it grows until the next try."""

_SHORTEST, _LONGEST = 0.5, 5.0
"""Seconds that a try waits for readers, the first and any."""

Warn = Callable[[str], None]
"""Told a sentence that somebody should see; from any thread."""


def nobody(sentence: str) -> None:
    """A `Warn` that says nothing."""


class WalLimit:
    """When to start the log over, and for how long to wait for readers: decides, and touches nothing."""

    __slots__ = ("_next", "_said", "_wait")

    def __init__(self) -> None:
        self._next = RESTARTED_ABOVE
        self._wait = _SHORTEST
        self._said = False

    def wait(self, size: int) -> float | None:
        """Seconds to wait at most for a log of `size` bytes to start over; None where it may go on."""
        return self._wait if size >= self._next else None

    def tried(self, size: int, *, restarted: bool) -> bool:
        """What came of it; whether somebody has to be told."""
        if restarted:
            self._next, self._wait, self._said = RESTARTED_ABOVE, _SHORTEST, False
            return False
        self._wait = min(2 * self._wait, _LONGEST)
        self._next = size + _STEP
        if size < MOST:
            return False
        # It was not for want of patience: from now on it is tried at times, and nobody waits long.
        self._next, self._wait = size + RESTARTED_ABOVE, _SHORTEST
        first, self._said = not self._said, True
        return first


def restart(connection: sqlite3.Connection, seconds: float) -> bool:
    """Copy the log into the database so that it starts over; whether readers allowed it in that time."""
    before = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.execute(f"PRAGMA busy_timeout = {round(1000 * seconds)}")
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {before}")
    return not busy
