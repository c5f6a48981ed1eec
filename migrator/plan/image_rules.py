"""The rules of an image that go beyond what one key may hold, each a small function with its sentence.

    TRAIT_RULES      one image, but for its name and its file; judged once for all images that are alike
    ADDRESS_RULES    where the file lies; asked only of addresses that are not beyond doubt at first sight
    COMMON_RULES     the images beside each other, and beside the targets and waves of the plan

Another rule is another function, and its name in one of the three lists.
"""

import re
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from migrator.domain.image import ImageType
from migrator.domain.object_ref import (
    LONGEST_KEY,
    SAFE_BUCKET,
    SAFE_KEY,
    ObjectRef,
    bucket_fault,
    ref_fault,
)
from migrator.domain.systems import did_you_mean_system
from migrator.ims.methods import METHOD
from migrator.ims.os_versions import family, known_systems
from migrator.plan.defaults import NOT_DECIDED, UNDECIDED
from migrator.plan.merging import EXAMPLE_URL, HARMLESS_URL, NO_TABLE
from migrator.plan.problems import Faulty, ProblemCollector, unknown_name

LEAST_DISK = {"Windows": 20, "Linux": 10}
"""GB that newer documents ask for."""

_DATA = ImageType.DATA.value
_HARMLESS = {
    "image_url": HARMLESS_URL,
    "min_disk": 40,
    "os_version": "Other Linux(64 bit)",
    "os_type": "Linux",
}
_SURELY_SHORT = 256
"""Characters: an address of no more cannot have a key of too many bytes."""

_SUGGESTIONS = 20  # looking for a close match among all systems takes milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Merged tables of images that have a name and a target, and what they are held against."""

    positions: Sequence[int]
    """Of each in the plan; the first is 0."""

    tables: Sequence[dict[str, Any]]
    """What was complained about is replaced by something harmless, so that other keys can be judged."""

    targets: Collection[str]
    waves: Collection[str]
    blamed: Mapping[str, Collection[object]]
    """By key, values that were complained about where they stand; images that inherit them are not blamed."""

    def __iter__(self) -> Iterator[tuple[int, dict[str, Any]]]:
        return zip(self.positions, self.tables, strict=True)


def images_to_check(
    tables: Sequence[dict[str, Any]],
    faulty: Faulty,
    targets: Collection[str],
    waves: Collection[str],
    blamed: Mapping[str, Collection[object]],
) -> Images:
    """Those of the merged `tables` that rules can judge; `faulty` are keys that were complained about."""
    positions: Sequence[int] = range(len(tables))
    if faulty or NO_TABLE in tables:
        positions = [index for index, table in enumerate(tables) if _is_named(table)]
        tables = [_without_faults(tables[index], faulty.get(index, set())) for index in positions]
    return Images(positions=positions, tables=tables, targets=targets, waves=waves, blamed=blamed)


def _is_named(table: dict[str, Any]) -> bool:
    return type(table.get("name")) is str and type(table.get("target")) is str


def _without_faults(table: dict[str, Any], faulty: set[str]) -> dict[str, Any]:
    """The image without what was complained about, but for what it is called and belongs to."""
    if not faulty:
        return table
    kept = ("name", "target")
    return {**_HARMLESS, **{key: value for key, value in table.items() if key in kept or key not in faulty}}


def check_images(images: Images, found: ProblemCollector) -> None:
    """Hold the images against every rule; what is wrong goes to `found`."""
    for rule in COMMON_RULES:
        rule(images, found)
    _check_addresses(images, found)
    _check_traits(images, found)


# --- One image, but for its name and its file -----------------------------------------------------------


class Traits(NamedTuple):
    """What the rules of one image look at; many images are alike in it."""

    type: str
    os_version: str | None
    os_type: str | None
    architecture: str | None
    hw_firmware_type: str | None
    license_type: str | None
    min_disk: int

    @property
    def family(self) -> str:
        """ "Windows" or "Linux"."""
        return self.os_type or "Linux" if self.type == _DATA else family(self.os_version or "")

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
    if image.family != "Windows":
        return None
    key = "os_type" if image.type == _DATA else "os_version"
    return Complaint(
        key=key,
        value=getattr(image, key),
        reason=METHOD.windows.reason,
        remedy=METHOD.windows.remedy,
        group="Windows",
    )


