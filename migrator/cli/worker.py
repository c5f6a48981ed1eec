"""`migrator worker`: takes targets whose credentials it has, and works on them until it is told to stop."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio
import psycopg
import structlog

from migrator import __version__
from migrator.cli.beside import CODES, handled
from migrator.cli.common import Console, plural
from migrator.cli.journals import end_at_once, expect_url
from migrator.cli.target_run import TargetRun
from migrator.cli.telling import Teller, cannot_tell
from migrator.cli.wiring import PLAIN_HOSTS
from migrator.domain.errors import CredentialsError, JournalError, MigratorError
from migrator.io import credentials
from migrator.io.clock import SystemClock
from migrator.io.http import AioHttp
from migrator.journal.postgres import queue as target_queue
from migrator.journal.postgres import schema
from migrator.journal.postgres.connection import Connection, Database
from migrator.journal.postgres.errors import explained
from migrator.journal.postgres.handover import Standing, due, publish, queues, standings
from migrator.journal.postgres.heartbeat import STALE, Heartbeat, Identity
from migrator.journal.postgres.queue import TargetQueue
from migrator.journal.postgres.telling import Untold, document_of, untold
from migrator.workflow.target_counts import TargetCounts

log = structlog.get_logger()

ROUND = 0.5
"""Seconds between two looks into the database: what the others did, and what nobody works on."""

METADATA_WITHIN = 3.0
"""Seconds for which the metadata service of this machine is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What the command line asks of a worker."""

    journal: str
    name: str | None
    at_once: int
    """Targets."""

    stale: float = STALE
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


async def work(options: WorkerOptions, console: Console) -> int:
    """Work until a signal comes; returns the exit code. Raises MigratorError."""
    # What the queue does is its own business, with tracebacks; what it means is logged here.
    for name in ("procrastinate", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.WARNING if console.verbose else logging.CRITICAL)
    database = Database.at(expect_url(options.journal))
    worker = _Worker(options, database, console)
    try:
        return await worker.run()
    finally:
        await asyncio.to_thread(worker.heartbeat.stop)


class _Worker:
    def __init__(self, options: WorkerOptions, database: Database, console: Console) -> None:
        self.options = options
        self.database = database
        self.console = console
        self.clock = SystemClock()
        name = options.name or f"{socket.gethostname()}-{os.getpid()}"
        self.served: list[str] = []
        self.heartbeat = Heartbeat(
            database,
            Identity(name=name, version=__version__),
            self.clock.monotonic,
            stale=options.stale,
            queues=lambda: self.served,
        )
        self.queue = TargetQueue(
            database,
            self.take,
            name=name,
            at_once=options.at_once,
            beat=options.stale / 6,
            stale=options.stale,
            on_stop=self.leave,
        )
        self.runs: dict[tuple[str, str], TargetRun] = {}
        self.published: dict[tuple[str, str], TargetCounts] = {}
        self.asked: dict[str, bool] = {}
        """Whether the credentials of each queue are here."""

        self.telling: set[str] = set()
        """Plans of which this worker tells."""

        self.can_tell: dict[Untold, bool] = {}
        """Whether everything is here that their receivers need."""

        self.failure: MigratorError | None = None
        self.code = 0
        self.leaving = False

    async def run(self) -> int:
        await asyncio.to_thread(self._begin)
        self.console.say(
            f"worker {self.heartbeat.identity.name}: up to {plural(self.options.at_once, 'target')} at once, "
            f"from {self.database.name}"
        )
        async with self.queue, anyio.create_task_group() as group:
            await group.start(self._listen)
            group.start_soon(self._rounds, group)
            try:
                await self.queue.run()
            except JournalError as error:
                self.failure = self.failure or error
            group.cancel_scope.cancel()
        if self.failure is not None:
            raise self.failure
        self.console.say("let go of everything; others go on with it")
        return self.code

    def _begin(self) -> None:
        """Make the tables where there are none, say what is risky, and begin to beat."""
        with explained(self.database.name), self.database.connect() as connection:
            schema.prepare(connection, self.database.name)
            target_queue.prepare(connection, self.database.name)
            for warning in schema.risks(connection):
                self.console.warn(warning)
            self.heartbeat.start(connection)

    # --- Targets ----------------------------------------------------------------------------------------

    async def take(self, plan: str, target: str) -> None:
        """Work on one target, as the queue hands it out."""
        key = plan, target
        if self.leaving or key in self.runs:
            return
        run = self.runs[key] = TargetRun(
            plan=plan,
            target=target,
            database=self.database,
            heartbeat=self.heartbeat,
            environ=self.options.environ,
            console=self.console,
            on_fenced=end_at_once,
        )
        try:
            await run.carry_out()
        except JournalError as error:
            # Without its journal nothing of it may go on here: another process does, or this one anew.
            log.error("target.lost", plan=plan, target=target, reason=str(error))
            self.failure = self.failure or error
            self.queue.stop()
        finally:
            del self.runs[key]
            self.published.pop(key, None)

    def leave(self) -> None:
        """Take nothing more, and let go of every target; safe to call more than once."""
        self.leaving = True
        for run in self.runs.values():
            run.leave()

    async def _listen(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        loop, count = asyncio.get_running_loop(), 0

        def on_signal(number: signal.Signals) -> None:
            nonlocal count
            count += 1
            if count > 1:
                os._exit(CODES[number])
            loop.call_soon_threadsafe(stop)

        def stop() -> None:
            self.console.say("stopping: letting go of the targets; once more quits at once")
            self.queue.stop()

        with handled(on_signal):
            task_status.started()
            await anyio.sleep_forever()

    # --- What goes on in the database -------------------------------------------------------------------

    async def _rounds(self, group: anyio.abc.TaskGroup) -> None:
        connection: Connection | None = None
        while True:
            try:
                if connection is None or connection.closed:
                    connection = await asyncio.to_thread(self.database.connect)
                await self._round(connection)
                if not self.leaving:
                    await self._tell(connection, group)
            except (JournalError, psycopg.Error) as error:
                log.warning("database.away", reason=" ".join(str(error).split()))
                if connection is not None:
                    await asyncio.to_thread(connection.close)
                connection = None
            await anyio.sleep(ROUND)

    async def _round(self, connection: Connection) -> None:
        owned = {key: (run, held) for key, run in self.runs.items() if (held := run.held) is not None}
        counts = {key: run.counts() for key, (run, _) in owned.items()}

        def exchange() -> tuple[dict[int, Standing], list[str]]:
            for key, (_, held) in owned.items():
                if self.published.get(key) != counts[key]:
                    publish(connection, held, counts[key])
            return standings(connection, {held.plan for _, held in owned.values()}), queues(connection)

        found, wanted = await asyncio.to_thread(exchange)
        self.published.update(counts)
        for run, held in owned.values():
            if (standing := found.get(held.plan)) is not None:
                run.follow(standing)
        if not self.leaving:
            self.served = self.queue.queues = [one for one in wanted if await self._has(one)]
            targets = await asyncio.to_thread(due, connection)
            await self.queue.sweep(targets)

    async def _tell(self, connection: Connection, group: anyio.abc.TaskGroup) -> None:
        """Begin to tell of plans of which nobody does, where everything is here that it takes."""
        for one in await asyncio.to_thread(untold, connection):
            if one.plan not in self.telling and await self._may_tell(connection, one):
                self.telling.add(one.plan)
                group.start_soon(self._told, one.plan, name=f"tell-{one.plan}")

    async def _told(self, plan: str) -> None:
        try:
            await Teller(
                plan=plan,
                database=self.database,
                heartbeat=self.heartbeat,
                environ=self.options.environ,
            ).carry_out()
        finally:
            self.telling.discard(plan)

    async def _may_tell(self, connection: Connection, one: Untold) -> bool:
        """Asked once for each time that a plan is handed over, and said once where something is missing."""
        if one not in self.can_tell:
            document = await asyncio.to_thread(document_of, connection, one.plan)
            missing = [] if document is None else cannot_tell(document, self.options.environ)
            self.can_tell[one] = not missing
            for sentence in missing:
                self.console.warn(f"{one.plan}: {sentence}; or another worker tells")
        return self.can_tell[one]

    async def _has(self, queue: str) -> bool:
        """Whether all credentials of a queue are here; asked once, and told once where they are not."""
        if queue not in self.asked:
            missing = [one for one in queue.split(" ") if not await self._resolves(one)]
            self.asked[queue] = not missing
            if missing:
                self.console.warn(f"no credentials here for {', '.join(missing)}: others take such targets")
        return self.asked[queue]

    async def _resolves(self, reference: str) -> bool:
        try:
            if reference != "metadata":
                credentials.find(reference, self.options.environ)
                return True
            async with AioHttp(connect_timeout=1.0, allow_plain=PLAIN_HOSTS) as http:
                found = credentials.find(reference, self.options.environ, http=http, clock=self.clock)
                with anyio.fail_after(METADATA_WITHIN):
                    await found.secret()  # type: ignore[operator]
                return True
        except (CredentialsError, MigratorError, TimeoutError) as error:
            log.info("credentials.missing", reference=reference, reason=str(error))
            return False
