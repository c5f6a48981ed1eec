"""The journal of the one who runs the plan."""

import asyncio
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType

from migrator.core.ledger import Ledger, after
from migrator.core.lifecycle import Event, ImageEvent, ImagePlanned, State
from migrator.edges.journal.codec import event_text, image_text
from migrator.edges.journal.crowd import PATIENCE, Crowd
from migrator.edges.journal.reader import JournalReader
from migrator.edges.journal.store import EventRow
from migrator.edges.journal.writer import Batch, Stop, Writer
from migrator.errors import JournalError
from migrator.model import Image


class Journal:
    """Facts, durable in the order in which they were appended; made by `open`, used from that loop only.

    It holds one `State` for each image, shared with whoever reads the ledger. A caller who advances a state
    by itself gets one that equals the journal's.
    """

    def __init__(self, path: Path, *, version: str) -> None:
        self.path = path
        self._writer = Writer(path, version=version, committed=self._committed, failed=self._failed)
        self._loop = asyncio.get_running_loop()
        self._ledger = Ledger()
        self._complete = False
        self._outbox = Batch()
        self._crowd = Crowd()
        self._alarm: asyncio.Handle = self._loop.call_soon(lambda: None)
        """When the outbox is sent."""

        self._ahead: dict[str, State] = {}
        """States that events on their way to the disk lead to."""

        self._runs_ahead = Ledger()
        """The last run, as events on their way to the disk leave it."""

        self._broken: JournalError | None = None
        self._closed: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, path: Path, *, version: str) -> "Journal":
        """Start the journal at `path`, or go on with it, alone: a second writer is refused at once.

        `version` is the program's, for whoever wonders who holds the lock. Raises JournalLocked,
        JournalTooNew, and JournalError for a file or folder that cannot be used.
        """
        journal = cls(path, version=version)
        journal._ledger = await journal._writer.start()
        journal._runs_ahead = Ledger(runs=deepcopy(journal._ledger.runs[-1:]))
        return journal

    @staticmethod
    def read(path: Path) -> JournalReader:
        """The same file for reading only, whether or not somebody writes it."""
        return JournalReader(path)

    @property
    def commits(self) -> int:
        """How often the disk was made to sync for new events."""
        return 0 if self._writer.store is None else self._writer.store.commits

    async def append(self, *events: Event) -> None:
        """Return only when the events would survive a power cut; `ports.Journal` says what is raised when."""
        if self._broken is not None or self._closed is not None:
            raise self._refusal()
        self._take(events)
        done: asyncio.Future[None] = self._loop.create_future()
        waiting = self._outbox.waiting
        waiting.append(done)
        if self._crowd.complete(len(waiting)):
            self._alarm.cancel()
            # Whoever else appends in this turn of the loop goes into the same commit.
            self._alarm = self._loop.call_soon(self._send)
        elif len(waiting) == 1:
            self._alarm = self._loop.call_later(PATIENCE, self._send)
        await done

    async def ledger(self, known: Mapping[str, Image] = MappingProxyType({})) -> Ledger:
        """Everything acknowledged so far, folded; the same object each time, and kept up to date.

        Read it, and do not change it: the journal looks up there what may follow. `known` counts the first
        time only.
        """
        if not self._complete:
            if self._closed is not None:
                raise self._refusal()
            self._send()
            planned = await self._writer.ask(lambda store: store.planned(known))
            if not self._complete:
                # The file knows the order first seen; what was planned since it was opened is newer than it.
                self._ledger.planned = planned | self._ledger.planned
                self._complete = True
        return self._ledger

    async def events(self, key: str | None = None) -> Sequence[Event]:
        """Every acknowledged event, or those of one image, oldest first."""
        return await JournalReader(self.path).events(key)

    async def check(self) -> None:
        """Raise JournalError unless the file is sound and its events, folded, equal its current states."""
        await JournalReader(self.path).check()

    async def close(self) -> None:
        """Finish what is on its way, and let go of the lock. Closing twice is fine."""
        if self._closed is None:
            self._closed = self._loop.create_future()
            self._send()
            self._writer.queue.put(Stop(done=self._closed))
        await asyncio.shield(self._closed)

    def _take(self, events: Sequence[Event]) -> None:
        """Put `events` into the outbox, all of them, or raise because one cannot follow."""
        steps: list[tuple[Event, State | None]] = []
        rows: list[EventRow] = []
        images: dict[str, tuple[str, str]] = {}
        ahead: dict[str, State] = {}
        spoken: dict[str, State] = {}
        runs: Ledger | None = None
        for given in events:
            event, text = event_text(given)
            kind = type(event).__name__
            if isinstance(event, ImageEvent):
                key = event.key
                before = ahead.get(key) or self._ahead.get(key) or self._ledger.states.get(key)
                state = ahead[key] = after(before, event)
                steps.append((event, state))
                rows.append((event.at, kind, key, text))
                if isinstance(event, ImagePlanned):
                    images[key] = (event.digest, image_text(event.image))
                    # An image that never began has no row: 100,000 of them would say nothing.
                    if state == (before or State(key=key)):
                        continue
                spoken[key] = state
            else:
                runs = runs or deepcopy(self._runs_ahead)
                runs.apply(event)
                steps.append((event, None))
                rows.append((event.at, kind, None, text))
        outbox = self._outbox
        outbox.steps += steps
        outbox.rows += rows
        outbox.images |= images
        outbox.states |= spoken
        self._ahead |= ahead
        if runs is not None:
            self._runs_ahead = Ledger(runs=runs.runs[-1:])

    def _send(self) -> None:
        if self._outbox.waiting:
            self._alarm.cancel()
            self._crowd.sent(len(self._outbox.waiting))
            self._writer.queue.put(self._outbox)
            self._outbox = Batch()

    def _committed(self, batches: list[Batch]) -> None:
        for batch in batches:
            for event, state in batch.steps:
                if isinstance(event, ImageEvent) and state is not None:
                    self._ledger.take(event, state)
                    if self._ahead.get(event.key) is state:
                        del self._ahead[event.key]
                else:
                    self._ledger.apply(event)
            for done in batch.waiting:
                if not done.done():
                    done.set_result(None)

    def _failed(self, batches: list[Batch], error: JournalError) -> None:
        self._broken = error
        for batch in batches:
            for done in batch.waiting:
                if not done.done():
                    done.set_exception(self._refusal())

    def _refusal(self) -> JournalError:
        # A new one for each caller: one exception raised in many tasks would collect all their tracebacks.
        if self._broken is not None:
            return JournalError(str(self._broken), hint=self._broken.hint)
        return JournalError(f"{self.path}: the journal is closed")
