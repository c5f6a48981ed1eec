"""The ways to import a file. Nothing outside this folder knows what they are called or what they take.

Another way is a file beside `quick_import.py`, its line in `METHODS`, and in `method_of` its images.
"""

from migrator.domain.image import Image
from migrator.ims.methods.import_method import Advice, ImportMethod
from migrator.ims.methods.quick_import import QUICK_IMPORT

__all__ = ["METHOD", "METHODS", "Advice", "ImportMethod", "method_of"]

METHODS: dict[str, ImportMethod] = {
    "quick": QUICK_IMPORT,
}

METHOD = METHODS["quick"]
"""The one that plans are checked by."""


def method_of(image: Image) -> ImportMethod:
    """The way by which `image` is imported."""
    return METHOD
