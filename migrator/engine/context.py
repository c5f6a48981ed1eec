"""What a handler is given, and what it gives back: neither holds the engine, nor the journal."""

import random
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from migrator.domain.cloud import Fault
from migrator.domain.plan import Plan
from migrator.domain.ports import Clock
from migrator.domain.units import Moment
from migrator.engine.listing import Listing
from migrator.engine.target_worker import TargetWorker
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger
from migrator.workflow.states import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One target at work, as its handlers see it: plan and ledger to read, a cloud to ask, time and dice."""

    plan: Plan
    ledger: Ledger
    """Read only: what is in it is durable."""

    worker: TargetWorker
    """The target's memory: its pace, its watched jobs, what its lists taught."""

    listing: Listing
    clock: Clock
    rng: random.Random
    log: FilteringBoundLogger

    def state(self, key: str) -> State:
        """Where an image stands."""
        return self.ledger.states[key]

    def now(self) -> Moment:
        return self.clock.now()


@dataclass(frozen=True, slots=True, kw_only=True)
class Halt:
    """Nothing more is submitted to this target."""

    fault: Fault
    exit_code: int
    drain: bool
    """Running jobs are followed to their end all the same."""


@dataclass(slots=True, kw_only=True)
class Result:
    """What a handler found out. The driver records the events, and then schedules what follows."""

    events: list[Event] = field(default_factory=list)
    """Made durable together, before anybody acts on them."""

    after: dict[str, float | None] = field(default_factory=dict)
    """Seconds until an image's next step; None: when it is worth it, which is also what images with an event
    and without an entry get. An image without an event is scheduled all the same."""

    announced: tuple[str, ...] = ()
    """Images of other work items that are worth a question now. Whether one is under way is looked at once
    the events are recorded: a question that began meanwhile must not be asked twice."""

    begun: tuple[str, ...] = ()
    """Images whose jobs waited at the service, and have begun by now most likely: worth a question soon."""

    released: frozenset[str] = frozenset()
    """Images that hold no slot of the job limit any more, although nobody is sure yet."""

    sweep: bool = False
    """One more list of everything may be worth its requests."""

    halt: Halt | None = None
    last: bool = False
    """No request follows: somebody else may send one while this is recorded."""

    beside: bool = False
    """The handler goes on asking while this is recorded."""
