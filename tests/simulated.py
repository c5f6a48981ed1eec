"""The stand-in cloud in process: Http without a socket, under whatever clock the test holds."""

from dataclasses import dataclass, field

from migrator.cli.stand_in import call_of
from migrator.domain.cloud import Fault
from migrator.domain.errors import OutcomeUnknown, RetryableError
from migrator.domain.http import Request, Response
from migrator.domain.ports import Clock
from migrator.domain.units import Moment
from migrator.simulator.simulator import Simulator
from migrator.simulator.wire import Act


@dataclass(kw_only=True)
class SimulatedHttp:
    """Http over a Simulator; every promise of ports.Http is kept.

    A caller that is cancelled while it waits for its answer has lost it, and the simulator has not: as with
    a real connection.
    """

    simulator: Simulator
    clock: Clock
    timeout: float = 60.0
    """Seconds after which a request that hangs counts as lost."""

    outages: list[tuple[Moment, Moment]] = field(default_factory=list)
    """While one of these lasts, nobody listens: Unavailable."""

    sent: list[Request] = field(default_factory=list)
    """Every request that arrived, if `keep` says so."""

    keep: bool = False
    in_flight: int = 0
    most_in_flight: int = 0

    async def send(self, request: Request) -> Response:
        now = self.clock.now()
        if any(since <= now < until for since, until in self.outages):
            raise RetryableError(Fault(code="MIG.network", message="connection refused"))
        if self.keep:
            self.sent.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._exchange(request, now)
        finally:
            self.in_flight -= 1

    async def _exchange(self, request: Request, now: Moment) -> Response:
        reply = self.simulator.answer(call_of(request), now)
        if reply.act is Act.HANG or reply.delay >= self.timeout:
            await self.clock.sleep(self.timeout)
            raise OutcomeUnknown(Fault(code="MIG.timeout", message="timed out after sending"))
        if reply.delay > 0:
            await self.clock.sleep(reply.delay)
        if reply.act is Act.RESET:
            raise OutcomeUnknown(Fault(code="MIG.network", message="connection reset by peer"))
        if reply.act is Act.TRUNCATE:
            raise OutcomeUnknown(Fault(code="MIG.network", message="the answer was cut short"))
        headers = {name.lower(): value for name, value in reply.headers.items()}
        return Response(status=reply.status, headers=headers, body=reply.body[: request.wanted_bytes])
