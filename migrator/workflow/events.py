"""Past-tense facts: everything that a journal may hold."""

from msgspec import Struct

from migrator.domain.cloud import Fault
from migrator.domain.image import Image
from migrator.domain.notify import NotifyOn
from migrator.domain.units import Moment
from migrator.workflow.plan_facts import PlanFacts, Provenance
from migrator.workflow.visibility_delay import ListedBy, VisibilityDelays


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
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
    leftovers: tuple[str, ...] = ()
    """Ids of images that were listed for this item before: none of them is this attempt's."""

    method: str = ""
    """How it goes in; empty stands for the usual one."""

    why: str = ""
    """Why so, where the plan left it open."""

    signed_at: Moment | None = None
    """The date in the signature of the very request that leaves, by which a gateway refuses it when it comes
    too late; None where a token, which has none, stands in its place."""


class JobAccepted(ImageEvent, frozen=True, kw_only=True):
    """The service took it and named a job."""

    job_id: str


class AttemptRetryable(ImageEvent, frozen=True, kw_only=True):
    """It never happened; repeating is safe."""

    fault: Fault


class AttemptThrottled(ImageEvent, frozen=True, kw_only=True):
    """It never happened, because we ask too much or nobody may ask now: not the image's doing."""

    fault: Fault
    pause: float = 0.0
    """Seconds for which nothing is submitted to the target from then on."""


class AttemptRejected(ImageEvent, frozen=True, kw_only=True):
    """It never happened, and asking again in the same words is useless."""

    fault: Fault


class AttemptUnknown(ImageEvent, frozen=True, kw_only=True):
    """No answer, or none that tells; it may have happened."""

    fault: Fault
    final: bool = False
    """The service answered, so that it will not be accepted any later than it was."""


class AttemptNotFound(ImageEvent, frozen=True, kw_only=True):
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

    others: tuple[str, ...] = ()
    """Ids of more images that bear its marker: somebody repeated the request."""


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

    fault: Fault | None = None
    """What the service last said of it, where that is a state that no manual lists."""


class JobReattached(ImageEvent, frozen=True, kw_only=True):
    """A later run watches an overdue job again."""


class ImageVerified(ImageEvent, frozen=True, kw_only=True):
    """The image is there and is what the plan asked for."""

    image_id: str
    checked: bool = True
    """False when the plan said not to read it back."""

    uncompared: tuple[str, ...] = ()
    """Keys of the plan that the service does not tell of."""

    os_version: str = ""
    """The system that the service found in the file, where the plan named none."""


class VerificationFailed(ImageEvent, frozen=True, kw_only=True):
    """The job said success, but the image is missing or is not what was asked for."""

    fault: Fault


class StepEvent(ImageEvent, frozen=True, kw_only=True):
    """Something about what is done with an image after its import."""

    step: str
    """"share:PROJECT" or "copy:TARGET"."""


class StepBegan(StepEvent, frozen=True, kw_only=True):
    """Its request is about to leave."""

    signed_at: Moment | None = None
    """As that of an attempt."""


class StepAccepted(StepEvent, frozen=True, kw_only=True):
    """The service took it and named a job."""

    job_id: str


class StepRefused(StepEvent, frozen=True, kw_only=True):
    """It never happened; repeating is safe."""

    fault: Fault


class StepUnknown(StepEvent, frozen=True, kw_only=True):
    """No answer, or none that tells; it may have happened."""

    fault: Fault


class StepNotFound(StepEvent, frozen=True, kw_only=True):
    """Look-ups stayed empty for as long as it takes to be sure: it did not happen."""


class StepMade(StepEvent, frozen=True, kw_only=True):
    """It happened; what belongs to it may still be missing: the marker of a copy, a receiver's consent."""

    image_id: str = ""
    """Of the copy."""


class StepDone(StepEvent, frozen=True, kw_only=True):
    """It is there and complete."""


class StepFailed(StepEvent, frozen=True, kw_only=True):
    """It did not happen, and will not be tried again until somebody asks for it."""

    fault: Fault


