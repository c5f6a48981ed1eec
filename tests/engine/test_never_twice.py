"""Nothing is imported twice, whatever clock, list or answer says: the cloud's own count is the judge."""

from math import inf

import anyio
import pytest

from migrator.domain.cloud import CloudImage, Fault
from migrator.domain.errors import OutcomeUnknown
from migrator.domain.plan import Limits, Policy, Polling
from migrator.workflow.states import Outcome, Phase
from tests.engine.conftest import Bench
from tests.fakes import FakeClock

pytestmark = pytest.mark.anyio

TIMED_OUT = OutcomeUnknown(Fault(code="MIG.timeout", message="no answer for 60 s"))
GATEWAY = OutcomeUnknown(Fault(message="HTTP 504", status=504))
BROKEN = OutcomeUnknown(Fault(message="HTTP 502", status=502), final=True)
MANY = Limits(max_jobs=40)


@pytest.mark.parametrize(
    ("error", "late"),
    [
        pytest.param(GATEWAY, 10.0, id="504, accepted 10 s later"),
        pytest.param(TIMED_OUT, 300.0, id="no answer, accepted 5 min later"),
        pytest.param(TIMED_OUT, 840.0, id="no answer, accepted 14 min later"),
    ],
)
async def test_a_request_without_a_final_answer_may_be_accepted_late(make, error, late):
    bench: Bench = make(30, cloud={"script": ["ok"] * 9 + [error], "late": {9: late}}, limits=MANY)

    ending = await bench.run()

    assert ending.exit_code == 0
    assert len(bench.cloud.imported) == len(set(bench.cloud.imported)) == 30


async def test_one_that_was_never_accepted_is_submitted_again_when_both_clocks_are_over(make):
    bench: Bench = make(30, cloud={"script": ["ok"] * 9 + [TIMED_OUT], "before": {9}}, limits=MANY)

    ending = await bench.run()

    assert ending.exit_code == 0
    assert sorted(bench.cloud.imported) == sorted(image.name for image in bench.plan.images)
    (state,) = [one for one in bench.ledger.states.values() if len(one.attempts) == 2]
    assert state.attempts[0].outcome is Outcome.NOT_FOUND
    assert state.attempts[1].began_at - state.attempts[0].began_at >= 900.0 + 60.0


async def test_after_a_final_answer_nobody_waits_for_late_acceptance(make):
    bench: Bench = make(30, cloud={"script": ["ok"] * 9 + [BROKEN], "before": {9}}, limits=MANY)

    assert (await bench.run()).exit_code == 0

    (state,) = [one for one in bench.ledger.states.values() if len(one.attempts) == 2]
    assert state.attempts[1].began_at - state.attempts[0].began_at < 300.0


async def test_while_jobs_of_ours_run_unlisted_no_attempt_is_given_up(make):
    cloud = {"script": [BROKEN], "seconds": 7200.0, "visible_after": inf}
    bench: Bench = make(30, cloud=cloud, limits=MANY)

    ending = await bench.run()

    assert ending.exit_code == 0
    assert len(bench.cloud.imported) == len(set(bench.cloud.imported)) == 30


async def test_where_nothing_can_tell_a_person_has_to(make):
    bench: Bench = make(1, cloud={"script": [BROKEN], "before": {0}})

    ending = await bench.run()

    assert ending.exit_code == 7
    assert bench.cloud.imported == []
    assert bench.state("web-01").held
    assert "no other import of this target shows" in str(bench.state("web-01").fault)


async def test_a_plan_that_says_how_long_to_look_has_its_way_where_nothing_is_known(make):
    cloud = {"script": [BROKEN], "before": {0}}
    bench: Bench = make(1, cloud=cloud, policy=Policy(settle=120.0))

    assert (await bench.run()).exit_code == 0
    assert bench.cloud.imported == ["web-01"]


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
async def test_a_wall_clock_that_jumps_ends_no_doubt_and_makes_nothing_overdue(make, jump):
    cloud = {"script": ["ok"] * 9 + [TIMED_OUT], "late": {9: 600.0}, "seconds": 1200.0}
    bench: Bench = make(30, cloud=cloud, limits=MANY, polling=Polling(deadline=3600.0))
    keys = await bench.open()

    async with anyio.create_task_group() as group:

        async def set_the_clock() -> None:
            await anyio.sleep(120.0)
            bench.clock.off = jump

        group.start_soon(set_the_clock)
        assert bench.engine is not None
        ending = await bench.engine.run(keys)

    assert ending.exit_code == 0
    assert len(bench.cloud.imported) == len(set(bench.cloud.imported)) == 30
    assert Phase.OVERDUE not in bench.phases


