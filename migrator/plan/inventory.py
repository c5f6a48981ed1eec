"""The inventories of a plan as written → image tables, each with the cell that every value came from.

A row becomes the same table that an [[images]] entry would be, so every rule of images holds for it too. What
is wrong with a row is told with file, row and cell, as a spreadsheet names them.
"""

import re
from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import SchemaValidator

from migrator.domain.sheets import (
    MOST_IMAGES,
    Broken,
    Cell,
    Hidden,
    How,
    Opener,
    Row,
    Sheet,
    Unreadable,
    is_blank,
    letters,
    text_of,
)
from migrator.ims.fields import FIELDS
from migrator.plan.forms import InventoryTable, keys_of, validator_of
from migrator.plan.headings import FREE, InventoryColumn, read_heading
from migrator.plan.lines import Where
from migrator.plan.problems import Faulty, ProblemCollector, SourceCell, unknown_name

_KEYS = keys_of(InventoryTable)
_NUMBERS = frozenset(field.key for field in FIELDS if field.is_number)
_FLAGS = frozenset(field.key for field in FIELDS if field.is_flag)
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LISTED = frozenset(field.key for field in FIELDS if field.listed)
_VARIED = frozenset(field.key for field in FIELDS if field.varied)
_NO_DATES = frozenset(field.key for field in FIELDS if field.no_date)
_WHOLE = re.compile(r"[+-]?\d{1,18}(?:\.0*)?")


@cache
def _table() -> SchemaValidator:
    return validator_of(_KEYS, required=("file",))


@dataclass(slots=True, kw_only=True)
class Source:
    """Where the images of one inventory came from."""

    inventory: int
    """Position of its table in the plan."""

    path: str
    first: int
    """Position of its first image among all images."""

    columns: list[InventoryColumn] = field(default_factory=list)
    rows: "array[int]" = field(default_factory=lambda: array("L"))
    """The row of each image."""

    filled: list[int] = field(default_factory=list)
    """For each image, one bit for each of `columns` in which it has a value."""

    shared: frozenset[str] = frozenset()
    """Keys that the inventory's own table says for all its rows."""

    @property
    def where(self) -> tuple[str, int]:
        return ("inventory", self.inventory)


class Inventories:
    """All that was read from the inventories of one plan, and where each image of them stands."""

    def __init__(self) -> None:
        self.sources: list[Source] = []
        self.wrong: dict[str, set[object]] = {"target": set(), "wave": set()}
        """Targets and waves that were complained about at the inventory; its images are not blamed again."""
        self.faulty: Faulty = defaultdict(set)
        """Keys of images whose cells were complained about."""

    def place(self, where: Where) -> SourceCell | None:
        """Where in a spreadsheet something stands; None when it is not in one."""
        match where:
            case ("inventory", int(inventory), int(row), *rest):
                source = next(one for one in self.sources if one.inventory == inventory)
                cell = f"{letters(rest[0])}{row}" if rest and isinstance(rest[0], int) else ""
                return SourceCell(rank=inventory + 1, path=source.path, row=row, cell=cell)
            case ("images", int(index), *key):
                found = bisect_right(self.sources, index, key=lambda source: source.first) - 1
                if found >= 0 and index - self.sources[found].first < len(self.sources[found].rows):
                    return _place(self.sources[found], index, tuple(key))
        return None


def _place(source: Source, index: int, key: Where) -> SourceCell:
    """Where a key of an image stands, which its row may leave to the plan."""
    row, filled = source.rows[index - source.first], source.filled[index - source.first]
    column = _column(source, filled, key)
    elsewhere: Where = ()
    if column is None and key and not (key[0] in FREE.values() and len(key) == 1):
        elsewhere = (*source.where, key[0]) if key[0] in source.shared else ("defaults", *key)
        column = _column(source, -1, key)  # the empty cell, if the plan says nothing either
    return SourceCell(
        rank=source.inventory + 1,
        path=source.path,
        row=row,
        cell=f"{letters(column.position)}{row}" if column else "",
        image=index,
        key=column.heading if column else key,
        elsewhere=elsewhere,
    )


def _column(source: Source, filled: int, key: Where) -> InventoryColumn | None:
    """The column of a key among those with a bit in `filled`; an object stands for an address."""
    for wanted in (key, ("object",)) if key[:1] == ("image_url",) else (key,):
        for bit, column in enumerate(source.columns):
            if column.where == wanted[: len(column.where)] and filled >> bit & 1:
                return column
    return None


# --- Reading --------------------------------------------------------------------------------------------


def read_inventories(
    tables: object,
    images: list[Any],
    targets: Collection[str],
    waves: Collection[str],
    open_sheet: Opener,
    found: ProblemCollector,
) -> Inventories:
    """Add the images of every inventory to `images`; what is wrong goes to `found`."""
    inventories = Inventories()
    if not isinstance(tables, list):
        found.error(("inventory",), "must be a list of tables", "write [[inventory]], in double brackets")
        return inventories
    seen: dict[tuple[str, str], int] = {}
    left = MOST_IMAGES
    for index, table in enumerate(tables):
        where = ("inventory", index)
        shared = _shared(table, where, targets, waves, inventories.wrong, found)
        if shared is None:
            continue
        file, sheet_name = table["file"], table.get("sheet")
        hidden = None if "hidden" not in table else Hidden(table["hidden"])
        how = How(sheet=sheet_name, encoding=table.get("encoding"), hidden=hidden)
        try:
            sheet = open_sheet(file, how)
            if sheet.guess:
                remedy = "write its encoding below file, or save it as CSV UTF-8"
                found.warning((*where, "file"), sheet.guess, remedy, value=file)
            identity = (sheet.identity, (sheet_name or "").casefold())
            if (first := seen.setdefault(identity, index)) != index:
                reason = "is read twice, and would import all its images twice: also by"
                found.error((*where, "file"), reason, "take one out", value=file, other=("inventory", first))
                continue
            source = Source(inventory=index, path=sheet.path, first=len(images), shared=frozenset(shared))
            inventories.sources.append(source)
            left -= _read(sheet, source, shared, images, left, inventories.faulty, found)
        except Unreadable as error:
            if error.row is None:
                found.error((*where, "file"), error.reason, error.remedy, value=file)
            else:
                found.error((*where, error.row), error.reason, error.remedy)
    return inventories


