"""The system clock and real sleep."""

import time

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
