"""The journal as `status` and `report` read it, whether or not a run is writing it."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from migrator.domain.image import Image
from migrator.domain.units import Moment
from migrator.journal.counting import counted
from migrator.journal.lock import holder, lock_path
from migrator.journal.port import NO_IMAGES, Followed, Holder, JournalCounts
from migrator.journal.sqlite import database
from migrator.journal.sqlite.content import (
    Content,
    Fetched,
    KeptEvent,
    KeptRows,
    KeptTail,
    expect,
    expect_same,
    read_events,
    read_general,
    read_more,
)
from migrator.journal.sqlite.earlier import EarlierRows, is_earlier
from migrator.journal.sqlite.errors import explained
from migrator.journal.sqlite.rows import PlannedRow, planned_of
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger, Planned, fold
from migrator.workflow.plan_facts import Provenance


class SqliteReader:
    """`port.JournalReader`; nothing stays open between two questions."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def ledger(self, known: Mapping[str, Image] = NO_IMAGES) -> Ledger:
        """`JournalReader.ledger`."""
        return await asyncio.to_thread(self._ledger, known)

    async def followed(self, before: Followed | None = None) -> Followed:
        """`JournalReader.followed`."""
        return await asyncio.to_thread(self._followed, before)

    async def holder(self) -> Holder | None:
        """`JournalReader.holder`."""
        return holder(lock_path(self.path))

    async def events(self, key: str | None = None) -> Sequence[Event]:
        """`JournalReader.events`."""
        return await asyncio.to_thread(self._events, key)

    async def counts(self, above: int, now: Moment) -> JournalCounts | None:
        """`JournalReader.counts`."""
        return await asyncio.to_thread(self._counts, above, now)

    async def came_from(self) -> Provenance | None:
        """`JournalReader.came_from`."""
        return await asyncio.to_thread(self._came_from)

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

    def _counts(self, above: int, now: Moment) -> JournalCounts | None:
        with database.snapshot(self.path) as connection, explained(self.path):
            if connection.execute("SELECT count(*) FROM images").fetchone()[0] <= above:
                return None
            if is_earlier(connection):
                ledger = EarlierRows(self.path, connection).ledger({})
                return counted(ledger.states, ledger.runs, now, lambda keys: ledger.planned)
            content = Content.fetched(KeptRows(self.path, connection), images=False)
        ledger = content.ledger({})
        return counted(ledger.states, ledger.runs, now, self._planned)

    def _came_from(self) -> Provenance | None:
        with database.snapshot(self.path) as connection, explained(self.path):
            if is_earlier(connection):
                return None  # no program that wrote those recorded it
            rows = KeptRows(self.path, connection)
            totals, general = rows.totals(), Fetched[KeptEvent](rows.general())
        ledger = read_general(self.path, totals, general)
        ledger.events = totals.events
        return ledger.came_from

    def _planned(self, keys: Sequence[str]) -> dict[str, Planned]:
        """Some images: of most, nobody wants to know what they are."""
        with database.snapshot(self.path) as connection, explained(self.path):
            kept = KeptRows(self.path, connection)
            rows: list[PlannedRow] = [kept.planned_one(key).fetchone() for key in keys]
        return planned_of({}, rows)

    def _followed(self, before: Followed | None) -> Followed:
        more: Fetched[KeptTail] | None = None
        with database.snapshot(self.path) as connection, explained(self.path):
            if is_earlier(connection):
                return Followed(ledger=EarlierRows(self.path, connection).ledger({}), mark=None)
            rows = KeptRows(self.path, connection)
            totals = rows.totals()
            mark = rows.event_row(totals.events)
            if before is not None and before.mark is not None:
                count = before.ledger.events
                if totals.events >= count and rows.event_row(count) == before.mark:
                    more = Fetched(rows.tail(count))
            content = Content.fetched(rows) if more is None else None
        if before is not None and more is not None:
            read_more(self.path, totals, more, before.ledger)
            return Followed(ledger=before.ledger, mark=mark)
        assert content is not None
        known = NO_IMAGES if before is None else _images(before.ledger)
        return Followed(ledger=content.ledger(known), mark=mark)

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


def _images(ledger: Ledger) -> dict[str, Image]:
    return {key: planned.image for key, planned in ledger.planned.items()}
