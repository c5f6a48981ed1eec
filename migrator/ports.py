"""The sockets: all that the engine asks of the world. The engine owns them; edges and clouds simply fit."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import anyio

from migrator.core.ledger import Ledger, Planned
from migrator.core.lifecycle import Event
from migrator.model import (
    Image,
    ImagePage,
    ImageQuery,
    JobReport,
    Marker,
    Moment,
    Quota,
    RateHint,
    Request,
    Response,
)


class Clock(Protocol):
    """Time, in the caller's hand."""

    def now(self) -> Moment:
        """The wall clock, for stamps, signatures and deadlines; it may jump."""

    def monotonic(self) -> float:
        """Seconds that only grow, for pacing."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`, or at the next turn of the loop when it is not positive."""

    async def wait(self, event: anyio.Event, seconds: float) -> None:
        """Return when `event` is set, or after `seconds` (inf: never), whichever comes first."""


class Http(Protocol):
    """One request out, one answer in. It never repeats a request by itself."""

    async def send(self, request: Request) -> Response:
        """The answer, whatever its status.

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


class Cloud(Protocol):
    """The image service of one target. Each method is one conversation: at most one request that counts.

    Every method raises Unavailable (repeat later), Refused (never), Halted (nobody may go on). Only
    `submit` may raise OutcomeUnknown: a question that got no answer is simply asked again.
    """

    def listen(self, told: Callable[[RateHint, bool], None]) -> None:
        """From now on, pass on what the service says of its rates, and whether it is about submissions."""

    async def submit(self, image: Image, marker: Marker | None) -> str:
        """Ask for the import and return the job id; not repeatable at will."""

    async def job(self, job_id: str) -> JobReport:
        """How the job does. Raises Refused when the service does not know it."""

    async def images(self, query: ImageQuery, *, after: str | None = None) -> ImagePage:
        """One page of the private images that match, oldest first."""

    async def quota(self) -> Quota:
        """How many private images there are and may be."""

    async def delete(self, image_id: str) -> None:
        """Delete one image; no error when it is already gone."""


class Journal(Protocol):
    """Facts, durable in the order in which they were appended."""

    async def append(self, *events: Event) -> None:
        """Return only when the events would survive a power cut; they are kept all or none, in order of call.

        Raises JournalError (full disk, read-only, lost lock): the events were not acknowledged, and nothing
        after them will be; only opening the journal again tells whether they were kept. Raises ImpossibleMove
        when an event cannot follow, and ValueError when one cannot be written down: then nothing of the call
        was kept, and the journal goes on. A cancelled call may be kept or not, but never half.
        """

    async def ledger(self, known: Mapping[str, Planned] = MappingProxyType({})) -> Ledger:
        """Everything acknowledged so far, folded; the same object each time, and kept up to date.

        It changes only between two turns of the caller's loop. Read it and do not change it. Images that
        equal a `known` one are that one, so that a plan and its journal do not hold everything twice.
        """

    async def events(self, key: str | None = None) -> Sequence[Event]:
        """Every event, or those of one image, oldest first."""

    async def close(self) -> None:
        """Let go of the lock; what was appended stays."""
