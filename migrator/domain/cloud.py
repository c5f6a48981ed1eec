"""What the services say: jobs, images, objects, quotas, faults. Sizes are bytes unless named GB."""

from enum import StrEnum

from msgspec import Struct

from migrator.domain.units import Moment


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


class JobStatus(Struct, frozen=True, kw_only=True):
    """What the service says about one job."""

    job_id: str
    status: str
    """"INIT", "RUNNING", "SUCCESS", "FAIL", or a word nobody documented."""

    progress: float | None = None
    """Fraction from 0 to 1, as far as the service told; never a proof of completion."""

    image_id: str | None = None
    fault: Fault | None = None
    """Set when the status is FAIL, or one that nobody documented, from wherever the service hid it."""

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
    description: str | None = None
    cmk_id: str | None = None
    min_ram: int | None = None
    max_ram: int | None = None
    """MB; 0 is no limit."""

    data_origin: str | None = None
    """"file,<bucket>:<key>" where the service fills it."""


class KeyState(StrEnum):
    """Whether a KMS key can be used."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    TO_BE_DELETED = "to be deleted"
    MISSING = "missing"
    OTHER = "not to be used yet"


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


class RateHint(Struct, frozen=True, kw_only=True):
    """What the service says about how often it may be asked."""

    limit: int
    """Requests in one period."""

    period: float
    """Seconds."""

    remain: int | None = None
    """Requests left in the current period, where it says so."""
