"""The nouns of a plan and of a cloud: values, frozen and keyword-only, with each meaning under its field.

Seconds are floats. A *moment* is a float too: UTC seconds since the epoch. Sizes are bytes unless the
name says GB.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from msgspec import Struct
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
)

Moment = float
"""UTC seconds since the epoch."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def seconds(text: object) -> float:
    """Seconds in a duration such as "90s", "1h30m" or "250ms"; raises ValueError for anything else."""
    if isinstance(text, float):
        return text
    if isinstance(text, str):
        parts = _DURATION.findall(text)
        if parts and "".join(number + unit for number, unit in parts) == text:
            return sum(float(number) * _UNITS[unit] for number, unit in parts)
    raise ValueError('expected a duration such as "90s", "10m" or "6h"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often something may happen: a number of times in a period."""

    count: float
    """Times in one period; more than zero."""

    unit: str
    """The period: "s", "m" or "h"."""

    @property
    def per_second(self) -> float:
        return self.count / _UNITS[self.unit]

    def __str__(self) -> str:
        return f"{self.count:g}/{self.unit}"


def rate(text: object) -> Rate:
    """The rate that "2/s", "60/m" or "500/h" stands for; raises ValueError for anything else."""
    if isinstance(text, Rate):
        return text
    found = re.fullmatch(r"(\d+(?:\.\d+)?)/(s|m|h)", text) if isinstance(text, str) else None
    if found is None or float(found[1]) <= 0:
        raise ValueError('expected a rate such as "2/s", "60/m" or "500/h"')
    return Rate(count=float(found[1]), unit=found[2])


def share(text: object) -> "Share":
    """The share that "5%" (a fraction of those finished) or 12 (a count) stands for; raises ValueError."""
    if isinstance(text, Share):
        return text
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return Share(count=text)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)%", text) if isinstance(text, str) else None
    if found is None or float(found[1]) > 100:
        raise ValueError('expected a count such as 12, or a percentage such as "5%"')
    return Share(fraction=float(found[1]) / 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A count of images, or a fraction of them; exactly one of the two is set."""

    count: int | None = None
    fraction: float | None = None

    def __str__(self) -> str:
        return str(self.count) if self.fraction is None else f"{self.fraction * 100:g}%"


def duration_text(value: float) -> str:
    """A duration in the form that a plan writes: 5400.0 → "90m"."""
    if value < 1:
        return f"{value * 1000:g}ms"
    for unit in ("h", "m"):
        if value >= _UNITS[unit] and value % _UNITS[unit] == 0:
            return f"{value / _UNITS[unit]:g}{unit}"
    return f"{value:g}s"


Duration = Annotated[
    float,
    BeforeValidator(seconds),
    PlainSerializer(duration_text, return_type=str, when_used="json"),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$", "examples": ["90s", "10m", "6h"]}
    ),
]
"""Seconds, written "90s", "10m" or "6h"."""

Frequency = Annotated[
    Rate,
    BeforeValidator(rate),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?/(s|m|h)$", "examples": ["2/s", "60/m"]}),
]
"""A rate, written "2/s", "60/m" or "500/h"."""

Portion = Annotated[
    Share,
    BeforeValidator(share),
    PlainSerializer(str, return_type=str),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 0},
                {"type": "string", "pattern": r"^\d+(\.\d+)?%$", "examples": ["5%"]},
            ]
        }
    ),
]
"""A count of images, or a percentage of them."""


class _Table(BaseModel):
    """A table of a plan. Unknown keys are errors; the docstring under a field is its schema description."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, strict=True, arbitrary_types_allowed=True
    )


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

    submit_rate: Frequency = Rate(count=2, unit="s")
    """Import requests: N/s, N/m or N/h."""

    submit_burst: Annotated[int, Field(ge=1, le=1000)] = 1
    """Import requests that may leave at once after a quiet time."""

    query_rate: Frequency = Rate(count=10, unit="s")
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


def _settle(text: object) -> object:
    return None if text == "auto" else seconds(text)


class Policy(_Table):
    """What to do when things do not go well."""

    max_failures: Portion = Share(fraction=0.05)
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

    verify: bool = True
    """After success, read the image back and compare."""

    marker: Annotated[MarkerKind, Field(strict=False)] = MarkerKind.TAG
    """"tag" marks every import with two tags so that it is found again; "none" relies on names."""


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

    job_api: Annotated[JobApi, Field(strict=False)] = JobApi.AUTO
    """Which of the two job queries to ask; "auto" starts with progress and falls back on status."""

    limits: Limits = Limits()
    """[limits] with this target's own [targets.NAME.limits] over it."""


