"""Plan and ledger compared: what to write down first, and the work left."""

from base64 import b32encode
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from operator import eq, is_
from types import MappingProxyType

from msgspec.json import encode

from migrator.domain.cloud import Fault
from migrator.domain.image import MARKER_PLAN, Image, Marker
from migrator.domain.plan import Plan
from migrator.domain.units import Moment
from migrator.ims.fields import FIELDS
from migrator.workflow.events import (
    AttemptUnknown,
    ImageEvent,
    ImagePlanned,
    ImageRemoved,
    ImageReopened,
    JobReattached,
    StepReopened,
    StepUnknown,
)
from migrator.workflow.ledger import Ledger, Planned
from migrator.workflow.states import FINISHED, Phase, State, StepPhase
from migrator.workflow.steps import left

_SENT = [field.key for field in FIELDS if field.sent is not None]
_NOT_THERE = (Phase.PENDING, Phase.FAILED)

INTERRUPTED = Fault(
    code="MIG.interrupted",
    message="the program ended before the service's answer was known",
    remedy="Nothing to do: the image is looked up before anything is sent again.",
)


def digest(image: Image) -> str:
    """A short fingerprint of what an import of `image` would send; nothing that is for us alone is part.

    Neither is the order of its tags. Journals keep digests, so an unchanged image has the same one for ever,
    whatever keys images may have by then.
    """
    sent = {}
    for key in _SENT:
        value = getattr(image, key)
        if value is not None:
            sent[key] = sorted(value) if isinstance(value, tuple) else value
    return blake2b(encode(sent, order="sorted"), digest_size=12).hexdigest()


class Listed(Mapping[str, Image]):
    """A plan's images by key, in the plan's order.

    Whoever asks for them in that order, as the reader of a journal mostly does, needs no table of them: of a
    million images it would be a hundred megabytes.
    """

    def __init__(self, images: Sequence[Image]) -> None:
        self._images = images
        self._next = 0
        self._table: dict[str, Image] | None = None

    def __getitem__(self, key: str) -> Image:
        if self._table is None:
            if self._next < len(self._images) and (image := self._images[self._next]).key == key:
                self._next += 1
                return image
            self._table = {image.key: image for image in self._images}
        return self._table[key]

    def __iter__(self) -> Iterator[str]:
        return (image.key for image in self._images)

    def __len__(self) -> int:
        return len(self._images)


def listed(plan: Plan) -> Listed:
    """The plan's images by key, in the plan's order."""
    return Listed(plan.images)


def planned(plan: Plan, known: Mapping[str, Planned] = MappingProxyType({})) -> dict[str, Planned]:
    """The plan's images by key, each with its digest, in the plan's order.

    Those whose very object is among the `known` ones, as the journal leaves them, need no new digest.
    """
    if len(known) == len(plan.images) and all(map(is_, plan.images, (item.image for item in known.values()))):
        return dict(known)  # all of them, in their order: no key is made again
    return {
        key: item
        if (item := known.get(key)) is not None and item.image is image
        else Planned(image=image, digest=digest(image))
        for key, image in zip(listed(plan), plan.images, strict=True)
    }


@lru_cache(maxsize=20_000)
def marker(plan_name: str, key: str) -> Marker:
    """The marker of one image: from plan name and key alone, so that a lost journal does not duplicate it.

    Tag values hold at most 43 characters of a narrow alphabet (fact sheet section 9), whereas plan names hold
    63 and keys anything, so what does not fit is hashed.
    """
    item = b32encode(blake2b(f"{plan_name}\n{key}".encode(), digest_size=15).digest()).decode().lower()
    return Marker(plan=plan_tag(plan_name)[1], item=item)


def plan_tag(plan_name: str) -> tuple[str, str]:
    """Key and value of the tag that every import of this plan bears."""
    if len(plan_name) <= 43:
        return MARKER_PLAN, plan_name
    return MARKER_PLAN, f"{plan_name[:30]}-{blake2b(plan_name.encode(), digest_size=6).hexdigest()}"