class StepReopened(StepEvent, frozen=True, kw_only=True):
    """A person asks for it once more."""


class ImageSkipped(ImageEvent, frozen=True, kw_only=True):
    """It was there before, and the plan says to leave it at that."""

    image_id: str


class MigrationFailed(ImageEvent, frozen=True, kw_only=True):
    """It will not be submitted again: retries used up, or its name belongs to somebody else."""

    fault: Fault


class ImageReopened(ImageEvent, frozen=True, kw_only=True):
    """A person asked for it again."""


class JobRestored(ImageEvent, frozen=True, kw_only=True):
    """A report knows a job that this journal, put back from a copy, does not."""

    job_id: str
    submitted_at: Moment | None = None


class AttemptRestored(ImageEvent, frozen=True, kw_only=True):
    """This journal was put back from a copy: whether the image was submitted since nobody knows."""

    fault: Fault


class RunBegan(Event, frozen=True, kw_only=True):
    """A run opened the journal."""

    run: str
    """Sorts by time and is unique."""

    version: str
    host: str
    pid: int
    plan: PlanFacts | None = None
    """What its plan says of itself; None where that is what the run before recorded, and in journals of
    versions that recorded nothing of it."""

    provenance: Provenance | None = None
    """What the plan's images came from; None where those in the journal are not certainly the plan's, each as
    it is written and in its order, or where something is to be said of them whenever the plan is read."""


class RunEnded(Event, frozen=True, kw_only=True):
    """A run closed the journal by its own will; a run without this was killed."""

    run: str
    reason: str
    exit_code: int


class TargetHalted(Event, frozen=True, kw_only=True):
    """Nothing more is submitted to a target in this run."""

    target: str
    fault: Fault


class VisibilityLearned(Event, frozen=True, kw_only=True):
    """What a target's own jobs taught about how soon it lists imports."""

    target: str
    by: ListedBy
    learned: VisibilityDelays


class Counts(Struct, frozen=True, kw_only=True):
    """How the images of a plan, or of one wave, stood at a moment."""

    images: int
    succeeded: int = 0
    """Those that were there before among them."""

    failed: int = 0
    held: int = 0
    """Left for a person to decide."""

    unfinished: int = 0
    """Those that are held among them."""


class NotificationEvent(Event, frozen=True, kw_only=True):
    """A fact about telling somebody."""

    id: str
    """Of the notification: one receiver's, of one thing that happened."""


class NotificationOwed(NotificationEvent, frozen=True, kw_only=True):
    """A receiver of the plan is to be told of something."""

    receiver: str
    on: NotifyOn
    run: str
    counts: Counts
    text: str
    """What there is to say, in a few sentences."""

    wave: str = ""
    images: tuple[str, ...] = ()
    """Keys of images that it is about, or the first of them."""

    more: int = 0
    """How many further images it is about."""

    exit_code: int | None = None
    """Of a run that ended."""


class NotificationDelivered(NotificationEvent, frozen=True, kw_only=True):
    """The receiver took it."""


class NotificationFailed(NotificationEvent, frozen=True, kw_only=True):
    """A try to deliver it came to nothing; it is still owed. Recorded once a run and reason."""

    reason: str


class NotificationDropped(NotificationEvent, frozen=True, kw_only=True):
    """It is owed no longer: the plan has no such receiver any more."""


EVENTS: tuple[type[Event], ...] = (
    StepBegan,
    StepAccepted,
    StepRefused,
    StepUnknown,
    StepNotFound,
    StepMade,
    StepDone,
    StepFailed,
    StepReopened,
    ImagePlanned,
    ImageRemoved,
    AttemptBegan,
    JobAccepted,
    AttemptRetryable,
    AttemptThrottled,
    AttemptRejected,
    AttemptUnknown,
    AttemptNotFound,
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
    JobRestored,
    AttemptRestored,
    RunBegan,
    RunEnded,
    TargetHalted,
    VisibilityLearned,
    NotificationOwed,
    NotificationDelivered,
    NotificationFailed,
    NotificationDropped,
)
"""Every fact that a journal may hold. A new one needs a new journal version."""
