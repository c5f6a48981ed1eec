"""What the product's cost is compared with: two programs that import the images of a list and do little else.

    python -m tests.bench.plain_client naive|durable LIST URL TOKEN PROJECT IN_FLIGHT FOLDER

`naive` remembers nothing. `durable` keeps an intent, a job's id and an image's id of each import in SQLite,
each on the disk before it goes on, in commits that are shared, and writes a JSON and a CSV report at the end.
Neither signs, paces, retries, looks up what is in doubt, or tells anybody how far it is.
"""

import asyncio
import contextlib
import csv
import json
import sqlite3
import sys
from pathlib import Path

import aiohttp

REQUESTS = 64
"""How many are in flight at once."""


class Nothing:
    """A memory that forgets."""

    async def keep(self, *_row: str) -> None:
        """Do so."""

    def report(self) -> None:
        """Tell nobody."""


class Kept:
    """Rows in SQLite; whoever adds one goes on when it is on the disk, and shares the commit with others."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._database = sqlite3.connect(folder / "durable.db", isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.execute("CREATE TABLE IF NOT EXISTS rows (image TEXT, what TEXT, value TEXT)")
        self._rows: list[tuple[str, ...]] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._busy = False

    async def keep(self, *row: str) -> None:
        """Make one row durable."""
        waiter = asyncio.get_running_loop().create_future()
        self._rows.append(row)
        self._waiting.append(waiter)
        if not self._busy:
            self._busy = True
            try:
                while self._rows:
                    rows, waiting = self._rows, self._waiting
                    self._rows, self._waiting = [], []
                    await asyncio.to_thread(self._commit, rows)
                    for one in waiting:
                        one.set_result(None)
            finally:
                self._busy = False
        await waiter

    def _commit(self, rows: list[tuple[str, ...]]) -> None:
        self._database.execute("BEGIN")
        self._database.executemany("INSERT INTO rows VALUES (?, ?, ?)", rows)
        self._database.execute("COMMIT")

    def report(self) -> None:
        """A JSON and a CSV file of what became of each image."""
        rows = self._database.execute("SELECT image, value FROM rows WHERE what = 'image'").fetchall()
        (self._folder / "durable.json").write_text(json.dumps([{"name": a, "image": b} for a, b in rows]))
        with (self._folder / "durable.csv").open("w") as file:
            csv.writer(file).writerows(rows)


async def ended(session: aiohttp.ClientSession, url: str, gate: asyncio.Semaphore) -> str:
    """The image's id, when the job has ended; asked as often as its progress suggests."""
    began, loop = asyncio.get_running_loop().time(), asyncio.get_running_loop()
    while True:
        async with gate, session.get(url) as answer:
            job = json.loads(await answer.read())
        if job["status"] == "SUCCESS":
            return str(job["entities"]["image_id"])
        if job["status"] == "FAIL":
            raise SystemExit(f"a job failed: {job}")
        done = float(job["entities"].get("process_percent") or 0) / 100
        spent = loop.time() - began
        left = spent / done - spent if done > 0.01 else 10.0
        await asyncio.sleep(max(2.0, left * 0.8))


async def run(
    kind: str, names: list[str], url: str, token: str, project: str, many: int, folder: Path
) -> None:
    """Import all of `names`, `many` at a time."""
    kept = Kept(folder) if kind == "durable" else Nothing()
    slots, gate = asyncio.Semaphore(many), asyncio.Semaphore(REQUESTS)
    headers = {"X-Auth-Token": token, "X-Project-Id": project}
    connector = aiohttp.TCPConnector(limit=REQUESTS)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def one(name: str) -> None:
            body = {
                "name": name,
                "os_version": "CentOS 7.6 64bit",
                "image_url": f"bucket:{name}.zvhd2",
                "min_disk": 40,
            }
            async with slots:
                await kept.keep(name, "intent", "")
                action = f"{url}/v2/cloudimages/quickimport/action"
                async with gate, session.post(action, json=body) as answer:
                    job = json.loads(await answer.read())["job_id"]
                await kept.keep(name, "job", job)
                image = await ended(session, f"{url}/v1/cloudimages/job/{job}", gate)
                async with gate, session.get(f"{url}/v2/cloudimages", params={"id": image}) as answer:
                    if json.loads(await answer.read())["images"][0]["status"] != "active":
                        raise SystemExit(f"{name} is not active")
                await kept.keep(name, "image", image)

        await asyncio.gather(*(one(name) for name in names))
    kept.report()


def main(kind: str, names: str, url: str, token: str, project: str, many: str, folder: str) -> None:
    """Read the list, and run."""
    with Path(names).open() as file:
        listed = [row["name"] for row in csv.DictReader(file)]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(kind, listed, url, token, project, int(many), Path(folder)))


if __name__ == "__main__":
    main(*sys.argv[1:])
