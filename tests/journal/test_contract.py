"""What every journal promises, held against every store on disk and the one in memory."""

import asyncio
import os
import re
import resource
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace as replaced
from itertools import count
from pathlib import Path

import anyio
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from migrator.domain.cloud import Fault
from migrator.domain.errors import JournalError, JournalLocked, JournalMissing
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import Wave
from migrator.domain.units import Rate, Threshold
from migrator.journal.group_commit import GroupCommit
from migrator.journal.memory import MemoryLocation, MemoryStore
from migrator.journal.port import Journal, JournalLocation
from migrator.journal.postgres.connection import Database
from migrator.journal.postgres.location import PostgresLocation
from migrator.journal.stores import STORES
from migrator.workflow.events import (
    AttemptBegan,
    AttemptHeld,
    AttemptNotFound,
    AttemptRejected,
    AttemptRestored,
    AttemptRetryable,
    AttemptThrottled,
    AttemptUnknown,
    DeadlinePassed,
    Event,
    ImageEvent,
    ImageFound,
    ImagePlanned,
    ImageRemoved,
    ImageReopened,
    ImageSkipped,
    ImageVerified,
    JobAccepted,
    JobFailed,
    JobProgressed,
    JobReattached,
    JobRestored,
    JobSucceeded,
    MigrationFailed,
    RunBegan,
    RunEnded,
    StepAccepted,
    StepBegan,
    StepDone,
    StepEvent,
    StepFailed,
    StepMade,
    StepNotFound,
    StepRefused,
    StepReopened,
    StepUnknown,
    TargetHalted,
    VerificationFailed,
)
from migrator.workflow.ledger import Ledger, Planned, after, fold
from migrator.workflow.plan_facts import PlanFacts, Provenance, TargetFacts
from migrator.workflow.states import Phase, State
from migrator.workflow.transitions import TRANSITIONS, ImpossibleTransition
from tests.journal.conftest import NEEDS_POSTGRES
from tests.ledgers import steps_for

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


WEB = Image(
    name="web",
    target="north",
    source=ObjectRef.parse("bucket:web.zvhd2"),
    min_disk=40,
    labels={"owner": "李伟"},
)
DATA = Image(
    name="data", target="north", source=ObjectRef.parse("bucket:data.raw"), min_disk=100, os_type="Linux"
)

BUSY = Fault(code="IMG.0060", message="too many requests", status=429)


def planned(image: Image, digest: str = "d1") -> ImagePlanned:
    return ImagePlanned(at=1.0, key=image.key, image=image, digest=digest)


def began(image: Image, attempt: int = 1) -> AttemptBegan:
    return AttemptBegan(at=2.0, key=image.key, attempt=attempt, digest="d1")


def accepted(image: Image) -> JobAccepted:
    return JobAccepted(at=3.0, key=image.key, job_id="job-1")


def run(name: str) -> RunBegan:
    return RunBegan(at=0.5, run=name, version="1", host="jump", pid=7)


class Place:
    """Where a test keeps a journal, and what may happen there."""

    def __init__(self, store: str, folder: Path, url: str = "") -> None:
        self.store = store
        self.folder = folder / "plan"
        self.url = url
        self.plan = f"plan-{next(_PLANS)}"
        self.location = self._location()
        self._copies = count(1)

    def _location(self) -> JournalLocation:
        match self.store:
            case "memory":
                return MemoryLocation()
            case "postgres":
                return PostgresLocation(database=Database.at(self.url), plan=self.plan)
            case "target":
                return PostgresLocation(database=Database.at(self.url), plan=self.plan, target="north")
            case store:
                return STORES[store](self.folder)

    def after_a_kill(self) -> JournalLocation:
        """What would be there if the process died in this moment."""
        if isinstance(self.location, MemoryLocation):
            return MemoryLocation(store=MemoryStore(self.location.store.rows))
        if isinstance(self.location, PostgresLocation):
            plan = f"{self.plan}-left-{next(self._copies)}"
            copied(self.url, self.plan, plan)
            return replaced(self.location, plan=plan)
        left = self.folder.with_name(f"left-{next(self._copies)}")
        shutil.copytree(self.folder, left)
        return STORES[self.store](left)

    @contextmanager
    def small_disk(self) -> Iterator[None]:
        """No file may grow any more when it has this size."""
        if isinstance(self.location, MemoryLocation):
            self.location.store.room = 40
            yield
            self.location.store.room = None
            return
        if isinstance(self.location, PostgresLocation):
            with full(self.url):
                yield
            return
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)