class ImageType(StrEnum):
    ECS = "ECS"
    BMS = "BMS"
    DATA = "DataImage"


class Image(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One disk image of the plan, complete: defaults merged, target resolved, every rule checked.

    `parse_plan` checks; the class itself does not, so that a journal written under older rules can be read.
    """

    name: str
    """Image name in the cloud, unique in its target."""

    target: str
    """Name of the target it goes to."""

    image_url: str
    """"<bucket>:<object key>"."""

    min_disk: int
    """GB."""

    wave: str | None = None
    """Name of its wave, the last one where the plan gives it none; None where the plan has no waves."""

    type: ImageType = ImageType.ECS
    os_version: str | None = None
    """System disks only."""

    os_type: str | None = None
    """Data disks only: "Linux" or "Windows"."""

    architecture: str | None = None
    """"x86" or "arm"; None leaves it to the service (x86). System disks only."""

    hw_firmware_type: str | None = None
    """"bios" or "uefi"; system disks only."""

    license_type: str | None = None
    """"platform" or "byol"; Windows system disks only."""

    enterprise_project_id: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    """Old-style tags, each "key.value"; never together with image_tags."""

    image_tags: dict[str, str] | None = None
    priority: int = 0
    """Higher goes first inside a wave."""

    labels: dict[str, str] = {}
    """For reports and selectors; never sent."""

    @property
    def key(self) -> str:
        """The image's identity, stable across runs: the journal, the report and the marker speak it."""
        return f"{self.target}/{self.name}"

    @property
    def own_tags(self) -> dict[str, str]:
        """The plan's own tags, whichever way they were written; markers are not among them."""
        if self.tags is None:
            return dict(self.image_tags or {})
        return {key: value for key, _, value in (tag.partition(".") for tag in self.tags)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wave:
    """Images that go together, in their turn: waves begin in the order of the plan."""

    name: str
    """What images and `--wave` call it; unique in the plan."""

    not_before: Moment | None = None
    """Nothing of it is submitted earlier; None for no such bound."""

    not_after: Moment | None = None
    """Nothing of it is submitted later, whatever already runs goes on; None for no such bound."""

    proceed: Share | None = None
    """How many of its images must have succeeded before the next wave begins; a fraction is one of all its
    images. None: the next one begins when this one is finished, whatever the outcome."""


class Plan(_Table):
    """What a plan file says, complete and valid."""

    name: str
    """Names the folder reports/NAME/ and, with each image's key, the marker."""

    description: str = ""
    owner: str = ""
    targets: dict[str, Target]
    retry: Retry = Retry()
    polling: Polling = Polling()
    policy: Policy = Policy()
    waves: tuple[Wave, ...] = ()
    """In the order in which they run; empty where the plan has none. Each image then names one of them."""

    images: tuple[Image, ...]
    """In the order of the file; those of inventories follow, file by file and row by row."""


class Marker(Struct, frozen=True, kw_only=True):
    """The two tags by which an import is found again, derived from plan name and key alone."""

    plan: str
    """Value of the tag `migrator_plan`."""

    item: str
    """Value of the tag `migrator_item`."""

    @property
    def tags(self) -> dict[str, str]:
        return {MARKER_PLAN: self.plan, MARKER_ITEM: self.item}

    @property
    def item_tag(self) -> tuple[str, str]:
        """The tag that only this image bears."""
        return MARKER_ITEM, self.item


MARKER_PLAN = "migrator_plan"
MARKER_ITEM = "migrator_item"


class Fault(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, in the cloud's words and in ours."""

    message: str
    """The service's own text, shortened; untrusted."""

    code: str = ""
    """The service's code ("IMG.0057", "APIGW.0308"), or one of ours ("MIG.verify"); empty if it gave none."""

    remedy: str = ""
    """What to do about it, in one plain sentence."""

    request_id: str = ""
    """For the vendor's support; empty if there was none."""

    status: int | None = None
    """HTTP status, where there was an answer."""

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code else self.message


class JobReport(Struct, frozen=True, kw_only=True):
    """What the service says about one job."""

    job_id: str
    status: str
    """"INIT", "RUNNING", "SUCCESS", "FAIL", or a word nobody documented."""

    progress: float | None = None
    """Fraction from 0 to 1, as far as the service told; never a proof of completion."""

    image_id: str | None = None
    fault: Fault | None = None
    """Set when the status is FAIL, from wherever the service hid it."""

    end_at: Moment | None = None


class CloudImage(Struct, frozen=True, kw_only=True):
    """A private image as the service lists it."""

    id: str
    name: str
    status: str
    """"queued", "saving", "active", "killed" or "deleted"."""

    tags: dict[str, str] = {}
    os_version: str | None = None
    os_type: str | None = None
    min_disk: int | None = None
    size: int | None = None
    """Bytes; None where the service does not say."""

    architecture: str | None = None
    """"x86" or "arm"."""

    hw_firmware_type: str | None = None
    virtual_env_type: str | None = None
    """"FusionCompute" (ECS), "Ironic" (BMS) or "DataImage"."""

    enterprise_project_id: str | None = None
    created_at: Moment | None = None
    data_origin: str | None = None
    """"file,<bucket>:<key>" where the service fills it."""


class ImageQuery(Struct, frozen=True, kw_only=True):
    """Which private images to list; the filters combine."""

    id: str | None = None
    name: str | None = None
    """Exact."""

    tag: tuple[str, str] | None = None
    """(key, value)."""

    created_since: Moment | None = None


class ImagePage(Struct, frozen=True, kw_only=True):
    """One page of a list of images."""

    images: tuple[CloudImage, ...]
    next: str | None = None
    """Pass it as `after` to get the next page; None after the last."""


class Quota(Struct, frozen=True, kw_only=True):
    """Private images of a project in a region."""

    used: int
    limit: int


STANDARD = "STANDARD"
"""The storage class that imports need, of the object and of its bucket."""


class ObjectInfo(Struct, frozen=True, kw_only=True):
    """One object in the object storage, as its metadata tell."""

    size: int
    """Bytes."""

    storage_class: str = STANDARD
    """"STANDARD", "WARM", "COLD" or "DEEP_ARCHIVE"; imports need the first."""

    etag: str = ""
    modified_at: Moment | None = None
    encryption: str | None = ""
    """Empty, "kms", or "customer": imports cannot read the last. None where only a list was seen, which does
    not say."""


class BucketInfo(Struct, frozen=True, kw_only=True):
    """One bucket, as its metadata tell."""

    region: str
    """Region id; empty where the service does not say."""

    storage_class: str = STANDARD
    file_system: bool = False
    """A parallel file system; whether imports read from those is documented nowhere."""


class ObjectPage(Struct, frozen=True, kw_only=True):
    """One page of a list of objects."""

    objects: dict[str, ObjectInfo]
    """By key, in the order of the keys' bytes."""

    next: str | None = None
    """Pass it as `after` to get the next page; None after the last."""


class Project(Struct, frozen=True, kw_only=True):
    """One project of an account: a region, or a part of one."""

    id: str
    name: str
    """The region's id; for a part of it, followed by "_" and a name of its own."""

    enabled: bool = True


class Request(Struct, frozen=True, kw_only=True):
    """One HTTP request, ready but for its signature."""

    method: str
    url: str
    """Scheme, host and decoded path; without a query."""

    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = {}
    """Never shown: once signed, they carry a token or a signature."""

    body: bytes = b""
    """Never shown: a login carries a password."""

    def __repr__(self) -> str:
        return f"Request(method={self.method!r}, url={self.url!r}, query={self.query!r})"


class Response(Struct, frozen=True, kw_only=True):
    """One HTTP answer, read to its end."""

    status: int
    headers: dict[str, str] = {}
    """Names in lower case. Never shown: the answer to a login carries a token."""

    body: bytes = b""

    def __repr__(self) -> str:
        return f"Response(status={self.status!r})"


class RateHint(Struct, frozen=True, kw_only=True):
    """What the service says about how often it may be asked."""

    limit: int
    """Requests in one period."""

    period: float
    """Seconds."""

    remain: int | None = None
    """Requests left in the current period, where it says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """An access key, to sign requests with."""

    ak: str = field(repr=False)
    sk: SecretStr
    security_token: SecretStr | None = None
    """Goes with temporary keys."""

    expires_at: Moment | None = None
    """When temporary keys stop working; None for lasting ones, and where nobody said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """An IAM user, to fetch tokens with."""

    user: str
    password: SecretStr
    domain: str
    """Name of the account that the user belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyToken:
    """A token that somebody else fetched; it cannot be renewed."""

    token: SecretStr
