"""The ways to import a file. Nothing outside this folder knows what they are called or what they take.

Another way is a file beside `quick_import.py`, and its line in `ALL` of `choice.py`.
"""

from migrator.domain.image import Image
from migrator.ims.methods import advice
from migrator.ims.methods.choice import (
    ALL,
    AUTO,
    Choice,
    FileFacts,
    Objection,
    Wish,
    asked_keys,
    companion_of,
    family_of,
    method_for,
    methods_for,
    objection_of,
    wish_of,
)
from migrator.ims.methods.file_names import refused_name
from migrator.ims.methods.import_method import ImportMethod, ending
from migrator.ims.methods.quick_import import QUICK_IMPORT

__all__ = [
    "ALL",
    "ANY_ENDING",
    "ANY_SAFE_ENDING",
    "AUTO",
    "AUTO_NOTE",
    "EVERY_EXTENSION",
    "METHOD",
    "METHOD_KEYS",
    "NAMES_TELL",
    "Choice",
    "FileFacts",
    "ImportMethod",
    "Objection",
    "Wish",
    "advice",
    "any_format_fault",
    "asked_keys",
    "companion_of",
    "family_of",
    "method_for",
    "method_of",
    "methods_for",
    "objection_of",
    "wish_of",
]

METHOD = QUICK_IMPORT
"""The one for an image whose plan names none, and for examples."""

METHOD_KEYS = (*dict.fromkeys(method.key for method in ALL), AUTO)
"""What a plan may say."""

EVERY_EXTENSION = tuple(sorted({extension for method in ALL for extension in method.extensions}))
ANY_ENDING = ending(EVERY_EXTENSION)
"""Pattern of the end of a key that some method takes."""

ANY_SAFE_ENDING = rf"\.(?:{'|'.join(extension[1:] for extension in EVERY_EXTENSION)})"
"""Pattern of the end of a key that some method takes for certain."""


AUTO_NOTE = "quick import of .zvhd2 and .raw with its .mf; normal import of VMDK, VHD, QCOW2 ... to 128 GB"
"""What "auto" does, for the comments of a plan."""

NAMES_TELL = (".vmdk",)
"""Ends of keys that a method takes, of files that may be no whole disk by the rest of their names."""


def any_format_fault(key: str) -> tuple[str, str] | None:
    """What is wrong with a key of whose file no method can make a disk; None where one may."""
    if (refused := refused_name(key)) is not None:
        return refused
    if key.lower().endswith(EVERY_EXTENSION):
        return None
    widest = max(ALL, key=lambda method: len(method.extensions))
    return widest.format_fault(key)


_NAMED = {(method.key, kind): method for method in ALL for kind in method.kinds}


def method_of(image: Image) -> ImportMethod:
    """The way by which `image` is imported, as far as that is known; the usual one until it is decided."""
    # Asked several times for each request: most plans leave nothing open.
    named = _NAMED.get((image.method, image.type))
    return method_for(wish_of(image)).method or METHOD if named is None else named
