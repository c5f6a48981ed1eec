"""A cloud that is watched while it is used: what it answers is taken in, and passed on unchanged."""

from collections.abc import Callable

from migrator.domain.cloud import ImagePage, ImageQuery, JobStatus, Quota, RateHint
from migrator.domain.errors import RetryableError
from migrator.domain.image import Image, Marker
from migrator.domain.units import Moment
from migrator.engine.ports import Cloud, Submission
from migrator.workflow.beliefs import Observer


class ObservedCloud:
    """`ports.Cloud`; sends nothing of its own."""

    def __init__(self, cloud: Cloud, observer: Observer) -> None:
        self._cloud = cloud
        self._observer = observer

    def listen(self, on_rate_hint: Callable[[RateHint, bool], None]) -> None:
        """`Cloud.listen`."""
        self._cloud.listen(on_rate_hint)

    async def prepare(self, image: Image, marker: Marker | None) -> Submission:
        """`Cloud.prepare`."""
        request = await self._cloud.prepare(image, marker)
        return _ObservedSubmission(request, self._observer, image, marker)

    async def job(self, job_id: str) -> JobStatus:
        """`Cloud.job`."""
        try:
            job = await self._cloud.job(job_id)
        except RetryableError as error:
            self._observer.on_refused(error)
            raise
        self._observer.on_job(job)
        return job

    async def images(self, query: ImageQuery, *, after: str | None = None) -> ImagePage:
        """`Cloud.images`."""
        try:
            page = await self._cloud.images(query, after=after)
        except RetryableError as error:
            self._observer.on_refused(error)
            raise
        self._observer.on_images(query, page.images)
        return page

    async def quota(self) -> Quota:
        """`Cloud.quota`."""
        return await self._cloud.quota()

    async def delete(self, image_id: str) -> None:
        """`Cloud.delete`."""
        await self._cloud.delete(image_id)


class _ObservedSubmission:
    """`ports.Submission`."""

    def __init__(self, request: Submission, observer: Observer, image: Image, marker: Marker | None) -> None:
        self._request = request
        self._observer = observer
        self._asked = image, marker

    @property
    def signed_at(self) -> Moment | None:
        """`Submission.signed_at`."""
        return self._request.signed_at

    async def send(self) -> str:
        """`Submission.send`."""
        try:
            job_id = await self._request.send()
        except RetryableError as error:
            self._observer.on_refused(error)
            raise
        self._observer.on_accepted(*self._asked)
        return job_id
