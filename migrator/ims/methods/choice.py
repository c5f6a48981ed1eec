"""Which way an image goes in: what each method has against it, and what "auto" makes of that."""

from collections.abc import Mapping
from typing import NamedTuple

from migrator.domain.image import Image, ImageType
from migrator.domain.object_ref import ObjectRef
from migrator.ims.methods.import_method import ImportMethod
from migrator.ims.methods.normal_import import NORMAL_DATA, NORMAL_SYSTEM
from migrator.ims.methods.quick_import import QUICK_DATA, QUICK_IMPORT
from migrator.ims.os_versions import family

AUTO = "auto"
ALL: tuple[ImportMethod, ...] = (QUICK_IMPORT, QUICK_DATA, NORMAL_SYSTEM, NORMAL_DATA)
"""In the order in which "auto" prefers them."""

_ONLY_SOME: frozenset[str] = frozenset().union(*(method.refused for method in ALL))
"""Keys that not every method takes."""


class Wish(NamedTuple):
    """What of an image decides which methods take it."""

    method: str
    """What the plan says: a method's key, or "auto"."""

    kind: ImageType
    extension: str
    """Of its file, with the dot, in small letters."""

    min_disk: int
    family: str
    """Of its operating system: "Linux" or "Windows"."""

    os_version: str | None
    keys: tuple[str, ...]
    """Keys that it sets and not every method takes."""


class FileFacts(NamedTuple):
    """What is known of a file in the object storage."""

    size: int
    """Bytes."""

    companion: bool | None = None
    """Whether the second file lies beside it that some methods need; None: nobody knows."""


class Objection(NamedTuple):
    """Why a method does not take an image."""

    key: str
    """Of the image, which is in the way."""

    reason: str
    remedy: str


class Choice(NamedTuple):
    """The way in."""

    method: ImportMethod | None
    """None: no method takes the image, or what decides is not known."""

    why: str
    """Why this one, in a few words; without a method, what it depends on, or why there is none."""

    objection: Objection | None = None
    """Where no method takes the image."""


def family_of(kind: ImageType, os_type: str | None, os_version: str | None) -> str:
    """ "Windows" or "Linux": of a system disk what its version says, where it has one."""
    if kind is ImageType.DATA or os_version is None:
        return "Windows" if os_type == "Windows" else "Linux"
    return family(os_version)


def asked_keys(values: Mapping[str, object]) -> tuple[str, ...]:
    """Of these keys and values, the keys that ask for something and that not every method takes."""
    if not (found := _ONLY_SOME.intersection(values)):
        return ()
    return tuple(sorted(key for key in found if values[key] not in (None, False)))


def wish_of(image: Image) -> Wish:
    """What of an image decides."""
    return Wish(
        method=image.method,
        kind=image.type,
        extension=image.source.extension.lower(),
        min_disk=image.min_disk,
        family=family_of(image.type, image.os_type, image.os_version),
        os_version=image.os_version,
        keys=asked_keys({key: getattr(image, key) for key in _ONLY_SOME}),
    )


def methods_for(kind: ImageType) -> tuple[ImportMethod, ...]:
    """The methods that take disks of this kind."""
    return tuple(method for method in ALL if kind in method.kinds)


def method_for(wish: Wish, file: FileFacts | None = None) -> Choice:
    """The way in for an image, with what is known of its file."""
    if wish.method != AUTO:
        method = next(one for one in methods_for(wish.kind) if one.key == wish.method)
        return Choice(method, "the plan says so")
    refusals: list[Objection] = []
    for method in methods_for(wish.kind):
        objection = objection_of(method, wish, file)
        if objection is None:
            companion = method.companions.get(wish.extension)
            if companion is None or (file is not None and file.companion):
                return Choice(method, _because(refusals[-1], wish) if refusals else _fits(wish, companion))
            others = [one for one in methods_for(wish.kind) if one is not method]
            left = [one for one in others if objection_of(one, wish, file) is None]
            if left:
                what = f"{method.name} if a {companion} file lies beside it, else {left[0].name}"
                return Choice(None, what)
            return Choice(method, "no other takes it")
        refusals.append(objection)
    reasons = "; ".join(
        refusal.reason if refusal.key == "image_url" else f"{refusal.key} {refusal.reason}"
        for refusal in refusals
    )
    return Choice(None, reasons, refusals[-1]._replace(reason=reasons))


