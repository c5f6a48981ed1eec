"""`serve` over real connections: what is shown, to whom, and that nothing is changed."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from migrator.domain.cloud import Fault
from migrator.domain.errors import JournalError, UsageError
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import Plan
from migrator.domain.zone import UTC_ZONE
from migrator.io.clock import SystemClock
from migrator.journal.stores import journal_at
from migrator.reports.metrics import metrics_text
from migrator.reports.summary import Summary, summary
from migrator.serving.access import Door, is_loopback, read_token
from migrator.serving.server import Site, serving
from migrator.serving.sources import FolderPlans
from migrator.workflow.events import (
    AttemptBegan,
    AttemptRejected,
    Event,
    ImagePlanned,
    ImageVerified,
    JobAccepted,
    JobSucceeded,
    RunBegan,
    RunEnded,
)
from migrator.workflow.ledger import Ledger
from tests.serving.live import seen_in

pytestmark = pytest.mark.anyio
TOKEN = "a-token-of-some-length"
EVIL = "<script>alert(1)</script>\"' onload=x \u202e"


@pytest.fixture
def anyio_backend():
    return "asyncio"


def an_image(name: str, target: str = "north") -> Image:
    return Image(
        name=name, target=target, source=ObjectRef.parse("b:x.raw"), min_disk=40, labels={"owner": EVIL}
    )


def life(image: Image, *, well: bool = True) -> list[Event]:
    key = image.key
    begun: list[Event] = [
        ImagePlanned(at=1.0, key=key, image=image, digest="d"),
        AttemptBegan(at=2.0, key=key, attempt=1, digest="d", signed_at=2.0),
    ]
    if not well:
        fault = Fault(code="IMG.0057", message=f"no such file {EVIL}", remedy="Upload it.")
        return [*begun, AttemptRejected(at=3.0, key=key, fault=fault)]
    return [
        *begun,
        JobAccepted(at=3.0, key=key, job_id="job-1"),
        JobSucceeded(at=4.0, key=key, image_id="image-1"),
        ImageVerified(at=5.0, key=key, image_id="image-1"),
    ]


RUN = RunBegan(at=0.5, run="r1", version="1", host="jump", pid=7)


async def written(folder: Path, name: str, *events: Event) -> None:
    journal = await journal_at(folder / name).open(version="1")
    await journal.append(*events)
    await journal.close()


@asynccontextmanager
async def opened(
    folder: Path, token: str | None = None, **headers: str
) -> AsyncIterator[tuple[aiohttp.ClientSession, Site]]:
    """A site over a folder, and a client of it."""
    site = Site(FolderPlans(folder, seen_in(folder)), Door(token), SystemClock(), UTC_ZONE, metrics_text)
    async with (
        serving(site, "127.0.0.1", 0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as client,
    ):
        yield client, site


async def text(client: aiohttp.ClientSession, path: str) -> str:
    async with client.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Reports of two plans: one that ended, with a failure, and one that nobody finished."""
    ended = RunEnded(at=9.0, run="r1", reason="finished; 1 images failed", exit_code=3)
    web, evil = an_image("web-01"), an_image(EVIL)
    await written(tmp_path, "wave-1", RUN, *life(web), *life(evil, well=False), ended)
    await written(
        tmp_path, "wave-2", RUN, ImagePlanned(at=1.0, key="south/a", image=an_image("a", "south"), digest="d")
    )
    (tmp_path / "no-plan").mkdir()
    return tmp_path


async def test_every_plan_is_listed_and_one_is_shown_with_what_failed_and_what_to_do(folder):
    async with opened(folder) as (client, _):
        everything, one = await text(client, "/"), await text(client, "/plans/wave-1")

    assert 'href="/plans/wave-1"' in everything
    assert 'href="/plans/wave-2"' in everything
    assert "no-plan" not in everything
    assert "1 of 2 images imported, 1 failed" in one
    assert "<b>What to do:</b> <bdi>Upload it.</bdi>" in one


