"""How fast facts become durable, next to a bare thread that groups the same rows; how fast a plan resumes.

    python -m tests.bench.bench_journal [FOLDER]

Everything is measured in one run on one disk, so the ratios hold where the numbers do not.
"""

import asyncio
import random
import sqlite3
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import cast

from migrator.domain import collector
from migrator.domain.cloud import ImagePage, ImageQuery
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.engine import Engine
from migrator.engine.ports import Cloud
from migrator.io.clock import SystemClock
from migrator.journal.codec import event_text
from migrator.journal.group_commit import GroupCommit
from migrator.journal.port import JournalLocation
from migrator.journal.sqlite.database import connect
from migrator.journal.sqlite.kinds import CODES
from migrator.journal.sqlite.location import SqliteLocation
from migrator.journal.sqlite.rows import body_of, state_row
from migrator.workflow.events import (
    AttemptBegan,
    ImageEvent,
    ImagePlanned,
    ImageVerified,
    JobAccepted,
    JobProgressed,
    JobSucceeded,
    RunBegan,
)
from migrator.workflow.ledger import Planned, after
from migrator.workflow.resume import listed, planned, startup_events, work_left
from migrator.workflow.states import State
from tests.examples import a_plan

IMAGES = 100_000
TASKS = 64
AT = 1_790_000_000.25
SQL_EVENT = "INSERT INTO events (at, kind, image, body) VALUES (?, ?, ?, ?)"
SQL_STATE = "INSERT OR REPLACE INTO states (position, state) VALUES (?, ?)"


def image(number: int) -> Image:
    return Image(
        name=f"web-{number:06}",
        target="north",
        source=ObjectRef.parse(f"migration-bucket:images/web-{number:06}.zvhd2"),
        min_disk=60,
        os_version="CentOS 7.6 64bit",
        wave="pilot",
        labels={"owner": "li.wei", "rack": "A12"},
    )


def plan(count: int) -> dict[str, Planned]:
    return planned(a_plan(0, images=tuple(image(number) for number in range(count))))


def life(key: str, digest: str) -> Iterator[ImageEvent]:
    """An image's whole way, as the engine would write it down."""
    job, done = f"ff8080814dbd65d7014dbe0d{key[-6:]}", f"4ca46bf1-5c61-48ff-b4f3-{key[-6:]}000000"
    yield AttemptBegan(at=AT, key=key, attempt=1, digest=digest)
    yield JobAccepted(at=AT + 1, key=key, job_id=job)
    yield JobProgressed(at=AT + 60, key=key, progress=0.5)
    yield JobSucceeded(at=AT + 120, key=key, image_id=done)
    yield ImageVerified(at=AT + 121, key=key, image_id=done)


def planned_events(known: dict[str, Planned]) -> list[ImagePlanned]:
    return [ImagePlanned(at=AT, key=key, image=item.image, digest=item.digest) for key, item in known.items()]


async def appends(location: JournalLocation, tasks: int, lives: int) -> tuple[float, float]:
    """Rows a second and commits a row, when each of `tasks` walks `lives` images from start to end."""
    known = plan(tasks * lives)
    journal = await location.open(version="bench")
    assert isinstance(journal, GroupCommit)
    await journal.append(*planned_events(known))
    keys = list(known)

    lines = [
        [event for key in keys[number::tasks] for event in life(key, known[key].digest)]
        for number in range(tasks)
    ]

    async def walk(events: list[ImageEvent]) -> None:
        for event in events:
            await journal.append(event)

    began, commits = time.perf_counter(), journal.commits
    async with asyncio.TaskGroup() as group:
        for line in lines:
            group.create_task(walk(line))
    took, rows = time.perf_counter() - began, tasks * lives * 5
    commits = journal.commits - commits
    await journal.close()
    return rows / took, commits / rows


Row = tuple[tuple[float, int, int, str], tuple[int, bytes]]


def ready_made(tasks: int, lives: int) -> list[list[Row]]:
    """For each task the rows, of events and of states, that `appends` would have it write."""
    known = plan(tasks * lives)

    def rows(position: int, key: str) -> Iterator[Row]:
        state = State(key=key)
        for event in life(key, known[key].digest):
            state = after(state, event)
            row = (event.at, CODES[type(event).__name__], position, body_of(event_text(event)[1], key))
            yield row, (position, state_row(state))

    places = list(enumerate(known, 1))
    return [[row for place in places[number::tasks] for row in rows(*place)] for number in range(tasks)]


async def prepare(folder: Path, tasks: int, lives: int) -> None:
    journal = await SqliteLocation(folder).open(version="bench")
    await journal.append(*planned_events(plan(tasks * lives)))
    await journal.close()