def _shared(
    table: object,
    where: tuple[str, int],
    targets: Collection[str],
    waves: Collection[str],
    wrong: Mapping[str, set[object]],
    found: ProblemCollector,
) -> dict[str, str] | None:
    """What the table of an inventory says for all its rows, or None when the file is not to be read."""
    if not isinstance(table, dict):
        found.error(where, "must be a table", "write [[inventory]] above its keys", value=table)
        return None
    try:
        _table().validate_python(table)
    except ValidationError as error:
        found.refused(error.errors(include_url=False), where, list(_KEYS))
        return None
    shared = {}
    for key, known in (("target", targets), ("wave", waves)):
        if key in table:
            shared[key] = table[key]
            if table[key] not in known:
                if known or key == "wave":
                    unknown_name((*where, key), table[key], known, found)
                wrong[key].add(table[key])
    return shared


def _read(
    sheet: Sheet,
    source: Source,
    shared: Mapping[str, str],
    images: list[Any],
    left: int,
    faulty: Faulty,
    found: ProblemCollector,
) -> int:
    """Add one image for each row that is not empty, and return their number. Raises Unreadable."""
    number, heading = next(filter(_is_filled, sheet.rows), (0, ()))
    if not number:
        raise Unreadable("is empty", 'its first row names keys of an image: "name", "object", ...')
    bare = read_heading(heading, (*source.where, number), source.columns, found)
    if bare is None:
        return 0  # without all headings, every row would look wrong
    width = len(heading)
    read_row = _row_reader(source.columns, faulty, found)
    masks: dict[int, int] = {}
    first = len(images)
    for number, cells in sheet.rows:
        table, filled = read_row(cells, len(images))
        if bare or len(cells) > width:
            _check_bare(cells, bare, width, (*source.where, number), found)
        if not filled:
            continue
        if len(images) - first == left:
            remedy = "split it into several plans"
            raise Unreadable(f"takes the plan beyond {MOST_IMAGES} images", remedy, row=number)
        images.append({**shared, **table})
        source.rows.append(number)
        source.filled.append(masks.setdefault(filled, filled))
    if len(images) == first:
        raise Unreadable("lists no image: no row follows its headings", "fill it in, or take it out")
    return len(images) - first


def _row_reader(
    columns: Sequence[InventoryColumn], faulty: Faulty, found: ProblemCollector
) -> Callable[[Sequence[Cell], int], tuple[dict[str, Any], int]]:
    """Reads the cells of a row, which would be the image at a position: its table, and the columns filled."""
    texts: dict[str, str] = {}
    keep = texts.setdefault
    bits = [(1 << bit, one.position, one.key, one.name) for bit, one in enumerate(columns)]

    def read(cells: Sequence[Cell], index: int) -> tuple[dict[str, Any], int]:
        table: dict[str, Any] = {}
        filled = 0
        size = len(cells)
        for bit, position, key, name in bits:
            if position >= size or (cell := cells[position]) is None:
                continue
            if type(cell) is str:
                value: Any = cell.strip()
                if not value:
                    continue
            elif (value := _value(cell, key, name, index, faulty, found)) is None:
                filled |= bit
                continue
            if key in _NUMBERS:
                if type(value) is str and _WHOLE.fullmatch(value):
                    value = int(value.partition(".")[0])
            elif key in _FLAGS:
                value = _WORDS.get(str(value).lower(), value)
            elif key in _LISTED:
                value = str(value).replace(",", " ").split()
            elif key not in _VARIED:
                value = keep(value, value)
            filled |= bit
            if not name:
                table[key] = value
            elif key in table:
                table[key][name] = value
            else:
                table[key] = {name: value}
        return table, filled

    return read


def _is_filled(row: Row) -> bool:
    return not all(map(is_blank, row[1]))


def _value(cell: Cell, key: str, name: str, index: int, faulty: Faulty, found: ProblemCollector) -> Any:
    """What a cell that is no plain text means to a key; None when that has been said to be nothing."""
    where = ("images", index, key, name) if name else ("images", index, key)
    if isinstance(cell, Broken):
        found.error(where, str(cell), "put the value itself there, and save the file again")
        faulty[index].update((key, "image_url") if key == "object" else (key,))
        return None
    if key in _NUMBERS and isinstance(cell, int | float):
        return int(cell) if isinstance(cell, float) and cell.is_integer() else cell
    text = text_of(cell)
    if not isinstance(cell, str | int | float) and key in _NO_DATES:
        remedy = "format its column as text, and write it again"
        found.error(where, "has become a date in the spreadsheet", remedy, value=text)
    return text


def _check_bare(
    cells: Sequence[Cell], bare: set[int], width: int, where: tuple[str, int, int], found: ProblemCollector
) -> None:
    """Note what stands under no heading: once for each of the `bare` columns that are still to watch, and of
    what is further to the right, the first cell of a row."""
    for position in [*bare, *range(width, len(cells))]:
        if position >= len(cells) or is_blank(cells[position]):
            continue
        remedy = "give its column a heading, or put text that holds the delimiter in quotes"
        found.error((*where, position), "stands under no heading", remedy, value=text_of(cells[position]))
        bare.discard(position)
        if position >= width:
            return
