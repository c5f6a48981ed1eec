"""The journal in memory: the twin of those on disk, for tests, and the shortest example of a store.

It needs no thread and no clock, so it also works on a loop with virtual time.
"""

import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec.structs import replace

from migrator.domain.errors import JournalError, JournalLocked, JournalMissing
from migrator.domain.image import Image
from migrator.domain.units import Moment
from migrator.journal.codec import event_text, read_event
from migrator.journal.group_commit import GroupCommit
from migrator.journal.port import NO_IMAGES, Followed, Holder
from migrator.journal.store import EventRow, Rows
from migrator.journal.writer import LoopWriter
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger, Planned, fold
from migrator.workflow.plan_facts import Provenance


class MemoryStore:
    """A store whose disk is a list."""

    name = "memory"

    def __init__(self, rows: Iterable[EventRow] = ()) -> None:
        self.rows = list(rows)
        """Every event that was committed, oldest first."""

        self.room: int | None = None
        """How many more events fit on the disk; None: as many as come."""

        self.created = bool(self.rows)
        """Whether a journal was ever opened here."""

        self.holder: Holder | None = None

    def load(self) -> Ledger:
        """`Store.load`."""
        ledger = fold(self.events())
        ledger.planned = {}
        return ledger

    def planned(self, known: Mapping[str, Image] = NO_IMAGES) -> dict[str, Planned]:
        """`Store.planned`."""
        return {
            key: replace(planned, image=known[key]) if known.get(key) == planned.image else planned
            for key, planned in fold(self.events()).planned.items()
        }

    def events(self, key: str | None = None) -> list[Event]:
        """`Store.events`."""
        return [read_event(kind, body) for _, kind, about, body in self.rows if key is None or about == key]

    def commit(self, rows: Rows) -> None:
        """`Store.commit`."""
        if self.room is not None:
            if len(rows.events) > self.room:
                raise JournalError("memory: no room left to write the journal")
            self.room -= len(rows.events)
        self.rows += rows.events

    def holds(self) -> bool:
        """`Store.holds`."""
        return True

    def close(self) -> None:
        """`Store.close`."""
        self.holder = None


class MemoryJournal(GroupCommit):
    """A journal over a `MemoryStore`, made without waiting for anything."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        super().__init__(LoopWriter(self.store), self.store.load(), patience=0.0)

    @property
    def facts(self) -> list[Event]:
        """Every event that was acknowledged, oldest first."""
        return self.store.events()

    def reopened(self) -> "MemoryJournal":
        """What the next run finds after this one was killed, or closed."""
        return type(self)(MemoryStore(self.store.rows))


class MemoryReader:
    """`port.JournalReader` of a `MemoryStore`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def ledger(self, known: Mapping[str, Image] = NO_IMAGES) -> Ledger:
        """`JournalReader.ledger`."""
        ledger = fold(await self.events())
        ledger.planned = self._store.planned(known)
        return ledger

    async def followed(self, before: Followed | None = None) -> Followed:
        """`JournalReader.followed`."""
        events = await self.events()
        if before is None or before.mark != events[: before.ledger.events]:
            before = Followed(ledger=Ledger(), mark=[])
        for event in events[before.ledger.events :]:
            before.ledger.apply(event)
        return Followed(ledger=before.ledger, mark=events)

    async def events(self, key: str | None = None) -> list[Event]:
        """`JournalReader.events`."""
        if not self._store.created:
            raise JournalMissing(f"{self._store.name}: nothing has run yet")
        return self._store.events(key)

    async def holder(self) -> Holder | None:
        """`JournalReader.holder`."""
        return self._store.holder

    async def counts(self, above: int, now: Moment) -> None:
        """`JournalReader.counts`: it is read as a whole."""

    async def came_from(self) -> Provenance | None:
        """`JournalReader.came_from`."""
        return fold(await self.events()).came_from

    async def unattended(self) -> list[str]:
        """`JournalReader.unattended`."""
        return []

    async def check(self) -> None:
        """`JournalReader.check`."""
        for event in await self.events():
            event_text(event)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryLocation:
    """`port.JournalLocation` in this process."""

    store: MemoryStore = field(default_factory=MemoryStore)

    def __str__(self) -> str:
        return self.store.name

    async def exists(self) -> bool:
        """`JournalLocation.exists`."""
        return self.store.created

    async def open(self, *, version: str) -> MemoryJournal:
        """`JournalLocation.open`."""
        if self.store.holder is not None:
            raise JournalLocked(f"{self}: the journal is held by {self.store.holder}")
        self.store.created = True
        self.store.holder = Holder(
            pid=os.getpid(),
            host=socket.gethostname(),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            version=version,
        )
        return MemoryJournal(self.store)

    def read(self) -> MemoryReader:
        """`JournalLocation.read`."""
        return MemoryReader(self.store)
