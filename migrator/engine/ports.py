"""What the engine asks of the cloud. The engine owns these; the clients simply fit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from migrator.domain.cloud import (
    BucketInfo,
    ImagePage,
    ImageQuery,
    JobStatus,
    KeyState,
    ObjectInfo,
    ObjectPage,
    Project,
    Quota,
    RateHint,
)
from migrator.domain.image import Image, Marker
from migrator.domain.units import Moment


class Submission(Protocol):
    """One request that is signed and has not left: these very bytes are what `send` sends, once.

    So a gateway can refuse what leaves too late, however that comes about: a process that was stopped and
    goes on, a machine that was suspended or copied.
    """

    @property
    def signed_at(self) -> Moment | None:
        """The date in its signature; None where a token, which has none, stands in its place."""

    async def send(self) -> str:
        """Ask, and return the job id; not repeatable at will.

        Raises OutcomeUnknown when nobody knows what became of it, CredentialsRenewed when it was refused for
        what it was signed with, and what every other method raises.
        """


class Cloud(Protocol):
    """The image service of one target. Each method is one conversation: at most one request that counts.

    Every method raises RetryableError (repeat later), RejectedError (never), TargetHaltedError (nobody may go
    on); none raises OutcomeUnknown: a question that got no answer is simply asked again.
    """

    def listen(self, on_rate_hint: Callable[[RateHint, bool], None]) -> None:
        """From now on, pass on what the service says of its rates, and whether it is about submissions."""

    async def prepare(self, image: Image, marker: Marker | None) -> Submission:
        """The request for the import, signed. What has to be asked for that is asked here."""

    async def job(self, job_id: str) -> JobStatus:
        """How the job does. Raises RejectedError when the service does not know it."""

    async def images(self, query: ImageQuery, *, after: str | None = None) -> ImagePage:
        """One page of the private images that match, oldest first."""

    async def quota(self) -> Quota:
        """How many private images there are and may be."""

    async def delete(self, image_id: str) -> None:
        """Delete one image; no error when it is already gone."""


class AfterImport(Protocol):
    """What is asked of the image service of one target about images that are there, or of copies of them.

    Every method raises as those of Cloud do. What `share` and `copy` ask for leaves when it is sent.
    """

    async def share(self, image_id: str, project: str) -> Submission:
        """The request to let another project use the image, signed."""

    async def accept(self, image_id: str) -> str:
        """Take a shared image, as the project of this target; the job id. Accepting twice changes nothing."""

    async def members(self, image_id: str) -> dict[str, str]:
        """Who may use an image: by project id, "pending", "accepted" or "rejected"."""

    async def copy(self, image_id: str, *, name: str, region: str, project: str, agency: str) -> Submission:
        """The request to copy an image to another region, signed."""

    async def tag(self, image_id: str, tags: Mapping[str, str]) -> None:
        """Give an image tags, over those of the same keys."""

    async def job(self, job_id: str) -> JobStatus:
        """How a job does. Raises RejectedError when the service does not know it."""

    async def images(self, query: ImageQuery, *, after: str | None = None) -> ImagePage:
        """One page of the private images that match, oldest first."""


class Catalogue(Protocol):
    """What preflight asks of the image service of one target: questions only, so it cannot import anything.

    Every method raises RetryableError (repeat later), RejectedError or TargetHaltedError (never, as asked).
    """

    async def date(self) -> Moment | None:
        """What the service's own clock says, asked without credentials; None where it does not tell."""

    async def quota(self) -> Quota:
        """How many private images there are and may be."""

    async def images(self, query: ImageQuery, *, after: str | None = None) -> ImagePage:
        """One page of the private images that match, oldest first."""

    async def key(self, key_id: str) -> KeyState | None:
        """Whether a KMS key can be used; None where nobody can be asked."""

    async def os_versions(self, architecture: str | None = None) -> frozenset[str]:
        """What os_version may be in this region; of all architectures, or of "x86" or "arm"."""


class ObjectStore(Protocol):
    """The object storage of one target, read only.

    Every method raises RejectedError when that object or bucket may not be read, RetryableError to ask again
    later, TargetHaltedError when nothing here may be read.
    """

    async def object(self, bucket: str, key: str) -> ObjectInfo | None:
        """One object; None when it is not there."""

    async def bucket(self, bucket: str) -> BucketInfo | None:
        """One bucket; None when it is not there."""

    async def objects(self, bucket: str, *, after: str = "") -> ObjectPage:
        """One page of the objects whose keys come after `after`, in the order of their bytes."""

    async def uploads(self, bucket: str, prefix: str) -> frozenset[str]:
        """Keys that begin with `prefix` and whose upload in parts was never completed."""

    async def read(self, bucket: str, key: str, *, first: int | None, last: int) -> bytes:
        """The bytes of an object from number `first` to number `last`, both included; without `first`, its
        last `last` bytes. Fewer where the object ends before. RejectedError where it is not there."""


class Registry(Protocol):
    """The identity service of one target."""

    async def projects(self) -> Sequence[Project]:
        """The projects that these credentials may use. Raises RetryableError, RejectedError or
        TargetHaltedError."""
