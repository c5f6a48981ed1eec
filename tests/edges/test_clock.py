"""The system clock is the machine's, and sleeping is the loop's."""

import asyncio
import time

import anyio
import pytest

from migrator.edges.clock import FastClock, SystemClock
from migrator.ports import Clock

pytestmark = pytest.mark.anyio


async def test_it_tells_the_machines_time():
    clock: Clock = SystemClock()
    before, started = time.time(), time.monotonic()
    now, elapsed = clock.now(), clock.monotonic()

    assert before <= now <= time.time()
    assert started <= elapsed <= time.monotonic()


async def test_a_sleep_lasts_as_long_as_it_was_asked_to():
    loop = asyncio.get_running_loop()
    began = loop.time()

    await SystemClock().sleep(3600)

    assert loop.time() - began == pytest.approx(3600, abs=0.01)


@pytest.mark.parametrize("seconds", [0.0, -5.0])
async def test_a_sleep_of_no_length_lets_others_have_their_turn(seconds):
    order = []
    other = asyncio.create_task(asyncio.sleep(0))
    other.add_done_callback(lambda _: order.append("other"))

    await SystemClock().sleep(seconds)
    await SystemClock().sleep(seconds)
    await SystemClock().sleep(seconds)
    order.append("sleeper")

    assert order == ["other", "sleeper"]


async def test_a_wait_ends_with_its_event():
    loop, event = asyncio.get_running_loop(), anyio.Event()
    began = loop.time()
    loop.call_later(30, event.set)

    await SystemClock().wait(event, float("inf"))

    assert loop.time() - began == pytest.approx(30, abs=0.01)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 60.0])
async def test_a_wait_ends_with_its_time_when_nothing_happens(seconds):
    loop = asyncio.get_running_loop()
    began = loop.time()

    await SystemClock().wait(anyio.Event(), seconds)

    assert loop.time() - began == pytest.approx(max(0.0, seconds), abs=0.01)


async def test_a_rehearsal_runs_fast_and_everyone_with_the_same_anchor_shares_its_time(monkeypatch):
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(time, "time", lambda: 1000.0 + loop.time())
    setting = {"MIGRATOR_REHEARSAL_CLOCK": "60@1000"}
    clock, other = FastClock.from_environment(setting), FastClock.from_environment(setting)
    began = loop.time()

    before = clock.now()
    await clock.sleep(3600)
    await clock.wait(anyio.Event(), 3600)

    assert loop.time() - began == pytest.approx(120, abs=0.01)
    assert clock.now() - before == pytest.approx(7200, abs=1)
    assert other.now() == pytest.approx(clock.now(), abs=1)


def test_without_the_rehearsal_setting_time_is_the_systems():
    assert isinstance(FastClock.from_environment({}), SystemClock)
