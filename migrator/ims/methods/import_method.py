"""What there is to know about one way to import a file: a value that every other room asks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from migrator.domain.image import ImageType
from migrator.domain.object_ref import ObjectRef

OTHER_FORMATS = re.compile(r"\.(qcow2?|vmdk|vhdx?|vdi|ova|iso|img|zvhd2?|qed|raw)$", re.IGNORECASE)
"""Files of disks that people have, by their extensions."""


class MethodWarning(NamedTuple):
    """A doubt about an image of a plan: what may be wrong with it, and what to do."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImportMethod:
    """One way in: where the request goes, which files it takes, and what to say about the others."""

    key: str
    """As plans and journals call it."""

    name: str
    """As people call it, in a sentence."""

    path: str
    """Of the request, after the endpoint of the image service."""

    # --- Images ---

    kinds: frozenset[ImageType]
    """Kinds of disk."""

    refused: frozenset[str] = frozenset()
    """Keys of an image that it has no member for."""

    unsent: frozenset[str] = frozenset()
    """Keys that its request does not repeat, because the call itself says so."""

    needs_system: bool = False
    """A system disk has to name its os_version; else the service reads it from the file."""

    # --- Files ---

    extensions: tuple[str, ...]
    """What a file's name may end in, in small letters."""

    usual_extension: str
    """The one for examples, and for files that are yet to be made."""

    companions: Mapping[str, str] = field(default_factory=dict)
    """By extension of a file, that of a second one of the same name which has to lie beside it."""

    # --- Limits ---

    sure_bytes: int
    """A file up to here is taken for certain."""

    most_bytes: int
    """A larger file is refused for certain."""

    size_limit: str
    """The same in the words of the documents."""

    smallest_disk: Mapping[str, int]
    """GB by family of systems, Linux and Windows: min_disk begins there."""

    largest_disk: int
    """GB: min_disk ends there."""

    advised_disk: Mapping[str, int]
    """GB by family of systems that some documents ask for."""

    optional_below: int
    """Bytes: smaller files could as well be imported in a way that asks for less; 0: none."""

    # --- What plans and what is said about them say ---

    files_note: str
    """Which files it takes, for the comments of a plan to begin with."""

    convert: str
    """What to do with a file that it does not take."""

    disk_too_large: str
    """Why a disk of a machine has to move in another way, and that it has."""

    windows: MethodWarning

    @property
    def ending(self) -> str:
        """Pattern of the end of a key that it takes, in capitals too."""
        return ending(self.extensions)

    @property
    def safe_ending(self) -> str:
        """Pattern of the end of a key that it takes for certain."""
        return rf"\.(?:{'|'.join(extension[1:] for extension in self.extensions)})"

    def example(self, key: str) -> str:
        """A key of a file for it to take, such as "images/web-01" with an extension."""
        return f"{key}{self.usual_extension}"

    def takes(self, key: str) -> bool:
        """Whether a file of this key has an extension that it takes, capitals or not."""
        return key.lower().endswith(self.extensions)

    def surely_takes(self, key: str) -> bool:
        """Whether nobody can doubt that it takes the extension of this key."""
        return key.endswith(self.extensions)

    def format_fault(self, key: str) -> tuple[str, str] | None:
        """What is wrong with what a key ends in, and what to do; None where nothing is."""
        if self.takes(key):
            return None
        *most, last = reversed(self.extensions)
        first = ", ".join(most)
        if other := OTHER_FORMATS.search(key):
            return f"is a {other[1].lower()} file; {self.name} takes only {first} and {last}", self.convert
        reason = f"does not end in {first} or {last}, which are all that {self.name} takes"
        return reason, self.convert

    def companion(self, ref: ObjectRef) -> ObjectRef | None:
        """The object that has to lie beside a file; None where none has to."""
        extension = self.companions.get(ref.extension.lower())
        return None if extension is None else ref.with_extension(extension)


def ending(extensions: tuple[str, ...]) -> str:
    """Pattern of the end of a key with one of them, in capitals too."""
    return rf"\.(?:{'|'.join(_in_any_case(extension[1:]) for extension in extensions)})"


def _in_any_case(text: str) -> str:
    return "".join(f"[{char}{char.upper()}]" if char.isalpha() else char for char in text)
