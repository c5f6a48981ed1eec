"""Which format a disk image has, how large the disk in it is, and whether it is all there: from a few bytes.

`inspected` asks for the bytes that it needs and gets them sent, so that it knows no file and no network.
Whatever it is sent, it ends, and never raises: a header that is cut short or makes no sense tells less.

Sources, by format:

- QCOW2, QCOW, QED: QEMU, docs/interop/qcow2.txt, docs/interop/qed_spec.rst, block/qcow.c.
- VMDK: VMware, "Virtual Disk Format 5.0"; for COWD and SESPARSE, QEMU, block/vmdk.c.
- VHD: Microsoft, "Virtual Hard Disk Image Format Specification" 1.0.
- VHDX: Microsoft, [MS-VHDX].
- VDI: VirtualBox, src/VBox/Storage/VDICore.h (version 1.1).
- ZVHD, ZVHD2: the vendor's own drivers for qemu-img, huaweicloud/ims-qemu-img, src/zvhd.c, src/zvhd2.c. They
  have the fields of a VHD footer in little endian, and the size in whole GB. ZVHD2 has it again at its end,
  without which the driver does not open the file.
- ISO: ECMA-119, section 8.
"""

import re
from collections.abc import Callable, Generator
from struct import Struct as Layout
from struct import unpack_from
from uuid import UUID

from migrator.domain.disk_header import ByteRange, DiskFormat, DiskHeader, Incomplete

Inspection = Generator[ByteRange, bytes, DiskHeader]
"""Yields the bytes that it needs next, is sent them, and returns what they tell."""

HEAD = 64 * 1024
"""Bytes that are read of every file."""

FOOTER = 512
_SECTOR = 512
_MIB = 2**20
_LARGEST_DISK = 2**60
"""Bytes: a larger disk is a header that makes no sense."""

_LONGEST_DESCRIPTOR = 64 * 1024

_SHOWABLE = re.compile(r"[\w .()+\-]{1,100}")
"""Names of other files that may be shown; an address might hold a password."""


def inspected(size: int, key: str = "") -> Inspection:
    """What a file of `size` bytes is, whose name ends as `key` does."""
    if size <= 0:
        return DiskHeader(format=DiskFormat.UNKNOWN)
    head = yield ByteRange(0, min(size, HEAD) - 1)
    for magic, read in _DISKS:
        if head.startswith(magic):
            return (yield from read(head, size))
    if head[0x40:0x44] == _VDI:
        return _vdi(head)
    found = _something_else(head) or _raw(head, size)
    if _may_end_in_footer(found, size, key):
        footer = yield ByteRange(None, FOOTER)
        if footer.startswith(b"conectix") and (fixed := _vhd(footer, at_end=True)) is not None:
            return fixed
    return found


def _may_end_in_footer(found: DiskHeader, size: int, key: str) -> bool:
    """Whether a file may be a fixed VHD: a disk as it is, and then a footer.

    Disks have whole MiB nearly always, so the others' last bytes need not be asked for.
    """
    if found.format not in (DiskFormat.RAW, DiskFormat.UNKNOWN) or size <= FOOTER:
        return False
    return key.lower().endswith(".vhd") or size % _MIB != 0


def _disk_size(size: int) -> int | None:
    return size if 0 < size <= _LARGEST_DISK else None


def _file_name(path: str) -> str:
    """The last part of a path, if it is a plain name."""
    name = re.split(r"[/\\]", path)[-1]
    return name if _SHOWABLE.fullmatch(name) else ""


def _text(data: bytes, offset: int, length: int) -> str:
    """Some text of a header; nothing where not all of it lies in what was read."""
    if offset + length > len(data):
        return ""
    return data[offset : offset + length].decode("utf-8", "replace")


# --- QEMU's ---------------------------------------------------------------------------------------------

_QCOW1 = Layout(">4xIQI4xQ4xI")
"""Version, backing file's offset and length, size, encryption."""

_QCOW2 = Layout(">4xIQIIQI24xI")
"""Version, backing file's offset and length, cluster bits, size, encryption, snapshots."""

_EXTERNAL_DATA = 1 << 2
"""Incompatible feature of QCOW2: another file has the data."""


def _qcow(head: bytes, size: int) -> Inspection:
    yield from ()
    if head[4:8] == b"\0\0\0\1":
        return _qcow1(head)
    if len(head) < _QCOW2.size:
        return DiskHeader(format=DiskFormat.QCOW2)
    version, offset, length, _, disk, crypt, snapshots = _QCOW2.unpack_from(head)
    features = unpack_from(">Q", head, 72)[0] if version >= 3 and len(head) >= 80 else 0
    backed = offset != 0
    elsewhere = bool(features & _EXTERNAL_DATA)
    return DiskHeader(
        format=DiskFormat.QCOW2,
        virtual_size=_disk_size(disk),
        incomplete=Incomplete.DELTA if backed else Incomplete.DATA_ELSEWHERE if elsewhere else None,
        needs=_file_name(_text(head, offset, length)) if backed else "",
        encrypted=crypt != 0,
        snapshots=snapshots,
    )


