"""The system clock and real sleep."""

import time
from collections.abc import Mapping

import anyio

from migrator.model import Moment


class SystemClock:
    """Time as the machine tells it."""

    def now(self) -> Moment:
        """The wall clock; somebody may set it while we run."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment in the past; nobody can set it."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; others get their turn even when it is not positive."""
        await anyio.sleep(max(0.0, seconds))

    async def wait(self, event: anyio.Event, seconds: float) -> None:
        """Return when `event` is set, or after `seconds` (inf: never), whichever comes first."""
        with anyio.move_on_after(seconds):
            await event.wait()


class FastClock:
    """Time that passes `speed` times as fast: for rehearsals against the simulator, never for a real cloud.

    `anchor` is the wall-clock moment at which both agree: programs with the same one share one time.
    """

    def __init__(self, speed: float, anchor: Moment) -> None:
        self.speed = speed
        self._anchor = anchor

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "SystemClock | FastClock":
        """The system's clock, unless MIGRATOR_REHEARSAL_CLOCK = "SPEED@ANCHOR" asks for a fast one."""
        setting = environ.get("MIGRATOR_REHEARSAL_CLOCK")
        if not setting:
            return SystemClock()
        speed, _, anchor = setting.partition("@")
        return cls(float(speed), float(anchor))

    def now(self) -> Moment:
        """The wall clock, run fast."""
        return self._anchor + (time.time() - self._anchor) * self.speed

    def monotonic(self) -> float:
        """Seconds that only grow, fast."""
        return time.monotonic() * self.speed

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock's time."""
        await anyio.sleep(max(0.0, seconds / self.speed))

    async def wait(self, event: anyio.Event, seconds: float) -> None:
        """Return when `event` is set, or after `seconds` of this clock's time."""
        with anyio.move_on_after(seconds / self.speed):
            await event.wait()
