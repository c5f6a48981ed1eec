"""Inventories as people have them: exports, lists and encodings that other programs wrote.

The files in tests/cases were rebuilt from public reports of people who do this job.
"""

import shutil
import tracemalloc
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import tomli

from migrator.domain.sheets import Unreadable
from tests.cli.conftest import Desk

CASES = Path(__file__).parents[1] / "cases"


def begun(desk: Desk, source: Path, *options: str) -> tuple[Any, list[dict[str, Any]]]:
    """(what `init --from` said, the images that it wrote)."""
    path = desk.folder / "begun.toml"
    path.unlink(missing_ok=True)
    result = desk("init", path, "--from", source, *options)
    images = tomli.loads(path.read_text()).get("images", []) if path.exists() else []
    return result, images


# --- RVTools --------------------------------------------------------------------------------------------


def test_a_guest_s_path_is_not_taken_for_the_file_of_a_disk(desk):
    """RVTools 4 calls "Disk Path" what the guest calls a disk: every machine has a C:, and none is shared."""
    _, images = begun(desk(), CASES / "rvtools4-guest-paths" / "export.xlsx")

    assert [image["name"] for image in images] == ["app01", "app01-data1", "app02", "app02-data1"]
    assert [image["min_disk"] for image in images] == [101, 201, 101, 51]
    assert "CHECK" not in [image["object"] for image in images]


def test_the_system_disk_is_the_one_on_which_the_guest_has_its_system(desk):
    _, images = begun(desk(), CASES / "rvtools4-system-on-second-disk" / "export.xlsx")

    system, data = images
    assert (system["name"], system["min_disk"], system["labels"]["disk"]) == ("sql06", 151, "Hard disk 2")
    assert (data["type"], data["min_disk"]) == ("DataImage", 101)


def export_of(folder: Path, *disks: tuple[object, ...], headings: bool = True) -> Path:
    """An export with one machine; a disk is its number, guest path and capacity."""
    book = openpyxl.Workbook()
    info = book.active
    assert info is not None
    info.title = "vInfo"
    vdisk = book.create_sheet("vDisk")
    if headings:
        info.append(["VM", "OS according to the VMware Tools", "Firmware"])
        vdisk.append(["VM", "Disk", "Disk Path", "Capacity MiB"])
    else:
        info.append(["vInfoVMName", "vInfoOSTools", "vInfoFirmware"])
        vdisk.append(["vDiskVMName", "vDiskName", "vDiskPath", "vDiskCapacityMiB"])
    info.append(["db01", "Microsoft Windows Server 2019 (64-bit)", "efi"])
    for number, path, capacity in disks:
        vdisk.append(["db01", f"Hard disk {number}", path, capacity])
    path = folder / "export.xlsx"
    book.save(path)
    return path


def test_headings_for_a_database_are_headings(desk):
    it = desk()

    _, images = begun(it, export_of(it.folder, (1, "C:\\", 40960), (2, "D:\\", 10240), headings=False))

    assert [(image["name"], image["min_disk"]) for image in images] == [("db01", 41), ("db01-data1", 20)]
    assert images[0]["hw_firmware_type"] == "uefi"
    assert images[0]["os_version"].startswith("Windows Server 2019")


def test_where_the_export_does_not_tell_the_system_disk_a_person_is_asked(desk):
    it = desk()
    begun(it, export_of(it.folder, (1, "E:\\", 40960), (2, "F:\\", 10240)))

    text = (it.folder / "begun.toml").read_text()

    assert (
        "# CHECK: which disk holds the system? none is C:\\ or /: Hard disk 1 is E:\\, Hard disk 2 is F:\\"
        in text
    )


