"""Honest stand-ins for the sockets: each keeps the promise of its port, without the world behind it."""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from types import MappingProxyType

import anyio.lowlevel

from migrator.core.ledger import Ledger, Planned, after
from migrator.core.lifecycle import Event, ImageEvent, State
from migrator.errors import JournalError

# --- Journal --------------------------------------------------------------------------------------------


class MemoryJournal:
    """A journal whose disk is a list; `test_journal_contract.py` holds it to the real one's promises."""

    def __init__(self, facts: Iterable[Event] = ()) -> None:
        self.facts: list[Event] = []
        """Every event that was acknowledged, oldest first."""

        self.room: int | None = None
        """How many more events fit on the disk; None: as many as come."""

        self._ledger = Ledger()
        self._broken = False
        self._closed = False
        for fact in facts:
            self._keep(fact)

    def reopened(self) -> "MemoryJournal":
        """What the next run finds after this one was killed, or closed."""
        return MemoryJournal(self.facts)

    async def append(self, *events: Event) -> None:
        if self._closed:
            raise JournalError("memory: the journal is closed")
        self._refuse_impossible(events)
        if self._broken or (self.room is not None and len(events) > self.room):
            self._broken = True
            raise JournalError("memory: the disk is full")
        if self.room is not None:
            self.room -= len(events)
        for event in events:
            self._keep(event)
        await anyio.lowlevel.checkpoint()

    async def ledger(self, known: Mapping[str, Planned] = MappingProxyType({})) -> Ledger:
        for key, planned in self._ledger.planned.items():
            if known.get(key) == planned:
                self._ledger.planned[key] = known[key]
        return self._ledger

    async def events(self, key: str | None = None) -> Sequence[Event]:
        return [fact for fact in self.facts if key is None or getattr(fact, "key", None) == key]

    async def close(self) -> None:
        self._closed = True

    def _keep(self, event: Event) -> None:
        self._ledger.apply(event)
        self.facts.append(event)

    def _refuse_impossible(self, events: Sequence[Event]) -> None:
        states: dict[str, State] = {}
        runs = Ledger(runs=deepcopy(self._ledger.runs[-1:]))
        for event in events:
            if isinstance(event, ImageEvent):
                key = event.key
                states[key] = after(states.get(key) or self._ledger.states.get(key), event)
            else:
                runs.apply(event)
