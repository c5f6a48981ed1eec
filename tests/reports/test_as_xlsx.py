"""The workbook, as a second library reads it: everything is there, typed, and nothing in it acts."""

import io
import random
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree
from zipfile import ZipFile

import openpyxl
import pytest
from hypothesis import given, settings
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import from_excel
from openpyxl.workbook.workbook import Workbook

from migrator.domain.cloud import Fault
from migrator.domain.image import Image
from migrator.domain.zone import UTC_ZONE, zone
from migrator.reports.columns import COLUMNS, Kind
from migrator.reports.formats import as_xlsx
from migrator.reports.formats.xlsx.cells import serial, text
from migrator.reports.glossary import STATUSES
from migrator.reports.summary import Summary, summary
from migrator.workflow.events import AttemptBegan, Event, ImagePlanned, JobAccepted, JobFailed
from migrator.workflow.ledger import Ledger, fold
from migrator.workflow.states import Phase
from tests.ledgers import NAMES, START, image, latest, ledgers, plan_for, random_ledger
from tests.reports.test_reports import small_ledger

SHEETS = ["Summary", "Images", "Failures by cause", "By wave", "By owner", "Timeline data"]


def raw(facts: Summary) -> bytes:
    stream = io.BytesIO()
    as_xlsx.write(facts, stream)
    return stream.getvalue()


def read(facts: Summary) -> Workbook:
    return openpyxl.load_workbook(io.BytesIO(raw(facts)))


