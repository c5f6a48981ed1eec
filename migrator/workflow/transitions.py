"""Which event may follow which phase, and what comes next: the table, advance() and decide()."""

from enum import StrEnum

from msgspec.structs import replace

from migrator.domain.cloud import Fault
from migrator.domain.units import Moment
from migrator.workflow.events import (
    AttemptBegan,
    AttemptHeld,
    AttemptNotFound,
    AttemptRejected,
    AttemptRestored,
    AttemptRetryable,
    AttemptThrottled,
    AttemptUnknown,
    DeadlinePassed,
    ImageEvent,
    ImageFound,
    ImagePlanned,
    ImageRemoved,
    ImageReopened,
    ImageSkipped,
    ImageVerified,
    JobAccepted,
    JobFailed,
    JobProgressed,
    JobReattached,
    JobRestored,
    JobSucceeded,
    MigrationFailed,
    StepEvent,
    VerificationFailed,
)
from migrator.workflow.states import Attempt, Outcome, Phase, State
from migrator.workflow.steps import STEP_TRANSITIONS, advanced

STEP_EVENTS = frozenset(kind for _, kind in STEP_TRANSITIONS)

TRANSITIONS: dict[tuple[Phase, type[ImageEvent]], Phase] = {
    (Phase.PENDING, AttemptBegan): Phase.SUBMITTING,  # journalled before the request leaves
    (Phase.PENDING, ImageFound): Phase.RUNNING,  # imported by an earlier run whose journal is gone
    (Phase.PENDING, ImageSkipped): Phase.SKIPPED,
    (Phase.PENDING, MigrationFailed): Phase.FAILED,
    (Phase.SUBMITTING, JobAccepted): Phase.RUNNING,
    (Phase.SUBMITTING, AttemptRetryable): Phase.PENDING,  # it never happened: safe to repeat
    (Phase.SUBMITTING, AttemptThrottled): Phase.PENDING,  # it never happened, and is held against nobody
    (Phase.SUBMITTING, AttemptRejected): Phase.FAILED,
    (Phase.SUBMITTING, AttemptUnknown): Phase.IN_DOUBT,  # it may have happened: look first
    (Phase.IN_DOUBT, ImageFound): Phase.RUNNING,
    (Phase.IN_DOUBT, AttemptNotFound): Phase.PENDING,  # looked for it long enough
    (Phase.IN_DOUBT, AttemptHeld): Phase.IN_DOUBT,
    (Phase.IN_DOUBT, MigrationFailed): Phase.FAILED,
    (Phase.IN_DOUBT, ImageReopened): Phase.PENDING,  # a person looked, and says that it did not happen
    (Phase.RUNNING, JobProgressed): Phase.RUNNING,
    (Phase.RUNNING, JobSucceeded): Phase.VERIFYING,
    (Phase.RUNNING, JobFailed): Phase.FAILED,
    (Phase.RUNNING, DeadlinePassed): Phase.OVERDUE,
    (Phase.OVERDUE, JobReattached): Phase.RUNNING,
    (Phase.VERIFYING, ImageVerified): Phase.SUCCEEDED,
    (Phase.VERIFYING, VerificationFailed): Phase.FAILED,
    # What a report knows that a journal put back from a copy does not.
    (Phase.PENDING, JobRestored): Phase.RUNNING,
    (Phase.IN_DOUBT, JobRestored): Phase.RUNNING,
    (Phase.FAILED, JobRestored): Phase.RUNNING,
    (Phase.PENDING, AttemptRestored): Phase.IN_DOUBT,
    (Phase.FAILED, ImageReopened): Phase.PENDING,
    (Phase.SUCCEEDED, ImageReopened): Phase.PENDING,
    (Phase.SKIPPED, ImageReopened): Phase.PENDING,
    **{(Phase.SUCCEEDED, kind): Phase.SUCCEEDED for kind in STEP_EVENTS},
    # The plan may change under any image; only one that never began changes its phase with it.
    **{(phase, ImagePlanned): phase for phase in Phase if phase is not Phase.CANCELLED},
    (Phase.CANCELLED, ImagePlanned): Phase.PENDING,
    **{(phase, ImageRemoved): phase for phase in Phase if phase is not Phase.PENDING},
    (Phase.PENDING, ImageRemoved): Phase.CANCELLED,
}
"""Every move there is, but for two: a found image that is already active goes straight on to VERIFYING, and
one that left the plan goes to CANCELLED where others go to PENDING."""