def _because(refusal: Objection, wish: Wish) -> str:
    """Why another method was taken, in a few words."""
    if refusal.key != "image_url":
        return f"{refusal.key} {refusal.reason}"
    return refusal.reason if wish.extension in QUICK_IMPORT.extensions else f"a {wish.extension} file"


def _fits(wish: Wish, companion: str | None) -> str:
    return f"a {wish.extension} file" + (f" with its {companion}" if companion else "")


def objection_of(method: ImportMethod, wish: Wish, file: FileFacts | None = None) -> Objection | None:
    """Why a method does not take an image; None where nothing is known against it."""
    for key in wish.keys:
        if key in method.refused:
            reason = f"does not go with {method.name}"
            if key == "os_type":
                reason = "does not go with a system disk by quick import"
            return Objection(key, reason, _other_for(key, wish))
    if not wish.extension or wish.extension not in method.extensions:
        reason, remedy = method.format_fault(f"disk{wish.extension}") or ("", "")
        return Objection("image_url", reason, remedy)
    if method.needs_system and wish.kind is not ImageType.DATA and not wish.os_version:
        reason = f"is missing, which {method.name} needs of a system disk"
        return Objection("os_version", reason, 'set one such as "CentOS 7.6 64bit", or method = "auto"')
    least = method.smallest_disk[wish.family]
    if not least <= wish.min_disk <= method.largest_disk:
        return Objection("min_disk", *_disk_fault(method, wish, least))
    return None if file is None else _file_objection(method, wish, file)


def _other_for(key: str, wish: Wish) -> str:
    """What to do about a key that a method does not take."""
    others = [one for one in methods_for(wish.kind) if key not in one.refused]
    if not others:
        return f"take {key} out"
    remedy = f'set method = "{others[0].key}" or "auto"'
    if key == "os_type":
        return (
            f'a system disk has os_version; for a data disk set type = "{ImageType.DATA.value}"; or {remedy}'
        )
    return remedy


def _disk_fault(method: ImportMethod, wish: Wish, least: int) -> tuple[str, str]:
    what = "a data disk" if wish.kind is ImageType.DATA else f"a {wish.family} system disk"
    small = wish.min_disk < least
    bound = f"at least {least}" if small else f"at most {method.largest_disk}"
    others = [
        one
        for one in methods_for(wish.kind)
        if one.smallest_disk[wish.family] <= wish.min_disk <= one.largest_disk
    ]
    remedy = f'set method = "{others[0].key}" or "auto"' if others else ""
    return f"must be {bound} for {what} by {method.name}", remedy


def _file_objection(method: ImportMethod, wish: Wish, file: FileFacts) -> Objection | None:
    if file.size > method.most_bytes:
        return Objection("image_url", f"{method.name} takes files up to {method.size_limit}", method.convert)
    companion = method.companions.get(wish.extension)
    if companion is not None and file.companion is False:
        return Objection(
            "image_url",
            f"no {companion} file lies beside it, which {method.name} needs",
            f"upload the {companion} file beside it",
        )
    return None


def companion_of(image: Image) -> ObjectRef | None:
    """The object that has to lie beside the file of an image, or decides how it goes in, if any."""
    if image.method != AUTO:
        method = method_for(wish_of(image)).method
        return None if method is None else method.companion(image.source)
    wish = wish_of(image)
    for method in methods_for(image.type):
        if objection_of(method, wish) is None and (ref := method.companion(image.source)) is not None:
            return ref
    return None
