"""Requests rebuilt from public reports of people who used other clients: scripts that sign for themselves."""

import sys
from pathlib import Path

import anyio
import pytest

from migrator.simulator.server import serve
from migrator.simulator.settings import Settings

pytestmark = pytest.mark.anyio
CASES = Path(__file__).parent.parent / "cases"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def said(url: str, *command: str) -> str:
    """What a script says that is told the port."""
    done = await anyio.run_process([*command, url.rpartition(":")[2]], cwd=CASES)
    return done.stdout.decode()


async def test_terraforms_client_is_let_in_again_and_again():
    async with serve(Settings()) as running:
        for _ in range(7):
            answer = await said(running.url, "bash", "terraform-signature.sh")
            assert answer.startswith('200 {"quotas"')


async def test_a_lone_bucket_is_known_with_and_without_its_slash():
    async with serve(Settings()) as running:
        lines = (await said(running.url, sys.executable, "bucket-signature-slash.py")).splitlines()

    assert len(lines) == 12
    assert [line for line in lines if "-> 200" not in line] == []