@pytest.mark.parametrize(
    ("written", "min_disk", "said"),
    [
        pytest.param("102400", 101, "", id="plain"),
        pytest.param("1,024,000", 1001, "", id="two commas are thousands"),
        pytest.param("102'400", 101, "", id="as in Switzerland"),
        pytest.param("102\u202f400", 101, "", id="a narrow space"),
        pytest.param(
            "102,400", 0, 'says "102,400": 102400 MiB (write 101) or 102.4 MiB (write 20)?', id="two readings"
        ),
        pytest.param(
            "102.400",
            0,
            'says "102.400": 102400 MiB (write 101) or 102.4 MiB (write 20)?',
            id="and with a point",
        ),
        pytest.param("1.024.000,5", 1001, "", id="a fraction as in Germany"),
        pytest.param("1,02,400", 101, "", id="as in India"),
        pytest.param("lots", 0, 'the export says "lots" MiB', id="no number"),
    ],
)
def test_numbers_are_read_with_any_separator_and_two_readings_are_asked_about(desk, written, min_disk, said):
    it = desk()
    _, images = begun(it, export_of(it.folder, (1, "C:\\", written)))

    text = (it.folder / "begun.toml").read_text()

    assert images[0]["min_disk"] == min_disk
    assert said in text
    assert ("CHECK: the export says" in text) == (min_disk == 0)


@pytest.mark.parametrize("given", ["the folder", "RVTools_tabvInfo.csv", "RVTools_tabvDisk.csv"])
def test_an_export_with_a_file_for_each_tab_is_one_export(desk, given):
    it = desk()
    folder = it.folder / "rv"
    folder.mkdir()
    (folder / "RVTools_tabvInfo.csv").write_text(
        "VM,OS according to the VMware Tools\nweb,Debian GNU/Linux 11 (64-bit)\n"
    )
    (folder / "RVTools_tabvDisk.csv").write_text(
        "VM,Disk,Path,Capacity MB\nweb,Hard disk 1,[ds] web/web.vmdk,20480\n"
    )

    _, images = begun(it, folder if given == "the folder" else folder / given)

    assert [(image["name"], image["min_disk"]) for image in images] == [("web", 21)]


WHICH = "# CHECK: which disk holds the system? "


@pytest.mark.parametrize(
    ("paths", "disk", "asked"),
    [
        pytest.param(["I:\\", "C:\\"], 2, "", id="Windows"),
        pytest.param(["/data", "/"], 2, "", id="Linux"),
        pytest.param(["/data", "/boot/efi"], 2, "", id="its boot files"),
        pytest.param(["D:\\", "C:\\, E:\\"], 2, "", id="one of two on a disk"),
        pytest.param(["C:\\Mount\\Data", "C:\\"], 2, "", id="a folder of C: is on another disk"),
        pytest.param(["/bootstrap", "/"], 2, "", id="no /boot"),
        pytest.param(
            ["/", "/boot"],
            2,
            "it starts from Hard disk 2 and needs both: Hard disk 1 is /, Hard disk 2 is /boot",
            id="apart",
        ),
        pytest.param(
            ["/boot, /", "/boot/efi"],
            1,
            "several hold one: Hard disk 1 is /boot, /, Hard disk 2 is /boot/efi",
            id="boot files on both",
        ),
        pytest.param(["/", "/"], 1, "several hold one: Hard disk 1 is /, Hard disk 2 is /", id="on both"),
        pytest.param(
            ["D:\\", ""],
            1,
            "none is C:\\ or /: Hard disk 1 is D:\\, Hard disk 2 is unknown",
            id="one unknown",
        ),
        pytest.param(["", ""], 1, "the export does not tell: Hard disk 1, or Hard disk 2", id="none known"),
        pytest.param(
            ["[ds] db/db.vmdk", "/vmfs/volumes/ds/db/db_1.vmdk"],
            1,
            "the export does not tell: Hard disk 1, or Hard disk 2",
            id="files are no guest's paths, however they are written",
        ),
    ],
)
def test_the_system_disk_is_told_by_the_guest_s_paths_or_asked_about(desk, paths, disk, asked):
    it = desk()

    result, images = begun(it, export_of(it.folder, *((at, path, 40960) for at, path in enumerate(paths, 1))))

    text = (it.folder / "begun.toml").read_text()
    assert images[0]["labels"]["disk"] == f"Hard disk {disk}"
    assert [line for line in text.splitlines() if line.startswith(WHICH)] == (
        [WHICH + asked] if asked else []
    )
    assert ("to decide for 1: which disk holds the system?" in result.err) == bool(asked)


