"""What an image costs while it waits, and while its job runs: `python -m tests.bench.bench_memory`.

Counted by tracemalloc, on virtual time, with the real journal's ledger left out of neither figure: waiting is
what run and journal hold beyond the plan itself, running is what is added when its job is in flight.
"""

import gc
import logging
import random
import sys
import tracemalloc

import anyio
import structlog

from migrator.domain.cloud import ImagePage, ImageQuery, JobStatus, Quota
from migrator.domain.image import Image, Marker
from migrator.domain.plan import Limits
from migrator.domain.units import Rate
from migrator.engine import Engine
from migrator.journal.memory import MemoryJournal, MemoryStore
from migrator.journal.store import Rows
from migrator.workflow.events import RunBegan
from migrator.workflow.resume import planned, startup_events, work_left
from migrator.workflow.verdict import StopReason
from tests.conftest import JumpingLoop
from tests.fakes import FakeClock, FakeCloud
from tests.rehearsal import a_plan

WAITING = 100_000
RUNNING = 10_000


class Endless(FakeCloud):
    """Accepts every import, remembers none, and never finishes one."""

    async def submit(self, image: Image, marker: Marker | None) -> str:
        self.requests += 1
        number = self.requests
        await self.clock.sleep(0.05)
        return f"ff80808295a1b2c30195a1f0{number:08x}"

    async def job(self, job_id: str) -> JobStatus:
        await self.clock.sleep(0.05)
        return JobStatus(job_id=job_id, status="RUNNING", progress=0.01)

    async def images(self, query: ImageQuery, *, after: str | None = None) -> ImagePage:
        await self.clock.sleep(0.05)
        return ImagePage(images=())

    async def quota(self) -> Quota:
        return Quota(used=0, limit=1)


class Forgetful(MemoryStore):
    """Keeps no events in memory, as the one on disk does not; the ledger is the journal's."""

    def commit(self, rows: Rows) -> None:
        """Nothing is kept."""


def held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def main() -> None:
    """Print bytes for each image."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    fast = Rate(count=1_000_000, unit="s")
    limits = Limits(
        max_jobs=RUNNING,
        max_requests=1000,
        submit_rate=fast,
        submit_burst=1000,
        query_rate=Rate(count=1000, unit="s"),
    )
    tracemalloc.start()
    plan = a_plan(WAITING, limits=limits)
    with_plan = held()
    journal, clock = MemoryJournal(Forgetful()), FakeClock()
    ledger = await journal.ledger()
    began = RunBegan(at=clock.now(), run="r", version="0", host="h", pid=1)
    await journal.append(began, *startup_events(planned(plan), ledger, clock.now()))
    engine = Engine(plan, ledger, {"north": Endless(clock=clock)}, journal, clock, random.Random(1))
    keys = work_left(ledger)
    marks: list[int] = []

    async def watch() -> None:
        marks.append(held())
        await anyio.sleep(120.0)
        marks.append(held())
        engine.stop(StopReason.TIME)

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await engine.run(keys)
    running = sum(state.job_id is not None for state in ledger.states.values())
    print(f"waiting image beyond the plan: {(marks[0] - with_plan) / WAITING:.0f} bytes (goal 1536)")
    print(f"image in flight: {(marks[1] - marks[0]) / running:.0f} bytes more, {running} of them (goal 8192)")


if __name__ == "__main__":
    sys.exit(anyio.run(main, backend_options={"loop_factory": JumpingLoop}))