def parts(facts: Summary) -> dict[str, str]:
    """The files inside the workbook."""
    with ZipFile(io.BytesIO(raw(facts))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def table(book: Workbook, title: str) -> list[dict[str, Any]]:
    """The rows of a sheet, by header."""
    header, *rows = book[title].iter_rows(values_only=True)
    return [dict(zip(map(str, header), row, strict=True)) for row in rows]


def small() -> Summary:
    return summary(small_ledger(), plan=plan_for(), now=START + 700)


def failing(shown: Image, fault: Fault) -> Summary:
    events: list[Event] = [
        ImagePlanned(at=START, key=shown.key, image=shown, digest="planned"),
        AttemptBegan(at=START, key=shown.key, attempt=1, digest="planned"),
        JobAccepted(at=START, key=shown.key, job_id="job-1"),
        JobFailed(at=START + 90, key=shown.key, fault=fault),
    ]
    return summary(fold(events), plan=plan_for(), now=START + 100)


# --- What is in it --------------------------------------------------------------------------------------


def test_the_sheets_come_in_the_order_in_which_somebody_asks():
    assert read(small()).sheetnames == SHEETS


def test_an_image_is_a_row_with_real_dates_and_numbers():
    web, data, _ = table(read(small()), "Images")

    assert (web["Key"], web["Status"], web["Target"], web["Wave"]) == (
        "north/web-01",
        "imported",
        "north",
        "pilot",
    )
    assert web["First request (UTC)"] == datetime(2026, 5, 28, 20, 26, 41)  # noqa: DTZ001 the header says UTC
    assert web["Finished (UTC)"] == datetime(2026, 5, 28, 20, 36, 46)  # noqa: DTZ001
    assert (web["Minutes"], web["Attempts"], web["Disk (GB)"], web["Progress"]) == (10.01, 2, 40, 1)
    assert (web["label owner"], web["label rack"]) == ("li.wei", "A12")
    assert (data["Name"], data["Progress"], data["label owner"]) == ("网络 01", 0.25, None)
    assert (data["Finished (UTC)"], data["Minutes"], data["Error"]) == (None, None, None)


def test_cells_are_formatted_as_what_they_are():
    sheet = read(small())["Images"]
    formats = {str(head.value): cell.number_format for head, cell in zip(sheet[1], sheet[2], strict=True)}

    assert formats["Name"] == formats["label owner"] == "@"
    assert formats["Finished (UTC)"] == "yyyy-mm-dd hh:mm:ss"
    assert (formats["Progress"], formats["Disk (GB)"]) == ("0%", "#,##0")


@pytest.mark.parametrize("count", [0, 1, 3, 700])
def test_header_filter_colours_and_reach_cover_every_image(count: int):
    ledger = random_ledger(random.Random(5), count)
    facts = summary(ledger, plan=plan_for(), now=latest(ledger))

    sheet = read(facts)["Images"]

    own = sum(column.xlsx is not None and column.kind is not Kind.LABELS for column in COLUMNS)
    width, last = own + len(facts.label_keys), max(count, 1) + 1
    reach = f"{get_column_letter(width)}{last}"
    assert [row[0].value for row in sheet.iter_rows(min_row=2, max_row=count + 1) if count] == [
        row.key if row.key.isprintable() else text(row.key) for row in facts.images
    ]
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref == f"A1:{reach}"
    assert sheet.max_row == (count + 1 if count else 1)
    assert {str(area.sqref) for area in sheet.conditional_formatting} == {f"D2:D{last}" if last > 2 else "D2"}


def test_what_is_printed_of_an_image_is_what_somebody_has_to_know_and_fits_a_page():
    fault = Fault(code="IMG.0057", message="The file is damaged. " * 10, remedy="Upload it again.")

    sheet = read(failing(image(), fault))["Images"]

    assert sheet.print_area == "'Images'!$A$1:$I$2"
    printed = [cell.value for cell in sheet[1]][:9]
    assert printed == [
        *("Key", "Target", "Wave", "Status", "Finished (UTC)", "Minutes"),
        *("Error code", "Error", "What to do"),
    ]
    assert sum(sheet.column_dimensions[get_column_letter(n)].width for n in range(1, 10)) <= 200


@pytest.mark.parametrize(
    ("message", "lines"),
    [("damaged", 1), ("The file is damaged. " * 10, 6), ("磁盘映像已损坏" * 10, 4), ("a" * 9000, 12)],
)
def test_a_row_is_as_high_as_its_longest_text_for_programs_that_do_not_measure(message: str, lines: int):
    fault = Fault(code="IMG.0057", message=message, remedy="Upload it.")

    book = read(failing(image(), fault))

    assert book["Images"].row_dimensions[2].height == 15 * lines
    assert (book["Failures by cause"].row_dimensions[2].height or 15) <= 15 * lines


def test_every_status_but_pending_has_a_colour():
    rules = [
        rule.formula[0] for area in read(small())["Images"].conditional_formatting for rule in area.rules
    ]

    assert sorted(rules) == sorted(f'"{STATUSES[phase].word}"' for phase in set(Phase) - {Phase.PENDING})


def test_the_first_sheet_says_how_it_stands_and_what_to_do():
    cells = {row[0]: row[1] for row in read(small())["Summary"].iter_rows(values_only=True)}
    lines = list(cells)

    assert lines[:3] == [
        "Migration dc-east",
        "1 of 3 images imported, 1 failed, done today between 20:38 and 21:19 UTC",
        'When this run has ended, fix the causes of the failures, then "migrator run PLAN --retry-failed".',
    ]
    assert cells["As of (UTC)"] == datetime(2026, 5, 28, 20, 38, 20)  # noqa: DTZ001
    assert (cells["imported"], cells["failed"], cells["All"]) == (1, 1, 3)


def test_causes_waves_and_owners_have_a_sheet_each():
    book = read(small())

    (cause,) = table(book, "Failures by cause")
    assert (cause["Code"], cause["Images"], cause["Owners"], cause["What to do"]) == (
        "IMG.0057",
        1,
        "张伟 1",
        "Upload it again.",
    )
    waves = {row["Wave"]: (row["Images"], row["Done"], row["Done %"]) for row in table(book, "By wave")}
    assert waves == {"pilot": (1, 1, 1), "main": (1, 0, 0), "(none)": (1, 0, 0)}
    owners = {row["Owner"]: (row["failed"], row["running"]) for row in table(book, "By owner")}
    assert owners == {"li.wei": (0, 0), "张伟": (1, 0), "(none)": (0, 1)}


def test_the_timeline_counts_what_finished_and_draws_it():
    book = read(small())
    rows = table(book, "Timeline data")

    assert [row["Done so far"] for row in rows][-1] == 1
    assert sum(row["Failed"] for row in rows) == 1
    assert rows[0]["From (UTC)"] == datetime(2026, 5, 28, 20, 26)  # noqa: DTZ001
    assert "xl/charts/chart1.xml" in parts(small())


def test_a_cause_of_many_images_names_the_first_ones():
    fault = Fault(code="IMG.0057", message="bad")
    events: list[Event] = []
    for one in (image(f"web-{number:02d}") for number in range(23)):
        events += [
            ImagePlanned(at=START, key=one.key, image=one, digest="planned"),
            AttemptBegan(at=START, key=one.key, attempt=1, digest="planned"),
            JobAccepted(at=START, key=one.key, job_id="job-1"),
            JobFailed(at=START, key=one.key, fault=fault),
        ]

    (cause,) = table(read(summary(fold(events), plan=plan_for(), now=START)), "Failures by cause")

    assert cause["Images"] == 23
    assert cause["Keys"].endswith("north/web-19 and 3 more")


# --- Untrusted text -------------------------------------------------------------------------------------

EVIL = (
    *NAMES,
    '=HYPERLINK("http://evil.example","x")',
    "http://evil.example",
    "mailto:a@b.example",
    "{=1+1}",
    "internal:Sheet1!A1",
    "]]></t></is></c><c><f>1+1</f></c>",
    "&lt;&#61;",
    "\ufffe\uffff=1",
    "half\ud800pair",
    "12345",
    "1e5",
    "TRUE",
    "100%s {row} %",
)


@pytest.mark.parametrize("name", EVIL)
def test_whatever_an_image_is_called_its_cells_are_text_and_nothing_else(name: str):
    facts = failing(
        image(name, wave=name, labels={name: name, "owner": name}),
        Fault(code=name, message=name, remedy=name, request_id=name),
    )

    book, files = read(facts), parts(facts)

    (row,) = table(book, "Images")
    for column in ("Name", "Wave", "Error code", "Error", "What to do", "Request id", "label owner"):
        assert row[column] == text(name), column
    assert table(book, "By wave")[0]["Wave"] == text(name)
    assert table(book, "By owner")[0]["Owner"] == text(name)
    for sheet in book:
        assert [cell.coordinate for line in sheet.iter_rows() for cell in line if cell.data_type == "f"] == []
    sheets = "".join(content for path, content in files.items() if path.startswith("xl/worksheets/"))
    assert not re.search(r"<f[ >/]|hyperlink", sheets)
    assert not [path for path in files if "externalLink" in path]


@given(ledgers(max_images=5, max_steps=40))
@settings(max_examples=25)
def test_every_part_is_well_formed_whatever_happened(ledger: Ledger):
    for content in parts(summary(ledger, plan=plan_for(), now=latest(ledger))).values():
        ElementTree.fromstring(content)


def test_text_that_looks_like_the_code_of_a_character_stays_that_text():
    facts = failing(image("_x0041_"), Fault(message="_x000d_"))

    sheet = parts(facts)["xl/worksheets/sheet2.xml"]

    assert '<t xml:space="preserve">_x005F_x0041_</t>' in sheet
    assert ">_x005F_x000d_<" in sheet


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        pytest.param(None, "", id="unknown"),
        pytest.param("two\nlines", "two lines", id="a line break"),
        pytest.param("x" * 16_384, "x" * 16_382 + "…", id="more than a cell holds"),
        pytest.param("x" * 16_383, "x" * 16_383, id="as much as a cell holds"),
        pytest.param(" =1", " =1", id="blanks at the front"),
    ],
)
def test_a_cell_holds_one_line_that_excel_takes(given_: str | None, shown: str):
    assert text(given_) == shown


