"""Quick import: takes files that are nearly a disk of the cloud already, and so converts nothing.

(IMS API reference, "Importing an Image File Quickly"; IMS user guide, "Quickly Importing an Image File".)
"""

from migrator.ims.methods.import_method import Advice, ImportMethod, MethodWarning

QUICK_IMPORT = ImportMethod(
    name="quick import",
    path="/v2/cloudimages/quickimport/action",
    extensions=(".raw", ".zvhd2"),
    usual_extension=".zvhd2",
    companions={".raw": ".mf"},
    # The file may have 1 TB; whether decimal or binary is nowhere defined.
    sure_bytes=10**12,
    most_bytes=2**40,
    largest_disk=1024,
    optional_below=128 * 2**30,
    files_note="Files are ZVHD2, or RAW with a bitmap (.mf) beside them.",
    convert="convert the disk to ZVHD2, or to RAW with its bitmap (.mf), with qemu-img-hw, and upload that",
    capitals="ends in capitals, which the service may not take for .raw or .zvhd2",
    disk_too_large="more than quick import takes; move this disk in another way",
    windows=MethodWarning(
        "is Windows, which some regions no longer take by quick import",
        "try one first, or import it the normal way",
    ),
    windows_found=Advice(
        "Windows may not be taken by quick import",
        "Newer documents say that Windows cannot be imported this way any more; others still allow it.",
        "Try one first (--limit 1), or import it the normal way.",
    ),
    file_too_large=Advice(
        "the file is larger than 1 TB",
        "Quick import takes files up to 1 TB; this one is beyond 2^40 bytes.",
        "Deliver it as ZVHD2, which is compressed, or split the disk.",
    ),
    file_maybe_too_large=Advice(
        "the file may be larger than 1 TB",
        "It lies between 10^12 and 2^40 bytes, and nobody documents which of them 1 TB is.",
        "Try it alone first, or deliver it as ZVHD2, which is compressed.",
    ),
    companion_missing=Advice(
        "the bitmap (.mf) of the RAW file does not exist",
        "A RAW file needs one of the same name beside it (IMG.0158).",
        "Make it with CreateMF.jar and upload it beside the RAW file; or deliver ZVHD2.",
    ),
    companion_empty=Advice(
        "the bitmap (.mf) of the RAW file is empty",
        "A RAW file needs one with something in it (IMG.0158).",
        "Make it again with CreateMF.jar, and upload it.",
    ),
    other_format=Advice(
        "the file is neither .raw nor .zvhd2",
        "Quick import takes nothing else (IMG.0158).",
        "Convert it with qemu-img-hw, upload that, and correct image_url.",
    ),
    extension_in_capitals=Advice(
        "the extension is in capitals",
        "The service may not take it for .raw or .zvhd2.",
        "Copy the object to a key that ends in small letters.",
    ),
    disk_as_large_as_file=Advice(
        "min_disk is exactly as large as the file",
        "It has to be larger: a RAW copy of a disk of 40 GB is 40 GB long, so 40 is one too few.",
        "Raise min_disk in the plan to what stands beside each.",
    ),
    disk_never_large_enough=Advice(
        "no min_disk is large enough for the file",
        "min_disk ends at 1024 GB, and has to be larger than the file.",
        "Deliver it as ZVHD2, which is compressed, or make the disk smaller.",
    ),
    files_below_optional=Advice(
        "files are smaller than 128 GB",
        "Up to there the normal import works too, and needs no conversion beforehand.",
        "Nothing to do.",
    ),
    remedies={
        "IMG.0055": "Correct min_disk: 1 to 1024 GB, larger than the file.",
        "IMG.0072": "Convert the image to ZVHD2, or to RAW with its bitmap.",
        "IMG.0111": "Make the system disk smaller than 1024 GB.",
        "IMG.0158": "Convert the file to ZVHD2, or put the .mf bitmap of the RAW file beside it "
        "in the bucket.",
        "IMG.0166": "Deliver the disk as ZVHD2 or RAW instead of ISO.",
    },
)
