"""What a stand-in cloud is like: who may use it, what lies in it, how long things take and how it misbehaves.

Every value has a default under which nothing goes wrong. Odds are fractions from 0 to 1, seconds are
simulated seconds, sizes are bytes unless the name says GB.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from migrator.domain.units import RateSetting

Chance = Annotated[float, Field(ge=0, le=1)]
FailPlace = Literal["top", "entities", "error", "addition", "sub_job", "generic"]


class _Values(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Odds(_Values):
    """What may befall a request of one kind; one throw of the dice each, so together at most 1.

    *Before* means that the service never took the request in; *after*, that it did and the answer is lost.
    """

    error_before: Chance = 0.0
    error_after: Chance = 0.0
    """An error of `statuses`, from the gateway or as an HTML page."""

    reset_before: Chance = 0.0
    reset_after: Chance = 0.0
    """The connection is torn down without an answer."""

    hang_before: Chance = 0.0
    hang_after: Chance = 0.0
    """No answer ever comes."""

    truncate: Chance = 0.0
    """Carried out, but the answer stops half way."""

    html: Chance = 0.0
    """A page of some proxy on the way, status 502; not carried out."""

    throttle: Chance = 0.0
    """429 APIGW.0308; not carried out."""

    late: Chance = 0.0
    """Of an import: 504, or no answer; carried out some time within `late_seconds`."""

    foreign: Chance = 0.0
    """Of a job query: the answer is about another job."""

    statuses: tuple[int, ...] = (500, 502, 503, 504)
    """Which statuses error_before and error_after draw from."""

    @property
    def any(self) -> bool:
        """Whether anything can happen at all."""
        return any(value for value in self.__dict__.values() if isinstance(value, float))


class ObjectSettings(_Values):
    """One object in OBS."""

    size: int = 10 * 2**30
    storage_class: Literal["STANDARD", "WARM", "COLD", "DEEP_ARCHIVE"] = "STANDARD"
    sse: Literal["none", "kms", "customer"] = "none"
    """Encrypted with a key of the service or of the customer; a HEAD without the customer's key gets 400."""

    sse_told: bool = False
    """A HEAD without the customer's key is answered, and says so in a header; not as documented."""

    missing: bool = False
    upload_begun: bool = False
    """An upload of it in parts was begun and never completed; goes with `missing`."""

    forbidden: bool = False
    """Whoever asks gets 403."""

    os_version: str = ""
    """The system that a normal import finds in it; empty where it recognises none."""

    head: Annotated[str, Field(pattern="^(?:[0-9a-f]{2})*$")] = ""
    """What it begins with, in hex; zeros follow."""

    virtual_gb: Annotated[int, Field(ge=0)] = 0
    """GB of the disk inside; 0 where that is as large as it may be. A normal import of a larger one than its
    disk fails."""


class BucketSettings(_Values):
    """One bucket in OBS."""

    region: str | None = None
    """None puts it where the asker is."""

    storage_class: Literal["STANDARD", "WARM", "COLD", "DEEP_ARCHIVE"] = "STANDARD"
    missing: bool = False
    forbidden: bool = False
    parallel_file_system: bool = False


