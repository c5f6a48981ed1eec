"""Honest stand-ins for the sockets: each keeps the promise of its port, without the world behind it."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
from msgspec.structs import replace

from migrator.domain.cloud import CloudImage, Fault, ImagePage, ImageQuery, JobStatus, Quota, RateHint
from migrator.domain.errors import OutcomeUnknown, RejectedError
from migrator.domain.image import Image, ImageType, Marker
from migrator.domain.units import Moment
from migrator.engine.ports import Cloud

# --- Clock ----------------------------------------------------------------------------------------------


class FakeClock:
    """The virtual loop's time, on a day that never changes."""

    START = 1_900_000_000.0

    off = 0.0
    """Seconds by which somebody has set the wall clock wrong."""

    def now(self) -> Moment:
        return self.START + anyio.current_time() + self.off

    def monotonic(self) -> float:
        return anyio.current_time()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(max(0.0, seconds))

    async def wait(self, event: anyio.Event, seconds: float) -> None:
        with anyio.move_on_after(max(0.0, seconds)):
            await event.wait()


# --- Cloud ----------------------------------------------------------------------------------------------

_KINDS = {ImageType.ECS: "FusionCompute", ImageType.BMS: "Ironic", ImageType.DATA: "DataImage"}


@dataclass(slots=True)
class FakeJob:
    """One accepted import."""

    job_id: str
    image_id: str
    image: Image
    tags: dict[str, str]
    began_at: Moment
    seconds: float
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class FakeRequest:
    """A request that is signed and has not left."""

    signed_at: float | None
    send: Callable[[], Coroutine[Any, Any, str]]


async def submitted(cloud: Cloud, image: Image, marker: Marker | None) -> str:
    """The job of an import that is asked for at once."""
    return await (await cloud.prepare(image, marker)).send()


@dataclass
class FakeCloud:
    """An image service of one target. It accepts everything, unless the script says otherwise."""

    clock: FakeClock = field(default_factory=FakeClock)
    seconds: float = 30.0
    """How long each job takes."""

    script: list[Exception | str] = field(default_factory=list)
    """What the next submissions meet, one each: an exception, or "ok".

    `OutcomeUnknown` accepts the import and loses the answer, unless it is in `before`.
    """

    late: dict[int, float] = field(default_factory=dict)
    """Indices into all submissions whose OutcomeUnknown is followed by acceptance after so many seconds."""

    before: set[int] = field(default_factory=set)
    """Indices into all submissions whose OutcomeUnknown came before acceptance: nothing was imported."""

    questions: list[Exception] = field(default_factory=list)
    """What the next questions meet."""

    job_faults: dict[str, Fault] = field(default_factory=dict)
    """Image names whose jobs fail."""

    visible_after: float = 0.0
    """Seconds from acceptance until an unfinished import is listed; inf: only when it has finished."""

    requests: int = 0
    """How many submissions were made, refused ones included."""

    asked: int = 0
    """How many questions were asked."""

    jobs: dict[str, FakeJob] = field(default_factory=dict)
    extra: list[CloudImage] = field(default_factory=list)
    """Images that are there besides."""

    change: dict[str, dict[str, object]] = field(default_factory=dict)
    """Image names whose listed image differs from what was asked, and how."""

    most_at_once: int = 0
    round_trip: float = 0.05

    def listen(self, on_rate_hint: Callable[[RateHint, bool], None]) -> None:
        """It never says anything of its rates."""

    @property
    def imported(self) -> list[str]:
        """The names of all accepted imports, in order; as the bill would list them."""
        return [job.image.name for job in self.jobs.values()]

    async def prepare(self, image: Image, marker: Marker | None) -> "FakeRequest":
        return FakeRequest(self.clock.now(), lambda: self.submit(image, marker))

    async def submit(self, image: Image, marker: Marker | None) -> str:
        number, self.requests = self.requests, self.requests + 1
        await self.clock.sleep(self.round_trip / 2)
        fate = self.script.pop(0) if self.script else "ok"
        if isinstance(fate, Exception) and (not isinstance(fate, OutcomeUnknown) or number in self.before):
            raise fate
        job_id = f"job-{len(self.jobs) + 1}"
        tags = {**image.own_tags, **(marker.tags if marker else {})}
        fault = self.job_faults.get(image.name)
        began = self.clock.now() + self.late.get(number, 0.0)
        self.jobs[job_id] = FakeJob(
            job_id, f"image-{len(self.jobs) + 1}", image, tags, began, self.seconds, fault
        )
        self.most_at_once = max(self.most_at_once, sum(not self._over(job) for job in self.jobs.values()))
        await self.clock.sleep(self.round_trip / 2)
        if isinstance(fate, Exception):
            raise fate
        return job_id

    async def job(self, job_id: str) -> JobStatus:
        await self._question()
        job = self.jobs.get(job_id)
        if job is None:
            raise RejectedError(
                Fault(code="IMG.0031", message="The resource ID in the request is incorrect.")
            )
        if not self._over(job):
            progress = (self.clock.now() - job.began_at) / job.seconds
            return JobStatus(job_id=job_id, status="RUNNING", progress=progress, image_id=job.image_id)
        if job.fault is not None:
            return JobStatus(job_id=job_id, status="FAIL", fault=job.fault)
        return JobStatus(job_id=job_id, status="SUCCESS", image_id=job.image_id, progress=1.0)

    async def images(self, query: ImageQuery, *, after: str | None = None) -> ImagePage:
        await self._question()
        return ImagePage(images=tuple(image for image in self._listed() if self._matches(query, image)))

    async def quota(self) -> Quota:
        await self._question()
        return Quota(used=len(self._listed()), limit=1000)

    async def delete(self, image_id: str) -> None:
        await self._question()
        self.jobs = {name: job for name, job in self.jobs.items() if job.image_id != image_id}
        self.extra = [image for image in self.extra if image.id != image_id]

    async def _question(self) -> None:
        self.asked += 1
        await self.clock.sleep(self.round_trip)
        if self.questions:
            raise self.questions.pop(0)

    def _over(self, job: FakeJob) -> bool:
        return self.clock.now() >= job.began_at + job.seconds

    def _listed(self) -> list[CloudImage]:
        images = list(self.extra)
        for job in self.jobs.values():
            over, age = self._over(job), self.clock.now() - job.began_at
            if age < 0 or (over and job.fault is not None) or (not over and age < self.visible_after):
                continue
            image = job.image
            listed = CloudImage(
                id=job.image_id,
                name=image.name,
                status="active" if over else "saving",
                tags=job.tags,
                os_version=image.os_version,
                min_disk=image.min_disk,
                size=5_000_000_000,
                virtual_env_type=_KINDS[image.type],
                hw_firmware_type=image.hw_firmware_type,
                enterprise_project_id=image.enterprise_project_id,
                description=image.description,
                created_at=job.began_at,
            )
            images.append(replace(listed, **self.change.get(image.name, {})))
        return images

    def _matches(self, query: ImageQuery, image: CloudImage) -> bool:
        return (
            (query.id is None or image.id == query.id)
            and (query.name is None or image.name == query.name)
            and (query.tag is None or image.tags.get(query.tag[0]) == query.tag[1])
            and (query.created_since is None or (image.created_at or 0.0) >= query.created_since)
        )
