"""How often a run asks, and how soon it knows: the simulator counts, on virtual time."""

import pytest

from migrator.domain.plan import Limits, Policy, Polling
from migrator.domain.units import Rate, Threshold
from migrator.simulator.settings import Settings
from migrator.workflow.events import JobSucceeded
from tests.rehearsal import Rehearsal, a_plan

pytestmark = pytest.mark.anyio

IMAGES = 60
SLOTS = 10
POLLING = Polling(first=10.0, min_interval=2.0, max_interval=300.0)
STEADY = Settings(job_seconds=600.0, job_spread="uniform", seed=3)


async def finished(*, max_jobs: int, **settings: object) -> Rehearsal:
    """A run of 60 images to its end, on a service that runs ten jobs at once."""
    limits = Limits(
        max_jobs=max_jobs,
        submit_rate=Rate(count=10, unit="s"),
        submit_burst=max_jobs,
        query_rate=Rate(count=10, unit="s"),
    )
    policy = Policy(max_failures=Threshold(count=IMAGES))
    plan = a_plan(IMAGES, limits=limits, polling=POLLING, policy=policy)
    rehearsal = Rehearsal(plan, STEADY.model_copy(update={"max_jobs": SLOTS, **settings}))
    ending = await rehearsal.run()
    assert ending.exit_code == 0
    return rehearsal


def requests(rehearsal: Rehearsal, kind: str) -> float:
    """Requests of a kind for each image."""
    return rehearsal.simulator.stats.requests[kind] / IMAGES


async def test_a_job_takes_few_polls_and_its_end_is_noticed_at_once():
    rehearsal = await finished(max_jobs=SLOTS)

    [region] = {target.region for target in rehearsal.plan.targets.values()}
    records = rehearsal.simulator.project(rehearsal.settings.regions[region]).records
    ends = {record.id: record.job.ends for record in records}
    ended = [fact for fact in rehearsal.journal.facts if isinstance(fact, JobSucceeded)]
    late = [fact.at - ends[fact.image_id or ""] for fact in ended]
    assert len(late) == IMAGES
    assert sum(late) / len(late) < 3.0
    assert requests(rehearsal, "poll") < 7.0


async def test_where_forecasts_are_good_lists_take_hardly_a_request():
    rehearsal = await finished(max_jobs=SLOTS)

    # Each image is read back as well, which is a list of one.
    assert requests(rehearsal, "list") < 2.0


async def test_jobs_that_the_service_lets_wait_are_asked_when_others_end():
    rehearsal = await finished(max_jobs=SLOTS + 4, at_job_limit="queue")

    assert requests(rehearsal, "poll") < 9.0


async def test_where_the_service_lets_jobs_wait_its_slots_are_kept_busy_by_a_few():
    rehearsal = await finished(max_jobs=3 * SLOTS, at_job_limit="queue")

    [region] = {target.region for target in rehearsal.plan.targets.values()}
    records = rehearsal.simulator.project(rehearsal.settings.regions[region]).records
    spans = sorted((record.job.accepted, record.job.starts, record.job.ends) for record in records)
    # Those of the first moment wait for long; after them, jobs wait for a few others only.
    waits = [starts - accepted for accepted, starts, _ in spans[3 * SLOTS + 5 :]]
    assert max(waits) < 400.0
    # From the first end to the last start every slot is taken again at once.
    starts = sorted(starts for _, starts, _ in spans)[SLOTS:]
    ends = sorted(ends for *_, ends in spans)[: len(starts)]
    assert max(start - end for start, end in zip(starts, ends, strict=True)) < 1.0