async def test_after_a_jump_of_the_wall_clock_a_doubt_is_counted_anew(make):
    bench: Bench = make(30, cloud={"script": ["ok"] * 9 + [TIMED_OUT], "before": {9}}, limits=MANY)
    keys = await bench.open()
    assert bench.engine is not None

    async with anyio.create_task_group() as group:

        async def set_the_clock() -> None:
            await anyio.sleep(600.0)
            bench.clock.off = 3600.0

        group.start_soon(set_the_clock)
        assert (await bench.engine.run(keys)).exit_code == 0

    (state,) = [one for one in bench.ledger.states.values() if len(one.attempts) == 2]
    elapsed = state.attempts[1].began_at - 3600.0 - state.attempts[0].began_at
    assert elapsed >= 600.0 + 900.0


async def test_a_leftover_that_is_listed_late_does_not_end_a_later_doubt_either(make):
    bench: Bench = make(5, cloud={"job_faults": {"web-01": Fault(code="IMG.0014", message="failed")}})
    await bench.run()
    tags = next(job.tags for job in bench.cloud.jobs.values() if job.image.name == "web-01")
    left = CloudImage(id="left", name="web-01", status="killed", tags=tags, created_at=FakeClock.START + 1.0)
    bench.cloud.job_faults.clear()
    bench.cloud.script, bench.cloud.visible_after = [TIMED_OUT], 20.0
    submit = bench.cloud.submit

    async def and_then_the_leftover_shows(image, marker):
        try:
            return await submit(image, marker)
        finally:
            bench.cloud.extra = [left]

    bench.cloud.submit = and_then_the_leftover_shows  # type: ignore[method-assign]

    ending = await bench.run(retry_failed=True)

    assert ending.exit_code == 0
    assert bench.state("web-01").phase is Phase.SUCCEEDED


async def test_what_an_earlier_attempt_left_behind_does_not_end_a_later_doubt(make):
    """The first attempt failed in the cloud and left a killed image; the second one's answer is lost."""
    bench: Bench = make(5, cloud={"job_faults": {"web-01": Fault(code="IMG.0014", message="failed")}})
    await bench.run()
    tags = next(job.tags for job in bench.cloud.jobs.values() if job.image.name == "web-01")
    bench.cloud.extra.append(
        CloudImage(id="left", name="web-01", status="killed", tags=tags, created_at=FakeClock.START + 1.0)
    )
    bench.cloud.job_faults.clear()
    bench.cloud.script = [TIMED_OUT]

    ending = await bench.run(retry_failed=True)

    assert ending.exit_code == 0
    assert bench.state("web-01").phase is Phase.SUCCEEDED
    assert bench.cloud.imported.count("web-01") == 2
    assert "left" in bench.state("web-01").disowned


async def test_an_answer_that_names_another_images_job_is_a_doubt_and_no_failure(make, monkeypatch):
    bench: Bench = make(6)
    submit, answers = bench.cloud.submit, []

    async def mixed_up(image, marker):
        job_id = await submit(image, marker)
        answers.append(job_id)
        return answers[0] if len(answers) == 4 else job_id

    monkeypatch.setattr(bench.cloud, "submit", mixed_up)

    ending = await bench.run()

    assert ending.exit_code == 0
    assert len(bench.cloud.imported) == len(set(bench.cloud.imported)) == 6


async def test_both_images_are_reported_where_somebody_repeated_the_request(make):
    bench: Bench = make(6, cloud={"script": ["ok", "ok", "ok", "ok", "ok", BROKEN]})
    keys = await bench.open()
    assert bench.engine is not None
    submit = bench.cloud.submit

    async def repeated(image, marker):
        if image.name == "web-06":
            twin = await submit(image, marker)
            assert twin
            bench.cloud.script = [BROKEN]
        return await submit(image, marker)

    bench.cloud.script = []
    bench.cloud.submit = repeated  # type: ignore[method-assign]

    await bench.engine.run(keys)

    twins = [job.image_id for job in bench.cloud.jobs.values() if job.image.name == "web-06"]
    state = bench.state("web-06")
    assert len(twins) == 2
    assert {state.image_id, *state.others} == set(twins)
