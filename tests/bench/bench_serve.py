"""What the live page costs while nothing changes, and how long a page takes.

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


def main() -> None:
    images, viewers, seconds = [*map(int, sys.argv[1:]), *(10_000, 50, 30)[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(written(Path(folder), images))
        with served(Path(folder)) as (url, process):
            asyncio.run(watched(url, process.pid, viewers, float(seconds)))


if __name__ == "__main__":
    main()
