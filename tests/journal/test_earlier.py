"""Journals that earlier versions wrote: read as they are, and upgraded when a run opens them.

`old/version-3.db.gz` was written by the last program of that version: eleven images that succeeded, failed,
wait, run, are in doubt, overdue, skipped, removed and edited, shares and copies, two runs, a notification.
`old/version-3.txt` has its events, as they were read then.
"""

import asyncio
import gzip
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from migrator.domain.errors import JournalError
from migrator.journal.codec import read_event
from migrator.journal.sqlite import database, earlier
from migrator.journal.sqlite.location import SqliteLocation
from migrator.workflow.events import Event, ImageVerified, JobSucceeded
from migrator.workflow.ledger import Ledger, fold
from migrator.workflow.resume import work_left
from migrator.workflow.states import Phase

OLD = Path(__file__).with_name("old")


def written() -> list[Event]:
    lines = (OLD / "version-3.txt").read_text().splitlines()
    return [read_event(*line.split(" ", 1)) for line in lines]


def statements(version: int) -> list[str]:
    """What makes a file of version 3 one of `version`."""
    if version == 3:
        return []
    if version == 2:
        return ["PRAGMA user_version = 2"]
    return [
        "DROP TABLE totals",
        "ALTER TABLE images DROP COLUMN crc",
        "ALTER TABLE states DROP COLUMN crc",
        "PRAGMA user_version = 1",
    ]


def change(folder: Path, *sql: str) -> None:
    with closing(sqlite3.connect(folder / "journal.db", isolation_level=None)) as connection:
        for statement in sql:
            connection.execute(statement)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def asked(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "journal.db")) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture(params=[1, 2, 3])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A journal of an earlier version."""
    (tmp_path / "journal.db").write_bytes(gzip.decompress((OLD / "version-3.db.gz").read_bytes()))
    change(tmp_path, *statements(request.param))
    return tmp_path


def shown(folder: Path) -> tuple[Ledger, list[Event]]:
    """What `status` and `report` read."""
    reader = SqliteLocation(folder).read()

    async def ask() -> tuple[Ledger, list[Event]]:
        await reader.check()
        return await reader.ledger(), list(await reader.events())

    return asyncio.run(ask())


def run(folder: Path, *events: Event) -> tuple[Ledger, list[Event]]:
    """What a run finds, and these events appended."""

    async def go_on() -> tuple[Ledger, list[Event]]:
        journal = await SqliteLocation(folder).open(version="test")
        try:
            await journal.append(*events)
            return await journal.ledger(), list(await journal.events())
        finally:
            await journal.close()

    return asyncio.run(go_on())


def test_it_is_read_as_it_is(folder):
    before = (folder / "journal.db").read_bytes()

    ledger, events = shown(folder)

    assert events == written()
    assert ledger == fold(written())
    assert (folder / "journal.db").read_bytes() == before


def test_one_image_of_it_is_read_alone_and_known_images_are_not_held_twice(folder):
    right = fold(written())
    known = {key: planned.image for key, planned in right.planned.items()}
    key = next(iter(known))
    reader = SqliteLocation(folder).read()

    assert asyncio.run(reader.events(key)) == [one for one in written() if getattr(one, "key", "") == key]
    assert asyncio.run(reader.ledger(known)).planned[key].image is known[key]


def test_a_run_upgrades_it_and_nothing_is_lost(folder):
    ledger, events = run(folder)

    assert events == written()
    assert ledger == fold(written())
    assert asked(folder, "PRAGMA user_version") == [(database.VERSION,)]
    assert shown(folder) == (ledger, events)
    assert asked(folder, "SELECT name FROM sqlite_master WHERE name LIKE 'earlier%'") == []


def test_a_run_goes_on_with_it(folder):
    left = {key: state.phase for key, state in fold(written()).states.items()}
    running = next(key for key, phase in left.items() if phase is Phase.RUNNING)
    more = [
        JobSucceeded(at=1795001000.0, key=running, image_id="i"),
        ImageVerified(at=1795001001.0, key=running, image_id="i"),
    ]

    ledger, _ = run(folder, *more)

    assert ledger == fold([*written(), *more])
    assert shown(folder) == (ledger, [*written(), *more])
    assert list(work_left(ledger)) == list(work_left(fold([*written(), *more])))


def test_its_events_are_kept_from_change_after_the_upgrade_too(folder):
    run(folder)

    for sql in ("DELETE FROM events", "UPDATE events SET at = 0"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            change(folder, sql)


STATE = "WHERE key = 'north/vm-001'"


@pytest.mark.parametrize("use", [shown, run], ids=["status", "run"])
@pytest.mark.parametrize(
    "sql",
    [
        pytest.param(f"DELETE FROM states {STATE}", id="a state is gone"),
        pytest.param(
            f"UPDATE states SET state = replace(state, 'CentOS', 'x'), key = 'k' {STATE}", id="moved"
        ),
        pytest.param(
            f"UPDATE states SET state = replace(state, '\"attempt', '\"x') {STATE}", id="a state is another"
        ),
        pytest.param(f"UPDATE images SET digest = 'e' {STATE}", id="a digest is another"),
        pytest.param(f"DELETE FROM images {STATE}", id="an image is gone"),
        pytest.param("DELETE FROM events WHERE seq = 12", id="an event is gone"),
        pytest.param("UPDATE events SET body = replace(body, 'job_id', 'x') WHERE key > ''", id="unreadable"),
    ],
)
def test_a_damaged_one_is_named_and_left_as_it_is(folder, sql, use: Callable[[Path], object]):
    change(
        folder, "DROP TRIGGER IF EXISTS events_stay", "DROP TRIGGER IF EXISTS events_stay_as_they_are", sql
    )
    before = asked(folder, "SELECT * FROM events"), asked(folder, "PRAGMA user_version")

    for _ in range(2):
        with pytest.raises(JournalError, match=r"journal\.db: the journal is damaged: "):
            use(folder)

    assert (asked(folder, "SELECT * FROM events"), asked(folder, "PRAGMA user_version")) == before


def test_an_upgrade_that_fails_half_way_leaves_it_as_it_was(folder, monkeypatch):
    def full(*arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(earlier, "write_totals", full)
        with pytest.raises(JournalError, match="full"):
            run(folder)

    assert shown(folder) == (fold(written()), written())
    assert run(folder) == (fold(written()), written())
