"""A cloud that accepts everything and sends nothing, for `run --dry-run`."""

from collections.abc import Callable
from hashlib import blake2b

from migrator.clouds.ims import submit_body
from migrator.errors import Refused
from migrator.model import (
    CloudImage,
    Fault,
    Image,
    ImagePage,
    ImageQuery,
    ImageType,
    JobReport,
    Marker,
    Quota,
    RateHint,
)

_ENVIRONMENTS = {ImageType.ECS: "FusionCompute", ImageType.BMS: "Ironic", ImageType.DATA: "DataImage"}


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

    def listen(self, told: Callable[[RateHint, bool], None]) -> None:
        """Nothing is sent, so nothing is said."""

    async def submit(self, image: Image, marker: Marker | None) -> str:
        body = submit_body(image, marker)
        self.bodies.append(body)
        if self._show is not None:
            self._show(image, body)
        name = f"dry-{blake2b(f'{image.key} {len(self.bodies)}'.encode(), digest_size=8).hexdigest()}"
        self._images[name] = CloudImage(
            id=name,
            name=image.name,
            status="active",
            tags={**image.own_tags, **(marker.tags if marker else {})},
            os_version=image.os_version,
            os_type=image.os_type,
            min_disk=image.min_disk,
            architecture=image.architecture,
            hw_firmware_type=image.hw_firmware_type,
            virtual_env_type=_ENVIRONMENTS[image.type],
            enterprise_project_id=image.enterprise_project_id,
            data_origin=f"file,{image.image_url}",
        )
        return name

    async def job(self, job_id: str) -> JobReport:
        if job_id not in self._images:
            remedy = "A rehearsal knows only its own jobs; run without --dry-run to follow real ones."
            raise Refused(Fault(code="MIG.dry", message="this job was not started here", remedy=remedy))
        return JobReport(job_id=job_id, status="SUCCESS", progress=1.0, image_id=job_id)

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
