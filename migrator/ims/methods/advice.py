"""What preflight says about files, and what to do when the service refuses one: words for every method."""

from typing import NamedTuple


class Advice(NamedTuple):
    """A finding of preflight: what is the matter, why it matters, and what to do."""

    title: str
    meaning: str
    remedy: str


ANY = 'or set method = "auto"'

WINDOWS_FOUND = Advice(
    "Windows may not be taken",
    "Newer documents say that Windows cannot be imported this way any more; others still allow it.",
    "Try one first (--limit 1).",
)
FILE_TOO_LARGE = Advice(
    "the file is larger than its import takes",
    "Quick import takes files up to 1 TB, and never more than 2^40 bytes; normal import 128 GB, never "
    "more than 2^37.",
    f"Deliver it as ZVHD2, which is compressed, or split the disk; {ANY}.",
)
FILE_MAYBE_TOO_LARGE = Advice(
    "the file may be larger than its import takes",
    "Nobody documents whether 1 TB is 10^12 or 2^40 bytes, and whether 128 GB are 128 x 10^9 or 2^37.",
    "Try it alone first, or deliver it as ZVHD2, which is compressed.",
)
COMPANION_MISSING = Advice(
    "the bitmap (.mf) of the RAW file does not exist",
    "Quick import needs one of the same name beside a RAW file (IMG.0158).",
    f"Make it with CreateMF.jar and upload it beside the RAW file; {ANY}: up to 128 GB no bitmap is needed.",
)
COMPANION_EMPTY = Advice(
    "the bitmap (.mf) of the RAW file is empty",
    "Quick import needs one with something in it (IMG.0158).",
    "Make it again with CreateMF.jar, and upload it.",
)
OTHER_FORMAT = Advice(
    "the file is of a format that its import does not take",
    "Quick import takes .raw and .zvhd2 (IMG.0158); normal import most others that there are.",
    'Set method = "auto", or convert it with qemu-img-hw, upload that, and correct image_url.',
)
EXTENSION_IN_CAPITALS = Advice(
    "the extension is in capitals",
    "The service may not take it for what it is.",
    "Copy the object to a key that ends in small letters.",
)
DISK_AS_LARGE_AS_FILE = Advice(
    "min_disk is exactly as large as the file",
    "It has to be larger: a RAW copy of a disk of 40 GB is 40 GB long, so 40 is one too few.",
    "Raise min_disk in the plan to what stands beside each.",
)
DISK_NEVER_LARGE_ENOUGH = Advice(
    "no min_disk is large enough for the file",
    "min_disk ends at 1024 GB (2048 for a data disk by normal import), and has to be larger than the file.",
    "Deliver it as ZVHD2, which is compressed, or make the disk smaller.",
)
FILES_BELOW_OPTIONAL = Advice(
    "files are smaller than 128 GB",
    "Up to there normal import works too, and needs no conversion beforehand.",
    "Nothing to do.",
)
NO_METHOD = Advice(
    "no method takes the image",
    'method is "auto", and what the file is rules out quick import and normal import alike.',
    'Do what stands beside each; "migrator validate" knows the rules of both.',
)
NOT_DECIDED = Advice(
    "the method could not be decided",
    'method is "auto", and nobody could tell whether a bitmap (.mf) lies beside the RAW file.',
    'Let the credentials read the bucket, or write method = "quick" or "normal" for these images.',
)

REMEDIES = {
    "IMG.0055": "Correct min_disk: larger than the file and the disk in it, and at most 1024 GB (2048 for a "
    "data disk by normal import).",
    "IMG.0059": "Deliver the disk as ZVHD2, which quick import takes up to 1 TB, or split it.",
    "IMG.0072": "Convert the image to ZVHD2, or to RAW with its bitmap.",
    "IMG.0111": "Make the system disk smaller than 1024 GB.",
    "IMG.0158": "Convert the file to ZVHD2, or put the .mf bitmap of the RAW file beside it in the bucket; "
    'or set method = "normal".',
    "IMG.0159": "Set os_version of this image in the plan; quick import needs it.",
    "IMG.0166": "Deliver the disk as ZVHD2 or RAW instead of ISO.",
}
"""By error code, where the remedy depends on which files methods take."""
