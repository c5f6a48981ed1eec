"""A list of everything is read page by page: what it says of each image is the same however it is cut."""

from dataclasses import dataclass, field
from math import ceil

import pytest

from migrator.domain.cloud import CloudImage, ImagePage, ImageQuery
from migrator.engine.context import Context
from migrator.engine.handlers.verify import verify
from migrator.pacing.scheduler import WorkItem
from migrator.workflow.events import AttemptBegan, ImageEvent, ImageVerified, JobAccepted, JobSucceeded
from migrator.workflow.resume import marker
from migrator.workflow.transitions import Step
from migrator.workflow.visibility_delay import ListedBy
from tests.engine.conftest import Bench
from tests.fakes import FakeClock, FakeCloud

pytestmark = pytest.mark.anyio


@dataclass
class Pages(FakeCloud):
    """Lists these images, so many on a page."""

    shown: list[CloudImage] = field(default_factory=list)
    size: int = 1

    async def images(self, query: ImageQuery, *, after: str | None = None) -> ImagePage:
        start = int(after or 0)
        end = start + self.size
        return ImagePage(
            images=tuple(self.shown[start:end]), next=str(end) if end < len(self.shown) else None
        )


def image(bench: Bench, id_: str, name: str, status: str, of: str | None = None) -> CloudImage:
    """One that bears the marker of the image `of`, which is called `name` unless told otherwise."""
    mark = marker(bench.plan.name, f"north/{of or name}")
    return CloudImage(id=id_, name=name, status=status, tags=mark.tags)


async def running(bench: Bench, began_at: float = 1.0) -> Context:
    """What lists of the target are read with, while all three imports run."""
    keys = await bench.open()
    for key in keys:
        digest = bench.ledger.planned[key].digest
        await bench.journal.append(
            AttemptBegan(at=began_at, key=key, attempt=1, digest=digest),
            JobAccepted(at=began_at + 1.0, key=key, job_id=f"job-{key}"),
        )
    assert bench.engine is not None
    bench.engine._open_targets(keys)
    return bench.engine.drivers["north"].context


def names(bench: Bench) -> list[str]:
    return [one.name for one in bench.plan.images]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_the_status_of_each_image_is_the_same_however_a_list_is_cut(size: int):
    bench = Bench()
    first, second, third = names(bench)
    bench.cloud = Pages(
        size=size,
        shown=[
            image(bench, "i-1", first, "saving"),
            CloudImage(id="i-2", name="somebody's", status="active", tags={}),
            image(bench, "i-3", second, "queued"),
            image(bench, "i-4", first, "active"),
            image(bench, "i-6", first, "queued"),
            image(bench, "i-5", "renamed since", "active", of=third),
        ],
    )
    listing = (await running(bench)).listing

    found = await listing.statuses(set(bench.ledger.states), ListedBy.TAG, None)

    assert found == {f"north/{first}": "active", f"north/{second}": "queued", f"north/{third}": "active"}
    assert listing.worker.sweep_pages == ceil(6 / size)


async def test_of_a_list_that_verifies_many_only_what_may_still_be_asked_about_is_kept():
    bench = Bench()
    first, second, third = names(bench)
    shown = [
        image(bench, "complete while its job is said to run", first, "active"),
        image(bench, "not complete, and not asked about", first, "saving"),
        image(bench, "of an image that is over", second, "active"),
        image(bench, "of one that is asked about", third, "queued"),
        CloudImage(id="of no name of the plan", name="renamed since", status="saving", tags={}),
    ]
    listing = (await running(bench)).listing
    over = (
        JobSucceeded(at=3.0, key=f"north/{second}", image_id="i"),
        ImageVerified(at=4.0, key=f"north/{second}", image_id="i"),
    )
    await bench.journal.append(*over)

    kept = listing.unsettled(shown, {f"north/{third}"})

    assert [one.id for one in kept] == [
        "complete while its job is said to run",
        "of one that is asked about",
        "of no name of the plan",
    ]


async def test_images_that_nobody_asks_about_are_left_out():
    bench = Bench()
    first, second, _ = names(bench)
    bench.cloud = Pages(shown=[image(bench, "i-1", first, "active"), image(bench, "i-2", second, "active")])
    listing = (await running(bench)).listing

    assert await listing.statuses({f"north/{second}"}, ListedBy.TAG, None) == {f"north/{second}": "active"}


@pytest.mark.parametrize(
    ("began_at", "known"),
    [
        pytest.param(FakeClock.START - 1.0, False, id="by an earlier run"),
        pytest.param(FakeClock.START + 1.0, True, id="by this run"),
    ],
)
async def test_a_list_begins_late_only_for_imports_that_this_run_asked_for(began_at: float, known: bool):
    context = await running(Bench(), began_at)

    assert (context.listing.since(context.ledger.states) is not None) is known


async def test_a_job_that_ended_while_a_list_was_read_is_not_missing_because_that_list_begins_after_it():
    bench = Bench()
    first, second, third = names(bench)
    bench.cloud = Pages(shown=[image(bench, "i-1", first, "active"), image(bench, "i-2", second, "active")])
    context = await running(bench, FakeClock.START + 1.0)
    keys = tuple(context.ledger.states)
    for number, key in enumerate(keys, 1):
        await bench.journal.append(JobSucceeded(at=FakeClock.START + 9.0, key=key, image_id=f"i-{number}"))
    context.worker.scheduler.ask(f"north/{third}", Step.VERIFY, 0.0)

    results = [one async for one in verify(context, WorkItem(Step.VERIFY, keys[:2]))]

    judged = [event.key for one in results for event in one.events if isinstance(event, ImageEvent)]
    assert [key for key in keys if key in judged] == list(keys[:2])
    assert {key: wait for one in results for key, wait in one.after.items()} == {f"north/{third}": 0.0}
    assert context.worker.watch(context.state(f"north/{third}")).unverified_since is None
    assert context.worker.scheduler.recent_pages == 2