def startup_events(
    plan_images: dict[str, Planned],
    ledger: Ledger,
    now: Moment,
    *,
    retry_failed: bool = False,
    again: frozenset[str] = frozenset(),
    selected: Container[str] | None = None,
) -> Iterator[ImageEvent]:
    """What a run writes down before it acts: plan changes, open attempts, what a person reopened.

    `retry_failed` reopens failed images only as far as they are `selected`; all of them if that is None.
    """
    same = _are_all(plan_images, ledger)
    for key, item, known, state in _beside(plan_images, ledger, same=same):
        changed = known is not item and known != item
        if changed or (state is not None and state.removed):
            yield ImagePlanned(at=now, key=key, image=item.image, digest=item.digest)
        if state is None:
            continue
        if state.phase is Phase.SUBMITTING:
            yield AttemptUnknown(at=now, key=key, fault=INTERRUPTED)
        elif state.phase is Phase.OVERDUE:
            yield JobReattached(at=now, key=key)
        elif (key in again and (state.phase in FINISHED - {Phase.CANCELLED} or state.held)) or (
            retry_failed and state.phase is Phase.FAILED and (selected is None or key in selected)
        ):
            yield ImageReopened(at=now, key=key)
        elif state.steps:
            again_too = retry_failed and (selected is None or key in selected)
            yield from _steps_at_start(state, now, retry_failed=again_too)
    if same:
        return
    for key, state in ledger.states.items():
        if key in plan_images:
            continue
        if state.phase is Phase.SUBMITTING:
            yield AttemptUnknown(at=now, key=key, fault=INTERRUPTED)
        elif state.phase is Phase.OVERDUE:
            yield JobReattached(at=now, key=key)
        if not state.removed:
            yield ImageRemoved(at=now, key=key)


def _are_all(plan_images: Mapping[str, Planned], ledger: Ledger) -> bool:
    """Whether a plan's images are those of the ledger, the very same and in their order."""
    planned_ones = ledger.planned
    return (
        len(plan_images) == len(planned_ones)
        and all(map(is_, plan_images.values(), planned_ones.values()))
        and all(map(eq, plan_images, planned_ones))
    )


def _beside(
    plan_images: Mapping[str, Planned], ledger: Ledger, *, same: bool
) -> Iterator[tuple[str, Planned, Planned | None, State | None]]:
    """Key, image as the plan lists it, as it was last planned, and state, of each of a plan's images; `same`
    where they are all those of the ledger."""
    if same:
        return ((key, item, item, state) for key, item, state in ledger.images())
    planned_ones, states = ledger.planned, ledger.states
    return ((key, item, planned_ones.get(key), states.get(key)) for key, item in plan_images.items())


def _steps_at_start(state: State, now: Moment, *, retry_failed: bool) -> Iterator[ImageEvent]:
    for name, step in state.steps.items():
        if step.phase is StepPhase.ASKING:
            yield StepUnknown(at=now, key=state.key, step=name, fault=INTERRUPTED)
        elif step.phase is StepPhase.FAILED and retry_failed:
            yield StepReopened(at=now, key=state.key, step=name)


def work_left(ledger: Ledger) -> list[str]:
    """Keys of the images that are not finished, or of which something is to be done after their import, in
    the plan's order.

    An image that left the plan is still followed while its job may be running, but never submitted again.
    """
    return [key for key, _, _ in images_left(ledger)]


def images_left(ledger: Ledger) -> Iterator[tuple[str, Planned, State]]:
    """The same images: key, plan and state of each."""
    finished, succeeded = FINISHED, Phase.SUCCEEDED
    return (
        found
        for found in ledger.images()
        if (phase := found[2].phase) not in finished
        or (phase is succeeded and left(found[1].image, found[2]))
    )


def drifted(ledger: Ledger) -> list[str]:
    """Keys of images that were edited after they were submitted: reported, never imported again unasked.

    Pending and failed ones are not among them: whenever those are submitted, it is as the plan then says.
    """
    return [
        key
        for key, state in ledger.states.items()
        if state.digest
        and state.digest != ledger.planned[key].digest
        and not state.removed
        and state.phase not in _NOT_THERE
    ]


def steps_left(ledger: Ledger) -> int:
    """Shares and copies that are still to be made of images that were imported."""
    planned_ones = ledger.planned
    return sum(len(left(planned_ones[key].image, state)) for key, state in ledger.states.items())