def commit(connection: sqlite3.Connection, rows: list[Row]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(SQL_EVENT, [row for row, _ in rows])
    connection.executemany(SQL_STATE, [state for _, state in rows])
    connection.execute("COMMIT")


async def bare(folder: Path, tasks: int, lives: int) -> float:
    """Rows a second when each task hands ready-made rows to a bare thread, which commits all that wait."""
    await prepare(folder, tasks, lives)
    lines = ready_made(tasks, lives)
    loop = asyncio.get_running_loop()
    queue: SimpleQueue[tuple[Row, asyncio.Future[None]] | None] = SimpleQueue()

    def resolve(waiting: list[asyncio.Future[None]]) -> None:
        for future in waiting:
            future.set_result(None)

    def work() -> None:
        with closing(connect(SqliteLocation(folder).path, "rw")) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            while (first := queue.get()) is not None:
                group = [first]
                while not queue.empty():
                    if (more := queue.get()) is not None:
                        group.append(more)
                commit(connection, [row for row, _ in group])
                loop.call_soon_threadsafe(resolve, [future for _, future in group])

    async def walk(rows: list[Row]) -> None:
        for row in rows:
            future = loop.create_future()
            queue.put((row, future))
            await future

    thread = Thread(target=work)
    thread.start()
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for line in lines:
            group.create_task(walk(line))
    took = time.perf_counter() - began
    queue.put(None)
    thread.join()
    return tasks * lives * 5 / took


def barest(folder: Path, tasks: int, lives: int) -> float:
    """Rows a second when nobody waits at all: the same rows in ready-made groups, one after the other."""
    asyncio.run(prepare(folder, tasks, lives))
    groups = [list(group) for group in zip(*ready_made(tasks, lives), strict=True)]
    with closing(connect(SqliteLocation(folder).path, "rw")) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        began = time.perf_counter()
        for group in groups:
            commit(connection, group)
        return tasks * lives * 5 / (time.perf_counter() - began)


async def half_done(folder: Path) -> None:
    known = plan(IMAGES)
    journal = await SqliteLocation(folder).open(version="bench")
    began = time.perf_counter()
    await journal.append(*planned_events(known))
    print(f"{IMAGES} images planned in one append: {time.perf_counter() - began:.2f} s")
    for start in range(0, IMAGES // 2, 1000):
        keys = list(known)[start : start + 1000]
        await journal.append(*(event for key in keys for event in life(key, known[key].digest)))
    await journal.close()
    with closing(connect(SqliteLocation(folder).path, "ro")) as connection:
        sizes = connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC")
        each = {name: size / IMAGES for name, size in sizes}
    parts = ", ".join(f"{name} {size:.0f}" for name, size in each.items() if size >= 1)
    print(f"its file: {sum(each.values()):.0f} bytes an image ({parts})")


class Asked(Exception):
    """The first request would leave now."""


class Silent:
    """A cloud that gives no answer."""

    def listen(self, on_rate_hint: object) -> None:
        """It has nothing to tell."""

    async def images(self, query: ImageQuery, *, after: str | None = None) -> ImagePage:
        raise Asked


async def resume(folder: Path) -> None:
    """What a run does between the plan that it read and its first request."""
    read = a_plan(0, images=tuple(item.image for item in plan(IMAGES).values()))
    clock, rng = SystemClock(), random.Random(1)
    collector.spared()  # as every run does once its plan is read
    began = time.perf_counter()
    journal = await SqliteLocation(folder).open(version="bench")
    opened = time.perf_counter() - began
    ledger = await journal.ledger(listed(read))
    folded = time.perf_counter() - began
    words = list(startup_events(planned(read, ledger.planned), ledger, clock.now()))
    await journal.append(RunBegan(at=clock.now(), run="r", version="0", host="h", pid=1), *words)
    engine = Engine(read, ledger, {"north": cast("Cloud", Silent())}, journal, clock, rng)
    try:
        await engine.run(work_left(ledger))
    except* Asked:
        pass
    took = time.perf_counter() - began
    assert not words
    print(
        f"{IMAGES} images, half of them done, resumed: first request after {took:.2f} s"
        f" (opening {opened:.2f} s, and the images {folded - opened:.2f} s of it)"
    )
    await journal.close()


async def weigh(folder: Path) -> None:
    known = plan(IMAGES)
    tracemalloc.start()
    journal = await SqliteLocation(folder).open(version="bench")
    events = planned_events(known)
    await journal.append(*events)
    await journal.ledger({key: item.image for key, item in known.items()})
    del events
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    each, most = held / IMAGES, peak / IMAGES
    print(f"a waiting image, beyond the plan: {each:.0f} bytes (at most {most:.0f} while planning)")
    await journal.close()


def main() -> None:
    where = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=where) as folder:
        here = Path(folder)
        alone, _ = asyncio.run(appends(SqliteLocation(here / "alone"), 1, 200))
        print(f"one task: {alone:.0f} appends/s")
        ratios = []
        for number in range(5):
            grouped, commits = asyncio.run(appends(SqliteLocation(here / f"grouped-{number}"), TASKS, 50))
            least = asyncio.run(bare(here / f"bare-{number}", TASKS, 50))
            floor = barest(here / f"barest-{number}", TASKS, 50)
            ratios.append(grouped / least)
            print(
                f"{TASKS} tasks: {grouped:.0f} appends/s, {commits:.3f} syncs per row; ready-made rows"
                f" through a bare thread: {least:.0f}/s, ratio {grouped / least:.2f};"
                f" with nobody waiting: {floor:.0f}/s, ratio {grouped / floor:.2f}"
            )
        print(f"ratio to a bare writer thread, the middle one: {sorted(ratios)[2]:.2f}")
        asyncio.run(half_done(here / "half"))
        asyncio.run(resume(here / "half"))
        asyncio.run(weigh(here / "weigh"))


if __name__ == "__main__":
    main()
