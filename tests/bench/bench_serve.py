"""What the live page costs while nothing changes and while a journal does, and how long a page takes.

python -m tests.bench.bench_serve [IMAGES] [VIEWERS] [SECONDS]
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from migrator.journal.stores import journal_at
from tests.serving.live import served
from tests.serving.test_site import RUN, an_image, life


def worked(process: int) -> float:
    """Seconds of processor time so far (proc(5), schedstat: nanoseconds)."""
    threads = Path(f"/proc/{process}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def resident(process: int) -> float:
    """Megabytes of memory that it holds (proc(5), status)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


async def written(folder: Path, images: int) -> None:
    journal = await journal_at(folder / "many").open(version="1")
    await journal.append(RUN)
    for first in range(0, images, 1000):
        some = range(first, min(first + 1000, images))
        await journal.append(*(event for number in some for event in life(an_image(f"vm-{number:06}"))))
    await journal.close()


async def watched(url: str, process: int, viewers: int, seconds: float) -> None:
    async with aiohttp.ClientSession(
        url, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
    ) as client:
        for path in ("/plans/many", "/plans/many", "/api/plans/many", "/metrics"):
            began = time.perf_counter()
            async with client.get(path) as answer:
                size = len(await answer.read())
            print(f"{path}: {(time.perf_counter() - began) * 1000:.0f} ms, {size:,} bytes")
        kept = [await client.get("/events?plan=many") for _ in range(viewers)]
        before = worked(process)
        await asyncio.sleep(seconds)
        used = worked(process) - before
        assert all(answer.connection for answer in kept)
        print(f"{viewers} viewers, nothing changes: {100 * used / seconds:.2f} % of a core")


async def followed(url: str, process: int, folder: Path, seconds: float) -> None:
    """A run records something every second, and one viewer follows it."""
    journal = await journal_at(folder / "many").open(version="1")
    took: list[float] = []
    async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=None)) as client:

        async def follow() -> None:
            async with client.get("/events?plan=many") as events:
                async for line in events.content:
                    if line.startswith(b"event: changed"):
                        began = time.perf_counter()
                        async with client.get("/plans/many") as answer:
                            await answer.read()
                        took.append(time.perf_counter() - began)

        following = asyncio.create_task(follow())
        before, began, number = worked(process), time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            await journal.append(*life(an_image(f"new-{number:06}")))
            number += 1
            await asyncio.sleep(1.0)
        used, passed = worked(process) - before, time.perf_counter() - began
        following.cancel()
    await journal.close()
    worst = max(took, default=0.0)
    print(
        f"1 viewer, a change every second: {100 * used / passed:.1f} % of a core, {len(took)} pages in "
        f"{passed:.0f} s, the slowest {worst * 1000:.0f} ms"
    )


def main() -> None:
    images, viewers, seconds = [*map(int, sys.argv[1:]), *(10_000, 50, 30)[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(written(Path(folder), images))
        with served(Path(folder)) as (url, process):
            asyncio.run(watched(url, process.pid, viewers, float(seconds)))
            asyncio.run(followed(url, process.pid, Path(folder), float(2 * seconds)))
            print(f"memory: {resident(process.pid):,.0f} MB")


if __name__ == "__main__":
    main()
