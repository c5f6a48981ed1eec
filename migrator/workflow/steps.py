"""What is done with an image after its import: shared with other projects, copied to other targets.

Each step has a life of its own, as the import has: its intent is durable before a request leaves, an answer
that was lost is looked for before anything is sent again, and what was made is completed (a copy is marked, a
shared image accepted) before the step is done.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from migrator.domain.image import Image
from migrator.workflow.events import (
    StepAccepted,
    StepBegan,
    StepDone,
    StepEvent,
    StepFailed,
    StepMade,
    StepNotFound,
    StepRefused,
    StepReopened,
    StepUnknown,
)
from migrator.workflow.states import Phase, State, StepPhase, StepState

SHARE, COPY = "share", "copy"


class Step(NamedTuple):
    """One thing to do with an image: its kind, and the project or the target that it is about."""

    kind: str
    whom: str

    @property
    def name(self) -> str:
        """As the journal calls it: "copy:south"."""
        return f"{self.kind}:{self.whom}"


STEP_TRANSITIONS: dict[tuple[StepPhase, type[StepEvent]], StepPhase] = {
    (StepPhase.TODO, StepBegan): StepPhase.ASKING,  # journalled before the request leaves
    (StepPhase.TODO, StepMade): StepPhase.MADE,  # found before anything was sent
    (StepPhase.TODO, StepFailed): StepPhase.FAILED,
    (StepPhase.ASKING, StepAccepted): StepPhase.RUNNING,
    (StepPhase.ASKING, StepRefused): StepPhase.TODO,  # it never happened: safe to repeat
    (StepPhase.ASKING, StepUnknown): StepPhase.IN_DOUBT,  # it may have happened: look first
    (StepPhase.ASKING, StepFailed): StepPhase.FAILED,
    (StepPhase.IN_DOUBT, StepMade): StepPhase.MADE,
    (StepPhase.IN_DOUBT, StepNotFound): StepPhase.TODO,  # looked for it long enough
    (StepPhase.IN_DOUBT, StepFailed): StepPhase.FAILED,
    (StepPhase.RUNNING, StepMade): StepPhase.MADE,
    (StepPhase.RUNNING, StepUnknown): StepPhase.IN_DOUBT,  # the service forgot the job
    (StepPhase.RUNNING, StepFailed): StepPhase.FAILED,
    (StepPhase.MADE, StepDone): StepPhase.DONE,
    (StepPhase.MADE, StepFailed): StepPhase.FAILED,
    (StepPhase.FAILED, StepReopened): StepPhase.TODO,
}
"""Every move there is."""

OVER = frozenset({StepPhase.DONE, StepPhase.FAILED})


class ImpossibleStep(Exception):
    """A fact that cannot follow: a bug, or a journal that somebody edited."""


def advanced(steps: Mapping[str, StepState], event: StepEvent) -> dict[str, StepState]:
    """The steps of an image after `event`. Raises ImpossibleStep for a move outside the table."""
    before = steps.get(event.step) or StepState()
    phase = STEP_TRANSITIONS.get((before.phase, type(event)))
    if phase is None:
        raise ImpossibleStep(f"{type(event).__name__} cannot follow {before.phase.name} ({event.step})")
    return {**steps, event.step: _after(before, event, phase)}


def _after(before: StepState, event: StepEvent, phase: StepPhase) -> StepState:
    match event:
        case StepBegan(at=at, signed_at=signed_at):
            tried = before.attempts + 1
            return StepState(phase=phase, attempts=tried, began_at=at, signed_at=signed_at)
        case StepAccepted(job_id=job_id):
            return replace(before, phase=phase, job_id=job_id, fault=None)
        case StepMade(image_id=image_id):
            return replace(before, phase=phase, image_id=image_id or before.image_id, fault=None)
        case StepRefused(fault=fault) | StepUnknown(fault=fault):
            return replace(before, phase=phase, fault=fault)
        case StepFailed(at=at, fault=fault):
            return replace(before, phase=phase, ended_at=at, fault=fault)
        case StepDone(at=at):
            return replace(before, phase=phase, ended_at=at, fault=None)
    # It did not happen, or is asked for anew: nothing of it is kept but how often it was tried.
    return StepState(phase=phase, attempts=0 if isinstance(event, StepReopened) else before.attempts)


def wanted(image: Image) -> Iterator[Step]:
    """What the plan asks for after the import of `image`."""
    yield from (Step(SHARE, project) for project in image.share_with)
    yield from (Step(COPY, target) for target in image.copy_to)


def left(image: Image, state: State) -> list[Step]:
    """What is still to be done with an image that was imported; nothing of any other."""
    if state.phase is not Phase.SUCCEEDED or not state.image_id or state.removed:
        return []
    if not image.share_with and not image.copy_to:
        return []
    none = StepState()
    return [step for step in wanted(image) if state.steps.get(step.name, none).phase not in OVER]


def failed(image: Image, state: State) -> list[Step]:
    """What failed of what the plan asks for."""
    if not state.steps:
        return []
    none = StepState()
    return [step for step in wanted(image) if state.steps.get(step.name, none).phase is StepPhase.FAILED]
