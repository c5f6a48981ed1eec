"""The addresses of the site, and what follows when a journal changes.

Nothing is kept but what was rendered last. Journals are looked at once for all viewers; each page is rendered
once for each change, and again after a while where a run is at work, because its estimates are about now.
"""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

import structlog
from aiohttp import web

from migrator.domain.errors import JournalError, MigratorError
from migrator.domain.ports import Clock
from migrator.domain.zone import Zone
from migrator.reports import terminal
from migrator.reports.formats import as_html, as_json
from migrator.reports.headline import headline
from migrator.reports.summary import Summary, summary
from migrator.serving import pages
from migrator.serving.access import COOKIE, Door
from migrator.serving.sources import Plans

log = structlog.get_logger()

LOOK_EVERY = 2.0
"""Seconds between two looks at the journals."""

OLD_AFTER = 30.0
"""Seconds after which the page of a plan at work is made anew, though nothing was recorded."""

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing inline, nothing from elsewhere (W3C, "CSP Level 3")."""

Metrics = Callable[[Sequence[Summary]], bytes]


@dataclass(slots=True, kw_only=True)
class _Shown:
    """What was made of one plan, for one state of its journal."""

    token: str
    made_at: float
    facts: Summary
    said: str
    unattended: list[str]
    parts: dict[str, bytes] = field(default_factory=dict)
    """What was rendered of it, by kind."""


class Site:
    """What the handlers share."""

    def __init__(self, plans: Plans, door: Door, clock: Clock, zone: Zone, metrics: Metrics) -> None:
        self.plans = plans
        self.door = door
        self.clock = clock
        self.zone = zone
        self.metrics = metrics
        self.tokens: dict[str, str] = {}
        self.trouble = ""
        """Why the journals cannot be looked at; empty while they can."""

        self._shown: dict[str, _Shown] = {}
        self._looking = asyncio.Lock()
        """An earlier look that ends later would bring back what is no longer so."""

        self._locks: dict[str, asyncio.Lock] = {}
        self._changed: set[asyncio.Queue[str]] = set()

    def application(self) -> web.Application:
        """All of it as one application."""
        app = web.Application(middlewares=[self._guard], client_max_size=16_384)
        app.add_routes(
            [
                web.get("/", self._all),
                web.get("/plans/{name}", self._plan),
                web.get("/plans/{name}/report.html", self._report),
                web.get("/plans/{name}/images/{key:.+}", self._image),
                web.get("/api/plans", self._api_all),
                web.get("/api/plans/{name}", self._api_plan),
                web.get("/events", self._events),
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._health),
                web.get("/static/{file}", self._static),
                web.get("/login", self._login),
                web.post("/login", self._log_in),
            ]
        )
        return app

    async def watch(self) -> None:
        """Look at the journals again and again, and tell viewers what changed."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """One look at all of them."""
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        try:
            found = await self.plans.tokens()
        except JournalError as error:
            if not self.trouble:
                log.warning("journals.unreadable", reason=str(error))
            self.trouble = str(error)
            return
        self.trouble = ""
        changed = {
            name for name in found.keys() | self.tokens.keys() if found.get(name) != self.tokens.get(name)
        }
        self.tokens = found
        now = self.clock.monotonic()
        old = {name for name, one in self._shown.items() if self._is_old(one, now)}
        for gone in self._shown.keys() - found.keys():
            del self._shown[gone]
        for queue in self._changed:
            for name in changed | old:
                queue.put_nowait(name)

    def _is_old(self, shown: _Shown, now: float) -> bool:
        return "running" in shown.said and now - shown.made_at > OLD_AFTER

    # --- Who may look -----------------------------------------------------------------------------------

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not self.door.knows(request.host):
            raise web.HTTPMisdirectedRequest(text="This page is for its own machine: open http://127.0.0.1")
        free = request.path in ("/login", "/healthz") or request.path.startswith("/static/")
        if not free and not self.door.lets_in(request.headers, request.cookies):
            if "text/html" in request.headers.get("Accept", ""):
                raise web.HTTPSeeOther("/login")
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"}, text="a token is needed")
        try:
            response = await handler(request)
        except JournalError as error:
            return web.Response(status=503, text=f"{error}\n{error.hint}\n")
        except MigratorError as error:
            return web.Response(status=500, text=f"{error}\n{error.hint}\n")
        if not response.prepared:
            self._seal(response)
        return response

    def _seal(self, response: web.StreamResponse) -> None:
        """What no answer goes without."""
        response.headers.setdefault("Content-Security-Policy", POLICY)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers.setdefault("Cache-Control", "no-store")

    async def _login(self, request: web.Request) -> web.Response:
        return _html(pages.page_of_login(wrong="wrong" in request.query).encode())

    async def _log_in(self, request: web.Request) -> web.Response:
        given = (await request.post()).get("token", "")
        if not isinstance(given, str) or not self.door.is_token(given):
            await asyncio.sleep(1.0)  # a guess costs a second
            raise web.HTTPSeeOther("/login?wrong")
        response = web.HTTPSeeOther("/")
        secure = request.headers.get("X-Forwarded-Proto", request.scheme) == "https"
        response.set_cookie(COOKIE, self.door.cookie, httponly=True, samesite="Strict", secure=secure)
        raise response

    # --- Pages ------------------------------------------------------------------------------------------

    async def _all(self, request: web.Request) -> web.Response:
        cards = []
        for name in self.tokens:
            shown = await self._of(name)
            cards.append(
                pages.Card(
                    name=name,
                    headline=headline(shown.facts),
                    said=shown.said,
                    totals=shown.facts.totals,
                    images=len(shown.facts.images),
                )
            )
        return _html(pages.page_of_all(cards, self.clock.now(), self.zone).encode())

    async def _plan(self, request: web.Request) -> web.Response:
        shown = await self._asked(request)
        make = lambda: pages.page_of_plan(shown.facts, shown.said, shown.unattended).encode()  # noqa: E731
        return _html(await self._part(shown, "page", make))

    async def _report(self, request: web.Request) -> web.Response:
        shown = await self._asked(request)
        response = _html(await self._part(shown, "report", lambda: _written(as_html.write, shown.facts)))
        # It brings a policy of its own, which names each of its scripts by its hash.
        response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
        return response

    async def _image(self, request: web.Request) -> web.Response:
        shown, key = await self._asked(request), request.match_info["key"]
        row = next((row for row in shown.facts.images if row.key == key), None)
        if row is None:
            raise web.HTTPNotFound(text="no image of this plan bears that key")
        name = shown.facts.plan.name
        events = await self.plans.reader(name).events(key)
        return _html(pages.page_of_image(name, row, events, self.clock.now(), self.zone).encode())

    async def _api_all(self, request: web.Request) -> web.Response:
        found = []
        for name in self.tokens:
            shown = await self._of(name)
            totals = {phase.value: count for phase, count in shown.facts.totals.by_status.items()}
            found.append({"name": name, "totals": totals, "said": shown.said})
        return web.json_response({"plans": found})

    async def _api_plan(self, request: web.Request) -> web.Response:
        shown = await self._asked(request)
        body = await self._part(shown, "json", lambda: _written(as_json.write, shown.facts))
        return web.Response(body=body, content_type="application/json")

    async def _metrics(self, request: web.Request) -> web.Response:
        facts = [(await self._of(name)).facts for name in self.tokens]
        body = await asyncio.to_thread(self.metrics, facts)
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _health(self, request: web.Request) -> web.Response:
        if self.trouble:
            return web.json_response({"status": "journals cannot be read"}, status=503)
        return web.json_response({"status": "ok", "plans": len(self.tokens)})

    async def _static(self, request: web.Request) -> web.Response:
        kinds = {"site.css": "text/css", "site.js": "text/javascript"}
        name = request.match_info["file"]
        if name not in kinds:
            raise web.HTTPNotFound
        body = files("migrator.serving").joinpath("site", name).read_bytes()
        return web.Response(
            body=body, content_type=kinds[name], charset="utf-8", headers={"Cache-Control": "no-cache"}
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """Server-sent events: "changed", with the name of the plan (HTML, "Server-sent events")."""
        plan = request.query.get("plan", "")
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        self._seal(response)
        queue: asyncio.Queue[str] = asyncio.Queue()
        self._changed.add(queue)
        try:
            await response.prepare(request)
            await response.write(b"retry: 3000\n\n")
            while True:
                try:
                    names = {await asyncio.wait_for(queue.get(), 15.0)}
                except TimeoutError:
                    await response.write(b": still here\n\n")
                    continue
                while not queue.empty():
                    names.add(queue.get_nowait())
                if not plan or plan in names:
                    await response.write(b"event: changed\ndata: 1\n\n")
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._changed.discard(queue)
        return response

    # --- What is shown ----------------------------------------------------------------------------------

    async def _asked(self, request: web.Request) -> _Shown:
        name = request.match_info["name"]
        if name not in self.tokens:
            raise web.HTTPNotFound(text="there is no such plan")
        return await self._of(name)

    async def _of(self, name: str) -> _Shown:
        """What there is to show of a plan, made once for each change of its journal."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            token, shown = self.tokens.get(name, ""), self._shown.get(name)
            now = self.clock.monotonic()
            if shown is not None and shown.token == token and not self._is_old(shown, now):
                return shown
            reader = self.plans.reader(name)
            ledger, holder = await reader.ledger(), await reader.holder()
            unattended = list(await reader.unattended())
            running = holder is not None or bool(unattended)
            plan = pages.plan_of(name, ledger)
            facts = await asyncio.to_thread(
                summary, ledger, plan=plan, now=self.clock.now(), running=running, zone=self.zone
            )
            who = str(holder) if holder else "workers, none of them at work now" if unattended else None
            said = terminal.standing(facts, who)
            made = _Shown(token=token, made_at=now, facts=facts, said=said, unattended=unattended)
            self._shown[name] = made
            return made

    async def _part(self, shown: _Shown, kind: str, make: Callable[[], bytes]) -> bytes:
        if kind not in shown.parts:
            shown.parts[kind] = await asyncio.to_thread(make)
        return shown.parts[kind]


def _html(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="text/html", charset="utf-8")


def _written(write: Callable[[Summary, io.BytesIO], None], facts: Summary) -> bytes:
    stream = io.BytesIO()
    write(facts, stream)
    return stream.getvalue()


@contextlib.asynccontextmanager
async def serving(site: Site, host: str, port: int) -> AsyncIterator[int]:
    """The site at an address, for as long as the block lasts; gives the port. Raises OSError."""
    await site.look()
    runner = web.AppRunner(site.application(), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    watching = asyncio.create_task(site.watch())
    try:
        listening = web.TCPSite(runner, host, port)
        await listening.start()
        yield runner.addresses[0][1]
    finally:
        watching.cancel()
        await runner.cleanup()
