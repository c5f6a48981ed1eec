"""Quick import: takes files that are nearly a disk of the cloud already, and so converts nothing.

(IMS API reference, "Importing an Image File Quickly"; IMS user guide, "Quickly Importing an Image File".)
"""

from dataclasses import replace

from migrator.domain.image import ImageType
from migrator.ims.methods.import_method import ImportMethod, MethodWarning

QUICK_IMPORT = ImportMethod(
    key="quick",
    name="quick import",
    path="/v2/cloudimages/quickimport/action",
    kinds=frozenset({ImageType.ECS, ImageType.BMS}),
    refused=frozenset({"is_config", "cmk_id", "min_ram", "max_ram", "os_type"}),
    needs_system=True,
    extensions=(".raw", ".zvhd2"),
    usual_extension=".zvhd2",
    companions={".raw": ".mf"},
    # The file may have 1 TB; whether decimal or binary is nowhere defined.
    sure_bytes=10**12,
    most_bytes=2**40,
    size_limit="1 TB",
    smallest_disk={"Linux": 1, "Windows": 1},
    largest_disk=1024,
    advised_disk={"Linux": 10, "Windows": 20},
    optional_below=128 * 2**30,
    files_note="Files are ZVHD2, or RAW with a bitmap (.mf) beside them.",
    convert='set method = "auto", which takes other formats up to 128 GB; or convert the disk to ZVHD2, or '
    "to RAW with its bitmap (.mf), with qemu-img-hw, and upload that",
    disk_too_large="more than quick import takes; move this disk in another way",
    windows=MethodWarning(
        "is Windows, which some regions no longer take by quick import",
        "try one first, or import it the normal way",
    ),
)

QUICK_DATA = replace(
    QUICK_IMPORT,
    kinds=frozenset({ImageType.DATA}),
    refused=QUICK_IMPORT.refused - {"os_type"},
    needs_system=False,
)
