"""Simulated time passes when nobody has anything left to do, and the loop's own time stays real."""

import asyncio
import time

import anyio
import anyio.to_thread
import pytest

from migrator.domain.ports import Clock
from migrator.io.virtual_time import VirtualClock, VirtualLoop

START = 1_900_000_000.0

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return ("asyncio", {"loop_factory": VirtualLoop})


async def test_a_week_takes_no_time():
    clock: Clock = VirtualClock(START)
    began = time.monotonic()

    await clock.sleep(7 * 86400)

    assert clock.now() == START + 7 * 86400
    assert clock.monotonic() == 7 * 86400
    assert time.monotonic() - began < 1


async def test_sleepers_wake_in_the_order_of_their_moments_each_at_its_own():
    clock, woken = VirtualClock(START), []

    async def sleeper(name: str, *lengths: float) -> None:
        for seconds in lengths:
            await clock.sleep(seconds)
            woken.append((name, clock.monotonic()))

    async with anyio.create_task_group() as group:
        group.start_soon(sleeper, "long", 10.0)
        group.start_soon(sleeper, "short", 3.0, 3.0, 5.0)
        group.start_soon(sleeper, "none", 0.0)

    assert woken == [("none", 0.0), ("short", 3.0), ("short", 6.0), ("long", 10.0), ("short", 11.0)]


async def test_time_stands_still_while_anybody_computes():
    clock, seen = VirtualClock(START), []

    async def busy() -> None:
        for _ in range(100):
            await asyncio.sleep(0)
            seen.append(clock.monotonic())

    async with anyio.create_task_group() as group:
        group.start_soon(clock.sleep, 5.0)
        group.start_soon(busy)

    assert seen == [0.0] * 100


async def test_a_wait_ends_with_its_event_or_its_time():
    clock, event = VirtualClock(START), anyio.Event()

    await clock.wait(event, 20.0)
    assert (clock.monotonic(), event.is_set()) == (20.0, False)

    async with anyio.create_task_group() as group:
        group.start_soon(clock.wait, event, 1000.0)
        group.start_soon(clock.wait, event, float("inf"))
        await clock.sleep(5.0)
        event.set()
    assert clock.monotonic() == 25.0


async def test_whoever_no_longer_waits_moves_no_time():
    clock = VirtualClock(START)

    async with anyio.create_task_group() as group:
        group.start_soon(clock.sleep, 500.0)
        await clock.sleep(1.0)
        group.cancel_scope.cancel()
    await clock.sleep(1.0)

    assert clock.monotonic() == 2.0


async def test_what_happens_for_a_person_keeps_to_real_time_beside_it():
    clock, drawn = VirtualClock(START), []

    async def draw() -> None:
        while True:
            drawn.append(clock.monotonic())
            await anyio.sleep(0.02)

    began = time.monotonic()
    async with anyio.create_task_group() as group:
        group.start_soon(draw)
        while time.monotonic() - began < 0.2:
            await clock.sleep(60.0)
        group.cancel_scope.cancel()

    assert 3 <= len(drawn) <= 11
    assert clock.monotonic() > 60_000


async def test_what_comes_from_another_thread_is_seen_while_time_flies():
    clock, loop, told = VirtualClock(START), asyncio.get_running_loop(), anyio.Event()

    async def fly() -> None:
        while not told.is_set():
            await clock.sleep(1.0)

    async with anyio.create_task_group() as group:
        group.start_soon(fly)
        group.start_soon(anyio.to_thread.run_sync, lambda: loop.call_soon_threadsafe(told.set))

    assert told.is_set()


async def test_without_anybody_waiting_for_it_the_real_world_is_waited_for():
    clock, began = VirtualClock(START), time.monotonic()

    await anyio.sleep(0.05)

    assert time.monotonic() - began >= 0.04
    assert clock.monotonic() == 0.0


def test_it_needs_its_loop():
    async def main() -> None:
        VirtualClock(START)

    with pytest.raises(RuntimeError, match="VirtualLoop"):
        asyncio.run(main())
