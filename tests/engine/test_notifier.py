"""Telling somebody beside a run: owed before it is sent, owed until it is delivered, never in the way."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import pytest
import structlog

from migrator.domain.notify import Message, NotifyOn, Receiver, Sent
from migrator.engine.notifier import GRACE, Notifier
from migrator.journal.memory import MemoryJournal
from migrator.pacing.outbox import RETRY
from migrator.pacing.watcher import Watcher
from migrator.workflow.events import (
    Counts,
    Event,
    ImagePlanned,
    NotificationDelivered,
    NotificationDropped,
    NotificationFailed,
    NotificationOwed,
    RunBegan,
)
from migrator.workflow.waves import Gate
from tests.examples import a_plan
from tests.fakes import FakeClock

pytestmark = pytest.mark.anyio

PLAN = a_plan(2, notify=(Receiver(name="ops", on=tuple(NotifyOn)),))


def owed(id_: str, receiver: str = "ops") -> NotificationOwed:
    return NotificationOwed(
        at=1.0, id=id_, receiver=receiver, on=NotifyOn.HELD, run="r", counts=Counts(images=2), text="t"
    )


@dataclass
class Desk:
    """A notifier over a journal, and a receiver that is down until a moment."""

    journal: MemoryJournal = field(default_factory=MemoryJournal)
    down_until: float = 0.0
    took: list[tuple[float, str]] = field(default_factory=list)
    tries: int = 0
    send: Callable[[Message], Awaitable[Sent]] | None = None

    async def receive(self, message: Message) -> Sent:
        self.tries += 1
        if anyio.current_time() < self.down_until:
            return Sent(failure="connection refused")
        self.took.append((anyio.current_time(), message.id))
        return Sent()

    async def opened(self, plan=PLAN) -> Notifier:
        ledger = await self.journal.ledger()
        clock = FakeClock()
        await self.journal.append(RunBegan(at=clock.now(), run="r", version="0", host="h", pid=1))
        senders = {one.name: self.send or self.receive for one in plan.notify}
        log = structlog.get_logger()
        notifier = Notifier(plan, ledger, self.journal, clock, random.Random(5), senders, log)
        notifier.watch(Watcher(plan, ledger, clock.monotonic()))
        return notifier

    async def events(self) -> list[Event]:
        return [event for event in await self.journal.events() if not isinstance(event, RunBegan)]


async def owe(notifier: Notifier, desk: Desk, *ids: str) -> None:
    events = [owed(id_) for id_ in ids]
    await desk.journal.append(*events)
    notifier.recorded(events)


async def test_a_receiver_that_is_down_for_a_minute_gets_every_notification_in_order_once_it_is_back():
    desk = Desk(down_until=60.0)
    notifier = await desk.opened()

    async with anyio.create_task_group() as group:
        group.start_soon(notifier.run)
        for id_ in ("a", "b", "c"):
            await owe(notifier, desk, id_)
            await anyio.sleep(10.0)
        await anyio.sleep(120.0)
        group.cancel_scope.cancel()

    assert [id_ for _, id_ in desk.took] == ["a", "b", "c"]
    assert 60.0 <= desk.took[0][0] <= desk.took[-1][0] <= 60.0 + RETRY.cap
    kinds = [type(event).__name__ for event in await desk.events()]
    assert kinds.count("NotificationDelivered") == 3
    assert kinds.count("NotificationFailed") == 1


async def test_what_was_owed_when_a_run_was_killed_is_delivered_by_the_next_with_the_same_id():
    desk = Desk()
    await desk.journal.append(owed("a"), owed("b"), NotificationDelivered(at=2.0, id="a"))
    notifier = await desk.opened()

    async with anyio.create_task_group() as group:
        group.start_soon(notifier.run)
        await notifier.settle()
        group.cancel_scope.cancel()

    assert [id_ for _, id_ in desk.took] == ["b"]
    assert all(one.done for one in (await desk.journal.ledger()).notifications.values())


async def test_one_that_arrived_but_was_not_recorded_is_sent_again_with_the_same_id():
    desk = Desk()

    async def answers_too_late(message: Message) -> Sent:
        await desk.receive(message)
        await anyio.sleep_forever()
        return Sent()

    desk.send = answers_too_late
    notifier = await desk.opened()
    async with anyio.create_task_group() as group:
        group.start_soon(notifier.run)
        await owe(notifier, desk, "a")
        await anyio.sleep(5.0)
        group.cancel_scope.cancel()
    desk.send = None
    notifier = await desk.opened()
    async with anyio.create_task_group() as group:
        group.start_soon(notifier.run)
        await notifier.settle()
        group.cancel_scope.cancel()

    assert [id_ for _, id_ in desk.took] == ["a", "a"]


@pytest.mark.parametrize("how", ["hangs", "refuses"])
async def test_a_dead_receiver_holds_the_end_of_a_run_for_no_longer_than_the_grace(how):
    desk = Desk(down_until=1e9)
    if how == "hangs":

        async def never(message: Message) -> Sent:
            await anyio.sleep_forever()
            return Sent()

        desk.send = never
    notifier = await desk.opened()

    async with anyio.create_task_group() as group:
        group.start_soon(notifier.run)
        await owe(notifier, desk, "a")
        began = anyio.current_time()
        await notifier.settle()
        took = anyio.current_time() - began
        group.cancel_scope.cancel()

    assert took == pytest.approx(GRACE)
    assert not (await desk.journal.ledger()).notifications["a"].done


async def test_one_dead_receiver_keeps_no_other_from_hearing():
    plan = PLAN.model_copy(update={"notify": (*PLAN.notify, Receiver(name="boss", on=(NotifyOn.END,)))})
    desk = Desk()

    async def either(message: Message) -> Sent:
        if message.id == "a":
            await anyio.sleep_forever()
        return await desk.receive(message)

    desk.send = either
    notifier = await desk.opened(plan)
    async with anyio.create_task_group() as group:
        group.start_soon(notifier.run)
        events = [owed("a"), owed("b", "boss")]
        await desk.journal.append(*events)
        notifier.recorded(events)
        await anyio.sleep(1.0)
        group.cancel_scope.cancel()

    assert [id_ for _, id_ in desk.took] == ["b"]


async def test_a_failure_is_recorded_once_for_each_reason_and_says_why():
    desk = Desk(down_until=300.0)
    notifier = await desk.opened()

    async with anyio.create_task_group() as group:
        group.start_soon(notifier.run)
        await owe(notifier, desk, "a")
        await anyio.sleep(200.0)
        group.cancel_scope.cancel()

    assert desk.tries > 3
    failed = [event for event in await desk.events() if isinstance(event, NotificationFailed)]
    assert [event.reason for event in failed] == ["connection refused"]


async def test_a_bug_in_a_sender_is_a_failure_like_any_other_and_its_words_are_not_repeated():
    desk = Desk()

    async def broken(message: Message) -> Sent:
        raise ValueError("https://hooks.example/secret")

    desk.send = broken
    notifier = await desk.opened()
    async with anyio.create_task_group() as group:
        group.start_soon(notifier.run)
        await owe(notifier, desk, "a")
        await notifier.settle()
        group.cancel_scope.cancel()

    assert (await desk.journal.ledger()).notifications["a"].failure == "it could not be sent (ValueError)"


async def test_what_is_owed_to_a_receiver_that_left_the_plan_is_dropped():
    desk = Desk()
    await desk.journal.append(owed("a", "gone"), owed("b"))
    notifier = await desk.opened()

    dropped = notifier.dropped(9.0)

    assert dropped == [NotificationDropped(at=9.0, id="a")]


async def test_a_standstill_is_owed_without_any_event():
    desk = Desk()
    plan = a_plan(2, notify=(Receiver(name="ops", on=(NotifyOn.STALLED,), after=600.0),))
    listed = [ImagePlanned(at=0.0, key=one.key, image=one, digest="d") for one in plan.images]
    await desk.journal.append(*listed)
    notifier = await desk.opened(plan)
    notifier.gate = lambda: Gate(open=frozenset({0}), possible=frozenset({0}))

    async with anyio.create_task_group() as group:
        group.start_soon(notifier.run)
        await anyio.sleep(3600.0)
        group.cancel_scope.cancel()

    assert [at for at, _ in desk.took] == [pytest.approx(600.0, abs=2.0)]


async def test_what_is_on_its_way_into_the_journal_when_a_run_ends_is_waited_for():
    class Slow(MemoryJournal):
        async def append(self, *events: Event) -> None:
            await anyio.sleep(1.0)
            await super().append(*events)

    class Sees(Watcher):
        def seen(self, event, state, elapsed):
            return [owed("a")]

    desk = Desk(journal=Slow())
    notifier = await desk.opened()
    planned = ImagePlanned(at=1.0, key=PLAN.images[0].key, image=PLAN.images[0], digest="d")
    await desk.journal.append(planned)
    notifier.watch(Sees(PLAN, await desk.journal.ledger(), 0.0))

    async with anyio.create_task_group() as group:
        group.start_soon(notifier.run)
        notifier.on_event(planned)
        await anyio.sleep(0.5)
        await notifier.settle()
        group.cancel_scope.cancel()

    assert [id_ for _, id_ in desk.took] == ["a"]
