"""The one thread that touches SQLite while a journal is open for writing."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from migrator.core.ledger import Ledger
from migrator.core.lifecycle import Event, State
from migrator.edges.journal.codec import state_text
from migrator.edges.journal.store import EventRow, WritableStore
from migrator.errors import JournalError


@dataclass(slots=True)
class Batch:
    """What one or many calls of `append` want written, and who waits for it: kept all or none."""

    steps: list[tuple[Event, State | None]] = field(default_factory=list)
    """Each event, and the state it leads its image to."""

    rows: list[EventRow] = field(default_factory=list)
    images: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Digest and JSON by key."""

    states: dict[str, State] = field(default_factory=dict)
    """By key; those that have something to say."""

    waiting: list[asyncio.Future[None]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A question to the store, answered after everything queued before it."""

    question: Callable[[WritableStore], Any]
    answer: asyncio.Future[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """The last thing in the queue."""

    done: asyncio.Future[None]


class Writer:
    """Takes all that is queued, commits it at once, and tells the loop once."""

    def __init__(
        self,
        path: Path,
        *,
        version: str,
        committed: Callable[[list[Batch]], None],
        failed: Callable[[list[Batch], JournalError], None],
    ) -> None:
        self._path = path
        self._version = version
        self._committed = committed
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self.queue: SimpleQueue[Batch | Ask | Stop] = SimpleQueue()
        self.store: WritableStore | None = None

    async def start(self) -> Ledger:
        """Open the store in the thread; the ledger, but for the images themselves. Raises JournalError."""
        opened: asyncio.Future[Ledger] = self._loop.create_future()
        # A daemon: a second Ctrl-C must not wait for the disk, and a cut commit is no commit.
        Thread(target=self._work, args=[opened], name="journal", daemon=True).start()
        try:
            return await opened
        except BaseException:
            self.queue.put(Stop(done=self._loop.create_future()))
            raise

    async def ask(self, question: Callable[[WritableStore], Any]) -> Any:
        """The store's answer, which knows all that was queued before. Raises JournalError."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        self.queue.put(Ask(question=question, answer=answer))
        return await answer

    def _work(self, opened: asyncio.Future[Ledger]) -> None:
        try:
            store = self.store = WritableStore.open(self._path, version=self._version)
            with ThreadPoolExecutor(1, thread_name_prefix="journal-check") as beside:
                sound = beside.submit(store.check_quickly)
                ledger = store.beside_images()
                ledger.states = store.states()
                sound.result()
        except BaseException as error:
            if self.store is not None:
                self.store.close()
            self._tell(_fail, opened, error)
            return
        self._tell(_resolve, opened, ledger)
        stop = self._serve(store)
        try:
            store.close()
        finally:
            self._tell(_resolve, stop.done, None)

    def _serve(self, store: WritableStore) -> Stop:
        broken: JournalError | None = None
        while True:
            batches: list[Batch] = []
            item: Batch | Ask | Stop = self.queue.get()
            while isinstance(item, Batch):
                batches.append(item)
                if self.queue.empty():
                    break
                item = self.queue.get()
            if batches:
                broken = broken or self._write(store, batches)
                if broken is None:
                    self._tell(self._committed, batches)
                else:
                    self._tell(self._failed, batches, broken)
            if isinstance(item, Ask):
                try:
                    self._tell(_resolve, item.answer, item.question(store))
                except BaseException as error:
                    self._tell(_fail, item.answer, error)
            elif isinstance(item, Stop):
                return item

    def _write(self, store: WritableStore, batches: list[Batch]) -> JournalError | None:
        try:
            rows = list(chain.from_iterable(batch.rows for batch in batches))
            images: dict[str, tuple[str, str]] = {}
            states: dict[str, State] = {}
            for batch in batches:
                images |= batch.images
                states |= batch.states
            store.write(rows, images, {key: state_text(state) for key, state in states.items()})
        except JournalError as error:
            return error
        except BaseException as error:  # out of memory, or a bug: nobody may wait for ever
            return JournalError(f"{self._path}: writing failed: {error!r}")
        return None

    def _tell(self, callback: Callable[..., None], *arguments: Any) -> None:
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
