"""The journal in PostgreSQL, next to the same rows written bare, and a run with it next to one on SQLite.

    python -m tests.bench.bench_postgres [IMAGES]

The server is one of its own, with `fsync` and `synchronous_commit` on, on the disk of temporary files. Sides
alternate in one session, and each ratio is the median of neighbouring runs.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import count as numbers
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import psycopg

from migrator.io import log
from migrator.journal.postgres.connection import Database
from migrator.journal.postgres.location import PostgresLocation
from migrator.journal.sqlite.location import SqliteLocation
from tests.bench.bench_journal import TASKS, Row, appends, ready_made
from tests.bench.bench_run import carried_out, measured
from tests.postgres import cluster, missing

LIVES = 60
ROUNDS = 5

_NAMES = numbers(1)

EVENT = (
    "INSERT INTO events (at, kind, key, body)"
    " SELECT * FROM unnest(%s::float8[], %s::text[], %s::text[], %s::text[])"
)
STATE = (
    "INSERT INTO states (key, state) SELECT * FROM unnest(%s::text[], %s::text[])"
    " ON CONFLICT (key) DO UPDATE SET state = excluded.state"
)


def bare(url: str, tasks: int, lives: int) -> float:
    """Rows a second of a thread that writes whatever came while it wrote: multi-row inserts, and a commit."""
    work = ready_made(tasks, lives)
    queue: SimpleQueue[tuple[Row, asyncio.Future[None]] | None] = SimpleQueue()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS events; DROP TABLE IF EXISTS states")
        connection.execute(
            "CREATE TABLE events (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at float8, kind text,"
            " key text, body text)"
        )
        connection.execute("CREATE TABLE states (key text PRIMARY KEY, state text)")

        def write(loop: asyncio.AbstractEventLoop) -> None:
            while (first := queue.get()) is not None:
                some = [first]
                while not queue.empty() and (item := queue.get()) is not None:
                    some.append(item)
                with connection.transaction():
                    connection.execute(EVENT, list(map(list, zip(*(row[0] for row, _ in some), strict=True))))
                    states = dict(row[1] for row, _ in some)
                    connection.execute(STATE, [list(states), list(states.values())])
                loop.call_soon_threadsafe(_done, [future for _, future in some])

        async def main() -> float:
            loop = asyncio.get_running_loop()
            thread = Thread(target=write, args=(loop,))
            thread.start()

            async def walk(rows: list[Row]) -> None:
                for row in rows:
                    done: asyncio.Future[None] = loop.create_future()
                    queue.put((row, done))
                    await done

            began = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for rows in work:
                    group.create_task(walk(rows))
            took = time.perf_counter() - began
            queue.put(None)
            thread.join()
            return sum(map(len, work)) / took

        return asyncio.run(main())


def _done(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        future.set_result(None)


def turn_about(sides: dict[str, Callable[[], float]]) -> None:
    """Run both sides in turn, and print the medians and the ratio of the second to the first."""
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(ROUNDS):
        order = list(sides) if number % 2 else list(reversed(sides))
        for name in order:
            figures[name].append(sides[name]())
    (first, base), (second, other) = figures.items()
    ratios = sorted(one / two for one, two in zip(other, base, strict=True))
    print(f"{first}: {statistics.median(base):.0f}/s")
    print(
        f"{second}: {statistics.median(other):.0f}/s, {statistics.median(ratios):.2f} of it "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f})",
        flush=True,
    )


def main() -> None:
    """Print both comparisons."""
    if missing():
        print(missing())
        return
    log.configure("console", "warning")
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with cluster(durable=True) as server:
        database = Database.at(server.create("bench"))

        def location() -> PostgresLocation:
            return PostgresLocation(database=database, plan=f"bench-{next(_NAMES)}")

        turn_about(
            {
                f"appends of {TASKS} tasks: multi-row inserts, bare": lambda: bare(
                    server.create(f"bare{next(_NAMES)}"), TASKS, LIVES
                ),
                f"appends of {TASKS} tasks: the journal in PostgreSQL": lambda: asyncio.run(
                    appends(location(), TASKS, LIVES)
                )[0],
            }
        )
        with tempfile.TemporaryDirectory() as folder:
            sqlite = Path(folder)

            def on_disk() -> float:
                place = SqliteLocation(sqlite / str(next(_NAMES)))
                return measured(partial(carried_out, place), images, uvloop=False)

            turn_about(
                {
                    f"{images:,} images whose jobs end at once: SQLite": on_disk,
                    f"{images:,} images whose jobs end at once: PostgreSQL": lambda: measured(
                        partial(carried_out, location()), images, uvloop=False
                    ),
                }
            )


if __name__ == "__main__":
    main()
