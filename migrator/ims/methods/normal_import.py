"""Normal import: the service converts the file, and reads the system in it; a call for each kind of disk.

(IMS API reference, "Creating an Image Using an External Image File" and "Creating a Data Disk Image Using an
External Image File"; IMS user guide, "Constraints" of importing an image file.)
"""

from dataclasses import replace

from migrator.domain.image import ImageType
from migrator.ims.methods.import_method import ImportMethod, MethodWarning

NORMAL_SYSTEM = ImportMethod(
    key="normal",
    name="normal import",
    path="/v2/cloudimages/action",
    kinds=frozenset({ImageType.ECS, ImageType.BMS}),
    # license_type: seen for quick import only; the vendor's SDK has no such member here.
    refused=frozenset({"license_type"}),
    extensions=(".zvhd", ".zvhd2", ".qcow", ".vdi", ".qed", ".vhdx", ".raw", ".qcow2", ".vhd", ".vmdk"),
    usual_extension=".vmdk",
    # 128 GB: whether decimal or binary is nowhere defined.
    sure_bytes=128 * 10**9,
    most_bytes=2**37,
    size_limit="128 GB",
    smallest_disk={"Linux": 10, "Windows": 20},
    largest_disk=1024,
    advised_disk={"Linux": 40, "Windows": 40},
    optional_below=0,
    files_note="Files are VMDK, VHD, QCOW2, RAW, VHDX, QED, VDI, QCOW, ZVHD2 or ZVHD of up to 128 GB.",
    convert="convert the disk to one of those with qemu-img, and upload that",
    disk_too_large="more than normal import takes; move this disk in another way",
    windows=MethodWarning(
        "is Windows, which newer documents of some regions do not take any more",
        "try one first",
    ),
)

NORMAL_DATA = replace(
    NORMAL_SYSTEM,
    path="/v1/cloudimages/dataimages/action",
    kinds=frozenset({ImageType.DATA}),
    refused=frozenset({"license_type", "is_config", "min_ram", "max_ram"}),
    unsent=frozenset({"type"}),
    smallest_disk={"Linux": 40, "Windows": 40},
    largest_disk=2048,
    advised_disk={"Linux": 40, "Windows": 40},
)
