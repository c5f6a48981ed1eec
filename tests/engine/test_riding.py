"""How far a job is goes into the journal with the next fact of its target: it decides nothing by itself."""

from dataclasses import dataclass, field

import anyio
import pytest

from migrator.domain.cloud import JobStatus
from migrator.engine.context import Result
from migrator.engine.driver import TOGETHER, Driver
from migrator.workflow.events import AttemptBegan, Event, JobAccepted, JobProgressed, JobSucceeded
from migrator.workflow.verdict import StopReason
from tests.engine.conftest import Bench
from tests.fakes import FakeCloud

pytestmark = pytest.mark.anyio


class Running(Bench):
    """Three imports run, as the last commit says."""

    async def driver(self) -> Driver:
        keys = await self.open()
        assert self.engine is not None
        self.engine._open_targets(keys)
        driver = self.engine.drivers["north"]
        for key in keys:
            digest = self.ledger.planned[key].digest
            began = AttemptBegan(at=1.0, key=key, attempt=1, digest=digest)
            await driver.record(began, JobAccepted(at=2.0, key=key, job_id=f"job-{key}"))
        return driver


@dataclass
class AskedAboutAll(FakeCloud):
    """Says so when each of three jobs was asked about."""

    everyone: anyio.Event = field(default_factory=anyio.Event)
    ids: set[str] = field(default_factory=set)

    async def job(self, job_id: str) -> JobStatus:
        self.ids.add(job_id)
        if len(self.ids) == 3:
            self.everyone.set()
        return await super().job(job_id)


def progressed(key: str) -> Result:
    return Result(events=[JobProgressed(at=3.0, key=key, progress=0.5)])


async def test_progress_shares_the_commit_of_the_next_fact():
    bench = Running()
    driver = await bench.driver()
    first, second, _ = bench.ledger.states
    seen: list[Event] = []
    driver._observe = seen.append
    commits = bench.journal.commits

    await driver._carry_out(progressed(first))
    assert bench.journal.commits == commits
    await driver._carry_out(Result(events=[JobSucceeded(at=4.0, key=second, image_id="i")]))

    assert bench.journal.commits == commits + 1
    assert bench.ledger.states[first].progress == 0.5
    assert [type(event) for event in seen] == [JobProgressed, JobSucceeded]
    assert bench.journal.facts[-2:] == seen


async def test_its_own_end_comes_after_it():
    bench = Running()
    driver = await bench.driver()
    first, *_ = bench.ledger.states

    await driver._carry_out(progressed(first))
    await driver._carry_out(Result(events=[JobSucceeded(at=4.0, key=first, image_id="i")]))

    assert [type(event) for event in bench.journal.facts[-2:]] == [JobProgressed, JobSucceeded]


async def test_where_nothing_happened_lately_it_is_recorded_at_once():
    bench = Running()
    driver = await bench.driver()
    first, *_ = bench.ledger.states
    await anyio.sleep(TOGETHER)

    await driver._carry_out(progressed(first))

    assert bench.ledger.states[first].progress == 0.5


async def test_the_image_is_asked_about_again_whether_or_not_it_is_recorded_yet():
    bench = Running()
    driver = await bench.driver()
    first, *_ = bench.ledger.states

    await driver._carry_out(progressed(first))

    assert not driver.worker.scheduler.asking(first)


async def test_a_run_that_is_stopped_records_what_was_put_off():
    """All three are asked at about the same time: one is recorded at once, the others wait for company."""
    cloud = AskedAboutAll(seconds=30.0)
    bench = Bench(cloud=cloud)

    async def stop() -> None:
        await cloud.everyone.wait()
        assert bench.engine is not None
        bench.engine.stop(StopReason.TIME)

    async with anyio.create_task_group() as group:
        group.start_soon(stop)
        await bench.run()

    told = {fact.key for fact in bench.journal.facts if isinstance(fact, JobProgressed)}
    assert told == set(bench.ledger.states)
