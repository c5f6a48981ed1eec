"""The stores that keep a journal, by name."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from migrator.domain.errors import JournalError, UsageError
from migrator.journal.memory import MemoryLocation
from migrator.journal.port import JournalLocation
from migrator.journal.sqlite.location import SqliteLocation

STORES: dict[str, Callable[[Path], JournalLocation]] = {"sqlite": SqliteLocation}
"""Each makes of a plan's folder the place of its journal; `tests/journal/test_contract.py` walks them all,
and the one in a database besides."""


SCHEMES = ("postgresql://", "postgres://")
"""How the address of a database begins."""


def journal_in_memory() -> JournalLocation:
    """A journal that ends with this process."""
    return MemoryLocation()


def journal_at(folder: Path, store: str = "sqlite") -> JournalLocation:
    """The journal of the plan whose files lie in `folder`, whether or not it is there yet."""
    return STORES[store](folder)


def journal_in(url: str, plan: str, on_fenced: Callable[[JournalError], None]) -> JournalLocation:
    """The journal of a plan in the database at `url`; `on_fenced` is called when another process took it.

    Raises JournalError for an address that cannot be read, UsageError where the package for it is missing.
    """
    expect_postgres()
    from migrator.journal.postgres.connection import Database
    from migrator.journal.postgres.location import PostgresLocation

    return PostgresLocation(database=Database.at(url), plan=plan, on_fenced=on_fenced)


def expect_postgres() -> None:
    """Raise UsageError where the packages for journals in PostgreSQL are missing."""
    for package in ("psycopg", "procrastinate"):
        if find_spec(package) is None:
            raise UsageError(
                f"a journal in PostgreSQL needs the package {package}, which is not installed",
                hint="Install it with: pip install 'migrator[postgres]'",
            )
