"""A run is killed after every single event, and again while it resumes; the cloud counts the imports."""

import pytest

from migrator.domain.cloud import Fault
from migrator.domain.errors import OutcomeUnknown, RetryableError
from migrator.domain.plan import Limits, Policy
from migrator.domain.units import Rate
from migrator.journal.memory import MemoryJournal, MemoryStore
from migrator.workflow.events import Event, ImagePlanned
from migrator.workflow.states import Phase
from tests.engine.conftest import Bench
from tests.examples import a_plan
from tests.fakes import FakeCloud

pytestmark = pytest.mark.anyio

LIMITS = Limits(max_jobs=2, max_requests=4, submit_rate=Rate(count=5, unit="s"))


class Killed(BaseException):
    """kill -9: nothing runs after it."""


class MortalJournal(MemoryJournal):
    """Kills the program at one event: before it is durable, or after, when nobody learns that it is."""

    def __init__(self, store: MemoryStore | None = None) -> None:
        super().__init__(store)
        self.lives: int | None = None
        self.durable_first = False

    async def append(self, *events: Event) -> None:
        if self.lives is None:
            await super().append(*events)
            return
        self.lives -= len(events)
        if self.lives >= 0:
            await super().append(*events)
            return
        if self.durable_first:
            await super().append(*events)
        raise Killed


def a_bench() -> Bench:
    script: list[Exception | str] = [
        "ok",
        OutcomeUnknown(Fault(message="lost after acceptance")),
        OutcomeUnknown(Fault(message="lost before acceptance")),
        RetryableError(Fault(message="throttled"), throttled=True),
    ]
    plan = a_plan(4, limits=LIMITS, policy=Policy(settle=90.0))
    cloud = FakeCloud(seconds=40.0, script=script, before={2})
    return Bench(plan=plan, cloud=cloud, journal=MortalJournal())


async def killed(bench: Bench, lives: int, *, durable_first: bool) -> bool:
    """Run until the journal kills it; False when the run ended before."""
    journal = bench.journal
    assert isinstance(journal, MortalJournal)
    journal.lives, journal.durable_first = lives, durable_first
    died = False
    try:
        await bench.run()
    except* Killed:
        died = True
    bench.journal = bench.journal.reopened()
    return died


@pytest.mark.parametrize("durable_first", [False, True], ids=["before it is durable", "after it is durable"])
async def test_a_run_killed_at_any_event_imports_everything_once_in_the_end(durable_first):
    for lives in range(100):
        bench = a_bench()
        died = await killed(bench, lives, durable_first=durable_first)

        ending = await bench.run()

        assert ending.exit_code == 0, f"killed after {lives} events"
        assert sorted(bench.cloud.imported) == ["web-01", "web-02", "web-03", "web-04"]
        assert set(bench.phases) == {Phase.SUCCEEDED}
        if not died:
            break
    assert not died
    assert lives > 15


@pytest.mark.parametrize("durable_first", [False, True], ids=["before it is durable", "after it is durable"])
async def test_a_run_killed_again_and_again_while_it_resumes_imports_everything_once(durable_first):
    for first in range(0, 30, 3):
        bench = a_bench()
        await killed(bench, first, durable_first=durable_first)
        for more in range(2, 14):
            await killed(bench, more, durable_first=durable_first)

        ending = await bench.run()

        assert ending.exit_code == 0
        assert sorted(bench.cloud.imported) == ["web-01", "web-02", "web-03", "web-04"]


async def test_the_plan_is_written_down_once_and_not_again_at_every_resume():
    bench = a_bench()
    for lives in (8, 3, 3):
        await killed(bench, lives, durable_first=False)

    await bench.run()

    assert sum(isinstance(fact, ImagePlanned) for fact in bench.journal.facts) == 4
