"""What a run measures of itself, for `--metrics-file`; a run without that measures nothing."""

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
import structlog

from migrator.cli.reporting import snapshot
from migrator.cli.wiring import Road, network, zone_of
from migrator.domain.errors import OutcomeUnknown, ReportError, Unreachable
from migrator.domain.http import Request, Response
from migrator.domain.image import Image
from migrator.domain.plan import Plan, Target
from migrator.domain.ports import Http
from migrator.domain.units import Moment
from migrator.ims.calls import call_of
from migrator.io.atomic_write import write_atomically
from migrator.journal.port import NO_IMAGES, Journal
from migrator.reports.summary import summary
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger

if TYPE_CHECKING:
    from migrator.reports.metrics import RunMetrics

log = structlog.get_logger()


class CountedHttp:
    """ports.Http; counts what is asked and what comes of it."""

    def __init__(self, http: Http, count: Callable[[str, str], None]) -> None:
        self._http = http
        self._count = count

    async def send(self, request: Request) -> Response:
        call = call_of(request.method, request.url)
        try:
            response = await self._http.send(request)
        except Unreachable:
            self._count(call, "unreachable")
            raise
        except OutcomeUnknown:
            self._count(call, "no-answer")
            raise
        self._count(call, str(response.status))
        return response


class TimedJournal:
    """port.Journal; notes how long each append takes, and since when those that go on do."""

    def __init__(
        self, journal: Journal, took: Callable[[float], None], monotonic: Callable[[], float]
    ) -> None:
        self._journal = journal
        self._took = took
        self._monotonic = monotonic
        self._began: dict[object, float] = {}
        """Of appends under way, the oldest first."""

    def waiting(self) -> float:
        """Seconds for which the oldest event waits that is not durable yet; 0 when none does."""
        oldest = next(iter(self._began.values()), None)
        return 0.0 if oldest is None else self._monotonic() - oldest

    async def ledger(self, known: Mapping[str, Image] = NO_IMAGES) -> Ledger:
        return await self._journal.ledger(known)

    async def events(self, key: str | None = None) -> Sequence[Event]:
        return await self._journal.events(key)

    def holds(self) -> bool:
        return self._journal.holds()

    async def close(self) -> None:
        await self._journal.close()

    async def append(self, *events: Event) -> None:
        this, began = object(), self._monotonic()
        self._began[this] = began
        try:
            await self._journal.append(*events)
        finally:
            del self._began[this]
        self._took(self._monotonic() - began)


class Measured:
    """The metrics of one run, and the file that they go to."""

    def __init__(self, path: Path | None) -> None:
        """Without a file nothing is measured."""
        self._path = path
        self._run: RunMetrics | None = None
        self._waiting: Callable[[], float] = lambda: 0.0
        if path is not None:
            from migrator.reports import metrics  # its library is for those who ask for metrics

            self._run = metrics.RunMetrics()

    def road(self, plan: Plan, environ: Mapping[str, str]) -> Road | None:
        """The network, with what leaves by it counted; None: the network as it is."""
        if self._run is None:
            return None
        open_road = network(plan, environ)

        def counted(target: Target) -> AbstractAsyncContextManager[Http]:
            return self._counted(open_road(target))

        return counted

    @asynccontextmanager
    async def _counted(self, opening: AbstractAsyncContextManager[Http]) -> AsyncIterator[Http]:
        async with opening as http:
            yield CountedHttp(http, self._count)

    def _count(self, call: str, answer: str) -> None:
        if self._run is not None:
            self._run.requests[call, answer] += 1

    def journal(self, journal: Journal, monotonic: Callable[[], float]) -> Journal:
        """The same journal, with its appends timed."""
        if self._run is None:
            return journal
        timed = TimedJournal(journal, self._run.appends.took, monotonic)
        self._waiting = timed.waiting
        return timed

    @property
    def wanted(self) -> bool:
        """Whether there is a file to write."""
        return self._path is not None

    async def write(self, plan: Plan, ledger: Ledger, now: Moment, *, running: bool) -> float:
        """Write the file anew; seconds of a processor that it took.

        What keeps it from being written is logged, and the run goes on.
        """
        path = self._path
        if path is None:
            return 0.0
        from migrator.reports.metrics import metrics_text

        frozen, zone = snapshot(ledger), zone_of(plan)
        if self._run is not None:
            self._run.waiting = self._waiting()

        def write() -> float:
            began = time.thread_time()
            facts = summary(frozen, plan=plan, now=now, running=running, zone=zone)
            # Read by a collector that is another user: nothing in it is secret.
            write_atomically(path, metrics_text([facts], self._run))
            return time.thread_time() - began

        try:
            return await anyio.to_thread.run_sync(write)
        except (ReportError, OSError) as error:
            log.error("metrics.stale", reason=str(error))
            return 0.0
