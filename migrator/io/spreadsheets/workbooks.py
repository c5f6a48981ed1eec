"""Reading workbooks: the bytes of an .xlsx file → the rows of one of its sheets.

An archive of some kilobytes can hold gigabytes, and a tree of elements takes twenty times its text. So the
archive's directory is weighed first; what is not needed is never unpacked; and what is read is read piece by
piece, with an end to the work however well it was packed: no file takes ten seconds or 300 MB.
"""

import codecs
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any
from xml.etree.ElementTree import Element, SubElement, iterparse

from migrator.domain.sheets import (
    ERROR_VALUES,
    MOST_COLUMNS,
    MOST_ROWS,
    Broken,
    Cell,
    Hidden,
    Row,
    Unreadable,
    is_blank,
    letters,
)
from migrator.domain.text import shown, stretches

MOST_UNPACKED = 1024**3
"""Bytes of all XML in a workbook, once unpacked; most of it is never read."""

MOST_IN_PART = 4 * 1024**2
"""Bytes of one part, but for the sheets themselves and their texts, which are read piece by piece."""

MOST_IN_SHEET = 192 * 1024**2
MOST_TEXTS = 40 * 1024**2

MOST_IN_FRAME = 100_000
"""Tags of all parts but those."""

MOST_AROUND = 500_000
"""Elements that belong to no row and to no text."""

MOST_INSIDE = 16 * MOST_COLUMNS
"""Elements of one row or one text."""

MOST_WORK = 60_000_000
"""What reading one sheet and its texts may cost, in tenths of a microsecond: 1.7 million plain cells."""

_ELEMENT, _PIECE, _CELL = 7, 24, 20
_COSTLY = {"d": 35, "inlineStr": 25}
"""What elements, rows or texts, and cells cost, and kinds of cells beyond that; as measured, rounded up."""

MOST_WIDTH = 10_000_000
"""Cells of a sheet, with the empty ones before them."""

