"""The journal's file: who may open it, what the disk does to it, and what a person is told then."""

import asyncio
import errno
import fcntl
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from migrator.domain.cloud import Fault
from migrator.domain.errors import JournalError, JournalLocked, JournalTooNew
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.journal.group_commit import GroupCommit
from migrator.journal.sqlite import database, store
from migrator.journal.sqlite.location import SqliteLocation
from migrator.journal.sqlite.reader import SqliteReader
from migrator.journal.sqlite.rows import event_crc, state_crc
from migrator.journal.store import Rows
from migrator.workflow.events import (
    AttemptBegan,
    Event,
    ImagePlanned,
    ImageReopened,
    ImageSkipped,
    JobAccepted,
    JobProgressed,
    RunBegan,
    TargetHalted,
)
from migrator.workflow.ledger import fold
from migrator.workflow.states import Phase

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dc-east" / "journal.db"


WEB = Image(name="web", target="north", source=ObjectRef.parse("bucket:web.zvhd2"), min_disk=40)
PLANNED = ImagePlanned(at=1.0, key=WEB.key, image=WEB, digest="d1")
BEGAN = AttemptBegan(at=2.0, key=WEB.key, attempt=1, digest="d1")
ACCEPTED = JobAccepted(at=3.0, key=WEB.key, job_id="job-1")


def read(path: Path) -> SqliteReader:
    return SqliteLocation(path.parent).read()


async def opened(path: Path, *events: Event) -> GroupCommit:
    journal = await SqliteLocation(path.parent).open(version="1.2.3")
    await journal.append(*events)
    return journal


async def written(path: Path, *events: Event) -> None:
    await (await opened(path, *events)).close()


