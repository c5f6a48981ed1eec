"""The time zone in which people are told the time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from migrator.domain.units import Moment


@dataclass(frozen=True, slots=True)
class Zone:
    """A time zone and what it is called."""

    tz: tzinfo
    name: str
    """Of the IANA database, as "Asia/Shanghai"; "UTC"; or an offset, "UTC+05:45", where nobody knows more."""

    def local(self, moment: Moment) -> datetime:
        """The moment as clocks there show it."""
        return datetime.fromtimestamp(min(moment, _LAST), self.tz)

    def offset(self, moment: Moment) -> float:
        """Seconds by which clocks there are ahead of UTC at the moment."""
        return (self.local(moment).utcoffset() or timedelta()).total_seconds()

    def clock(self, moment: Moment) -> str:
        """Day and time without the zone: "2026-12-01 12:00"."""
        return self.local(moment).strftime("%Y-%m-%d %H:%M")

    def stamp(self, moment: Moment) -> str:
        """Day, time and zone: "2026-12-01 12:00 Asia/Shanghai"."""
        return f"{self.clock(moment)} {self.name}"

    def day_and_time(self, moment: Moment, now: Moment) -> str:
        """The moment as a person there would say it at `now`: "today 21:40", "on 2026-12-05 03:10"."""
        then = self.local(moment)
        days = (then.date() - self.local(now).date()).days
        day = {0: "today", 1: "tomorrow", -1: "yesterday"}.get(days, f"on {then:%Y-%m-%d}")
        return f"{day} {then:%H:%M}"


_LAST = 253_370_764_800.0
"""The first moment of the year 9999: calendars end soon after it."""

UTC_ZONE = Zone(UTC, "UTC")


def zone(name: str) -> Zone:
    """The zone of an IANA name. Raises ZoneInfoNotFoundError or ValueError for what is none."""
    return UTC_ZONE if name == "UTC" else Zone(ZoneInfo(name), name)


@cache
def zone_names() -> frozenset[str]:
    """Every IANA name that is known here."""
    return frozenset(available_timezones())
