"""Journals that cannot be read: what is said of them, and that the others are shown as ever."""

import json
import os
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from migrator.domain.secrets import SECRETS
from migrator.domain.zone import UTC_ZONE
from migrator.io.clock import SystemClock
from migrator.journal.stores import journal_at
from migrator.reports.metrics import metrics_text
from migrator.serving.access import Door
from migrator.serving.server import Site, serving
from migrator.serving.sources import FolderPlans
from tests.serving.live import seen_in
from tests.serving.test_site import RUN, TOKEN, an_image, life, opened, text, written

pytestmark = pytest.mark.anyio
HTML = {"Accept": "text/html"}


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Reports of three plans, the second of which is damaged."""
    for name in ("east", "north", "west"):
        await written(tmp_path, name, RUN, *life(an_image("web-01")))
    (tmp_path / "north" / "journal.db").write_bytes(b"no journal at all" * 1000)
    return tmp_path


async def got(client: aiohttp.ClientSession, path: str, **headers: str) -> tuple[int, str]:
    async with client.get(path, headers=headers) as answer:
        return answer.status, await answer.text()


async def test_one_damaged_journal_is_shown_with_its_trouble_and_the_others_as_ever(folder):
    async with opened(folder) as (client, _):
        page = await text(client, "/")

    assert page.count("the image is imported") == 2
    assert 'href="/plans/north"' in page
    assert "The journal of this plan cannot be read" in page
    assert str(folder / "north" / "journal.db") in page
    assert page.count("What to do:") == 1


async def test_its_own_page_says_where_what_and_what_now_to_people_and_programs(folder):
    async with opened(folder) as (client, _):
        person = await got(client, "/plans/north", **HTML)
        program = await got(client, "/api/plans/north")
        plain = await got(client, "/plans/north")

    assert person[0] == program[0] == plain[0] == 503
    assert "<b>What to do:</b>" in person[1]
    assert {"error", "hint"} == json.loads(program[1]).keys()
    assert str(folder / "north" / "journal.db") in json.loads(program[1])["error"]
    assert len(plain[1].splitlines()) == 2


async def test_metrics_of_the_others_are_there_and_a_gauge_tells_which_journal_is_not_readable(folder):
    async with opened(folder) as (client, _):
        families = {one.name: one for one in text_string_to_metric_families(await text(client, "/metrics"))}

    def by_plan(name: str) -> dict[str, float]:
        return {sample.labels["plan"]: sample.value for sample in families[name].samples}

    assert by_plan("migrator_journal_readable") == {"east": 1.0, "north": 0.0, "west": 1.0}
    assert by_plan("migrator_images") == {"east": 1.0, "west": 1.0}


async def test_the_list_for_programs_has_an_error_for_it_and_none_for_the_others(folder):
    async with opened(folder) as (client, _):
        plans = {one["name"]: one for one in json.loads(await text(client, "/api/plans"))["plans"]}

    assert plans["east"]["error"] is None
    assert plans["east"]["totals"]["succeeded"] == 1
    assert "journal.db" in plans["north"]["error"]
    assert plans["north"]["hint"]


async def test_health_is_bad_while_a_journal_is_damaged_and_good_when_it_is_put_back(folder):
    async with opened(folder) as (client, site):
        status, said = await got(client, "/healthz")
        assert status == 503
        body = json.loads(said)
        assert body["status"] == "1 of 3 journals cannot be read"
        assert "journal.db" in body["unreadable"]["north"]["error"]

        good = (folder / "east" / "journal.db").read_bytes()
        (folder / "north" / "journal.db").write_bytes(good)
        await site.look()
        assert await got(client, "/healthz") == (200, '{"status": "ok", "plans": 3}')


async def test_who_has_no_token_learns_that_something_is_wrong_and_not_what(folder):
    async with opened(folder, TOKEN) as (client, _):
        stranger = await got(client, "/healthz")
        friend = await got(client, "/healthz", Authorization=f"Bearer {TOKEN}")

    assert stranger[0] == friend[0] == 503
    assert "north" not in stranger[1]
    assert "north" in friend[1]


async def test_no_secret_leaves_with_the_reason(folder, monkeypatch):
    SECRETS.register("hunter2-hunter2")

    def refuse(self: FolderPlans, name: str) -> None:
        raise RuntimeError("cannot be read as hunter2-hunter2")

    async with opened(folder) as (client, _):
        monkeypatch.setattr(FolderPlans, "reader", refuse)
        answers = [
            await got(client, path, **HTML)
            for path in ("/", "/healthz", "/api/plans", "/plans/east", "/metrics")
        ]

    assert [status for status, _ in answers] == [200, 503, 200, 500, 200]
    assert "RuntimeError" in answers[0][1]
    assert not any("hunter2" in said for _, said in answers)


async def test_a_folder_that_is_gone_is_said_plainly_and_looked_for_again(folder):
    away = folder.with_name("away")
    (folder / "north" / "journal.db").unlink()
    async with opened(folder) as (client, site):
        await text(client, "/")
        folder.rename(away)
        await site.look()

        assert f"{folder}: the folder is gone" in await text(client, "/")
        status, said = await got(client, "/healthz")
        assert status == 503
        assert json.loads(said)["error"] == f"{folder}: the folder is gone"
        assert json.loads(await text(client, "/api/plans"))["error"] == f"{folder}: the folder is gone"
        metrics = await text(client, "/metrics")
        assert 'migrator_journal_readable{plan="east"} 0.0' in metrics
        assert "migrator_images{" not in metrics

        away.rename(folder)
        await site.look()
        assert "is gone" not in await text(client, "/")
        assert (await got(client, "/healthz"))[0] == 200


async def test_who_looks_is_told_that_the_folder_is_gone(folder):
    away = folder.with_name("away")
    async with opened(folder) as (client, site), client.get("/events") as viewer:
        await viewer.content.readuntil(b"\n\n")
        folder.rename(away)
        await site.look()
        assert (await viewer.content.readuntil(b"\n\n")).startswith(b"event: changed")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look into everything")
async def test_a_folder_that_may_not_be_looked_into_is_the_trouble_of_its_plan_alone(folder):
    (folder / "north").chmod(0)
    try:
        async with opened(folder) as (client, _):
            page = await text(client, "/")
    finally:
        (folder / "north").chmod(0o700)

    assert page.count("the image is imported") == 2
    assert page.count("cannot be read") >= 1


async def test_a_journal_without_a_record_of_its_plan_says_so(folder):
    async with opened(folder) as (client, _):
        assert "by a version that did not record its plan" in await text(client, "/plans/east")


# --- Every answer is sealed -----------------------------------------------------------------------------

SEALS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Server": "migrator",
}


def concrete(path: str) -> list[str]:
    """Addresses of a route: of something that is there, of nothing, and of what is damaged."""
    files, keys = ("site.css", "nothing.css"), ("north/web-01", "north/nobody")
    return [
        path.replace("{name}", name).replace("{file}", file).replace("{key}", key)
        for name in ("east", "north", "nobody")
        for file in files
        for key in keys
    ]


@pytest.mark.parametrize("token", [None, TOKEN], ids=["for this machine", "with a token"])
async def test_every_answer_of_every_route_is_sealed(folder, token):
    site = Site(FolderPlans(folder, seen_in(folder)), Door(token), SystemClock(), UTC_ZONE, metrics_text)
    routes = {resource.canonical for resource in site.application().router.resources()}
    asked = [path for route in routes for path in dict.fromkeys(concrete(route))]
    statuses: set[int] = set()
    async with (
        serving(site, "127.0.0.1", 0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        for path in [*asked, "/nowhere", "/login?wrong"]:
            for method in ("GET", "POST", "DELETE"):
                for headers in (
                    {},
                    HTML,
                    {"Host": "evil.example"},
                    {"Authorization": f"Bearer {TOKEN}", "Accept": "text/html"},
                ):
                    if path == "/login" and method == "POST":
                        continue  # a wrong guess costs a second; once is enough, below
                    async with client.request(method, path, headers=headers, allow_redirects=False) as answer:
                        statuses.add(answer.status)
                        expect_sealed(answer)
        async with client.post("/login", data={"token": "wrong"}, allow_redirects=False) as answer:
            statuses.add(answer.status)
            expect_sealed(answer)
        async with client.post("/login", data={"token": "x" * 100_000}, allow_redirects=False) as answer:
            statuses.add(answer.status)
            expect_sealed(answer)

    expected = {200, 303, 404, 405, 413, 503} | ({401} if token else {421})
    assert statuses >= expected


def expect_sealed(answer: aiohttp.ClientResponse) -> None:
    for name, value in SEALS.items():
        assert answer.headers.get(name) == value, (answer.method, answer.url, answer.status)
    assert answer.headers["Cache-Control"] in ("no-store", "no-cache")
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "default-src 'none'" in policy or answer.url.path.endswith("/report.html")


async def test_an_answer_to_a_bug_of_ours_is_sealed(folder, monkeypatch):
    def broken(*given: object, **named: object) -> bytes:
        raise RuntimeError

    async with opened(folder) as (client, site):
        monkeypatch.setattr(site, "metrics", broken)
        async with client.get("/metrics") as answer:
            assert answer.status == 500
            expect_sealed(answer)


async def test_a_journal_put_back_from_a_copy_is_read_anew(folder):
    (folder / "north" / "journal.db").unlink()
    early = (folder / "east" / "journal.db").read_bytes()
    journal = await journal_at(folder / "east").open(version="1")
    await journal.append(*life(an_image("web-02")))
    await journal.close()
    async with opened(folder) as (client, site):
        assert "all 2 images imported" in await text(client, "/plans/east")
        (folder / "east" / "journal.db").write_bytes(early)
        await site.look()
        assert "the image is imported" in await text(client, "/plans/east")
