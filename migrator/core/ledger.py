"""The journal folded: one state for each image, and what each run said of itself."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from migrator.core.lifecycle import (
    Event,
    ImageEvent,
    ImagePlanned,
    ListingLearned,
    RunBegan,
    RunEnded,
    State,
    TargetHalted,
    advance,
)
from migrator.core.settle import By, Learned
from migrator.model import Fault, Image, Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
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


@dataclass(slots=True, kw_only=True)
class Ledger:
    """All that is known, by key. `apply` is the only thing that changes it."""

    planned: dict[str, Planned] = field(default_factory=dict)
    """Every image that any version of the plan listed, as last listed, in the order first seen."""

    states: dict[str, State] = field(default_factory=dict)
    """One for each of `planned`."""

    runs: list[Run] = field(default_factory=list)

    learned: dict[tuple[str, By], Learned] = field(default_factory=dict)
    """What each target's jobs taught about its lists."""

    def apply(self, event: Event) -> None:
        """Take one more fact in. Raises ImpossibleMove when it cannot follow what is already known."""
        match event:
            case ImagePlanned(key=key, image=image, digest=digest):
                self.planned[key] = Planned(image=image, digest=digest)
                self.states[key] = advance(self.states.get(key) or State(key=key), event)
            case ImageEvent(key=key):
                self.states[key] = advance(self.states[key], event)
            case RunBegan(at=at, run=run, version=version, host=host, pid=pid):
                self.runs.append(Run(run=run, began_at=at, version=version, host=host, pid=pid))
            case RunEnded(at=at, reason=reason, exit_code=exit_code):
                last = self.runs[-1]
                last.ended_at, last.reason, last.exit_code = at, reason, exit_code
            case TargetHalted(target=target, fault=fault):
                self.runs[-1].halted[target] = fault
            case ListingLearned(target=target, by=by, learned=learned):
                self.learned[target, by] = learned


def fold(events: Iterable[Event]) -> Ledger:
    """The ledger that `events`, oldest first, add up to."""
    ledger = Ledger()
    for event in events:
        ledger.apply(event)
    return ledger
