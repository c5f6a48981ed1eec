"""The service, the journal and we at work at once: what may overlap, and what must not."""

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from migrator.domain.cloud import Fault, ImagePage
from migrator.domain.errors import RetryableError
from migrator.domain.plan import Limits, Polling, Wave
from migrator.domain.units import Rate
from migrator.workflow.events import AttemptBegan, ImageVerified, JobAccepted, JobSucceeded
from migrator.workflow.resume import marker
from migrator.workflow.states import Phase
from migrator.workflow.waves import Waves
from tests.fakes import FakeClock, FakeCloud

pytestmark = pytest.mark.anyio

FAST = Rate(count=500, unit="s")
AT_ONCE = Limits(max_jobs=40, submit_rate=FAST, submit_burst=40, query_rate=FAST, query_burst=40)
BUSY = Fault(code="IMG.0061", message="busy", status=500)


class InPages:
    """The images of a cloud, two on a page."""

    def __init__(self, cloud: FakeCloud) -> None:
        self._images = cloud.images
        self.trouble: list[Exception] = []
        """What second pages of a list of this plan meet."""
        self.lists: list[float] = []
        """When the first page of a list of this plan was answered."""
        cloud.images = self.page  # type: ignore[method-assign]

    async def page(self, query, *, after=None):
        whole = (await self._images(query)).images
        if query.tag is not None and query.tag[0] == "migrator_plan":
            if after is None:
                self.lists.append(anyio.current_time())
            elif self.trouble and [image.id for image in whole].index(after) == 1:
                raise self.trouble.pop()
        start = 0 if after is None else 1 + [image.id for image in whole].index(after)
        page = whole[start : start + 2]
        return ImagePage(images=page, next=page[-1].id if page else None)


def verified(bench) -> list[ImageVerified]:
    return [fact for fact in bench.journal.facts if isinstance(fact, ImageVerified)]


async def jobs_have_ended(bench, *, image_id: str | None = None) -> None:
    """A run was killed after it heard that every job had ended well, and before it read the images back.

    Each job claims to have made `image_id`, if that is given.
    """
    await bench.open()
    for image in bench.plan.images:
        job_id = await bench.cloud.submit(image, marker(bench.plan.name, image.key))
        made = image_id or bench.cloud.jobs[job_id].image_id
        await bench.journal.append(
            AttemptBegan(at=1.0, key=image.key, attempt=1, digest="d"),
            JobAccepted(at=2.0, key=image.key, job_id=job_id),
            JobSucceeded(at=3.0, key=image.key, image_id=made),
        )


async def test_no_more_requests_are_in_flight_than_the_plan_allows_however_slow_the_journal(make):
    limits = AT_ONCE.model_copy(update={"max_requests": 4})
    bench = make(12, cloud={"seconds": 0.0, "round_trip": 1.0}, limits=limits)
    append = bench.journal.append
    in_flight = most = 0

    def counted(ask: Callable[..., Any]) -> Callable[..., Any]:
        async def asked(*arguments, **more):
            nonlocal in_flight, most
            in_flight += 1
            most = max(most, in_flight)
            try:
                return await ask(*arguments, **more)
            finally:
                in_flight -= 1

        return asked

    async def slow(*events):
        await anyio.sleep(1.0)
        await append(*events)

    bench.journal.append = slow
    for name in ("submit", "job", "images"):
        setattr(bench.cloud, name, counted(getattr(bench.cloud, name)))
    await bench.run()

    assert set(bench.phases) == {Phase.SUCCEEDED}
    assert most == 4


async def test_while_an_answer_is_written_down_another_request_may_be_in_flight(make):
    """The journal takes a second for each commit, and so does the service for each answer."""
    limits = AT_ONCE.model_copy(update={"max_requests": 2})
    bench = make(4, cloud={"seconds": 1e6, "round_trip": 1.0}, limits=limits)
    await bench.open()
    append, submit, left = bench.journal.append, bench.cloud.submit, []

    async def slow(*events):
        await append(*events)
        await anyio.sleep(1.0)

    async def noted(image, marker):
        left.append(anyio.current_time())
        return await submit(image, marker)

    bench.journal.append, bench.cloud.submit = slow, noted
    with anyio.move_on_after(60.0):
        await bench.engine.run([image.key for image in bench.plan.images])

    first = left[0]
    assert [round(moment - first) for moment in left] == [0, 0, 2, 3], (
        "the third waits for no commit but its own"
    )


async def test_what_stands_on_a_page_is_done_although_the_next_page_cannot_be_read(make, monkeypatch):
    bench = make(6, cloud={"seconds": 0.0}, limits=AT_ONCE, waves=(Wave(name="all"),))
    ends: list[str] = []
    monkeypatch.setattr(Waves, "finished", lambda waves, image, phase: ends.append(image.key))
    await jobs_have_ended(bench)
    pages = InPages(bench.cloud)
    pages.trouble = [RetryableError(BUSY)]

    await bench.run()

    assert not pages.trouble
    assert set(bench.phases) == {Phase.SUCCEEDED}
    each = [image.key for image in bench.plan.images]
    assert [fact.key for fact in verified(bench)] == each
    assert ends == each, "counted once towards their wave"


async def test_a_page_is_written_down_while_the_next_one_is_asked_for(make):
    bench = make(6, cloud={"seconds": 0.0, "round_trip": 1.0}, limits=AT_ONCE)
    await jobs_have_ended(bench)
    pages = InPages(bench.cloud)

    await bench.run()

    (first_page,) = pages.lists
    moments = [fact.at - FakeClock.START for fact in verified(bench)]
    assert [round(moment - first_page) for moment in moments] == [0, 0, 1, 1, 2, 2]


async def test_two_jobs_that_claim_one_image_are_both_judged_by_the_image_that_is_theirs(make):
    bench = make(4, cloud={"seconds": 0.0}, limits=AT_ONCE)
    await jobs_have_ended(bench, image_id="image-1")

    await bench.run()

    assert set(bench.phases) == {Phase.SUCCEEDED}
    assert [state.image_id for state in bench.ledger.states.values()] == [f"image-{n}" for n in range(1, 5)]


@pytest.mark.parametrize("seconds", [12.0, 20.0, 28.0, 40.0, 61.0])
@pytest.mark.parametrize("round_trip", [1.0, 3.0, 6.0])
@pytest.mark.parametrize("commit", [1.0, 4.0, 9.0])
async def test_a_question_that_began_while_a_list_was_written_down_is_not_asked_a_second_time(
    make, seconds, round_trip, commit
):
    """A list announces an image; what it taught takes long to record; meanwhile the image comes due."""
    limits = AT_ONCE.model_copy(update={"submit_rate": Rate(count=2, unit="s"), "submit_burst": 1})
    cloud = {"seconds": seconds, "round_trip": round_trip}
    bench = make(40, cloud=cloud, limits=limits, polling=Polling(first=5.0, max_interval=5.0))
    append, job = bench.journal.append, bench.cloud.job
    being_asked: set[str] = set()

    async def slow(*events):
        await anyio.sleep(commit)
        await append(*events)

    async def one_at_a_time(job_id):
        assert job_id not in being_asked, "two questions about one job at once"
        being_asked.add(job_id)
        try:
            return await job(job_id)
        finally:
            being_asked.remove(job_id)

    bench.journal.append, bench.cloud.job = slow, one_at_a_time
    await bench.run()

    assert set(bench.phases) == {Phase.SUCCEEDED}
