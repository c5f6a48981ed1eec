"""The circle, one target, a cloud that counts what it imported."""

from itertools import pairwise

import anyio
import pytest
from msgspec.structs import replace

from migrator.domain.cloud import CloudImage, Fault
from migrator.domain.errors import (
    NameTaken,
    OutcomeUnknown,
    RejectedError,
    RetryableError,
    TargetHaltedError,
    Unreachable,
)
from migrator.domain.plan import Limits, OnDoubt, OnExisting, OnQuota, Policy, Polling, Retry, Wave
from migrator.domain.units import Rate, Threshold
from migrator.workflow.events import (
    AttemptBegan,
    AttemptThrottled,
    AttemptUnknown,
    ImageVerified,
    JobAccepted,
)
from migrator.workflow.resume import marker, work_left
from migrator.workflow.states import Outcome, Phase
from migrator.workflow.verdict import StopReason
from migrator.workflow.waves import Waves
from tests.fakes import FakeClock, FakeCloud

pytestmark = pytest.mark.anyio

BUSY = Fault(code="APIGW.0308", message="The throttling threshold has been reached", status=429)
LOST = Fault(code="MIG.timeout", message="timed out after sending")


async def test_every_image_of_a_plan_is_imported_once_and_read_back(make):
    bench = make(5)

    ending = await bench.run()

    assert ending.exit_code == 0
    assert sorted(bench.cloud.imported) == [f"web-0{n}" for n in range(1, 6)]
    assert set(bench.phases) == {Phase.SUCCEEDED}


async def test_an_attempt_is_durable_before_its_request_leaves(make):
    bench = make(1)
    seen: list[bool] = []
    submit = bench.cloud.submit

    async def spy(image, marker):
        seen.append(any(isinstance(fact, AttemptBegan) for fact in bench.journal.facts))
        return await submit(image, marker)

    bench.cloud.submit = spy
    await bench.run()

    assert seen == [True]


async def test_an_answer_lost_on_the_way_is_looked_up_and_never_submitted_twice(make):
    bench = make(1, cloud={"script": [OutcomeUnknown(LOST)]})

    await bench.run()

    assert bench.cloud.imported == ["web-01"]
    assert bench.state("web-01").phase is Phase.SUCCEEDED
    assert bench.state("web-01").attempts[0].outcome is Outcome.ADOPTED


async def test_an_answer_lost_before_acceptance_is_submitted_again_after_the_settle_time(make):
    bench = make(1, cloud={"script": [OutcomeUnknown(LOST)], "before": {0}}, policy=Policy(settle=60.0))

    await bench.run()

    assert bench.cloud.imported == ["web-01"]
    first, second = bench.state("web-01").attempts
    assert first.outcome is Outcome.NOT_FOUND
    assert second.began_at - first.began_at >= 60.0


async def test_a_throttled_attempt_is_repeated_and_not_held_against_the_image(make):
    bench = make(1, cloud={"script": [RetryableError(BUSY, throttled=True) for _ in range(10)]})

    ending = await bench.run()

    assert ending.exit_code == 0
    assert bench.cloud.imported == ["web-01"]


async def test_nothing_leaves_before_the_time_that_the_service_asked_for(make):
    bench = make(2, cloud={"script": [RetryableError(BUSY, throttled=True, retry_after=90.0)]})

    await bench.run()

    first, second = bench.state("web-01").attempts
    assert second.began_at - first.began_at >= 90.0


async def test_the_journal_tells_for_how_long_nothing_is_submitted(make):
    script = [
        RetryableError(BUSY, throttled=True, retry_after=90.0),
        RetryableError(BUSY, throttled=True, job_limit_reached=True, retry_after=50.0),
    ]
    bench = make(2, cloud={"script": script})

    await bench.run()

    throttled = [event for event in await bench.journal.events() if isinstance(event, AttemptThrottled)]
    assert [event.pause for event in throttled[:2]] == [90.0, pytest.approx(50.0)]


async def test_a_permanent_refusal_fails_the_image_with_the_services_words(make):
    refusal = Fault(code="IMG.0158", message="Only raw or ZVHD2 …", remedy="Convert it.", request_id="r-1")
    bench = make(2, cloud={"script": [RejectedError(refusal)]})

    ending = await bench.run()

    assert ending.exit_code == 3
    assert bench.state("web-01").fault == refusal
    assert bench.cloud.imported == ["web-02"]


async def test_passing_failures_use_up_the_attempts_of_an_image(make):
    fault = Fault(code="IMG.0038", message="bucket creation failed", status=400)
    bench = make(1, cloud={"script": [RetryableError(fault) for _ in range(9)]}, retry=Retry(max_attempts=3))

    ending = await bench.run()

    assert ending.exit_code == 3
    assert bench.cloud.requests == 3
    assert "3 attempts in a row" in bench.state("web-01").fault.message


