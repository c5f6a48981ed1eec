"""A workbook with our formats, and the few ways in which its sheets are filled."""

from collections.abc import Iterable, Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from migrator.domain.cells import cell_len
from migrator.domain.zone import Zone
from migrator.reports.formats.xlsx.cells import serial, text
from migrator.reports.glossary import STATUSES
from migrator.workflow.states import Phase

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384
"""What one sheet may hold (Microsoft, "Excel specifications and limits")."""

_GREEN, _RED, _AMBER, _BLUE, _GREY = "#C6EFCE", "#FFC7CE", "#FFEB9C", "#DDEBF7", "#E7E6E6"
_COLOURS = {
    Phase.SUCCEEDED: _GREEN,
    Phase.SKIPPED: _GREEN,
    Phase.FAILED: _RED,
    Phase.IN_DOUBT: _AMBER,
    Phase.OVERDUE: _AMBER,
    Phase.SUBMITTING: _BLUE,
    Phase.RUNNING: _BLUE,
    Phase.VERIFYING: _BLUE,
    Phase.CANCELLED: _GREY,
}
FORMATS: dict[str, dict[str, Any]] = {
    # Typed as text, so that a cell stays text even when somebody edits it.
    "text": {"num_format": "@", "valign": "top"},
    "wrapped": {"num_format": "@", "valign": "top", "text_wrap": True},
    "number": {"num_format": "#,##0", "valign": "top"},
    "decimal": {"num_format": "#,##0.0", "valign": "top"},
    "percent": {"num_format": "0%", "valign": "top"},
    "moment": {"num_format": "yyyy-mm-dd hh:mm:ss", "valign": "top", "align": "left"},
    "header": {"num_format": "@", "bold": True, "bg_color": "#1F3864", "font_color": "#FFFFFF"},
    "title": {"num_format": "@", "bold": True, "font_size": 16},
    "strong": {"num_format": "@", "bold": True},
}


_LINE, _MOST_LINES = 15.0, 12
"""Points of a line of text, and lines that one row may take."""


def height(cells: Iterable[tuple[str | None, float]]) -> float:
    """Points that a row needs for texts in columns of these widths: not every program finds out by itself."""
    lines = 1
    for words, width in cells:
        # Words are not cut, so that a line is rarely full.
        lines = max(lines, *(ceil(1.1 * cell_len(line) / width) for line in (words or "").split("\n")))
    return _LINE * min(lines, _MOST_LINES)


class Book:
    """A workbook with our formats, and the ways in which any of its sheets is filled."""

    def __init__(self, workbook: "Workbook", zone: Zone) -> None:
        self.zone = zone
        """In which moments are written."""
        self._workbook = workbook
        self.formats: dict[str, Format] = {
            name: workbook.add_format(properties) for name, properties in FORMATS.items()
        }
        self.colours = {
            phase: workbook.add_format({"bg_color": colour}) for phase, colour in _COLOURS.items()
        }

    def sheet(self, name: str) -> "Worksheet":
        sheet = self._workbook.add_worksheet(name)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        return sheet

    def chart(self) -> Any:
        return self._workbook.add_chart({"type": "column", "subtype": "stacked"})

    def put(self, sheet: "Worksheet", row: int, column: int, value: object, kind: str) -> None:
        """One cell; empty for None."""
        form = self.formats[kind]
        if value is None:
            return
        if isinstance(value, str):
            sheet.write_string(row, column, text(value), form)
        elif isinstance(value, int | float):
            sheet.write_number(row, column, serial(value, self.zone) if kind == "moment" else value, form)

    def header(self, sheet: "Worksheet", row: int, names: Sequence[str]) -> None:
        for column, name in enumerate(names):
            self.put(sheet, row, column, name, "header")

    def colour_statuses(self, sheet: "Worksheet", column: int, first: int, last: int) -> None:
        """Give each cell of a column of statuses the colour of what it says."""
        for phase, form in self.colours.items():
            rule = {
                "type": "cell",
                "criteria": "==",
                "value": f'"{STATUSES[phase].word}"',
                "format": form,
            }
            sheet.conditional_format(first, column, last, column, rule)


class TextLines:
    """A sheet that is filled from the top, line by line."""

    def __init__(self, book: Book, sheet: "Worksheet") -> None:
        self._book = book
        self._sheet = sheet
        self.next = 0
        """The line that comes next; the first is 0."""

    def put(self, *cells: tuple[object, str]) -> None:
        """A line of cells, each a value and the name of its format."""
        for column, (value, kind) in enumerate(cells):
            self._book.put(self._sheet, self.next, column, value, kind)
        self.next += 1

    def skip(self) -> None:
        """Leave a line empty."""
        self.next += 1

    def table(
        self, title: str, headings: Sequence[str], rows: Iterable[Sequence[tuple[object, str]]]
    ) -> None:
        """A table below an empty line."""
        self.skip()
        self.put((title, "strong"))
        self._book.header(self._sheet, self.next, headings)
        self.next += 1
        for cells in rows:
            self.put(*cells)
