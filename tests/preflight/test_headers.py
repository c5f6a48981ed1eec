"""What lies inside the files, held against their names and against the plan."""

import pytest

from migrator.domain.cloud import ObjectInfo
from migrator.domain.disk_header import DiskFormat, DiskHeader, Incomplete
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.preflight import Finding
from migrator.preflight.headers import FORMATS_BY_EXTENSION
from tests.preflight.test_findings_table import GB, a_disk, an_image, facts, lost, of

CODES = ("PF080", "PF081", "PF082", "PF083", "PF084", "PF085", "PF086", "PF098", "PF099")


def a_header(format_: DiskFormat = DiskFormat.ZVHD2, **more: object) -> DiskHeader:
    return DiskHeader(format=format_, **more)  # type: ignore[arg-type]


def found_in(image: Image, header: object) -> dict[str, Finding]:
    """The findings about the inside of the file of an image."""
    every = of(facts(image, headers={image.source: header}))
    return {code: one for code, one in every.items() if code in CODES}


def says(image: Image, header: object) -> dict[str, str]:
    return {code: one.items[0].says for code, one in found_in(image, header).items()}


def named(extension: str, **more: object) -> Image:
    return an_image("web", source=ObjectRef("disks", f"web{extension}"), **more)


# --- The disk inside ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("min_disk", "size", "expected"),
    [
        pytest.param(60, 60 * GB, {}, id="as large as it"),
        pytest.param(61, 60 * GB, {}, id="smaller"),
        pytest.param(
            40,
            60 * GB,
            {"PF080": "min_disk 40, the disk inside has 60 GB: make it 60 or more"},
            id="larger",
        ),
        pytest.param(
            60,
            60 * GB + 512,
            {"PF080": "min_disk 60, the disk inside has 60.0 GB: make it 61 or more"},
            id="larger by a sector",
        ),
        pytest.param(
            40,
            1024 * GB,
            {"PF080": "min_disk 40, the disk inside has 1024 GB: make it 1024 or more"},
            id="most",
        ),
        pytest.param(
            1024, 1024 * GB + 512, {"PF082": "min_disk 1024, the disk inside has 1024.0 GB"}, id="too large"
        ),
        pytest.param(40, None, {}, id="unknown"),
    ],
)
def test_the_disk_inside_fits_into_min_disk(min_disk, size, expected):
    assert says(an_image(min_disk=min_disk), a_header(virtual_size=size)) == expected


@pytest.mark.parametrize(
    ("beyond", "code"),
    [
        pytest.param(1_105_920, "PF081", id="what qemu-img makes of 60 GB"),
        pytest.param(16 * 255 * 512 - 1, "PF081", id="less than a cylinder"),
        pytest.param(16 * 255 * 512, "PF080", id="a cylinder"),
    ],
)
def test_a_vhd_that_was_rounded_up_to_whole_cylinders_refuses_no_run(beyond, code):
    header = a_header(DiskFormat.VHD, virtual_size=60 * GB + beyond)

    assert list(found_in(named(".vhd", min_disk=60), header)) == [code]
    assert "61" in says(named(".vhd", min_disk=60), header)[code]


def test_a_raw_disk_is_as_large_as_its_file_and_that_is_said_elsewhere():
    assert found_in(named(".raw"), a_header(DiskFormat.RAW, virtual_size=99 * GB)) == {}


# --- The name -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("extension", FORMATS_BY_EXTENSION)
@pytest.mark.parametrize("format_", DiskFormat)
def test_a_file_is_what_its_name_says(extension, format_):
    fits = format_ in FORMATS_BY_EXTENSION[extension] or format_ is DiskFormat.UNKNOWN

    for spelled in (extension, extension.upper()):
        assert ("PF083" in found_in(named(spelled), a_header(format_))) is not fits


def test_both_the_name_and_what_it_is_are_said():
    header = a_header(DiskFormat.OTHER, kind="a gzip file")

    assert says(named(".qcow2"), header) == {"PF083": "disks:web.qcow2 is a gzip file"}
    assert says(named(".raw"), a_header(DiskFormat.VMDK, kind="streamOptimized")) == {
        "PF083": "disks:web.raw is VMDK (streamOptimized)"
    }