def disk_is_large_enough(image: Traits) -> Complaint | None:
    """A disk is as large as newer documents ask for with its family of systems."""
    least = LEAST_DISK[image.family]
    if image.min_disk >= least:
        return None
    return Complaint(
        key="min_disk",
        value=image.min_disk,
        reason=f"is below the {least} GB that newer documents ask for with {image.family}",
        remedy=f"make it {least} or more",
        group=least,
    )


TraitRule = Callable[[Traits], Complaint | None]

TRAIT_RULES: tuple[TraitRule, ...] = (
    system_is_decided,
    system_is_known,
    licence_is_for_windows,
    arm_boots_with_uefi,
    windows_may_be_refused,
    disk_is_large_enough,
)


@dataclass(slots=True, kw_only=True)
class _Shared:
    """One warning for many images."""

    index: int
    """Of the first of them."""

    complaint: Complaint
    count: int = 1


@dataclass(slots=True, kw_only=True)
class _Warnings:
    """The warnings that images share, by rule and group."""

    shared: dict[Hashable, _Shared] = field(default_factory=dict)

    def add(self, rule: TraitRule, complaint: Complaint, index: int) -> None:
        key = (rule, complaint.group)
        if (warning := self.shared.get(key)) is None:
            self.shared[key] = _Shared(index=index, complaint=complaint)
        else:
            warning.count += 1

    def report(self, found: ProblemCollector) -> None:
        suggestions = 0
        for warning in self.shared.values():
            complaint, remedy = warning.complaint, warning.complaint.remedy
            if complaint.closest_of and (suggestions := suggestions + 1) <= _SUGGESTIONS:
                remedy = did_you_mean_system(complaint.value, complaint.closest_of) or remedy
            more = f" ({warning.count} images)" if warning.count > 1 else ""
            where = ("images", warning.index, complaint.key)
            found.warning(where, complaint.reason + more, remedy, value=complaint.value)


def _check_traits(images: Images, found: ProblemCollector) -> None:
    """Judge images by what many of them are alike in, each likeness once."""
    judged: dict[tuple[Any, ...], list[tuple[TraitRule, Complaint]]] = {}
    warnings = _Warnings()
    for index, image in images:
        get = image.get
        alike = (
            image["type"],
            get("os_version"),
            get("os_type"),
            get("architecture"),
            get("hw_firmware_type"),
            get("license_type"),
            image["min_disk"],
        )
        complaints = judged.get(alike)
        if complaints is None:
            traits = Traits(*alike)
            complaints = [(rule, wrong) for rule in TRAIT_RULES if (wrong := rule(traits)) is not None]
            judged[alike] = complaints
        for rule, complaint in complaints:
            if complaint.group is not None:
                warnings.add(rule, complaint, index)
            elif complaint.value not in images.blamed.get(complaint.key, ()):
                _report(complaint, index, found)
    warnings.report(found)


def _report(complaint: Complaint, index: int, found: ProblemCollector) -> None:
    say = found.error if complaint.error else found.warning
    say(("images", index, complaint.key), complaint.reason, complaint.remedy, value=complaint.value)


# --- Where the file lies --------------------------------------------------------------------------------


def address_is_possible(ref: ObjectRef) -> Complaint | None:
    """A file lies in a bucket whose name there can be, and not at a web address."""
    if not ref.key.startswith("//") and bucket_fault(ref.bucket) is None:
        return None
    return _address_error(ref)


def key_is_short_enough(ref: ObjectRef) -> Complaint | None:
    """A key has as many bytes as the storage takes."""
    return None if len(ref.key.encode()) <= LONGEST_KEY else _address_error(ref)


def extension_is_in_small_letters(ref: ObjectRef) -> Complaint | None:
    """A file ends in what the service takes for certain."""
    if METHOD.surely_takes(ref.key) or ref.key.startswith("//"):
        return None
    return Complaint(key="image_url", value=str(ref), reason=METHOD.capitals)