def test_a_number_that_a_workbook_holds_as_one_has_one_reading(desk):
    it = desk()

    _, images = begun(it, export_of(it.folder, (1, "C:\\", 102.125)))

    assert images[0]["min_disk"] == 20


def test_tabs_of_two_exports_are_not_mixed(desk):
    it = desk()
    (it.folder / "RVTools_tabvInfo.csv").write_text("VM\nold\n")
    (it.folder / "vInfo.csv").write_text("VM\nnew\n")
    (it.folder / "vDisk.csv").write_text("VM,Disk,Capacity MB\nnew,Hard disk 1,1024\n")

    result, images = begun(it, it.folder / "vInfo.csv")

    assert (result.code, images) == (2, [])
    assert 'the tab vInfo of an RVTools export twice: "RVTools_tabvInfo.csv" and "vInfo.csv"' in result.err


def test_disks_without_machine_are_counted_and_not_lost(desk):
    it = desk()
    (it.folder / "vInfo.csv").write_text("VM,Template\nweb,False\nmodel,True\n")
    rows = "".join(f"{name},Hard disk 1,1024\n" for name in ("web", "model", "ghost", "ghost"))
    (it.folder / "vDisk.csv").write_text("VM,Disk,Capacity MB\n" + rows)

    result, images = begun(it, it.folder / "vDisk.csv")

    assert [image["name"] for image in images] == ["web"]
    assert "left out, as templates: 1" in result.err
    assert "left out, as vInfo does not list their machines: 2 of the disks in vDisk" in result.err


def test_disks_without_the_tab_of_machines_and_renamed_tabs_say_what_is_missing(desk):
    it = desk()
    (it.folder / "vDisk.csv").write_text("VM,Disk,Capacity MB\nweb,Hard disk 1,1024\n")
    said = begun(it, it.folder / "vDisk.csv")[0].err
    assert "and not vInfo, which lists the machines" in said.replace("\n", " ")

    (it.folder / "vDisk.csv").rename(it.folder / "export.csv")
    said = begun(it, it.folder / "export.csv")[0].err
    assert "call it RVTools_tabvInfo.csv or RVTools_tabvDisk.csv" in said.replace("\n", " ")


def test_machines_without_disks_say_what_is_missing(desk):
    it = desk()
    folder = it.folder / "rv"
    folder.mkdir()
    (folder / "RVTools_tabvInfo.csv").write_text("VM\nweb\n")

    result, images = begun(it, folder)

    assert result.code == 2
    assert "has the tab vInfo of an RVTools export, and not vDisk" in result.err
    assert images == []


# --- Encodings ------------------------------------------------------------------------------------------


def test_a_german_list_is_german_and_that_was_a_guess_is_said(desk):
    it = desk()
    shutil.copytree(CASES / "csv-windows-1252", it.folder / "list")

    result = it("validate", it.folder / "list" / "plan.toml")

    # The service takes no accents in names: that is told with the names as they are written.
    assert '"Büro-srv01"' in result.err
    assert '"srv-Düsseldorf"' in result.err
    path = it.folder / "list" / "disks.csv"
    path.write_bytes(
        path.read_bytes().replace("Büro-srv".encode("cp1252"), b"srv").replace(b"D\xfcss", b"Dues")
    )
    result = it("validate", it.folder / "list" / "plan.toml")
    assert result.code == 0
    assert "is not UTF-8, and was read as windows-1252" in result.err
    assert "srv01;images/buero-srv01.zvhd2" in result.err


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("名称,object\n数据库服务器,a.raw\n", "gb18030"), ("name,object\nMülheim,a.raw\n", "windows-1252")],
)
def test_chinese_and_german_are_told_apart_by_what_the_text_says(desk, text, encoding):
    from migrator.io.spreadsheets.encodings import decide

    found = decide(text.encode(encoding), None)

    assert found.encoding == encoding
    assert encoding in found.guess


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        pytest.param("web,데이터베이스 서버\n", "euc-kr", id="Korean has the form of common characters"),
        pytest.param("web,Сервер\n", "windows-1251", id="Russian has the form of rare characters"),
        pytest.param("web,データベース\n", "euc-jp", id="Japanese has the form of its kana in GB 2312"),
        pytest.param("web,本番用サーバ管理\n", "euc-jp", id="Japanese with characters that are common"),
        pytest.param("web,資料庫\n", "big5", id="traditional Chinese"),
        pytest.param("web,créée\n", "windows-1252", id="two accents in a row are one Chinese character"),
    ],
)
def test_text_of_neither_is_not_taken_for_one_of_them(text, encoding):
    from migrator.io.spreadsheets.encodings import decide

    with pytest.raises(Unreadable, match="what it is its text does not tell"):
        decide(("name,note\n" + text).encode(encoding), None)


