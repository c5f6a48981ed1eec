"""The two ways in which batches come to a store: by a thread of its own, or within the loop."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol, TypeVar

from migrator.domain.errors import JournalError
from migrator.journal.store import Rows, Store
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger
from migrator.workflow.states import State

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Batch:
    """What one or many calls of `append` want written, and who waits for it: kept all or none."""

    rows: Rows = field(default_factory=Rows)

    steps: list[tuple[Event, State | None]] = field(default_factory=list)
    """Each event, and the state that it leads its image to."""

    waiting: list[asyncio.Future[None]] = field(default_factory=list)


OnCommit = Callable[[list[Batch], JournalError | None], None]
"""These batches are durable; or why they, and all that follow, are not."""


class Writer(Protocol):
    """Commits batches in the order in which they were put, and says in the loop what became of them."""

    @property
    def store(self) -> Store:
        """The store; only its name is for everybody."""

    def on_commit(self, callback: OnCommit) -> None:
        """Call `callback` after each commit, from the loop; set before the first `put`."""

    def put(self, batch: Batch) -> None:
        """Commit `batch` after everything that was put before."""

    async def ask(self, question: Callable[[Any], Answer]) -> Answer:
        """What the store answers after everything that was put before. Raises JournalError."""

    def stop(self, done: asyncio.Future[None]) -> None:
        """Close the store after everything that was put before; then `done`."""


class _Committer:
    """Commits to a store until it fails once; from then on everything fails in the same way."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._broken: JournalError | None = None

    def commit(self, batches: list[Batch]) -> JournalError | None:
        """One commit for all of them; None when they are durable."""
        if self._broken is None:
            try:
                self._store.commit(_together(batches))
            except JournalError as error:
                self._broken = error
            except BaseException as error:  # out of memory, or a bug: nobody may wait for ever
                self._broken = JournalError(f"{self._store.name}: writing failed: {error!r}")
        return self._broken


def _together(batches: list[Batch]) -> Rows:
    rows = batches[0].rows
    for batch in batches[1:]:
        rows.add(batch.rows)
    return rows


class LoopWriter:
    """Commits at once, within the loop: for a store that does not wait for a disk."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._committer = _Committer(store)
        self._on_commit: OnCommit

    def on_commit(self, callback: OnCommit) -> None:
        """`Writer.on_commit`."""
        self._on_commit = callback

    def put(self, batch: Batch) -> None:
        """`Writer.put`."""
        self._on_commit([batch], self._committer.commit([batch]))

    async def ask(self, question: Callable[[Any], Answer]) -> Answer:
        """`Writer.ask`."""
        return question(self.store)

    def stop(self, done: asyncio.Future[None]) -> None:
        """`Writer.stop`."""
        self.store.close()
        done.set_result(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    ask: Callable[[Any], Any]
    answer: asyncio.Future[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stop:
    """The last thing in the queue."""

    done: asyncio.Future[None]


class ThreadWriter:
    """The one thread that touches a store while its journal is open.

    It takes all that is queued, commits it at once, and calls the loop once. Made by `open`.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Batch | _Question | _Stop] = SimpleQueue()
        self._on_commit: OnCommit
        self.store: Store

    @classmethod
    async def open(cls, open_store: Callable[[], Store]) -> tuple["ThreadWriter", Ledger]:
        """Open the store in a thread, and load it. Raises JournalError; then nothing stays open."""
        writer = cls()
        opened: asyncio.Future[Ledger] = writer._loop.create_future()
        # A daemon: a second Ctrl-C must not wait for the disk, and a cut commit is no commit.
        Thread(target=writer._work, args=[open_store, opened], name="journal", daemon=True).start()
        try:
            return writer, await opened
        except BaseException:
            writer.stop(writer._loop.create_future())
            raise

    def on_commit(self, callback: OnCommit) -> None:
        """`Writer.on_commit`."""
        self._on_commit = callback

    def put(self, batch: Batch) -> None:
        """`Writer.put`."""
        self._queue.put(batch)

    async def ask(self, question: Callable[[Any], Answer]) -> Answer:
        """`Writer.ask`."""
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._queue.put(_Question(ask=question, answer=answer))
        return await answer

    def stop(self, done: asyncio.Future[None]) -> None:
        """`Writer.stop`."""
        self._queue.put(_Stop(done=done))

    def _work(self, open_store: Callable[[], Store], opened: asyncio.Future[Ledger]) -> None:
        try:
            store = self.store = open_store()
            try:
                ledger = store.load()
            except BaseException:
                store.close()
                raise
        except BaseException as error:
            self._call_in_loop(_fail, opened, error)
            return
        self._call_in_loop(_resolve, opened, ledger)
        stop = self._serve(store)
        try:
            store.close()
        finally:
            self._call_in_loop(_resolve, stop.done, None)

    def _serve(self, store: Store) -> _Stop:
        committer = _Committer(store)
        while True:
            batches: list[Batch] = []
            item: Batch | _Question | _Stop = self._queue.get()
            while isinstance(item, Batch):
                batches.append(item)
                if self._queue.empty():
                    break
                item = self._queue.get()
            if batches:
                self._call_in_loop(self._on_commit, batches, committer.commit(batches))
            if isinstance(item, _Question):
                try:
                    self._call_in_loop(_resolve, item.answer, item.ask(store))
                except BaseException as error:
                    self._call_in_loop(_fail, item.answer, error)
            elif isinstance(item, _Stop):
                return item

    def _call_in_loop(self, callback: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            pass  # the loop is closed, so nobody waits any more


def _resolve(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
