"""The write-ahead log stays small beside any reader that ends; of one that does not, somebody is told."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from migrator.domain.cloud import Fault
from migrator.journal.group_commit import GroupCommit
from migrator.journal.sqlite import content, database, rows, wal
from migrator.journal.sqlite.location import SqliteLocation
from migrator.journal.sqlite.wal import MOST, RESTARTED_ABOVE, WalLimit
from migrator.workflow.events import RunBegan, TargetHalted

MB = 2**20
SCALE = 32
"""The tests write so much less than a log may hold."""

HALTED = TargetHalted(at=1.0, target="north", fault=Fault(message="m" * 20_000))


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(autouse=True)
def _smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RESTARTED_ABOVE", "MOST", "_STEP"):
        monkeypatch.setattr(wal, name, getattr(wal, name) // SCALE)
    monkeypatch.setattr(database, "_CHECKPOINT_PAGES", 20)
    monkeypatch.setattr(database, "_WAL_LEFT", 512 * 1024)


# --- The decision ---------------------------------------------------------------------------------------


def test_a_log_of_usual_size_is_left_alone():
    assert WalLimit().wait(wal.RESTARTED_ABOVE - 1) is None
    assert WalLimit().wait(wal.RESTARTED_ABOVE) == 0.5


def test_each_try_waits_longer_and_none_waits_longer_than_five_seconds():
    limit, size, waits = WalLimit(), wal.RESTARTED_ABOVE, []
    while size < wal.MOST:
        wait = limit.wait(size)
        if wait is not None:
            waits.append(wait)
            assert not limit.tried(size, restarted=False)
        size += wal._STEP // 4

    assert waits == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0, 5.0]


def test_a_log_that_became_too_long_is_said_once_until_it_started_over():
    limit = WalLimit()

    assert limit.tried(wal.MOST, restarted=False)
    assert limit.wait(wal.MOST + 1) is None  # commits are not held up for ever
    assert not limit.tried(wal.MOST * 2, restarted=False)
    assert not limit.tried(wal.MOST * 3, restarted=True)
    assert limit.tried(wal.MOST, restarted=False)


# --- The file -------------------------------------------------------------------------------------------


@contextmanager
def overlapping_readers(path: Path, many: int) -> Iterator[None]:
    """Each has a new snapshot before it lets go of the one before, as fast as it can."""
    done = threading.Event()

    def read() -> None:
        with closing(database.connect(path, "ro")) as one, closing(database.connect(path, "ro")) as other:
            one.execute("BEGIN"), one.execute("SELECT count(*) FROM events").fetchone()
            while not done.is_set():
                other.execute("BEGIN"), other.execute("SELECT count(*) FROM events").fetchone()
                one.execute("COMMIT")
                one, other = other, one

    threads = [threading.Thread(target=read) for _ in range(many)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


async def largest_log(journal: GroupCommit, path: Path, appends: int) -> int:
    """After each of so many commits of 20 kB."""
    log, largest = database.beside(path, "-wal"), 0
    for _ in range(appends):
        await journal.append(HALTED)
        largest = max(largest, log.stat().st_size)
    return largest


@pytest.mark.anyio
async def test_beside_readers_that_overlap_the_log_starts_over_all_the_same(tmp_path):
    said: list[str] = []
    place = SqliteLocation(tmp_path, said.append)
    journal = await place.open(version="1")
    await journal.append(RunBegan(at=0.0, run="r", version="1", host="h", pid=1))

    with overlapping_readers(place.path, 2):
        largest = await asyncio.wait_for(largest_log(journal, place.path, 400), 60)

    await journal.close()
    assert place.path.stat().st_size > 3 * wal.MOST
    assert largest <= wal.MOST
    assert said == []


@pytest.mark.anyio
async def test_of_a_transaction_that_never_ends_somebody_is_told_once_and_commits_go_on(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(wal, "_SHORTEST", 0.001)
    monkeypatch.setattr(wal, "_LONGEST", 0.001)
    said: list[str] = []
    place = SqliteLocation(tmp_path, said.append)
    journal = await place.open(version="1")
    await journal.append(RunBegan(at=0.0, run="r", version="1", host="h", pid=1))

    with closing(database.connect(place.path, "ro")) as browser:
        browser.execute("BEGIN"), browser.execute("SELECT count(*) FROM events").fetchone()
        await largest_log(journal, place.path, 300)
        (sentence,) = said
        browser.execute("COMMIT")
    assert await largest_log(journal, place.path, 300) > wal.MOST
    small = database.beside(place.path, "-wal").stat().st_size
    await journal.close()

    assert f"{place.path}-wal: 2 MB and growing" in sentence
    assert f"fuser {place.path}" in sentence
    assert small < wal.RESTARTED_ABOVE


def test_what_the_manual_says_of_the_log():
    assert (RESTARTED_ABOVE, MOST) == (32 * MB, 64 * MB)


@pytest.mark.anyio
async def test_our_own_readers_hold_nothing_open_while_they_read_what_they_fetched(tmp_path, monkeypatch):
    place = SqliteLocation(tmp_path)
    journal = await place.open(version="1")
    await journal.append(RunBegan(at=0.0, run="r", version="1", host="h", pid=1), HALTED)
    restarted: list[bool] = []
    read = rows.event_of

    def event_of(*row):
        with closing(database.connect(place.path, "rw")) as other:
            restarted.append(wal.restart(other, 0.0))
        return read(*row)

    monkeypatch.setattr(content, "event_of", event_of)
    await place.read().ledger()
    await place.read().events()

    await journal.close()
    assert restarted
    assert all(restarted)
