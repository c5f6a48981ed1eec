"""Where a plan's SQLite journal lies, and its two doors: `open` to run, `read` while somebody else runs."""

from dataclasses import dataclass
from pathlib import Path

from migrator.journal.group_commit import GroupCommit
from migrator.journal.sqlite.reader import SqliteReader
from migrator.journal.sqlite.store import WritableSqliteStore
from migrator.journal.sqlite.wal import Warn, nobody

FILE_NAME = "journal.db"
"""In the plan's folder; the lock lies beside it."""


@dataclass(frozen=True, slots=True)
class SqliteLocation:
    """`port.JournalLocation` of one file in a plan's folder."""

    folder: Path
    warn: Warn = nobody
    """Told what a person should see, from any thread."""

    @property
    def path(self) -> Path:
        return self.folder / FILE_NAME

    def __str__(self) -> str:
        return str(self.path)

    async def exists(self) -> bool:
        """`JournalLocation.exists`."""
        return self.path.exists()

    async def open(self, *, version: str) -> GroupCommit:
        """`JournalLocation.open`."""
        return await GroupCommit.open(
            lambda: WritableSqliteStore.open(self.path, version=version, warn=self.warn)
        )

    def read(self) -> SqliteReader:
        """`JournalLocation.read`."""
        return SqliteReader(self.path)
