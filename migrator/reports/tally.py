"""Images counted by status, in groups that all add up to the same number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from migrator.workflow.states import FINISHED, Phase

_INDEX = {phase: index for index, phase in enumerate(Phase)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
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
