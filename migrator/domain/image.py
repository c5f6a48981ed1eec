"""One disk image of a plan, and the marker by which its import is found again."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from migrator.domain.empty import EMPTY
from migrator.domain.object_ref import ObjectRef


class ImageType(StrEnum):
    ECS = "ECS"
    BMS = "BMS"
    DATA = "DataImage"


MACHINE = "machine"
"""The label that names the machine whose disk an image is."""


USUAL = "quick"
"""The method of an image whose plan names none."""


METHODS = ("quick", "normal", "auto")
"""What a plan may say; the last leaves it open."""


class Image(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One disk image of the plan, complete: defaults merged, target resolved, every rule checked.

    `parse_plan` checks; the class itself does not, so that a journal written under older rules can be read.
    """

    name: str
    """Image name in the cloud, unique in its target."""

    target: str
    """Name of the target it goes to."""

    source: ObjectRef
    """Its file in the object storage."""

    min_disk: int
    """GB."""

    wave: str | None = None
    """Name of its wave, the last one where the plan gives it none; None where the plan has no waves."""

    method: str = USUAL
    """How it goes in: "quick", "normal", or "auto" where that is left to what the file is."""

    type: ImageType = ImageType.ECS
    os_version: str | None = None
    """System disks only; None leaves it to the service, which reads it from the file by normal import."""

    os_type: str | None = None
    """"Linux" or "Windows"; "Other" for a system disk. A system disk has one by normal import only."""

    architecture: str | None = None
    """"x86" or "arm"; None leaves it to the service (x86). System disks only."""

    hw_firmware_type: str | None = None
    """"bios" or "uefi"; system disks only."""

    license_type: str | None = None
    """"platform" or "byol"; Windows system disks only."""

    is_config: bool | None = None
    """Whether the service prepares the system in the file: drivers, disk names, network."""

    cmk_id: str | None = None
    """The KMS key with which the image is encrypted."""

    min_ram: int | None = None
    """MB that a server made of it needs at least; 0 is no limit."""

    max_ram: int | None = None
    """MB that a server made of it may have at most; 0 is no limit."""

    enterprise_project_id: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    """Old-style tags, each "key.value"; never together with image_tags."""

    image_tags: dict[str, str] | None = None
    share_with: tuple[str, ...] = ()
    """Ids of projects that may use the image once it is there."""

    copy_to: tuple[str, ...] = ()
    """Names of targets in other regions that get a copy of it."""

    priority: int = 0
    """Higher goes first inside a wave."""

    labels: Mapping[str, str] = EMPTY
    """For reports and selectors; never sent."""

    @property
    def machine(self) -> str:
        """The machine whose disk it is: its label `machine`; empty where it has none."""
        return self.labels.get(MACHINE, "")

    @property
    def key(self) -> str:
        """The image's identity, stable across runs: the journal, the report and the marker speak it."""
        return f"{self.target}/{self.name}"

    @property
    def undecided(self) -> bool:
        """Its plan leaves open how it goes in."""
        return self.method == "auto"

    @property
    def image_url(self) -> str:
        """Its file as plans, requests and reports write it: "bucket:key"."""
        return str(self.source)

    @property
    def own_tags(self) -> dict[str, str]:
        """The plan's own tags, whichever way they were written; markers are not among them."""
        if self.tags is None:
            return dict(self.image_tags or {})
        return {key: value for key, _, value in (tag.partition(".") for tag in self.tags)}


class Decided(NamedTuple):
    """How an image goes in whose plan leaves that open."""

    method: str
    """"quick" or "normal"."""

    why: str
    """In a few words."""


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
