"""The journal as `status` and `report` read it, whether or not a run is writing it."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from migrator.domain.image import Image
from migrator.domain.units import Moment
from migrator.journal.lock import holder, lock_path
from migrator.journal.port import NO_IMAGES, Holder
from migrator.journal.sqlite import database
from migrator.journal.sqlite.content import (
    Content,
    Fetched,
    KeptEvent,
    KeptRows,
    expect,
    expect_same,
    read_events,
)
from migrator.journal.sqlite.earlier import EarlierRows, is_earlier
from migrator.journal.sqlite.errors import explained
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger, fold


class SqliteReader:
    """`port.JournalReader`; nothing stays open between two questions."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def ledger(self, known: Mapping[str, Image] = NO_IMAGES) -> Ledger:
        """`JournalReader.ledger`."""
        return await asyncio.to_thread(self._ledger, known)

    async def holder(self) -> Holder | None:
        """`JournalReader.holder`."""
        return holder(lock_path(self.path))

    async def events(self, key: str | None = None) -> Sequence[Event]:
        """`JournalReader.events`."""
        return await asyncio.to_thread(self._events, key)

    async def counts(self, above: int, now: Moment) -> None:
        """`JournalReader.counts`: it is read as a whole."""

    async def unattended(self) -> list[str]:
        """`JournalReader.unattended`."""
        return []

    async def check(self) -> None:
        """`JournalReader.check`."""
        await asyncio.to_thread(self._check)

    def _ledger(self, known: Mapping[str, Image]) -> Ledger:
        with database.snapshot(self.path) as connection:
            if is_earlier(connection):
                return EarlierRows(self.path, connection).ledger(known)
            content = Content.fetched(KeptRows(self.path, connection))
        return content.ledger(known)

    def _events(self, key: str | None) -> list[Event]:
        with database.snapshot(self.path) as connection, explained(self.path):
            if is_earlier(connection):
                return list(EarlierRows(self.path, connection).events(key))
            rows: Fetched[KeptEvent] = Fetched(KeptRows(self.path, connection).events(key))
        return list(read_events(self.path, rows))

    def _check(self) -> None:
        with database.snapshot(self.path) as connection, explained(self.path):
            database.expect_sound(self.path, connection, "integrity_check")
            if is_earlier(connection):
                EarlierRows(self.path, connection).checked()
                return
            rows = KeptRows(self.path, connection)
            content, events = Content.fetched(rows), Fetched[KeptEvent](rows.events(None))
        kept = content.ledger({})
        with explained(self.path):
            folded = fold(read_events(self.path, events))
        expect_same(self.path, folded, kept)
        expect(self.path, "events", folded.events, kept.events)