def test_a_name_that_promises_nothing_is_not_broken():
    assert found_in(named(".img"), a_header(DiskFormat.QCOW2)) == {}
    assert found_in(named(""), a_header(DiskFormat.ISO)) == {}


@pytest.mark.parametrize(
    ("header", "codes"),
    [
        pytest.param(a_header(DiskFormat.ISO), [], id="an ISO"),
        pytest.param(a_header(DiskFormat.OTHER, kind="a tar archive"), [], id="an archive"),
        pytest.param(a_header(DiskFormat.RAW, kind="LUKS", encrypted=True), [], id="LUKS"),
        pytest.param(a_header(DiskFormat.QCOW2), ["PF083"], id="QCOW2"),
    ],
)
def test_a_data_disk_may_hold_anything_but_another_format_of_disks(header, codes):
    assert list(found_in(a_disk(), header)) == codes
    assert found_in(named(".raw"), header) != {}


def test_an_archive_is_no_disk_in_any_other_format():
    disk = a_disk(source=ObjectRef("disks", "data.qcow2"))

    assert list(found_in(disk, a_header(DiskFormat.OTHER, kind="a gzip file"))) == ["PF083"]


# --- All of it, and for everybody to read ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("incomplete", "needs", "expected"),
    [
        pytest.param(Incomplete.DELTA, "base.vmdk", "since base.vmdk was left alone", id="a snapshot"),
        pytest.param(Incomplete.DELTA, "", "since another file was left alone", id="of nobody knows what"),
        pytest.param(Incomplete.DESCRIPTOR, "web-flat.vmdk", "the disk lies in web-flat.vmdk", id="a text"),
        pytest.param(Incomplete.SPLIT, "", "one of several files", id="a piece"),
        pytest.param(Incomplete.DATA_ELSEWHERE, "", "the data lies in another file", id="tables alone"),
    ],
)
def test_a_file_that_is_not_a_whole_disk_says_what_it_lacks(incomplete, needs, expected):
    found = says(named(".vmdk"), a_header(DiskFormat.VMDK, incomplete=incomplete, needs=needs))

    assert list(found) == ["PF084"]
    assert expected in found["PF084"]


def test_a_file_that_was_cut_short_is_made_again():
    found = says(named(".zvhd2"), a_header(incomplete=Incomplete.CUT_SHORT))

    assert found == {"PF086": "disks:web.zvhd2 (ZVHD2)"}


@pytest.mark.parametrize(
    "image", [named(".qcow2"), a_disk(source=ObjectRef("disks", "web.qcow2"))], ids=["system", "data"]
)
def test_an_encrypted_disk_is_refused(image):
    assert list(found_in(image, a_header(DiskFormat.QCOW2, encrypted=True))) == ["PF085"]


def test_every_fault_of_a_file_is_said_in_one_go():
    header = a_header(
        DiskFormat.QCOW2, virtual_size=60 * GB, incomplete=Incomplete.DELTA, needs="b", encrypted=True
    )

    assert list(found_in(an_image(), header)) == ["PF080", "PF083", "PF084", "PF085"]


# --- What was not seen ----------------------------------------------------------------------------------


def test_a_file_that_could_not_be_read_says_so_and_refuses_nothing():
    found = found_in(an_image(), lost())

    assert list(found) == ["PF098"]
    assert found["PF098"].items[0].says == "disks:web.zvhd2: no idea"


def test_files_that_were_left_out_are_counted():
    images = [an_image("a"), an_image("b"), an_image("c")]
    headers = {image.source: a_header() for image in images[:2]}
    objects = {image.source: ObjectInfo(size=GB) for image in images}

    found = of(facts(*images, headers=headers, objects=objects, unread_headers=1))

    assert found["PF099"].says == "2 of 3 files"
    assert "PF099" not in of(facts(*images, headers=headers, objects=objects))
