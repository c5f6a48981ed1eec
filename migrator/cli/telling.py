"""Who tells the receivers of a plan that workers carry out: one worker, for all of its targets.

What somebody is to be told follows from the journals of all targets. Here they are read together, event by
event; what is owed and delivered goes into a journal of its own. When this worker dies, the next one works
out from all of it what was not told yet: an id is made of what happened, so that nothing is owed twice.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
import structlog

from migrator.cli.handing_over import read_document
from migrator.cli.journals import open_journal
from migrator.cli.notifying import notifier, obstacles, open_senders
from migrator.cli.options import Options
from migrator.cli.reporting import snapshot
from migrator.cli.work import choose, events_at_start, selected_keys
from migrator.domain.errors import JournalLocked, MigratorError, UsageError
from migrator.domain.plan import Plan
from migrator.domain.ports import Clock
from migrator.domain.units import Moment
from migrator.engine.notifier import Notifier
from migrator.io.clock import SystemClock
from migrator.journal.port import Journal
from migrator.journal.postgres.claim import TELLER, Claim
from migrator.journal.postgres.connection import Connection, Database
from migrator.journal.postgres.errors import explained
from migrator.journal.postgres.heartbeat import Heartbeat
from migrator.journal.postgres.location import PostgresLocation
from migrator.journal.postgres.telling import Tail, ToTell, goes_on, to_tell, told
from migrator.pacing.watcher import Watcher
from migrator.workflow.events import Event, ImagePlanned, NotificationOwed
from migrator.workflow.ledger import Ledger
from migrator.workflow.resume import listed, planned
from migrator.workflow.states import State
from migrator.workflow.verdict import Ending
from migrator.workflow.waves import Gate, Waves

Answer = TypeVar("Answer")

log = structlog.get_logger()

ROUND = 1.0
"""Seconds between two looks at what happened on all targets."""

AGAIN = 10.0
"""Seconds after which a worker that could not go on telling may try again."""


def cannot_tell(document: str, environ: Mapping[str, str]) -> list[str]:
    """Why the receivers of a plan that was handed over cannot all be told from here; a sentence each."""
    try:
        plan, _ = read_document(document, [])
    except UsageError as newer:
        return [str(newer)]
    return obstacles(plan, environ)


def owed_so_far(
    plan: Plan, options: Options, ledger: Ledger, begun: frozenset[str], now: Moment, elapsed: float
) -> tuple[Watcher, list[NotificationOwed]]:
    """Who watches the run that `ledger` is in, and what of it is owed and was not recorded.

    Targets that are not in `begun` have not recorded what they do first: that is taken as done. `elapsed` is
    the monotonic clock's.
    """
    ahead = snapshot(ledger)
    selected = selected_keys(plan, ledger, options)
    items = planned(plan, ledger.planned)
    for event in events_at_start(items, ledger, options, now, selected):
        if isinstance(event, ImagePlanned) or ahead.planned[event.key].image.target not in begun:
            ahead.apply(event)
    watcher = Watcher(plan, ahead, elapsed)
    left = len(choose(plan, ahead, None, selected).keys)
    return watcher, [*watcher.begun(now, left, killed=False), *watcher.left_unsaid(ahead, now)]


@dataclass(slots=True, kw_only=True)
class Teller:
    """This worker, as it tells of one plan."""

    plan: str
    database: Database
    heartbeat: Heartbeat
    environ: Mapping[str, str]
    clock: Clock = field(default_factory=SystemClock)
    held: Claim | None = None

    async def carry_out(self) -> None:
        """Tell until everything was told, or somebody else is to. What goes wrong is logged, and no more."""
        try:
            given = await asyncio.to_thread(self._ask, lambda one: to_tell(one, self.plan))
            if given is not None:
                await self._carry_out(given)
        except* JournalLocked:
            pass  # another worker was quicker
        except* MigratorError as group:
            # Another worker goes on with it, or this one after a while.
            reasons = [str(error) for error in group.exceptions]
            log.warning("teller.ended", plan=self.plan, reason="; ".join(reasons))
            await self.clock.sleep(AGAIN)
        except* Exception as group:
            reasons = [f"{type(bug).__name__}: {bug}" for bug in group.exceptions]
            log.error("teller.failed", plan=self.plan, reason="; ".join(reasons), exc_info=group)
            await self.clock.sleep(AGAIN)

    async def _carry_out(self, given: ToTell) -> None:
        plan, options = await asyncio.to_thread(read_document, given.document, given.images)
        location = PostgresLocation(
            database=self.database,
            plan=self.plan,
            target=TELLER,
            heartbeat=self.heartbeat,
            on_claimed=self._on_claimed,
        )
        async with open_journal(location) as journal, open_senders(plan, self.environ) as senders:
            assert self.held is not None
            tail = Tail(location.database.name, self.held.plan)
            ledger = await asyncio.to_thread(self._ask, lambda one: tail.begin(one, listed(plan)))
            if not ledger.runs:
                return
            teller = notifier(plan, ledger, journal, self.clock, senders)
            teller.gate = lambda: self._gate(plan, ledger)
            # Of a large plan it takes seconds, for which targets of this worker must not stand still.
            watcher, owed = await asyncio.to_thread(
                owed_so_far,
                plan,
                options,
                ledger,
                given.begun,
                self.clock.now(),
                self.clock.monotonic(),
            )
            teller.watch(watcher)
            await self._record(journal, teller, [*teller.dropped(self.clock.now())], owed)
            log.info("teller.began", plan=self.plan)
            async with anyio.create_task_group() as group:
                group.start_soon(teller.run)
                connection = await asyncio.to_thread(self._connect)
                with explained(self.database.name), connection:
                    await self._follow(tail, ledger, teller, journal, connection, given.revision)
                group.cancel_scope.cancel()

    def _on_claimed(self, held: Claim) -> None:
        self.held = held

    async def _follow(
        self,
        tail: Tail,
        ledger: Ledger,
        teller: Notifier,
        journal: Journal,
        connection: Connection,
        revision: int,
    ) -> None:
        """Until everything was told, or this process is no longer the one to tell."""
        held, this, ended, more = self.held, ledger.runs[-1], False, True
        assert held is not None
        while more:
            # Asked first: what was recorded before the last target was let go of is read after that.
            asked = await asyncio.to_thread(goes_on, connection, held, revision)
            if asked is None:
                return
            more = asked
            for event in await asyncio.to_thread(tail.more, connection):
                ledger.apply(event)
                teller.on_event(event)
            # One that was handed over anew did not end by its own will.
            if this.ended_at is not None and ledger.runs[-1] is this and not ended:
                ended = True
                end = Ending(reason=this.reason or "", exit_code=this.exit_code or 0)
                await self._record(journal, teller, [], teller.at_end(end))
            if ended and teller.settled:
                await asyncio.to_thread(told, connection, held, revision)
                return
            if more:
                await self.clock.sleep(ROUND)
        await teller.settle()

    async def _record(
        self, journal: Journal, teller: Notifier, first: list[Event], owed: list[NotificationOwed]
    ) -> None:
        if first or owed:
            await journal.append(*first, *owed)
            teller.recorded(owed)

    def _gate(self, plan: Plan, ledger: Ledger) -> Gate:
        states, fresh = ledger.states, State(key="")
        images = ((image, states.get(image.key, fresh)) for image in plan.images) if plan.waves else ()
        return Waves(plan.waves, images).gate(self.clock.now())

    def _connect(self) -> Connection:
        with explained(self.database.name):
            return self.database.connect()

    def _ask(self, what: Callable[[Connection], Answer]) -> Answer:
        with explained(self.database.name), self.database.connect() as connection:
            return what(connection)