class Settings(_Values):
    """One stand-in cloud."""

    seed: int = 0
    """The same seed and the same calls at the same moments give the same answers."""

    # --- Who may use it ---

    access_key: str = "SIMULATORACCESSKEY00"
    secret_key: str = "simulator-secret-key-not-a-real-one-000"  # noqa: S105
    user: str = "simulator"
    password: str = "simulator"  # noqa: S105
    domain: str = "simulator"
    regions: dict[str, str] = {
        "cn-north-4": "0123456789abcdef0123456789abcdef",
        "cn-east-3": "1123456789abcdef0123456789abcdef",
        "cn-south-1": "2123456789abcdef0123456789abcdef",
        "ap-southeast-1": "3123456789abcdef0123456789abcdef",
        "eu-west-101": "4123456789abcdef0123456789abcdef",
    }
    """Project id of each region; the first is taken where a request does not say."""

    projects: dict[str, str] = {}
    """Further projects by id, and the region that each of them is in."""

    any_project: bool = False
    """Take any 32 hex digits for a project of this account, and any region name for a region."""

    token_lifetime: Annotated[float, Field(gt=0)] = 86400.0
    """What a token says of itself."""

    token_dies_after: Annotated[float, Field(gt=0)] | None = None
    """About when tokens stop working although they say otherwise, as after a change of permissions."""

    expiry_says: Literal["update", "expires", "forbidden"] = "update"
    """An expired token gets APIGW.0307 "must be updated", APIGW.0301 with "token expires", or, as in Open
    Telekom Cloud, 403 without a code."""

    key_lifetime: Annotated[float, Field(gt=0)] = 21600.0
    """Of the temporary keys that the metadata service hands out."""

    metadata: Literal["new", "old", "off"] = "new"
    """The metadata service of a server: with its session tokens, without them, or not there at all."""

    forbidden: frozenset[str] = frozenset()
    """Calls ("import", "poll", "list", "delete", ...) that this user has no permission for."""

    # --- What lies in it ---

    objects: dict[str, ObjectSettings] = {}
    """By "bucket:key"."""

    buckets: dict[str, BucketSettings] = {}
    any_object: bool = True
    """Objects and buckets that are not listed exist, too; otherwise they are missing."""

    object_gb: tuple[float, float] = (4.0, 38.0)
    """Size of an object that is not listed: somewhere between, by seed and key. A listed one may be any."""

    check_objects: Literal["submit", "job"] = "submit"
    """When the service checks the object: an import of a missing one is refused, or its job fails."""

    quota: int = 50
    """Private images that a project may have; -1 for as many as it likes."""

    quota_used: int = 0
    """Private images that were there before."""

    quota_counts_running: bool = True
    protected: frozenset[str] = frozenset()
    """Names of images that cannot be deleted (IMG.0091)."""

    strict_os: bool = True
    """Refuse an os_version that the OS list does not hold."""

    unique_names: bool = False
    """Refuse a second image of one name with IMG.0009; undocumented for quick import."""

    # --- How long things take ---

    latency: tuple[float, float] = (0.0, 0.0)
    """From request to answer: somewhere between."""

    job_seconds: Annotated[float, Field(ge=0)] = 120.0
    """Mean duration of a job."""

    job_spread: Literal["fixed", "uniform", "lognormal", "exponential"] = "lognormal"
    job_sigma: Annotated[float, Field(ge=0, le=3)] = 0.5
    """Of the lognormal spread."""

    job_by_size: bool = False
    """Multiply each duration by the object's size over the middle of object_gb."""

    normal_factor: Annotated[float, Field(gt=0)] = 3.0
    """How many times as long a normal import takes, which converts its file."""

    kms_keys: dict[str, Literal["enabled", "disabled", "missing"]] = {}
    """By id; others are enabled."""

    step_seconds: Annotated[float, Field(ge=0)] = 5.0
    """How long it takes to share an image, or to accept one."""

    copy_seconds: Annotated[float, Field(ge=0)] = 60.0
    """How long it takes to copy an image to another region."""

    agencies: frozenset[str] = frozenset({"ims_admin_agency"})
    """IAM agencies that may copy images."""

    max_jobs: Annotated[int, Field(ge=1)] = 40
    """Jobs that a project may have running at once."""

    other_jobs: Annotated[int, Field(ge=0)] = 0
    """Slots of max_jobs that somebody else's jobs hold all the time."""

    at_job_limit: Literal["refuse", "queue"] = "refuse"
    """When max_jobs run: IMG.0060, or accept and leave the job in INIT until a slot is free."""

    progress: Literal["linear", "stuck", "missing", "coarse"] = "linear"
    """What process_percent says of a running job."""

    progress_path: bool = True
    """Serve GET /v1/cloudimages/job/{id}; otherwise 404 APIGW.0101."""

    status_path: bool = True
    """Serve GET /v1/{project}/jobs/{id}; otherwise 404 APIGW.0101."""

    # --- What becomes of a job ---

    fail: Chance = 0.0
    """Jobs that end in FAIL."""

    fail_codes: tuple[str, ...] = ("IMG.0057", "IMG.0158", "IMG.0014", "IMG.0061", "IMG.1075")
    fail_places: tuple[FailPlace, ...] = ("top", "entities", "error", "addition", "sub_job", "generic")
    """Where failed jobs hide code and reason, one after the other:

    - "top": error_code and fail_reason of the job
    - "entities": error_code and error of its entities
    - "error": the code in the text of error of its entities
    - "addition": addition_error_code and addition_error_msg of its entities
    - "sub_job": error_code and fail_reason of a sub job
    - "generic": the same, under IMG.0061 on top
    """

    fail_leaves_killed: Chance = 0.0
    """Failed jobs that leave an image of status killed behind."""

    lie: Chance = 0.0
    """Jobs that end in SUCCESS although their image is not as asked for."""

    lie_kinds: tuple[Literal["missing", "killed", "different"], ...] = ("missing", "killed", "different")
    fates: dict[str, str] = {}
    """By image name, over the dice: "ok", "missing", "killed", "different", or the code to fail with."""

    # --- What lists show ---

    listed: Literal["at_once", "later", "at_end"] = "at_once"
    """When the image of a job can be seen in lists."""

    listed_after: Annotated[float, Field(ge=0)] = 0.0
    """Seconds from acceptance, for "later"."""

    tagged: Literal["at_once", "later", "at_end"] = "at_once"
    """When its tags can be seen and found."""

    tagged_after: Annotated[float, Field(ge=0)] = 0.0
    lag_spread: Literal["fixed", "exponential"] = "fixed"
    """Whether "later" is the same for every image, or each has a delay of its own, around these seconds."""

    data_origin: bool = True
    """Fill __data_origin with "file,<bucket>:<key>"."""

    untold: frozenset[
        Literal[
            "os_version",
            "os_type",
            "min_disk",
            "virtual_env_type",
            "architecture",
            "hw_firmware_type",
            "enterprise_project_id",
            "description",
            "tags",
        ]
    ] = frozenset()
    """What lists never tell of an image, although its import asked for it."""

    tag_separator: Literal["=", "."] = "="
    """How an image list writes a tag."""

    # --- How it misbehaves ---

    import_odds: Odds = Odds()
    poll_odds: Odds = Odds()
    other_odds: Odds = Odds()
    """Lists, tags, quota, tokens and objects."""

    late_seconds: Annotated[float, Field(ge=0, le=900)] = 60.0
    """Within how long an import is taken in whose answer was `late`."""

    echo: bool = False
    """Refusals repeat what the request was sent with: token, signature, password."""

    burst_every: Annotated[float, Field(ge=0)] = 0.0
    """Seconds between the starts of two bursts of throttling; 0 for none."""

    burst_seconds: Annotated[float, Field(ge=0)] = 0.0
    burst_kinds: tuple[Literal["throttle", "flow"], ...] = ("throttle", "flow")
    """Alternating: 429 APIGW.0308 to every call of the image service, or 400 IMG.0060 to every import."""

    rate_limits: dict[str, RateSetting] = {}
    """Most calls in a period, by call ("import", "poll", "list", "token", ..., "*" for each of the rest)."""

    retry_after: bool = False
    """Answers of status 429 carry Retry-After."""

    rate_headers: bool = False
    """Answers under a rate limit carry X-Apig-Ratelimit-Api."""


