"""What a plan file says, complete and valid: values, frozen, with each meaning under its field."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from migrator.domain.image import Image
from migrator.domain.notify import Receiver
from migrator.domain.units import (
    Duration,
    Moment,
    Rate,
    RateSetting,
    Threshold,
    ThresholdSetting,
    duration_text,
    seconds,
)


class _Table(BaseModel):
    """A table of a plan. Unknown keys are errors; the text under a field is what the schema says of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True)


class Order(StrEnum):
    LARGEST_FIRST = "largest-first"
    PLAN = "plan"


class Limits(_Table):
    """How hard one target may be pressed."""

    max_jobs: Annotated[int, Field(ge=1, le=100_000)] = 40
    """Jobs accepted and unfinished at once; 40 is the documented service limit."""

    max_requests: Annotated[int, Field(ge=1, le=1000)] = 16
    """HTTP requests in flight at once."""

    request_timeout: Duration = 60.0
    """Longest time for one whole request."""

    connect_timeout: Duration = 10.0
    """Longest time to reach the service, TLS handshake included."""

    submit_rate: RateSetting = Rate(count=2, unit="s")
    """Import requests: N/s, N/m or N/h."""

    submit_burst: Annotated[int, Field(ge=1, le=1000)] = 1
    """Import requests that may leave at once after a quiet time."""

    query_rate: RateSetting = Rate(count=10, unit="s")
    """Polls, look-ups and lists together."""

    query_burst: Annotated[int, Field(ge=1, le=1000)] = 1
    """Queries that may leave at once after a quiet time."""

    order: Annotated[Order, Field(strict=False)] = Order.LARGEST_FIRST
    """Within a wave and priority: the largest known object first, because the longest job started last is
    what a run waits for; or "plan", as written."""

    adaptive: bool = True
    """Slow down when the service says so, and recover step by step."""


class Retry(_Table):
    """What to do about a transient failure of one request."""

    max_attempts: Annotated[int, Field(ge=1, le=1000)] = 6
    """Submissions of one image that may fail in a passing way before the image counts as failed."""

    base: Duration = 1.0
    """The first pause is at most this long; each next one may be twice as long."""

    cap: Duration = 60.0
    """No pause is longer than this, unless the service asks for more."""

    budget: Duration = 1800.0
    """Longest time that one image may spend on retrying its submission."""


class Polling(_Table):
    """How a running job is watched."""

    first: Duration = 10.0
    """From acceptance to the first question."""

    min_interval: Duration = 5.0
    """Never ask about one job more often than this."""

    max_interval: Duration = 60.0
    """Ask at least this often, as far as query_rate allows."""

    sweep: bool = True
    """Let one list of many images tell which jobs to ask about next, where the service shows them in time."""

    deadline: Duration = 21600.0
    """After it an image is overdue: reported, kept, and picked up by the next run."""


class OnQuota(StrEnum):
    STOP = "stop"
    WAIT = "wait"


class OnExisting(StrEnum):
    ADOPT = "adopt"
    SKIP = "skip"
    FAIL = "fail"


class OnDoubt(StrEnum):
    RECONCILE = "reconcile"
    HOLD = "hold"


class MarkerKind(StrEnum):
    TAG = "tag"
    NONE = "none"


class KeepTogether(StrEnum):
    NONE = "none"
    MACHINE = "machine"


def _settle(text: object) -> object:
    return None if text == "auto" else seconds(text)


