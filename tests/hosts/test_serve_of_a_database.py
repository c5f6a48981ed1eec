"""The live page over plans whose journals lie in PostgreSQL."""

import asyncio

import aiohttp
import pytest

from migrator.domain.zone import UTC_ZONE
from migrator.io.clock import SystemClock
from migrator.reports.metrics import metrics_text
from migrator.serving.access import Door
from migrator.serving.server import Site, serving
from migrator.serving.sources import DatabasePlans
from tests.journal.conftest import NEEDS_POSTGRES

pytestmark = [NEEDS_POSTGRES, pytest.mark.anyio]


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def test_nothing_has_run_there_yet(server):
    plans = DatabasePlans(server.create("served_nothing"), lambda name: {})
    assert await plans.tokens() == {}


def test_a_plan_in_a_database_is_shown(desk, server):

    url = server.create("served")
    one = desk()
    one.env["MIGRATOR_JOURNAL"] = url
    assert one("run", one.plan(6), "--limit", "4").code == 7

    async def looked() -> tuple[str, str, str]:
        site = Site(DatabasePlans(url, lambda name: {}), Door(None), SystemClock(), UTC_ZONE, metrics_text)
        async with (
            serving(site, "127.0.0.1", 0) as port,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
        ):
            name = next(iter(site.views.tokens))
            texts = []
            for path in ("/", f"/plans/{name}", "/metrics"):
                async with client.get(path) as answer:
                    assert answer.status == 200
                    texts.append(await answer.text())
            return texts[0], texts[1], texts[2]

    everything, page, metrics = asyncio.run(looked())
    assert "4 of 6 images imported" in page
    assert "4 of 6 images imported" in everything
    assert 'status="succeeded"' in metrics