def _qcow1(head: bytes) -> DiskHeader:
    if len(head) < _QCOW1.size:
        return DiskHeader(format=DiskFormat.QCOW)
    _, offset, length, disk, crypt = _QCOW1.unpack_from(head)
    return DiskHeader(
        format=DiskFormat.QCOW,
        virtual_size=_disk_size(disk),
        incomplete=Incomplete.DELTA if offset else None,
        needs=_file_name(_text(head, offset, length)) if offset else "",
        encrypted=crypt != 0,
    )


_QED = Layout("<4x12xQ24xQII")
"""Features, size, backing file's offset and length."""

_QED_BACKED = 1


def _qed(head: bytes, size: int) -> Inspection:
    yield from ()
    if len(head) < _QED.size:
        return DiskHeader(format=DiskFormat.QED)
    features, disk, offset, length = _QED.unpack_from(head)
    backed = bool(features & _QED_BACKED)
    return DiskHeader(
        format=DiskFormat.QED,
        virtual_size=_disk_size(disk),
        incomplete=Incomplete.DELTA if backed else None,
        needs=_file_name(_text(head, offset, length)) if backed else "",
    )


# --- VMware's -------------------------------------------------------------------------------------------

_SPARSE = Layout("<4xIIQ8xQQ")
"""Version, flags, sectors of the disk, first sector of the descriptor and how many it has."""

_EXTENT = re.compile(
    rb'^[ \t]*(?:RW|RDONLY|NOACCESS)[ \t]+(\d{1,19})[ \t]+\w+(?:[ \t]+"([^"\r\n]*)")?', re.MULTILINE
)
_NO_PARENT = "ffffffff"


def _vmdk_sparse(head: bytes, size: int) -> Inspection:
    if len(head) < _SPARSE.size:
        return DiskHeader(format=DiskFormat.VMDK)
    _, _, sectors, at, count = _SPARSE.unpack_from(head)
    disk = _disk_size(sectors * _SECTOR)
    first, length = at * _SECTOR, min(count * _SECTOR, _LONGEST_DESCRIPTOR)
    text = head[first : first + length]
    if len(text) < length and len(head) <= first < size:
        text = yield ByteRange(first, min(first + length, size) - 1)
    if at == 0 or (len(text) == length and not text.strip(b"\0")):
        # Only the pieces of a disk that lies in several files have no descriptor, or room for one alone.
        return DiskHeader(
            format=DiskFormat.VMDK, kind="one extent", virtual_size=disk, incomplete=Incomplete.SPLIT
        )
    return _described(text, disk, alone=False)


def _vmdk_descriptor(head: bytes, size: int) -> Inspection:
    yield from ()
    return _described(head, None, alone=True)


def _described(text: bytes, disk: int | None, *, alone: bool) -> DiskHeader:
    """What a descriptor says, which lies in the disk's own file or, `alone`, in one of its own."""
    text = text.partition(b"\0")[0]
    kind, parent = _setting(text, b"createType"), _setting(text, b"parentCID").lower()
    extents = [
        (int(found[1]), (found[2] or b"").decode("utf-8", "replace")) for found in _EXTENT.finditer(text)
    ]
    if disk is None:
        disk = _disk_size(sum(sectors for sectors, _ in extents) * _SECTOR)
    incomplete, needs = None, ""
    if parent and parent != _NO_PARENT:
        incomplete, needs = Incomplete.DELTA, _setting(text, b"parentFileNameHint")
    elif alone:
        incomplete, needs = Incomplete.DESCRIPTOR, next((name for _, name in extents), "")
    elif len(extents) > 1 or kind.startswith("twoGb"):
        incomplete = Incomplete.SPLIT
    return DiskHeader(
        format=DiskFormat.VMDK,
        kind=kind,
        virtual_size=disk,
        incomplete=incomplete,
        needs=_file_name(needs),
    )


def _setting(text: bytes, name: bytes) -> str:
    """The value of one line `name=value` of a descriptor; nothing where it is none that may be shown."""
    found = re.search(
        rb'^[ \t]*%s[ \t]*=[ \t]*"?([^"\r\n]{0,1000})' % name, text, re.MULTILINE | re.IGNORECASE
    )
    value = found[1].decode("utf-8", "replace").strip() if found else ""
    return value if name == b"parentFileNameHint" or _SHOWABLE.fullmatch(value) else ""


