"""The group commit, which every store shares: a sync costs the same for one row and for a hundred.

Its rules:

* An event is checked against the ledger, and against events still on their way, before it gets into a batch.
* A call's events are in one batch, all of them, or none because one cannot follow or cannot be encoded.
* The ledger moves on only when the commit is done, and before the callers who wait for it go on.
* Once a commit fails, nothing after it is acknowledged: only opening the journal again tells what was kept.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from operator import eq

from migrator.domain.errors import JournalError
from migrator.domain.image import Image
from migrator.journal.codec import event_text
from migrator.journal.port import NO_IMAGES
from migrator.journal.store import EventRow, Store
from migrator.journal.writer import Batch, ThreadWriter, Writer
from migrator.workflow.events import Event, ImageEvent, ImagePlanned
from migrator.workflow.ledger import Ledger, after
from migrator.workflow.states import State

PATIENCE = 0.002
"""Seconds that the first caller of a batch waits at most for others."""

TRIAL_EVERY = 32
"""Commits after which one waits to the end, to see how many come."""

KEPT = 0.75
"""What is left of the expected number when fewer came."""


class CommitDelay:
    """Learns how many callers usually come together; whoever is the last of them need not wait.

    Callers in lockstep, each back as soon as the last commit released them, are complete at once; those that
    trickle in are waited for.
    """

    __slots__ = ("_commits", "_expected")

    def __init__(self) -> None:
        self._expected = 1
        self._commits = 0

    def complete(self, waiting: int) -> bool:
        """Whether `waiting` callers are as many as are likely to come."""
        return waiting >= self._expected and self._commits % TRIAL_EVERY != 0

    def sent(self, waiting: int) -> None:
        """A commit with so many callers is on its way."""
        self._commits += 1
        self._expected = max(waiting, int(self._expected * KEPT), 1)


class GroupCommit:
    """A journal over any store, `port.Journal`; used from one loop only.

    It holds one `State` for each image, shared with whoever reads the ledger. A caller who advances a state
    by itself gets one that equals the journal's.
    """

    def __init__(self, writer: Writer, ledger: Ledger, *, patience: float = PATIENCE) -> None:
        self.commits = 0
        """How many commits were done, each with one sync."""

        self._writer = writer
        self._ledger = ledger
        """As the store loaded it, without the images themselves; the first `ledger` reads them."""

        self._complete = False
        self._patience = patience
        self._delay = CommitDelay()
        self._batch = Batch()
        self._timer: asyncio.Handle | None = None
        """When the batch is sent."""

        self._states_ahead: dict[str, State] = {}
        """States that events on their way lead to."""

        self._runs_ahead = Ledger(runs=deepcopy(ledger.runs[-1:]))
        """The last run, as events on their way leave it."""

        self._broken: JournalError | None = None
        self._closed: asyncio.Future[None] | None = None
        writer.on_commit(self._on_commit)

    @classmethod
    async def open(cls, open_store: Callable[[], Store]) -> "GroupCommit":
        """A journal over a store that blocks: it is opened, and used, in a thread. Raises JournalError."""
        return cls(*await ThreadWriter.open(open_store))

    async def append(self, *events: Event) -> None:
        """`Journal.append`."""
        if self._broken is not None or self._closed is not None:
            raise self._refusal()
        self._take(events)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        waiting = self._batch.waiting
        waiting.append(done)
        if self._delay.complete(len(waiting)):
            if self._timer is not None:
                self._timer.cancel()
            # Whoever else appends in this iteration of the loop goes into the same commit.
            self._timer = loop.call_soon(self._send)
        elif len(waiting) == 1:
            self._timer = loop.call_later(self._patience, self._send)
        await done

    async def ledger(self, known: Mapping[str, Image] = NO_IMAGES) -> Ledger:
        """`Journal.ledger`; `known` counts the first time only."""
        if not self._complete:
            if self._closed is not None:
                raise self._refusal()
            self._send()
            planned = await self._writer.ask(lambda store: store.planned(known))
            if not self._complete:
                # The store knows the order first seen; what was planned since it was opened is newer than it.
                planned |= self._ledger.planned
                # By the keys of the states, so that a million of them are not kept twice.
                states = self._ledger.states
                in_order = len(states) == len(planned) and all(map(eq, states, planned))
                items = planned.values() if in_order else map(planned.__getitem__, states)
                self._ledger.planned = dict(zip(states, items, strict=True))
                self._complete = True
        return self._ledger

    async def events(self, key: str | None = None) -> Sequence[Event]:
        """`Journal.events`."""
        if self._closed is not None:
            raise self._refusal()
        return await self._writer.ask(lambda store: store.events(key))

    def holds(self) -> bool:
        """`Journal.holds`."""
        return self._broken is None and self._writer.store.holds()

    async def close(self) -> None:
        """`Journal.close`."""
        if self._closed is None:
            self._closed = asyncio.get_running_loop().create_future()
            self._send()
            self._writer.stop(self._closed)
        await asyncio.shield(self._closed)

    def _take(self, events: Sequence[Event]) -> None:
        """Put `events` into the batch, all of them, or raise because one cannot follow."""
        steps: list[tuple[Event, State | None]] = []
        rows: list[EventRow] = []
        images: dict[str, ImagePlanned] = {}
        ahead: dict[str, State] = {}
        changed: dict[str, State] = {}
        runs: Ledger | None = None
        for given in events:
            event, text = event_text(given)
            kind = type(event).__name__
            if isinstance(event, ImageEvent):
                key = event.key
                before = ahead.get(key) or self._states_ahead.get(key) or self._ledger.states.get(key)
                state = ahead[key] = after(before, event)
                steps.append((event, state))
                rows.append((event.at, kind, key, text))
                if isinstance(event, ImagePlanned):
                    images[key] = event
                    # An image that never began has no row: 100,000 of them would say nothing.
                    if state == (before or State(key=key)):
                        continue
                changed[key] = state
            else:
                runs = runs or deepcopy(self._runs_ahead)
                runs.apply(event)
                steps.append((event, None))
                rows.append((event.at, kind, None, text))
        self._batch.steps += steps
        together = self._batch.rows
        together.events += rows
        together.images |= images
        together.states |= changed
        self._states_ahead |= ahead
        if runs is not None:
            self._runs_ahead = Ledger(runs=runs.runs[-1:])

    def _send(self) -> None:
        batch = self._batch
        if batch.waiting:
            if self._timer is not None:
                self._timer.cancel()
            self._delay.sent(len(batch.waiting))
            self._batch = Batch()
            self._writer.put(batch)

    def _on_commit(self, batches: list[Batch], error: JournalError | None) -> None:
        if error is not None:
            self._broken = error
            for batch in batches:
                for done in batch.waiting:
                    if not done.done():
                        done.set_exception(self._refusal())
            return
        self.commits += 1
        for batch in batches:
            for event, state in batch.steps:
                if isinstance(event, ImageEvent) and state is not None:
                    self._ledger.take(event, state)
                    if self._states_ahead.get(event.key) is state:
                        del self._states_ahead[event.key]
                else:
                    self._ledger.apply(event)
            for done in batch.waiting:
                if not done.done():
                    done.set_result(None)

    def _refusal(self) -> JournalError:
        # A new one for each caller: one exception raised in many tasks would collect all their tracebacks.
        if self._broken is not None:
            return type(self._broken)(str(self._broken), hint=self._broken.hint)
        return JournalError(f"{self._writer.store.name}: the journal is closed")
