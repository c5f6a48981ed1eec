"""What a store has to do; the group commit does the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from migrator.domain.image import Image
from migrator.domain.units import Moment
from migrator.workflow.events import Event, ImagePlanned
from migrator.workflow.ledger import Ledger, Planned
from migrator.workflow.states import State

EventRow = tuple[Moment, str, str | None, str]
"""at, kind, key of the image if it is about one, body as JSON (`codec.read_event` reads it)."""


@dataclass(slots=True)
class Rows:
    """What one commit makes durable, all or none."""

    events: list[EventRow] = field(default_factory=list)
    """In order; these alone are the truth, and a store may leave the other two away."""

    images: dict[str, ImagePlanned] = field(default_factory=dict)
    """The last event that planned each image, of those among these events."""

    states: dict[str, State] = field(default_factory=dict)
    """The last state that these events lead each image to, by key; not of images that never began."""

    def add(self, other: "Rows") -> None:
        """Let `other` follow in the same commit."""
        self.events += other.events
        self.images |= other.images
        self.states |= other.states


class Store(Protocol):
    """Where rows are kept; it blocks, and one writer calls it, from one thread.

    Whoever made it holds the lock until `close`. Whatever goes wrong leaves as JournalError.
    """

    @property
    def name(self) -> str:
        """What messages call it, for instance its path."""

    def load(self) -> Ledger:
        """All that was ever committed, folded, but for `planned`; and a check whether the store is sound."""

    def planned(self, known: Mapping[str, Image]) -> dict[str, Planned]:
        """Every image as last planned, in the order first seen; those equal to a `known` one are that one."""

    def events(self, key: str | None) -> Sequence[Event]:
        """Every event, or those of one image, oldest first."""

    def commit(self, rows: Rows) -> None:
        """Return when the rows would survive a power cut; all of them, or none.

        After an error it is not called again: nobody knows what was kept.
        """

    def holds(self) -> bool:
        """`Journal.holds`; any thread may call it."""

    def close(self) -> None:
        """Let go of the lock and of whatever is open."""
