"""The stand-in cloud inside this process: no socket, simulated time, a cloud of its own in every region."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from email.utils import formatdate
from functools import lru_cache
from urllib.parse import quote, urlsplit

import anyio

from migrator.domain.cloud import Fault
from migrator.domain.errors import OutcomeUnknown
from migrator.domain.http import Request, Response
from migrator.domain.plan import Target
from migrator.domain.ports import Clock, Http
from migrator.simulator.jobs import Project
from migrator.simulator.settings import Settings, of_region
from migrator.simulator.simulator import Simulator
from migrator.simulator.stats import Stats
from migrator.simulator.wire import Act, Call

ADDRESS = "http://127.0.0.1"
"""What stands for every service in a plan that is carried out here; nothing listens there."""


class StandIn:
    """One stand-in for each region: its projects, images, rate limits and troubles are its own."""

    def __init__(self, settings: Settings, regions: Iterable[str], clock: Clock) -> None:
        self.clock = clock
        self.simulators = {
            region: Simulator(of_region(settings, region, number), now=clock.now())
            for number, region in enumerate(dict.fromkeys(regions))
        }
        for simulator in self.simulators.values():
            simulator.after.project_in = self._project
            simulator.guard.trusting = True

    @asynccontextmanager
    async def http(self, target: Target) -> AsyncIterator[Http]:
        """The road to the services of a target."""
        yield InProcessHttp(
            self.simulators[target.region],
            self.clock,
            timeout=target.limits.request_timeout,
            max_requests=target.limits.max_requests,
        )

    def forget_requests(self) -> None:
        """Count from now on."""
        now = self.clock.now()
        for simulator in self.simulators.values():
            simulator.stats = Stats(began_at=now, last_at=now)

    def _project(self, region: str, project_id: str) -> Project:
        """A project of whichever region: images are copied from one to another."""
        return self.simulators[region].project(project_id)

    @property
    def most_running(self) -> int:
        """Most jobs of one project that ever ran at once."""
        return max((one.most_running for one in self.simulators.values()), default=0)

    @property
    def requests(self) -> Mapping[str, int]:
        """By kind, those of every region together."""
        return sum((one.stats.requests for one in self.simulators.values()), Counter())

    @property
    def codes(self) -> Mapping[str, int]:
        """Errors that were answered, by code."""
        return sum((one.stats.codes for one in self.simulators.values()), Counter())

    @property
    def acts(self) -> Mapping[str, int]:
        """Answers that were not delivered as they should be."""
        return sum((one.stats.acts for one in self.simulators.values()), Counter())

    def seconds(self) -> Iterable[tuple[str, Mapping[int, int]]]:
        """Requests in each simulated second, by kind; a region after the other."""
        for simulator in self.simulators.values():
            yield from simulator.stats.seconds.items()


class InProcessHttp:
    """ports.Http over a Simulator; failures are sorted as those of a real connection are.

    A caller that is cancelled while it waits for its answer has lost it, and the simulator has not.
    """

    def __init__(self, simulator: Simulator, clock: Clock, *, timeout: float, max_requests: int) -> None:
        self._simulator = simulator
        self._clock = clock
        self._timeout = timeout
        self._slots = anyio.Semaphore(max_requests, fast_acquire=True)

    async def send(self, request: Request) -> Response:
        """The answer. Raises OutcomeUnknown where it never comes, or not all of it."""
        async with self._slots:
            return await self._exchange(request)

    async def _exchange(self, request: Request) -> Response:
        reply = self._simulator.answer(call_of(request), self._clock.now())
        if reply.act is Act.HANG or reply.delay >= self._timeout:
            await self._clock.sleep(self._timeout)
            raise _lost("timeout", f"no complete answer after {self._timeout:g} s")
        if reply.delay > 0:
            await self._clock.sleep(reply.delay)
        if reply.act is Act.RESET:
            raise _lost("reset", "the connection was closed before the answer")
        if reply.act is Act.TRUNCATE:
            raise _lost("truncated", "the answer was cut short")
        headers = {name.lower(): value for name, value in reply.headers.items()}
        headers["date"] = _date(int(self._clock.now()))
        body = b"" if request.method == "HEAD" else reply.body[: request.wanted_bytes]
        return Response(status=reply.status, headers=headers, body=body)


def _lost(kind: str, what: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        Fault(
            code=f"MIG.{kind}",
            message=what,
            remedy="Nothing to do: what may have arrived is looked up before anything is sent again.",
        )
    )


def call_of(request: Request) -> Call:
    """The call that a server would read from this request."""
    host, path, raw_path = _parts(request.url)
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers.setdefault("host", host)
    return Call(
        method=request.method,
        host=headers["host"],
        path=path,
        raw_path=raw_path,
        query=request.query,
        headers=headers,
        body=request.body,
    )


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


@lru_cache(maxsize=1024)  # a job is asked about again and again
def _parts(url: str) -> tuple[str, str, str]:
    """(host, path, path as it is sent)"""
    path = "/" + url.partition("://")[2].partition("/")[2]
    return urlsplit(url).netloc, path, quote(path, safe="/-_.~")
