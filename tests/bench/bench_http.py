"""Polls per second through AioHttp.send against a bare aiohttp loop: `python -m tests.bench.bench_http`.

The server is a process of its own; both sides ask for the same jobs over 64 connections, send the same
headers and parse the same JSON, turn about, so that a busy machine slows both.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from migrator.domain.http import Request
from migrator.io.http import AioHttp

CONNECTIONS = 64
GOAL = 0.85
HEADERS = {
    "X-Sdk-Date": "20261201T000000Z",
    "X-Project-Id": "0123456789abcdef0123456789abcdef",
    "Host": "ims.cn-north-4.myhuaweicloud.com",
    "Authorization": "SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, Signature=" + "0" * 64,
}
JOB = {
    "status": "RUNNING",
    "entities": {"process_percent": 0.5, "current_task": "import", "sub_jobs_result": []},
    "job_id": "ff8080814dbd65d7014dbe0d84db0013",
    "job_type": "createImageByRegisterImage",
    "begin_time": "2026-12-01T00:00:00.000Z",
    "end_time": "",
    "error_code": None,
    "fail_reason": None,
}


def serve() -> None:
    """Answer every job with the same body, and print the port first."""
    body = json.dumps(JOB).encode()

    async def job(request: web.Request) -> web.Response:
        return web.Response(
            body=body,
            content_type="application/json",
            headers={"X-Request-Id": "4d5e", "Server": "api-gateway"},
        )

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/v1/{project}/jobs/{job}", job)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(run())


async def _laps(ask: Callable[[str], Awaitable[object]], base: str, requests: int) -> float:
    """Polls per second."""
    urls = iter([f"{base}/v1/0123456789abcdef0123456789abcdef/jobs/{n % 100:032x}" for n in range(requests)])

    async def worker() -> None:
        for url in urls:
            assert await ask(url) == JOB

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
    return requests / (time.perf_counter() - began)


async def measure(base: str, requests: int, rounds: int) -> tuple[float, float, float]:
    """(ours, bare, ratio): polls per second, and the median of the ratios of neighbouring rounds."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        AioHttp(max_requests=CONNECTIONS) as http,
    ):

        async def bare(url: str) -> object:
            async with session.get(url, headers=HEADERS) as answer:
                return json.loads(await answer.read())

        async def ours(url: str) -> object:
            return json.loads((await http.send(Request(method="GET", url=url, headers=HEADERS))).body)

        for ask in (bare, ours):
            await _laps(ask, base, 500)
        pairs = []
        for turn in range(rounds):
            if turn % 2:
                first = await _laps(bare, base, requests)
                pairs.append((await _laps(ours, base, requests), first))
            else:
                pairs.append((await _laps(ours, base, requests), await _laps(bare, base, requests)))
    mine, theirs = zip(*pairs, strict=True)
    ratio = statistics.median(one / other for one, other in pairs)
    return statistics.median(mine), statistics.median(theirs), ratio


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--requests", type=int, default=6000, help="polls in one round")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if options.serve:
        serve()
        return 0
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.bench_http", "--serve"], stdout=subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        base = f"http://127.0.0.1:{int(server.stdout.readline())}"
        ours, bare, ratio = asyncio.run(measure(base, options.requests, options.rounds))
    finally:
        server.terminate()
        server.wait()
    print(f"http: {ours:.0f} polls/s through AioHttp, {bare:.0f} bare; ratio {ratio:.3f} (goal {GOAL})")
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    raise SystemExit(main())