_PLANS = count(1)


def copied(url: str, plan: str, other: str) -> None:
    """All that is durable of a plan, under another name and owned by nobody."""
    with psycopg.connect(url) as connection:
        for name, table in (
            ("plans", "name, epoch, generation, appended"),
            ("shards", "target, epoch, generation, appended"),
            ("events", "target, at, kind, key, body"),
            ("images", "key, target, digest, image"),
            ("states", "key, phase, state"),
        ):
            order = {"events": " ORDER BY seq", "images": " ORDER BY position"}.get(name, "")
            if name == "plans":
                connection.execute(
                    "INSERT INTO migrator.plans (name, epoch, generation, appended)"
                    " SELECT %s, epoch, generation, appended FROM migrator.plans WHERE name = %s",
                    [other, plan],
                )
                continue
            connection.execute(
                f"INSERT INTO migrator.{name} (plan, {table}) SELECT"
                f" (SELECT id FROM migrator.plans WHERE name = %s), {table} FROM migrator.{name}"
                f" WHERE plan = (SELECT id FROM migrator.plans WHERE name = %s){order}",
                [other, plan],
            )


@contextmanager
def full(url: str) -> Iterator[None]:
    """A database that says that its disk is full, after some more rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE room MAXVALUE 40 NO CYCLE")
        connection.execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF nextval('room') > 30 THEN RAISE EXCEPTION 'could not extend file: No space left on device'"
            " USING ERRCODE = 'disk_full'; END IF; RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER no_room BEFORE INSERT ON migrator.events FOR EACH ROW EXECUTE FUNCTION no_room()"
        )
        yield
        connection.execute("DROP TRIGGER no_room ON migrator.events; DROP FUNCTION no_room")
        connection.execute("DROP SEQUENCE room")


Reopen = Callable[[], Awaitable[Journal]]


EVERYWHERE = [
    *STORES,
    "memory",
    pytest.param("postgres", marks=NEEDS_POSTGRES),
    pytest.param("target", marks=NEEDS_POSTGRES),
]
"""The last is one target of a plan in a database, as a worker owns it."""


@pytest.fixture(params=EVERYWHERE)
def place(request, tmp_path) -> Place:
    database = request.param in ("postgres", "target")
    return Place(request.param, tmp_path, request.getfixturevalue("database") if database else "")


@pytest.fixture
def location(place: Place) -> JournalLocation:
    return place.location


@pytest.fixture
async def both(location) -> AsyncIterator[tuple[Journal, Reopen]]:
    """A new journal, and how to close it and open it again."""
    opened: list[Journal] = []

    async def reopen() -> Journal:
        if opened:
            await opened[-1].close()
        opened.append(await location.open(version="1.2.3"))
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
    events: list[Event] = [run("r1"), planned(WEB), planned(DATA), began(WEB), accepted(WEB)]
    for event in events:
        await journal.append(event)

    again = await reopen()

    assert list(await again.events()) == events
    assert await again.ledger() == fold(events)


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


async def test_what_images_have_in_common_is_kept_once_although_no_plan_is_known(place, journal, reopen):
    labels = {"owner": "li.wei of the team that moves"}
    one, other = (
        replace(image, os_version="CentOS 7.6 64bit", wave="the first wave", labels=labels)
        for image in (WEB, replace(WEB, name="web-02"))
    )
    await journal.append(planned(one), planned(other))

    ledger = await (await reopen()).ledger()

    found = [item.image for item in ledger.planned.values()]
    assert found == [one, other]
    if place.store != "memory":
        texts = [
            (one.target, one.os_version, one.wave, one.source.bucket, *one.labels.values()) for one in found
        ]
        assert all(first is second for first, second in zip(*texts, strict=True))


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
    with pytest.raises(ImpossibleTransition):
        await journal.append(*impossible)

    await journal.append(began(WEB))

    assert list(await (await reopen()).events()) == [planned(WEB), began(WEB)]


async def test_a_run_that_began_in_a_refused_call_did_not_begin(journal):
    await journal.append(run("r1"))
    with pytest.raises(ImpossibleTransition):
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
        Image(name=f"web-{number}", target="north", source=ObjectRef.parse(f"b:{number}.raw"), min_disk=40)
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
    await journal.append(AttemptRetryable(at=3.0, key=WEB.key, fault=Fault(message="broken \ud83d text")))

    again = await reopen()

    assert (await again.ledger()).states[WEB.key].phase is Phase.PENDING
    assert isinstance((await again.events())[-1], AttemptRetryable)


async def test_many_appends_share_one_commit(journal):
    await journal.append(run("r1"))
    halted = TargetHalted(at=2.0, target="north", fault=BUSY)
    assert isinstance(journal, GroupCommit)
    before = journal.commits

    async with anyio.create_task_group() as group:
        for _ in range(64):
            group.start_soon(journal.append, halted)

    assert journal.commits - before <= 8


async def test_what_is_committed_during_the_first_look_is_newer_than_what_the_look_saw(reopen, monkeypatch):
    await (await reopen()).append(planned(WEB))
    journal = await reopen()
    edited, added = planned(WEB, "d2"), planned(DATA)
    ask = journal._writer.ask

    async def ask_slowly(question):
        answer = await ask(question)
        await journal.append(edited, added)
        return answer

    monkeypatch.setattr(journal._writer, "ask", ask_slowly)

    assert await journal.ledger() == fold([planned(WEB), edited, added])


async def test_closing_finishes_what_is_on_its_way(journal, reopen):
    await journal.append(planned(WEB))
    async with anyio.create_task_group() as group:
        group.start_soon(journal.append, began(WEB))
        group.start_soon(journal.append, accepted(WEB))
        await anyio.lowlevel.checkpoint()
        await journal.close()

    assert list(await (await reopen()).events()) == [planned(WEB), began(WEB), accepted(WEB)]


async def test_a_number_that_no_store_can_hold_is_refused_and_the_journal_goes_on(journal, reopen):
    await journal.append(planned(WEB), began(WEB), accepted(WEB))

    with pytest.raises(ValueError, match="JobProgressed cannot be written down"):
        await journal.append(JobProgressed(at=4.0, key=WEB.key, progress=float("nan")))

    await journal.append(JobProgressed(at=5.0, key=WEB.key, progress=0.5))
    assert len(await (await reopen()).events()) == 4


# --- One writer, many readers ---------------------------------------------------------------------------


async def test_a_second_writer_is_told_at_once_who_holds_the_journal(location, journal):
    with pytest.raises(JournalLocked) as refused:
        await location.open(version="1.2.3")

    held = rf"held by process {os.getpid()} on {re.escape(socket.gethostname())} since 20\d\d-"
    assert refused.value.exit_code == 8
    assert re.search(held, str(refused.value))
    await journal.append(planned(WEB))
    await journal.close()
    await (await location.open(version="1.2.3")).close()


async def test_a_reader_is_told_who_holds_the_journal_until_it_is_closed(location, journal):
    holder = await location.read().holder()

    assert holder is not None
    assert (holder.pid, holder.host, holder.version) == (os.getpid(), socket.gethostname(), "1.2.3")
    await journal.close()
    assert await location.read().holder() is None


async def test_reading_before_anything_ran_says_so_and_leaves_no_trace(place, location):
    reader = location.read()
    assert not await location.exists()
    assert await reader.holder() is None

    for question in (reader.ledger(), reader.events(), reader.check()):
        with pytest.raises(JournalMissing, match=f"^{re.escape(str(location))}: .*nothing has run yet"):
            await question

    assert not place.folder.exists()
    assert not await location.exists()


async def test_a_journal_exists_once_it_was_opened(location, journal):
    assert await location.exists()
    await journal.close()

    assert await location.exists()
    assert await location.read().ledger() == Ledger()


async def test_a_reader_sees_what_was_acknowledged_while_another_writes(location, journal):
    await journal.append(planned(WEB), began(WEB))
    reader = location.read()

    assert await reader.ledger() == fold([planned(WEB), began(WEB)])
    await journal.append(accepted(WEB), planned(DATA))
    assert await reader.ledger() == fold([planned(WEB), began(WEB), accepted(WEB), planned(DATA)])
    assert list(await reader.events(WEB.key)) == [planned(WEB), began(WEB), accepted(WEB)]
    await reader.check()


async def test_readers_beside_a_busy_writer_see_some_moment_of_it_and_never_half_a_call(location, journal):
    await journal.append(planned(WEB), began(WEB), accepted(WEB))
    ended, lengths = anyio.Event(), []

    async def write() -> None:
        for number in range(200):
            await journal.append(
                JobProgressed(at=number, key=WEB.key, progress=0.25),
                JobProgressed(at=number + 0.5, key=WEB.key, progress=0.75),
            )
        ended.set()

    async def read() -> None:
        reader = location.read()
        while not ended.is_set():
            seen = await reader.events()
            lengths.append(len(seen))
            assert [event.at for event in seen[3:]] == [half / 2 for half in range(len(seen) - 3)]
            assert len(seen) % 2 == 1
            assert (await reader.ledger()).states[WEB.key].progress in {None, 0.75}
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        for _ in range(3):
            group.start_soon(read)

    assert lengths
    assert len(await location.read().events()) == 403


async def test_a_reader_that_looks_again_gets_the_images_that_it_knows(location, journal):
    await journal.append(planned(WEB), planned(DATA))
    known = {WEB.key: replace(WEB), DATA.key: replace(DATA, min_disk=101)}

    for _ in range(2):
        ledger = await location.read().ledger(known)

        assert ledger.planned[WEB.key].image is known[WEB.key]
        assert ledger.planned[DATA.key].image == DATA


# --- Trouble --------------------------------------------------------------------------------------------


FACTS = PlanFacts(
    targets={"north": TargetFacts(region="cn-north-4", max_jobs=40, submit_rate=Rate(count=30.0, unit="m"))},
    owner="李伟",
    timezone="Asia/Shanghai",
    waves=(Wave(name="pilot", not_before=5.0, proceed=Threshold(fraction=0.9)), Wave(name="rest")),
)


async def test_what_a_run_records_of_its_plan_is_there_for_readers_and_after_reopening(
    location, journal, reopen
):
    await journal.append(replace(run("r1"), plan=FACTS))
    await journal.append(run("r2"))

    assert (await location.read().ledger()).plan == FACTS
    again = await reopen()
    assert (await again.ledger()).plan == FACTS


async def test_what_the_images_came_from_is_told_once_all_of_them_are_there_and_by_the_latest_run_alone(
    place, location, journal, reopen
):
    found = Provenance(plan="p", lists="l", images="i", events=3)
    await journal.append(replace(run("r1"), provenance=found))
    await journal.append(planned(WEB))
    told = [await location.read().came_from()]

    await journal.append(planned(DATA))
    told.append(await location.read().came_from())
    again = await reopen()
    told.append((await again.ledger()).came_from)
    await again.append(run("r2"))
    told += [await location.read().came_from(), (await again.ledger()).came_from]

    assert told == [None, found, found, None, None]


async def test_a_ledger_is_gone_on_with_at_the_cost_of_what_is_new(location, journal):
    reader = location.read()
    await journal.append(run("r1"), planned(WEB))
    first = await reader.followed()
    ledger = first.ledger
    await journal.append(began(WEB), accepted(WEB))
    await journal.append(planned(DATA))

    second = await reader.followed(first)
    third = await reader.followed(second)

    assert third.ledger is ledger  # moved on, and not read anew
    assert ledger == await location.read().ledger() == await journal.ledger()
    assert list(ledger.planned) == [WEB.key, DATA.key]


async def test_a_ledger_of_another_journal_is_not_gone_on_with(location, journal):
    await journal.append(run("r1"), planned(WEB))
    there = await location.read().followed()
    other = replaced(there, ledger=fold([run("r0"), planned(DATA)]), mark="that of another")

    again = await location.read().followed(other)

    assert again.ledger == await journal.ledger()


async def test_a_ledger_is_gone_on_with_through_event_after_event(location, journal):
    reader, followed = location.read(), None
    first = None
    for events in ([run("r1")], [planned(WEB)], [began(WEB)], [accepted(WEB)], [planned(DATA, "d2")], []):
        await journal.append(*events)
        followed = await reader.followed(followed)
        first = first or followed.ledger

        assert followed.ledger is first
        assert followed.ledger == await reader.ledger()


async def test_a_journal_killed_after_any_event_reopens_with_every_acknowledged_one(place):
    life: list[Event] = [
        run("r1"),
        planned(WEB),
        planned(DATA),
        began(WEB),
        TargetHalted(at=2.5, target="north", fault=BUSY),
        accepted(WEB),
        planned(DATA, "d2"),
        JobSucceeded(at=4.0, key=WEB.key, image_id="i"),
        ImageVerified(at=5.0, key=WEB.key, image_id="i"),
        RunEnded(at=6.0, run="r1", reason="done", exit_code=0),
    ]
    journal = await place.location.open(version="1")
    for number, event in enumerate(life, start=1):
        await journal.append(event)

        left = place.after_a_kill()

        assert await left.read().ledger() == fold(life[:number])
        again = await left.open(version="1")
        assert list(await again.events()) == life[:number]
        assert await again.ledger() == fold(life[:number])
        await again.close()
        await left.read().check()
    await journal.close()


async def test_a_full_disk_is_said_and_all_that_was_acknowledged_is_there(place, location):
    halted = TargetHalted(at=1.0, target="north", fault=Fault(message="m" * 3000))
    journal = await location.open(version="1")
    await journal.append(run("r1"))
    ledger, acknowledged = await journal.ledger(), 0

    with place.small_disk():

        async def fill_up() -> None:
            nonlocal acknowledged
            for _ in range(200):
                await journal.append(halted)
                acknowledged += 1

        with pytest.raises(JournalError, match=f"^{re.escape(str(location))}: ") as refused:
            await fill_up()
        with pytest.raises(JournalError, match=re.escape(str(refused.value))):
            await journal.append(run("r2"))
        assert [one.run for one in ledger.runs] == ["r1"]
        await journal.close()

    again = await location.open(version="1")
    kept = list(await again.events())
    assert kept[: acknowledged + 1] == [run("r1")] + [halted] * acknowledged
    assert acknowledged > 5
    await again.append(run("r3"))
    await again.close()
    await location.read().check()


async def test_after_a_commit_that_failed_nothing_is_acknowledged_until_the_journal_is_reopened(
    journal, reopen, monkeypatch
):
    await journal.append(planned(WEB))
    ledger = await journal.ledger()

    def fail(rows):
        raise JournalError("the disk had a bad moment", hint="Wait for a better one.")

    with monkeypatch.context() as patch:
        patch.setattr(journal._writer.store, "commit", fail)
        with pytest.raises(JournalError, match="bad moment"):
            await journal.append(began(WEB))

    with pytest.raises(JournalError, match="bad moment") as refused:
        await journal.append(planned(DATA))
    assert refused.value.hint == "Wait for a better one."
    assert ledger == fold([planned(WEB)])
    assert list(await journal.events()) == [planned(WEB)]
    again = await reopen()
    await again.append(began(WEB))
    assert list(await again.events()) == [planned(WEB), began(WEB)]


async def test_a_bug_in_a_store_lets_nobody_wait_for_ever(journal, monkeypatch):
    def bug(rows):
        raise ZeroDivisionError

    monkeypatch.setattr(journal._writer.store, "commit", bug)
    with anyio.fail_after(5), pytest.raises(JournalError, match="writing failed: ZeroDivisionError"):
        await journal.append(planned(WEB))


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
    source=st.builds(ObjectRef, words, words),
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
    AttemptRetryable: {"fault": faults},
    AttemptThrottled: {"fault": faults},
    AttemptRejected: {"fault": faults},
    AttemptUnknown: {"fault": faults},
    AttemptNotFound: {"looked_for": moments},
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
    JobRestored: {"job_id": words, "submitted_at": st.none() | moments},
    AttemptRestored: {"fault": faults},
    StepBegan: {},
    StepAccepted: {"job_id": words},
    StepRefused: {"fault": faults},
    StepUnknown: {"fault": faults},
    StepNotFound: {},
    StepMade: {"image_id": words},
    StepDone: {},
    StepFailed: {"fault": faults},
    StepReopened: {},
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
        kinds = [
            kind
            for before, kind in TRANSITIONS
            if before is phase and (not issubclass(kind, StepEvent) or (state and steps_for(kind, state)))
        ] or [ImagePlanned]
        kind = draw(st.sampled_from(kinds))
        of = {}
        if state and issubclass(kind, StepEvent):
            of["step"] = st.sampled_from(steps_for(kind, state))
        event = draw(st.builds(kind, at=moments, key=st.just(key), **of, **SAYS[kind]))
        states[key] = after(state, event)
        if draw(st.booleans()):
            calls.append([])
        calls[-1].append(event)
    return calls


def test_every_fact_about_an_image_is_part_of_the_random_pasts():
    assert set(SAYS) == {kind for _, kind in TRANSITIONS}


@pytest.mark.parametrize("store", [*STORES, "memory", pytest.param("postgres", marks=NEEDS_POSTGRES)])
@given(calls=pasts())
@settings(max_examples=40)
def test_events_folded_equal_the_ledger_the_reopened_ledger_and_the_tables(request, store, calls):
    url = request.getfixturevalue("database") if store == "postgres" else ""

    async def live(location: JournalLocation) -> None:
        events = [event for call in calls for event in call]
        journal = await location.open(version="test")
        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(journal.append, *call)

        assert await journal.ledger() == await location.read().ledger() == fold(events)
        await location.read().check()
        await journal.close()
        again = await location.open(version="test")
        assert await again.ledger() == fold(events)
        assert list(await again.events()) == events
        await again.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(live(Place(store, Path(folder), url).location))