async def test_the_job_window_is_never_exceeded(make):
    limits = Limits(max_jobs=4, submit_rate=Rate(count=50, unit="s"), submit_burst=10)
    bench = make(30, limits=limits)

    await bench.run()

    assert bench.cloud.most_at_once == 4
    assert len(bench.cloud.imported) == 30


async def test_submissions_keep_to_their_rate(make):
    bench = make(10, limits=Limits(submit_rate=Rate(count=30, unit="m")))

    await bench.run()

    moments = sorted(state.attempts[0].began_at for state in bench.ledger.states.values())
    assert all(later - earlier >= 1.99 for earlier, later in pairwise(moments))


async def test_a_job_that_fails_is_reported_with_its_reason(make):
    fault = Fault(code="IMG.0057", message="image file not found")
    bench = make(2, cloud={"job_faults": {"web-02": fault}})

    ending = await bench.run()

    assert ending.exit_code == 3
    assert bench.state("web-02").fault == fault


async def test_questions_that_get_no_answer_are_asked_again(make):
    trouble = RetryableError(Fault(message="bad gateway", status=502))
    bench = make(2, cloud={"questions": [trouble] * 7})

    ending = await bench.run()

    assert ending.exit_code == 0


async def test_an_image_that_is_not_what_was_asked_for_is_a_failure(make):
    bench = make(1, cloud={"change": {"web-01": {"os_version": "Windows 10 64bit"}}})

    ending = await bench.run()

    assert ending.exit_code == 3
    assert "os_version is 'Windows 10 64bit'" in bench.state("web-01").fault.message


async def test_a_success_without_an_image_is_a_failure(make):
    bench = make(1, cloud={"change": {"web-01": {"status": "deleted", "id": "gone"}}})

    ending = await bench.run()

    assert ending.exit_code == 3
    assert bench.state("web-01").fault.code == "MIG.verify"


async def test_an_overdue_job_is_kept_and_the_next_run_picks_it_up(make):
    bench = make(1, cloud={"seconds": 5000.0}, polling=Polling(deadline=3600.0))

    first = await bench.run()
    assert first.exit_code == 7
    assert bench.phases == [Phase.OVERDUE]
    second = await bench.run()

    assert second.exit_code == 0
    assert bench.cloud.imported == ["web-01"]


async def test_wrong_credentials_stop_the_target_at_once(make):
    denied = TargetHaltedError(Fault(code="APIGW.0301", message="verify aksk signature fail", status=401))
    bench = make(50, cloud={"script": [denied] * 50})

    ending = await bench.run()

    assert ending.exit_code == 6
    assert bench.cloud.requests == 1


async def test_a_used_up_quota_stops_submitting_and_lets_what_runs_come_to_its_end(make):
    full = TargetHaltedError(Fault(code="IMG.0015", message="quota"), quota=True)
    bench = make(5, cloud={"script": ["ok", "ok", full]})

    ending = await bench.run()

    assert ending.exit_code == 7
    assert bench.phases.count(Phase.SUCCEEDED) == 2
    assert bench.phases.count(Phase.PENDING) == 3


async def test_too_many_failures_stop_the_run(make):
    fault = Fault(code="IMG.0057", message="image file not found")
    bench = make(
        60,
        cloud={"job_faults": {f"web-{n:02}": fault for n in range(1, 61)}},
        policy=Policy(max_failures=Threshold(fraction=0.5), min_sample=5),
        limits=Limits(max_jobs=5),
    )

    ending = await bench.run()

    assert ending.exit_code == 5
    assert bench.cloud.requests <= 15


async def test_a_name_that_somebody_else_took_fails_with_its_owner(make):
    there = CloudImage(id="img-9", name="web-01", status="active", tags={"team": "db"}, created_at=1.0)
    bench = make(1, cloud={"extra": [there]})

    ending = await bench.run()

    assert ending.exit_code == 3
    assert bench.cloud.imported == []
    assert "img-9" in bench.state("web-01").fault.message
    assert "team=db" in bench.state("web-01").fault.message


async def test_a_taken_name_is_adopted_when_the_image_bears_our_marker(make):
    bench = make(1)
    theirs = CloudImage(
        id="img-7",
        name="web-01",
        status="active",
        tags=marker("dc-east", "north/web-01").tags,
        created_at=FakeClock.START,
    )

    async def another_machine_was_faster(image, marker):
        bench.cloud.extra.append(theirs)
        raise NameTaken(Fault(code="IMG.0009", message="The image name already exists.", status=400))

    bench.cloud.submit = another_machine_was_faster

    ending = await bench.run()

    assert ending.exit_code == 0
    assert bench.state("web-01").image_id == "img-7"