_MOST_PARTS = 10_000
_DEEPEST = 64
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_NO_SHEET = f'<worksheet xmlns="{_MAIN[1:-1]}"><sheetData/></worksheet>'
_NO_TEXTS = f'<sst xmlns="{_MAIN[1:-1]}"/>'
_XML_STARTS = (b"<", b"\0<", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SOME_ROWS = 200
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml")
_SHEET_ROOT = re.compile(rb"<(?:\w+:)?worksheet[\s/>]")
_TEXTS_ROOT = re.compile(rb"<(?:\w+:)?sst[\s/>]")
_ASIDE = re.compile(
    r"(?:^|/)(?:media|drawings|charts|chartsheets|embeddings|pivotTables|pivotCache|tables|externalLinks|"
    r"printerSettings|queryTables|comments|threadedComments|customXml|worksheets/_rels)/"
)
"""Folders of what a list of images has no use for."""

_DTD = re.compile(rb"<!(?:DOCTYPE|ENTITY)")


def sheet_names(data: bytes) -> list[str]:
    """What the sheets of a workbook are called, in order. Raises Unreadable."""
    with _strange_files(), zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [str(sheet.title) for sheet in _sheets(archive, _weighed(archive))]


def sheet_rows(data: bytes, name: str | None, hidden: Hidden | None = None) -> Iterator[Row]:
    """The rows of one sheet: of the first, unless `name` is another's. Raises Unreadable, also later: at the
    end for rows and columns that are not shown, unless `hidden` says what becomes of them."""
    with ExitStack() as stack:
        with _strange_files():
            archive = stack.enter_context(zipfile.ZipFile(io.BytesIO(data)))
            parts = _weighed(archive)
            sheet = _named(_sheets(archive, parts), name, hidden)
            work = _Work()
            texts = [text for part in parts.texts for text in _texts(archive, part, work)]
            source = stack.enter_context(archive.open(sheet._worksheet_path))
            rows = _rows(source, sheet, texts, work, _Unseen(hidden, str(sheet.title)))
        while True:
            with _strange_files():  # some at a time, so that openpyxl's warnings stay in here
                some = list(islice(rows, _SOME_ROWS))
            if not some:
                return
            yield from some


def _named(sheets: list[Any], name: str | None, hidden: Hidden | None) -> Any:
    if not sheets:
        raise Unreadable("has no sheet with cells", "is it the right file?")
    if name is None:
        first = (sheet for sheet in sheets if hidden is not Hidden.SKIP or sheet.sheet_state == "visible")
        remedy = 'write hidden = "skip" below file to read the first sheet that is shown, or hidden = "read"'
        return _seen(next(first, sheets[0]), sheets, hidden, remedy)
    for sheet in sheets:
        if str(sheet.title).strip().casefold() == name.strip().casefold():
            return _seen(sheet, sheets, hidden, 'write hidden = "read" below file, or name another sheet')
    raise Unreadable(f'has no sheet "{name}"', f"its sheets are {_listed(sheets)}")


def _seen(sheet: Any, sheets: list[Any], hidden: Hidden | None, remedy: str) -> Any:
    """The sheet. Raises Unreadable where it is not shown, and nobody said that it is to be read."""
    if sheet.sheet_state != "visible" and hidden is not Hidden.READ:
        reason = f'would be read from a sheet that is not shown, "{sheet.title}"'
        raise Unreadable(reason, f"{remedy}: {_listed(sheets)}")
    return sheet


def _listed(sheets: list[Any]) -> str:
    return ", ".join(
        f'"{sheet.title}"{"" if sheet.sheet_state == "visible" else " (hidden)"}' for sheet in sheets[:20]
    )


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


# --- The frame of a workbook ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Parts:
    """The parts of a workbook that are read."""

    frame: list[zipfile.ZipInfo]
    """What says which sheets there are, and how cells look."""

    sheets: list[zipfile.ZipInfo]
    texts: list[zipfile.ZipInfo]


def _weighed(archive: zipfile.ZipFile) -> _Parts:
    """The parts. Raises Unreadable for a workbook that is not safe to unpack.

    An archive of some kilobytes can hold gigabytes. No part is longer than the archive's directory says,
    because zipfile stops there.
    """
    found = _Parts([], [], [])
    unpacked = 0
    parts = archive.infolist()
    if len(parts) > _MOST_PARTS or len({part.filename for part in parts}) < len(parts):
        raise Unreadable("is another kind of archive, or a broken one", "save it again as .xlsx")
    for part in parts:
        if part.flag_bits & 1 or part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unreadable("is packed in a way that workbooks are not", "save it again as .xlsx")
        with archive.open(part) as stream:
            start = stream.read(1024)
        if not _is_xml(part.filename, start):
            continue
        unpacked += part.file_size
        most, group = MOST_IN_PART, found.frame
        if _SHEET.fullmatch(part.filename) or _SHEET_ROOT.search(start):
            most, group = MOST_IN_SHEET, found.sheets
        elif part.filename == "xl/sharedStrings.xml" or _TEXTS_ROOT.search(start):
            most, group = MOST_TEXTS, found.texts
        if part.file_size > most or unpacked > MOST_UNPACKED:
            raise _far_more(f"unpacks to far more than a list of images has ({part.filename})")
        group.append(part)
    return found


def _is_xml(name: str, head: bytes) -> bool:
    """Whether a part could be read as XML, whatever it is called."""
    start = head.lstrip(b" \t\r\n")
    return name.lower().endswith((".xml", ".rels")) or start.startswith(_XML_STARTS) or not start


def _far_more(reason: str, row: int | None = None) -> Unreadable:
    return Unreadable(reason, "take out what is not needed, or save it as .csv", row=row)


def _sheets(archive: zipfile.ZipFile, parts: _Parts) -> list[Any]:
    """The sheets of a workbook as openpyxl knows them, which sees no cell and no text of theirs.

    It would read every sheet to its end, and some of them twice, only to say what they are called.
    """
    from openpyxl import load_workbook  # takes a while, and most plans need none

    frame = io.BytesIO()
    tags = 0
    with zipfile.ZipFile(frame, "w") as light:
        for part in parts.frame:
            if not _ASIDE.search(part.filename):
                with archive.open(part) as stream:
                    content = _Checked(stream, part.filename).read(MOST_IN_PART + 1)
                tags += content.count(b"<")
                if tags > MOST_IN_FRAME:
                    raise _far_more(f"holds far more than a list of images has ({part.filename})")
                light.writestr(part.filename, content)
        for group, empty in ((parts.sheets, _NO_SHEET), (parts.texts, _NO_TEXTS)):
            for part in group:
                light.writestr(part.filename, empty)
    book = load_workbook(frame, read_only=True, keep_links=False)
    return [sheet for sheet in book.worksheets if hasattr(sheet, "reset_dimensions")]


# --- Cells ----------------------------------------------------------------------------------------------


class _Work:
    """What has been done so far. Raises Unreadable when that is far more than a list of images needs."""

    def __init__(self) -> None:
        self.done = 0

    def add(self, cost: int, name: str) -> None:
        """So much more, in a part of that name."""
        self.done += cost
        if self.done > MOST_WORK:
            raise _far_more(f"holds far more than a list of images has ({name})")


class _Checked:
    """A part as it is unpacked. Raises Unreadable for a document type definition, or what may hide one, and
    where nothing but one text goes on and on."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream = stream
        self._name = name
        self._before = b""
        self._since = 0

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes more."""
        chunk = self._stream.read(size)
        start = self._before + chunk
        if b"\0" in chunk or (b"<!" in start and _DTD.search(start)):
            raise Unreadable("holds XML that workbooks do not have", "save it again as .xlsx")
        self._since = 0 if b"<" in chunk else self._since + len(chunk)
        if self._since > MOST_IN_PART:
            raise _far_more(f"holds far more than a list of images has ({self._name})")
        self._before = start[-16:]
        return chunk


def _pieces(source: IO[bytes], name: str, tag: str, work: _Work, *, besides: str = "") -> Iterator[Element]:
    """Every element `tag`, or `besides`, each whole and by itself: nothing of what came before it is kept.

    Raises Unreadable where there is far more than a list of images has, inside one or around them.
    """
    open_ones: list[Element] = []
    piece: Element | None = None
    around = inside = 0
    # No definition of entities comes as far as this: _Checked sees to it.
    events: Any = iterparse(_Checked(source, name), ("start", "end"))  # noqa: S314
    for event, element in events:
        if event == "start":
            if piece is not None:
                inside += 1
            elif element.tag in (tag, besides):
                piece, inside = element, 0
                around += element.tag == besides
            else:
                around += 1
            if len(open_ones) > _DEEPEST:
                raise ValueError("too deep")
            if around > MOST_AROUND or inside > MOST_INSIDE:
                raise _far_more(f"holds far more than a list of images has ({name})")
            open_ones.append(element)
            continue
        open_ones.pop()
        if piece is element:
            work.add(_PIECE + _ELEMENT * inside, name)
            yield piece
            piece = None
        if piece is None and open_ones:
            open_ones[-1].clear()


def _texts(archive: zipfile.ZipFile, part: zipfile.ZipInfo, work: _Work) -> Iterator[str]:
    """The texts that cells name by number."""
    with archive.open(part) as source:
        for text in _pieces(source, part.filename, f"{_MAIN}si", work):
            yield _text(text).replace("x005F_", "")


def _text(element: Element) -> str:
    """The text in all its runs, without what tells how to read it aloud."""
    runs = (run.findtext(f"{_MAIN}t") for run in element.iterfind(f"{_MAIN}r"))
    return "".join([element.findtext(f"{_MAIN}t") or "", *(run or "" for run in runs)])


class _Unseen:
    """What a sheet does not show: rows and columns that somebody, or a filter, has hidden."""

    def __init__(self, hidden: Hidden | None, sheet: str) -> None:
        self._hidden = hidden
        self._sheet = sheet
        self._columns: set[int] = set()
        """0 is A."""
        self._rows_found: list[int] = []
        self._columns_found: set[int] = set()

    def add_columns(self, element: Element) -> None:
        """Take in what is said of some columns."""
        if _is_set(element.get("hidden")):
            first, last = int(element.get("min", 1)), int(element.get("max", 0))
            self._columns.update(range(first - 1, min(last, MOST_COLUMNS)))

    def left(self, element: Element, number: int, row: list[Cell]) -> list[Cell]:
        """The cells of a row that are to be read."""
        if self._hidden is Hidden.READ or not (self._columns or _is_set(element.get("hidden"))):
            return row
        skip = self._hidden is Hidden.SKIP
        if _is_set(element.get("hidden")) and not all(map(is_blank, row)):
            self._rows_found.append(number)
            return [] if skip else row
        for column in self._columns & set(range(len(row))):
            if not is_blank(row[column]):
                self._columns_found.add(column)
                row[column] = None if skip else row[column]
        return row

    def check(self) -> None:
        """Raise Unreadable where something is hidden and nobody said what becomes of it."""
        if self._hidden is not None or not (self._rows_found or self._columns_found):
            return
        found = []
        if self._rows_found:
            noun = "row" if len(self._rows_found) == 1 else "rows"
            found.append(f"{noun} {stretches(self._rows_found)}")
        if self._columns_found:
            noun = "column" if len(self._columns_found) == 1 else "columns"
            found.append(f"{noun} {', '.join(letters(column) for column in sorted(self._columns_found))}")
        raise Unreadable(
            f"has {' and '.join(found)} that it does not show, by hand or by a filter, in its sheet "
            f"{shown(self._sheet)}",
            'write hidden = "skip" below file to leave out what is hidden, or hidden = "read"',
        )


def _is_set(value: str | None) -> bool:
    return value in ("1", "true")


def _rows(source: IO[bytes], sheet: Any, texts: list[str], work: _Work, unseen: _Unseen) -> Iterator[Row]:
    """The rows of a sheet, its cells read by openpyxl one by one."""
    from openpyxl.worksheet._reader import WorkSheetParser

    book = sheet.parent
    parser = WorkSheetParser(
        source,
        texts,
        data_only=True,
        epoch=book.epoch,
        date_formats=book._date_formats,
        timedelta_formats=book._timedelta_formats,
    )
    name, last, width = sheet._worksheet_path, 0, 0
    for element in _pieces(source, name, f"{_MAIN}row", work, besides=f"{_MAIN}col"):
        if element.tag != f"{_MAIN}row":
            unseen.add_columns(element)
            continue
        written = float(element.get("r", parser.row_counter + 1))
        if not written.is_integer():
            raise ValueError("not a row number")
        parser.row_counter, parser.col_counter = int(written), 0
        if (number := parser.row_counter) > MOST_ROWS:
            raise Unreadable(f"has more than {MOST_ROWS} rows", "split it into several files")
        if number <= last:
            continue
        work.add(sum(_CELL + _COSTLY.get(cell.get("t", ""), 0) for cell in element), name)
        row = unseen.left(element, number, _cells(element, parser, number))
        width += len(row)
        if width > MOST_WIDTH:
            raise _far_more("holds far more than a list of images has", number)
        yield from ((missing, ()) for missing in range(last + 1, number))
        yield number, row
        last = number
    unseen.check()


def _cells(element: Element, parser: Any, number: int) -> list[Cell]:
    """The cells of one row."""
    row: list[Cell] = []
    for cell in element:
        if cell.get("t") == "inlineStr":
            text = cell.find(f"{_MAIN}is")
            cell.set("t", "str")
            SubElement(cell, f"{_MAIN}v").text = _text(text) if text is not None else None
        found = parser.parse_cell(cell)
        column, value = found["column"], found["value"]
        if column > MOST_COLUMNS:
            reason = f"has more than {MOST_COLUMNS} columns"
            raise Unreadable(reason, "take out what is not needed", row=number)
        if value is None and cell.find(f"{_MAIN}f") is not None:
            value = Broken("is a formula whose value was never saved")
        elif value in ERROR_VALUES:
            value = Broken(f"shows {value}, an error of the spreadsheet")
        if column > len(row):
            row += [None] * (column - len(row))
        row[column - 1] = value
    return row
