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

from migrator.core.lifecycle import RunBegan
from migrator.core.reconcile import first_words, planned, work_left
from migrator.core.verdict import Stop
from migrator.engine import Engine
from migrator.model import Image, ImagePage, ImageQuery, JobReport, Limits, Marker, Quota, Rate
from tests.conftest import JumpingLoop
from tests.fakes import FakeClock, FakeCloud, MemoryJournal
from tests.rehearsal import a_plan

WAITING = 100_000
RUNNING = 10_000


class Endless(FakeCloud):
    """Accepts every import, remembers none, and never finishes one."""

    async def submit(self, image: Image, marker: Marker | None) -> str:
        self.requests += 1
        await self.clock.sleep(0.05)
        return f"ff80808295a1b2c30195a1f0{self.requests:08x}"

    async def job(self, job_id: str) -> JobReport:
        await self.clock.sleep(0.05)
        return JobReport(job_id=job_id, status="RUNNING", progress=0.01)

    async def images(self, query: ImageQuery, *, after: str | None = None) -> ImagePage:
        await self.clock.sleep(0.05)
        return ImagePage(images=())

    async def quota(self) -> Quota:
        return Quota(used=0, limit=1)


class Forgetful(MemoryJournal):
    """Keeps the ledger, as the real journal does, and no list of events, as the real one does not."""

    def _keep(self, event: object) -> None:
        self._ledger.apply(event)  # type: ignore[arg-type]


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
    journal, clock = Forgetful(), FakeClock()
    ledger = await journal.ledger()
    began = RunBegan(at=clock.now(), run="r", version="0", host="h", pid=1)
    await journal.append(began, *first_words(planned(plan), ledger, clock.now()))
    engine = Engine(plan, ledger, {"north": Endless(clock=clock)}, journal, clock, random.Random(1))
    keys = work_left(ledger)
    marks: list[int] = []

    async def watch() -> None:
        marks.append(held())
        await anyio.sleep(120.0)
        marks.append(held())
        engine.stop(Stop.TIME)

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        await engine.run(keys)
    running = sum(state.job_id is not None for state in ledger.states.values())
    print(f"waiting image beyond the plan: {(marks[0] - with_plan) / WAITING:.0f} bytes (goal 1536)")
    print(f"image in flight: {(marks[1] - marks[0]) / running:.0f} bytes more, {running} of them (goal 8192)")


if __name__ == "__main__":
    sys.exit(anyio.run(main, backend_options={"loop_factory": JumpingLoop}))
