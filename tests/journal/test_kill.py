"""A journal killed at any moment reopens with every acknowledged event, in order, and nothing by halves."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from migrator.journal.stores import STORES, journal_at
from migrator.workflow.events import JobProgressed

WRITER = Path(__file__).with_name("killed_writer.py")
ROOT = WRITER.parents[2]


def start(store: str, folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, str(WRITER), store, str(folder), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
    )


def kill_after(process: subprocess.Popen[bytes], lines: int) -> list[bytes]:
    """What it printed: `lines` lines, and then whatever it still got out before it was killed."""
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        printed = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        printed += process.stdout.read().splitlines(keepends=True)
        complaint = process.stderr.read().decode()
    assert complaint == ""
    return printed


async def kept(store: str, folder: Path) -> list[float]:
    """The numbers in the journal, after opening it for writing and checking it."""
    journal = await journal_at(folder, store).open(version="test")
    await journal_at(folder, store).read().check()
    numbers = [event.at for event in await journal.events() if isinstance(event, JobProgressed)]
    ledger = await journal.ledger()
    assert {state.progress for state in ledger.states.values()} <= {None, 0.75}
    await journal.close()
    return numbers


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("seed", range(4))
def test_every_acknowledged_event_survives_any_kill_and_every_kill_after_it(store, tmp_path, seed):
    """Three journals at a time, three kills each: 36 kills in all."""
    rng = random.Random(seed)
    folders = [tmp_path / f"{number}" for number in range(3)]
    for _ in range(3):
        runs = [(folder, start(store, folder)) for folder in folders]
        for folder, process in runs:
            printed = kill_after(process, rng.randint(1, 80))

            acknowledged = {int(line) for line in printed if line.endswith(b"\n")}
            numbers = asyncio.run(kept(store, folder))
            assert acknowledged <= set(numbers)
            assert numbers == [half / 2 for half in range(len(numbers))]
            assert len(numbers) % 2 == 0


@pytest.mark.parametrize("store", STORES)
def test_a_disk_that_fills_up_is_said_and_what_was_acknowledged_stays(store, tmp_path):
    folder = tmp_path / "plan"
    with start(store, folder, "400000") as process:
        output, complaint = process.communicate()

    *acknowledged, said = output.decode().splitlines()
    numbers = asyncio.run(kept(store, folder))
    assert str(journal_at(folder, store)) in said
    assert complaint == b""
    assert len(acknowledged) > 10
    assert {int(number) for number in acknowledged} <= set(numbers)
