"""Targets handed out by Procrastinate: one holder of each, dead ones noticed, none handed out twice.

The queue knows nothing that our own tables do not: it may be emptied at any time, and the next sweep fills it
again. A job is done when the worker has ended with it, whatever became of the target; what is left to do is
deferred again by the sweep.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Self

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import DeleteJobCondition, Status
from procrastinate.worker import Worker

from migrator.domain.errors import JournalError
from migrator.journal.postgres.connection import Connection, Database
from migrator.journal.postgres.errors import explained
from migrator.journal.postgres.handover import Due

TASK = "migrator.target"

FETCH_EVERY = 0.5
"""Seconds between two looks for a target to take."""

_LOCK = 0x4D494751
"""Of the advisory lock under which the queue's tables are made."""

_MISSING = "Run the worker once as a user who may create tables in this database; see docs/scale-out.md."

Take = Callable[[str, str], Awaitable[None]]
"""Works on one target of a plan, by their names, until nothing is left or it has to be let go of."""


def prepare(connection: Connection, name: str) -> None:
    """Make Procrastinate's tables where there are none. Raises JournalError."""
    with explained(name), connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        there = connection.execute("SELECT to_regclass('procrastinate_jobs') IS NOT NULL").fetchone()
        if there == (True,):
            return
        from procrastinate.schema import SchemaManager

        connection.execute(SchemaManager.get_schema().encode())


class _Worker(Worker):
    """Tells when it stops, whoever asked it to: what it took is to be let go of."""

    on_stop: Callable[[], None] = staticmethod(lambda: None)

    def stop(self) -> None:
        self.on_stop()
        super().stop()  # type: ignore[no-untyped-call]


class TargetQueue:
    """The queue as one worker sees it; open it with `async with`."""

    def __init__(
        self,
        database: Database,
        take: Take,
        *,
        name: str,
        at_once: int,
        beat: float,
        stale: float,
        on_stop: Callable[[], None],
    ) -> None:
        """`at_once` is how many targets; `on_stop` is called when nothing more will be taken."""
        self._name = database.name
        self._stale = stale
        self._app = App(
            connector=PsycopgConnector(
                conninfo=database.conninfo,
                kwargs={"prepare_threshold": None},
                min_size=1,
                max_size=4,
                timeout=10.0,
            )
        )

        @self._app.task(name=TASK)
        async def target(plan: str, target: str) -> None:
            await take(plan, target)

        self._worker = _Worker(
            self._app,
            queues=[],
            name=name,
            concurrency=at_once,
            fetch_job_polling_interval=FETCH_EVERY,
            listen_notify=False,  # which queues are ours changes, and a pooler lets no notification through
            delete_jobs=DeleteJobCondition.ALWAYS.value,
            install_signal_handlers=False,
            update_heartbeat_interval=beat,
            stalled_worker_timeout=stale,
        )
        self._worker.on_stop = on_stop

    async def __aenter__(self) -> Self:
        with explained(self._name):
            try:
                await self._app.open_async()
            except ConnectorException as error:
                raise _connection_lost(self._name, error) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._app.close_async()

    @property
    def queues(self) -> list[str]:
        """What this worker takes targets from."""
        return list(self._worker.queues or ())

    @queues.setter
    def queues(self, queues: Iterable[str]) -> None:
        self._worker.queues = list(queues)

    async def run(self) -> None:
        """Take targets until told to stop, and until the last of them has ended. Raises JournalError."""
        try:
            await self._worker.run()  # type: ignore[no-untyped-call]
        except ConnectorException as error:
            raise _connection_lost(self._name, error) from error

    def stop(self) -> None:
        """Take nothing more."""
        self._worker.stop()

    async def sweep(self, due: Iterable[Due]) -> None:
        """See that every target that is due is in the queue, and that no dead worker keeps it there.

        Raises JournalError.
        """
        wanted = {f"{one.plan}/{one.target}": one for one in due}
        if not wanted:
            return
        try:
            for job in await self._app.job_manager.get_stalled_jobs(
                task_name=TASK, seconds_since_heartbeat=self._stale
            ):
                if job.lock in wanted and job.id is not None:
                    await self._app.job_manager.finish_job_by_id_async(
                        job_id=job.id, status=Status.FAILED, delete_job=True
                    )
            for lock, one in wanted.items():
                await self.defer(lock, one)
        except (ConnectorException, psycopg.Error) as error:
            raise _connection_lost(self._name, error) from error

    async def defer(self, lock: str, one: Due) -> None:
        """Put a target into the queue, unless it is there."""
        deferrer = self._app.configure_task(
            TASK, lock=lock, queueing_lock=lock, queue=one.queue, allow_unknown=False
        )
        try:
            await deferrer.defer_async(plan=one.plan, target=one.target)
        except AlreadyEnqueued:
            pass


def _connection_lost(name: str, error: Exception) -> JournalError:
    cause = error.__cause__ or error
    said = " ".join(str(cause).split()) or type(cause).__name__
    return JournalError(
        f"{name}: the queue of targets cannot be reached: {said}",
        hint="Check the database; a supervisor starts this worker again, and others go on meanwhile.",
    )
