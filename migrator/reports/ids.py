"""The images that can be handed on by their ids, and how many are left out, and why.

An image is handed on when it was imported and verified and is still in the plan; a copy, when it is whole.
What is under way, failed, in doubt or was there before is left out: nobody looked whether that is what the
plan asks for.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from migrator.reports.glossary import REMOVED, STATUSES
from migrator.reports.rows import ImageRow
from migrator.reports.summary import Summary
from migrator.reports.untrusted import one_line
from migrator.workflow.states import Phase, StepPhase, StepState
from migrator.workflow.steps import COPY, wanted


class ImageId(NamedTuple):
    """One image that is there: the import of an image of the plan, or a copy of it."""

    target: str
    """Where it is."""

    image_id: str
    row: ImageRow
    """The image of the plan; of a copy, the one that was copied."""

    @property
    def name(self) -> str:
        """Its name in the cloud; a copy bears that of its original."""
        return self.row.name

    @property
    def is_copy(self) -> bool:
        return self.target != self.row.target


def about(summary: Summary, count: int) -> str:
    """What is handed on, on one line."""
    images = f"{count:,} {'image' if count == 1 else 'images'}"
    moment = summary.zone.stamp(summary.generated_at)
    return one_line(f"{images} of migration {summary.plan.name}, as of {moment}")


def image_ids(summary: Summary) -> list[ImageId]:
    """Whatever can be handed on: target by target, and in each of them in the plan's order."""
    places = {name: place for place, name in enumerate(summary.plan.targets)}
    found = [one for row in summary.images for one in _of(row)]
    return sorted(found, key=lambda one: (places.get(one.target, len(places)), one.target))


def _of(row: ImageRow) -> Iterator[ImageId]:
    if not _is_there(row) or row.image_id is None:
        return
    yield ImageId(row.target, row.image_id, row)
    for target, step in _copies(row):
        if step.phase is StepPhase.DONE and step.image_id:
            yield ImageId(target, step.image_id, row)


def _is_there(row: ImageRow) -> bool:
    return row.status is Phase.SUCCEEDED and bool(row.image_id) and not row.removed


def _copies(row: ImageRow) -> Iterator[tuple[str, StepState]]:
    none = StepState()
    for step in wanted(row.image):
        if step.kind == COPY:
            yield step.whom, row.state.steps.get(step.name, none)


def left_out(images: Iterable[ImageRow]) -> str:
    """How many are not handed on, and why: "3 images (2 to do, 1 failed) and 1 copy"; "" for none."""
    why: Counter[str] = Counter()
    copies = 0
    for row in images:
        if not _is_there(row):
            why[REMOVED if row.removed else STATUSES[row.status].word] += 1
        if not row.removed:
            there = _is_there(row)
            copies += sum(
                not (there and step.phase is StepPhase.DONE and step.image_id) for _, step in _copies(row)
            )
    parts = []
    if count := sum(why.values()):
        reasons = ", ".join(f"{number:,} {word}" for word, number in why.most_common())
        parts.append(f"{count:,} {'image' if count == 1 else 'images'} ({reasons})")
    if copies:
        parts.append(f"{copies:,} {'copy that is' if copies == 1 else 'copies that are'} not there")
    return " and ".join(parts)
