"""Names of files that no import takes, whichever way it goes: what such a file is, and what to do instead.

Names are given by those who write the files: VMware, "Virtual Disk Format 5.0" and the vSphere manual,
"Virtual Machine Files"; Microsoft, "Hyper-V checkpoints"; DMTF, DSP0243 (OVF). What the service refuses: Open
Telekom Cloud, IMS user guide, "Constraints" (no snapshots, nothing split, no -flat.vmdk alone; an ISO is an
installer).
"""

import re

from migrator.ims.methods.import_method import MethodWarning

_VMDK_TO_ONE_FILE = (
    "export the machine (its .vmdk is one file then), or run `qemu-img convert -O qcow2` on the .vmdk "
    "without {suffix}, with all of its files beside it, and upload the result"
)
_CONSOLIDATE = (
    "delete or consolidate the machine's snapshots and export it again, or run `qemu-img convert -O qcow2` "
    "on this file, with all of its parents beside it, and upload the result"
)
_OTHERWISE = "a whole disk that is only called so needs another name"

_ROWS = (
    (
        r".*-flat\.vmdk",
        "is the bare data of a VMware disk, which only its descriptor (the .vmdk without -flat) explains",
        _VMDK_TO_ONE_FILE.format(suffix="-flat"),
    ),
    (
        r".*-\d{6}\.vmdk",
        "has the name of a snapshot: only what changed since it was taken, and no whole disk",
        f"{_CONSOLIDATE}; {_OTHERWISE}",
    ),
    (
        r".*-(?:delta|sesparse)\.vmdk",
        "is the data of a snapshot: only what changed since it was taken, and no whole disk",
        _CONSOLIDATE,
    ),
    (
        r".*-[sf]\d{3}\.vmdk",
        "has the name of one piece of a disk that is split into several files",
        f"{_VMDK_TO_ONE_FILE.format(suffix='its number')}; {_OTHERWISE}",
    ),
    (
        r".*-rdmp?\.vmdk",
        "points to a raw device (RDM); the disk is not in it",
        "copy the device itself (`qemu-img convert -f raw -O qcow2 /dev/DEVICE NEW`), and upload the result",
    ),
    (
        r".*-ctk\.vmdk",
        "lists which blocks of a disk have changed (CTK), for backups; the disk is not in it",
        "name the .vmdk without -ctk",
    ),
    (
        r".*\.avhdx?",
        "is a Hyper-V checkpoint: only what changed since it was taken, and no whole disk",
        "delete the machine's checkpoints, wait until they are merged, and upload the .vhd or .vhdx",
    ),
    (
        r".*\.ova",
        "is an archive of a whole machine, whose disks lie inside it",
        "unpack it (`tar -xf FILE`), and upload each .vmdk in it as an image of its own",
    ),
    (
        r".*\.ovf",
        "describes a machine; its disks lie in the files that it names",
        "upload each .vmdk that it names as an image of its own",
    ),
    (
        r".*\.iso",
        "is an installation disc, and no system disk: a server made of it would not start",
        "install a machine from it and import that machine's disk, or register the ISO in the IMS console",
    ),
    (
        r".*\.(?:gz|tgz|xz|bz2|zst|lz4|zip|7z|rar|tar)",
        "is packed, and the service does not unpack files",
        "unpack it, and upload the disk that is in it",
    ),
)
"""What the name of a file ends in, in any case; what it is; what to do. The first row that fits counts."""

_REFUSED = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL | re.ASCII), MethodWarning(reason, remedy))
    for pattern, reason, remedy in _ROWS
)


def refused_name(key: str) -> MethodWarning | None:
    """Why no import takes a file of this key, and what to do; None where its name says nothing against it."""
    name = key.rpartition("/")[2]
    return next((warning for pattern, warning in _REFUSED if pattern.fullmatch(name)), None)
