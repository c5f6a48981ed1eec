"""Images counted by status, in groups that all add up to the same number."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from migrator.workflow.states import FINISHED, Phase

_INDEX = {phase: index for index, phase in enumerate(Phase)}


class Tally(Struct, frozen=True, kw_only=True):
    """Images by status."""

    counts: tuple[int, ...]
    """One for each Phase, in its order."""

    def __getitem__(self, status: Phase) -> int:
        return self.counts[_INDEX[status]]

    @property
    def by_status(self) -> dict[Phase, int]:
        return dict(zip(Phase, self.counts, strict=True))

    @property
    def images(self) -> int:
        """All of them, whatever their status."""
        return sum(self.counts)

    @property
    def wanted(self) -> int:
        """All but the cancelled ones: what "done" is compared with."""
        return self.images - self[Phase.CANCELLED]

    @property
    def done(self) -> int:
        """Succeeded, or skipped because the image was there before."""
        return self[Phase.SUCCEEDED] + self[Phase.SKIPPED]

    @property
    def failed(self) -> int:
        return self[Phase.FAILED]

    @property
    def unfinished(self) -> int:
        """Those with which something may still happen unasked."""
        return self.images - sum(self[phase] for phase in FINISHED)


def tallies(counts: Mapping[str, Sequence[int]]) -> dict[str, Tally]:
    """Each group's counts, one for each Phase in its order, as a Tally."""
    return {name: Tally(counts=tuple(numbers)) for name, numbers in counts.items()}


def tallies_of_label(counts: Mapping[str, Sequence[int]], totals: Sequence[int]) -> dict[str, Tally]:
    """Tallies by label value, with all images that lack the label under ""."""
    named = [sum(column) for column in zip(*counts.values(), strict=True)]
    rest = [total - part for total, part in zip(totals, named, strict=True)]
    complete: dict[str, Sequence[int]] = dict(counts)
    if any(rest):
        complete[""] = [a + b for a, b in zip(counts.get("", [0] * len(rest)), rest, strict=True)]
    return tallies({value: complete[value] for value in sorted(complete)})


def cells(counts: Sequence[int], room: int) -> list[int]:
    """`room` cells of a bar shared out in proportion to `counts`; none where all are zero.

    Whatever is not zero gets a cell at least, as long as there are enough; where not, the earlier ones do.
    """
    total = sum(counts)
    if total == 0:
        return [0] * len(counts)
    there = [index for index, count in enumerate(counts) if count][:room]
    found = [0] * len(counts)
    for index in there:
        found[index] = max(1, room * counts[index] // total)
    # What rounding left over, or took too much of, goes to and comes from where the share is furthest off.
    while there and (missing := room - sum(found)):
        step = 1 if missing > 0 else -1
        able = [index for index in there if step > 0 or found[index] > 1]
        chosen = max(able, key=lambda index: step * (room * counts[index] / total - found[index]))
        found[chosen] += step
    return found