def _vmdk_cowd(head: bytes, size: int) -> Inspection:
    yield from ()
    sectors = unpack_from("<I", head, 12)[0] if len(head) >= 16 else 0
    return _vmdk_delta("vmfsSparse", sectors)


def _vmdk_se(head: bytes, size: int) -> Inspection:
    yield from ()
    sectors = unpack_from("<Q", head, 16)[0] if len(head) >= 24 else 0
    return _vmdk_delta("seSparse", sectors)


def _vmdk_delta(kind: str, sectors: int) -> DiskHeader:
    """ESXi writes its snapshots in these two."""
    return DiskHeader(
        format=DiskFormat.VMDK,
        kind=kind,
        virtual_size=_disk_size(sectors * _SECTOR),
        incomplete=Incomplete.DELTA,
    )


# --- Microsoft's, and Huawei's after it -----------------------------------------------------------------

_VHD_KINDS = {2: "fixed", 3: "dynamic", 4: "differencing"}
_VHD_FOOTER = Layout(">48xQ4xI")
"""Size, kind of disk."""


def _vhd_copy(head: bytes, size: int) -> Inspection:
    yield from ()
    return _vhd(head, at_end=False) or DiskHeader(format=DiskFormat.VHD)


def _vhd(footer: bytes, *, at_end: bool) -> DiskHeader | None:
    """What a footer says, or its copy at the start of the file; None where it is none after all."""
    if len(footer) < _VHD_FOOTER.size:
        return None
    disk, number = _VHD_FOOTER.unpack_from(footer)
    if number not in _VHD_KINDS:
        return None
    delta = number == 4
    parent = ""
    # The header of a dynamic disk follows the footer's copy: "cxsparse", and at 64 the parent's name.
    if delta and not at_end and footer[512:520] == b"cxsparse":
        parent = footer[576:1088].decode("utf-16-be", "replace").partition("\0")[0]
    return DiskHeader(
        format=DiskFormat.VHD,
        kind=_VHD_KINDS[number],
        virtual_size=_disk_size(disk),
        incomplete=Incomplete.DELTA if delta else None,
        needs=_file_name(parent),
    )


def _zvhd(head: bytes, size: int) -> Inspection:
    yield from ()
    disk = unpack_from("<Q", head, 48)[0] if len(head) >= 56 else 0
    return DiskHeader(format=DiskFormat.ZVHD, virtual_size=_disk_size(disk))


_ZVHD2 = b"z2strm"
_ZVHD2_FOOTER = 4096


def _zvhd2(head: bytes, size: int) -> Inspection:
    disk = unpack_from("<Q", head, 48)[0] if len(head) >= 56 else 0
    cut = False
    if len(head) >= 88 and head[87]:  # version 0 has nothing at its end
        footer = yield ByteRange(None, _ZVHD2_FOOTER)
        # Whoever breaks off before the end leaves the first header alone, or one in front of the index.
        cut = size < 2 * _ZVHD2_FOOTER or not footer.startswith(_ZVHD2)
    return DiskHeader(
        format=DiskFormat.ZVHD2,
        virtual_size=_disk_size(disk),
        incomplete=Incomplete.CUT_SHORT if cut else None,
    )


_REGION_TABLES = (192 * 1024, 256 * 1024)
_TABLE = 4096
"""Bytes of a table that are read: 127 entries, of the two or three that there are."""

_METADATA_REGION = UUID("8B7CA206-4790-4B9A-B8FE-575F050F886E").bytes_le
_FILE_PARAMETERS = UUID("CAA16737-FA36-4D43-B3B6-33F0AA44E76B").bytes_le
_VIRTUAL_DISK_SIZE = UUID("2FA54224-CD1B-4876-B211-5DBED83BF4B8").bytes_le
_METADATA = 128 * 1024
"""Bytes of the metadata that are read: the table has 64 KiB, and its few items follow at once."""


def _vhdx(head: bytes, size: int) -> Inspection:
    nothing = DiskHeader(format=DiskFormat.VHDX)
    for at in _REGION_TABLES:
        if at + _TABLE > size:
            return nothing
        table = yield ByteRange(at, at + _TABLE - 1)
        if table[:4] == b"regi":
            break
    else:
        return nothing
    regions = _entries(table, count_at=8, first=16)
    offset = next((unpack_from("<Q", entry, 16)[0] for entry in regions if entry[:16] == _METADATA_REGION), 0)
    if not 0 < offset < size:
        return nothing
    metadata = yield ByteRange(offset, min(offset + _METADATA, size) - 1)
    return _vhdx_metadata(metadata)


