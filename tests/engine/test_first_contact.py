"""A service that this run never reached is more likely a wrong endpoint than an outage."""

import pytest

from migrator.domain.cloud import Fault
from migrator.domain.errors import RejectedError, RetryableError, Unreachable
from migrator.domain.plan import Polling
from migrator.workflow.states import Phase

pytestmark = pytest.mark.anyio

AWAY = Unreachable(Fault(code="MIG.dns", message="ims.cn-nroth-4.example: the name cannot be resolved"))
STRANGE = RetryableError(Fault(code="MIG.unreadable", message="HTTP 200 without a list of images: <html>"))
BUSY = RetryableError(Fault(code="HTTP 503", message="not today", status=503))


async def test_a_host_that_was_never_reached_ends_the_run_after_three_tries(make):
    bench = make(3, cloud={"questions": [AWAY] * 100})

    ending = await bench.run()

    assert ending.exit_code == 7
    assert "cannot be resolved" in ending.reason
    assert bench.cloud.asked == 3
    assert set(bench.phases) == {Phase.PENDING}


async def test_a_blink_of_the_network_at_the_start_is_survived(make):
    bench = make(3, cloud={"questions": [AWAY] * 2})

    ending = await bench.run()

    assert ending.exit_code == 0


async def test_a_host_that_was_never_reached_ends_a_resumed_run_as_soon_and_loses_nothing(make):
    bench = make(30, cloud={"seconds": 5000.0}, polling=Polling(deadline=3600.0))
    await bench.run()
    bench.cloud.questions = [AWAY] * 1000
    before = bench.cloud.asked

    ending = await bench.run()

    assert ending.exit_code == 7
    assert bench.cloud.asked - before <= 50
    assert set(bench.phases) == {Phase.RUNNING}
    bench.cloud.questions = []
    again = await bench.run()
    assert again.exit_code == 0
    assert len(bench.cloud.imported) == 30


async def test_an_outage_after_the_first_answer_is_waited_for(make):
    bench = make(3, cloud={"seconds": 300.0})
    job = bench.cloud.job
    turns = iter(range(1000))

    async def away_for_a_while(job_id):
        if next(turns) < 20:
            raise AWAY
        return await job(job_id)

    bench.cloud.job = away_for_a_while

    ending = await bench.run()

    assert ending.exit_code == 0


async def test_a_host_that_speaks_of_something_else_ends_the_run_and_says_what_to_check(make):
    bench = make(3, cloud={"questions": [STRANGE] * 100})

    ending = await bench.run()

    assert ending.exit_code == 7
    assert bench.cloud.asked == 3
    assert "ims_endpoint" in bench.ledger.runs[-1].halted["north"].remedy


async def test_a_service_that_is_never_well_ends_the_run_when_the_budget_is_spent(make):
    bench = make(3, cloud={"questions": [BUSY] * 10_000})

    ending = await bench.run()

    assert ending.exit_code == 7
    assert "not today" in ending.reason


async def test_a_list_that_is_refused_is_no_bug_of_ours(make):
    bench = make(3, cloud={"questions": [RejectedError(Fault(code="APIGW.0101", message="no such API"))]})

    ending = await bench.run()

    assert ending.exit_code == 7