async def test_the_life_of_an_image_is_told_event_by_event(folder):
    async with opened(folder) as (client, _):
        page = await text(client, "/plans/wave-1/images/north/web-01")

    kinds = re.findall(r"<strong>([a-z ]+)</strong>", page)
    assert kinds == ["image planned", "attempt began", "job accepted", "job succeeded", "image verified"]
    assert "job-1" in page


async def test_no_text_of_others_becomes_markup_and_nothing_is_inline(folder):
    async with opened(folder) as (client, site):
        key = next(
            row.key for row in (await site.views.of("wave-1")).facts.images if row.key != "north/web-01"
        )
        from yarl import URL

        paths = ["/", "/plans/wave-1", str(URL("/plans/wave-1/images/") / key)]
        for path in paths:
            async with client.get(URL(path, encoded=True)) as answer:
                page = await answer.text()
                policy = answer.headers["Content-Security-Policy"]
            assert answer.status == 200
            assert "<script>alert" not in page
            assert "\u202e" not in page
            assert not re.search(r"<[^>]+\s(style|on\w+)=", page)
            assert re.findall(r"<script(?! src=\"/static/site.js\" defer>)", page) == []
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy


async def test_the_api_gives_the_report_and_metrics_name_every_plan(folder):
    async with opened(folder) as (client, _):
        report = json.loads(await text(client, "/api/plans/wave-1"))
        plans = json.loads(await text(client, "/api/plans"))["plans"]
        metrics = await text(client, "/metrics")
        health = json.loads(await text(client, "/healthz"))
        whole = await text(client, "/plans/wave-1/report.html")

    assert report["schema"].startswith("migrator.report/")
    assert {image["key"]: image["status"] for image in report["images"]}["north/web-01"] == "succeeded"
    assert [plan["name"] for plan in plans] == ["wave-1", "wave-2"]
    assert 'migrator_images{plan="wave-2",status="pending",target="south",wave=""} 1.0' in metrics
    assert health == {"status": "ok", "plans": 2}
    assert "<!DOCTYPE html>" in whole


@pytest.mark.parametrize(
    "path",
    ["/plans/nobody", "/plans/..%2F..", "/plans/no-plan", "/static/server.py", "/static/..%2Faccess.py",
     "/plans/wave-1/images/north/nobody", "/api/plans/%2e%2e"],
)  # fmt: skip
async def test_what_is_not_there_is_not_there(folder, path):
    from yarl import URL

    async with opened(folder) as (client, _), client.get(URL(path, encoded=True)) as answer:
        assert answer.status == 404


async def test_a_page_of_another_name_that_resolves_to_this_machine_gets_nothing(folder):
    async with opened(folder) as (client, _):
        for host, status in (
            ("evil.example", 421),
            ("evil.example:8641", 421),
            ("localhost:8641", 200),
            ("[::1]", 200),
        ):
            async with client.get("/", headers={"Host": host}) as answer:
                assert answer.status == status


async def test_with_a_token_nobody_sees_anything_without_it(folder):
    async with opened(folder, TOKEN) as (client, _):
        for path in ("/", "/plans/wave-1", "/api/plans", "/metrics", "/events"):
            async with client.get(path, allow_redirects=False) as answer:
                assert answer.status == 401, path
                assert "wave" not in await answer.text()
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        async with client.get("/api/plans", headers=bearer) as answer:
            assert answer.status == 200
        async with client.get("/api/plans", headers={"Authorization": f"Bearer {TOKEN}x"}) as answer:
            assert answer.status == 401
        assert json.loads(await text(client, "/healthz"))["status"] == "ok"


