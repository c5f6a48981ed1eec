"""How every report spells the same thing."""

from datetime import UTC, datetime
from functools import lru_cache

from migrator.domain.units import Moment

_SECONDS = [f":{second:02d}" for second in range(60)]
_THOUSANDTHS = [f".{thousandth:03d}Z" for thousandth in range(1000)]


@lru_cache(maxsize=4096)
def _minute(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M")


def minutes(seconds: float) -> float:
    """The duration in minutes, rounded to hundredths."""
    return round(seconds / 60, 2)


def iso(moment: Moment) -> str:
    """The moment in ISO 8601, UTC, with milliseconds: "2026-12-01T12:00:00.250Z"."""
    thousandths = round(moment * 1000)
    second = thousandths // 1000
    # Looked up rather than formatted: a large report spells half a million moments.
    return f"{_minute(second // 60)}{_SECONDS[second % 60]}{_THOUSANDTHS[thousandths % 1000]}"