def characters_are_usual(ref: ObjectRef) -> Complaint | None:
    """A key has only characters that the narrowest reading of the documents allows."""
    if _SAFE_KEY.fullmatch(ref.key) or ref.key.startswith("//") or not METHOD.surely_takes(ref.key):
        return None
    return Complaint(
        key="image_url",
        value=str(ref),
        reason="has unusual characters in its key, which the service may refuse",
        remedy="safe are A-Z, a-z, 0-9, '.', '_', '-' and '/'",
    )


AddressRule = Callable[[ObjectRef], Complaint | None]

ADDRESS_RULES: tuple[AddressRule, ...] = (
    address_is_possible,
    key_is_short_enough,
    extension_is_in_small_letters,
    characters_are_usual,
)

_SAFE_KEY = re.compile(SAFE_KEY)
_BEYOND_DOUBT = re.compile(f"{SAFE_BUCKET}:{SAFE_KEY}{METHOD.safe_ending}")


def _address_error(ref: ObjectRef) -> Complaint:
    url = str(ref)
    fault = ref_fault(url, example=EXAMPLE_URL)
    assert fault is not None
    return Complaint(key="image_url", value=url, reason=fault[0], remedy=fault[1], error=True)


def _check_addresses(images: Images, found: ProblemCollector) -> None:
    """Judge addresses; one that is plainly written, in a bucket of a good name, is well at first sight."""
    good_buckets: set[str] = set()
    beyond_doubt = _BEYOND_DOUBT.fullmatch
    for index, image in images:
        url = image["image_url"]
        if len(url) <= _SURELY_SHORT and beyond_doubt(url) and url[: url.index(":")] in good_buckets:
            continue
        ref = ObjectRef.parse(url)
        if bucket_fault(ref.bucket) is None:
            good_buckets.add(ref.bucket)
        for rule in ADDRESS_RULES:
            if (complaint := rule(ref)) is not None:
                _report(complaint, index, found)


# --- The images beside each other, and beside the plan --------------------------------------------------


def names_are_given_once(images: Images, found: ProblemCollector) -> None:
    """A name is given to one image of a target only."""
    if len(set(map(itemgetter("name"), images.tables))) == len(images.tables):
        return  # not even two targets share one
    first_of: dict[tuple[str, str], int] = {}
    for index, image in images:
        name = image["name"]
        if (first := first_of.setdefault((image["target"], name), index)) != index:
            reason = "is a name that its target gets twice: first for"
            found.error(("images", index, "name"), reason, "rename one", value=name, other=("images", first))


def targets_are_there(images: Images, found: ProblemCollector) -> None:
    """An image goes to a target of the plan."""
    known = images.targets
    if not known:
        return  # said already
    named = set(map(itemgetter("target"), images.tables))
    missing = {name for name in named if name not in known and name not in images.blamed["target"]}
    for index, image in images if missing else ():
        if image["target"] in missing:
            unknown_name(("images", index, "target"), image["target"], known, found)


def waves_are_there(images: Images, found: ProblemCollector) -> None:
    """An image goes with a wave of the plan, where it goes with one."""
    named = {image.get("wave") for image in images.tables} - {None}
    missing = {name for name in named if name not in images.waves and name not in images.blamed["wave"]}
    for index, image in images if missing else ():
        if image.get("wave") in missing:
            unknown_name(("images", index, "wave"), image["wave"], images.waves, found)


def files_are_imported_once(images: Images, found: ProblemCollector) -> None:
    """A file is imported for one image only."""
    if len(set(map(itemgetter("image_url"), images.tables))) == len(images.tables):
        return
    first_of: dict[str, int] = {}
    for index, image in images:
        url = image["image_url"]
        if url is not HARMLESS_URL and (first := first_of.setdefault(url, index)) != index:
            reason = "is imported twice: also for"
            found.warning(("images", index, "image_url"), reason, value=url, other=("images", first))


CommonRule = Callable[[Images, ProblemCollector], None]

COMMON_RULES: tuple[CommonRule, ...] = (
    names_are_given_once,
    targets_are_there,
    waves_are_there,
    files_are_imported_once,
)
