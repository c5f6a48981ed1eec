"""One image's life: its phases, the facts that move it, and what to do next.

The rules, which the table below spells out and tests check phase by event:

1. Intent first. An attempt begins in the journal before its request leaves, so an attempt with no outcome
   is *in doubt* after a crash, and never pending.
2. Only two facts lead from an attempt back to pending: the service refused it and it never happened, or
   look-ups stayed empty until it had to be counted as lost.
3. A job's end is a claim; only reading the image back makes it a success.
4. Overdue is not failed: the job may still end well, and the next run attaches to it again.
5. A person may reopen what is over, or what is held for a person (`--retry-failed`, `--again`); nothing else
   does.
6. An image that left the plan is followed while its job may be running, but never submitted: what would make
   it pending cancels it.
"""

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from migrator.core.settle import By, Learned
from migrator.model import Fault, Image, Moment


class Phase(StrEnum):
    """Where an image stands; also the `status` that reports show."""

    PENDING = "pending"
    SUBMITTING = "submitting"
    IN_DOUBT = "in_doubt"
    RUNNING = "running"
    VERIFYING = "verifying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    OVERDUE = "overdue"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    # Enum hashes in Python code; tables by phase are looked up for every event and every row of a report.
    __hash__ = str.__hash__


FINISHED = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.SKIPPED, Phase.CANCELLED})
"""Nothing more happens to these unless a person asks for it."""

IN_CLOUD = frozenset({Phase.SUBMITTING, Phase.IN_DOUBT, Phase.RUNNING, Phase.OVERDUE})
"""These hold a slot of the job window: a job is, or may be, unfinished in the cloud."""


class Outcome(StrEnum):
    """What became of one attempt."""

    OPEN = "open"
    """The request is on its way, or the program died before it knew."""
    ACCEPTED = "accepted"
    REFUSED = "refused"
    """It never happened and may be repeated."""
    THROTTLED = "throttled"
    """It never happened because we asked too much; nothing is held against the image."""
    REJECTED = "rejected"
    """It never happened and never will as asked."""
    UNKNOWN = "unknown"
    """It may have happened; look-ups decide."""
    ADOPTED = "adopted"
    """Its image was found by a look-up."""
    LOST = "lost"
    """Look-ups stayed empty until it counted as never having happened."""


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One submission of an image."""

    number: int
    """1 is the first."""

    began_at: Moment
    outcome: Outcome = Outcome.OPEN
    ended_at: Moment | None = None
    """When the outcome became known."""

    job_id: str | None = None
    fault: Fault | None = None


class State(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One image's past, as far as anybody needs it to decide and to report."""

    key: str
    phase: Phase = Phase.PENDING
    attempts: tuple[Attempt, ...] = ()
    digest: str = ""
    """Of the image as it was last submitted; empty before the first attempt."""

    job_id: str | None = None
    image_id: str | None = None
    progress: float | None = None
    """Fraction from 0 to 1, as last journalled."""

    submitted_at: Moment | None = None
    """When the service accepted it, or when the attempt began whose image was found."""

    job_ended_at: Moment | None = None
    """When the service said that its job ended well; verifying follows."""

    finished_at: Moment | None = None
    fault: Fault | None = None
    """Why it failed, or why it waits."""

    removed: bool = False
    """No longer in the plan."""

    held: bool = False
    """In doubt, and left for a person to decide."""

    disowned: tuple[str, ...] = ()
    """Ids of images of earlier lives, which `--again` or `--retry-failed` gave up."""


# --- Facts ----------------------------------------------------------------------------------------------


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A past-tense fact."""

    at: Moment


class ImageEvent(Event, frozen=True, kw_only=True):
    """A fact about one image."""

    key: str


class ImagePlanned(ImageEvent, frozen=True, kw_only=True):
    """The plan lists it, new or with other words than before."""

    image: Image
    digest: str


class ImageRemoved(ImageEvent, frozen=True, kw_only=True):
    """The plan no longer lists it."""


class AttemptBegan(ImageEvent, frozen=True, kw_only=True):
    """Its import request is about to leave."""

    attempt: int
    digest: str


class JobAccepted(ImageEvent, frozen=True, kw_only=True):
    """The service took it and named a job."""

    job_id: str


class AttemptRefused(ImageEvent, frozen=True, kw_only=True):
    """It never happened; repeating is safe."""

    fault: Fault
    throttled: bool = False
    """The service said that we ask too much, or that nobody may ask now; not the image's doing."""


