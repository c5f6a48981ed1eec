"""What the engine and the commands ask of a journal; every store keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

from migrator.domain.image import Image
from migrator.domain.units import Moment
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger, Planned, Run
from migrator.workflow.plan_facts import Provenance
from migrator.workflow.states import Phase, State

NO_IMAGES: Mapping[str, Image] = MappingProxyType({})


class Journal(Protocol):
    """Facts, durable in the order in which they were appended."""

    async def append(self, *events: Event) -> None:
        """Return only when the events would survive a power cut; they are kept all or none, in order of call.

        Raises JournalError (full disk, read-only, lost lock): the events were not acknowledged, and nothing
        after them will be; only opening the journal again tells whether they were kept. Raises
        ImpossibleTransition when an event cannot follow, and ValueError when one cannot be encoded: then
        nothing of the call was kept, and the journal goes on. A cancelled call may be kept or not, but never
        half.
        """

    async def ledger(self, known: Mapping[str, Image] = NO_IMAGES) -> Ledger:
        """Everything acknowledged so far, folded; the same object each time, and kept up to date.

        It changes only between two callbacks of the caller's loop. Read it and do not change it. Images that
        equal a `known` one are that one, so that a plan and its journal do not hold everything twice.
        """

    async def events(self, key: str | None = None) -> Sequence[Event]:
        """Every event, or those of one image, oldest first."""

    def holds(self) -> bool:
        """Whether this process is certainly the one that may act on this journal now.

        Always, for one that nobody can take from a process that lives.
        """

    async def close(self) -> None:
        """Finish what is on its way, and let go of the lock. Closing twice is fine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a journal for writing: one process at a time, or one for each part of it."""

    pid: int | None = None
    """None: somebody holds it, and nobody can tell who."""

    host: str = ""
    since: str = ""
    """When it took the lock: ISO 8601, UTC."""

    version: str = ""
    """Of the program that holds it."""

    name: str = ""
    """What people call the process, where it was given a name."""

    names: tuple[str, ...] = ()
    """Of several, each of which holds a part."""

    def __str__(self) -> str:
        """The holder in a sentence: "held by ..."."""
        if self.names:
            return f"{len(self.names)} workers: {', '.join(sorted(self.names))}"
        if self.pid is None:
            return "another process"
        named = f"{self.name}, " if self.name and self.name != self.host else ""
        return f"{named}process {self.pid} on {self.host} since {self.since}"


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalCounts:
    """A large journal as its store can count it, without reading every image."""

    targets: Mapping[str, Mapping[Phase, int]]
    """Images by target and phase."""

    runs: Sequence[Run]
    troubled: Sequence[tuple[Planned, State]]
    """Images that failed or are in doubt; not more than MOST_TROUBLED."""

    last_hour: int
    """Images that came to their end within the last hour, well or badly."""


MOST_TROUBLED = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A ledger that a reader made, kept by whoever will ask again."""

    ledger: Ledger
    mark: object
    """How far it has come, in the words of its store."""


class JournalReader(Protocol):
    """The journal as `status` and `report` read it, whether or not a run is writing it.

    It never changes anything; each question sees one moment. Every question but `holder` raises
    JournalMissing where nothing has run yet, JournalTooNew, and JournalError for what cannot be read.
    """

    async def ledger(self, known: Mapping[str, Image] = NO_IMAGES) -> Ledger:
        """Everything acknowledged so far, folded: a new object each time.

        Images that equal a `known` one are that one; give the last ledger's images to read again cheaply.
        """

    async def followed(self, before: Followed | None = None) -> Followed:
        """Like `ledger`, and it can be gone on with: at the cost of what was appended since `before`.

        The ledger of `before` is moved on, so nobody may read it meanwhile, nor use it after an error. Where
        it cannot be, because the journal is another by now, all of it is read anew.
        """

    async def events(self, key: str | None = None) -> Sequence[Event]:
        """Every event, or those of one image, oldest first."""

    async def holder(self) -> Holder | None:
        """Who runs the plan now; None for nobody, and where that cannot be told."""

    async def counts(self, above: int, now: Moment) -> JournalCounts | None:
        """A journal of more than `above` images, counted; None where it is smaller."""

    async def came_from(self) -> Provenance | None:
        """What the images came from, as `Ledger.came_from` has it; without reading any of them."""

    async def unattended(self) -> Sequence[str]:
        """Parts of a plan that was handed to workers which nobody works on, and why; a sentence for each
        reason. Nothing where all is in one hand."""

    async def check(self) -> None:
        """Raise JournalError unless the store is sound and its events, folded, equal what `ledger` says."""


def held_by(holder: Holder | None, unattended: Sequence[str]) -> str | None:
    """Who runs the plan, in words: a process, or workers to whom it was handed; None where nobody does."""
    if holder is not None:
        return str(holder)
    return "workers, none of them at work now" if unattended else None


async def at_work(reader: JournalReader) -> bool:
    """Whether somebody runs the plan now, or it is handed to workers and not over."""
    return await reader.holder() is not None or bool(await reader.unattended())


class JournalLocation(Protocol):
    """Where one plan's journal is kept, whether or not it is there yet. `str` is what messages call it."""

    async def exists(self) -> bool:
        """Whether a journal was ever opened here."""

    async def open(self, *, version: str) -> Journal:
        """Start the journal, or go on with it, alone: a second writer is refused at once.

        `version` is the program's, for whoever wonders who holds the lock. Raises JournalLocked (with its
        holder), JournalTooNew, and JournalError for what cannot be used.
        """

    def read(self) -> JournalReader:
        """The same journal for reading only."""