def test_symbols_beside_accents_are_no_doubt():
    from migrator.io.spreadsheets.encodings import decide

    text = "name,note\nweb,Größe 5 € – „Müller“\n"

    assert decide(text.encode("windows-1252"), None).encoding == "windows-1252"


@pytest.mark.parametrize(
    ("text", "named", "read"),
    [("web,Müller\n", "windows-1252", "MÃ¼ller"), ("web,数据\n", "gb18030", "鏁版嵁")],
)
def test_utf_8_is_not_read_as_what_the_plan_calls_it_by_mistake(text, named, read):
    from migrator.io.spreadsheets.encodings import decide

    with pytest.raises(Unreadable) as refused:
        decide(text.encode(), named)

    assert refused.value.reason.endswith(f'and is UTF-8: "{text.strip()}", not "web,{read}"')
    assert refused.value.remedy == "take encoding out"
    assert decide("web,联通\n".encode("gb18030"), "gb18030").encoding == "gb18030"  # UTF-8 by chance


def test_telling_encodings_apart_takes_no_more_memory_than_the_file():
    """A pattern over the whole file once took a hundred times its size."""
    from migrator.io.spreadsheets.encodings import decide

    data = "web,数据库服务器生产环境,images/web.zvhd2\n".encode("gb18030") * 50_000
    tracemalloc.start()
    try:
        decide(data, None)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert most < 4 * 1024**2 + len(data)


@pytest.mark.parametrize("text", ["name,object\nxÄÖ,a.raw\n", "name,note\nweb,± 5 °\n"])
def test_what_neither_reading_makes_sense_of_is_an_error_with_both(desk, text):
    it = desk()
    path = it.folder / "disks.csv"
    path.write_bytes(text.encode("windows-1252"))

    result, _ = begun(it, path)

    assert result.code == 2
    assert "(gb18030) or" in result.err.replace("\n", " ")
    assert "(windows-1252)" in result.err
    assert "Save it as CSV UTF-8, or give --encoding" in result.err.replace("\n", " ")


def test_an_encoding_that_is_written_is_taken_at_its_word(desk):
    it = desk()
    text = "name;object;label.site\nsrv-1;a.raw;Büro\n"
    (it.folder / "disks.csv").write_bytes(text.encode("iso-8859-1"))
    plan = it.plan(1, more='[[inventory]]\nfile = "disks.csv"\nencoding = "iso-8859-1"\n')

    result = it("validate", plan)

    assert (result.code, result.err.count("warning")) == (0, 0)
    plan.write_text(plan.read_text().replace("iso-8859-1", "iso8859-1"))
    assert 'did you mean "iso-8859-1"?' in it("validate", plan).err


# --- What is hidden -------------------------------------------------------------------------------------


def test_rows_that_a_filter_hides_are_not_imported_in_silence(desk):
    it = desk()
    shutil.copytree(CASES / "xlsx-filtered-rows", it.folder / "list")
    plan = it.folder / "list" / "plan.toml"

    result = it("validate", plan)

    assert result.code == 2
    assert "has rows 4 to 6 that it does not show, by hand or by a filter" in result.err
    assert 'hidden = "skip"' in result.err
    for word, count in (("skip", 2), ("read", 5)):
        text = (CASES / "xlsx-filtered-rows" / "plan.toml").read_text()
        plan.write_text(text + f'hidden = "{word}"\n')
        assert f"{count} images" in it("validate", plan).err


