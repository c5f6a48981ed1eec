"""What there is to know about one way to import a file: a value that every other room asks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from migrator.domain.object_ref import ObjectRef

_OTHER_FORMATS = re.compile(r"\.(qcow2?|vmdk|vhdx?|vdi|ova|iso|img|zvhd2?|qed|raw)$", re.IGNORECASE)
"""Files of disks that people have, by their extensions."""


class Advice(NamedTuple):
    """A finding of preflight: what is the matter, why it matters, and what to do."""

    title: str
    meaning: str
    remedy: str


class MethodWarning(NamedTuple):
    """A doubt about an image of a plan: what may be wrong with it, and what to do."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportMethod:
    """One way in: where the request goes, which files it takes, and what to say about the others."""

    name: str
    """As people call it, in a sentence."""

    path: str
    """Of the request, after the endpoint of the image service."""

    # --- Files ---

    extensions: tuple[str, ...]
    """What a file's name may end in, in small letters."""

    usual_extension: str
    """The one for examples, and for files that are yet to be made."""

    companions: Mapping[str, str]
    """By extension of a file, that of a second one of the same name which has to lie beside it."""

    # --- Limits ---

    sure_bytes: int
    """A file up to here is taken for certain."""

    most_bytes: int
    """A larger file is refused for certain."""

    largest_disk: int
    """GB: min_disk ends there."""

    optional_below: int
    """Bytes: smaller files could as well be imported in a way that asks for less."""

    # --- What plans and what is said about them say ---

    files_note: str
    """Which files it takes, for the comments of a plan to begin with."""

    convert: str
    """What to do with a file that it does not take."""

    capitals: str
    """What is wrong with an extension in capitals."""

    disk_too_large: str
    """Why a disk of a machine has to move in another way, and that it has."""

    windows: MethodWarning

    # --- What preflight says ---

    windows_found: Advice
    file_too_large: Advice
    file_maybe_too_large: Advice
    companion_missing: Advice
    companion_empty: Advice
    other_format: Advice
    extension_in_capitals: Advice
    disk_as_large_as_file: Advice
    disk_never_large_enough: Advice
    files_below_optional: Advice

    # --- What to do when the service refuses ---

    remedies: Mapping[str, str]
    """By error code, where the remedy depends on which files this way takes."""

    @property
    def ending(self) -> str:
        """Pattern of the end of a key that it takes, in capitals too."""
        return rf"\.(?:{'|'.join(_in_any_case(extension[1:]) for extension in self.extensions)})"

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
        if other := _OTHER_FORMATS.search(key):
            return f"is a {other[1].lower()} file; {self.name} takes only {first} and {last}", self.convert
        reason = f"does not end in {first} or {last}, which are all that {self.name} takes"
        return reason, self.convert

    def companion(self, ref: ObjectRef) -> ObjectRef | None:
        """The object that has to lie beside a file; None where none has to."""
        extension = self.companions.get(ref.extension.lower())
        return None if extension is None else ref.with_extension(extension)


def _in_any_case(text: str) -> str:
    return "".join(f"[{char}{char.upper()}]" if char.isalpha() else char for char in text)
