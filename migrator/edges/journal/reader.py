"""The journal as `status` and `report` read it, whether or not a run is writing it."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from migrator.core.ledger import Ledger
from migrator.core.lifecycle import Event
from migrator.edges.journal.lock import holder
from migrator.edges.journal.store import reading
from migrator.model import Image


class JournalReader:
    """Looks and never changes; each question sees one moment. Holds nothing open between questions.

    Every method raises JournalMissing where nothing has run yet, JournalTooNew, and JournalError for a file
    that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    async def ledger(self, known: Mapping[str, Image] = MappingProxyType({})) -> Ledger:
        """Everything acknowledged so far, folded: a new object each time.

        Images that equal a `known` one are that one; give the last ledger's `planned` to look again cheaply.
        """
        return await asyncio.to_thread(self._ledger, known)

    def holder(self) -> str | None:
        """Who writes it now ("process 12 on jump since ..."); None for nobody."""
        return holder(self.path.with_suffix(".lock"))

    async def events(self, key: str | None = None) -> Sequence[Event]:
        """Every event, or those of one image, oldest first."""
        return await asyncio.to_thread(self._events, key)

    async def check(self) -> None:
        """Raise JournalError unless the file is sound and its events, folded, equal its current states."""
        await asyncio.to_thread(self._check)

    async def close(self) -> None:
        """Nothing is open."""

    def _ledger(self, known: Mapping[str, Image]) -> Ledger:
        with reading(self.path) as store:
            return store.ledger(known)

    def _events(self, key: str | None) -> list[Event]:
        with reading(self.path) as store:
            return store.events(key)

    def _check(self) -> None:
        with reading(self.path) as store:
            store.check()
