"""Where an image stands: phases, attempts and their outcomes."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from migrator.domain.cloud import Fault
from migrator.domain.empty import EMPTY
from migrator.domain.units import Moment


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
    RETRYABLE = "retryable"
    """It never happened and may be repeated."""
    THROTTLED = "throttled"
    """It never happened because we asked too much; nothing is held against the image."""
    REJECTED = "rejected"
    """It never happened and never will as asked."""
    UNKNOWN = "unknown"
    """It may have happened; look-ups decide."""
    ADOPTED = "adopted"
    """Its image was found by a look-up."""
    NOT_FOUND = "not_found"
    """Look-ups stayed empty until it counted as never having happened."""


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One submission of an image."""

    number: int
    """1 is the first."""

    began_at: Moment
    signed_at: Moment | None = None
    """The date that its request bears; None where it is signed with a token."""

    outcome: Outcome = Outcome.OPEN
    ended_at: Moment | None = None
    """When the outcome became known."""

    job_id: str | None = None
    fault: Fault | None = None
    final: bool = False
    """Of an unknown outcome: there was an answer, so it will not be accepted any later."""


class StepPhase(StrEnum):
    """Where something stands that is done with an image after its import."""

    TODO = "todo"
    ASKING = "asking"
    IN_DOUBT = "in_doubt"
    RUNNING = "running"
    MADE = "made"
    DONE = "done"
    FAILED = "failed"

    __hash__ = str.__hash__


class StepState(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One of those."""

    phase: StepPhase = StepPhase.TODO
    attempts: int = 0
    began_at: Moment | None = None
    """When its latest request left."""

    signed_at: Moment | None = None
    """The date that this request bears; None where it is signed with a token."""

    job_id: str = ""
    image_id: str = ""
    """Of a copy."""

    ended_at: Moment | None = None
    fault: Fault | None = None


class State(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One image's past, as far as anybody needs it to decide and to report."""

    key: str
    phase: Phase = Phase.PENDING
    attempts: tuple[Attempt, ...] = ()
    digest: str = ""
    """Of the image as it was last submitted; empty before the first attempt."""

    method: str = ""
    """How its latest attempt went in; empty before the first, and for the usual one that the plan named."""

    method_why: str = ""
    """Why so, where the plan left it open."""

    os_version: str = ""
    """The system that the service found in the file, where the plan named none."""

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

    paused_until: Moment | None = None
    """Until when nothing is submitted to its target, as far as its last attempt told."""

    removed: bool = False
    """No longer in the plan."""

    held: bool = False
    """In doubt, and left for a person to decide."""

    steps: Mapping[str, StepState] = EMPTY
    """What was done with the image after its import, by "share:PROJECT" or "copy:TARGET"."""

    disowned: tuple[str, ...] = ()
    """Ids of images that are not the latest attempt's: of earlier lives, which `--again` or `--retry-failed`
    gave up, and those that were listed before it began."""

    uncompared: tuple[str, ...] = ()
    """Keys of the plan that the service did not tell of when its image was verified."""

    others: tuple[str, ...] = ()
    """Ids of more images that bear its marker; reported, never deleted unasked."""
