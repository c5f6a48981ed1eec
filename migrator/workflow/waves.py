"""Which waves may submit now: order, windows, and how many of the ones before must have succeeded."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from msgspec import Struct

from migrator.domain.image import Image
from migrator.domain.plan import Wave
from migrator.domain.units import Moment
from migrator.domain.zone import UTC_ZONE, Zone
from migrator.workflow.states import FINISHED, Phase, State
from migrator.workflow.target_counts import WaveCount


class Why(Struct, frozen=True):
    """Why images wait."""

    words: str
    """All of the sentence but the moment at its end."""

    at: Moment | None = None

    def told(self, zone: Zone) -> str:
        """The sentence, with the time in `zone`."""
        return self.words if self.at is None else f"{self.words} {zone.stamp(self.at)}"


class Gate(Struct, frozen=True, kw_only=True):
    """What is open at one moment."""

    open: frozenset[int]
    """Indices of the waves whose images may be submitted now."""

    possible: frozenset[int]
    """Those, and the ones that may still open while this run goes on."""

    until: Moment | None = None
    """When the clock alone may change this; None: never."""

    why: Why | None = None
    """Why some images wait, or will not be submitted in this run; None when nothing keeps them."""

    failed: bool = False
    """A wave is over and too few of it succeeded, so that the next ones never begin."""

    closed: bool = False
    """The window of a wave is over, and images of it are not finished."""

    @property
    def reason(self) -> str:
        """`why` in words, with the time in UTC; empty when nothing keeps images."""
        return "" if self.why is None else self.why.told(UTC_ZONE)


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
        self._elsewhere = [WaveCount() for _ in self._waves]
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
        self.ended(self.index(image), 1, phase in _GOOD)

    def ended(self, index: int, count: int, well: int) -> None:
        """So many images of a wave came to their end, and so many of them well."""
        counted = self._counts[index]
        counted.finished += count
        counted.succeeded += well

    def elsewhere(self, counts: Mapping[str, WaveCount]) -> None:
        """How far the waves have come on targets that others work on, by the wave's name."""
        self._elsewhere = [counts.get(wave.name, WaveCount()) for wave in self._waves]

    def counts(self) -> dict[str, WaveCount]:
        """How far they have come here, by the wave's name."""
        return {
            wave.name: WaveCount(count.total, count.finished, count.succeeded)
            for wave, count in zip(self._waves, self._counts, strict=True)
        }

    def copy(self) -> "Waves":
        """The same, to be played with."""
        other = Waves(self._waves if self.any else (), ())
        other._counts = [replace(count) for count in self._counts]
        other._elsewhere = list(self._elsewhere)
        return other

    def _everywhere(self) -> list[WaveCount]:
        return [
            count.plus(there) for count, there in zip(self.counts().values(), self._elsewhere, strict=True)
        ]

    def gate(self, now: Moment) -> Gate:
        """What is open at `now`."""
        open_: set[int] = set()
        reason: Why | None = None
        closed = False
        until: Moment | None = None
        for index, (wave, count) in enumerate(zip(self._waves, self._everywhere(), strict=True)):
            if wave.not_before is not None and now < wave.not_before:
                later = frozenset(range(index, len(self._waves)))
                why = reason or Why(f"wave {wave.name} begins at", wave.not_before)
                ends: list[Moment] = [until] if until is not None else []
                return Gate(
                    open=frozenset(open_),
                    possible=frozenset(open_) | later,
                    until=min([wave.not_before, *ends]),
                    why=why,
                )
            if wave.not_after is None or now < wave.not_after:
                open_.add(index)
                if wave.not_after is not None:
                    until = wave.not_after if until is None else min(until, wave.not_after)
            elif count.finished < count.total:
                closed = True
                reason = reason or Why(f"the window of wave {wave.name} closed at", wave.not_after)
            if index + 1 == len(self._waves) or self._lets_next_begin(wave, count):
                continue
            if count.finished >= count.total:
                why = Why(
                    f"of wave {wave.name} only {count.succeeded} of {count.total} succeeded, "
                    f"not {wave.proceed}"
                )
                return Gate(
                    open=frozenset(open_), possible=frozenset(open_), until=until, why=why, failed=True
                )
            waits = index in open_
            later = frozenset(open_) | frozenset(range(index + 1, len(self._waves)) if waits else ())
            why = reason or Why(f"wave {self._waves[index + 1].name} waits for wave {wave.name}")
            return Gate(open=frozenset(open_), possible=later, until=until, why=why, closed=closed)
        return Gate(open=frozenset(open_), possible=frozenset(open_), until=until, why=reason, closed=closed)

    def _lets_next_begin(self, wave: Wave, count: WaveCount) -> bool:
        if wave.proceed is None:
            return count.finished >= count.total
        if wave.proceed.fraction is None:
            return count.succeeded >= min(wave.proceed.count or 0, count.total)
        return count.succeeded >= wave.proceed.fraction * count.total - 1e-9


_GOOD = frozenset({Phase.SUCCEEDED, Phase.SKIPPED})


def line(
    keys: Sequence[str],
    image_of: Callable[[str], Image],
    index: Mapping[str, int],
    sizes: Mapping[str, int],
    *,
    largest_first: bool,
    by_machine: bool = False,
) -> list[str]:
    """The same keys in the order of submission: wave, priority, then the largest known object first.

    The longest job started last is what a run waits for. Where a size is unknown, the plan's order stands.
    With `by_machine` the disks of one machine stand one after another, where the first of them has its place.
    """
    known = largest_first and bool(sizes) and all(key in sizes for key in keys)
    if not (known or index or by_machine) and len({image_of(key).priority for key in keys}) <= 1:
        return list(keys)

    def rank(key: str) -> tuple[int, int, int]:
        size = sizes[key] if known else 0
        return index.get(key, 0), -image_of(key).priority, -size

    ordered = sorted(keys, key=rank)  # of equals the plan's order stands
    return _machine_by_machine(ordered, image_of, index) if by_machine else ordered


def _machine_by_machine(
    ordered: Sequence[str], image_of: Callable[[str], Image], index: Mapping[str, int]
) -> list[str]:
    """The same keys, with every further disk of a machine moved up behind the first one of its wave."""
    groups: dict[tuple[int, str] | str, list[str]] = {}
    for key in ordered:
        machine = image_of(key).machine
        groups.setdefault((index.get(key, 0), machine) if machine else key, []).append(key)
    return [key for group in groups.values() for key in group]
