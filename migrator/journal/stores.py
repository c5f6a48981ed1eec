"""The stores that keep a journal, by name."""

from collections.abc import Callable
from pathlib import Path

from migrator.journal.memory import MemoryLocation
from migrator.journal.port import JournalLocation
from migrator.journal.sqlite.location import SqliteLocation

STORES: dict[str, Callable[[Path], JournalLocation]] = {"sqlite": SqliteLocation}
"""Each makes of a plan's folder the place of its journal; `tests/journal/test_contract.py` walks them all."""


def journal_in_memory() -> JournalLocation:
    """A journal that ends with this process."""
    return MemoryLocation()


def journal_at(folder: Path, store: str = "sqlite") -> JournalLocation:
    """The journal of the plan whose files lie in `folder`, whether or not it is there yet."""
    return STORES[store](folder)
