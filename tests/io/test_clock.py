"""The system clock is the machine's, and sleeping is the loop's."""

import asyncio
import time
from datetime import UTC, datetime

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.errors import UsageError
from migrator.domain.ports import Clock
from migrator.io.clock import FastClock, SystemClock, clock_of

pytestmark = pytest.mark.anyio

HERE = "http://127.0.0.1:8080"


def boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


async def test_it_tells_the_machines_time():
    clock: Clock = SystemClock()
    before, started = time.time(), boottime()
    now, elapsed = clock.now(), clock.monotonic()

    assert before <= now <= time.time()
    assert started <= elapsed <= boottime()


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
    clock, other = clock_of([HERE], setting), clock_of([HERE], setting)
    began = loop.time()

    before = clock.now()
    await clock.sleep(3600)
    await clock.wait(anyio.Event(), 3600)

    assert loop.time() - began == pytest.approx(120, abs=0.01)
    assert clock.now() - before == pytest.approx(7200, abs=1)
    assert other.now() == pytest.approx(clock.now(), abs=1)


def test_without_the_rehearsal_setting_time_is_the_systems():
    for environ in ({}, {"MIGRATOR_REHEARSAL_CLOCK": ""}):
        assert isinstance(clock_of(["https://ims.example.com"], environ), SystemClock)


@pytest.mark.parametrize(
    "address",
    [HERE, "https://127.8.9.10", "http://[::1]:80", "https://localhost:8443", "http://localhost/bucket"],
)
def test_a_fast_clock_is_for_this_machine(address):
    assert isinstance(clock_of([HERE, address], {"MIGRATOR_REHEARSAL_CLOCK": "2@0"}), FastClock)


@pytest.mark.parametrize(
    "address",
    [
        "https://ims.cn-north-4.myhuaweicloud.com",
        "http://169.254.169.254",
        "https://127.0.0.1.example.com",
        "https://localhost.example.com",
        "https://bucket.localhost",
        "https://10.0.0.1",
        "https://0.0.0.0",
        "https://[::2]:1",
        "https://128.0.0.1",
        "https://2130706433",
        "",
    ],
)
def test_a_fast_clock_is_refused_where_anyone_else_is_spoken_to(address):
    with pytest.raises(UsageError) as caught:
        clock_of([HERE, address, HERE], {"MIGRATOR_REHEARSAL_CLOCK": "60@1000"})

    assert caught.value.exit_code == 2
    assert "MIGRATOR_REHEARSAL_CLOCK" in str(caught.value)
    assert f"speaks to {address}, " in str(caught.value)
    assert "unset MIGRATOR_REHEARSAL_CLOCK" in caught.value.hint


NO_CLOCKS = [
    *("fast", "60", "@", "60@", "@1000", "60@1000@2", "x@1000", "60@x", "0@1000", "-60@1000", "nan@1000"),
    *(
        "inf@1000",
        "60@nan",
        "60@inf",
        "60@-inf",
        "1e300@1000",
        "60@1e300",
        "60@9e9999",
        "1e9@1000",
        " ",
        "1,5@0",
    ),
]


@pytest.mark.parametrize("setting", NO_CLOCKS)
def test_what_is_no_clock_is_refused_by_its_name(setting):
    with pytest.raises(UsageError) as caught:
        clock_of([HERE], {"MIGRATOR_REHEARSAL_CLOCK": setting})

    assert caught.value.exit_code == 2
    assert f"MIGRATOR_REHEARSAL_CLOCK is {setting!r}" in str(caught.value)
    assert "SPEED@ANCHOR" in caught.value.hint


@given(st.text() | st.builds("{}@{}".format, st.floats(), st.floats()))
def test_a_clock_tells_a_time_that_can_be_written_or_is_refused(setting):
    try:
        clock = clock_of([HERE], {"MIGRATOR_REHEARSAL_CLOCK": setting})
    except UsageError:
        return
    assert datetime.fromtimestamp(clock.now(), UTC).year < 10_000
