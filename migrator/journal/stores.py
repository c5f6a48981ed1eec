"""The stores that keep a journal, by name."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from migrator.domain.errors import JournalError, UsageError
from migrator.journal.memory import MemoryLocation
from migrator.journal.port import JournalLocation
from migrator.journal.sqlite.location import SqliteLocation
from migrator.journal.sqlite.wal import Warn, nobody


class MakeLocation(Protocol):
    """What makes of a plan's folder the place of its journal."""

    def __call__(self, folder: Path, warn: Warn = ..., /) -> JournalLocation:
        """`warn` is told what a person should see, from any thread."""


STORES: dict[str, MakeLocation] = {"sqlite": SqliteLocation}
"""Each makes of a plan's folder the place of its journal; `tests/journal/test_contract.py` walks them all,
and the one in a database besides."""


SCHEMES = ("postgresql://", "postgres://")
"""How the address of a database begins."""


def journal_in_memory() -> JournalLocation:
    """A journal that ends with this process."""
    return MemoryLocation()


def journal_at(folder: Path, store: str = "sqlite", warn: Warn = nobody) -> JournalLocation:
    """The journal of the plan whose files lie in `folder`, whether or not it is there yet.

    `warn` is told what a person should see, from any thread.
    """
    return STORES[store](folder, warn)


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
