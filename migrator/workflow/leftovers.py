"""Images in the cloud that bear a plan's marker and belong to nobody, and items whose image is gone.

Who owns an image that bears the plan's marker:

1. The item whose state names it, for what it imported, adopted or skipped. A failed item owns what its job
   left only if that is a whole image, which a person may want to see; the wreck of one is nobody's.
2. Any unfinished item whose marker it bears: it may be the import that is under way, or in doubt. An item of
   the plan that never began counts as unfinished, since its journal may be lost.
3. The item that it is a copy for, as long as the copy did not fail.

Everything else is left over: nobody will adopt it, verify it or report it.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from migrator.domain.cloud import CloudImage
from migrator.domain.image import MARKER_ITEM
from migrator.domain.plan import Plan
from migrator.workflow.ledger import Ledger
from migrator.workflow.resume import marker, plan_tag
from migrator.workflow.states import FINISHED, Phase, State, StepPhase
from migrator.workflow.steps import OVER

_WHOLE = "active"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """An image that bears the plan's marker and that no item owns."""

    image: CloudImage
    key: str | None
    """The item that it was imported for; None when neither plan nor journal knows it."""

    why: str
    """Why nobody owns it, in a few words."""


def _copying(item: State) -> bool:
    """A copy of its image may be under way, or be there already."""
    return any(name.startswith("copy:") and step.phase not in OVER for name, step in item.steps.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """An item that succeeded and whose image is there no longer."""

    key: str
    image_id: str


class Owners:
    """Who owns which image, by the plan and by the ledger as it was when this was made.

    Items of every target count: two targets may be one project, and then each lists the other's images.
    """

    def __init__(self, plan: Plan, ledger: Ledger) -> None:
        self._tag = plan_tag(plan.name)
        # An image of a plan without a journal, or one that was just added, has no state yet.
        self._states = {image.key: State(key=image.key) for image in plan.images} | ledger.states
        self._targets = {image.key: image.target for image in plan.images}
        self._targets |= {key: item.image.target for key, item in ledger.planned.items()}
        self._by_item = {marker(plan.name, key).item: state for key, state in self._states.items()}
        named = [state for state in self._states.values() if state.image_id]
        self._owned = {state.image_id for state in named if state.phase is not Phase.FAILED}
        self._owned |= {
            step.image_id
            for state in self._states.values()
            for step in state.steps.values()
            if step.image_id and step.phase is not StepPhase.FAILED
        }
        self._failed = {state.image_id for state in named if state.phase is Phase.FAILED}

    def leftover(self, image: CloudImage) -> Leftover | None:
        """`image` as a leftover of this plan; None when it is not the plan's, or somebody owns it."""
        name, value = self._tag
        if image.tags.get(name) != value or MARKER_ITEM not in image.tags or image.status == "deleted":
            return None
        if image.id in self._owned or (image.id in self._failed and image.status == _WHOLE):
            return None
        item = self._by_item.get(image.tags[MARKER_ITEM])
        if item is not None and (item.phase not in FINISHED or _copying(item)):
            return None
        return Leftover(image=image, key=item.key if item else None, why=_why(item, image))

    def leftovers(self, images: Iterable[CloudImage]) -> list[Leftover]:
        """Those of `images` that are left over, in their order."""
        found = (self.leftover(image) for image in images)
        return [leftover for leftover in found if leftover is not None]

    def gone(self, target: str, there: Container[str]) -> list[Gone]:
        """The items of `target` that succeeded and whose image id is not `there`, in the plan's order."""
        return [
            Gone(key=key, image_id=state.image_id)
            for key, state in self._states.items()
            if state.phase is Phase.SUCCEEDED
            and state.image_id
            and state.image_id not in there
            and self._targets.get(key) == target
        ]


def _why(item: State | None, image: CloudImage) -> str:
    if item is None:
        return "neither the plan nor its journal knows what it was for"
    if image.id in item.disowned:
        return f"an earlier image of {item.key}, given up when that was imported again"
    if item.phase is Phase.FAILED:
        return f"left by a failed import of {item.key}"
    if item.phase is Phase.CANCELLED:
        return f"imported for {item.key}, which left the plan"
    return f"a second image of {item.key}, which has {item.image_id or 'none'}"
