"""Spreadsheets that list images: what whoever opens one hands over, and how a cell is named and read as text.

`migrator.plan.inventory` makes images of the rows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

MOST_ROWS = 1_048_576
"""What one sheet of Excel holds (Microsoft, Excel specifications and limits)."""

MOST_IMAGES = 1_000_000
"""What all sheets of one plan may list: about a gigabyte of memory while they are read."""

MOST_COLUMNS = 1024
"""Far more than a list of images has, and little enough that a row never fills the memory."""

ERROR_VALUES = frozenset({"#N/A", "#REF!", "#NAME?", "#VALUE!", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!"})
"""What a spreadsheet shows where it could not calculate (ECMA-376, 18.17.3, and Excel)."""


class Broken(str):
    """Stands in a cell that has no value to read, and says why: `holds #N/A, an error of the spreadsheet`."""

    __slots__ = ()


Cell = str | int | float | bool | date | time | timedelta | Broken | None
"""A cell as the file types it (a datetime is a date); None and blank text are empty."""

Row = tuple[int, Sequence[Cell]]
"""Its number as a spreadsheet counts, from 1 and with empty ones, and its cells; later ones are empty."""


class Unreadable(Exception):
    """A spreadsheet cannot be read, or not to its end. `parse_plan` makes it a line of its PlanError."""

    def __init__(self, reason: str, remedy: str = "", *, row: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.row = row
        """Where it happened; None where that cannot be said."""


class Hidden(StrEnum):
    """What becomes of rows, columns and sheets that a spreadsheet does not show."""

    READ = "read"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What the plan says of how a spreadsheet is to be read; None for nothing."""

    sheet: str | None = None
    """Of a workbook; the first where the plan names none."""

    encoding: str | None = None
    """Of a CSV file."""

    hidden: Hidden | None = None
    """Without it, something hidden is Unreadable: what a person sees is what is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One spreadsheet that is open for reading."""

    path: str
    """How problems name the file."""

    identity: str
    """The same for the same file, however the plan wrote its path."""

    rows: Iterator[Row]
    """Read once; raises Unreadable where the rest cannot be read."""

    guess: str = ""
    """What was taken for granted while it was read, in a sentence; empty where nothing was."""


Opener = Callable[[str, How], Sheet]
"""Opens the file of that path, as the plan writes it, to be read in that way. Raises Unreadable."""


def nowhere(path: str, how: How) -> Sheet:
    """An Opener for plans that stand alone."""
    raise Unreadable("cannot be read from here", "list the disks as [[images]]")


def letters(column: int) -> str:
    """What a spreadsheet calls a column; 0 is A."""
    name = ""
    column += 1
    while column:
        column, digit = divmod(column - 1, 26)
        name = chr(ord("A") + digit) + name
    return name


def column_of(cell: str) -> int:
    """The number of the column of a cell such as "C17": 1 is A."""
    number = 0
    for letter in cell:
        if not letter.isalpha():
            break
        number = 26 * number + ord(letter.upper()) - ord("A") + 1
    return number


def text_of(cell: Cell) -> str:
    """A cell as a person reads it: 40.0 is "40", true is "TRUE", a date is ISO 8601; an empty one is ""."""
    match cell:
        case None:
            return ""
        case str():
            return cell.strip()
        case bool():
            return "TRUE" if cell else "FALSE"
        case int():
            return str(cell) if abs(cell) < 10**30 else f"{cell:.15g}"
        case float():
            return f"{cell:.15g}"
        case datetime() if cell.time() == time.min:
            return cell.date().isoformat()
        case date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell)


def is_blank(cell: Cell) -> bool:
    """Whether nothing can be seen in a cell."""
    return cell is None or (isinstance(cell, str) and not cell.strip())
