"""Which waves may submit now: order, windows, and how many of the ones before must have succeeded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from migrator.domain.image import Image
from migrator.domain.plan import Wave
from migrator.domain.units import Moment
from migrator.workflow.states import FINISHED, Phase, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What is open at one moment."""

    open: frozenset[int]
    """Indices of the waves whose images may be submitted now."""

    possible: frozenset[int]
    """Those, and the ones that may still open while this run goes on."""

    until: Moment | None = None
    """When the clock alone may change this; None: never."""

    reason: str = ""
    """Why some images wait, or will not be submitted in this run; empty when nothing keeps them."""

    failed: bool = False
    """A wave is over and too few of it succeeded, so that the next ones never begin."""


@dataclass(slots=True)
class _Count:
    total: int = 0
    finished: int = 0
    succeeded: int = 0


class Waves:
    """The waves of a plan and how far each has come. An image without waves belongs to one nameless wave."""

    def __init__(self, waves: Sequence[Wave], images: Iterable[tuple[Image, State]]) -> None:
        """`images` are all that the plan lists now, chosen for this run or not."""
        self.any = bool(waves)
        """Whether the plan has waves at all."""
        self._waves = waves or (Wave(name=""),)
        self._index = {wave.name: index for index, wave in enumerate(self._waves)}
        self._counts = [_Count() for _ in self._waves]
        for image, state in images:
            count = self._counts[self.index(image)]
            count.total += 1
            count.finished += state.phase in FINISHED
            count.succeeded += state.phase in _GOOD

    def index(self, image: Image) -> int:
        """Place of an image's wave in the order of the plan."""
        return self._index.get(image.wave or "", len(self._waves) - 1)

    def finished(self, image: Image, phase: Phase) -> None:
        """One image came to its end."""
        count = self._counts[self.index(image)]
        count.finished += 1
        count.succeeded += phase in _GOOD

    def gate(self, now: Moment) -> Gate:
        """What is open at `now`."""
        open_: set[int] = set()
        reason, until = "", None
        for index, (wave, count) in enumerate(zip(self._waves, self._counts, strict=True)):
            if wave.not_before is not None and now < wave.not_before:
                later = frozenset(range(index, len(self._waves)))
                why = reason or f"wave {wave.name} begins at {_moment(wave.not_before)}"
                ends: list[Moment] = [until] if until is not None else []
                return Gate(
                    open=frozenset(open_),
                    possible=frozenset(open_) | later,
                    until=min([wave.not_before, *ends]),
                    reason=why,
                )
            if wave.not_after is None or now < wave.not_after:
                open_.add(index)
                if wave.not_after is not None:
                    until = wave.not_after if until is None else min(until, wave.not_after)
            elif count.finished < count.total:
                reason = reason or f"the window of wave {wave.name} closed at {_moment(wave.not_after)}"
            if index + 1 == len(self._waves) or self._lets_next_begin(wave, count):
                continue
            if count.finished >= count.total:
                why = (
                    f"of wave {wave.name} only {count.succeeded} of {count.total} succeeded, "
                    f"not {wave.proceed}"
                )
                return Gate(
                    open=frozenset(open_), possible=frozenset(open_), until=until, reason=why, failed=True
                )
            waits = index in open_
            later = frozenset(range(index + 1, len(self._waves))) if waits else frozenset[int]()
            why = reason or f"wave {self._waves[index + 1].name} waits for wave {wave.name}"
            return Gate(open=frozenset(open_), possible=frozenset(open_) | later, until=until, reason=why)
        return Gate(open=frozenset(open_), possible=frozenset(open_), until=until, reason=reason)

    def _lets_next_begin(self, wave: Wave, count: _Count) -> bool:
        if wave.proceed is None:
            return count.finished >= count.total
        if wave.proceed.fraction is None:
            return count.succeeded >= min(wave.proceed.count or 0, count.total)
        return count.succeeded >= wave.proceed.fraction * count.total - 1e-9


def _moment(at: Moment) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


_GOOD = frozenset({Phase.SUCCEEDED, Phase.SKIPPED})


def line(
    images: Mapping[str, Image], index: Mapping[str, int], sizes: Mapping[str, int], *, largest_first: bool
) -> list[str]:
    """Keys in the order in which they are submitted: wave, priority, then the largest known object first.

    The longest job started last is what a run waits for. Where a size is unknown, the plan's order stands.
    """
    places = {key: place for place, key in enumerate(images)}
    known = largest_first and all(key in sizes for key in images)
    if not (known or index) and len({image.priority for image in images.values()}) <= 1:
        return list(images)

    def rank(key: str) -> tuple[int, int, int, int]:
        size = sizes[key] if known else 0
        return index.get(key, 0), -images[key].priority, -size, places[key]

    return sorted(images, key=rank)
