"""Reading spreadsheets: the bytes of a CSV file or an Excel workbook → rows of cells.

What comes in may be anything. So a row has a largest size, a workbook is weighed before it is unpacked, and
whatever goes wrong inside is one Unreadable.
"""

import codecs
import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, zip_longest
from typing import Any

from migrator.domain.sheets import ERROR_VALUES, MOST_COLUMNS, MOST_ROWS, Broken, Cell, Row, Unreadable

MOST_IN_ROW = 1024 * 1024
"""Characters of one row of a CSV file."""

MOST_UNPACKED = 1024**3
"""Bytes of all XML in a workbook, once unpacked."""

MOST_IN_PART = 4 * 1024**2
"""Bytes of one part, but for the sheets themselves and their texts, which are read piece by piece."""

MOST_IN_SHEET = 256 * 1024**2
MOST_TEXTS = 64 * 1024**2
_MOST_PARTS = 10_000
_MOST_PIECES = 4 * MOST_ROWS
_LONGEST_TAG = 64
_XML_STARTS = (b"<", b"\0<", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_AT_ONCE = 1024 * 1024
_SOME_ROWS = 2000
_DELIMITERS = ",;\t"
_QUOTED = re.compile(r'"[^"]*"?')
_OLD_EXCEL = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_PIECE = re.compile(rb"<(?:\w+:)?(row|si|f)[\s/>]")
_DTD = re.compile(rb"<!(?:DOCTYPE|ENTITY)")


def is_workbook(data: bytes) -> bool:
    """Whether this is a zip archive, as every .xlsx file is, whatever its name."""
    return data.startswith(b"PK\x03\x04")


def rows_of(data: bytes, *, path: str, sheet: str | None = None) -> Iterator[Row]:
    """The rows of a CSV file or of one sheet of a workbook: of the first, unless `sheet` names another.

    `path` says by its suffix what the content should be. Raises Unreadable, also while the rows are
    being taken.
    """
    if is_workbook(data):
        return _sheet_rows(data, sheet)
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


# --- Workbooks ------------------------------------------------------------------------------------------


def sheet_names(data: bytes) -> list[str]:
    """What the sheets of a workbook are called, in order. Raises Unreadable."""
    _check_package(data)
    return [str(sheet.title) for sheet in _sheets(data, values=True)]


def _sheet_rows(data: bytes, name: str | None) -> Iterator[Row]:
    calculates = _check_package(data)
    sheet = _named(_sheets(data, values=True), name)
    rows = _raw_rows(sheet)
    if not calculates:
        for number, cells in rows:
            yield number, [Broken(_shows(cell)) if cell in ERROR_VALUES else cell for cell in cells]
        return
    formulas = _raw_rows(_named(_sheets(data, values=False), name))
    for (number, cells), (_, written) in zip_longest(rows, formulas, fillvalue=(0, [])):
        yield number, [_calculated(*pair) for pair in zip_longest(cells, written)]


def _shows(cell: Cell) -> str:
    return f"shows {cell}, an error of the spreadsheet"


def _calculated(value: Cell, formula: Cell) -> Cell:
    """A cell that may be calculated: `value` is what was last saved of it."""
    if value is None and formula is not None:
        return Broken("is a formula whose value was never saved")
    return Broken(_shows(value)) if value in ERROR_VALUES else value


def _raw_rows(sheet: Any) -> Iterator[Row]:
    """The rows of an openpyxl sheet, some at a time, so that its warnings stay in here."""
    sheet.reset_dimensions()  # files lie about them
    rows = enumerate(sheet.iter_rows(values_only=True), 1)
    while True:
        with _strange_files():
            some = list(islice(rows, _SOME_ROWS))
        if not some:
            return
        for number, cells in some:
            if number > MOST_ROWS:
                raise Unreadable(f"has more than {MOST_ROWS} rows", "split it into several files")
            if len(cells) > MOST_COLUMNS:
                reason = f"has more than {MOST_COLUMNS} columns"
                raise Unreadable(reason, "take out what is not needed", row=number)
            yield number, cells


def _named(sheets: list[Any], name: str | None) -> Any:
    if not sheets:
        raise Unreadable("has no sheet with cells", "is it the right file?")
    if name is None:
        return sheets[0]
    for sheet in sheets:
        if str(sheet.title).strip().casefold() == name.strip().casefold():
            return sheet
    listed = ", ".join(f'"{sheet.title}"' for sheet in sheets[:20])
    raise Unreadable(f'has no sheet "{name}"', f"its sheets are {listed}")


def _sheets(data: bytes, *, values: bool) -> list[Any]:
    """The sheets of a workbook that was weighed; with values, or else with formulas."""
    from openpyxl import load_workbook  # takes a while, and most plans need none

    with _strange_files():
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=values, keep_links=False)
        return [sheet for sheet in book.worksheets if hasattr(sheet, "reset_dimensions")]


