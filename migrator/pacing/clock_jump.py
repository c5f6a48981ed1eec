"""A wall clock that jumps: the monotonic one shows it."""

JUMP = 5.0
"""Seconds by which the wall clock may part from the monotonic one between two looks without being worth a
word: time servers nudge it by less."""


class ClockJump:
    """Compares the wall clock with the monotonic one, look by look."""

    def __init__(self, wall: float, tick: float) -> None:
        self._offset = wall - tick
        self.total = 0.0
        """Seconds by which the wall clock was off at some time in this run, at most."""

    def seen(self, wall: float, tick: float) -> float:
        """Seconds by which the wall clock jumped since the last call, forwards or back; 0.0 when it did
        not."""
        offset = wall - tick
        jump = offset - self._offset
        self._offset = offset
        if abs(jump) < JUMP:
            return 0.0
        self.total += abs(jump)
        return jump
