"""How every report spells the same thing."""

from datetime import UTC, datetime
from functools import lru_cache

from migrator.domain.units import Moment

_MINUTES = [f"T{minute // 60:02d}:{minute % 60:02d}" for minute in range(24 * 60)]
_SECONDS = [f":{second:02d}" for second in range(60)]
_THOUSANDTHS = [f".{thousandth:03d}Z" for thousandth in range(1000)]


@lru_cache(maxsize=4096)
def _day(day: int) -> str:
    return datetime.fromtimestamp(day * 86400, UTC).strftime("%Y-%m-%d")


def minutes(seconds: float) -> float:
    """The duration in minutes, rounded to hundredths."""
    return round(seconds / 60, 2)


def iso(moment: Moment) -> str:
    """The moment in ISO 8601, UTC, with milliseconds: "2026-12-01T12:00:00.250Z"."""
    thousandths = round(moment * 1000)
    second = thousandths // 1000
    minute = second // 60
    # Looked up rather than formatted: a large report spells half a million moments.
    return (
        f"{_day(minute // 1440)}{_MINUTES[minute % 1440]}{_SECONDS[second % 60]}"
        f"{_THOUSANDTHS[thousandths % 1000]}"
    )
