"""Wave by wave, window by window."""

import pytest
from msgspec.structs import replace

from migrator.domain.cloud import Fault
from migrator.domain.plan import KeepTogether, Limits, Policy, Polling, Wave
from migrator.domain.units import Rate, Threshold
from migrator.workflow.events import AttemptBegan, JobSucceeded
from migrator.workflow.states import Phase
from tests.fakes import FakeClock

pytestmark = pytest.mark.anyio

FAST = Limits(submit_rate=Rate(count=20, unit="s"), submit_burst=20)


def in_waves(bench, *rules: Wave) -> None:
    """Give the bench's images to the waves in turn: the first third to the first one, and so on."""
    images = bench.plan.images
    share = len(images) // len(rules)
    waved = tuple(
        replace(image, wave=rules[min(number // share, len(rules) - 1)].name)
        for number, image in enumerate(images)
    )
    bench.plan = bench.plan.model_copy(update={"images": waved, "waves": rules})


def began(bench) -> dict[str, float]:
    return {f.key: f.at for f in bench.journal.facts if isinstance(f, AttemptBegan)}


async def test_a_wave_begins_when_the_one_before_is_finished(make):
    bench = make(6, limits=FAST)
    in_waves(bench, Wave(name="pilot"), Wave(name="main"))

    ending = await bench.run()

    assert ending.exit_code == 0
    ends = {f.key: f.at for f in bench.journal.facts if isinstance(f, JobSucceeded)}
    first, second = list(began(bench))[:3], list(began(bench))[3:]
    assert min(began(bench)[key] for key in second) >= max(ends[key] for key in first)


@pytest.mark.parametrize(
    ("keep", "order"),
    [
        pytest.param(KeepTogether.MACHINE, ["web-01", "web-03", "web-02", "web-04"], id="machine"),
        pytest.param(KeepTogether.NONE, ["web-01", "web-02", "web-03", "web-04"], id="none"),
    ],
)
async def test_disks_of_a_machine_are_submitted_one_after_another_where_the_plan_keeps_them_together(
    make, keep, order
):
    bench = make(4, limits=FAST, policy=Policy(keep_together=keep))
    images = tuple(
        replace(image, labels={"machine": f"m{number % 2}"}) for number, image in enumerate(bench.plan.images)
    )
    bench.plan = bench.plan.model_copy(update={"images": images})

    await bench.run()

    assert [key.removeprefix("north/") for key in began(bench)] == order


async def test_too_few_successes_of_a_pilot_end_the_run(make):
    fault = Fault(code="IMG.0057", message="image file not found")
    bench = make(
        6,
        cloud={"job_faults": {"web-01": fault}},
        limits=FAST,
        policy=Policy(max_failures=Threshold(count=9)),
    )
    in_waves(bench, Wave(name="pilot", proceed=Threshold(fraction=0.9)), Wave(name="main"))

    ending = await bench.run()

    assert ending.exit_code == 5
    assert "of wave pilot only 2 of 3 succeeded" in ending.reason
    assert bench.phases.count(Phase.PENDING) == 3


async def test_nothing_is_submitted_before_a_wave_may_begin(make):
    bench = make(2, limits=FAST)
    in_waves(bench, Wave(name="night", not_before=FakeClock.START + 7200.0))

    ending = await bench.run()

    assert ending.exit_code == 0
    assert min(began(bench).values()) >= FakeClock.START + 7200.0


async def test_a_window_that_closes_ends_the_run_and_the_next_one_goes_on(make):
    bench = make(20, limits=FAST.model_copy(update={"max_jobs": 2}))
    in_waves(bench, Wave(name="night", not_after=FakeClock.START + 100.0))

    ending = await bench.run()

    assert ending.exit_code == 7
    assert "the window of wave night closed" in ending.reason
    assert max(began(bench).values()) <= FakeClock.START + 100.0
    assert bench.phases.count(Phase.RUNNING) == 0
    bench.plan = bench.plan.model_copy(update={"waves": (Wave(name="night"),)})
    assert (await bench.run()).exit_code == 0
    assert len(bench.cloud.imported) == 20


async def test_a_wave_that_waits_for_an_overdue_job_does_not_wait_for_ever(make):
    bench = make(4, cloud={"seconds": 9000.0}, limits=FAST, polling=Polling(deadline=600.0))
    in_waves(bench, Wave(name="pilot"), Wave(name="main"))

    ending = await bench.run()

    assert ending.exit_code == 7
    assert bench.phases.count(Phase.OVERDUE) == 2
    assert bench.phases.count(Phase.PENDING) == 2


async def test_larger_objects_go_first_when_their_sizes_are_known(make):
    bench = make(3, limits=FAST.model_copy(update={"max_jobs": 1}))
    keys = await bench.open()
    bench.engine.sizes = {"north/web-01": 1, "north/web-02": 3, "north/web-03": 2}

    await bench.engine.run(keys)

    assert bench.cloud.imported == ["web-02", "web-03", "web-01"]
