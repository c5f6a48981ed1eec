"""`run --metrics-file`: what the process asked and how it ended, for Prometheus."""

import anyio
import pytest
from prometheus_client.parser import text_string_to_metric_families

from migrator.cli.measuring import TimedJournal
from migrator.journal.memory import MemoryJournal
from migrator.workflow.events import RunBegan, RunEnded


def samples(text: str) -> dict[tuple[str, ...], float]:
    """By name and the values of its labels."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_run_writes_its_metrics_and_they_are_what_the_cloud_saw(desk):
    it = desk()
    plan = it.plan(3)
    file = it.folder / "m.prom"

    done = it("run", plan, "--metrics-file", file)

    found = samples(file.read_text())
    assert done.code == 0
    assert found["migrator_images", "", "dc-east", "north", "succeeded"] == 3.0
    assert found["migrator_requests_total", "200", "dc-east", "import"] == 3.0
    polls = sum(value for key, value in found.items() if key[0] == "migrator_requests_total" and "job" in key)
    assert polls == it.running.simulator.stats.requests["poll"]
    assert not [key for key in found if key[0] == "migrator_requests_total" and "object" in key]
    assert found["migrator_journal_append_seconds_count", "dc-east"] > 3
    last = max(event.at for event in it.events())
    assert found["migrator_journal_last_event_timestamp_seconds", "dc-east"] == pytest.approx(last)
    assert (found["migrator_run_active", "dc-east"], found["migrator_run_exit_code", "dc-east"]) == (0.0, 0.0)


def test_a_file_that_cannot_be_written_is_said_and_the_run_goes_on(desk):
    it = desk()

    done = it("run", it.plan(1), "--metrics-file", it.folder / "nowhere" / "m.prom")

    assert done.code == 0
    assert "metrics.stale" in done.err
    assert it.accepted == {"web-01": 1}


@pytest.mark.anyio
async def test_an_append_that_hangs_is_told_while_it_does_and_what_came_after_it_is_not_taken_for_it():
    now = [100.0]
    gate = anyio.Event()
    took: list[float] = []

    class Hanging(MemoryJournal):
        async def append(self, *events):
            await gate.wait()
            await super().append(*events)

    journal = TimedJournal(Hanging(), took.append, lambda: now[0])
    began = RunBegan(at=1.0, run="r", version="1", host="h", pid=1)
    assert journal.waiting() == 0.0

    async with anyio.create_task_group() as group:
        group.start_soon(journal.append, began)
        await anyio.wait_all_tasks_blocked()
        now[0] = 130.0
        group.start_soon(journal.append, RunEnded(at=2.0, run="r", reason="done", exit_code=0))
        await anyio.wait_all_tasks_blocked()
        now[0] = 160.0
        assert journal.waiting() == 60.0
        gate.set()

    assert (journal.waiting(), sorted(took)) == (0.0, [30.0, 60.0])
