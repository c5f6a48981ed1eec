"""How far one target of a plan has come, for those who work on its other targets.

What is common to all targets, the order of waves and the failure threshold, is decided by each of them from
these counts; they may be a few seconds old, so that a threshold may be passed by what is under way.
"""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.json import decode, encode


class WaveCount(Struct, frozen=True, omit_defaults=True):
    """Images of one wave."""

    total: int = 0
    finished: int = 0
    succeeded: int = 0

    def plus(self, other: "WaveCount") -> "WaveCount":
        """Both together."""
        return WaveCount(
            self.total + other.total, self.finished + other.finished, self.succeeded + other.succeeded
        )


class TargetCounts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of one target, or of several together."""

    waves: dict[str, WaveCount] = {}
    """By the wave's name."""

    failed: int = 0
    finished: int = 0
    """Images that this run brought to their end, badly or at all."""

    def text(self) -> str:
        """As it is kept."""
        return encode(self).decode()

    @classmethod
    def read(cls, text: str) -> "TargetCounts":
        """Raises ValueError for what is none."""
        return decode(text, type=cls)


def together(counts: Iterable[TargetCounts]) -> TargetCounts:
    """The sum of several targets."""
    waves: dict[str, WaveCount] = {}
    failed = finished = 0
    for one in counts:
        failed, finished = failed + one.failed, finished + one.finished
        for name, count in one.waves.items():
            waves[name] = waves.get(name, WaveCount()).plus(count)
    return TargetCounts(waves=waves, failed=failed, finished=finished)
