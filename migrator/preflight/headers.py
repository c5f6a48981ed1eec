"""What lies inside the files, held against their names and against the plan.

The image service opens a file by its format, and makes of it a disk of min_disk GB. So the name has to tell
the format, the disk inside has to fit, and all of it has to lie in that one file (Open Telekom
Cloud, IMS user guide, "Constraints"; the formats' own documents are named in
`migrator.domain.disk_inspection`).
"""

from collections.abc import Iterator

from migrator.domain.disk_header import DiskFormat, DiskHeader, Incomplete
from migrator.domain.image import Image, ImageType
from migrator.preflight.facts import TargetFacts, Unknown
from migrator.preflight.files import GB, gigabytes, way_in
from migrator.preflight.finding import Finding, Item, grouped

FORMATS_BY_EXTENSION: dict[str, frozenset[DiskFormat]] = {
    ".qcow2": frozenset({DiskFormat.QCOW2}),
    ".qcow": frozenset({DiskFormat.QCOW, DiskFormat.QCOW2}),  # many write the second so
    ".vmdk": frozenset({DiskFormat.VMDK}),
    ".vhd": frozenset({DiskFormat.VHD}),
    ".vhdx": frozenset({DiskFormat.VHDX}),
    ".vdi": frozenset({DiskFormat.VDI}),
    ".qed": frozenset({DiskFormat.QED}),
    ".raw": frozenset({DiskFormat.RAW}),
    ".zvhd": frozenset({DiskFormat.ZVHD}),
    ".zvhd2": frozenset({DiskFormat.ZVHD2}),
}
"""What a file is, to judge by its name. ".img" says nothing."""

_CYLINDER = 16 * 255 * 512
"""Bytes of the largest cylinder of a VHD (Microsoft's specification, "CHS Calculation")."""


def header_findings(facts: TargetFacts) -> Iterator[Finding]:
    """The findings about the insides of one target's files."""
    images = facts.to_import
    yield from grouped(facts.target.name, (pair for image in images for pair in _header(image, facts)))
    looked_into = {image.source for image in images if image.source in facts.headers}
    if facts.unread_headers:
        count = len(looked_into)
        yield Finding(
            code="PF099", target=facts.target.name, says=f"{count} of {count + facts.unread_headers} files"
        )


def _header(image: Image, facts: TargetFacts) -> Iterator[tuple[str, Item]]:
    match facts.headers.get(image.source):
        case Unknown(fault=fault):
            yield "PF098", Item(key=image.key, says=f"{image.image_url}: {fault.message}")
        case DiskHeader() as header:
            yield from _size(image, header, way_in(image, facts).largest_disk)
            yield from _name(image, header)
            yield from _whole(image, header)
            if header.encrypted and not _part_of_a_data_disk(image, header):
                yield "PF085", Item(key=image.key, says=f"{image.image_url} ({header.name})")


def _size(image: Image, header: DiskHeader, largest: int) -> Iterator[tuple[str, Item]]:
    """The disk inside has to fit into min_disk. RAW is as large as its file, about which others speak."""
    disk = header.virtual_size
    if disk is None or header.format is DiskFormat.RAW or disk <= image.min_disk * GB:
        return
    needed = -(-disk // GB)
    says = f"min_disk {image.min_disk}, the disk inside has {gigabytes(disk)}"
    beyond = disk - image.min_disk * GB
    if header.format is DiskFormat.VHD and beyond < _CYLINDER:
        says = f"min_disk {image.min_disk}, the disk inside has {beyond:,} bytes more: {needed} is safe"
        yield "PF081", Item(key=image.key, says=says)
    elif needed > largest:
        yield "PF082", Item(key=image.key, says=says)
    else:
        yield "PF080", Item(key=image.key, says=f"{says}: make it {needed} or more")


def _name(image: Image, header: DiskHeader) -> Iterator[tuple[str, Item]]:
    named = FORMATS_BY_EXTENSION.get(image.source.extension.lower())
    if named is None or header.format is DiskFormat.UNKNOWN or header.format in named:
        return
    if DiskFormat.RAW in named and _part_of_a_data_disk(image, header):
        return
    yield "PF083", Item(key=image.key, says=f"{image.image_url} is {header.name}")


def _part_of_a_data_disk(image: Image, header: DiskHeader) -> bool:
    """Whether what was found may as well be what somebody wrote to a data disk, from its first byte on."""
    plain = header.format in (DiskFormat.RAW, DiskFormat.ISO, DiskFormat.OTHER)
    return plain and image.type is ImageType.DATA


def _whole(image: Image, header: DiskHeader) -> Iterator[tuple[str, Item]]:
    url, other = image.image_url, header.needs or "another file"
    match header.incomplete:
        case None:
            return
        case Incomplete.DELTA:
            says = f"{url} has only what changed since {other} was left alone"
        case Incomplete.DESCRIPTOR:
            says = f"{url} is a text; the disk lies in {other}"
        case Incomplete.SPLIT:
            says = f"{url} is one of several files that make the disk"
        case Incomplete.DATA_ELSEWHERE:
            says = f"{url} has only tables; the data lies in {other}"
        case Incomplete.CUT_SHORT:
            yield "PF086", Item(key=image.key, says=f"{url} ({header.name})")
            return
    yield "PF084", Item(key=image.key, says=says)
