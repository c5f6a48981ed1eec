"""How every report spells the same thing."""

from datetime import UTC, datetime
from functools import lru_cache

from migrator.model import Moment

_SECONDS = [f":{second:02d}" for second in range(60)]
_THOUSANDTHS = [f".{thousandth:03d}Z" for thousandth in range(1000)]


@lru_cache(maxsize=16384)
def _minute(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).strftime("%Y-%m-%dT%H:%M")


def iso(moment: Moment) -> str:
    """The moment in ISO 8601, UTC, with milliseconds: "2026-12-01T12:00:00.250Z"."""
    minute, rest = divmod(round(moment * 1000), 60_000)
    return _minute(minute) + _SECONDS[rest // 1000] + _THOUSANDTHS[rest % 1000]
