"""Signed first: what leaves is what was signed before its intent was recorded, and nothing leaves late."""

import pytest

from migrator.domain.cloud import Fault
from migrator.domain.errors import CredentialsRenewed, Unreachable
from migrator.engine.departure import MAY_WAIT, Departure
from migrator.pacing.doubt import late_for
from migrator.workflow.events import AttemptBegan, AttemptThrottled
from migrator.workflow.states import Outcome, Phase
from tests.fakes import FakeClock, FakeRequest

pytestmark = pytest.mark.anyio
DEAD = Fault(code="APIGW.0307", message="The token must be updated.", status=401)


async def job() -> str:
    return "job-1"


async def test_a_request_leaves_at_once_while_the_journal_is_ours():
    clock = FakeClock()

    job_id = await Departure(clock, lambda: True).send(FakeRequest(None, job), prepared=clock.monotonic())

    assert job_id == "job-1"


async def test_what_a_stopped_process_signed_does_not_leave_when_it_goes_on():
    clock = FakeClock()
    prepared = clock.monotonic()
    await clock.sleep(MAY_WAIT + 1)

    with pytest.raises(Unreachable, match="61 s went by"):
        await Departure(clock, lambda: True).send(FakeRequest(None, job), prepared=prepared)


async def test_nothing_leaves_while_it_is_not_certain_whose_the_target_is():
    clock = FakeClock()

    with pytest.raises(Unreachable, match="not certain"):
        await Departure(clock, lambda: False).send(FakeRequest(None, job), prepared=clock.monotonic())


async def test_the_date_of_the_signature_is_durable_before_the_request_leaves(make):
    bench = make(1)

    await bench.run()

    began = next(fact for fact in bench.journal.facts if isinstance(fact, AttemptBegan))
    assert began.signed_at is not None
    assert began.signed_at <= began.at + 1
    assert bench.state("web-01").attempts[0].signed_at == began.signed_at


async def test_an_image_whose_request_did_not_leave_in_time_is_signed_anew_and_imported_once(make):
    bench = make(1)
    await bench.open()
    append = bench.journal.append
    stopped: list[bool] = []

    async def stopped_once(*events):
        await append(*events)
        if isinstance(events[0], AttemptBegan) and not stopped:
            stopped.append(True)
            await bench.clock.sleep(3600.0)

    bench.journal.append = stopped_once
    await bench.engine.run([image.key for image in bench.plan.images])

    state = bench.state("web-01")
    assert [attempt.outcome for attempt in state.attempts] == [Outcome.THROTTLED, Outcome.ACCEPTED]
    assert state.phase is Phase.SUCCEEDED
    assert bench.cloud.requests == 1


async def test_an_import_refused_for_a_dead_token_is_an_attempt_of_its_own(make):
    bench = make(1, cloud={"script": [CredentialsRenewed(DEAD), "ok"]})

    await bench.run()

    state = bench.state("web-01")
    assert [attempt.outcome for attempt in state.attempts] == [Outcome.THROTTLED, Outcome.ACCEPTED]
    assert state.phase is Phase.SUCCEEDED


async def test_a_target_whose_new_token_is_refused_as_well_is_halted(make):
    bench = make(1, cloud={"script": [CredentialsRenewed(DEAD)] * 9})

    ending = await bench.run()

    assert ending.exit_code == 6
    assert bench.cloud.requests == 2
    assert sum(isinstance(fact, AttemptThrottled) for fact in bench.journal.facts) == 2


def test_a_signature_from_the_future_is_taken_for_longer():
    assert late_for(900.0, None, 1000.0) == 900.0
    assert late_for(900.0, 940.0, 1000.0) == 900.0  # counted from now: on the safe side
    assert late_for(900.0, 1240.0, 1000.0) == 1140.0