class AttemptRejected(ImageEvent, frozen=True, kw_only=True):
    """It never happened, and asking again in the same words is useless."""

    fault: Fault


class AttemptLost(ImageEvent, frozen=True, kw_only=True):
    """No answer, or none that tells; it may have happened."""

    fault: Fault


class AttemptAbsent(ImageEvent, frozen=True, kw_only=True):
    """Look-ups stayed empty for as long as it takes to be sure: it did not happen."""

    looked_for: float
    """Seconds from the attempt to the last empty look-up."""


class AttemptHeld(ImageEvent, frozen=True, kw_only=True):
    """A person has to decide whether it happened."""

    fault: Fault


class ImageFound(ImageEvent, frozen=True, kw_only=True):
    """A look-up found an image that bears its marker: it was imported, or is being imported."""

    image_id: str
    active: bool
    """The image is ready to be verified; otherwise its import still runs."""


class JobProgressed(ImageEvent, frozen=True, kw_only=True):
    """The job came a good step further."""

    progress: float


class JobSucceeded(ImageEvent, frozen=True, kw_only=True):
    """The service says the job ended well."""

    image_id: str | None


class JobFailed(ImageEvent, frozen=True, kw_only=True):
    """The service says the job, or its image, ended badly."""

    fault: Fault
    image_id: str | None = None
    """What it may have left behind."""


class DeadlinePassed(ImageEvent, frozen=True, kw_only=True):
    """Its job took longer than the plan allows; it goes on in the cloud."""


class JobReattached(ImageEvent, frozen=True, kw_only=True):
    """A later run watches an overdue job again."""


class ImageVerified(ImageEvent, frozen=True, kw_only=True):
    """The image is there and is what the plan asked for."""

    image_id: str
    checked: bool = True
    """False when the plan said not to read it back."""


class VerificationFailed(ImageEvent, frozen=True, kw_only=True):
    """The job said success, but the image is missing or is not what was asked for."""

    fault: Fault


class ImageSkipped(ImageEvent, frozen=True, kw_only=True):
    """It was there before, and the plan says to leave it at that."""

    image_id: str


class MigrationFailed(ImageEvent, frozen=True, kw_only=True):
    """It will not be submitted again: retries used up, or its name belongs to somebody else."""

    fault: Fault


class ImageReopened(ImageEvent, frozen=True, kw_only=True):
    """A person asked for it again."""


class RunBegan(Event, frozen=True, kw_only=True):
    """A run opened the journal."""

    run: str
    """Sorts by time and is unique."""

    version: str
    host: str
    pid: int


class RunEnded(Event, frozen=True, kw_only=True):
    """A run closed the journal by its own will; a run without this was killed."""

    run: str
    reason: str
    exit_code: int


class TargetHalted(Event, frozen=True, kw_only=True):
    """Nothing more is submitted to a target in this run."""

    target: str
    fault: Fault


class ListingLearned(Event, frozen=True, kw_only=True):
    """What a target's own jobs taught about how soon it lists imports."""

    target: str
    by: By
    learned: Learned


EVENTS: tuple[type[Event], ...] = (
    ImagePlanned,
    ImageRemoved,
    AttemptBegan,
    JobAccepted,
    AttemptRefused,
    AttemptRejected,
    AttemptLost,
    AttemptAbsent,
    AttemptHeld,
    ImageFound,
    JobProgressed,
    JobSucceeded,
    JobFailed,
    DeadlinePassed,
    JobReattached,
    ImageVerified,
    VerificationFailed,
    ImageSkipped,
    MigrationFailed,
    ImageReopened,
    RunBegan,
    RunEnded,
    TargetHalted,
    ListingLearned,
)
"""Every fact that a journal may hold. A new one needs a new journal version."""

# --- The table ------------------------------------------------------------------------------------------

