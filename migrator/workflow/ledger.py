"""The journal folded: one state for each image, and what each run said of itself."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from msgspec import Struct
from msgspec.structs import replace

from migrator.domain.cloud import Fault
from migrator.domain.image import Image
from migrator.domain.units import Moment
from migrator.workflow.events import (
    Event,
    ImageEvent,
    ImagePlanned,
    NotificationDelivered,
    NotificationDropped,
    NotificationFailed,
    NotificationOwed,
    RunBegan,
    RunEnded,
    TargetHalted,
    VisibilityLearned,
)
from migrator.workflow.plan_facts import PlanFacts, Provenance
from migrator.workflow.states import State
from migrator.workflow.transitions import ImpossibleTransition, advance
from migrator.workflow.visibility_delay import ListedBy, VisibilityDelays


class Planned(Struct, frozen=True, kw_only=True, gc=False):
    """An image as the plan lists it, with the digest of what would be sent."""

    image: Image
    digest: str


@dataclass(slots=True, kw_only=True)
class Run:
    """One run of the plan."""

    run: str
    began_at: Moment
    version: str
    host: str
    pid: int
    ended_at: Moment | None = None
    """None while it runs, or after it was killed."""

    reason: str | None = None
    exit_code: int | None = None
    halted: dict[str, Fault] = field(default_factory=dict)
    """Targets that stopped submitting in this run, and why."""


class Notification(Struct, frozen=True, kw_only=True):
    """Something that a receiver is, or was, to be told."""

    owed: NotificationOwed
    failure: str = ""
    """Why the latest try failed, as far as that was recorded."""

    done: bool = False
    """It was delivered, or is owed no longer."""


_MANY = 4
"""One in so many: as many images are passed over in the time in which one is looked up by its key."""


@dataclass(slots=True, kw_only=True)
class Ledger:
    """All that is known, by key. Only `apply` and `take` change it."""

    planned: dict[str, Planned] = field(default_factory=dict)
    """Every image that any version of the plan listed, as last listed, in the order first seen."""

    states: dict[str, State] = field(default_factory=dict)
    """One for each of `planned`."""

    runs: list[Run] = field(default_factory=list)

    plan: PlanFacts | None = None
    """What the plan of the latest run says of itself; None where no run recorded it."""

    provenance: Provenance | None = None
    """What the latest run said its images came from, which may be ahead of what is written down."""

    learned: dict[tuple[str, ListedBy], VisibilityDelays] = field(default_factory=dict)
    """What each target's jobs taught about its lists."""

    notifications: dict[str, Notification] = field(default_factory=dict)
    """By id, the oldest first."""

    events: int = 0
    """How many facts it is folded of: with the first run's id, how far the journal has come."""

    last_at: Moment | None = None
    """When the last of them happened; None without any."""

    @property
    def first_run(self) -> str | None:
        """What tells this journal from another of the same plan; None before any run."""
        return self.runs[0].run if self.runs else None

    @property
    def came_from(self) -> Provenance | None:
        """What the images came from, where every one of them is written down; None where nothing tells."""
        found = self.provenance
        return found if found is not None and found.events <= self.events else None

    def images(self) -> Iterator[tuple[str, Planned, State]]:
        """Key, plan and state of every image, in the order first seen; the ledger must not change meanwhile.

        Of a million images to look up each by its key takes ten times as long.
        """
        for (key, item), state in zip(self.planned.items(), self.states.values(), strict=True):
            # They are mostly in one order, but nobody has to keep them so.
            yield key, item, state if state.key == key else self.states[key]

    def images_of(self, keys: Sequence[str]) -> Iterator[tuple[str, Planned, State]]:
        """The same of these `keys`, in their order: quickly where that is the ledger's, and they are many."""
        rest = iter(keys)
        wanted = next(rest, None)
        if len(keys) * _MANY >= len(self.planned):
            for found in self.images():
                if found[0] == wanted:
                    yield found
                    wanted = next(rest, None)
        while wanted is not None:
            yield wanted, self.planned[wanted], self.states[wanted]
            wanted = next(rest, None)

    def apply(self, event: Event) -> None:
        """Take one more fact in. Raises ImpossibleTransition when it cannot follow what is already known."""
        if isinstance(event, ImageEvent):
            self.take(event, after(self.states.get(event.key), event))
            return
        match event:
            case RunBegan(
                at=at, run=run, version=version, host=host, pid=pid, plan=plan, provenance=provenance
            ):
                self.runs.append(Run(run=run, began_at=at, version=version, host=host, pid=pid))
                self.plan = plan or self.plan
                self.provenance = provenance
            case RunEnded(at=at, run=run, reason=reason, exit_code=exit_code):
                last = self._last(event)
                if last.run != run:
                    raise ImpossibleTransition(f"{run} cannot end while {last.run} runs")
                last.ended_at, last.reason, last.exit_code = at, reason, exit_code
            case TargetHalted(target=target, fault=fault):
                self._last(event).halted[target] = fault
            case VisibilityLearned(target=target, by=by, learned=learned):
                self.learned[target, by] = learned
            case NotificationOwed(id=id_):
                self.notifications.setdefault(id_, Notification(owed=event))
            case NotificationDelivered(id=id_) | NotificationDropped(id=id_):
                self._notified(id_)
            case NotificationFailed(id=id_, reason=reason):
                self._notified(id_, reason)
        self.events += 1
        self.last_at = event.at

    def take(self, event: ImageEvent, state: State) -> None:
        """Like `apply`, for a caller who already knows the `state` that `event` leads to."""
        if isinstance(event, ImagePlanned):
            self.planned[event.key] = Planned(image=event.image, digest=event.digest)
        self.states[event.key] = state
        self.events += 1
        self.last_at = event.at

    def _notified(self, id_: str, failure: str | None = None) -> None:
        # What checks events on their way knows the last run alone; an unknown one changes nothing.
        if (known := self.notifications.get(id_)) is not None:
            self.notifications[id_] = (
                replace(known, done=True) if failure is None else replace(known, failure=failure)
            )

    def _last(self, event: Event) -> Run:
        if not self.runs:
            raise ImpossibleTransition(f"{type(event).__name__} before any run began")
        return self.runs[-1]


def after(state: State | None, event: ImageEvent) -> State:
    """The state after `event`; None is an image that nobody planned yet. Raises ImpossibleTransition."""
    if state is None:
        if not isinstance(event, ImagePlanned):
            raise ImpossibleTransition(f"{type(event).__name__} for {event.key}, which no plan ever listed")
        state = State(key=event.key)
    return advance(state, event)


def fold(events: Iterable[Event]) -> Ledger:
    """The ledger that `events`, oldest first, add up to."""
    ledger = Ledger()
    for event in events:
        ledger.apply(event)
    return ledger
