"""Time that passes only when nobody has anything left to do: for a rehearsal in this process.

Whatever waits for the clock is woken in the order of its moments, as soon as the loop is idle. The loop's own
time stays real: what is drawn or written every few seconds for a person goes on as ever.
"""

import asyncio
import heapq
import selectors
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio

from migrator.domain.units import Moment

LOOK_EVERY = 0.01
"""Real seconds between two looks at what comes from outside, while there is something to do."""


class _IdleSelector(selectors.DefaultSelector):
    """Asks for something to do before it waits."""

    on_idle: Callable[[], bool] | None = None
    """Whether it found any."""

    def __init__(self) -> None:
        super().__init__()
        self._looked = 0.0

    def select(self, timeout: float | None = None) -> Any:
        # A look at the real world costs as much as a step of the simulated one: signals can wait so long.
        if (now := time.monotonic()) - self._looked > LOOK_EVERY:
            self._looked = now
            ready = super().select(0)
            if ready:
                return ready
        if timeout is not None and timeout <= 0:
            return []
        if self.on_idle is not None and self.on_idle():
            return []
        return super().select(timeout)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on which a VirtualClock can run."""

    def __init__(self) -> None:
        self._idle = _IdleSelector()
        super().__init__(self._idle)

    def when_idle(self, advance: Callable[[], bool]) -> None:
        """Call `advance` whenever nothing can go on; it returns whether something can now."""
        self._idle.on_idle = advance


class _Alarm:
    """Something to call at a moment, unless nobody waits for it any more."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[[], object]) -> None:
        self.call: Callable[[], object] | None = call


class VirtualClock:
    """ports.Clock of a VirtualLoop; made inside it, one at a time."""

    def __init__(self, start: Moment) -> None:
        """`start` is the moment at which it begins."""
        self._start = start
        self._elapsed = 0.0
        self._alarms: list[tuple[float, int, _Alarm]] = []
        self._count = 0
        self._loop = asyncio.get_running_loop()
        if not isinstance(self._loop, VirtualLoop):
            raise RuntimeError("a VirtualClock needs a VirtualLoop")
        self._loop.when_idle(self._advance)

    def now(self) -> Moment:
        """The simulated moment."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Simulated seconds that have passed."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Return after so many simulated seconds; other tasks run even when it is not positive."""
        if not seconds > 0:
            await anyio.lowlevel.checkpoint()
            return
        done = self._loop.create_future()
        alarm = self._at(seconds, partial(_finish, done))
        try:
            await done
        finally:
            alarm.call = None

    async def wait(self, event: anyio.Event, seconds: float) -> None:
        """Return when `event` is set, or after so many simulated seconds."""
        with anyio.CancelScope() as scope:
            alarm = self._at(seconds, scope.cancel)
            try:
                await event.wait()
            finally:
                alarm.call = None

    def _at(self, seconds: float, call: Callable[[], object]) -> _Alarm:
        alarm = _Alarm(call)
        if seconds < float("inf"):
            self._count += 1
            heapq.heappush(self._alarms, (self._elapsed + max(seconds, 0.0), self._count, alarm))
        return alarm

    def _advance(self) -> bool:
        """Go on to the next moment that anybody waits for; False when nobody waits for one."""
        while self._alarms:
            moment, _, alarm = heapq.heappop(self._alarms)
            if alarm.call is None:
                continue
            self._elapsed = moment
            alarm.call()
            return True
        return False


def _finish(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_result(None)
