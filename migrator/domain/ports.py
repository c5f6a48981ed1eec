"""What everybody asks of the world: time, one HTTP request, and a signature for it."""

from typing import Protocol

import anyio

from migrator.domain.http import Request, Response
from migrator.domain.units import Moment


class Clock(Protocol):
    """Time, in the caller's hand."""

    def now(self) -> Moment:
        """The wall clock, for stamps, signatures and deadlines; it may jump."""

    def monotonic(self) -> float:
        """Seconds that only grow, for pacing."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`, or at the next step of the loop when it is not positive."""

    async def wait(self, event: anyio.Event, seconds: float) -> None:
        """Return when `event` is set, or after `seconds` (inf: never), whichever comes first."""


class Http(Protocol):
    """One request out, one answer in. It never repeats a request by itself."""

    async def send(self, request: Request) -> Response:
        """The answer, whatever its status, and of its body as much as the request wants.

        Raises Unreachable when the request surely never left (refused, name not found, TLS), and
        OutcomeUnknown when it may have arrived (timeout, reset, an answer cut short or too large).
        """


class Signer(Protocol):
    """Makes requests ours."""

    async def sign(self, request: Request) -> Request:
        """The request with its authentication headers. Raises CredentialsError, or what Http raises."""

    async def renew(self, rejected: Request) -> bool:
        """After a 401 for `rejected`: get something better to sign with; False when there is nothing better.

        Single-flight: however many tasks call it, one renewal is made.
        """
