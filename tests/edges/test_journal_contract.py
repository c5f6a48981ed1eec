"""What every journal promises, held against the one on disk and the one in memory."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from migrator.core.ledger import Ledger, Planned, after, fold
from migrator.core.lifecycle import (
    TRANSITIONS,
    AttemptAbsent,
    AttemptBegan,
    AttemptHeld,
    AttemptLost,
    AttemptRefused,
    AttemptRejected,
    DeadlinePassed,
    Event,
    ImageEvent,
    ImageFound,
    ImagePlanned,
    ImageRemoved,
    ImageReopened,
    ImageSkipped,
    ImageVerified,
    ImpossibleMove,
    JobAccepted,
    JobFailed,
    JobProgressed,
    JobReattached,
    JobSucceeded,
    MigrationFailed,
    Phase,
    RunBegan,
    RunEnded,
    State,
    TargetHalted,
    VerificationFailed,
)
from migrator.edges.journal import Journal as SqliteJournal
from migrator.errors import JournalError
from migrator.model import Fault, Image
from migrator.ports import Journal
from tests.fakes import MemoryJournal

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


WEB = Image(name="web", target="north", image_url="bucket:web.zvhd2", min_disk=40, labels={"owner": "李伟"})
DATA = Image(name="data", target="north", image_url="bucket:data.raw", min_disk=100, os_type="Linux")
BUSY = Fault(code="IMG.0060", message="too many requests", status=429)


def planned(image: Image, digest: str = "d1") -> ImagePlanned:
    return ImagePlanned(at=1.0, key=image.key, image=image, digest=digest)


def began(image: Image, attempt: int = 1) -> AttemptBegan:
    return AttemptBegan(at=2.0, key=image.key, attempt=attempt, digest="d1")


def accepted(image: Image) -> JobAccepted:
    return JobAccepted(at=3.0, key=image.key, job_id="job-1")


def run(name: str) -> RunBegan:
    return RunBegan(at=0.5, run=name, version="1", host="jump", pid=7)


Reopen = Callable[[], Awaitable[Journal]]


@pytest.fixture(params=["memory", "sqlite"])
async def both(request, tmp_path) -> AsyncIterator[tuple[Journal, Reopen]]:
    """A new journal, and how to close it and open it again."""
    opened: list[Journal] = []

    async def in_memory() -> Journal:
        last = opened[-1] if opened else MemoryJournal()
        assert isinstance(last, MemoryJournal)
        return last.reopened()

    async def on_disk() -> Journal:
        if opened:
            await opened[-1].close()
        return await SqliteJournal.open(tmp_path / "plan" / "journal.db", version="test")

    async def reopen() -> Journal:
        opened.append(await (in_memory if request.param == "memory" else on_disk)())
        return opened[-1]

    yield await reopen(), reopen
    await opened[-1].close()


@pytest.fixture
def journal(both):
    return both[0]


@pytest.fixture
def reopen(both):
    return both[1]


async def test_a_new_journal_knows_nothing(journal):
    assert await journal.ledger() == Ledger()
    assert list(await journal.events()) == []


async def test_what_was_appended_is_there_in_order_after_reopening(journal, reopen):
    told: list[Event] = [run("r1"), planned(WEB), planned(DATA), began(WEB), accepted(WEB)]
    for event in told:
        await journal.append(event)

    again = await reopen()

    assert list(await again.events()) == told
    assert await again.ledger() == fold(told)


async def test_the_ledger_is_up_to_date_when_append_returns_and_is_always_the_same_object(journal):
    ledger = await journal.ledger()
    await journal.append(planned(WEB), began(WEB))

    assert ledger.states[WEB.key].phase is Phase.SUBMITTING
    assert ledger.planned[WEB.key].image == WEB
    assert await journal.ledger() is ledger


async def test_events_that_were_appended_before_the_first_look_are_in_the_ledger(journal):
    async with anyio.create_task_group() as group:
        group.start_soon(journal.append, run("r1"), planned(WEB))
        group.start_soon(journal.ledger)
        group.start_soon(journal.append, planned(DATA), began(WEB))

    assert await journal.ledger() == fold(await journal.events())
    assert list((await journal.ledger()).planned) == [WEB.key, DATA.key]


async def test_images_are_listed_in_the_order_first_seen_whatever_is_edited_later(journal, reopen):
    await journal.append(planned(WEB), planned(DATA))
    await journal.append(planned(WEB, "d2"))

    ledger = await (await reopen()).ledger()

    assert list(ledger.planned) == list(ledger.states) == [WEB.key, DATA.key]
    assert ledger.planned[WEB.key].digest == "d2"


async def test_known_images_are_not_held_twice_and_edited_ones_are_not_mistaken_for_them(journal, reopen):
    db = replace(WEB, name="db")
    await journal.append(planned(WEB), planned(DATA), planned(db))
    known = {WEB.key: replace(WEB), db.key: db, DATA.key: replace(DATA, labels={"app": "shop"})}

    ledger = await (await reopen()).ledger(known)

    assert ledger.planned[WEB.key] == Planned(image=WEB, digest="d1")
    assert ledger.planned[WEB.key].image is known[WEB.key]
    assert ledger.planned[DATA.key] == Planned(image=DATA, digest="d1")
    assert ledger.planned[db.key] == Planned(image=db, digest="d1")


async def test_the_events_of_one_image_are_its_own_only(journal):
    await journal.append(run("r1"), planned(WEB), planned(DATA), began(WEB))

    assert list(await journal.events(WEB.key)) == [planned(WEB), began(WEB)]
    assert list(await journal.events("north/nobody")) == []


async def test_runs_and_what_stopped_them_are_remembered(journal, reopen):
    await journal.append(run("r1"), TargetHalted(at=2.0, target="north", fault=BUSY))
    await journal.append(RunEnded(at=3.0, run="r1", reason="quota", exit_code=7))

    (first,) = (await (await reopen()).ledger()).runs

    assert (first.run, first.reason, first.exit_code, first.ended_at) == ("r1", "quota", 7, 3.0)
    assert first.halted == {"north": BUSY}


@pytest.mark.parametrize(
    "impossible",
    [
        pytest.param([accepted(WEB)], id="out of turn"),
        pytest.param([began(WEB), began(WEB, 2)], id="the second of two"),
        pytest.param([began(WEB), accepted(DATA)], id="of an image nobody planned"),
        pytest.param([began(WEB), RunEnded(at=1.0, run="r1", reason="done", exit_code=0)], id="of no run"),
        pytest.param(
            [run("r1"), RunEnded(at=1.0, run="r2", reason="done", exit_code=0)], id="of another run"
        ),
    ],
)
async def test_an_impossible_move_keeps_nothing_of_its_call_and_the_journal_goes_on(
    journal, reopen, impossible
):
    await journal.append(planned(WEB))
    with pytest.raises(ImpossibleMove):
        await journal.append(*impossible)

    await journal.append(began(WEB))

    assert list(await (await reopen()).events()) == [planned(WEB), began(WEB)]


async def test_a_run_that_began_in_a_refused_call_did_not_begin(journal):
    await journal.append(run("r1"))
    with pytest.raises(ImpossibleMove):
        await journal.append(run("r2"), began(WEB))

    await journal.append(RunEnded(at=3.0, run="r1", reason="done", exit_code=0))

    assert [one.run for one in (await journal.ledger()).runs] == ["r1"]


async def test_an_event_may_follow_one_that_is_still_on_its_way(journal):
    async with anyio.create_task_group() as group:
        for event in (planned(WEB), began(WEB), accepted(WEB)):
            group.start_soon(journal.append, event)

    assert (await journal.ledger()).states[WEB.key].phase is Phase.RUNNING


async def test_appends_from_many_tasks_are_kept_in_the_order_of_the_calls(journal, reopen):
    images = [
        Image(name=f"web-{number}", target="north", image_url=f"b:{number}.raw", min_disk=40)
        for number in range(200)
    ]
    called: list[str] = []

    async def plan(image: Image) -> None:
        called.append(image.key)
        await journal.append(planned(image))
        called.append(image.key)
        await journal.append(began(image))

    async with anyio.create_task_group() as group:
        for image in images:
            group.start_soon(plan, image)

    kept = await (await reopen()).events()
    assert [event.key for event in kept if isinstance(event, ImageEvent)] == called


async def test_an_append_that_is_cancelled_is_kept_whole_or_not_at_all(journal, reopen):
    await journal.append(planned(WEB), planned(DATA))
    async with anyio.create_task_group() as group:
        group.start_soon(journal.append, began(WEB), accepted(WEB))
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()

    await journal.append(began(DATA))

    phases = {key: state.phase for key, state in (await (await reopen()).ledger()).states.items()}
    assert phases[WEB.key] in {Phase.PENDING, Phase.RUNNING}
    assert phases[DATA.key] is Phase.SUBMITTING


async def test_appending_nothing_is_no_error(journal):
    await journal.append()

    assert list(await journal.events()) == []


async def test_closing_twice_is_fine_and_appending_afterwards_is_refused(journal):
    await journal.close()
    await journal.close()

    with pytest.raises(JournalError, match="closed"):
        await journal.append(planned(WEB))


async def test_text_with_half_a_character_is_kept_readable(journal, reopen):
    await journal.append(planned(WEB), began(WEB))
    await journal.append(AttemptRefused(at=3.0, key=WEB.key, fault=Fault(message="broken \ud83d text")))

    again = await reopen()

    assert (await again.ledger()).states[WEB.key].phase is Phase.PENDING
    assert isinstance((await again.events())[-1], AttemptRefused)


# --- Any valid past -------------------------------------------------------------------------------------

moments = st.floats(min_value=0, max_value=4e9)
words = st.text(max_size=12)
faults = st.builds(
    Fault, message=words, code=words, remedy=words, request_id=words, status=st.none() | st.integers(100, 599)
)
images = st.builds(
    Image,
    name=st.just("x"),
    target=st.just("t"),
    image_url=words,
    min_disk=st.integers(1, 1024),
    os_version=st.none() | words,
    tags=st.none() | st.lists(words, max_size=2).map(tuple),
    image_tags=st.none() | st.dictionaries(words, words, max_size=2),
    labels=st.dictionaries(words, words, max_size=2),
    priority=st.integers(-5, 5),
)

SAYS: dict[type[ImageEvent], dict[str, st.SearchStrategy[object]]] = {
    ImagePlanned: {"image": images, "digest": words},
    ImageRemoved: {},
    AttemptBegan: {"attempt": st.integers(1, 99), "digest": words},
    JobAccepted: {"job_id": words},
    AttemptRefused: {"fault": faults, "throttled": st.booleans()},
    AttemptRejected: {"fault": faults},
    AttemptLost: {"fault": faults},
    AttemptAbsent: {"looked_for": moments},
    AttemptHeld: {"fault": faults},
    ImageFound: {"image_id": words, "active": st.booleans()},
    JobProgressed: {"progress": st.floats(0, 1)},
    JobSucceeded: {"image_id": st.none() | words},
    JobFailed: {"fault": faults, "image_id": st.none() | words},
    DeadlinePassed: {},
    JobReattached: {},
    ImageVerified: {"image_id": words, "checked": st.booleans()},
    VerificationFailed: {"fault": faults},
    ImageSkipped: {"image_id": words},
    MigrationFailed: {"fault": faults},
    ImageReopened: {},
}


@st.composite
def pasts(draw: st.DrawFn) -> list[list[Event]]:
    """Events that can follow each other, in calls of a few."""
    states: dict[str, State] = {}
    calls: list[list[Event]] = [[RunBegan(at=0.0, run="r", version="1", host="h", pid=1)]]
    for _ in range(draw(st.integers(0, 40))):
        key = draw(st.sampled_from(["a/1", "a/2", "b/数据"]))
        state = states.get(key)
        phase = state.phase if state else None
        kinds = [kind for before, kind in TRANSITIONS if before is phase] or [ImagePlanned]
        kind = draw(st.sampled_from(kinds))
        event = draw(st.builds(kind, at=moments, key=st.just(key), **SAYS[kind]))
        states[key] = after(state, event)
        if draw(st.booleans()):
            calls.append([])
        calls[-1].append(event)
    return calls


def test_every_fact_about_an_image_is_part_of_the_random_pasts():
    assert set(SAYS) == {kind for _, kind in TRANSITIONS}


@given(calls=pasts())
@settings(max_examples=40)
def test_events_folded_equal_the_ledger_the_reopened_ledger_and_the_tables(calls):
    async def live(path: Path) -> None:
        told = [event for call in calls for event in call]
        memory, journal = MemoryJournal(), await SqliteJournal.open(path, version="test")
        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(journal.append, *call)
        for call in calls:
            await memory.append(*call)

        assert await journal.ledger() == await memory.ledger() == fold(told)
        await journal.check()
        await journal.close()
        again = await SqliteJournal.open(path, version="test")
        assert await again.ledger() == fold(told)
        assert list(await again.events()) == told
        await again.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(Path(folder) / "journal.db"))
