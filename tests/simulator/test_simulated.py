"""SimulatedHttp keeps the promises of ports.Http without a socket."""

import asyncio
import json

import pytest

from migrator.domain.errors import OutcomeUnknown, RetryableError
from migrator.domain.http import Request
from migrator.simulator.settings import Settings
from migrator.simulator.simulator import Simulator
from tests.fakes import FakeClock
from tests.simulated import SimulatedHttp
from tests.simulator.callers import PROJECT, wish

pytestmark = pytest.mark.anyio


def http(**settings) -> SimulatedHttp:
    return SimulatedHttp(simulator=Simulator(Settings(**settings), now=FakeClock.START), clock=FakeClock())


def submission(to: SimulatedHttp) -> Request:
    token, _ = to.simulator.guard.new_token("cn-north-4", PROJECT, FakeClock.START)
    return Request(
        method="POST",
        url="https://ims.cn-north-4.myhuaweicloud.com/v2/cloudimages/quickimport/action",
        headers={"X-Auth-Token": token, "Content-Type": "application/json"},
        body=json.dumps(wish()).encode(),
    )


async def test_an_answer_comes_with_its_delay_and_lower_case_headers():
    over = http(latency=(2.0, 2.0))
    began = over.clock.monotonic()

    response = await over.send(submission(over))

    assert response.status == 200
    assert "x-request-id" in response.headers
    assert over.clock.monotonic() - began == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("mishap", "seconds", "taken"),
    [
        ("reset_before", 0, False),
        ("reset_after", 0, True),
        ("truncate", 0, True),
        ("hang_before", 60, False),
        ("hang_after", 60, True),
    ],
)
async def test_an_answer_that_is_lost_leaves_the_outcome_unknown(mishap, seconds, taken):
    over = http(import_odds={mishap: 1.0})
    began = over.clock.monotonic()

    with pytest.raises(OutcomeUnknown):
        await over.send(submission(over))

    assert over.clock.monotonic() - began == pytest.approx(seconds)
    assert ("web-01" in over.simulator.accepted) is taken


async def test_an_answer_slower_than_the_timeout_is_lost_too():
    over = http(latency=(90.0, 90.0))

    with pytest.raises(OutcomeUnknown):
        await over.send(submission(over))

    assert "web-01" in over.simulator.accepted


async def test_nobody_listens_during_an_outage():
    over = http()
    over.outages.append((FakeClock.START - 1, FakeClock.START + 10))

    with pytest.raises(RetryableError):
        await over.send(submission(over))
    await over.clock.sleep(11)

    assert (await over.send(submission(over))).status == 200
    assert len(over.simulator.accepted["web-01"]) == 1


async def test_requests_in_flight_are_counted():
    over = http(latency=(1.0, 1.0))
    requests = [submission(over) for _ in range(3)]

    await asyncio.gather(*map(over.send, requests))

    assert over.most_in_flight == 3
    assert over.in_flight == 0
