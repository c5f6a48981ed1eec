"""The stand-in cloud on a real socket: a thin aiohttp server around Simulator.

It has one handler, no router and no request log, so that it can also be what benchmarks run against.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from migrator.domain.units import Moment
from migrator.simulator.settings import Settings
from migrator.simulator.simulator import Simulator
from migrator.simulator.wire import Act, Call, Reply


class _CountingServer(web.Server):
    """Tells the statistics how many connections were opened."""

    simulator: Simulator

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        self.simulator.stats.connections += 1
        super().connection_made(handler, transport)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A stand-in that listens."""

    url: str
    """Base URL of every service, without a slash at the end."""

    simulator: Simulator
    speed: float
    anchor: Moment
    """The wall-clock moment at which simulated time and the wall clock agree."""

    def now(self) -> Moment:
        """The simulated moment."""
        return self.anchor + (time.time() - self.anchor) * self.speed


def read_call(request: web.BaseRequest, body: bytes) -> Call:
    """The call that an aiohttp request is."""
    raw = request.raw_path
    path = raw.partition("?")[0]
    return Call(
        method=request.method,
        host=request.headers.get("Host", ""),
        path=request.path,
        raw_path=path,
        query=tuple(request.query.items()),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=body,
        scheme=request.scheme,
    )


async def _deliver(request: web.BaseRequest, reply: Reply, closing: asyncio.Event) -> web.StreamResponse:
    transport = request.transport
    if reply.act is Act.HANG:
        await closing.wait()
    if reply.act in (Act.HANG, Act.RESET):
        if transport is not None:
            transport.abort()
        return web.Response()
    if reply.act is Act.TRUNCATE:
        cut = web.StreamResponse(status=reply.status, headers=reply.headers)
        cut.content_length = len(reply.body) + 64
        await cut.prepare(request)
        await cut.write(reply.body[: len(reply.body) // 2])
        if transport is not None:
            transport.close()
        return cut
    return web.Response(status=reply.status, headers=reply.headers, body=reply.body or None)


@asynccontextmanager
async def serve(
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    speed: float = 1.0,
    anchor: Moment | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Running]:
    """Listen until the block is left; hanging requests are cut off then.

    `speed` simulated seconds pass in each real one. `anchor` is the wall-clock moment at which both agree,
    for callers whose own clock runs as fast from the same anchor, and who date their signatures by it; None
    is now, for callers with ordinary clocks, by which their signatures are then judged. `port` 0 takes any
    free one.

    Raises OSError when the port is taken.
    """
    began = time.time() if anchor is None else anchor
    simulator = Simulator(settings, now=began + (time.time() - began) * speed)
    if anchor is not None:
        simulator.guard.skew *= max(1.0, speed)  # a request is on its way for real seconds
    closing = asyncio.Event()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read() if request.can_read_body else b""
        wall = time.time()
        now = began + (wall - began) * speed
        if anchor is None:
            simulator.guard.ahead = now - wall
        reply = simulator.answer(read_call(request, body), now)
        if reply.delay > 0:
            await asyncio.sleep(reply.delay / speed)
        return await _deliver(request, reply, closing)

    server = _CountingServer(handle, handler_cancellation=True, access_log=None, keepalive_timeout=75.0)
    server.simulator = simulator
    runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=0.2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=tls, backlog=1024)
        await site.start()
        address = runner.addresses[0]
        scheme = "https" if tls else "http"
        yield Running(
            url=f"{scheme}://{address[0]}:{address[1]}", simulator=simulator, speed=speed, anchor=began
        )
    finally:
        closing.set()
        await runner.cleanup()


async def run_forever(
    settings: Settings, *, host: str = "127.0.0.1", port: int = 0, speed: float = 1.0
) -> None:
    """Serve until cancelled. Raises OSError when the port is taken."""
    async with serve(settings, host=host, port=port, speed=speed):
        await asyncio.Event().wait()