async def test_a_person_logs_in_without_scripts_and_the_cookie_is_not_the_token(folder):
    jar = aiohttp.CookieJar(unsafe=True)
    site = Site(FolderPlans(folder, seen_in(folder)), Door(TOKEN), SystemClock(), UTC_ZONE, metrics_text)
    async with (
        serving(site, "127.0.0.1", 0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", cookie_jar=jar) as client,
    ):
        async with client.get("/", headers={"Accept": "text/html"}) as answer:
            assert answer.url.path == "/login"
        async with client.post("/login", data={"token": "wrong"}) as answer:
            assert "That is not the token." in await answer.text()
        async with client.post("/login", data={"token": TOKEN}) as answer:
            assert answer.url.path == "/"
            assert "wave-1" in await answer.text()
    (cookie,) = jar
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert TOKEN not in cookie.value


async def test_who_looks_is_told_when_a_journal_changes(folder):
    async with opened(folder) as (client, _), client.get("/events?plan=wave-2") as answer:
        assert answer.content_type == "text/event-stream"
        await answer.content.readuntil(b"\n\n")
        journal = await journal_at(folder / "wave-2").open(version="1")
        await journal.append(*life(an_image("b", "south")))
        await journal.close()
        async with asyncio.timeout(15):
            assert (await answer.content.readuntil(b"\n\n")).startswith(b"event: changed")
        assert "1 of 2 images imported" in await text(client, "/plans/wave-2")


def _is_empty(path: Path) -> bool:
    return path.stat().st_size == 0


async def test_looking_changes_nothing_on_disk(folder):
    def there() -> dict[str, tuple[int, int]]:
        return {
            str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
            for path in folder.rglob("*")
            # SQLite makes these two for whoever reads, empty.
            if path.is_file()
            and path.suffix != ".db-shm"
            and not (path.suffix == ".db-wal" and _is_empty(path))
        }

    before = there()
    async with opened(folder) as (client, _):
        for path in (
            "/",
            "/plans/wave-1",
            "/plans/wave-1/images/north/web-01",
            "/api/plans/wave-2",
            "/metrics",
        ):
            await text(client, path)

    assert there() == before


async def test_journals_that_cannot_be_looked_at_are_said_and_looked_at_again(folder):
    plans = Sometimes(folder, seen_in(folder))
    site = Site(plans, Door(None), SystemClock(), UTC_ZONE, metrics_text)
    async with (
        serving(site, "127.0.0.1", 0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        plans.away = True
        await site.look()
        async with client.get("/healthz") as answer:
            assert answer.status == 503
        assert "wave-1" in await text(client, "/")  # what was known is shown still

        plans.away = False
        await site.look()
        async with client.get("/healthz") as answer:
            assert answer.status == 200


class Sometimes(FolderPlans):
    """Journals that can be away."""

    away = False

    async def tokens(self) -> dict[str, str]:
        if self.away:
            raise JournalError("the database is away")
        return await super().tokens()


async def test_a_page_is_made_once_for_each_change(folder, monkeypatch):
    made: list[str] = []

    def counted(ledger: Ledger, *, plan: Plan, **others: Any) -> Summary:
        made.append(plan.name)
        return summary(ledger, plan=plan, **others)

    monkeypatch.setattr("migrator.serving.views.summary", counted)
    async with opened(folder) as (client, _):
        for _ in range(5):
            await text(client, "/plans/wave-1")

    assert made == ["wave-1"]


async def test_looking_makes_nothing_new_of_a_journal(folder):
    plans = FolderPlans(folder, seen_in(folder))
    before = await plans.tokens()
    await plans.reader("wave-1").ledger()

    assert await plans.tokens() == before


# --- Who may look ---------------------------------------------------------------------------------------


def test_a_token_is_taken_only_from_a_file_of_ones_own(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    assert read_token(path) == TOKEN

    path.chmod(0o644)
    with pytest.raises(UsageError, match="others can read it"):
        read_token(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(UsageError, match="is guessed"):
        read_token(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_token(tmp_path / "nowhere")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_this_machine_is_known(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "evil"])
def test_others_are_known(host):
    assert not is_loopback(host)


def test_another_address_needs_a_token(tmp_path):
    from click.testing import CliRunner

    from migrator.cli.app import app

    done = CliRunner().invoke(app, ["serve", "--bind", "0.0.0.0", "--reports-dir", str(tmp_path)])

    assert done.exit_code == 2
    assert "--token-file" in done.stderr
    assert not list(tmp_path.iterdir())
