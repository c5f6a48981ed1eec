"""How many questions a run asks about its jobs; the simulator counts them."""

import pytest

from migrator.domain.plan import Limits, Policy, Polling
from migrator.domain.units import Rate
from migrator.simulator.settings import Settings
from tests.rehearsal import Rehearsal, a_plan

pytestmark = pytest.mark.anyio

FAST = Limits(max_jobs=20, submit_rate=Rate(count=10, unit="s"), submit_burst=20)
BLIND = Settings(progress="missing", listed="later", listed_after=1e6, seed=5)
"""Neither the jobs nor the lists say anything before the end."""


async def polls_for_a_job(*, sizes: bool, **more: object) -> float:
    plan = a_plan(120, limits=FAST, polling=Polling(max_interval=300.0), policy=Policy(verify=False))
    rehearsal = Rehearsal(plan, BLIND.model_copy(update=more))
    store = rehearsal.simulator.store
    if sizes:
        rehearsal.sizes = {
            image.key: store.object(image.source.bucket, image.source.key).size for image in plan.images
        }

    ending = await rehearsal.run()

    assert ending.exit_code == 0, ending
    return rehearsal.simulator.stats.requests["poll"] / len(plan.images)


async def test_where_time_goes_by_size_the_sizes_spare_most_questions():
    steady = {"job_seconds": 900.0, "job_spread": "fixed", "job_by_size": True}

    assert await polls_for_a_job(sizes=True, **steady) <= 0.5 * await polls_for_a_job(sizes=False, **steady)


async def test_where_it_does_not_the_sizes_do_no_harm():
    loose = {"job_seconds": 900.0, "job_spread": "exponential"}

    assert await polls_for_a_job(sizes=True, **loose) <= 1.1 * await polls_for_a_job(sizes=False, **loose)