TRANSITIONS: dict[tuple[Phase, type[ImageEvent]], Phase] = {
    (Phase.PENDING, AttemptBegan): Phase.SUBMITTING,  # journalled before the request leaves
    (Phase.PENDING, ImageFound): Phase.RUNNING,  # imported by an earlier run whose journal is gone
    (Phase.PENDING, ImageSkipped): Phase.SKIPPED,
    (Phase.PENDING, MigrationFailed): Phase.FAILED,
    (Phase.SUBMITTING, JobAccepted): Phase.RUNNING,
    (Phase.SUBMITTING, AttemptRefused): Phase.PENDING,  # it never happened: safe to repeat
    (Phase.SUBMITTING, AttemptRejected): Phase.FAILED,
    (Phase.SUBMITTING, AttemptLost): Phase.IN_DOUBT,  # it may have happened: look first
    (Phase.IN_DOUBT, ImageFound): Phase.RUNNING,
    (Phase.IN_DOUBT, AttemptAbsent): Phase.PENDING,  # looked for it long enough
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
    (Phase.FAILED, ImageReopened): Phase.PENDING,
    (Phase.SUCCEEDED, ImageReopened): Phase.PENDING,
    (Phase.SKIPPED, ImageReopened): Phase.PENDING,
    # The plan may change under any image; only one that never began changes its phase with it.
    **{(phase, ImagePlanned): phase for phase in Phase if phase is not Phase.CANCELLED},
    (Phase.CANCELLED, ImagePlanned): Phase.PENDING,
    **{(phase, ImageRemoved): phase for phase in Phase if phase is not Phase.PENDING},
    (Phase.PENDING, ImageRemoved): Phase.CANCELLED,
}
"""Every move there is, but for two: a found image that is already active goes straight on to VERIFYING, and
one that left the plan goes to CANCELLED where others go to PENDING."""


class ImpossibleMove(Exception):
    """A fact that cannot follow: a bug, or a journal that somebody edited."""


def advance(state: State, event: ImageEvent) -> State:
    """The state after `event`. Raises ImpossibleMove for a move outside the table."""
    phase = TRANSITIONS.get((state.phase, type(event)))
    if phase is None:
        raise ImpossibleMove(f"{type(event).__name__} cannot follow {state.phase.name} ({state.key})")
    if phase is Phase.PENDING and state.removed and not isinstance(event, ImagePlanned):
        phase = Phase.CANCELLED
    match event:
        case AttemptBegan(at=at, attempt=number, digest=digest):
            attempt = Attempt(number=number, began_at=at)
            return replace(
                state,
                phase=phase,
                attempts=(*state.attempts, attempt),
                digest=digest,
                fault=None,
                progress=None,
            )
        case JobAccepted(at=at, job_id=job_id):
            attempts = _ended(state, Outcome.ACCEPTED, at, job_id=job_id)
            return replace(state, phase=phase, attempts=attempts, job_id=job_id, submitted_at=at)
        case AttemptRefused(at=at, fault=fault, throttled=throttled):
            outcome = Outcome.THROTTLED if throttled else Outcome.REFUSED
            return replace(state, phase=phase, attempts=_ended(state, outcome, at, fault), fault=fault)
        case AttemptRejected(at=at, fault=fault):
            attempts = _ended(state, Outcome.REJECTED, at, fault)
            return replace(state, phase=phase, attempts=attempts, fault=fault, finished_at=at)
        case AttemptLost(at=at, fault=fault):
            return replace(
                state, phase=phase, attempts=_ended(state, Outcome.UNKNOWN, at, fault), fault=fault
            )
        case AttemptAbsent(at=at):
            attempts = _ended(state, Outcome.LOST, at, state.attempts[-1].fault)
            return replace(state, phase=phase, attempts=attempts, held=False)
        case AttemptHeld(fault=fault):
            return replace(state, phase=phase, fault=fault, held=True)
        case ImageFound(at=at, image_id=image_id, active=active):
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
        case ImageVerified(at=at, image_id=image_id):
            return replace(state, phase=phase, image_id=image_id, finished_at=at, fault=None, progress=1.0)
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
        case ImagePlanned():
            return replace(state, phase=phase, removed=False)
        case ImageRemoved():
            return replace(state, phase=phase, removed=True)
        case _:
            return replace(state, phase=phase)


def _ended(
    state: State, outcome: Outcome, at: Moment, fault: Fault | None = None, *, job_id: str | None = None
) -> tuple[Attempt, ...]:
    last = replace(state.attempts[-1], outcome=outcome, ended_at=at, fault=fault, job_id=job_id)
    return (*state.attempts[:-1], last)


# --- What next ------------------------------------------------------------------------------------------


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

    Raises ImpossibleMove for an attempt that is still open: it belongs to the task that sent it, and after a
    crash it is first written down as lost.
    """
    if state.phase is Phase.SUBMITTING:
        raise ImpossibleMove(f"the attempt of {state.key} is still open")
    if state.held:
        return Step.DONE
    if state.phase is Phase.RUNNING and state.job_id is None:
        return Step.FOLLOW
    return _STEPS.get(state.phase, Step.DONE)