def look(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


# --- The file -------------------------------------------------------------------------------------------


async def test_only_its_owner_may_read_it_and_it_says_what_it_is(path):
    journal = await opened(path, PLANNED)

    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(["journal.db", "journal.db-wal", "journal.db-shm", "journal.lock"], 0o600)
    assert look(path, "PRAGMA application_id") == [(database.APPLICATION_ID,)]
    assert look(path, "PRAGMA user_version") == [(database.VERSION,)]
    await journal.close()


async def test_every_commit_is_synced_through_a_write_ahead_log(path):
    journal = await opened(path)

    synchronous, mode = await journal._writer.ask(
        lambda file: [
            file.connection.execute(f"PRAGMA {ask}").fetchone()[0] for ask in ("synchronous", "journal_mode")
        ]
    )

    assert (synchronous, mode) == (2, "wal")  # 2 is FULL
    await journal.close()


@pytest.mark.parametrize("sql", ["UPDATE events SET at = 0", "DELETE FROM events"])
async def test_events_refuse_to_be_changed(path, sql):
    await written(path, PLANNED)

    with pytest.raises(sqlite3.IntegrityError, match="never"):
        look(path, sql)


async def test_an_image_that_never_began_has_no_row_of_state(path):
    await written(path, PLANNED)
    assert look(path, "SELECT * FROM states") == []

    await written(path, ImagePlanned(at=2.0, key=WEB.key, image=WEB, digest="d2"))
    assert look(path, "SELECT * FROM states") == []


async def test_an_image_that_is_as_if_it_never_began_is_not_taken_for_what_it_was(path):
    await written(path, PLANNED, ImageSkipped(at=2.0, key=WEB.key, image_id="i"))
    await written(path, ImageReopened(at=3.0, key=WEB.key))

    assert (await read(path).ledger()).states[WEB.key].phase is Phase.PENDING
    await read(path).check()


async def test_many_appends_share_one_commit_and_a_lone_one_does_not_wait(path):
    journal = await opened(path, RunBegan(at=0.0, run="r", version="1", host="h", pid=1))
    halted = TargetHalted(at=1.0, target="north", fault=Fault(message="m"))
    before = journal.commits

    async with anyio.create_task_group() as group:
        for _ in range(64):
            group.start_soon(journal.append, halted)

    assert journal.commits - before <= 8
    await journal.append(halted)
    await journal.close()


async def test_the_log_does_not_grow_for_ever_and_is_gone_after_closing(path):
    journal = await opened(path, RunBegan(at=0.0, run="r", version="1", host="h", pid=1))
    wal, largest = path.with_name("journal.db-wal"), 0
    halted = TargetHalted(at=1.0, target="north", fault=Fault(message="m" * 50_000))
    for _ in range(40):
        await journal.append(*[halted] * 10)
        largest = max(largest, wal.stat().st_size)

    await journal.close()

    assert path.stat().st_size > 20_000_000
    assert largest < 8_000_000
    assert not wal.exists()


async def test_check_finds_a_state_that_its_events_do_not_add_up_to(path):
    await written(path, PLANNED, BEGAN, ACCEPTED)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.create_function("state_crc", 2, state_crc)
        connection.execute("UPDATE states SET state = CAST(replace(state, 'job-1', 'job-2') AS BLOB)")
        connection.execute(
            "UPDATE totals SET states_sum = (SELECT sum(state_crc(position, state)) FROM states)"
        )

    with pytest.raises(JournalError, match="north/web do not add up"):
        await read(path).check()


# --- One writer -----------------------------------------------------------------------------------------


async def test_a_second_writer_is_told_at_once_who_holds_the_journal(path):
    first = await opened(path)

    with pytest.raises(JournalLocked) as refused:
        await opened(path)

    assert refused.value.exit_code == 8
    held = (
        rf"journal\.lock: .* held by process {os.getpid()} on {re.escape(socket.gethostname())} since 20\d\d-"
    )
    assert re.search(held, str(refused.value))
    await first.close()
    await (await opened(path)).close()


@pytest.mark.parametrize("garbage", [b"", b"\xff\x00", b"[1]", b'{"pid": "x"}', b"[" * 5000])
async def test_a_lock_file_may_hold_anything(path, garbage):
    await written(path)
    lock = path.with_suffix(".lock")
    lock.write_bytes(garbage)

    await written(path)
    assert json.loads(lock.read_bytes())["pid"] == os.getpid()

    lock.write_bytes(garbage)
    with lock.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(JournalLocked, match="held by another process"):
            await opened(path)


async def test_a_file_system_without_locks_is_said(path, monkeypatch):
    def no_locks(fd: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(JournalError, match="no locks") as refused:
        await opened(path)

    assert "--reports-dir" in refused.value.hint


async def test_opening_that_is_cancelled_lets_go_of_the_lock(path):
    async with anyio.create_task_group() as group:
        group.start_soon(opened, path)
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()

    with anyio.fail_after(5):
        while True:
            try:
                await written(path, PLANNED)
            except JournalLocked:
                await anyio.lowlevel.checkpoint()
            else:
                break


# --- Files that are not what they were ------------------------------------------------------------------


def half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def nothing(path: Path) -> None:
    os.truncate(path, 0)


def noise(path: Path) -> None:
    path.write_bytes(bytes(range(7, 251)) * 100)


def noise_inside(path: Path) -> None:
    sound = bytearray(path.read_bytes())
    sound[4096:] = b"\xa5" * (len(sound) - 4096)
    path.write_bytes(sound)


def text(path: Path) -> None:
    path.write_text("not a database at all, but a note that somebody left here\n" * 20)


def another_database(path: Path) -> None:
    path.unlink()
    look(path, "CREATE TABLE t (x)")


def newer(path: Path) -> None:
    look(path, "PRAGMA user_version = 99")
    look(path, "PRAGMA wal_checkpoint(TRUNCATE)")


def older(path: Path) -> None:
    look(path, "PRAGMA user_version = 0")
    look(path, "PRAGMA wal_checkpoint(TRUNCATE)")


def one_more_event(path: Path) -> None:
    look_and_commit(path, "INSERT INTO events (at, kind, body) VALUES (1, 99, '{}')")


def unknown_event(path: Path) -> None:
    one_more_event(path)
    crc = event_crc(1.0, 99, "{}")
    look_and_commit(
        path,
        f"UPDATE totals SET events = events + 1, general_sum = general_sum + {crc}, settled = settled + 1",
    )


def unreadable_state(path: Path) -> None:
    look_and_commit(path, "UPDATE states SET state = x'91'")


def look_and_commit(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("reading", [False, True], ids=["writing", "reading"])
@pytest.mark.parametrize(
    ("harm", "error", "says"),
    [
        pytest.param(half, JournalError, "damaged", id="cut in half"),
        pytest.param(nothing, JournalError, "damaged: the file is empty", id="cut to nothing"),
        pytest.param(noise, JournalError, "damaged: file is not a database", id="noise"),
        pytest.param(noise_inside, JournalError, "damaged", id="noise inside"),
        pytest.param(text, JournalError, "damaged: file is not a database", id="a text file"),
        pytest.param(another_database, JournalError, "not a journal of migrator", id="another database"),
        pytest.param(
            newer, JournalTooNew, f"version 99; this program knows {database.VERSION}", id="a newer version"
        ),
        pytest.param(older, JournalError, "version 0 never was", id="no version"),
        pytest.param(unknown_event, JournalError, "damaged: KeyError: 99", id="an unknown event"),
        pytest.param(one_more_event, JournalError, "damaged: its events are not", id="one more event"),
        pytest.param(unreadable_state, JournalError, "damaged: ValidationError", id="an unreadable state"),
        pytest.param(folder, JournalError, "a folder, where the journal should be", id="a folder"),
    ],
)
async def test_what_is_not_a_sound_journal_is_named_and_left_as_it_is(path, harm, error, says, reading):
    await written(path, PLANNED, BEGAN, ACCEPTED)
    harm(path)
    before = None if path.is_dir() else path.read_bytes()

    with pytest.raises(error) as refused:
        await (read(path).ledger() if reading else opened(path))

    assert str(refused.value).startswith(f"{path}: ")
    assert says in str(refused.value)
    assert refused.value.hint
    assert before is None or path.read_bytes() == before
    with path.with_suffix(".lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("harm", [b"\xff" * 100, b"\x0d\0\0\0\5"], ids=["no page at all", "rows gone"])
async def test_damage_among_old_events_is_found_before_more_is_written_behind_it(path, harm):
    await written(path, PLANNED, BEGAN, ACCEPTED)
    await written(path, *[JobProgressed(at=4.0, key=WEB.key, progress=0.5)] * 300)
    sound = path.read_bytes()
    pages = [sound[start : start + 4096] for start in range(0, len(sound), 4096)]
    old = max(range(len(pages)), key=lambda number: pages[number].count(b'{"progress"'))
    pages[old] = harm + pages[old][len(harm) :]
    path.write_bytes(b"".join(pages))
    assert await read(path).ledger()  # which does not look there

    with pytest.raises(JournalError, match="damaged"):
        await opened(path)


async def test_a_log_that_lost_its_database_is_not_thrown_away(path):
    journal = await opened(path, PLANNED)
    await journal.append(BEGAN)
    wal = path.with_name("journal.db-wal")
    left = wal.read_bytes()
    await journal.close()
    path.unlink()
    wal.write_bytes(left)

    for attempt in (opened(path), read(path).ledger()):
        with pytest.raises(JournalError, match=r"gone, but journal\.db-wal beside it still holds events"):
            await attempt
    assert wal.read_bytes() == left


async def test_a_journal_whose_making_was_interrupted_is_made_again(path):
    path.parent.mkdir()
    path.with_name("journal.db.new").write_bytes(b"half of a data")

    await written(path, PLANNED)

    assert {file.name for file in path.parent.iterdir()} == {"journal.db", "journal.lock"}


async def test_a_place_below_a_file_is_said(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(JournalError, match=f"{tmp_path}/file"):
        await opened(tmp_path / "file" / "plan" / "journal.db")


# --- While it runs --------------------------------------------------------------------------------------


class Disk(sqlite3.Connection):
    """A connection whose commits fail from some moment on."""

    fails = False

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        if Disk.fails and sql == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_IOERR, "SQLITE_IOERR_FSYNC"
            raise error
        return super().execute(sql, *arguments)


def io_error(path: Path) -> None:
    Disk.fails = True


def no_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def another_file(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").rename(path)


def no_lock(path: Path) -> None:
    path.with_suffix(".lock").unlink()


def no_log(path: Path) -> None:
    path.with_name("journal.db-wal").unlink()


@pytest.fixture
def failing_disk(monkeypatch):
    def connect(path: Path, mode: str) -> sqlite3.Connection:
        return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, isolation_level=None, factory=Disk)

    monkeypatch.setattr(store, "connect", connect)
    monkeypatch.setattr(Disk, "fails", False)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        pytest.param(io_error, r"journal\.db: .*disk I/O error \(SQLITE_IOERR_FSYNC\)", id="an I/O error"),
        pytest.param(no_folder, r"journal\.db: removed or replaced", id="the folder is removed"),
        pytest.param(another_file, r"journal\.db: removed or replaced", id="the file is replaced"),
        pytest.param(no_lock, r"journal\.lock: removed or replaced", id="the lock is removed"),
        pytest.param(no_log, r"journal\.db-wal: removed or replaced", id="the log is removed"),
    ],
)
@pytest.mark.usefixtures("failing_disk")
async def test_a_journal_that_fails_while_it_runs_says_so_to_everybody_from_then_on(path, harm, says):
    journal = await opened(path, PLANNED)
    ledger = await journal.ledger()
    harm(path)

    for event in (BEGAN, RunBegan(at=0.0, run="r", version="1", host="h", pid=1)):
        with pytest.raises(JournalError, match=says) as refused:
            await journal.append(event)
        assert refused.value.hint
        Disk.fails = False

    assert ledger == fold([PLANNED])
    await journal.close()


@pytest.mark.usefixtures("failing_disk")
async def test_after_an_io_error_all_that_was_acknowledged_is_there(path):
    journal = await opened(path, PLANNED, BEGAN)
    Disk.fails = True
    results = await asyncio.gather(
        journal.append(ACCEPTED), journal.append(RunBegan(at=0.0, run="r", version="1", host="h", pid=1)),
        return_exceptions=True,
    )  # fmt: skip
    Disk.fails = False
    assert list(await journal.events()) == [PLANNED, BEGAN]
    await journal.close()

    assert [type(result) for result in results] == [JournalError, JournalError]
    assert list(await read(path).events())[:2] == [PLANNED, BEGAN]
    await written(path)
    await read(path).check()


async def test_a_full_disk_is_said_and_all_that_was_acknowledged_is_there(path, monkeypatch):
    original = database.connect

    def small(path: Path, mode: str) -> sqlite3.Connection:
        connection = original(path, mode)
        connection.execute("PRAGMA max_page_count = 30")
        return connection

    run = RunBegan(at=0.0, run="r", version="1", host="h", pid=1)
    halted = TargetHalted(at=1.0, target="north", fault=Fault(message="m" * 3000))
    await written(path, run)
    with monkeypatch.context() as patch:
        patch.setattr(store, "connect", small)
        journal = await opened(path)
        acknowledged = 0

        async def fill_up() -> None:
            nonlocal acknowledged
            for _ in range(100):
                await journal.append(halted)
                acknowledged += 1

        with pytest.raises(JournalError, match=r"journal\.db: no room left.*SQLITE_FULL") as refused:
            await fill_up()
        with pytest.raises(JournalError, match="no room left"):
            await journal.append(RunBegan(at=0.0, run="s", version="1", host="h", pid=1))
        await journal.close()

    assert "Make room" in refused.value.hint
    assert list(await read(path).events()) == [run] + [halted] * acknowledged
    assert acknowledged > 5


async def test_what_waits_behind_a_commit_that_fails_is_refused_too(path, monkeypatch):
    journal = await opened(path, PLANNED)
    commit, begun, queued = store.WritableSqliteStore.commit, threading.Event(), threading.Event()

    def fail_once(file: store.WritableSqliteStore, rows: Rows) -> None:
        monkeypatch.setattr(store.WritableSqliteStore, "commit", commit)
        begun.set()
        assert queued.wait(5)
        raise JournalError("the disk had a bad moment")

    monkeypatch.setattr(store.WritableSqliteStore, "commit", fail_once)
    first = asyncio.ensure_future(journal.append(BEGAN))
    assert await asyncio.to_thread(begun.wait, 5)
    second = asyncio.ensure_future(journal.append(ACCEPTED))
    await asyncio.sleep(0)  # the append
    await asyncio.sleep(0)  # and its way into the queue
    queued.set()

    results = await asyncio.gather(first, second, return_exceptions=True)

    await journal.close()
    assert [str(result) for result in results] == ["the disk had a bad moment"] * 2
    assert list(await read(path).events()) == [PLANNED]


# --- Reading --------------------------------------------------------------------------------------------


READ = """
import asyncio, os, sys
from pathlib import Path
from migrator.journal.sqlite.reader import SqliteReader
asyncio.run(asyncio.to_thread(int)), Path("/").as_uri()  # imports the rest, while they may still be read
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)  # nobody: root may write anywhere
path = Path(sys.argv[1])
assert not os.access(path.parent, os.W_OK)
print(len(asyncio.run(SqliteReader(path).events())))
"""


@pytest.mark.parametrize("killed", [False, True], ids=["closed", "killed"])
async def test_a_journal_is_readable_where_the_reader_may_not_write(killed):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan" / "journal.db"
        journal = await opened(path, PLANNED, BEGAN)
        left = {file.name: file.read_bytes() for file in path.parent.iterdir()} if killed else {}
        await journal.close()
        for name in left.keys() - {"journal.db-shm"}:
            path.with_name(name).write_bytes(left[name])
        for file in path.parent.iterdir():
            file.chmod(0o444)
        path.parent.chmod(0o555)
        path.parents[1].chmod(0o755)

        done = await anyio.run_process([sys.executable, "-c", READ, str(path)], stderr=subprocess.STDOUT)

        path.parent.chmod(0o755)
    assert done.stdout == b"2\n"
