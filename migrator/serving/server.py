"""The addresses of the site, and who is told when a journal changes."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from importlib.resources import files
from typing import Protocol

import structlog
from aiohttp import web

from migrator.domain.errors import JournalError, MigratorError
from migrator.domain.ports import Clock
from migrator.domain.zone import Zone
from migrator.reports.formats import as_html, as_json
from migrator.reports.headline import headline
from migrator.reports.summary import Summary
from migrator.serving import pages
from migrator.serving.access import COOKIE, Door
from migrator.serving.sources import Plans
from migrator.serving.views import LOOK_EVERY, Trouble, View, Views, trouble_of, unreadable

log = structlog.get_logger()

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing inline, nothing from elsewhere (W3C, "CSP Level 3")."""


class Metrics(Protocol):
    """The metrics of plans as text."""

    def __call__(self, summaries: Sequence[Summary], *, unreadable: Sequence[str]) -> bytes:
        """Of those that can be read, and of those that cannot, by name."""


class Site:
    """What the handlers share."""

    def __init__(self, plans: Plans, door: Door, clock: Clock, zone: Zone, metrics: Metrics) -> None:
        self.views = Views(plans, clock, zone)
        self.plans = plans
        self.door = door
        self.clock = clock
        self.zone = zone
        self.metrics = metrics
        self._changed: set[asyncio.Queue[str]] = set()

    def application(self) -> web.Application:
        """All of it as one application."""
        app = web.Application(middlewares=[self._guard], client_max_size=16_384)
        app.on_response_prepare.append(seal)
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
            try:
                await self.look()
            except Exception:
                log.exception("look.failed")  # the next look may fare better, and viewers wait for it

    async def look(self) -> None:
        """One look at all of them."""
        names = await self.views.look()
        for queue in self._changed:
            for name in names:
                queue.put_nowait(name)

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
            return await handler(request)
        except MigratorError as error:
            return self._troubled(request, trouble_of(error), 503 if isinstance(error, JournalError) else 500)

    def _troubled(self, request: web.Request, trouble: Trouble, status: int) -> web.Response:
        """What is said in place of what cannot be shown, to a program or a person."""
        if request.path.startswith("/api/"):
            return web.json_response(_error(trouble), status=status)
        if "text/html" in request.headers.get("Accept", ""):
            name = request.match_info.get("name", "")
            return _html(pages.page_of_trouble(name, trouble, self.clock.now(), self.zone).encode(), status)
        return web.Response(status=status, text=f"{trouble.what}\n{trouble.hint}\n")

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
        shown, troubled = await self.views.each()
        cards = [
            pages.Card(
                name=name,
                headline=headline(view.facts),
                said=view.said,
                totals=view.facts.totals,
                images=len(view.facts.images),
            )
            for name, view in shown.items()
        ]
        page = pages.page_of_all(cards, troubled, self.views.trouble, self.clock.now(), self.zone)
        return _html(page.encode())

    async def _plan(self, request: web.Request) -> web.Response:
        view, wanted = await self._asked(request), pages.wanted(request.query)
        make: Callable[[], str] = partial(pages.page_of_plan, view)
        if wanted is not None:
            make = partial(pages.page_of_images, view, wanted)
        return _html(await self.views.part(view, f"page {wanted}", lambda: make().encode()))

    async def _report(self, request: web.Request) -> web.Response:
        view = await self._asked(request)
        response = _html(await self.views.part(view, "report", lambda: _written(as_html.write, view.facts)))
        # It brings a policy of its own, which names each of its scripts by its hash.
        response.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
        return response

    async def _image(self, request: web.Request) -> web.Response:
        view, key = await self._asked(request), request.match_info["key"]
        row = next((row for row in view.facts.images if row.key == key), None)
        if row is None:
            raise web.HTTPNotFound(text="no image of this plan bears that key")
        name = view.facts.plan.name
        events = await self.plans.reader(name).events(key)
        return _html(pages.page_of_image(name, row, events, self.clock.now(), view.facts.zone).encode())

    async def _api_all(self, request: web.Request) -> web.Response:
        shown, troubled = await self.views.each()
        found: list[dict[str, object]] = []
        for name in self.views.tokens:
            if (view := shown.get(name)) is not None:
                totals = {phase.value: count for phase, count in view.facts.totals.by_status.items()}
                found.append({"name": name, "totals": totals, "said": view.said, "error": None})
            elif name in troubled:
                found.append({"name": name, "totals": None, "said": None} | _error(troubled[name]))
        trouble = self.views.trouble
        return web.json_response({"plans": found} | ({} if trouble is None else _error(trouble)))

    async def _api_plan(self, request: web.Request) -> web.Response:
        view = await self._asked(request)
        body = await self.views.part(view, "json", lambda: _written(as_json.write, view.facts))
        return web.Response(body=body, content_type="application/json")

    async def _metrics(self, request: web.Request) -> web.Response:
        shown, troubled = await self.views.each()
        if self.views.trouble is not None:  # what was known is no measurement of now
            shown, troubled = {}, dict.fromkeys(self.views.tokens, self.views.trouble)
        facts = [view.facts for view in shown.values()]
        body = await asyncio.to_thread(self.metrics, facts, unreadable=list(troubled))
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    async def _health(self, request: web.Request) -> web.Response:
        troubled, trouble = await self.views.troubled(), self.views.trouble
        count = len(self.views.tokens)
        if not (said := unreadable(trouble, troubled, count)):
            return web.json_response({"status": "ok", "plans": count})
        body: dict[str, object] = {"status": said, "plans": count}
        if self.door.lets_in(request.headers, request.cookies):
            # Everybody may ask whether all is well; names and places are for those who may look.
            body |= {} if trouble is None else _error(trouble)
            body["unreadable"] = {name: _error(one) for name, one in troubled.items()}
        return web.json_response(body, status=503)

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
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
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

    async def _asked(self, request: web.Request) -> View:
        name = request.match_info["name"]
        if name not in self.views.tokens:
            raise web.HTTPNotFound(text="there is no such plan")
        return await self.views.of(name)


async def seal(request: web.Request, response: web.StreamResponse) -> None:
    """What no answer goes without, whoever made it: a handler, an exception, or aiohttp itself."""
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Server"] = "migrator"  # and not which versions of what
    response.headers.setdefault("Cache-Control", "no-store")


def _error(trouble: Trouble) -> dict[str, object]:
    return {"error": trouble.what, "hint": trouble.hint}


def _html(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, content_type="text/html", charset="utf-8")


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
