"""Reading spreadsheets: the bytes of a CSV file or an Excel workbook → rows of cells.

What comes in may be anything. So a row has a largest size, and whatever goes wrong inside is one Unreadable.
"""

import csv
import io
import re
from collections.abc import Iterator

from migrator.domain.sheets import MOST_ROWS, How, Row, Unreadable
from migrator.io.spreadsheets.encodings import decide
from migrator.io.spreadsheets.workbooks import sheet_names, sheet_rows

__all__ = ["guessed", "is_workbook", "rows_of", "sheet_names"]

MOST_IN_ROW = 1024 * 1024
"""Characters of one row of a CSV file."""

_DELIMITERS = ",;\t"
_QUOTED = re.compile(r'"[^"]*"?')
_OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


_AS_IT_IS = How()


def is_workbook(data: bytes) -> bool:
    """Whether this is a zip archive, as every .xlsx file is, whatever its name."""
    return data.startswith(b"PK\x03\x04")


def guessed(data: bytes, how: How) -> str:
    """What is taken for granted when a file is read, in a sentence; empty where nothing is."""
    if is_workbook(data) or data.startswith(_OLD_EXCEL):
        return ""
    try:
        return decide(data, how.encoding).guess
    except Unreadable:
        return ""  # told by whoever takes the rows


def rows_of(data: bytes, *, path: str, how: How = _AS_IT_IS) -> Iterator[Row]:
    """The rows of a CSV file or of one sheet of a workbook, read as `how` says.

    `path` says by its suffix what the content should be. Raises Unreadable, also while the rows are
    being taken.
    """
    if is_workbook(data):
        if how.encoding is not None:
            raise Unreadable("is an Excel workbook, which has no encoding", "take the encoding out")
        return sheet_rows(data, how.sheet, how.hidden)
    if data.startswith(_OLD_EXCEL):
        raise Unreadable(
            "is an old Excel file, or one with a password", "save it as .xlsx, without a password"
        )
    if path.lower().endswith(".xlsx"):
        raise Unreadable("is not an Excel workbook", "save it again as .xlsx, or call it .csv if it is text")
    if how.sheet is not None:
        raise Unreadable("is a CSV file, which has no sheets", "take the sheet out")
    if how.hidden is not None:
        raise Unreadable("is a CSV file, which hides nothing", "take hidden out")
    return _text_rows(data, how.encoding)


# --- CSV ------------------------------------------------------------------------------------------------


def _text_rows(data: bytes, named: str | None) -> Iterator[Row]:
    encoding = decide(data, named).encoding
    with io.TextIOWrapper(io.BytesIO(data), encoding=encoding, newline="") as stream:
        delimiter = _delimiter(stream.read(64 * 1024))
    with io.TextIOWrapper(io.BytesIO(data), encoding=encoding, newline="") as stream:
        lines = _Lines(stream)
        records = csv.reader(lines, delimiter=delimiter, strict=True)
        number = 0
        while True:
            number += 1
            lines.taken = 0
            try:
                cells = next(records, None)
            except csv.Error as error:
                raise _badly_quoted(error, number) from None
            except _TooLong:
                raise Unreadable(
                    "has more than a million characters", "is a quote opened that nothing closes?", row=number
                ) from None
            if cells is None:
                return
            if number > MOST_ROWS:
                raise Unreadable(f"has more than {MOST_ROWS} rows", "split it into several files")
            yield number, cells


class _TooLong(Exception):
    """A row goes on and on."""


class _Lines:
    """The lines of a file, until one row has taken too much of it."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self._stream = stream
        self.taken = 0
        """Characters since this was last set to nothing."""

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._stream.readline(MOST_IN_ROW + 1)
        if not line:
            raise StopIteration
        self.taken += len(line)
        if self.taken > MOST_IN_ROW:
            raise _TooLong
        return line


def _badly_quoted(error: csv.Error, row: int) -> Unreadable:
    said = str(error)
    if "end of data" in said:
        return Unreadable("opens a quote that nothing closes", 'close it, or double it: ""', row=row)
    if "field limit" in said:
        return Unreadable("has a cell of more than 131072 characters", "shorten it", row=row)
    return Unreadable(
        "has quotes where CSV has none", 'put the whole cell in quotes, and double those inside: ""', row=row
    )


def _delimiter(head: str) -> str:
    """What separates the cells of the first row that has any; a comma where nothing does."""
    for line in _QUOTED.sub("", head).splitlines():
        if line.strip():
            return max(_DELIMITERS, key=line.count)
    return ","
