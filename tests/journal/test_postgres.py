"""One owner at a time, and what becomes of commits when owners, networks and databases fail."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from uuid import uuid4

import anyio
import psycopg
import pytest

from migrator.domain.cloud import Fault
from migrator.domain.errors import JournalError, JournalFenced, JournalLocked, JournalTooNew, JournalWentBack
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.journal.codec import event_text
from migrator.journal.postgres.connection import Database
from migrator.journal.postgres.heartbeat import Heartbeat, Identity, registered
from migrator.journal.postgres.location import PostgresLocation
from migrator.workflow.events import (
    AttemptBegan,
    ImagePlanned,
    JobAccepted,
    JobProgressed,
    RunBegan,
    TargetHalted,
)
from migrator.workflow.ledger import fold
from tests.journal.conftest import NEEDS_POSTGRES
from tests.postgres import Cluster, cluster

pytestmark = [pytest.mark.anyio, NEEDS_POSTGRES]

_PLANS = count(1)


@pytest.fixture
def anyio_backend():
    return "asyncio"


WEB = Image(name="web", target="north", source=ObjectRef.parse("bucket:web.zvhd2"), min_disk=40)
DB = Image(name="db", target="south", source=ObjectRef.parse("bucket:db.zvhd2"), min_disk=40)


def planned(image: Image) -> ImagePlanned:
    return ImagePlanned(at=1.0, key=image.key, image=image, digest="d1")


def began(image: Image) -> AttemptBegan:
    return AttemptBegan(at=2.0, key=image.key, attempt=1, digest="d1", signed_at=2.0)


RUN = RunBegan(at=0.5, run="r1", version="1", host="jump", pid=7)


class Life:
    """One process, as far as the database knows: it beats, until it is dead."""

    def __init__(self, url: str, name: str = "w1", stale: float = 30.0) -> None:
        self.now = 1000.0
        self.database = Database.at(url)
        self.heartbeat = Heartbeat(
            self.database, Identity(name=name, version="1"), lambda: self.now, stale=stale
        )
        registered(self.database, self.heartbeat)
        self.fenced: list[JournalError] = []

    def at(self, plan: str, target: str | None = None) -> PostgresLocation:
        return PostgresLocation(
            database=self.database,
            plan=plan,
            target=target,
            heartbeat=self.heartbeat,
            on_fenced=self.fenced.append,
        )

    def dies(self) -> None:
        """It beats no more, and its last beat is long ago; what it is about to do, it may still do."""
        self.heartbeat.stop()
        with self.database.connect() as connection:
            who = self.heartbeat.identity
            connection.execute(
                "INSERT INTO migrator.processes (id, name, host, pid, version, machine, began, stale, beat)"
                " VALUES (%s, %s, %s, %s, '1', '', '', 30, now() - interval '31 s') ON CONFLICT (id)"
                " DO UPDATE SET beat = now() - interval '31 s'",
                [who.id, who.name, who.host, who.pid],
            )


async def until(true: Callable[[], bool]) -> None:
    """Wait for another thread, which tells nobody."""
    with anyio.fail_after(10):
        while not true():  # noqa: ASYNC110
            await anyio.sleep(0.02)


@pytest.fixture
def lives(database) -> Iterator[list[Life]]:
    """Two processes."""
    both = [Life(database, "w1"), Life(database, "w2")]
    yield both
    for one in both:
        one.heartbeat.stop()


@pytest.fixture
def plan() -> str:
    return f"fence-{next(_PLANS)}"


# --- Fences ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [None, "north"], ids=["the plan", "one target"])
async def test_nothing_of_an_owner_lands_after_another_has_taken_over(lives, plan, target):
    old, new = lives
    first = await old.at(plan, target).open(version="1")
    await first.append(planned(WEB), began(WEB))
    old.dies()

    second = await new.at(plan, target).open(version="1")
    with pytest.raises(JournalFenced) as refused:
        await first.append(JobAccepted(at=3.0, key=WEB.key, job_id="j"))

    assert refused.value.exit_code == 70
    assert [str(error) for error in old.fenced] == [str(refused.value)]
    assert list(await second.events()) == [planned(WEB), began(WEB)]
    await second.append(JobAccepted(at=3.0, key=WEB.key, job_id="k"))
    await first.close()  # what it lets go of is no longer its own
    await second.append(JobProgressed(at=4.0, key=WEB.key, progress=0.5))
    await second.close()


async def test_who_lives_keeps_what_it_holds(lives, plan):
    journal = await lives[0].at(plan, "north").open(version="1")

    with pytest.raises(JournalLocked, match="w1, process"):
        await lives[1].at(plan, "north").open(version="1")
    with pytest.raises(JournalLocked, match="w1, process"):
        await lives[1].at(plan).open(version="1")

    await journal.close()
    await (await lives[1].at(plan).open(version="1")).close()


async def test_while_one_process_runs_a_plan_nobody_takes_a_target_of_it(lives, plan):
    journal = await lives[0].at(plan).open(version="1")

    with pytest.raises(JournalLocked):
        await lives[1].at(plan, "north").open(version="1")

    lives[0].dies()
    target = await lives[1].at(plan, "north").open(version="1")
    with pytest.raises(JournalFenced):
        await journal.append(RUN)
    await target.close()
    await journal.close()


async def test_targets_of_one_plan_have_owners_of_their_own_and_know_their_own_images(lives, plan):
    north = await lives[0].at(plan, "north").open(version="1")
    south = await lives[1].at(plan, "south").open(version="1")

    await north.append(planned(WEB), began(WEB))
    await south.append(planned(DB))

    assert set((await (await reopened(lives[0], plan, "north", north)).ledger()).states) == {WEB.key}
    whole = await lives[0].at(plan).read().ledger()
    assert whole == fold([planned(WEB), began(WEB), planned(DB)])
    await south.close()


async def reopened(life: Life, plan: str, target: str, journal):
    await journal.close()
    return await life.at(plan, target).open(version="1")


async def test_a_worker_that_was_started_again_does_not_keep_its_former_life_alive(database, plan):
    """Its name is the same; what it held before belongs to whoever comes first."""
    before = Life(database, "w1")
    journal = await before.at(plan, "north").open(version="1")
    before.dies()
    again, other = Life(database, "w1"), Life(database, "w2")

    taken = await other.at(plan, "north").open(version="1")

    await taken.close()
    await journal.close()
    for one in (again, other):
        one.heartbeat.stop()


@pytest.fixture
def elsewhere(database, plan) -> Iterator[subprocess.Popen[bytes]]:
    """Another process, which has opened the journal."""
    code = (
        "import asyncio, os, sys, time; from migrator.journal.stores import journal_in\n"
        f"async def main():\n    await journal_in({database!r}, {plan!r}, print).open(version='1')\n"
        "    print('open', flush=True); time.sleep(60)\nasyncio.run(main())"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield process
        process.kill()


async def test_a_process_of_this_machine_that_is_known_to_be_dead_need_not_be_waited_for(
    elsewhere, database, plan
):
    location = PostgresLocation(database=Database.at(database), plan=plan)
    with pytest.raises(JournalLocked, match=f"process {elsewhere.pid} on"):
        await location.open(version="1")

    elsewhere.kill()
    elsewhere.wait()
    await (await PostgresLocation(database=Database.at(database), plan=plan).open(version="1")).close()


# --- The lease ------------------------------------------------------------------------------------------


async def test_a_process_that_was_stopped_may_not_act_before_it_beats_again(database, plan):
    life = Life(database, stale=30.0)
    journal = await life.at(plan).open(version="1")
    assert journal.holds()

    life.heartbeat.stop()
    life.heartbeat._until = life.now + 24.0
    life.now += 23.9
    assert journal.holds()
    life.now += 0.2
    assert not journal.holds()
    await journal.close()


async def test_the_lease_counts_from_before_the_beat_was_sent_and_ends_before_others_take_over(database):
    life = Life(database, stale=6.0)
    await until(lambda: life.heartbeat.beats >= 1)

    assert life.heartbeat._until == life.now + 0.8 * 6.0
    life.heartbeat.stop()


async def test_a_database_that_forgot_this_process_gives_no_lease(database):
    life = Life(database, stale=3.0)
    with life.database.connect() as connection:
        connection.execute("DELETE FROM migrator.processes WHERE id = %s", [life.heartbeat.identity.id])
    await until(lambda: not life.heartbeat.holds())
    life.heartbeat.stop()


# --- Commits whose answer is lost -----------------------------------------------------------------------


class Torn:
    """A connection that breaks at the next statement, before or after it was carried out."""

    closed = False

    def __init__(self, connection, *, after: bool) -> None:
        self.connection = connection
        self.after = after

    def execute(self, query, values=None):
        if self.after:
            self.connection.execute(query, values)
        self.connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    def close(self) -> None:
        self.connection.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("target", [None, "north"], ids=["the plan", "one target"])
async def test_a_commit_whose_answer_is_lost_is_made_once(lives, plan, after, target):
    journal = await lives[0].at(plan, target).open(version="1")
    await journal.append(planned(WEB))
    torn = journal._writer.store
    torn._connection = Torn(torn._connection, after=after)

    await journal.append(began(WEB))
    await journal.append(JobAccepted(at=3.0, key=WEB.key, job_id="j"))

    events = [planned(WEB), began(WEB), JobAccepted(at=3.0, key=WEB.key, job_id="j")]
    assert list(await journal.events()) == events
    await journal.close()
    await lives[0].at(plan).read().check()


async def test_a_database_that_stays_away_is_waited_for_and_then_said(lives, plan, monkeypatch):
    journal = await lives[0].at(plan).open(version="1")
    away = journal._writer.store
    away.patience = 0.5

    def nobody() -> None:
        raise psycopg.OperationalError("connection refused")

    torn = Torn(away._connection, after=False)
    away._connection = torn
    monkeypatch.setattr(type(away._database), "connect", lambda self: nobody())
    with pytest.raises(JournalError, match="cannot be reached: connection refused"):
        await journal.append(RUN)
    monkeypatch.undo()
    await journal.close()

    again = await lives[1].at(plan).open(version="1") if not lives[0].dies() else None
    assert again is not None
    assert list(await again.events()) == []
    await again.close()


async def test_a_database_that_went_back_in_time_is_noticed_and_takes_nothing(tmp_path):
    """As when a standby is promoted that lagged behind: it lacks commits that were acknowledged."""
    with cluster() as server:
        database = server.create("journals")
        life = Life(database)
        journal = await life.at("plan").open(version="1")
        await journal.append(RUN, planned(WEB))
        server.stop()
        shutil.copytree(server.data, server.folder / "copy", symlinks=True)
        server.start()
        await journal.append(began(WEB))
        await journal.append(JobAccepted(at=3.0, key=WEB.key, job_id="j"))

        server.stop()
        shutil.rmtree(server.data)
        (server.folder / "copy").rename(server.data)
        if os.geteuid() == 0:
            owner = server.folder.stat().st_uid
            for path in [server.data, *server.data.rglob("*")]:
                os.chown(path, owner, -1, follow_symlinks=False)
        server.data.chmod(0o700)
        server.start()
        with pytest.raises(JournalWentBack, match=r"holds 1 commits .* acknowledged 3: 2 are missing"):
            await journal.append(JobProgressed(at=4.0, key=WEB.key, progress=0.5))

        assert list(await life.at("plan").read().events()) == [RUN, planned(WEB)]
        await journal.close()
        life.heartbeat.stop()


async def test_what_was_acknowledged_survives_a_crash_of_the_server_and_the_run_goes_on():
    with cluster(durable=True) as server:
        life = Life(server.create("journals"))
        journal = await life.at("plan").open(version="1")
        await journal.append(RUN, planned(WEB), began(WEB), JobAccepted(at=3.0, key=WEB.key, job_id="j"))
        acknowledged: list[float] = []

        async def work() -> None:
            for number in range(150):
                await journal.append(JobProgressed(at=float(number), key=WEB.key, progress=0.5))
                acknowledged.append(float(number))
                await anyio.sleep(0.005)

        async with anyio.create_task_group() as group:
            group.start_soon(work)
            await anyio.sleep(0.2)
            await anyio.to_thread.run_sync(server.stop, "immediate")
            await anyio.sleep(0.3)
            await anyio.to_thread.run_sync(server.start)

        kept = [event.at for event in (await journal.events())[4:]]
        assert kept == acknowledged == [float(number) for number in range(150)]
        await journal.close()
        life.heartbeat.stop()


# --- Bad places -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(server: Cluster) -> str:
    """A database for what is done to its tables."""
    return server.create("bad_places")


async def refused(url: str, plan: str = "plan") -> JournalError:
    with pytest.raises(JournalError) as caught:
        await PostgresLocation(database=Database.at(url), plan=plan).open(version="1")
    return caught.value


async def test_what_is_wrong_with_an_address_is_said_with_what_to_do(server):
    error = await refused(server.url("nowhere"))
    assert "there is no such database or user" in str(error)
    assert "createdb" in (error.hint or "")

    error = await refused("postgresql://tests@127.0.0.1:1/x?connect_timeout=2")
    assert "cannot be reached" in str(error)

    with pytest.raises(JournalError, match="cannot be read"):
        Database.at("postgresql://tests@[::1/x")


async def test_a_user_who_may_not_make_tables_is_told_what_is_needed(server):
    url = server.create("no_rights")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN; REVOKE CREATE ON DATABASE no_rights FROM PUBLIC")

    error = await refused(url.replace("user=tests", "user=guest"))

    assert "may not do that" in str(error)
    assert "CREATE on the database" in (error.hint or "")


async def test_a_schema_of_somebody_else_and_one_of_a_newer_version_are_left_alone(server):
    url = server.create("theirs")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA migrator; CREATE TABLE migrator.fish (id int)")
    assert "is not ours" in str(await refused(url))

    url = server.create("newer")
    await (await PostgresLocation(database=Database.at(url), plan="p").open(version="1")).close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE migrator.meta SET version = 99")
    error = await refused(url)
    assert isinstance(error, JournalTooNew)
    assert "version 99" in str(error)


async def test_a_database_that_takes_no_writes_is_said(server):
    url = server.create("standby")
    await (await PostgresLocation(database=Database.at(url), plan="p").open(version="1")).close()

    error = await refused(f"{url}&options=-c%20default_transaction_read_only%3Don")

    assert "takes no writes" in str(error)
    assert "target_session_attrs" in (error.hint or "")


def test_a_password_is_in_no_message(server):
    database = Database.at("postgresql://me:s3cret-word@db.example:5432/migrations")

    assert database.name == "PostgreSQL db.example:5432/migrations"
    assert "s3cret-word" not in repr(database)
    assert "sslmode='require'" in database.conninfo
    assert "sslmode" not in Database.at("postgresql://me@127.0.0.1/x").conninfo
    assert "sslmode='disable'" in Database.at("postgresql://me@db.example/x?sslmode=disable").conninfo


async def test_what_never_happens_while_events_are_changed_by_hand(place):
    journal = await PostgresLocation(database=Database.at(place), plan="hand").open(version="1")
    await journal.append(RUN, planned(WEB))
    await journal.close()
    with (
        psycopg.connect(place, autocommit=True) as connection,
        pytest.raises(psycopg.Error, match="never changed or deleted"),
    ):
        connection.execute("DELETE FROM migrator.events")
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute("UPDATE migrator.states SET state = '{}'")
        connection.execute("DELETE FROM migrator.images WHERE key = 'north/web'")

    with pytest.raises(JournalError, match="damaged"):
        await PostgresLocation(database=Database.at(place), plan="hand").read().check()


# --- A pooler that gives each transaction another connection --------------------------------------------

POOLER = shutil.which("pgbouncer", path=f"/usr/sbin:{os.environ.get('PATH', '')}")


@pytest.fixture
def pooled(server: Cluster, database: str) -> Iterator[str]:
    """The database behind PgBouncer in transaction mode."""
    folder = server.folder / f"pool-{uuid4().hex[:6]}"
    folder.mkdir()
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    (folder / "users").write_text('"tests" ""\n')
    (folder / "ini").write_text(
        f"[databases]\n{name} = host={server.folder}\n[pgbouncer]\npool_mode = transaction\n"
        f"unix_socket_dir = {folder}\nlisten_addr =\nauth_type = trust\nauth_file = {folder}/users\n"
        "default_pool_size = 3\nlogfile =\n"
    )
    assert POOLER is not None
    owner = server.folder.stat().st_uid
    if os.geteuid() == 0:
        for path in (folder, *folder.iterdir()):
            os.chown(path, owner, -1)
    process = subprocess.Popen(
        [POOLER, str(folder / "ini")], user=owner if os.geteuid() == 0 else None, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 10
        while not list(folder.glob(".s.PGSQL.*")) and time.monotonic() < until:
            time.sleep(0.05)
        yield f"postgresql:///{name}?host={folder}&port=6432&user=tests"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.skipif(POOLER is None, reason="no PgBouncer: apt-get install pgbouncer")
async def test_a_journal_lives_behind_a_pooler_in_transaction_mode(pooled, plan):
    lives = [Life(pooled, "w1"), Life(pooled, "w2")]
    journals = [
        await life.at(plan, target).open(version="1") for life, target in zip(lives, "ns", strict=True)
    ]
    images = [[an_image(f"vm-{number}", target) for number in range(20)] for target in "ns"]

    async def work(journal, image: Image) -> None:
        await journal.append(planned(image))
        await journal.append(began(image))

    async with anyio.create_task_group() as group:
        for journal, of_target in zip(journals, images, strict=True):
            for image in of_target:
                group.start_soon(work, journal, image)

    assert len(await lives[0].at(plan).read().events()) == 80
    await lives[0].at(plan).read().check()
    for journal, life in zip(journals, lives, strict=True):
        await journal.close()
        life.heartbeat.stop()


def an_image(name: str, target: str) -> Image:
    return Image(name=name, target=target, source=ObjectRef.parse(f"b:{name}.raw"), min_disk=40)


# --- A ledger that is gone on with ----------------------------------------------------------------------


def late(url: str, plan: str, kind: str, target: str, key: str | None, body: str) -> psycopg.Connection[Any]:
    """An event whose number is taken, and which is not committed yet."""
    connection = psycopg.connect(url)
    connection.execute(
        "INSERT INTO migrator.events (plan, target, at, kind, key, body)"
        " SELECT id, %s, 2, %s, %s, %s FROM migrator.plans WHERE name = %s",
        [target, kind, key, body, plan],
    )
    connection.execute(
        "UPDATE migrator.shards SET appended = appended + 1 WHERE target = %s"
        " AND plan = (SELECT id FROM migrator.plans WHERE name = %s)",
        [target, plan],
    )
    return connection


@pytest.mark.parametrize("about_an_image", [True, False], ids=["about an image", "about a target"])
async def test_an_event_that_appears_after_later_ones_is_not_missed(database, lives, plan, about_an_image):
    north = await lives[0].at(plan, "north").open(version="1")
    south = await lives[1].at(plan, "south").open(version="1")
    await north.append(RUN, planned(WEB))
    await south.append(planned(DB))
    await south.close()
    reader = lives[0].at(plan).read()
    first = await reader.followed()
    if about_an_image:
        slow = late(database, plan, "AttemptBegan", "south", DB.key, event_text(began(DB))[1])
    else:
        halted = TargetHalted(at=2.0, target="south", fault=Fault(code="X", message="x"))
        slow = late(database, plan, "TargetHalted", "south", None, event_text(halted)[1])
    await north.append(began(WEB))
    second = await reader.followed(first)
    assert second.ledger.events == 4

    slow.commit()
    slow.close()
    third = await reader.followed(second)

    assert third.ledger.events == 5
    assert (third.ledger is second.ledger) is about_an_image  # what is about a run goes by the order of runs
    await north.close()
