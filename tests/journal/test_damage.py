"""A journal that is sound as a file and wrong in what it says: it is named, and never read in silence."""

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from migrator.domain.cloud import Fault
from migrator.domain.errors import JournalError
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.journal.sqlite.location import SqliteLocation
from migrator.workflow.events import (
    AttemptBegan,
    Event,
    ImagePlanned,
    ImageVerified,
    JobAccepted,
    JobFailed,
    JobSucceeded,
    RunBegan,
    RunEnded,
)
from migrator.workflow.ledger import Ledger, fold

COUNT = 120
"""Images, so many that their rows take more than one page."""

PAGE = 4096


def an_image(number: int) -> Image:
    source = ObjectRef.parse(f"bucket:vm-{number:03}.zvhd2")
    return Image(name=f"vm-{number:03}", target="north", source=source, min_disk=40)


def events() -> list[Event]:
    images = [an_image(number) for number in range(COUNT)]
    found: list[Event] = [RunBegan(at=1.0, run="r1", version="0", host="h", pid=1)]
    found += [ImagePlanned(at=1.0, key=image.key, image=image, digest="d") for image in images]
    for image in images[: COUNT - 10]:
        found.append(AttemptBegan(at=2.0, key=image.key, attempt=1, digest="d"))
        found.append(JobAccepted(at=3.0, key=image.key, job_id=f"job-{image.name}"))
    for image in images[: COUNT // 2]:
        found.append(JobSucceeded(at=4.0, key=image.key, image_id=f"image-{image.name}"))
    return [*found, RunEnded(at=5.0, run="r1", reason="done", exit_code=0)]


async def opened(folder: Path, *, writing: bool) -> Ledger:
    """As a run finds it, or as `status` does. Raises JournalError."""
    place = SqliteLocation(folder)
    if not writing:
        return await place.read().ledger()
    journal = await place.open(version="test")
    try:
        return await journal.ledger()
    finally:
        await journal.close()


def ledger_of(folder: Path, *, writing: bool) -> Ledger:
    """The same, on a loop of its own."""
    return asyncio.run(opened(folder, writing=writing))


async def write_sound_journal(folder: Path) -> None:
    journal = await SqliteLocation(folder).open(version="test")
    for event in events():
        await journal.append(event)
    await journal.close()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound") / "plan"
    asyncio.run(write_sound_journal(folder))
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A copy of a sound journal, to be harmed."""
    return Path(shutil.copytree(sound, tmp_path / "plan"))


def change(folder: Path, *statements: str) -> None:
    with closing(sqlite3.connect(folder / "journal.db")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


WITHOUT_TRIGGERS = ("DROP TRIGGER events_stay", "DROP TRIGGER events_stay_as_they_are")
ONE = "WHERE position = 8"


@pytest.mark.parametrize("writing", [True, False], ids=["run", "status"])
@pytest.mark.parametrize(
    "statements",
    [
        pytest.param([f"DELETE FROM states {ONE}"], id="a state is gone"),
        pytest.param(["DELETE FROM states"], id="all states are gone"),
        pytest.param(
            [f"UPDATE states SET state = CAST(replace(state, 'job-', 'jop-') AS BLOB) {ONE}"],
            id="a state is another",
        ),
        pytest.param(
            [f"UPDATE states SET state = (SELECT state FROM states WHERE position = 9) {ONE}"],
            id="a state twice",
        ),
        pytest.param(["DELETE FROM images WHERE key = 'north/vm-119'"], id="an image that waits is gone"),
        pytest.param([f"DELETE FROM images {ONE}"], id="an image that runs is gone"),
        pytest.param([f"UPDATE images SET planned = planned + 1 {ONE}"], id="an image is another"),
        pytest.param([f"UPDATE images SET planned = 0 {ONE}"], id="an image that nothing planned"),
        pytest.param([f"UPDATE images SET key = 'north/vm-777' {ONE}"], id="an image has another key"),
        pytest.param(
            [*WITHOUT_TRIGGERS, "UPDATE events SET body = replace(body, 'bucket', 'backet') WHERE seq = 9"],
            id="an image is another where it was planned",
        ),
        pytest.param(
            [*WITHOUT_TRIGGERS, """UPDATE events SET body = replace(body, '"d"', '"e"') WHERE seq = 9"""],
            id="a digest is another",
        ),
        pytest.param([*WITHOUT_TRIGGERS, "UPDATE events SET at = at + 1 WHERE seq = 1"], id="another time"),
        pytest.param([*WITHOUT_TRIGGERS, "DELETE FROM events WHERE seq = 1"], id="the run is gone"),
        pytest.param(
            [*WITHOUT_TRIGGERS, "DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)"],
            id="the last event is gone",
        ),
        pytest.param(["DELETE FROM totals"], id="the totals are gone"),
        pytest.param(["INSERT INTO totals SELECT * FROM totals"], id="totals twice"),
    ],
)
def test_rows_that_are_not_those_that_were_written_are_named(folder, statements, writing):
    change(folder, *statements)

    with pytest.raises(JournalError, match=r"journal\.db: the journal is damaged: ") as refused:
        ledger_of(folder, writing=writing)

    assert "Put back a good copy" in (refused.value.hint or "")


@pytest.fixture
def under_way(sound: Path, tmp_path: Path) -> Path:
    """A journal that was killed before the rows of its states knew its latest events."""
    left = tmp_path / "left"

    async def write() -> None:
        folder = Path(shutil.copytree(sound, tmp_path / "killed"))
        journal = await SqliteLocation(folder).open(version="test")
        await journal.append(*LATER)
        shutil.copytree(folder, left)
        await journal.close()

    asyncio.run(write())
    change(left, "PRAGMA wal_checkpoint(TRUNCATE)")
    return left


LATER: list[Event] = [
    ImageVerified(at=6.0, key="north/vm-000", image_id="image-vm-000"),
    JobFailed(at=7.0, key="north/vm-100", fault=Fault(message="m")),
]
LAST, LAST_BUT_ONE = "seq = (SELECT max(seq) FROM events)", "seq = (SELECT max(seq) - 1 FROM events)"


@pytest.mark.parametrize("writing", [True, False], ids=["run", "status"])
def test_events_that_the_states_do_not_know_yet_are_folded_by_whoever_reads(under_way, writing):
    ledger = ledger_of(under_way, writing=writing)

    assert ledger.states == fold([*events(), *LATER]).states
    assert ledger.events == len(events()) + len(LATER)


@pytest.mark.parametrize("writing", [True, False], ids=["run", "status"])
@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(f"DELETE FROM events WHERE {LAST}", id="the last is gone"),
        pytest.param(f"DELETE FROM events WHERE {LAST_BUT_ONE}", id="one is gone"),
        pytest.param(f"UPDATE events SET at = 6.5 WHERE {LAST_BUT_ONE}", id="another time"),
        pytest.param(f"UPDATE events SET image = 2 WHERE {LAST_BUT_ONE}", id="another image"),
        pytest.param(f"UPDATE events SET kind = 28 WHERE {LAST}", id="another kind"),
        pytest.param(f"UPDATE events SET body = replace(body, 'm', 'n') WHERE {LAST}", id="other words"),
        pytest.param(f"UPDATE events SET body = 5 WHERE {LAST}", id="no words"),
        pytest.param("UPDATE totals SET settled = settled + 1", id="one counts as known"),
    ],
)
def test_of_events_that_the_states_do_not_know_yet_none_may_change(under_way, statement, writing):
    change(under_way, *WITHOUT_TRIGGERS, statement)

    with pytest.raises(JournalError, match="the journal is damaged: "):
        ledger_of(under_way, writing=writing)


def test_an_old_event_that_vanished_is_found_before_a_run_goes_on(folder):
    change(folder, *WITHOUT_TRIGGERS, "DELETE FROM events WHERE seq = 130")

    with pytest.raises(JournalError, match="its events are not those that were written"):
        ledger_of(folder, writing=True)


def flipped(data: bytearray, rng: random.Random) -> None:
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def zeroed(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data[at : at + 16] = bytes(len(data[at : at + 16]))


def swapped(data: bytearray, rng: random.Random) -> None:
    one, other = rng.sample(range(1, len(data) // PAGE), 2)
    first, second = (slice(number * PAGE, (number + 1) * PAGE) for number in (one, other))
    data[first], data[second] = data[second], data[first]


def repeated(data: bytearray, rng: random.Random) -> None:
    one, other = rng.sample(range(1, len(data) // PAGE), 2)
    data[one * PAGE : (one + 1) * PAGE] = data[other * PAGE : (other + 1) * PAGE]


def cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


@pytest.mark.parametrize("writing", [True, False], ids=["run", "status"])
@pytest.mark.parametrize("harm", [flipped, zeroed, swapped, repeated, cut])
def test_whatever_becomes_of_the_file_it_says_the_same_or_is_named(
    sound: Path, tmp_path: Path, harm: Callable[[bytearray, random.Random], None], writing: bool
):
    rng, right = random.Random(13), ledger_of(sound, writing=False)
    whole, found = (sound / "journal.db").read_bytes(), 0
    for number in range(40):
        data = bytearray(whole)
        harm(data, rng)
        folder = tmp_path / f"{number}"
        folder.mkdir()
        (folder / "journal.db").write_bytes(data)
        try:
            ledger = ledger_of(folder, writing=writing)
        except JournalError:
            found += 1
        else:
            assert (ledger.states, ledger.planned) == (right.states, right.planned)
            assert ledger.runs == right.runs
    assert found >= 3
