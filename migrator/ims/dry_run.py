"""A cloud that accepts everything and sends nothing, for `run --dry-run`."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from migrator.domain.cloud import CloudImage, Fault, ImagePage, ImageQuery, JobStatus, Quota, RateHint
from migrator.domain.errors import RejectedError
from migrator.domain.image import Image, Marker
from migrator.ims.client import submit_body
from migrator.ims.fields import shown_attributes


class DryCloud:
    """What would be sent, in the order in which it would be (ports.Cloud).

    Every import succeeds at once and gives exactly the image that was asked for, so a whole run can be
    rehearsed. `show` is called with each image and the body that its import would have.
    """

    def __init__(self, show: Callable[[Image, dict[str, object]], None] | None = None) -> None:
        self.bodies: list[dict[str, object]] = []
        """One for each import that would be asked for."""

        self._show = show
        self._images: dict[str, CloudImage] = {}

    def listen(self, on_rate_hint: Callable[[RateHint, bool], None]) -> None:
        """Nothing is sent, so nothing is said."""

    async def prepare(self, image: Image, marker: Marker | None) -> "DryRequest":
        """What `send` would send."""
        return DryRequest(self, image, marker)

    def submit(self, image: Image, marker: Marker | None) -> str:
        """Accept an import; the id of its job, and of its image."""
        body = submit_body(image, marker)
        self.bodies.append(body)
        if self._show is not None:
            self._show(image, body)
        name = f"dry-{blake2b(f'{image.key} {len(self.bodies)}'.encode(), digest_size=8).hexdigest()}"
        self._images[name] = CloudImage(id=name, status="active", **_echo(image, marker))
        return name

    async def job(self, job_id: str) -> JobStatus:
        if job_id not in self._images:
            remedy = "A rehearsal knows only its own jobs; run without --dry-run to follow real ones."
            raise RejectedError(Fault(code="MIG.dry", message="this job was not started here", remedy=remedy))
        return JobStatus(job_id=job_id, status="SUCCESS", progress=1.0, image_id=job_id)

    async def images(self, query: ImageQuery, *, after: str | None = None) -> ImagePage:
        found = [
            image
            for image in self._images.values()
            if query.id in (None, image.id)
            and query.name in (None, image.name)
            and (query.tag is None or image.tags.get(query.tag[0]) == query.tag[1])
        ]
        return ImagePage(images=tuple(found))

    async def quota(self) -> Quota:
        return Quota(used=len(self._images), limit=1_000_000)

    async def delete(self, image_id: str) -> None:
        self._images.pop(image_id, None)


class DryRequest:
    """A request that goes nowhere (ports.Submission)."""

    signed_at = None

    def __init__(self, cloud: DryCloud, image: Image, marker: Marker | None) -> None:
        self._cloud = cloud
        self._asked = image, marker

    async def send(self) -> str:
        return self._cloud.submit(*self._asked)


def _echo(image: Image, marker: Marker | None) -> dict[str, Any]:
    """All that a finished image can show of what was asked for."""
    values = ((shown.attribute, value_of(image, marker)) for _, shown, value_of in shown_attributes())
    return {attribute: value for attribute, value in values if value is not None}