# --- Bytes ----------------------------------------------------------------------------------------------


def test_the_same_summary_gives_the_same_bytes_whenever_and_wherever_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
):
    first = raw(small())

    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    try:
        assert raw(small()) == first
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_only_moment_of_the_file_itself_is_that_of_the_report():
    facts = small()

    with ZipFile(io.BytesIO(raw(facts))) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    core = parts(facts)["docProps/core.xml"]
    assert re.findall(r">(\d{4}-[^<]+)<", core) == ["2026-05-28T20:38:20Z"] * 2


@pytest.mark.parametrize(
    "moment", [0.0, START, START + 0.25, START + 0.0004, datetime(2028, 2, 29, tzinfo=UTC).timestamp()]
)
def test_a_moment_is_a_day_number_in_utc(moment: float):
    read_back = from_excel(serial(moment, UTC_ZONE))

    assert abs(read_back.replace(tzinfo=UTC).timestamp() - moment) < 0.001


@pytest.mark.parametrize("name", ["Asia/Shanghai", "America/New_York", "Asia/Kolkata", "Europe/Berlin"])
@pytest.mark.parametrize("moment", [START, START + 180 * 86_400.0])
def test_a_moment_is_what_clocks_in_the_zone_show(name: str, moment: float):
    there = zone(name)

    shown = from_excel(serial(moment, there))

    assert abs(shown - there.local(moment).replace(tzinfo=None)) < timedelta(seconds=0.001)


@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice_reads_it_too(tmp_path: Any):
    path = tmp_path / "report.xlsx"
    path.write_bytes(raw(small()))

    home = f"-env:UserInstallation=file://{tmp_path}/home"
    choice = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,2"
    subprocess.run(
        ["soffice", home, "--headless", "--convert-to", choice, "--outdir", tmp_path, path],
        check=True,
        capture_output=True,
        timeout=100,
    )

    (made,) = tmp_path.glob("*.csv")
    lines = made.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("north/web-01,north,pilot,imported,2026-05-28 20:36:46,")


def test_of_rows_without_cells_a_sheet_keeps_nothing():
    rows = as_xlsx._Rows({0: {1: "cell"}})

    assert [rows[number] for number in range(3)] == [{1: "cell"}, {}, {}]
    assert list(rows) == [0]
