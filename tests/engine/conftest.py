"""A plan of a few images, a cloud that tells what it imported, and a run of one against the other."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from migrator.domain.plan import Plan
from migrator.engine import Engine
from migrator.journal.memory import MemoryJournal
from migrator.workflow.events import RunBegan
from migrator.workflow.ledger import Ledger
from migrator.workflow.resume import planned, startup_events, work_left
from migrator.workflow.states import Phase, State
from migrator.workflow.verdict import Ending
from tests.examples import a_plan
from tests.fakes import FakeClock, FakeCloud


@dataclass
class Bench:
    """Runs a plan, as often as a test likes, over one journal and one cloud."""

    plan: Plan = field(default_factory=lambda: a_plan(3))
    cloud: FakeCloud = field(default_factory=FakeCloud)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    engine: Engine | None = None
    ledger: Ledger = field(default_factory=Ledger)
    clock: FakeClock = field(default_factory=FakeClock)
    """The program's; the cloud has one of its own."""

    async def open(self, *, again: frozenset[str] = frozenset(), retry_failed: bool = False) -> list[str]:
        """Open the journal as a run does, and return the work left."""
        clock = self.clock
        self.ledger = await self.journal.ledger()
        await self.journal.append(RunBegan(at=clock.now(), run="r", version="0", host="h", pid=1))
        words = list(
            startup_events(
                planned(self.plan), self.ledger, clock.now(), again=again, retry_failed=retry_failed
            )
        )
        if words:
            await self.journal.append(*words)
        self.engine = Engine(
            self.plan,
            self.ledger,
            {"north": self.cloud},
            self.journal,
            clock,
            random.Random(7),
        )
        return work_left(self.ledger)

    async def run(self, **options: object) -> Ending:
        keys = await self.open(**options)  # type: ignore[arg-type]
        assert self.engine is not None
        return await self.engine.run(keys)

    def state(self, name: str) -> State:
        return self.ledger.states[f"north/{name}"]

    @property
    def phases(self) -> list[Phase]:
        return [state.phase for state in self.ledger.states.values()]


@pytest.fixture
def make() -> Callable[..., Bench]:
    """A bench; `make(count=5, policy=Policy(...), seconds=60)` changes the plan and the cloud."""

    def build(count: int = 3, *, cloud: dict[str, object] | None = None, **tables: object) -> Bench:
        return Bench(plan=a_plan(count, **tables), cloud=FakeCloud(**(cloud or {})))  # type: ignore[arg-type]

    return build
