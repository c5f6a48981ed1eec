"""Reading spreadsheets: the bytes of a CSV file or an Excel workbook → rows of cells.

What comes in may be anything. So a row has a largest size, and whatever goes wrong inside is one Unreadable.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator

from migrator.domain.sheets import MOST_ROWS, Row, Unreadable
from migrator.io.spreadsheets.workbooks import sheet_names, sheet_rows

__all__ = ["is_workbook", "rows_of", "sheet_names"]

MOST_IN_ROW = 1024 * 1024
"""Characters of one row of a CSV file."""

_AT_ONCE = 1024 * 1024
_DELIMITERS = ",;\t"
_QUOTED = re.compile(r'"[^"]*"?')
_OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def is_workbook(data: bytes) -> bool:
    """Whether this is a zip archive, as every .xlsx file is, whatever its name."""
    return data.startswith(b"PK\x03\x04")


def rows_of(data: bytes, *, path: str, sheet: str | None = None) -> Iterator[Row]:
    """The rows of a CSV file or of one sheet of a workbook: of the first, unless `sheet` names another.

    `path` says by its suffix what the content should be. Raises Unreadable, also while the rows are
    being taken.
    """
    if is_workbook(data):
        return sheet_rows(data, sheet)
    if data.startswith(_OLD_EXCEL):
        raise Unreadable(
            "is an old Excel file, or one with a password", "save it as .xlsx, without a password"
        )
    if path.lower().endswith(".xlsx"):
        raise Unreadable("is not an Excel workbook", "save it again as .xlsx, or call it .csv if it is text")
    if sheet is not None:
        raise Unreadable("is a CSV file, which has no sheets", "take the sheet out")
    return _text_rows(data)


# --- CSV ------------------------------------------------------------------------------------------------


def _text_rows(data: bytes) -> Iterator[Row]:
    encoding = _encoding(data)
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


def _encoding(data: bytes) -> str:
    if data.startswith(codecs.BOM_UTF8):
        encodings: tuple[str, ...] = ("utf-8-sig",)
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ("utf-16",)
    elif (offset := data.find(b"\0")) >= 0:
        row = data.count(b"\n", 0, offset) + 1
        raise Unreadable("holds a NUL byte, so it is no text", "is it the right file?", row=row)
    else:
        encodings = ("utf-8", "gb18030")
    furthest = 0
    for encoding in encodings:
        try:
            _decode(data, encoding)
        except UnicodeDecodeError as error:
            furthest = max(furthest, error.start)
        else:
            return encoding
    row = data.count(b"\n", 0, furthest) + 1
    raise Unreadable("holds bytes that are neither UTF-8 nor GB18030", "save it as CSV UTF-8", row=row)


def _decode(data: bytes, encoding: str) -> None:
    """Raise UnicodeDecodeError, with the offset in `data`, unless all of it is text; keeps none of it."""
    decoder = codecs.getincrementaldecoder(encoding)()
    for start in range(0, len(data), _AT_ONCE):
        held = len(decoder.getstate()[0])  # the first bytes of a character that the last piece cut
        try:
            decoder.decode(data[start : start + _AT_ONCE], final=start + _AT_ONCE >= len(data))
        except UnicodeDecodeError as error:
            error.start += start - held
            raise


def _delimiter(head: str) -> str:
    """What separates the cells of the first row that has any; a comma where nothing does."""
    for line in _QUOTED.sub("", head).splitlines():
        if line.strip():
            return max(_DELIMITERS, key=line.count)
    return ","