class ImpossibleTransition(Exception):
    """A fact that cannot follow: a bug, or a journal that somebody edited."""


def advance(state: State, event: ImageEvent) -> State:
    """The state after `event`. Raises ImpossibleTransition for a move outside the table."""
    phase = TRANSITIONS.get((state.phase, type(event)))
    if phase is None:
        raise ImpossibleTransition(f"{type(event).__name__} cannot follow {state.phase.name} ({state.key})")
    if phase is Phase.PENDING and state.removed and not isinstance(event, ImagePlanned):
        phase = Phase.CANCELLED
    match event:
        case AttemptBegan(at=at, attempt=number, digest=digest, leftovers=leftovers):
            attempt = Attempt(number=number, began_at=at, signed_at=event.signed_at)
            return replace(
                state,
                phase=phase,
                attempts=(*state.attempts, attempt),
                digest=digest,
                method=event.method,
                method_why=event.why,
                fault=None,
                paused_until=None,
                progress=None,
                disowned=(*state.disowned, *(one for one in leftovers if one not in state.disowned)),
            )
        case JobAccepted(at=at, job_id=job_id):
            attempts = _ended(state, Outcome.ACCEPTED, at, job_id=job_id)
            return replace(state, phase=phase, attempts=attempts, job_id=job_id, submitted_at=at)
        case AttemptRetryable(at=at, fault=fault):
            attempts = _ended(state, Outcome.RETRYABLE, at, fault)
            return replace(state, phase=phase, attempts=attempts, fault=fault)
        case AttemptThrottled(at=at, fault=fault, pause=pause):
            attempts = _ended(state, Outcome.THROTTLED, at, fault)
            until = at + pause if pause else None
            return replace(state, phase=phase, attempts=attempts, fault=fault, paused_until=until)
        case AttemptRejected(at=at, fault=fault):
            attempts = _ended(state, Outcome.REJECTED, at, fault)
            return replace(state, phase=phase, attempts=attempts, fault=fault, finished_at=at)
        case AttemptUnknown(at=at, fault=fault, final=final):
            attempts = _ended(state, Outcome.UNKNOWN, at, fault, final=final)
            return replace(state, phase=phase, attempts=attempts, fault=fault)
        case AttemptNotFound(at=at):
            attempts = _ended(state, Outcome.NOT_FOUND, at, state.attempts[-1].fault)
            return replace(state, phase=phase, attempts=attempts, held=False)
        case AttemptHeld(fault=fault):
            return replace(state, phase=phase, fault=fault, held=True)
        case ImageFound(at=at, image_id=image_id, active=active, others=others):
            # Only an attempt in doubt can be the one that made it; the outcome of others is known.
            ours = state.phase is Phase.IN_DOUBT
            return replace(
                state,
                phase=Phase.VERIFYING if active else phase,
                attempts=_ended(state, Outcome.ADOPTED, at) if ours else state.attempts,
                image_id=image_id,
                submitted_at=state.attempts[-1].began_at if ours else None,
                fault=None,
                held=False,
                others=others,
            )
        case JobProgressed(progress=progress):
            return replace(state, phase=phase, progress=progress)
        case JobSucceeded(at=at, image_id=image_id):
            return replace(
                state, phase=phase, image_id=image_id or state.image_id, progress=1.0, job_ended_at=at
            )
        case JobFailed(at=at, fault=fault, image_id=image_id):
            left = image_id or state.image_id
            return replace(state, phase=phase, fault=fault, finished_at=at, image_id=left)
        case ImageVerified(at=at, image_id=image_id, uncompared=uncompared, os_version=os_version):
            return replace(
                state,
                phase=phase,
                image_id=image_id,
                finished_at=at,
                fault=None,
                progress=1.0,
                uncompared=uncompared,
                os_version=os_version,
            )
        case VerificationFailed(at=at, fault=fault) | MigrationFailed(at=at, fault=fault):
            return replace(state, phase=phase, fault=fault, finished_at=at, held=False)
        case ImageSkipped(at=at, image_id=image_id):
            return replace(state, phase=phase, image_id=image_id, finished_at=at, fault=None)
        case ImageReopened():
            disowned = (*state.disowned, state.image_id) if state.image_id else state.disowned
            return State(
                key=state.key,
                phase=phase,
                attempts=state.attempts,
                removed=state.removed,
                disowned=disowned,
            )
        case JobRestored(at=at, job_id=job_id, submitted_at=submitted_at):
            began = at if submitted_at is None else submitted_at
            if state.phase is not Phase.IN_DOUBT:
                state = replace(state, attempts=(*state.attempts, _another(state, began)))
            return replace(
                state,
                phase=phase,
                attempts=_ended(state, Outcome.ACCEPTED, began, job_id=job_id),
                job_id=job_id,
                submitted_at=began,
                finished_at=None,
                fault=None,
                held=False,
            )
        case AttemptRestored(at=at, fault=fault):
            state = replace(state, attempts=(*state.attempts, _another(state, at)))
            attempts = _ended(state, Outcome.UNKNOWN, at, fault)
            return replace(state, phase=phase, attempts=attempts, fault=fault)
        case DeadlinePassed(fault=fault):
            return replace(state, phase=phase, fault=fault)
        case ImagePlanned():
            return replace(state, phase=phase, removed=False)
        case ImageRemoved():
            return replace(state, phase=phase, removed=True)
        case StepEvent():
            return replace(state, steps=advanced(state.steps, event))
        case _:
            return replace(state, phase=phase)


