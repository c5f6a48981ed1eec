"""Tells the receivers of a plan, beside a run and never in its way.

A notification is owed as soon as it is in the journal, and until the journal says that it was delivered. So
one that was under way when the process was killed is sent again by the next run, with the same id.
"""

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence

import anyio
from structlog.typing import FilteringBoundLogger

from migrator.domain.notify import Message, Sent
from migrator.domain.plan import Plan
from migrator.domain.ports import Clock
from migrator.journal.port import Journal
from migrator.pacing.outbox import Outbox
from migrator.pacing.scheduler import Idle
from migrator.pacing.watcher import Watcher
from migrator.workflow.events import (
    Event,
    ImageEvent,
    NotificationDelivered,
    NotificationDropped,
    NotificationFailed,
    NotificationOwed,
)
from migrator.workflow.ledger import Ledger
from migrator.workflow.notifications import message
from migrator.workflow.verdict import Ending
from migrator.workflow.waves import Gate

Send = Callable[[Message], Awaitable[Sent]]
"""Tries once to deliver a message, within a time of its own."""

GRACE = 5.0
"""Seconds that a run waits at its end for receivers that do not answer."""

LIMIT = 330.0
"""Seconds after which a try counts as failed whatever its sender says; no `timeout` of a plan is as long."""


class Notifier:
    """What is owed to each receiver, recorded and delivered. One task for each receiver."""

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        journal: Journal,
        clock: Clock,
        rng: random.Random,
        senders: Mapping[str, Send],
        log: FilteringBoundLogger,
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._journal = journal
        self._clock = clock
        self._senders = senders
        self._log = log
        self.observe: Callable[[Event], None] = lambda event: None
        """Is called with every event of a notification once it is durable."""
        self.gate: Callable[[], Gate | None] = lambda: None
        """Which waves are open; None before anybody knows."""
        self._watcher: Watcher | None = None
        self._boxes = {receiver.name: Outbox(rng) for receiver in plan.notify}
        self._changed = {name: anyio.Event() for name in self._boxes}
        self._noticed: list[NotificationOwed] = []
        """What is owed and not recorded yet."""
        self._recording = False
        """Whether some of it is on its way into the journal."""
        self._wake = anyio.Event()
        self._idle = anyio.Event()
        """Set whenever a try came to an end."""
        self._said: set[tuple[str, str]] = set()

    def watch(self, watcher: Watcher) -> None:
        """From now on events are looked at, and what an earlier run owed is owed by this one."""
        self._watcher = watcher
        for one in self._ledger.notifications.values():
            if not one.done:
                self._put(one.owed)

    def dropped(self, now: float) -> list[NotificationDropped]:
        """What is owed to receivers that the plan has no more."""
        return [
            NotificationDropped(at=now, id=id_)
            for id_, one in self._ledger.notifications.items()
            if not one.done and one.owed.receiver not in self._boxes
        ]

    def on_event(self, event: Event) -> None:
        """One more event became durable."""
        if self._watcher is None or not isinstance(event, ImageEvent):
            return
        state = self._ledger.states[event.key]
        self._noticed += self._watcher.seen(event, state, self._clock.monotonic())
        if self._noticed:
            self._wake.set()

    def at_end(self, end: Ending) -> list[NotificationOwed]:
        """What is to be recorded together with the end of the run; then `recorded` is called with it."""
        if self._watcher is None:
            return []
        last = [*self._noticed, *self._watcher.ended(self._clock.now(), end)]
        self._noticed = []
        return last

    def recorded(self, owed: Sequence[NotificationOwed]) -> None:
        """These are in the journal: they may be sent."""
        for one in owed:
            self._put(one)
            self.observe(one)

    @property
    def settled(self) -> bool:
        """Whether nothing is owed any more to anybody who can be told."""
        return not (self._noticed or self._recording) and all(box.settled for box in self._boxes.values())

    async def run(self) -> None:
        """Until cancelled. Raises JournalError when an event cannot be made durable."""
        if not self._boxes:
            return
        async with anyio.create_task_group() as group:
            group.start_soon(self._record, name="notify")
            group.start_soon(self._tick, name="stalled")
            for name, box in self._boxes.items():
                group.start_soon(self._deliver, name, box, name=f"notify-{name}")

    async def settle(self) -> None:
        """Return when nothing is owed any more, or after GRACE, within which everything is tried again."""
        for name, box in self._boxes.items():
            box.hurry()
            self._changed[name].set()
        with anyio.move_on_after(GRACE):
            while not self.settled:
                self._idle = anyio.Event()
                await self._idle.wait()

    def _put(self, owed: NotificationOwed) -> None:
        if (box := self._boxes.get(owed.receiver)) is not None:
            box.add(owed)
            self._changed[owed.receiver].set()

    async def _record(self) -> None:
        while True:
            owed, self._noticed = self._noticed, []
            if owed:
                self._recording = True
                await self._journal.append(*owed)
                self.recorded(owed)
                self._recording = False
                self._idle.set()
            elif self._wake.is_set():
                self._wake = anyio.Event()
            else:
                await self._wake.wait()

    async def _tick(self) -> None:
        while True:
            seconds = 1.0
            if self._watcher is not None:
                now, elapsed = self._clock.now(), self._clock.monotonic()
                owed, seconds = self._watcher.tick(now, elapsed, self.gate())
                self._noticed += owed
                self._wake.set()
            await self._clock.sleep(seconds)

    async def _deliver(self, name: str, box: Outbox) -> None:
        while True:
            self._changed[name] = anyio.Event()
            due = box.next(anyio.current_time())
            if isinstance(due, Idle):
                with anyio.move_on_after(due.seconds):
                    await self._changed[name].wait()
                continue
            sent = await self._send(name, due)
            if sent.delivered:
                await self._note(NotificationDelivered(at=self._clock.now(), id=due.id))
                self._log.info("notification.delivered", receiver=name, about=due.on.value)
            elif (due.id, sent.failure) not in self._said:
                self._said.add((due.id, sent.failure))
                failed = NotificationFailed(at=self._clock.now(), id=due.id, reason=sent.failure)
                await self._note(failed)
                self._log.warning(
                    "notification.failed", receiver=name, about=due.on.value, reason=sent.failure
                )
            box.tried(due.id, sent, anyio.current_time())
            self._idle.set()

    async def _send(self, name: str, owed: NotificationOwed) -> Sent:
        sent = Sent(failure="no end of it in time")
        with anyio.move_on_after(LIMIT):
            try:
                sent = await self._senders[name](message(owed, self._plan.name))
            except Exception as bug:
                # Its words may hold the address; the run goes on without this one.
                sent = Sent(failure=f"it could not be sent ({type(bug).__name__})")
        return sent

    async def _note(self, event: Event) -> None:
        await self._journal.append(event)
        self.observe(event)
