"""The rules of an image that go beyond what one key may hold, each a small function with its sentence.

    TRAIT_RULES      one image, but for its name and its file; they stand in `trait_rules`
    ADDRESS_RULES    where the file lies; asked only of addresses that are not beyond doubt at first sight
    COMMON_RULES     the images beside each other, and beside the targets and waves of the plan

Another rule is another function, and its name in one of the three lists.
"""

import re
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

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
from migrator.ims.methods import (
    ANY_SAFE_ENDING,
    AUTO,
    EVERY_EXTENSION,
    METHOD_KEYS,
    NAMES_TELL,
    any_format_fault,
    asked_keys,
)
from migrator.plan.merging import EXAMPLE_URL, HARMLESS_URL, NO_TABLE
from migrator.plan.problems import Faulty, ProblemCollector, unknown_name
from migrator.plan.trait_rules import OWN, TRAIT_RULES, Complaint, TraitRule, Traits

_DATA = ImageType.DATA.value
_HARMLESS = {
    "image_url": HARMLESS_URL,
    "min_disk": 40,
    "os_version": "Other Linux(64 bit)",
    "os_type": "Linux",
    "method": AUTO,
}
_SURELY_SHORT = 256
"""Characters: an address of no more cannot have a key of too many bytes."""

_SUGGESTIONS = 20  # looking for a close match among all systems takes milliseconds


class Images(Struct, frozen=True, kw_only=True):
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
    """The image with something harmless for what was complained about, but for its name and its target."""
    if not faulty:
        return table
    kept = {key: value for key, value in table.items() if key in ("name", "target") or key not in faulty}
    harmless = {key: value for key, value in _HARMLESS.items() if key in faulty}
    if table.get("type") == _DATA:
        harmless.pop("os_version", None)
    elif "os_type" in harmless:
        del harmless["os_type"]
    return {**harmless, **kept}


def check_images(images: Images, found: ProblemCollector) -> None:
    """Hold the images against every rule; what is wrong goes to `found`."""
    for rule in COMMON_RULES:
        rule(images, found)
    _check_addresses(images, found)
    _check_traits(images, found)


# --- One image, but for its name and its file -----------------------------------------------------------


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
        url = image["image_url"]
        method = get("method", "quick")
        alike = (
            image["type"],
            method if method in METHOD_KEYS else AUTO,
            url[url.rfind(".") :].lower() if "." in url else "",
            asked_keys(image),
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
            if complaint.value is OWN:
                complaint = replace(complaint, value=image.get(complaint.key))
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


def file_is_a_whole_disk(ref: ObjectRef) -> Complaint | None:
    """A file is a disk by itself, as far as its name tells."""
    fault = any_format_fault(ref.key)
    if fault is None:
        return None
    return Complaint(key="image_url", value=str(ref), reason=fault[0], remedy=fault[1], error=True)


def extension_is_in_small_letters(ref: ObjectRef) -> Complaint | None:
    """A file ends in what the service takes for certain."""
    if ref.key.endswith(EVERY_EXTENSION) or ref.key.startswith("//"):
        return None
    reason = f"ends in capitals, which the service may not take for {ref.extension.lower()}"
    return Complaint(key="image_url", value=str(ref), reason=reason)


def characters_are_usual(ref: ObjectRef) -> Complaint | None:
    """A key has only characters that the narrowest reading of the documents allows."""
    if _SAFE_KEY.fullmatch(ref.key) or ref.key.startswith("//") or not ref.key.endswith(EVERY_EXTENSION):
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
    file_is_a_whole_disk,
    extension_is_in_small_letters,
    characters_are_usual,
)

_SAFE_KEY = re.compile(SAFE_KEY)
_BEYOND_DOUBT = re.compile(f"{SAFE_BUCKET}:{SAFE_KEY}{ANY_SAFE_ENDING}")


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
        plain = len(url) <= _SURELY_SHORT and beyond_doubt(url) and url[: url.index(":")] in good_buckets
        if plain and not url.endswith(NAMES_TELL):
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
