"""The real engine and the real IMS client against the simulator, in one process, on virtual time."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from migrator.domain.credentials import Keys
from migrator.domain.image import Decided
from migrator.domain.plan import Plan
from migrator.domain.units import Moment
from migrator.engine import Engine
from migrator.ims.client import Ims
from migrator.ims.signing import KeySigner
from migrator.journal.memory import MemoryJournal
from migrator.simulator.settings import Settings
from migrator.simulator.simulator import Simulator
from migrator.workflow.events import RunBegan
from migrator.workflow.ledger import Ledger
from migrator.workflow.resume import planned, startup_events, work_left
from migrator.workflow.verdict import Ending
from tests import examples
from tests.fakes import FakeClock
from tests.simulated import SimulatedHttp


def a_plan(count: int, **tables: object) -> Plan:
    """A plan of `count` images for the simulator."""
    return examples.a_plan(count, name="rehearsal", image_name="vm-{:05}", first=0, **tables)


class SteppedClock(FakeClock):
    """A wall clock that somebody sets while the program runs."""

    offset = 0.0
    """Seconds by which it is ahead of the true time."""

    def now(self) -> Moment:
        return super().now() + self.offset


@dataclass
class Rehearsal:
    """One plan, one simulator, as many runs as a test likes. The simulator's ledger is the judge."""

    plan: Plan
    settings: Settings = field(default_factory=Settings)
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    seed: int = 0
    timeout: float = 60.0
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Bytes of each image's object, by key, as preflight would have found them."""
    decided: Mapping[str, Decided] = field(default_factory=dict)
    """How images go in whose plan leaves that open, as preflight would have decided."""

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.own_clock = SteppedClock()
        """The program's; the cloud's is another, which nobody sets."""
        self.ledger = Ledger()
        room = max(self.settings.quota, 2 * len(self.plan.images))  # the quota has tests of its own
        self.settings = self.settings.model_copy(update={"quota": room})
        self.simulator = Simulator(self.settings, now=FakeClock.START)
        self.http = SimulatedHttp(simulator=self.simulator, clock=self.clock, timeout=self.timeout)
        self.engine: Engine

    async def open(self) -> list[str]:
        """Open the journal as a run does, and return the work left."""
        keys = Keys(ak=self.settings.access_key, sk=SecretStr(self.settings.secret_key))

        async def source() -> Keys:
            return keys

        signer = KeySigner(source, self.own_clock)
        clouds = {
            name: Ims(self.http, signer, target, target.project_id or self.settings.regions[target.region])
            for name, target in self.plan.targets.items()
        }
        self.ledger = await self.journal.ledger()
        now = self.own_clock.now()
        began = RunBegan(at=now, run="r", version="0", host="h", pid=1)
        await self.journal.append(began, *startup_events(planned(self.plan), self.ledger, now))
        rng = random.Random(self.seed)
        self.engine = Engine(
            self.plan,
            self.ledger,
            clouds,
            self.journal,
            self.own_clock,
            rng,
            sizes=self.sizes,
            decided=self.decided,
            after_import=clouds,
        )
        return work_left(self.ledger)

    async def run(self) -> Ending:
        """One run, from opening to its end."""
        keys = await self.open()
        return await self.engine.run(keys)

    @property
    def imports(self) -> dict[str, int]:
        """How many imports the simulator accepted for each name."""
        return {name: len(jobs) for name, jobs in self.simulator.accepted.items()}