def _vhdx_metadata(metadata: bytes) -> DiskHeader:
    items: dict[bytes, bytes] = {}
    if metadata[:8] == b"metadata":
        for entry in _entries(metadata, count_at=10, first=32):
            offset, length = unpack_from("<II", entry, 16)
            items[entry[:16]] = metadata[offset : offset + min(length, 8)]
    disk, parameters = items.get(_VIRTUAL_DISK_SIZE, b""), items.get(_FILE_PARAMETERS, b"")
    flags = parameters[4] if len(parameters) == 8 else None
    delta = flags is not None and bool(flags & 2)
    kind = "" if flags is None else "differencing" if delta else "fixed" if flags & 1 else "dynamic"
    return DiskHeader(
        format=DiskFormat.VHDX,
        kind=kind,
        virtual_size=_disk_size(unpack_from("<Q", disk)[0]) if len(disk) == 8 else None,
        incomplete=Incomplete.DELTA if delta else None,
    )


def _entries(table: bytes, *, count_at: int, first: int) -> list[bytes]:
    """The entries of a table of VHDX, as far as they were read: 32 bytes each, a GUID first."""
    count = unpack_from("<H", table, count_at)[0] if len(table) >= count_at + 2 else 0
    ends = range(first + 32, min(first + 32 * count, len(table)) + 1, 32)
    return [table[end - 32 : end] for end in ends]


# --- VirtualBox's ---------------------------------------------------------------------------------------

_VDI = b"\x7f\x10\xda\xbe"
_VDI_KINDS = {1: "dynamic", 2: "fixed", 3: "undo", 4: "differencing"}


def _vdi(head: bytes) -> DiskHeader:
    if len(head) < 376 or head[70:72] != b"\1\0":  # another version has another layout
        return DiskHeader(format=DiskFormat.VDI)
    number = unpack_from("<I", head, 76)[0]
    return DiskHeader(
        format=DiskFormat.VDI,
        kind=_VDI_KINDS.get(number, ""),
        virtual_size=_disk_size(unpack_from("<Q", head, 368)[0]),
        incomplete=Incomplete.DELTA if number in (3, 4) else None,
    )


# --- What is no disk image, and what is nothing but a disk ----------------------------------------------

_OTHERS = (
    (b"\x1f\x8b", "a gzip file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"BZh", "a bzip2 file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"\x04\x22\x4d\x18", "an lz4 file"),
    (b"PK\3\4", "a zip file"),
    (b"PK\5\6", "a zip file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z file"),
    (b"Rar!\x1a\x07", "a RAR file"),
    (b"MSWIM\0\0\0", "a WIM file"),
    (b"\x7fELF", "a program (ELF)"),
    (b"%PDF-", "a PDF file"),
    (b"<?xml", "an XML file"),
    (b"<!DOCTYPE", "a web page"),
    (b"<html", "a web page"),
)
"""How files begin that people upload in place of a disk, and what they are."""


def _something_else(head: bytes) -> DiskHeader | None:
    if head[257:262] == b"ustar":
        # An OVA is a tar whose first member is the OVF file.
        ova = head[:100].rstrip(b"\0").lower().endswith(b".ovf")
        return DiskHeader(format=DiskFormat.OTHER, kind="an OVA archive" if ova else "a tar archive")
    for magic, kind in _OTHERS:
        if head.startswith(magic):
            return DiskHeader(format=DiskFormat.OTHER, kind=kind)
    if head.startswith(b"LUKS\xba\xbe"):
        return DiskHeader(format=DiskFormat.RAW, kind="LUKS", encrypted=True)
    if head[0x8001:0x8006] == b"CD001":  # before RAW: installers are made to boot from USB sticks too
        return DiskHeader(format=DiskFormat.ISO)
    return None


def _raw(head: bytes, size: int) -> DiskHeader:
    """A disk without anything around it, if it begins as one does."""
    if b"EFI PART" in (head[512:520], head[4096:4104]):
        kind = "GPT"
    elif head[510:512] == b"\x55\xaa":
        kind = "boot sector"
    elif head[1080:1082] == b"\x53\xef" or head.startswith(b"XFSB") or head[512:520] == b"LABELONE":
        kind = "no partitions"
    else:
        return DiskHeader(format=DiskFormat.UNKNOWN)
    return DiskHeader(format=DiskFormat.RAW, kind=kind, virtual_size=_disk_size(size))


_DISKS: tuple[tuple[bytes, Callable[[bytes, int], Inspection]], ...] = (
    (b"QFI\xfb", _qcow),
    (b"QED\0", _qed),
    (b"KDMV", _vmdk_sparse),
    (b"COWD", _vmdk_cowd),
    (b"\xbe\xba\xfe\xca\0\0\0\0", _vmdk_se),
    (b"# Disk DescriptorFile", _vmdk_descriptor),
    (b"conectix", _vhd_copy),
    (b"vhdxfile", _vhdx),
    (_ZVHD2, _zvhd2),
    (b"stream\0", _zvhd),
)
"""How files of disks begin, and who reads them."""
