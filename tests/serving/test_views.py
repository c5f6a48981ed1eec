"""What is made of a plan, when, and how much of its journal is read for it."""

from collections.abc import Mapping, Sequence

import pytest

from migrator.domain.plan import Plan
from migrator.domain.units import Moment
from migrator.domain.zone import UTC_ZONE
from migrator.io.clock import SystemClock
from migrator.journal.memory import MemoryJournal, MemoryLocation
from migrator.journal.port import Followed, JournalReader
from migrator.reports.summary import Summary, summary
from migrator.serving import pages
from migrator.serving.views import OLD_AFTER, SHARE, Views
from migrator.workflow.beliefs import ServiceSeen
from migrator.workflow.events import ImagePlanned, RunEnded
from migrator.workflow.ledger import Ledger
from tests.serving.test_site import RUN, an_image, life

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Hand(SystemClock):
    """Time that goes on when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1000.0

    def now(self) -> Moment:
        return self.time

    def monotonic(self) -> float:
        return self.time


class OnePlan:
    """`Plans` of one journal in memory, whose pages cost as long as the test says."""

    def __init__(self, journal: MemoryJournal, location: MemoryLocation) -> None:
        self.journal = journal
        self.location = location
        self.before: list[Followed | None] = []
        """What each reading went on from."""

    async def tokens(self) -> dict[str, str]:
        return {"plan": str(len(self.journal.facts))}

    def reader(self, name: str) -> JournalReader:
        reader = self.location.read()
        followed = reader.followed

        async def watched(before: Followed | None = None) -> Followed:
            self.before.append(before)
            return await followed(before)

        reader.followed = watched  # type: ignore[method-assign]
        return reader

    def service(self, name: str) -> Mapping[str, ServiceSeen]:
        return {}


class Place:
    """A view of one plan, and a clock."""

    def __init__(self, views: Views, plans: OnePlan, clock: Hand) -> None:
        self.views, self.plans, self.clock = views, plans, clock
        self.cost = 0.0
        self.made = 0

    async def append(self, name: str) -> None:
        image = an_image(name)
        await self.plans.journal.append(ImagePlanned(at=1.0, key=image.key, image=image, digest="d"))


@pytest.fixture
async def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    location = MemoryLocation()
    journal = await location.open(version="1")
    await journal.append(RUN, *life(an_image("web-01")))
    clock = Hand()
    plans = OnePlan(journal, location)
    one = Place(Views(plans, clock, UTC_ZONE), plans, clock)

    def costly(ledger: Ledger, *, plan: Plan, **others: object) -> Summary:
        one.made += 1
        clock.time += one.cost
        return summary(ledger, plan=plan, **others)  # type: ignore[arg-type]

    monkeypatch.setattr("migrator.serving.views.summary", costly)
    await one.views.look()
    return one


async def test_only_what_is_new_is_read_of_a_journal_that_was_read(place):
    first = await place.views.of("plan")
    await place.append("web-02")
    await place.views.look()
    second = await place.views.of("plan")

    assert [before and before.ledger.events for before in place.plans.before] == [None, 7]
    assert (len(first.facts.images), len(second.facts.images)) == (1, 2)


async def test_pages_take_no_more_than_their_share_of_a_core_however_often_a_journal_changes(place):
    place.cost = 3.0
    began = place.clock.time
    for number in range(300):
        await place.append(f"new-{number}")
        await place.views.look()
        await place.views.of("plan")
        place.clock.time += 2.0

    assert place.made > 5
    assert place.made * place.cost <= SHARE * (place.clock.time - began) + place.cost


async def test_viewers_are_told_of_a_change_when_its_page_may_be_made(place):
    place.cost = 3.0
    await place.views.of("plan")
    await place.append("web-02")

    assert await place.views.look() == set()
    assert len((await place.views.of("plan")).facts.images) == 1
    place.clock.time += 3.0 / SHARE
    assert await place.views.look() == {"plan"}
    assert len((await place.views.of("plan")).facts.images) == 2
    assert await place.views.look() == set()


async def test_a_quick_page_is_made_at_every_change(place):
    place.cost = 0.05
    for number in range(5):
        await place.append(f"new-{number}")
        assert await place.views.look() == {"plan"}
        await place.views.of("plan")

    assert place.made == 5


@pytest.mark.parametrize(
    ("reason", "grows_old"),
    [
        pytest.param(None, True, id="a run is at work"),
        pytest.param("stopped while running", False, id="ended"),
    ],
)
async def test_whether_a_page_grows_old_is_told_by_the_run_and_by_no_word(place, reason, grows_old):
    if reason:
        await place.plans.journal.append(RunEnded(at=9.0, run="r1", reason=reason, exit_code=7))
        place.plans.location.store.holder = None
    await place.views.look()
    view = await place.views.of("plan")
    assert ("running" in view.said) is True

    place.clock.time += OLD_AFTER + 1
    assert await place.views.look() == ({"plan"} if grows_old else set())
    await place.views.of("plan")

    assert place.made == (2 if grows_old else 1)


async def test_something_is_rendered_once_for_all_who_come_together(place):
    view = await place.views.of("plan")
    made: list[int] = []

    def make() -> bytes:
        made.append(1)
        return b"page"

    import anyio

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(place.views.part, view, "page", make)

    assert made == [1]


# --- Lists of some images -------------------------------------------------------------------------------


async def shown(place: Place, query: Mapping[str, str]) -> str:
    await place.views.look()
    view = await place.views.of("plan")
    wanted = pages.wanted(query)
    return pages.page_of_plan(view) if wanted is None else pages.page_of_images(view, wanted)


def listed(page: str) -> Sequence[str]:
    return [part.split("</bdi>")[0] for part in page.split("<bdi>north/")[1:]]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"machine": "db"}, ["db-1", "db-2"]),
        ({"owner": "Ann"}, ["db-1"]),
        ({"owner": ""}, ["db-2"]),
        ({"wave": "pilot"}, ["db-2"]),
        ({"status": "succeeded"}, ["web-01"]),
        ({"machine": "db", "owner": "Ann"}, ["db-1"]),
        ({"machine": "nobody's"}, []),
        ({"target": "north", "skip": "no number"}, ["db-1", "db-2", "web-01"]),
    ],
)
async def test_images_are_listed_by_what_they_share(place, query, names):
    from msgspec.structs import replace

    for name, wave, labels in (("db-1", None, {"owner": "Ann"}), ("db-2", "pilot", {})):
        image = replace(an_image(name), wave=wave, labels={"machine": "db", **labels})
        await place.plans.journal.append(ImagePlanned(at=1.0, key=image.key, image=image, digest="d"))

    assert listed(await shown(place, query)) == names


async def test_a_long_list_goes_on_on_further_pages_and_ends(place):
    for number in range(450):
        await place.append(f"vm-{number:03}")
    first = await shown(place, {"status": "pending"})
    last = await shown(place, {"status": "pending", "skip": "400"})

    assert len(listed(first)) == 200
    assert "450 images, here 1 to 200" in first
    assert "?status=pending&amp;skip=200" in first
    assert len(listed(last)) == 50
    assert 'rel="next"' not in last
    assert "?status=pending&amp;skip=200" in last


async def test_a_table_of_very_many_owners_is_cut_and_says_so_with_failures_first(place):
    from msgspec.structs import replace

    for number in range(300):
        image = replace(an_image(f"vm-{number:03}"), labels={"owner": f"owner-{number:03}"})
        events = life(image, well=number != 299)
        await place.plans.journal.append(*events)

    page = await shown(place, {})

    assert "101 more owners are in" in page
    assert page.count("?owner=") == 200
    assert page.index("?owner=owner-299") < page.index("?owner=owner-000")
