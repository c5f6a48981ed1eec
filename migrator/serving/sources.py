"""Where the plans lie that are shown: a folder of reports, or a database."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from migrator.domain.errors import JournalError
from migrator.journal.port import JournalReader
from migrator.journal.stores import journal_at, journal_in
from migrator.workflow.beliefs import ServiceSeen

ServiceOf = Callable[[str], Mapping[str, ServiceSeen]]
"""What the services of a plan were seen to do, by region; it may block."""


class Plans(Protocol):
    """Every plan of one place."""

    async def tokens(self) -> dict[str, str]:
        """For each plan's name a text that changes whenever something of it may have. Raises JournalError."""

    def reader(self, name: str) -> JournalReader:
        """The journal of one of them; `name` is one that `tokens` gave."""

    def service(self, name: str) -> Mapping[str, ServiceSeen]:
        """What the services of one of them were seen to do, by region; it may block."""


class FolderPlans:
    """Plans whose journals lie in the folders of their reports."""

    def __init__(self, folder: Path, service: ServiceOf) -> None:
        self._folder = folder
        self._service = service

    async def tokens(self) -> dict[str, str]:
        """`Plans.tokens`: by size and time of the journal's files, and by who holds it."""
        found = await asyncio.to_thread(self._marks)
        held = {name: await self.reader(name).holder() for name in found}
        return {name: f"{mark} {held[name]}" for name, mark in found.items()}

    def reader(self, name: str) -> JournalReader:
        """`Plans.reader`."""
        return journal_at(self._folder / name).read()

    def service(self, name: str) -> Mapping[str, ServiceSeen]:
        """`Plans.service`."""
        return self._service(name)

    def _marks(self) -> dict[str, str]:
        try:
            folders = sorted(path for path in self._folder.iterdir() if _has_journal(path))
        except OSError as error:
            gone = isinstance(error, FileNotFoundError)
            raise JournalError(
                f"{self._folder}: the folder is gone"
                if gone
                else f"{self._folder}: the folder cannot be read: {error.strerror}",
                hint="Put it back, or mount what it lies on; it is looked for again every two seconds."
                if gone
                else "Check its permissions and the disk; it is looked at again every two seconds.",
            ) from error
        return {path.name: " ".join(map(_mark, _files(path))) for path in folders}


def _has_journal(path: Path) -> bool:
    """Whether a journal lies in this folder; one that cannot be looked into may have one, and reading it
    says why it cannot be read."""
    try:
        return (path / "journal.db").is_file()
    except OSError:
        return True


def _files(folder: Path) -> tuple[Path, ...]:
    return folder / "journal.db", folder / "journal.db-wal", folder / "service.json"


def _mark(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "-"
    # SQLite makes an empty WAL for whoever reads, and nothing is new because of it.
    return f"{found.st_mtime_ns}.{found.st_size}" if found.st_size else "-"


class DatabasePlans:
    """Plans whose journals lie in a database."""

    def __init__(self, url: str, service: ServiceOf) -> None:
        from migrator.journal.postgres.connection import Database

        self._url = url
        self._service = service
        self._database = Database.at(url)

    async def tokens(self) -> dict[str, str]:
        """`Plans.tokens`: by what was appended, and by who is alive."""
        from migrator.journal.postgres.reader import plan_marks

        return await asyncio.to_thread(plan_marks, self._database)

    def reader(self, name: str) -> JournalReader:
        """`Plans.reader`."""
        return journal_in(self._url, name, lambda error: None).read()

    def service(self, name: str) -> Mapping[str, ServiceSeen]:
        """`Plans.service`."""
        return self._service(name)
