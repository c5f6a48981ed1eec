"""The report as CSV, for spreadsheets: one row for each image.

- The columns are those of the table, in its order; then `label.KEY` for each label key, sorted.
- UTF-8 with a byte order mark, because without it Excel takes the bytes for the local code page; CRLF.
- Moments are ISO 8601 in UTC; minutes and seconds are numbers; yes and no are words; unknown is empty.
- Text that a spreadsheet would calculate (it begins with = + - @ or one of their full-width twins) gets an
  apostrophe in front (OWASP, "CSV Injection"), and control characters are taken out. Numbers stay numbers.
"""

import codecs
import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, BinaryIO

from migrator.reports.columns import COLUMNS, Kind, row_writer
from migrator.reports.summary import Summary
from migrator.reports.times import iso, minutes
from migrator.reports.untrusted import one_line
from migrator.workflow.states import Phase

_ROWS = 512
"""Rows between two writes."""

_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")


def write(summary: Summary, stream: BinaryIO) -> None:
    """Write the report to `stream`."""
    headings = [column.csv for column in _COLUMNS]
    cells = [(column.source, _WRITE[column.kind]) for column in _COLUMNS]
    for label in summary.label_keys:
        headings.append(cell(_LABELS.csv + label))
        cells.append((_LABELS.source, _label(label)))
    stream.write(codecs.BOM_UTF8 + _quoted(headings).encode())
    row = row_writer("\0".join(["%s"] * len(cells)), cells, unknown="")
    lines = map(_line, map(row, summary.images))
    while some := "".join(islice(lines, _ROWS)):
        stream.write(some.encode("utf-8", "replace"))


def cell(text: str | None) -> str:
    """Text that a spreadsheet shows as it is: on one line, and never a formula. Empty for None."""
    if not text:
        return ""
    if text.isprintable() and text[0].isalnum():
        return text  # most are: worth not looking at twice
    line = one_line(text)
    return f"'{line}" if _FORMULA.match(line) else line


_name = lru_cache(maxsize=4096)(cell)
"""A cell for text that many images share."""


def _line(cells: str) -> str:
    """The line of cells that are given with a NUL between them, which no cell contains."""
    if "," in cells or '"' in cells:
        return _quoted(cells.split("\0"))
    return cells.replace("\0", ",") + "\r\n"  # what the csv module makes of it, and slowly


def _quoted(cells: Sequence[str]) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()


def _minutes(seconds: float) -> str:
    return repr(minutes(seconds))


def _percent(fraction: float) -> str:
    return repr(round(fraction * 100, 1))


def _label(label: str) -> Callable[[Mapping[str, str]], str]:
    return lambda labels: _name(labels.get(label))


def _count(members: Sequence[object]) -> str:
    return str(len(members))


_WRITE: dict[Kind, Callable[[Any], str]] = {
    Kind.TEXT: cell,
    Kind.NAME: _name,
    Kind.CHOICE: str,
    Kind.STATUS: {phase: phase.value for phase in Phase}.__getitem__,
    Kind.NUMBER: str,
    Kind.DECIMAL: repr,
    Kind.MINUTES: _minutes,
    Kind.FRACTION: _percent,
    Kind.MOMENT: iso,
    Kind.YES_NO: ("no", "yes").__getitem__,
    Kind.ATTEMPTS: _count,
}

_COLUMNS = [column for column in COLUMNS if column.csv and column.kind is not Kind.LABELS]
(_LABELS,) = [column for column in COLUMNS if column.kind is Kind.LABELS]
