"""The sockets: all that the engine asks of the world. The engine owns them; edges and clouds simply fit."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

import anyio

from migrator.core.ledger import Ledger
from migrator.core.lifecycle import Event
from migrator.model import (
    BucketInfo,
    Image,
    ImagePage,
    ImageQuery,
    JobReport,
    Marker,
    Moment,
    ObjectInfo,
    ObjectPage,
    Project,
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


class Catalogue(Protocol):
    """What preflight asks of the image service of one target: questions only, so it cannot import anything.

    Every method raises Unavailable (repeat later), Refused or Halted (never, as asked).
    """

    async def date(self) -> Moment | None:
        """What the service's own clock says, asked without credentials; None where it does not tell."""

    async def quota(self) -> Quota:
        """How many private images there are and may be."""

    async def images(self, query: ImageQuery, *, after: str | None = None) -> ImagePage:
        """One page of the private images that match, oldest first."""

    async def os_versions(self, architecture: str | None = None) -> frozenset[str]:
        """What os_version may be in this region; of all architectures, or of "x86" or "arm"."""


class ObjectStore(Protocol):
    """The object storage of one target, read only.

    Every method raises Refused when that object or bucket may not be read, Unavailable to ask again later,
    Halted when nothing here may be read.
    """

    async def object(self, bucket: str, key: str) -> ObjectInfo | None:
        """One object; None when it is not there."""

    async def bucket(self, bucket: str) -> BucketInfo | None:
        """One bucket; None when it is not there."""

    async def objects(self, bucket: str, *, after: str = "") -> ObjectPage:
        """One page of the objects whose keys come after `after`, in the order of their bytes."""

    async def uploads(self, bucket: str, prefix: str) -> frozenset[str]:
        """Keys that begin with `prefix` and whose upload in parts was never completed."""


class Registry(Protocol):
    """The identity service of one target."""

    async def projects(self) -> Sequence[Project]:
        """The projects that these credentials may use. Raises Unavailable, Refused or Halted."""


class Journal(Protocol):
    """Facts, durable in the order in which they were appended."""

    async def append(self, *events: Event) -> None:
        """Return only when the events would survive a power cut; they are kept all or none, in order of call.

        Raises JournalError (full disk, read-only, lost lock): the events were not acknowledged, and nothing
        after them will be; only opening the journal again tells whether they were kept. Raises ImpossibleMove
        when an event cannot follow, and ValueError when one cannot be written down: then nothing of the call
        was kept, and the journal goes on. A cancelled call may be kept or not, but never half.
        """

    async def ledger(self, known: Mapping[str, Image] = MappingProxyType({})) -> Ledger:
        """Everything acknowledged so far, folded; the same object each time, and kept up to date.

        It changes only between two turns of the caller's loop. Read it and do not change it. Images that
        equal a `known` one are that one, so that a plan and its journal do not hold everything twice.
        """

    async def events(self, key: str | None = None) -> Sequence[Event]:
        """Every event, or those of one image, oldest first."""

    async def close(self) -> None:
        """Let go of the lock; what was appended stays."""