async def test_a_lost_journal_duplicates_nothing(make):
    bench = make(4)
    await bench.run()
    bench.journal = type(bench.journal)()

    ending = await bench.run()

    assert ending.exit_code == 0
    assert len(bench.cloud.imported) == 4
    assert set(bench.phases) == {Phase.SUCCEEDED}


@pytest.mark.parametrize(
    ("policy", "phase"),
    [
        pytest.param(OnExisting.SKIP, Phase.SKIPPED, id="skip"),
        pytest.param(OnExisting.FAIL, Phase.FAILED, id="fail"),
    ],
)
async def test_an_image_that_is_there_already_follows_the_policy(make, policy, phase):
    bench = make(1, policy=Policy(on_existing=policy))
    await bench.run()
    bench.journal = type(bench.journal)()

    await bench.run()

    assert bench.phases == [phase]
    assert bench.cloud.imported == ["web-01"]


async def test_asking_for_an_image_again_imports_it_again_although_the_old_one_is_there(make):
    bench = make(1)
    await bench.run()

    ending = await bench.run(again=frozenset({"north/web-01"}))

    assert ending.exit_code == 0
    assert bench.cloud.imported == ["web-01", "web-01"]


async def test_a_held_attempt_waits_for_a_person_who_is_told_what_to_do(make):
    bench = make(
        1,
        cloud={"script": [OutcomeUnknown(LOST)], "before": {0}},
        policy=Policy(settle=30.0, on_doubt=OnDoubt.HOLD),
    )

    held = await bench.run()
    assert (held.exit_code, bench.cloud.imported) == (7, [])
    assert "--again 'north/web-01'" in bench.state("web-01").fault.remedy
    done = await bench.run(again=frozenset({"north/web-01"}))

    assert (done.exit_code, bench.cloud.imported) == (0, ["web-01"])


async def test_a_service_out_of_reach_is_waited_for_and_no_image_fails_for_it(make):
    away = Unreachable(Fault(code="MIG.refused", message="connection refused"))
    bench = make(3, cloud={"script": [away] * 12})

    ending = await bench.run()

    assert ending.exit_code == 0


async def test_a_service_that_stays_out_of_reach_ends_the_run_which_may_be_continued(make):
    away = Unreachable(Fault(code="MIG.dns", message="no such host"))
    bench = make(3, cloud={"questions": [away] * 10_000}, retry=Retry(budget=600.0))

    ending = await bench.run()

    assert ending.exit_code == 7
    assert "no such host" in ending.reason
    assert set(bench.phases) == {Phase.PENDING}


async def test_a_job_that_the_service_forgot_is_judged_by_its_image(make):
    bench = make(1, cloud={"seconds": 1.0})
    job = bench.cloud.job

    async def forget(job_id):
        raise RejectedError(Fault(code="IMG.0031", message="The resource ID in the request is incorrect."))

    assert job is not forget
    bench.cloud.job = forget

    ending = await bench.run()

    assert ending.exit_code == 0


async def test_an_attempt_open_at_a_crash_is_in_doubt_and_looked_up(make):
    bench = make(1)
    await bench.open()
    began = AttemptBegan(at=bench.engine.clock.now(), key="north/web-01", attempt=1, digest="d")
    await bench.journal.append(began)
    await bench.cloud.submit(bench.plan.images[0], marker("dc-east", "north/web-01"))

    ending = await bench.run()

    assert ending.exit_code == 0
    assert bench.cloud.imported == ["web-01"]
    assert any(isinstance(fact, AttemptUnknown) for fact in bench.journal.facts)


async def test_stopping_ends_within_seconds_and_the_next_run_goes_on(make):
    bench = make(20, cloud={"seconds": 600.0})
    keys = await bench.open()
    endings = []

    async def first():
        endings.append(await bench.engine.run(keys))

    async with anyio.create_task_group() as group:
        group.start_soon(first)
        await anyio.sleep(5.0)
        asked = anyio.current_time()
        bench.engine.stop(StopReason.INTERRUPT)
    assert anyio.current_time() - asked <= 2.0
    assert endings[0].exit_code == 130
    second = await bench.run()

    assert second.exit_code == 0
    assert len(bench.cloud.imported) == 20


async def test_draining_submits_nothing_more_and_follows_what_runs(make):
    bench = make(20, cloud={"seconds": 60.0})
    keys = await bench.open()

    async with anyio.create_task_group() as group:
        group.start_soon(bench.engine.run, keys)
        await anyio.sleep(5.0)
        submitted = len(bench.cloud.imported)
        bench.engine.stop(StopReason.TERMINATE, drain=True)

    assert len(bench.cloud.imported) - submitted <= 1
    assert bench.phases.count(Phase.SUCCEEDED) == len(bench.cloud.imported)
    assert sum(isinstance(fact, JobAccepted) for fact in bench.journal.facts) == len(bench.cloud.imported)