_CHAOS = Settings(
    any_project=True,
    job_seconds=8.0,
    import_odds=Odds(
        error_before=0.05,
        error_after=0.05,
        reset_before=0.03,
        reset_after=0.03,
        hang_before=0.01,
        hang_after=0.01,
        truncate=0.01,
    ),
    poll_odds=Odds(error_before=0.06, html=0.01, reset_before=0.02, hang_before=0.005, truncate=0.005),
    other_odds=Odds(
        error_before=0.05,
        error_after=0.05,
        reset_before=0.03,
        reset_after=0.03,
        hang_before=0.01,
        hang_after=0.01,
        truncate=0.01,
    ),
    burst_every=20.0,
    burst_seconds=2.0,
    token_dies_after=4.0,
    latency=(0.005, 0.05),
)

SCENARIOS: dict[str, Settings] = {
    "calm": Settings(any_project=True, latency=(0.02, 0.08), job_seconds=120.0),
    "busy": Settings(
        any_project=True,
        latency=(0.05, 0.4),
        job_seconds=240.0,
        other_jobs=8,
        fail=0.01,
        listed="later",
        listed_after=5.0,
        rate_limits={"import": "60/m", "*": "20/s"},
        retry_after=True,
        import_odds=Odds(error_before=0.01, error_after=0.005, throttle=0.02),
        poll_odds=Odds(error_before=0.01, throttle=0.01),
        other_odds=Odds(error_before=0.01),
    ),
    "storm": Settings(
        any_project=True,
        latency=(0.05, 2.0),
        job_seconds=300.0,
        job_sigma=0.9,
        other_jobs=10,
        fail=0.04,
        fail_leaves_killed=0.3,
        lie=0.01,
        listed="later",
        listed_after=20.0,
        tagged="later",
        tagged_after=30.0,
        progress="coarse",
        rate_limits={"import": "30/m", "*": "10/s"},
        rate_headers=True,
        import_odds=Odds(
            error_before=0.04,
            error_after=0.04,
            reset_before=0.02,
            reset_after=0.02,
            hang_before=0.005,
            hang_after=0.005,
            truncate=0.01,
            html=0.01,
            throttle=0.03,
            statuses=(500, 502, 503, 504, 408, 409),
        ),
        poll_odds=Odds(error_before=0.05, html=0.01, reset_before=0.02, throttle=0.03),
        other_odds=Odds(error_before=0.05, reset_before=0.02, throttle=0.02),
        burst_every=120.0,
        burst_seconds=10.0,
        token_dies_after=600.0,
    ),
    "chaos": _CHAOS,
    "demo": Settings(
        any_project=True,
        quota=100,
        latency=(0.01, 0.06),
        job_seconds=4.0,
        job_sigma=0.35,
        fail=0.035,
        fail_codes=("IMG.0057", "IMG.0158", "IMG.1075"),
        import_odds=Odds(throttle=0.06, error_after=0.02),
        retry_after=True,
    ),
}
"""Named settings to rehearse under, from faultless to hostile; `demo` is short and has a bit of all.

`calm`, `busy` and `storm` are the fault profiles of `run --simulate`."""


def of_region(settings: Settings, region: str, number: int) -> Settings:
    """The settings of a stand-in that serves one region: the first where a request does not say, with dice
    of its own; `number` counts them from zero."""
    first = {region: settings.regions[region]} if region in settings.regions else {}
    return settings.model_copy(
        update={"regions": first | settings.regions, "seed": settings.seed + 7919 * number}
    )


def scenario(name: str, *, seed: int = 0) -> Settings:
    """The settings of a named scenario. Raises KeyError for a name that SCENARIOS does not hold."""
    return SCENARIOS[name].model_copy(update={"seed": seed})
