"""The system clock and real sleep; and a fast one, for a simulator on this machine."""

import math
import re
import time
from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

import anyio

from migrator.domain.errors import UsageError
from migrator.domain.ports import Clock
from migrator.domain.units import Moment

REHEARSAL = "MIGRATOR_REHEARSAL_CLOCK"
"""The variable that asks for a fast clock: "SPEED@ANCHOR"."""

_LAST = 253_370_764_800.0
"""The first moment of the year 9999, up to which dates can be written."""


def _elapsed() -> float:
    """Seconds that only grow; on Linux also while the machine sleeps, as the cloud does not sleep with it."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class SystemClock:
    """Time as the machine tells it."""

    def now(self) -> Moment:
        """The wall clock; somebody may set it while we run."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment in the past; nobody can set it."""
        return _elapsed()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; other tasks run even when it is not positive."""
        await anyio.sleep(max(0.0, seconds))

    async def wait(self, event: anyio.Event, seconds: float) -> None:
        """Return when `event` is set, or after `seconds` (inf: never), whichever comes first."""
        with anyio.move_on_after(seconds):
            await event.wait()


class BackdatedClock(SystemClock):
    """A wall clock that is late by so many seconds: for asking what a service does with an old signature."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds

    def now(self) -> Moment:
        """The other clock's moment, so many seconds ago."""
        return self._clock.now() - self._seconds


class FastClock:
    """Time that passes `speed` times as fast: for rehearsals against the simulator, never for a real cloud.

    `anchor` is the wall-clock moment at which both agree: programs with the same one share one time.
    """

    def __init__(self, speed: float, anchor: Moment) -> None:
        self.speed = speed
        self._anchor = anchor

    def now(self) -> Moment:
        """The wall clock, run fast."""
        return self._anchor + (time.time() - self._anchor) * self.speed

    def monotonic(self) -> float:
        """Seconds that only grow, fast."""
        return _elapsed() * self.speed

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock's time."""
        await anyio.sleep(max(0.0, seconds / self.speed))

    async def wait(self, event: anyio.Event, seconds: float) -> None:
        """Return when `event` is set, or after `seconds` of this clock's time."""
        with anyio.move_on_after(seconds / self.speed):
            await event.wait()


def clock_of(addresses: Iterable[str], environ: Mapping[str, str]) -> SystemClock | FastClock:
    """The system's clock, unless MIGRATOR_REHEARSAL_CLOCK asks for a fast one.

    `addresses` are the URLs of all that is spoken to under this clock. Raises UsageError where one of them is
    not this machine: a real service refuses signatures of another time, and a fast clock asks it too often.
    """
    setting = environ.get(REHEARSAL)
    if not setting:
        return SystemClock()
    for address in addresses:
        if not _is_loopback(urlsplit(address).hostname or ""):
            raise UsageError(
                f"{REHEARSAL} is set, and the plan speaks to {address}, which is not on this machine",
                hint=f"It is for rehearsals against a simulator on 127.0.0.1 alone: unset {REHEARSAL}. "
                "Nothing was sent.",
            )
    found = re.fullmatch(r"([^@]+)@([^@]+)", setting)
    try:
        clock = FastClock(float(found[1]), float(found[2])) if found else None
    except ValueError:
        clock = None
    if clock is None or not (0 < clock.speed < math.inf and 0 <= clock.now() < _LAST):
        raise UsageError(
            f"{REHEARSAL} is {setting!r}, which is no clock",
            hint=f'Write it as "SPEED@ANCHOR", such as "60@{time.time():.0f}": how many seconds pass in a '
            f"real one, and when both clocks agree, in seconds since 1970; or unset {REHEARSAL}.",
        )
    return clock


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