async def test_adopted_imports_that_still_run_hold_their_slots_of_the_window(make):
    limits = Limits(max_jobs=4, submit_rate=Rate(count=50, unit="s"), submit_burst=10)
    bench = make(12, cloud={"seconds": 120.0}, limits=limits)
    keys = await bench.open()
    async with anyio.create_task_group() as group:
        group.start_soon(bench.engine.run, keys)
        await anyio.sleep(60.0)
        bench.engine.stop(StopReason.INTERRUPT)
    bench.journal = type(bench.journal)()

    ending = await bench.run()

    assert ending.exit_code == 0
    assert len(bench.cloud.imported) == 12
    assert bench.cloud.most_at_once == 4


async def test_a_used_up_quota_may_be_waited_for(make):
    full = TargetHaltedError(Fault(code="IMG.0015", message="quota"), quota=True)
    bench = make(3, cloud={"script": ["ok", full, full]}, policy=Policy(on_quota=OnQuota.WAIT))

    ending = await bench.run()

    assert ending.exit_code == 0
    assert len(bench.cloud.imported) == 3
    moments = sorted(a.began_at for state in bench.ledger.states.values() for a in state.attempts)
    assert moments[2] - moments[1] >= 300.0


async def test_a_target_that_halts_does_not_stop_the_others(make):
    bench = make(6)
    south = bench.plan.targets["north"].model_copy(update={"name": "south"})
    images = tuple(
        replace(image, target="south") if number % 2 else image
        for number, image in enumerate(bench.plan.images)
    )
    targets = {"north": bench.plan.targets["north"], "south": south}
    bench.plan = bench.plan.model_copy(update={"targets": targets, "images": images})
    denied = TargetHaltedError(Fault(code="APIGW.0302", message="not authorized", status=403))
    keys = await bench.open()
    bench.engine.clouds = {"north": bench.cloud, "south": FakeCloud(script=[denied] * 9)}

    ending = await bench.engine.run(keys)

    assert ending.exit_code == 6
    assert "target south stopped" in ending.reason
    assert bench.phases.count(Phase.SUCCEEDED) == 3
    assert bench.engine.clouds["south"].requests == 1


async def test_what_one_list_says_of_many_images_is_one_commit(make):
    at_once = Limits(max_jobs=40, submit_rate=Rate(count=500, unit="s"), submit_burst=40)
    bench = make(40, cloud={"seconds": 60.0}, limits=at_once)
    commits: list[int] = []
    append = bench.journal.append

    async def counting(*events):
        commits.append(sum(isinstance(event, ImageVerified) for event in events))
        await append(*events)

    bench.journal.append = counting
    await bench.run()

    assert sum(commits) == 40
    assert len([verified for verified in commits if verified]) <= 10


async def test_a_job_that_ends_while_a_list_is_read_needs_no_list_of_its_own(make):
    at_once = Limits(max_jobs=30, submit_rate=Rate(count=500, unit="s"), submit_burst=30)
    bench = make(30, cloud={"seconds": 60.0, "round_trip": 5.0}, limits=at_once)
    lists: list[float] = []
    images = bench.cloud.images

    async def counting(query, **after):
        if query.tag is not None and anyio.current_time() > 60.0:
            lists.append(anyio.current_time())
        return await images(query, **after)

    bench.cloud.images = counting
    await bench.run()

    assert set(bench.phases) == {Phase.SUCCEEDED}
    assert len(lists) <= 3


async def test_a_question_that_fails_for_one_image_is_not_asked_again_for_its_neighbours(make, monkeypatch):
    """One list answers for three adopted imports; one of them is gone, and looking for it gets no answer."""
    bench = make(
        3,
        cloud={"seconds": 200.0},
        polling=Polling(first=10.0, min_interval=10.0, sweep=False),
        policy=Policy(verify=False),
        waves=(Wave(name="all"),),
    )
    for image in bench.plan.images:
        await bench.cloud.submit(image, marker("dc-east", image.key))
    await bench.open()
    ends: list[str] = []
    monkeypatch.setattr(Waves, "finished", lambda waves, image, phase: ends.append(image.key))
    gone = bench.cloud.jobs["job-2"].image_id
    images = bench.cloud.images
    trouble = [RetryableError(BUSY)]

    async def without_one(query, **after):
        if anyio.current_time() > 36.0:  # so that it counts as gone when the others end
            await bench.cloud.delete(gone)
        if query.tag is not None and query.tag[0] == "migrator_item" and trouble:
            raise trouble.pop()
        return await images(query, **after)

    bench.cloud.images = without_one
    await bench.engine.run(work_left(bench.ledger))

    assert not trouble
    assert sorted(ends) == ["north/web-01", "north/web-02", "north/web-03"]
