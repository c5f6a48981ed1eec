"""A whole run against a bare script that sends the same requests: `python -m tests.bench.bench_run [IMAGES]`.

The service is the simulator in another process, its jobs end at once, and the journal is the real one, with
`synchronous=FULL`. Both sides import every image, ask about its job and read the image back. Runs alternate,
and each ratio is the median of those of neighbouring runs, in one session.
"""

import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import anyio
from pydantic import SecretStr

from migrator.domain import collector
from migrator.domain.credentials import ReadyToken
from migrator.domain.plan import Limits, Plan, Polling
from migrator.domain.units import Rate
from migrator.engine import Engine
from migrator.ims.client import Ims, submit_body
from migrator.ims.identity import FixedTokenSigner
from migrator.io import log
from migrator.io.clock import SystemClock
from migrator.io.http import AioHttp
from migrator.journal.port import JournalLocation
from migrator.journal.sqlite.location import SqliteLocation
from migrator.workflow.events import RunBegan
from migrator.workflow.resume import marker, planned, startup_events, work_left
from tests.rehearsal import a_plan

PARALLEL = 64
ROUNDS = 9
PROJECT = "0123456789abcdef0123456789abcdef"

SERVER = """
import asyncio
from migrator.simulator.server import serve
from migrator.simulator.settings import Settings
async def main():
    settings = Settings(job_seconds=0.0, job_spread="fixed", max_jobs=1000000, quota=10000000)
    async with serve(settings) as running:
        project = settings.regions["cn-north-4"]
        token, _ = running.simulator.guard.new_token("cn-north-4", project, running.now())
        print(running.url, token, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""


def plan_for(url: str, count: int) -> Plan:
    """A plan that waits for nothing."""
    fast = Rate(count=1_000_000, unit="s")
    limits = Limits(
        max_jobs=10_000,
        max_requests=PARALLEL,
        submit_rate=fast,
        submit_burst=1000,
        query_rate=fast,
        query_burst=1000,
    )
    plan = a_plan(count, limits=limits, polling=Polling(first=0.0, min_interval=0.0, max_interval=1.0))
    target = plan.targets["north"].model_copy(
        update={"ims_endpoint": url, "iam_endpoint": url, "obs_endpoint": url}
    )
    return plan.model_copy(update={"targets": {"north": target}})


async def ours(url: str, token: str, count: int) -> float:
    """Images a second of the product, with its journal on disk."""
    with tempfile.TemporaryDirectory() as folder:
        return await carried_out(SqliteLocation(Path(folder)), url, token, count)


async def carried_out(location: JournalLocation, url: str, token: str, count: int) -> float:
    """Images a second of the product."""
    plan, clock = plan_for(url, count), SystemClock()
    collector.spared()
    async with AioHttp(max_requests=PARALLEL) as http:
        journal = await location.open(version="bench")
        ledger = await journal.ledger()
        began = time.perf_counter()
        words = startup_events(planned(plan), ledger, clock.now())
        await journal.append(RunBegan(at=clock.now(), run="r", version="0", host="h", pid=1), *words)
        signer = FixedTokenSigner(ReadyToken(token=SecretStr(token)))
        cloud = Ims(http, signer, plan.targets["north"], PROJECT)
        engine = Engine(plan, ledger, {"north": cloud}, journal, clock, random.Random(1))
        ending = await engine.run(work_left(ledger))
        seconds = time.perf_counter() - began
        await journal.close()
    assert ending.exit_code == 0, ending
    return count / seconds


async def bare(url: str, token: str, count: int) -> float:
    """Images a second of a script that forgets everything."""
    plan = plan_for(url, count)
    headers = {"X-Auth-Token": token, "X-Project-Id": PROJECT}
    gate = asyncio.Semaphore(PARALLEL)
    connector = aiohttp.TCPConnector(limit=PARALLEL)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def one(body: dict[str, object]) -> None:
            async with gate:
                action = f"{url}/v2/cloudimages/quickimport/action"
                async with session.post(action, json=body) as answer:
                    job = json.loads(await answer.read())["job_id"]
                async with session.get(f"{url}/v1/cloudimages/job/{job}") as answer:
                    image = json.loads(await answer.read())["entities"]["image_id"]
                async with session.get(f"{url}/v2/cloudimages", params={"id": image}) as answer:
                    assert json.loads(await answer.read())["images"][0]["status"] == "active"

        began = time.perf_counter()
        bodies = [submit_body(image, marker(plan.name, image.key)) for image in plan.images]
        await asyncio.gather(*(one(body) for body in bodies))
        return count / (time.perf_counter() - began)


def measured(side: object, count: int, *, uvloop: bool) -> float:
    """One run against a service of its own."""
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url, token = server.stdout.readline().split()
        return anyio.run(side, url, token, count, backend_options={"use_uvloop": uvloop})  # type: ignore[arg-type]
    finally:
        server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


def main() -> None:
    """Print the medians and their ratios."""
    log.configure("console", "warning")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    sides: dict[str, tuple[object, bool]] = {
        "bare": (bare, False),
        "ours": (ours, False),
        "ours, uvloop": (ours, True),
    }
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(ROUNDS):
        # Turn about: whoever always comes last would bear what a machine does in waves.
        order = list(sides)[number % 3 :] + list(sides)[: number % 3]
        for name in order:
            side, uvloop = sides[name]
            figures[name].append(measured(side, count, uvloop=uvloop))
    for name, values in figures.items():
        ratios = sorted(one / other for one, other in zip(values, figures["bare"], strict=True))
        spread = f" ({ratios[1]:.2f} to {ratios[-2]:.2f} but for the outermost)" if name != "bare" else ""
        middle = statistics.median(ratios)
        print(f"{name}: {statistics.median(values):.0f} images/s, {middle:.2f} of bare{spread}")


if __name__ == "__main__":
    main()