def _another(state: State, began: Moment) -> Attempt:
    return Attempt(number=len(state.attempts) + 1, began_at=began)


def _ended(
    state: State,
    outcome: Outcome,
    at: Moment,
    fault: Fault | None = None,
    *,
    job_id: str | None = None,
    final: bool = False,
) -> tuple[Attempt, ...]:
    last = replace(state.attempts[-1], outcome=outcome, ended_at=at, fault=fault, job_id=job_id, final=final)
    return (*state.attempts[:-1], last)


class Step(StrEnum):
    """One conversation with the cloud, or none."""

    SUBMIT = "submit"
    LOOK_UP = "look_up"
    POLL = "poll"
    FOLLOW = "follow"
    """Like POLL, for an adopted import: nobody knows its job, so its image is asked about."""
    VERIFY = "verify"
    SWEEP = "sweep"
    """One list of everything this plan imported; about a target, not about one image."""
    DONE = "done"


_STEPS = {
    Phase.PENDING: Step.SUBMIT,
    Phase.IN_DOUBT: Step.LOOK_UP,
    Phase.RUNNING: Step.POLL,
    Phase.VERIFYING: Step.VERIFY,
}


def decide(state: State) -> Step:
    """What to do next for an image, whatever happened before.

    Raises ImpossibleTransition for an attempt that is still open: it belongs to the task that sent it, and
    after a crash it is first recorded as unknown.
    """
    if state.phase is Phase.SUBMITTING:
        raise ImpossibleTransition(f"the attempt of {state.key} is still open")
    if state.held:
        return Step.DONE
    if state.phase is Phase.RUNNING and state.job_id is None:
        return Step.FOLLOW
    return _STEPS.get(state.phase, Step.DONE)
