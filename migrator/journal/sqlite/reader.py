"""The journal as `status` and `report` read it, whether or not a run is writing it."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from migrator.domain import collector
from migrator.domain.image import Image
from migrator.domain.units import Moment
from migrator.journal.lock import holder, lock_path
from migrator.journal.port import NO_IMAGES, Followed, Holder, JournalCounts
from migrator.journal.sqlite.store import reading
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger


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

    async def unattended(self) -> list[str]:
        """`JournalReader.unattended`."""
        return []

    async def check(self) -> None:
        """`JournalReader.check`."""
        await asyncio.to_thread(self._check)

    def _ledger(self, known: Mapping[str, Image]) -> Ledger:
        with reading(self.path) as store:
            return store.ledger(known)

    def _counts(self, above: int, now: Moment) -> JournalCounts | None:
        with reading(self.path) as store, collector.paused():
            return store.counts(above, now)

    def _followed(self, before: Followed | None) -> Followed:
        with reading(self.path) as store:
            if before is not None and (rows := store.since(before.ledger.events, before.mark)) is not None:
                with collector.paused():
                    ledger = store.moved_on(before.ledger, rows)
            else:
                ledger = store.ledger(NO_IMAGES if before is None else _images(before.ledger))
            return Followed(ledger=ledger, mark=store.event_row(ledger.events))

    def _events(self, key: str | None) -> list[Event]:
        with reading(self.path) as store:
            return store.events(key)

    def _check(self) -> None:
        with reading(self.path) as store:
            store.check()


def _images(ledger: Ledger) -> dict[str, Image]:
    return {key: planned.image for key, planned in ledger.planned.items()}
