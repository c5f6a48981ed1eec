"""What may be wrong with an image, but for its name and its file: rules, each a function with its sentence.

Another rule is another function, and its name in TRAIT_RULES; asked once for all images that are alike.
"""

from collections.abc import Callable, Collection, Hashable
from typing import NamedTuple

from msgspec import Struct

from migrator.domain.image import ImageType
from migrator.ims.methods import AUTO, Choice, Wish, family_of, method_for, objection_of
from migrator.ims.os_versions import known_systems
from migrator.plan.defaults import NOT_DECIDED, UNDECIDED

_DATA = ImageType.DATA.value


OWN = object()
"""Stands for the image's own value, where it differs among images that are alike."""


class Complaint(Struct, frozen=True, kw_only=True):
    """What a rule has against an image."""

    key: str
    """Of the image, which is wrong."""

    value: object
    reason: str
    remedy: str = ""
    error: bool = False
    """The plan cannot be run with it; otherwise it is worth a second look."""

    group: Hashable = None
    """Images with complaints of one rule and one group share one warning; without it, each has its own."""

    closest_of: Collection[str] = ()
    """Names of which the one closest to the value is a better remedy, if any is close."""


class Traits(NamedTuple):
    """What the rules of one image look at; many images are alike in it."""

    type: str
    method: str
    extension: str
    keys: tuple[str, ...]
    """Keys that it sets and not every method takes."""

    os_version: str | None
    os_type: str | None
    architecture: str | None
    hw_firmware_type: str | None
    license_type: str | None
    min_disk: int

    @property
    def family(self) -> str:
        """ "Windows" or "Linux"."""
        return family_of(ImageType(self.type), self.os_type, self.os_version)

    @property
    def wish(self) -> Wish:
        """What of it decides how it goes in."""
        return Wish(
            method=self.method,
            kind=ImageType(self.type),
            extension=self.extension,
            min_disk=self.min_disk,
            family=self.family,
            os_version=self.os_version,
            keys=self.keys,
        )

    @property
    def choice(self) -> Choice:
        """How it goes in, as far as that is known without its file."""
        return method_for(self.wish)

    @property
    def listed_version(self) -> str | None:
        """What the service has a list for; None for a data disk."""
        return None if self.type == _DATA else self.os_version


def system_is_decided(image: Traits) -> Complaint | None:
    """A person has put an operating system where `migrator init` could only write CHECK."""
    version = image.listed_version
    if version is None or not version.startswith(UNDECIDED):
        return None
    reason, remedy = NOT_DECIDED
    return Complaint(key="os_version", value=version, reason=reason, remedy=remedy, error=True)


def system_is_known(image: Traits) -> Complaint | None:
    """The operating system of a system disk is one that the service is known to take."""
    version = image.listed_version
    if version is None or version in known_systems() or version.startswith(UNDECIDED):
        return None
    return Complaint(
        key="os_version",
        value=version,
        reason="is not an operating system we know of",
        remedy="compare it with the region's own list: `migrator preflight PLAN`",
        group=version,
        closest_of=known_systems(),
    )


def licence_is_for_windows(image: Traits) -> Complaint | None:
    """Only a Windows has a licence to be named."""
    if image.license_type is None or image.type == _DATA or image.family == "Windows":
        return None
    return Complaint(
        key="license_type",
        value=image.license_type,
        reason="is meant for Windows only",
        remedy="leave it out for Linux",
        group=image.license_type,
    )


def arm_boots_with_uefi(image: Traits) -> Complaint | None:
    """An arm server boots with uefi only."""
    if image.architecture != "arm" or image.hw_firmware_type != "bios" or image.type == _DATA:
        return None
    return Complaint(
        key="hw_firmware_type",
        value="bios",
        reason="does not boot on arm",
        remedy='write "uefi", or leave it out',
        error=True,
    )


def windows_may_be_refused(image: Traits) -> Complaint | None:
    """Not every region takes Windows by the way in which files are imported."""
    method = image.choice.method
    if image.family != "Windows" or method is None:
        return None
    key = "os_type" if image.type == _DATA else "os_version"
    return Complaint(
        key=key,
        value=getattr(image, key),
        reason=method.windows.reason,
        remedy=method.windows.remedy,
        group=method.windows.reason,
    )


def disk_is_large_enough(image: Traits) -> Complaint | None:
    """A disk is as large as some documents ask for with its family of systems."""
    method = image.choice.method
    if method is None or image.min_disk >= (least := method.advised_disk[image.family]):
        return None
    return Complaint(
        key="min_disk",
        value=image.min_disk,
        reason=f"is below the {least} GB that some documents ask for with {image.family}",
        remedy=f"make it {least} or more",
        group=least,
    )


def a_method_takes_it(image: Traits) -> Complaint | None:
    """The method that the plan names takes such an image; with "auto", one of them does."""
    wish, choice = image.wish, image.choice
    wrong = choice.objection
    if choice.method is not None and image.method != AUTO:
        wrong = objection_of(choice.method, wish)
    if wrong is None or (wrong.key == "os_version" and image.method != AUTO):
        return None  # a missing key is said already
    return Complaint(key=wrong.key, value=OWN, reason=wrong.reason, remedy=wrong.remedy, error=True)


def bare_metal_has_no_key(image: Traits) -> Complaint | None:
    """An image for bare metal servers cannot be encrypted (IMG.0118)."""
    if image.type != ImageType.BMS.value or "cmk_id" not in image.keys:
        return None
    reason, remedy = "does not go with type BMS: such images cannot be encrypted", "take it out"
    return Complaint(key="cmk_id", value=OWN, reason=reason, remedy=remedy, error=True)


def data_disk_has_a_family(image: Traits) -> Complaint | None:
    """A data disk is one of Linux or of Windows."""
    if image.type != _DATA or image.os_type != "Other":
        return None
    reason, remedy = "does not go with a data disk image", 'write "Linux" or "Windows"'
    return Complaint(key="os_type", value="Other", reason=reason, remedy=remedy, error=True)


TraitRule = Callable[[Traits], Complaint | None]

TRAIT_RULES: tuple[TraitRule, ...] = (
    system_is_decided,
    system_is_known,
    licence_is_for_windows,
    arm_boots_with_uefi,
    a_method_takes_it,
    bare_metal_has_no_key,
    data_disk_has_a_family,
    windows_may_be_refused,
    disk_is_large_enough,
)
