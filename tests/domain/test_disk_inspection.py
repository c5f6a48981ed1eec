"""What a few bytes tell of a disk image; qemu-img made the files, and says itself what they are."""

from struct import pack

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from migrator.domain.disk_header import ByteRange, DiskFormat, DiskHeader, Incomplete
from migrator.domain.disk_inspection import HEAD, inspected
from tests.disk_files import CASE_NAMES, SparseFile, a_case

GB = 2**30
MIB = 2**20

QEMU_NAMES = {"vpc": DiskFormat.VHD}
"""What qemu-img calls otherwise than the rest of the world."""


@pytest.mark.parametrize("name", CASE_NAMES)
def test_format_and_size_are_those_that_qemu_img_tells_of_its_own_files(name):
    file, qemu = a_case(name)

    found = file.header()

    if not qemu:  # it does not open one piece of a split disk alone
        assert (name, found.format) == ("vmdk-split-piece", DiskFormat.VMDK)
        return
    expected = QEMU_NAMES.get(qemu["format"], qemu["format"].upper())
    assert (found.format, found.virtual_size) == (expected, qemu["virtual-size"])


WHOLE = {
    "qcow": "QCOW",
    "qcow2": "QCOW2",
    "qcow2-encrypted": "QCOW2",
    "qcow2-snapshot": "QCOW2",
    "qcow2-v2": "QCOW2",
    "qed": "QED",
    "vdi-dynamic": "VDI (dynamic)",
    "vdi-fixed": "VDI (fixed)",
    "vhd-dynamic": "VHD (dynamic)",
    "vhd-fixed": "VHD (fixed)",
    "vhdx-dynamic": "VHDX (dynamic)",
    "vhdx-fixed": "VHDX (fixed)",
    "vmdk": "VMDK (monolithicSparse)",
    "vmdk-stream": "VMDK (streamOptimized)",
}
PARTIAL = {
    "qcow2-data-file": (Incomplete.DATA_ELSEWHERE, ""),
    "qcow2-delta": (Incomplete.DELTA, "a.qcow2"),
    "qed-delta": (Incomplete.DELTA, "a.qed"),
    "vmdk-delta": (Incomplete.DELTA, "a.vmdk"),
    "vmdk-flat-descriptor": (Incomplete.DESCRIPTOR, "flat-flat.vmdk"),
    "vmdk-split-descriptor": (Incomplete.DESCRIPTOR, "split-s001.vmdk"),
    "vmdk-split-piece": (Incomplete.SPLIT, ""),
}


def test_every_file_is_either_a_whole_disk_or_says_what_it_lacks():
    found = {name: a_case(name)[0].header() for name in CASE_NAMES}

    assert {name: one.name for name, one in found.items() if one.incomplete is None} == WHOLE
    assert {name: (one.incomplete, one.needs) for name, one in found.items() if one.incomplete} == PARTIAL


def test_encryption_and_snapshots_are_seen_where_there_are_some():
    found = {name: a_case(name)[0].header() for name in CASE_NAMES}

    assert [name for name, one in found.items() if one.encrypted] == ["qcow2-encrypted"]
    assert {name: one.snapshots for name, one in found.items() if one.snapshots} == {"qcow2-snapshot": 1}


def test_one_request_is_enough_for_most_files_and_three_for_all():
    asked = {}
    for name in CASE_NAMES:
        file, _ = a_case(name)
        file.header()
        asked[name] = len(file.asked)

    assert {name: count for name, count in asked.items() if count > 1} == {
        "vhd-fixed": 2,
        "vhdx-dynamic": 3,
        "vhdx-fixed": 3,
    }


# --- What qemu-img cannot make, by the formats' own documents -------------------------------------------


def a_vhd_footer(kind: int, size: int = 60 * GB) -> bytes:
    return pack(">8s40xQ4xI", b"conectix", size, kind).ljust(512, b"\0")


