"""`migrator serve` beside `run` and `report`: one answer, whoever is asked; and how it ends."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

from migrator.cli.serve import Signals
from migrator.domain.units import Moment
from migrator.io.machine_zone import machine_zone
from migrator.journal.stores import journal_at
from migrator.reports.metrics import metrics_text
from migrator.serving.access import Door
from migrator.serving.server import Site, serving
from migrator.serving.sources import FolderPlans
from migrator.workflow.events import RunBegan
from tests.serving.live import At, seen_in, served

PLANS = Path(__file__).parents[2] / "plans"
TOLD = 'description = "the first"\nowner = "Ann"\ntimezone = "Asia/Shanghai"\n'
WAVES = """
[[waves]]
name = "pilot"
proceed = "90%"
[[waves]]
name = "rest"
not_before = 2027-01-01T00:00:00Z
"""
SOUTH = '[targets.south]\nregion = "cn-south-1"\n{where}limits = {{ max_jobs = 3, submit_rate = "30/m" }}\n'


@pytest.mark.parametrize(
    ("about", "policy", "more", "each"),
    [
        pytest.param("", {}, "", {}, id="as little as there may be"),
        pytest.param(TOLD, {"max_failures": 3, "settle": "90s"}, "", {}, id="owner, zone and thresholds"),
        pytest.param(TOLD, {}, WAVES, {"wave": ("pilot", "rest")}, id="waves with windows"),
        pytest.param("", {"settle": "auto"}, SOUTH, {"target": ("north", "south")}, id="targets with rates"),
        pytest.param(
            "", {"keep_together": "machine"}, "", {"labels.machine": ("db", "db", "web")}, id="machines"
        ),
    ],
)
@pytest.mark.parametrize("at_work", [False, True], ids=["ended", "at work"])
def test_the_api_tells_what_the_report_tells(desk, monkeypatch, about, policy, more, each, at_work):
    one = desk()
    path = one.plan(12, **policy)
    path.write_text(edited(path.read_text(), about, more, each))
    assert one("run", path, "--limit", "7").code in (0, 7)
    now = time.time() + 60

    with begun(one.reports / "dc-east") if at_work else nothing():
        monkeypatch.setattr("migrator.cli.report.time.time", lambda: now)
        report = json.loads(one("report", path, "--format", "json", "--output", "-").out)
        shown = json.loads(asked(one.reports, now, "/api/plans/dc-east"))

    assert shown == report
    assert report["plan"]["targets"]["north"]["region"] == "cn-north-4"
    assert (report["runs"][-1]["state"] == "running") is at_work


def edited(text: str, about: str, more: str, each: dict[str, tuple[str, ...]]) -> str:
    """The plan with what it says of itself, further tables, and one more key for every image in turn."""
    where = "".join(line + "\n" for line in text.splitlines() if "_endpoint = " in line)
    text = text.replace("[targets.north]", about + "[targets.north]", 1)
    head, *images = text.split("[[images]]\n")
    for key, values in each.items():
        images = [f'{one}{key} = "{values[number % len(values)]}"\n' for number, one in enumerate(images)]
    if "target" not in each:
        images = [one + 'target = "north"\n' for one in images]
    return head + more.format(where=where) + "".join(f"[[images]]\n{one}" for one in images)


@contextmanager
def begun(folder: Path) -> Iterator[None]:
    """Another run is at work while the block lasts."""
    loop = asyncio.new_event_loop()
    journal = loop.run_until_complete(journal_at(folder).open(version="1"))
    again = RunBegan(at=time.time(), run="again", version="1", host="jump", pid=7)
    loop.run_until_complete(journal.append(again))
    yield
    loop.run_until_complete(journal.close())
    loop.close()


@contextmanager
def nothing() -> Iterator[None]:
    yield


def asked(folder: Path, now: Moment, path: str) -> str:
    """What a page over a folder answers at a moment."""

    async def answer() -> str:
        plans = FolderPlans(folder, seen_in(folder))
        site = Site(plans, Door(None), At(now), machine_zone(), metrics_text)
        async with (
            serving(site, "127.0.0.1", 0) as port,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
            client.get(path) as got,
        ):
            assert got.status == 200, await got.text()
            return await got.text()

    return asyncio.run(answer())


def test_the_page_shows_owner_and_windows_of_waves_in_the_zone_of_the_plan(desk):
    one = desk()
    path = one.plan(4)
    path.write_text(edited(path.read_text(), TOLD, WAVES, {"wave": ("pilot", "rest")}))
    assert one("run", path, "--limit", "2").code == 7

    page = asked(one.reports, time.time(), "/plans/dc-east")

    assert "Owner: <bdi>Ann</bdi>" in page
    assert "times in Asia/Shanghai" in page
    assert ">2027-01-01 08:00<" in page
    assert "did not record its plan" not in page


def test_a_plan_that_is_handed_to_workers_may_have_a_count_as_its_threshold():
    from migrator.cli.handing_over import document, read_document
    from migrator.cli.options import Options
    from migrator.plan import parse_plan

    text = (PLANS / "minimal.toml").read_text() + "\n[policy]\nmax_failures = 12\n"
    plan, _ = parse_plan(text.encode(), path="minimal.toml")

    again, _ = read_document(document(plan, Options()), list(plan.images))

    assert again == plan


# --- The end --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_promptly_though_viewers_are_connected(desk, number):
    one = desk()
    assert one("run", one.plan(2)).code == 0

    async def watched(url: str) -> tuple[int, float]:
        async with aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=30)) as client:
            viewers = [await client.get("/events") for _ in range(5)]
            for viewer in viewers:
                assert await viewer.content.readuntil(b"\n\n")
            began = time.monotonic()
            process.send_signal(number)
            code = await asyncio.to_thread(process.wait, 10)
            return code, time.monotonic() - began

    with served(one.reports) as (url, process):
        code, seconds = asyncio.run(watched(url))

    assert code == 0
    assert seconds < 5


def test_the_first_signal_ends_it_in_good_order_and_the_next_at_once(monkeypatch):
    codes: list[int] = []
    monkeypatch.setattr("migrator.cli.serve.os._exit", codes.append)
    signals = Signals()

    async def ended() -> None:
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(signals.first())
            await asyncio.sleep(0)
            signals.on_signal(signal.SIGINT)

    asyncio.run(ended())
    assert codes == []
    signals.on_signal(signal.SIGTERM)
    assert codes == [143]


def test_a_signal_that_comes_before_anything_is_served_is_not_lost():
    signals = Signals()
    signals.on_signal(signal.SIGINT)
    asyncio.run(asyncio.wait_for(signals.first(), 5))