def test_machines_that_a_filter_hides_are_not_imported_in_silence(desk):
    it = desk()
    source = CASES / "xlsx-filtered-rows" / "rvtools-filtered.xlsx"

    result, images = begun(it, source)

    assert (result.code, images) == (2, [])
    assert "row 3" in result.err
    assert 'in its sheet "vInfo"' in result.err.replace("\n", " ")
    assert "--hidden skip" in result.err
    assert len(begun(it, source, "--hidden", "skip")[1]) == 2
    assert len(begun(it, source, "--hidden", "read")[1]) == 4


def test_hidden_columns_and_sheets_are_named(desk):
    it = desk()
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["name", "object", "min_disk"])
    sheet.append(["web", "a.raw", 60])
    sheet.column_dimensions["C"].hidden = True
    book.save(it.folder / "disks.xlsx")
    assert "has column C that it does not show" in begun(it, it.folder / "disks.xlsx")[0].err

    sheet.sheet_state = "hidden"
    book.create_sheet("Shown").append(["name"])
    book.save(it.folder / "disks.xlsx")
    said = begun(it, it.folder / "disks.xlsx")[0].err

    assert 'a sheet that is not shown, "Sheet"' in said
    assert '"Sheet" (hidden), "Shown"' in said.replace("\n", " ")


@pytest.mark.parametrize("tab", ["vInfo", "vDisk"])
def test_a_tab_of_an_export_that_is_not_shown_is_named(desk, tab):
    it = desk()
    path = export_of(it.folder, (1, "C:\\", 40960))
    book = openpyxl.load_workbook(path)
    book.create_sheet("vCPU")
    book[tab].sheet_state = "hidden"
    book.active = 2
    book.save(path)

    for options in ([], ["--hidden", "skip"]):
        result, images = begun(it, path, *options)
        assert (result.code, images) == (2, [])
        assert f'would be read from a sheet that is not shown, "{tab}"' in result.err.replace("\n", " ")
    assert len(begun(it, path, "--hidden", "read")[1]) == 1


def test_a_plan_may_name_a_hidden_sheet_where_it_says_so(desk):
    it = desk()
    book = openpyxl.Workbook()
    sheet = book.create_sheet("Disks")
    sheet.append(["name", "object"])
    sheet.append(["web", "a.raw"])
    sheet.sheet_state = "veryHidden"
    book.save(it.folder / "disks.xlsx")
    plan = it.plan(1, more='[[inventory]]\nfile = "disks.xlsx"\nsheet = "Disks"\n')

    result = it("validate", plan)

    assert result.code == 2
    assert 'a sheet that is not shown, "Disks"' in result.err.replace("\n", " ")
    plan.write_text(plan.read_text() + 'hidden = "read"\n')
    assert it("validate", plan).code == 0


# --- A plan to begin with -------------------------------------------------------------------------------


def test_the_plan_with_every_key_comes_with_the_program_and_is_valid_where_it_is_written(desk):
    it = desk()
    (it.folder / "new").mkdir()

    written = it("init", "new/dc.toml", "--full")

    assert written.code == 0
    assert "wrote new/full.xlsx, which the plan reads" in written.err
    examples = CASES.parents[1] / "plans"
    assert (it.folder / "new" / "dc.toml").read_bytes() == (examples / "full.toml").read_bytes()
    assert it("validate", "new/dc.toml").code == 0


@pytest.mark.parametrize("there", ["dc.toml", "full.xlsx"])
def test_neither_the_plan_nor_its_list_is_written_over(desk, there):
    it = desk()
    (it.folder / there).write_text("mine")

    result = it("init", "dc.toml", "--full")

    assert result.code == 2
    assert f"{there} is there already" in result.err
    assert [path.name for path in it.folder.iterdir()] == [there]
    assert (it.folder / there).read_text() == "mine"
