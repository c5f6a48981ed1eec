"""What the first bytes of a disk image tell of it, as values. Who reads them: `disk_inspection`."""

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class ByteRange(NamedTuple):
    """Bytes of a file, as the header Range of HTTP counts them (RFC 9110, section 14.1.2)."""

    first: int | None
    """Of the first byte; None: the last `last` bytes of the file."""

    last: int
    """Of the last byte, which belongs to the range."""


class DiskFormat(StrEnum):
    """How a disk lies in a file."""

    QCOW2 = "QCOW2"
    QCOW = "QCOW"
    """Version 1, whose files begin like those of QCOW2."""

    VMDK = "VMDK"
    VHD = "VHD"
    VHDX = "VHDX"
    VDI = "VDI"
    QED = "QED"
    ZVHD = "ZVHD"
    ZVHD2 = "ZVHD2"
    RAW = "RAW"
    """Nothing but the disk: it begins as disks do."""

    ISO = "ISO"
    OTHER = "other"
    """Something that is no disk; `DiskHeader.kind` says what."""

    UNKNOWN = "unknown"
    """Nothing was recognised. It may be a disk in RAW whose first sector is empty."""


class Incomplete(StrEnum):
    """Why a file is not a whole disk by itself."""

    DELTA = "delta"
    """It has what changed since another file was left alone: a snapshot, a linked clone, an overlay."""

    DESCRIPTOR = "descriptor"
    """It is a text that names the files in which the disk lies."""

    SPLIT = "split"
    """It is one piece of several, or names several."""

    DATA_ELSEWHERE = "data elsewhere"
    """It has the tables, and another file has the data."""

    CUT_SHORT = "cut short"
    """What comes last in every such file is missing."""


class DiskHeader(Struct, frozen=True, kw_only=True):
    """What is known of a file from a few of its bytes."""

    format: DiskFormat
    kind: str = ""
    """Of its format ("streamOptimized"), or what it is where that is no disk ("a gzip file")."""

    virtual_size: int | None = None
    """Bytes of the disk inside; None where the header does not tell, or tells nonsense."""

    incomplete: Incomplete | None = None
    needs: str = ""
    """Name of the file that it is incomplete without; empty where there is none that may be shown."""

    encrypted: bool = False
    snapshots: int = 0
    """Kept inside the file (QCOW2)."""

    @property
    def name(self) -> str:
        """What it is, in a sentence: "QCOW2", "VMDK (streamOptimized)", "a gzip file"."""
        if self.format in (DiskFormat.OTHER, DiskFormat.UNKNOWN):
            return self.kind or self.format.value
        return f"{self.format.value} ({self.kind})" if self.kind else self.format.value
