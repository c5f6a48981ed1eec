"""Reading spreadsheets: encodings, delimiters and cells as they come, and files that mean harm or nothing."""

import io
import struct
import zipfile
import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.domain.errors import PlanError
from migrator.domain.sheets import Broken, How, Sheet, Unreadable
from migrator.io import spreadsheets
from migrator.io.spreadsheets import encodings, is_workbook, rows_of, sheet_names, workbooks
from migrator.plan import parse_plan


def csv_rows(data: bytes | str) -> list[tuple[int, Sequence[Any]]]:
    return list(rows_of(data if isinstance(data, bytes) else data.encode(), path="x.csv"))


def xlsx_rows(data: bytes, sheet: str | None = None) -> list[tuple[int, Sequence[Any]]]:
    return [(number, list(cells)) for number, cells in rows_of(data, path="x.xlsx", how=How(sheet=sheet))]


def refusal(data: bytes, path: str = "x.csv", sheet: str | None = None) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        list(rows_of(data, path=path, how=How(sheet=sheet)))
    return caught.value


def workbook(*rows: Sequence[Any], **sheets: Sequence[Sequence[Any]]) -> bytes:
    """A workbook as Excel would save it: `rows` on the first sheet, and further sheets by name."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, lines in {**({"Sheet1": list(rows)} if rows else {}), **sheets}.items():
            sheet = book.add_worksheet(name)
            for at, line in enumerate(lines):
                for column, cell in enumerate(line):
                    if isinstance(cell, datetime):
                        sheet.write_datetime(at, column, cell, day)
                    elif cell is not None:
                        sheet.write(at, column, cell)
    return file.getvalue()


def changed(data: bytes, **parts: bytes | None) -> bytes:
    """The workbook with other content in some parts; `xl/a.xml` is written xl__a_xml, None drops it."""
    names = {key.replace("__", "/").replace("_xml", ".xml"): content for key, content in parts.items()}
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in dict.fromkeys([*old.namelist(), *names]):
            content = names.get(name) if name in names else old.read(name)
            if content is not None:
                new.writestr(name, content)
    return file.getvalue()


# --- CSV ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_chinese_names_are_read_in_every_encoding_that_excel_writes(encoding):
    data = "name,object\r\n网页-01,a.raw\r\n".encode(encoding)

    assert csv_rows(data) == [(1, ["name", "object"]), (2, ["网页-01", "a.raw"])]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_the_one_that_the_headings_use(delimiter):
    data = f'name{delimiter}"label.a,b;c"{delimiter}x\r\nweb-01{delimiter}1,5{delimiter}'

    rows = csv_rows(data.replace("1,5", '"1,5"'))

    assert [len(cells) for _, cells in rows] == [3, 3]
    assert rows[0][1][1] == "label.a,b;c"


def test_one_column_needs_no_delimiter():
    assert csv_rows("name\nweb-01\n") == [(1, ["name"]), (2, ["web-01"])]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_are_counted_as_a_spreadsheet_does(end):
    data = f'name,description{end}{end}web-01,"two{end}lines"{end}web-02,one'

    rows = csv_rows(data)

    assert [number for number, cells in rows if cells] == [1, 3, 4]
    assert rows[2][1] == ["web-01", f"two{end}lines"]


def test_quotes_inside_quotes_are_doubled():
    assert csv_rows('name,description\n"a","say ""hi"", twice"')[1][1] == ["a", 'say "hi", twice']


@pytest.mark.parametrize(
    ("data", "reason", "row"),
    [
        pytest.param(b'a,b\n"c,d\ne', "opens a quote that nothing closes", 2, id="an open quote"),
        pytest.param(b'a,b\n"c" d,e', "has quotes where CSV has none", 2, id="a quote inside"),
        pytest.param(b"a,b\n\nc,\0d", "holds a NUL byte, so it is no text", 3, id="NUL"),
        pytest.param(
            b"a,b\nc,\xff\n",
            "is not UTF-8, and what it is its text does not tell: "
            '"c,\ufffd" (gb18030) or "c,ÿ" (windows-1252)',
            2,
            id="neither encoding",
        ),
        pytest.param(
            "名称,b\n".encode() * 3 + b"c,\xc3(\n",
            "holds bytes that are not UTF-8, as all before them is",
            4,
            id="UTF-8 with one byte that is not",
        ),
        pytest.param(
            b"a,b\n" + b"x" * 140_000, "has a cell of more than 131072 characters", 2, id="a long cell"
        ),
        pytest.param(b"a,b\n" + b"x," * 600_000, "has more than a million characters", 2, id="a long row"),
        pytest.param(
            b"a,b\n" + b'"\n",' * 600_000,
            "has more than a million characters",
            2,
            id="a long row of short lines",
        ),
        pytest.param(b"\xff\xfea\0,", "holds bytes that are not utf-16", 1, id="half of UTF-16"),
    ],
)
def test_text_that_is_no_table_is_refused_with_its_row(data, reason, row):
    error = refusal(data)

    assert (error.reason, error.row) == (reason, row)


@pytest.mark.parametrize("at", range(6))
def test_a_character_that_the_reading_cuts_in_two_is_whole(at, monkeypatch):
    monkeypatch.setattr(encodings, "_AT_ONCE", 5)

    assert csv_rows("x" * at + "网页镜像,b")[0][1] == ["x" * at + "网页镜像", "b"]
    assert refusal(b"x\n" * at + "网页".encode() + b"\xff").row == at + 1


def test_the_row_of_a_wrong_byte_is_right_behind_a_character_that_was_cut(monkeypatch):
    monkeypatch.setattr(encodings, "_AT_ONCE", 5)

    assert refusal(b"xxx" + "网".encode() + b"\xff\n\nb").row == 1


def test_more_rows_than_a_sheet_can_have_are_too_many(monkeypatch):
    monkeypatch.setattr(spreadsheets, "MOST_ROWS", 3)

    assert len(csv_rows("a\nb\nc\n")) == 3
    assert refusal(b"a\nb\nc\nd\n").reason == "has more than 3 rows"


# --- Which kind it is -----------------------------------------------------------------------------------


def test_a_workbook_is_one_whatever_it_is_called():
    data = workbook(("name",), ("web-01",))

    assert is_workbook(data)
    assert list(rows_of(data, path="x.csv")) == list(rows_of(data, path="x.xlsx"))


@pytest.mark.parametrize(
    ("data", "path", "sheet", "reason"),
    [
        pytest.param(b"name,object", "x.XLSX", None, "is not an Excel workbook", id="text"),
        pytest.param(b"", "x.xlsx", None, "is not an Excel workbook", id="nothing"),
        pytest.param(
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            "x.xlsx",
            None,
            "is an old Excel file, or one with a password",
            id="a password",
        ),
        pytest.param(
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            "x.csv",
            None,
            "is an old Excel file, or one with a password",
            id="old",
        ),
        pytest.param(b"name", "x.csv", "Disks", "is a CSV file, which has no sheets", id="a sheet of text"),
        pytest.param(b"PK\3\4", "x.xlsx", None, "is not a workbook that can be read", id="a broken archive"),
    ],
)
def test_what_is_no_spreadsheet_says_what_it_is(data, path, sheet, reason):
    assert refusal(data, path, sheet).reason == reason


# --- Workbooks ------------------------------------------------------------------------------------------


def test_cells_keep_their_types():
    day = datetime(2026, 12, 1)  # noqa: DTZ001 - spreadsheets know no zones
    rows = xlsx_rows(workbook(("name", 40, 40.5, True, day, None, "网页"), (), ("x",)))

    assert rows == [(1, ["name", 40, 40.5, True, day, None, "网页"]), (2, []), (3, ["x"])]


def test_the_first_sheet_is_read_unless_another_is_named():
    data = workbook(First=[("a",)], **{"Disks 1": [("b",)]})

    assert sheet_names(data) == ["First", "Disks 1"]
    assert xlsx_rows(data) == [(1, ["a"])]
    assert xlsx_rows(data, " disks 1") == [(1, ["b"])]
    assert refusal(data, sheet="Disk 1").reason == 'has no sheet "Disk 1"'
    assert refusal(data, sheet="Disk 1").remedy == 'its sheets are "First", "Disks 1"'


def test_a_formula_counts_by_the_value_that_was_saved_with_it():
    sheet = workbook(("name", 1, 2, "x"))
    formulas = (
        b'<c r="B1"><f>1+1</f><v>2</v></c><c r="C1"><f>1+1</f></c>'
        b'<c r="D1" t="e"><f>1/0</f><v>#DIV/0!</v></c>'
    )
    data = changed(
        sheet,
        xl__worksheets__sheet1_xml=b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        b'<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>name</t></is></c>'
        + formulas
        + b"</row></sheetData>"
        b"</worksheet>",
    )

    ((_, cells),) = xlsx_rows(data)

    assert list(cells) == [
        "name",
        2,
        "is a formula whose value was never saved",
        "shows #DIV/0!, an error of the spreadsheet",
    ]
    assert [isinstance(cell, Broken) for cell in cells] == [False, False, True, True]


def test_an_error_of_the_spreadsheet_is_no_text():
    ((_, cells),) = xlsx_rows(workbook(("#N/A", "N/A")))

    assert cells == ["shows #N/A, an error of the spreadsheet", "N/A"]
    assert isinstance(cells[0], Broken)


def test_a_date_that_cannot_be_is_an_error_of_the_spreadsheet_and_no_warning_of_ours():
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True}) as book:
        book.add_worksheet().write_number(0, 0, 1e10, book.add_format({"num_format": "yyyy-mm-dd"}))

    ((_, cells),) = xlsx_rows(file.getvalue())

    assert cells == ["shows #VALUE!, an error of the spreadsheet"]


def test_what_a_workbook_says_of_its_size_is_not_believed():
    honest = workbook(("name", "object"), ("web-01", "a.raw"))
    with zipfile.ZipFile(io.BytesIO(honest)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    lying = sheet.replace(b'ref="A1:B2"', b'ref="A1:A1"')
    assert lying != sheet

    assert xlsx_rows(changed(honest, xl__worksheets__sheet1_xml=lying)) == xlsx_rows(honest)


def test_a_plan_takes_its_images_from_a_workbook():
    data = workbook(("Name", "Object", "Min disk"), ("web-01", "a.raw", 60), ("web-02", "b.raw", None))
    text = (
        '[plan]\nname = "p"\n[targets.north]\nregion = "cn-north-4"\n[defaults]\nbucket = "mig-bucket"\n'
        'os_version = "CentOS 7.6 64bit"\nmin_disk = 40\n[[inventory]]\nfile = "x.xlsx"\n'
    )

    plan, _ = parse_plan(
        text.encode(),
        path="p.toml",
        open_sheet=lambda file, how: Sheet(path=file, identity=file, rows=rows_of(data, path=file, how=how)),
    )

    assert [(image.name, image.min_disk) for image in plan.images] == [("web-01", 60), ("web-02", 40)]


# --- Workbooks that mean harm ---------------------------------------------------------------------------

SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>%s</sheetData></worksheet>'
HONEST = workbook(("name",), ("web-01",))


def bomb(name: str, content: bytes, **more: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in zipfile.ZipFile(io.BytesIO(HONEST)).infolist():
            if part.filename != name:
                archive.writestr(part, zipfile.ZipFile(io.BytesIO(HONEST)).read(part))
        archive.writestr(name, content, **more)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("xl/styles.xml", b"<styleSheet>" + b"<xf/>" * 1_000_000, id="a million styles"),
        pytest.param("xl/theme/theme1.xml", b"<a/>" + b" " * (4 * 1024**2), id="a large theme"),
        pytest.param("xl/media/picture.png", b"  <a>" + b"<b/>" * 1_100_000, id="a picture that is XML"),
        pytest.param("xl/sharedStrings.xml", b"<sst><si>" + b"<r/>" * 1_100_000, id="one text without end"),
        pytest.param(
            "xl/worksheets/sheet1.xml", SHEET % (b"<row>" + b"<c/>" * 1_100_000), id="a row without end"
        ),
        pytest.param(
            "xl/worksheets/sheet1.xml",
            SHEET.replace(b"%s", b"<cols>" + b"<col/>" * 800_000),
            id="columns without end",
        ),
    ],
)
def test_a_workbook_that_unpacks_to_far_more_than_a_list_is_refused(name, content):
    data = bomb(name, content)
    assert len(data) < 100_000

    assert " far more than a list of images has " in refusal(data).reason


def test_the_whole_of_a_workbook_has_a_limit_too(monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_UNPACKED", 2000)

    assert "unpacks to far more" in refusal(HONEST).reason


def test_rows_that_are_no_rows_have_a_limit_too(monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_WORK", 100 * workbooks._PIECE)

    assert (
        "holds far more" in refusal(bomb("xl/worksheets/sheet1.xml", SHEET % (b'<row r="1"/>' * 101))).reason
    )


def test_a_row_at_the_end_of_the_world_does_not_take_for_ever_to_reach(monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_ROWS", 1000)
    data = bomb("xl/worksheets/sheet1.xml", SHEET % b'<row r="99999999999"><c r="A1"/></row>')

    assert refusal(data).reason == "has more than 1000 rows"


def test_a_cell_at_the_end_of_the_world_is_refused():
    data = bomb("xl/worksheets/sheet1.xml", SHEET % b'<row r="1"><c r="ZZZ1"><v>1</v></c></row>')

    assert refusal(data).reason == "has more than 1024 columns"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'<!DOCTYPE a [<!ENTITY b "bbbb">]>' + SHEET % b"", id="entities of its own"),
        pytest.param(b" " * (1024**2 - 4) + b"<!DOCTYPE a>" + SHEET % b"", id="where two pieces meet"),
        pytest.param((SHEET % b"").decode().encode("utf-16"), id="in UTF-16"),
    ],
)
def test_xml_with_a_grammar_of_its_own_is_refused(content):
    assert refusal(bomb("xl/worksheets/sheet1.xml", content)).reason == "holds XML that workbooks do not have"


def test_an_archive_packed_in_another_way_is_refused():
    data = bomb("xl/styles.xml", b"<styleSheet/>", compress_type=zipfile.ZIP_LZMA)

    assert refusal(data).reason == "is packed in a way that workbooks are not"


def test_a_part_that_is_longer_than_its_archive_says_is_not_unpacked_to_its_end():
    content = zlib.compress(b"<a/>" * 1000)[2:-4]
    data = bomb("xl/styles.xml", b"<styleSheet/>")
    at = data.rindex(b"PK\1\2", 0, data.rindex(b"xl/styles.xml"))
    local = struct.unpack("<L", data[at + 42 : at + 46])[0]
    start = local + 30 + len("xl/styles.xml")
    packed = struct.unpack("<L", data[at + 20 : at + 24])[0]

    error = refusal(data[:start] + content[:packed] + data[start + packed :])

    assert error.reason == "is not a workbook that can be read"


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({"xl__workbook_xml": None}, id="no workbook"),
        pytest.param({"xl__workbook_xml": b"<a"}, id="half of one"),
        pytest.param({"xl__workbook_xml": b"<a/>"}, id="another one"),
        pytest.param({"xl__worksheets__sheet1_xml": b"<a/>"}, id="another sheet"),
        pytest.param({"xl__worksheets__sheet1_xml": None}, id="no sheet"),
        pytest.param({"xl__worksheets__sheet1_xml": SHEET % b'<row r="x"/>'}, id="a row that is no number"),
        pytest.param(
            {"xl__worksheets__sheet1_xml": SHEET % b'<row><c t="s"><v>99</v></c></row>'},
            id="a text that is not there",
        ),
        pytest.param({"xl__worksheets__sheet1_xml": SHEET % (b"<a>" * 5000)}, id="too deep"),
        pytest.param({"xl__sharedStrings_xml": b""}, id="empty texts"),
        pytest.param(
            {"xl__styles_xml": b"<styleSheet><cellXfs><xf numFmtId='a'/></cellXfs></styleSheet>"}, id="styles"
        ),
        pytest.param({"[Content_Types]_xml": b"<Types/>"}, id="no types"),
    ],
)
def test_a_broken_workbook_is_one_clear_error_or_has_no_rows(parts):
    try:
        rows = xlsx_rows(changed(HONEST, **parts))
    except Unreadable as error:
        assert error.reason.startswith(("is not a workbook", "has no sheet"))  # noqa: PT017
    else:
        assert rows == [] or rows == [(1, ["name"]), (2, ["web-01"])]


# --- Any bytes at all -----------------------------------------------------------------------------------

PLAN = b"""
[plan]
name = "p"
[targets.north]
region = "cn-north-4"
[defaults]
bucket = "mig-bucket"
[[inventory]]
file = "x.csv"
"""


def outcome(data: bytes) -> list[str]:
    try:
        parse_plan(
            PLAN,
            path="p.toml",
            open_sheet=lambda file, how: Sheet(
                path=file, identity=file, rows=rows_of(data, path=file, how=how)
            ),
        )
    except PlanError as error:
        return error.problems
    return []


@given(st.binary(max_size=300) | st.binary(max_size=100).map(b"PK\x03\x04".__add__))
@settings(max_examples=200)
def test_any_bytes_are_rows_or_a_plan_error(data):
    assert all(said.startswith(("p.toml:", "x.csv:")) and said.isprintable() for said in outcome(data))


@given(st.text(alphabet='a,;\t"\n\r網\u2028\x1c=', max_size=60))
@settings(max_examples=200)
def test_any_text_below_headings_is_rows_or_a_plan_error(text):
    said = outcome(f"name,object,label.a\n{text}".encode())

    assert all(line.startswith(("p.toml:", "x.csv:")) and line.isprintable() for line in said)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6), st.integers(0, 10**6))
@settings(max_examples=150)
def test_a_damaged_workbook_is_rows_or_a_plan_error(flips, cut):
    data = bytearray(HONEST)
    for at, byte in flips:
        data[at % len(data)] = byte
    content = bytes(data) if cut % 3 else bytes(data[: cut % len(data)])

    assert all(said.startswith(("p.toml:", "x.csv:")) for said in outcome(content))


_TAGS = st.sampled_from(
    [
        b"<row>", b'<row r="2">', b'<row r="-1">', b"</row>", b'<c r="A1">', b'<c t="s">', b'<c t="b">',
        b'<c s="9">', b'<c t="d">', b"</c>", b"<v>", b"</v>", b"0", b"x", b"1e400", b"<f>", b"</f>",
        b'<c t="inlineStr">', b"<is><t>", b"</t></is>", b"<mergeCells>", b"</mergeCells>", b"&#0;", b"&amp;",
        b"<cols><col/></cols>",
    ]
)  # fmt: skip


@given(st.lists(_TAGS, max_size=25))
@settings(max_examples=150)
def test_any_sheet_is_rows_or_a_plan_error(tags):
    data = changed(HONEST, xl__worksheets__sheet1_xml=SHEET % b"".join(tags))

    assert all(said.startswith(("p.toml:", "x.csv:")) for said in outcome(data))


# --- An end to the work ---------------------------------------------------------------------------------

CELLS = {
    "empty cells": b"<c/>",
    "numbers": b"<c><v>1</v></c>",
    "dates": b'<c t="d"><v>2024-01-01T00:00:00</v></c>',
    "formulas": b"<c><f>1</f></c>",
    "texts in their cells": b'<c t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r></is></c>',
    "what no cell has": b"<c><x/><x/><x/><x/></c>",
}
TEXTS = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">%s</sst>'


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_cells_without_end_are_refused_when_they_have_cost_too_much(cell, monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_WORK", 200_000)
    few = bomb("xl/worksheets/sheet1.xml", SHEET % ((b"<row>" + cell * 100 + b"</row>") * 10))
    many = bomb("xl/worksheets/sheet1.xml", SHEET % ((b"<row>" + cell * 100 + b"</row>") * 1000))

    assert len(xlsx_rows(few)) == 10
    assert refusal(many).reason == "holds far more than a list of images has (xl/worksheets/sheet1.xml)"


@pytest.mark.parametrize("text", [b"<si/>", b"<si><t>a</t></si>", b"<si><r><t>a</t></r><r><t>b</t></r></si>"])
def test_so_are_texts_without_end(text, monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_WORK", 200_000)

    assert " far more than a list " in refusal(bomb("xl/sharedStrings.xml", TEXTS % (text * 10_000))).reason


def test_so_are_texts_and_cells_that_are_too_many_only_together(monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_WORK", 100_000)
    rows = SHEET % ((b"<row>" + b"<c/>" * 100 + b"</row>") * 30)
    texts = TEXTS % (b"<si/>" * 2500)
    one, other = bomb("xl/worksheets/sheet1.xml", rows), bomb("xl/sharedStrings.xml", texts)
    assert len(xlsx_rows(one)) == 30
    assert len(xlsx_rows(other)) == 2

    assert " far more than a list " in refusal(changed(one, xl__sharedStrings_xml=texts)).reason


def test_few_cells_far_to_the_right_are_many(monkeypatch):
    monkeypatch.setattr(workbooks, "MOST_WIDTH", 100_000)
    rows = b"".join(b'<row r="%d"><c r="ALL%d"/></row>' % (row, row) for row in range(1, 200))

    assert refusal(bomb("xl/worksheets/sheet1.xml", SHEET % rows)).row == 101


@pytest.mark.parametrize(
    "sheet",
    [
        pytest.param(SHEET % b"" + b"<x>" + b"<a/>" * 600_000, id="after the rows"),
        pytest.param(SHEET % (b"<row/>" + (b"<a/>" * 1000) * 600), id="between them"),
        pytest.param(SHEET % (b"<row/>" * 10 + b" " * (8 * 1024**2)), id="a space without end"),
    ],
)
def test_what_stands_around_the_rows_has_an_end_too(sheet):
    sheet = sheet.replace(b"</worksheet><x>", b"<x>")

    assert " far more than a list " in refusal(bomb("xl/worksheets/sheet1.xml", sheet)).reason


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("xl/styles.xml", b"<styleSheet>" + b"<xf/>" * 100_001, id="styles"),
        pytest.param("docProps/core.xml", b"<a>" + b"<b/>" * 100_001, id="properties"),
    ],
)
def test_the_frame_of_a_workbook_has_few_tags(name, content):
    assert " far more than a list " in refusal(bomb(name, content)).reason


def test_the_sheets_that_are_not_asked_for_are_not_read():
    data = workbook(("name",), ("web-01",), other=[("x",)])
    large = changed(data, xl__worksheets__sheet2_xml=SHEET % (b"<row><c/></row>" * 4_000_000))

    assert sheet_names(large)[1] == "other"
    assert [list(cells) for _, cells in xlsx_rows(large)] == [["name"], ["web-01"]]


def test_texts_in_runs_are_one_text_and_what_tells_how_to_read_them_aloud_is_none():
    texts = TEXTS % b"<si><r><t>web</t></r><r><rPr/><t>-01</t></r><rPh><t>aloud</t></rPh></si>"
    types = zipfile.ZipFile(io.BytesIO(HONEST)).read("[Content_Types].xml")
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    if kind not in types:
        more = b'<Override PartName="/xl/sharedStrings.xml" ContentType="%s"/></Types>' % kind
        types = types.replace(b"</Types>", more)
    rows = b'<row><c t="s"><v>0</v></c><c t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r></is></c></row>'
    parts = {
        "xl__sharedStrings_xml": texts,
        "xl__worksheets__sheet1_xml": SHEET % rows,
        "[Content_Types]_xml": types,
    }

    assert [list(cells) for _, cells in xlsx_rows(changed(HONEST, **parts))] == [["web-01", "ab"]]