def a_vhd_delta(parent: str) -> bytes:
    """The copy of the footer, and the header of a dynamic disk after it."""
    return a_vhd_footer(4) + (b"cxsparse".ljust(64, b"\0") + parent.encode("utf-16-be")).ljust(1024, b"\0")


def a_vdi(kind: int, size: int = 60 * GB, version: bytes = b"\1\0\1\0") -> bytes:
    head = b"<<< Oracle VM VirtualBox Disk Image >>>".ljust(64, b" ") + b"\x7f\x10\xda\xbe" + version
    return pack("<72sII288xQ", head, 400, kind, size).ljust(512, b"\0")


def a_zvhd(cookie: bytes, size: int = 60 * GB) -> bytes:
    return pack("<8s40xQ", cookie, size).ljust(4096, b"\0")


def a_sparse_vmdk(descriptor: str, at: int = 1) -> dict[int, bytes]:
    head = pack("<4sIIQQQQ", b"KDMV", 1, 3, 60 * GB // 512, 128, at, 20)
    return {0: head, at * 512: descriptor.encode()}


def header(pieces: dict[int, bytes] | bytes, size: int = 5 * GB, name: str = "") -> DiskHeader:
    if isinstance(pieces, bytes):
        pieces = {0: pieces}
    return SparseFile(size=size, pieces=pieces, name=name).header()


VMDK, VHD, VDI = DiskFormat.VMDK, DiskFormat.VHD, DiskFormat.VDI
DELTA = Incomplete.DELTA


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(
            header(a_vhd_delta(".\\base disk.vhd")),
            DiskHeader(
                format=VHD,
                kind="differencing",
                virtual_size=60 * GB,
                incomplete=DELTA,
                needs="base disk.vhd",
            ),
            id="VHD, differencing",
        ),
        pytest.param(
            header(a_vdi(4)),
            DiskHeader(format=VDI, kind="differencing", virtual_size=60 * GB, incomplete=DELTA),
            id="VDI, differencing",
        ),
        pytest.param(
            header(a_vdi(1, version=b"\0\0\2\0")), DiskHeader(format=VDI), id="VDI of another layout"
        ),
        pytest.param(
            header(a_zvhd(b"z2strm")), DiskHeader(format=DiskFormat.ZVHD2, virtual_size=60 * GB), id="ZVHD2"
        ),
        pytest.param(
            header(a_zvhd(b"stream")), DiskHeader(format=DiskFormat.ZVHD, virtual_size=60 * GB), id="ZVHD"
        ),
        pytest.param(
            header(pack("<4sIII", b"COWD", 1, 3, 60 * GB // 512)),
            DiskHeader(format=VMDK, kind="vmfsSparse", virtual_size=60 * GB, incomplete=DELTA),
            id="ESXi's snapshot",
        ),
        pytest.param(
            header(pack("<QQQ", 0xCAFEBABE, 0x200000001, 60 * GB // 512)),
            DiskHeader(format=VMDK, kind="seSparse", virtual_size=60 * GB, incomplete=DELTA),
            id="ESXi's snapshot, newer",
        ),
        pytest.param(
            header(pack("<4sIIQQQQ", b"KDMV", 1, 3, 60 * GB // 512, 128, 0, 0)),
            DiskHeader(format=VMDK, kind="one extent", virtual_size=60 * GB, incomplete=Incomplete.SPLIT),
            id="VMDK without room for a descriptor",
        ),
        pytest.param(
            header(a_sparse_vmdk('createType="monolithicSparse"\nparentCID=ffffffff\n', at=HEAD)),
            DiskHeader(format=VMDK, kind="monolithicSparse", virtual_size=60 * GB),
            id="VMDK whose descriptor lies far behind",
        ),
        pytest.param(
            header(b"LUKS\xba\xbe\0\1"),
            DiskHeader(format=DiskFormat.RAW, kind="LUKS", encrypted=True),
            id="LUKS",
        ),
    ],
)
def test_what_the_formats_documents_say_is_read(found, expected):
    assert found == expected


PIECES = 'createType="%s"\nRW 2048 SPARSE "a-s001.vmdk"\nRW 2048 SPARSE "a-s002.vmdk"\n'


@pytest.mark.parametrize(
    ("descriptor", "incomplete"),
    [
        pytest.param(PIECES % "custom", Incomplete.SPLIT, id="two extents"),
        pytest.param('createType="twoGbMaxExtentSparse"\n', Incomplete.SPLIT, id="a kind that has several"),
        pytest.param('createType="monolithicSparse"\nRW 2048 SPARSE "a.vmdk"\n', None, id="one extent"),
        pytest.param(
            'createType="monolithicSparse"\n\0\nparentCID=12345678\n', None, id="what follows the end"
        ),
        pytest.param('CID=1\nPARENTCID = "12345678"\n', DELTA, id="spelled in another way"),
    ],
)
def test_the_descriptor_in_a_vmdk_tells_whether_more_files_belong_to_it(descriptor, incomplete):
    assert header(a_sparse_vmdk(descriptor)).incomplete is incomplete


def test_a_vhdx_that_has_a_parent_is_a_delta():
    file, _ = a_case("vhdx-dynamic")
    parameters = 3 * MIB + 64 * 1024
    file.pieces[parameters + 4] = b"\2"

    found = file.header()

    assert (found.kind, found.incomplete) == ("differencing", DELTA)


def a_zvhd2(size: int, *, version: int = 1, at: int | None = None) -> SparseFile:
    """A ZVHD2 file; its second footer stands at the end, or `at`."""
    footer = bytearray(a_zvhd(b"z2strm"))
    footer[87] = version
    last = size - 4096 if at is None else at
    return SparseFile(size=size, pieces={0: bytes(footer), last: bytes(footer)}, name="a.zvhd2")


@pytest.mark.parametrize(
    ("file", "incomplete"),
    [
        pytest.param(a_zvhd2(GB), None, id="complete"),
        pytest.param(a_zvhd2(GB, at=GB - 8192), Incomplete.CUT_SHORT, id="cut in its index"),
        pytest.param(a_zvhd2(GB, at=0), Incomplete.CUT_SHORT, id="without an end"),
        pytest.param(a_zvhd2(4096), Incomplete.CUT_SHORT, id="created, and never written"),
        pytest.param(a_zvhd2(GB, at=0, version=0), None, id="of the version that has no end"),
    ],
)
def test_a_zvhd2_has_its_header_again_at_its_end(file, incomplete):
    found = file.header()

    assert (found.format, found.virtual_size) == (DiskFormat.ZVHD2, 60 * GB)
    assert found.incomplete is incomplete


@pytest.mark.parametrize("at_end", [False, True], ids=["at the start", "at the end"])
def test_a_footer_of_a_kind_that_there_is_not_tells_nothing(at_end):
    pieces = {510: b"\x55\xaa", GB: a_vhd_footer(7)} if at_end else {0: a_vhd_footer(7)}

    found = header(pieces, size=GB + 512)

    assert found.name == ("RAW (boot sector)" if at_end else "VHD")
    assert found.virtual_size == (GB + 512 if at_end else None)


METADATA_REGION = bytes.fromhex("06a27c8b90479a4bb8fe575f050f886e")


def a_region_table(offset: int, count: int = 1) -> bytes:
    return pack("<4s4xI4x16sQII", b"regi", count, METADATA_REGION, offset, MIB, 1)


def test_metadata_beyond_the_end_of_a_vhdx_is_not_asked_for():
    size = 8 * MIB
    for offset in (size, size + 1, 2**64 - 1):
        file = SparseFile(size=size, pieces={0: b"vhdxfile", 192 * 1024: a_region_table(offset)})

        assert file.header() == DiskHeader(format=DiskFormat.VHDX)
        assert len(file.asked) == 2


def test_luks_inside_qcow2_counts_as_encrypted_like_the_older_way():
    file, _ = a_case("qcow2")
    file.pieces[32] = pack(">I", 2)

    assert file.header().encrypted


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        pytest.param({0: b"\x1f\x8b\x08"}, "a gzip file", id="gzip"),
        pytest.param({0: b"\xfd7zXZ\0"}, "an xz file", id="xz"),
        pytest.param({0: b"PK\3\4"}, "a zip file", id="zip"),
        pytest.param({0: b"web-01.ovf", 257: b"ustar\0"}, "an OVA archive", id="OVA"),
        pytest.param({0: b"notes.txt", 257: b"ustar  "}, "a tar archive", id="tar"),
        pytest.param({0: b"\x7fELF\2"}, "a program (ELF)", id="ELF"),
        pytest.param({0: b"<?xml version"}, "an XML file", id="an error of the storage, stored"),
        pytest.param({0x8001: b"CD001"}, "ISO", id="ISO"),
        pytest.param({0x8001: b"CD001", 510: b"\x55\xaa"}, "ISO", id="ISO that boots from a stick"),
        pytest.param({510: b"\x55\xaa"}, "RAW (boot sector)", id="a disk with partitions"),
        pytest.param({510: b"\x55\xaa", 512: b"EFI PART"}, "RAW (GPT)", id="a disk with GPT"),
        pytest.param({4096: b"EFI PART"}, "RAW (GPT)", id="a disk of 4 KiB sectors"),
        pytest.param({1080: b"\x53\xef"}, "RAW (no partitions)", id="ext4 on the whole disk"),
        pytest.param({}, "unknown", id="zeros"),
        pytest.param({0: b"hello"}, "unknown", id="a text"),
    ],
)
def test_other_files_are_called_by_what_they_are(beginning, name):
    assert header(beginning).name == name


def test_only_a_raw_disk_has_the_size_of_its_file():
    assert header({510: b"\x55\xaa"}, size=5 * GB).virtual_size == 5 * GB
    assert header({}, size=5 * GB).virtual_size is None


# --- Which bytes are asked for --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "name", "asked"),
    [
        pytest.param(40 * GB, "a.raw", False, id="a disk of whole MiB"),
        pytest.param(40 * GB + 512, "a.raw", True, id="one with something behind it"),
        pytest.param(40 * GB, "a.VHD", True, id="one that calls itself VHD"),
        pytest.param(512, "a.vhd", False, id="too short for a footer"),
    ],
)
def test_the_end_is_asked_for_only_where_a_footer_may_be(size, name, asked):
    file = SparseFile(size=size, pieces={510: b"\x55\xaa"}, name=name)

    file.header()

    assert (ByteRange(None, 512) in file.asked) is asked


def test_a_footer_makes_a_fixed_vhd_of_what_begins_like_a_disk():
    disk = 40 * GB
    found = header({510: b"\x55\xaa", disk: a_vhd_footer(2, disk)}, size=disk + 512, name="a.vhd")

    assert (found.name, found.virtual_size, found.incomplete) == ("VHD (fixed)", disk, None)


def test_the_second_region_table_stands_in_for_the_first():
    file, qemu = a_case("vhdx-dynamic")
    file.pieces = {
        offset: piece for offset, piece in file.pieces.items() if not 192 * 1024 <= offset < 196 * 1024
    }

    found = file.header()

    assert found.virtual_size == qemu["virtual-size"]
    assert [wanted.first for wanted in file.asked[1:3]] == [192 * 1024, 256 * 1024]


# --- Whatever somebody uploads --------------------------------------------------------------------------


def test_a_file_that_was_cut_short_keeps_its_format_and_loses_the_rest():
    for name in CASE_NAMES:
        file, _ = a_case(name)
        whole = file.header()
        for size in (12, 64, 72, 76, 400, 8192):
            cut = SparseFile(size=min(size, file.size), pieces=file.pieces, name=file.name).header()
            # A VDI shows itself at 64 only, and a fixed VHD at its very end.
            assert cut.format in (whole.format, DiskFormat.UNKNOWN)
            assert cut.virtual_size in (whole.virtual_size, None) or name.startswith("vmdk-split")


def test_an_empty_file_is_asked_nothing():
    file = SparseFile(size=0)

    assert file.header() == DiskHeader(format=DiskFormat.UNKNOWN)
    assert file.asked == []


@pytest.mark.parametrize("size", [0, 2**63, 2**64 - 512], ids=["none", "8 EiB", "all ones"])
def test_a_size_that_makes_no_sense_is_none(size):
    assert header(a_vhd_footer(3, size)).virtual_size is None
    assert header(a_vdi(1, size)).virtual_size is None
    assert header(a_zvhd(b"z2strm", size)).virtual_size is None


@pytest.mark.parametrize(
    "path",
    [
        "json:{'file.password-secret': 'x'}",
        "https://user:sec/ret@host",
        "https://host/base?token=secret",
        "a\x1b[2Jb.qcow2",
        "a\u202ab.vmdk",
        "x" * 200,
    ],
)
def test_names_of_other_files_are_shown_only_where_they_are_plain_names(path):
    file, _ = a_case("qcow2-delta")
    name = path.encode()
    file.pieces = {0: file.read(ByteRange(0, 1023)), 1024: name}
    file.pieces[8] = pack(">QI", 1024, len(name))

    found = file.header()

    assert (found.incomplete, found.needs) == (DELTA, "")


def test_half_a_name_is_not_shown():
    file, _ = a_case("qcow2-delta")
    file = SparseFile(
        size=HEAD * 4, pieces={**file.pieces, 8: pack(">QI", HEAD - 4, 10), HEAD - 4: b"base.qcow2"}
    )

    assert (file.header().incomplete, file.header().needs) == (DELTA, "")


def test_a_folder_is_no_part_of_the_name_of_another_file():
    found = header(a_vhd_delta("C:\\Users\\somebody\\base.vhd"))

    assert found.needs == "base.vhd"


MAGICS = [
    *(b"QFI\xfb\0\0\0\1", b"QFI\xfb\0\0\0\3", b"QED\0", b"KDMV", b"COWD", b"\xbe\xba\xfe\xca\0\0\0\0"),
    *(b"# Disk DescriptorFile\n", b"conectix", b"vhdxfile", b"z2strm".ljust(90, b"\1"), b"stream\0", b""),
]


@given(
    st.sampled_from(MAGICS),
    st.binary(max_size=1200),
    st.integers(min_value=0, max_value=2**63),
    st.lists(st.binary(max_size=300), max_size=4),
)
@example(b"vhdxfile", b"", 10 * MIB, [b"regi" + b"\xff" * 300])
@example(b"z2strm", b"", 6, [])
@example(b"vhdxfile", b"", 10 * MIB, [b"regi\0\0\0\0\xff\xff".ljust(16, b"\0") + METADATA_REGION])
@example(b"", b"\0" * 64 + b"\x7f\x10\xda\xbe\0\0\1\0" + b"\xff" * 400, 10**6, [])
def test_nothing_that_a_file_holds_makes_it_fail_or_ask_beyond_the_file(magic, rest, size, answers):
    """Answers are as long as they like: a file may change while it is read."""
    inspection = inspected(size, "a.vhd")
    sent = iter([magic + rest, *answers])
    asked = []
    try:
        wanted = next(inspection)
        while True:
            asked.append(wanted)
            wanted = inspection.send(next(sent, b""))
    except StopIteration as end:
        found = end.value

    assert isinstance(found, DiskHeader)
    assert len(asked) <= 4
    for first, last in asked:
        assert first is None or 0 <= first <= last < size
        assert last - (first or 0) < 2 * HEAD


@given(st.sampled_from(CASE_NAMES), st.data())
def test_a_header_with_any_bytes_changed_is_read_to_the_end(name, data):
    file, _ = a_case(name)
    at = data.draw(st.integers(min_value=0, max_value=min(file.size, 4096) - 1))
    file.pieces[at] = data.draw(st.binary(min_size=1, max_size=16))

    size = file.header().virtual_size
    assert size is None or size > 0
