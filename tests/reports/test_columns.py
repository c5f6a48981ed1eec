"""The table of columns: every format shows what it says, and the manual cannot lag behind it."""

import csv
import io
import json
from pathlib import Path

import openpyxl
import pytest

from migrator.reports.columns import COLUMNS, NUMBER, Kind, ReportColumn, getter, row_writer
from migrator.reports.formats import as_csv, as_html, as_json, as_xlsx
from migrator.reports.summary import Summary, summary
from tests.ledgers import START, plan_for
from tests.reports.test_as_html import page
from tests.reports.test_reports import small_ledger

MANUAL = Path(__file__).parent.parent.parent / "docs" / "report-columns.md"


def named(columns: tuple[ReportColumn, ...] = COLUMNS) -> list[object]:
    return [pytest.param(column, id=column.name) for column in columns]


def small() -> Summary:
    return summary(small_ledger(), plan=plan_for(), now=START + 700)


def test_each_column_has_a_name_of_its_own_in_every_format():
    for names in (
        [column.name for column in COLUMNS],
        [column.csv for column in COLUMNS if column.csv],
        [column.xlsx.heading for column in COLUMNS if column.xlsx],
        [column.html.table for column in COLUMNS if column.html and column.html.table],
        [column.html.details for column in COLUMNS if column.html and column.html.details],
    ):
        assert len(names) == len(set(names))


@pytest.mark.parametrize("column", named())
def test_each_column_is_somewhere_and_says_what_it_is(column: ReportColumn):
    assert column.json or column.csv or column.xlsx or column.html
    assert column.meaning.endswith(".")
    assert bool(column.choices) is (column.kind is Kind.CHOICE)


@pytest.mark.parametrize("column", named())
def test_each_column_is_found_in_a_row_and_known_unless_it_is_optional(column: ReportColumn):
    for row in small().images:
        assert column.optional or getter(column.source)(row) is not None


def test_every_format_shows_the_columns_of_the_table_and_no_others():
    facts = small()
    made = {}
    for form in (as_json, as_csv, as_xlsx):
        stream = io.BytesIO()
        form.write(facts, stream)
        made[form] = stream.getvalue()
    labels = [column for column in COLUMNS if column.kind is Kind.LABELS]

    assert list(json.loads(made[as_json])["images"][0]) == [column.name for column in COLUMNS if column.json]
    headings = next(csv.reader(io.StringIO(made[as_csv].decode("utf-8-sig"), newline="")))
    plain = [column.csv for column in COLUMNS if column.csv and column not in labels]
    assert headings == [*plain, "label.owner", "label.rack"]
    sheet = openpyxl.load_workbook(io.BytesIO(made[as_xlsx]))["Images"]
    titles = [cell.value for cell in sheet[1]]
    assert set(titles[:-2]) == {
        column.xlsx.heading + (" (UTC)" if column.kind is Kind.MOMENT else "")
        for column in COLUMNS
        if column.xlsx and column not in labels
    }
    assert titles[-2:] == ["label owner", "label rack"]
    shown = page(facts)
    assert shown.data["columns"] == [*as_html.ROW, *(column.name for column in COLUMNS if column.html)]
    page_only = [(column.name, column.html) for column in COLUMNS if column.html]
    assert [(name, term) for name, _, term in shown.data["details"]] == [
        (name, html.details) for name, html in page_only if html.details
    ]
    assert shown.data["flags"] == [[name, html.flag] for name, html in page_only if html.flag]
    assert [text.split(" UTC")[0] for text in shown.tables["rows"][0]] == [
        "Status",
        "Image",
        "Target",
        "Wave",
        "Owner",
        "Submitted",
        "Minutes",
        "Note",
    ]


def test_a_template_with_braces_quotes_and_percents_is_filled_as_it_is_written():
    (row, *_) = small().images

    write = row_writer(
        "{\"a\":'%s', 100 %, {%s}, {unknown} %s",
        [("state.key", str.upper), ("state.fault.code", str.upper), ("wave", "{}%s".format)],
        unknown="{?}",
    )

    assert write(row) == "{\"a\":'NORTH/WEB-01', 100 %, {{?}}, {unknown} pilot%s"


def test_a_row_bears_its_number_wherever_the_template_says_so():
    (row, *_) = small().images

    write = row_writer(f"{NUMBER}: %s, again {NUMBER}", [("state.key", str)], unknown="")

    assert write(row, "17") == "17: north/web-01, again 17"