class Policy(_Table):
    """What to do when things do not go well."""

    max_failures: ThresholdSetting = Threshold(fraction=0.05)
    """Failed images, as a count or a percentage of those finished, before the run stops submitting."""

    min_sample: Annotated[int, Field(ge=1)] = 20
    """A percentage counts only after so many images have finished."""

    on_quota: Annotated[OnQuota, Field(strict=False)] = OnQuota.STOP
    """When the private-image quota is used up: stop the target, or wait for room."""

    on_existing: Annotated[OnExisting, Field(strict=False)] = OnExisting.ADOPT
    """When an image of this plan item is already there."""

    on_doubt: Annotated[OnDoubt, Field(strict=False)] = OnDoubt.RECONCILE
    """When a submission's outcome is unknown: look it up, or hold it for a person."""

    settle: Annotated[
        float | None,
        BeforeValidator(_settle),
        PlainSerializer(
            lambda value: "auto" if value is None else duration_text(value), return_type=str, when_used="json"
        ),
        WithJsonSchema(
            {
                "type": "string",
                "pattern": r"^(auto|(\d+(\.\d+)?(ms|s|m|h|d))+)$",
                "examples": ["auto", "10m"],
            }
        ),
    ] = None
    """How long look-ups may come back empty before an attempt counts as lost: a duration, or "auto" (None
    once read), which learns it from the run's own jobs."""

    late: Duration = 900.0
    """How long after it was signed a request without a final answer may still be accepted: the gateway
    refuses signatures that are older than 15 minutes."""

    verify: bool = True
    """After success, read the image back and compare."""

    marker: Annotated[MarkerKind, Field(strict=False)] = MarkerKind.TAG
    """"tag" marks every import with two tags so that it is found again; "none" relies on names."""

    keep_together: Annotated[KeepTogether, Field(strict=False)] = KeepTogether.NONE
    """"machine": the disks of a machine, which are images with the same label `machine`, have to be in one
    wave, and are submitted one after another; "none" leaves every image to itself."""


class JobApi(StrEnum):
    AUTO = "auto"
    PROGRESS = "progress"
    STATUS = "status"


class Target(_Table):
    """One project in one region: where images are imported to."""

    name: str
    """The table's own name in the plan: [targets.NAME]."""

    region: str
    """Region id, such as "cn-north-4"."""

    cloud: str = "huawei"
    """Which cloud it is in: "huawei" (or another one of the same API), or "otc"."""

    project_id: str | None = None
    """32 hex digits; looked up through IAM when absent."""

    credentials: str = "env"
    """"env", "env:PREFIX", "profile:NAME" or "metadata"; never a secret itself."""

    ims_endpoint: str
    """Base URL of the image service, without a slash at the end."""

    iam_endpoint: str
    """Base URL of the identity service."""

    obs_endpoint: str
    """Base URL of the object storage."""

    kms_endpoint: str | None = None
    """Base URL of the key service; None where nobody knows it, so that keys are not asked about."""

    agency: str | None = None
    """The IAM agency that may copy images to this target."""

    project_name: str | None = None
    """The name of the project where it is not the region's."""

    job_api: Annotated[JobApi, Field(strict=False)] = JobApi.AUTO
    """Which of the two job queries to ask; "auto" starts with progress and falls back on status."""

    limits: Limits = Limits()
    """[limits] with this target's own [targets.NAME.limits] over it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """Images that go together: waves begin in the order of the plan."""

    name: str
    """What images and `--wave` call it; unique in the plan."""

    not_before: Moment | None = None
    """Nothing of it is submitted earlier; None for no such bound."""

    not_after: Moment | None = None
    """Nothing of it is submitted later, whatever already runs goes on; None for no such bound."""

    proceed: Threshold | None = None
    """How many of its images must have succeeded before the next wave begins; a fraction is one of all its
    images. None: the next one begins when this one is finished, whatever the outcome."""


class Plan(_Table):
    """What a plan file says, complete and valid."""

    name: str
    """Names the folder reports/NAME/ and, with each image's key, the marker."""

    description: str = ""
    owner: str = ""
    timezone: str | None = None
    """IANA name of the zone in which people are told the time; None for the machine's."""

    targets: dict[str, Target]
    retry: Retry = Retry()
    polling: Polling = Polling()
    policy: Policy = Policy()
    waves: tuple[Wave, ...] = ()
    """In the order in which they run; empty where the plan has none. Each image then names one of them."""

    notify: tuple[Receiver, ...] = ()
    """Who is told of what; names are unique."""

    images: tuple[Image, ...]
    """In the order of the file; those of inventories follow, file by file and row by row."""