@contextmanager
def _strange_files() -> Iterator[None]:
    """Whatever openpyxl makes of a broken workbook becomes Unreadable; what it warns of is dropped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except Unreadable:
            raise
        except Exception as error:
            remedy = "open it in a spreadsheet and save it again as .xlsx"
            raise Unreadable("is not a workbook that can be read", remedy) from error


# --- Weighing -------------------------------------------------------------------------------------------


def _check_package(data: bytes) -> bool:
    """Whether any sheet has formulas. Raises Unreadable for a workbook that is not safe to unpack.

    An archive of some kilobytes can hold gigabytes, an XML file can define entities that stand for gigabytes,
    and a tree of elements takes twenty times its text. No part is longer than the archive's directory says,
    because zipfile stops there.
    """
    calculates = False
    unpacked = 0
    with _strange_files(), zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        if len(parts) > _MOST_PARTS or len({part.filename for part in parts}) < len(parts):
            raise Unreadable("is another kind of archive, or a broken one", "save it again as .xlsx")
        for part in parts:
            if part.flag_bits & 1 or part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Unreadable("is packed in a way that workbooks are not", "save it again as .xlsx")
            with archive.open(part) as stream:
                if not _is_xml(part.filename, stream.read(1024)):
                    continue
            unpacked += part.file_size
            most = MOST_IN_PART
            if _SHEET.fullmatch(part.filename):
                most = MOST_IN_SHEET
            elif part.filename == "xl/sharedStrings.xml":
                most = MOST_TEXTS
            if part.file_size > most or unpacked > MOST_UNPACKED:
                reason = f"unpacks to far more than a list of images has ({part.filename})"
                raise Unreadable(reason, "take out what is not needed, or save it as .csv")
            calculates |= _has_formulas(archive, part)
    return calculates


def _is_xml(name: str, head: bytes) -> bool:
    """Whether a part could be read as XML, whatever it is called."""
    start = head.lstrip(b" \t\r\n")
    return name.lower().endswith((".xml", ".rels")) or start.startswith(_XML_STARTS) or not start


def _has_formulas(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> bool:
    """Whether a part has formulas. Raises Unreadable when it would not come apart into small pieces, or when
    it has a document type definition or may hide one."""
    calculates = False
    pieces = since = 0
    before = b""
    with archive.open(part) as stream:
        while chunk := stream.read(_AT_ONCE):
            text = before + chunk
            if b"\0" in chunk or _DTD.search(text):
                raise Unreadable("holds XML that workbooks do not have", "save it again as .xlsx")
            last = None
            for found in _PIECE.finditer(text):
                if found[1] == b"f":
                    calculates = True
                else:
                    pieces += 1
                    last = found
            since = len(text) - last.start() if last else since + len(chunk)
            if pieces > _MOST_PIECES or since > MOST_IN_PART:
                reason = f"holds far more than a list of images has ({part.filename})"
                raise Unreadable(reason, "take out what is not needed, or save it as .csv")
            before = chunk[-_LONGEST_TAG:]
    return calculates
