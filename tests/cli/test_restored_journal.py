"""A copy of the journal is put back, while imports that it does not know still run unlisted."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from migrator.workflow.events import AttemptRestored, JobRestored
from migrator.workflow.states import Phase
from tests.cli.conftest import Desk, Result, ended

POLICY: dict[str, Any] = {"settle": "auto", "late": "1s"}


def lost_hours(it: Desk, *, how: signal.Signals) -> None:
    """One image is submitted, a copy is made, the others are submitted, the run ends; back to the copy."""
    path = it.plan(4, **POLICY)
    journal = it.reports / "dc-east"
    first = it.start("run", path, "--limit", "1")
    it.wait_for_imports(1)
    first.send_signal(signal.SIGINT)
    assert ended(first).code == 130
    shutil.copytree(journal, it.folder / "copy")
    second = it.start("run", path)
    it.wait_for_imports(4)
    second.send_signal(how)
    ended(second)
    for file in journal.glob("journal.db*"):
        file.unlink()
    for file in (it.folder / "copy").glob("journal.db*"):
        shutil.copy(file, journal)


def run_to_its_end(it: Desk, plan: Path) -> Result:
    """Run on, while jobs run unlisted at first and end later."""
    run = it.start("run", plan)
    it.wait_for_questions(3)
    it.finish_jobs()
    return ended(run, 60.0)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_a_journal_from_the_past_imports_nothing_twice(desk, how):
    it = desk(job_seconds=600.0, listed="at_end")
    lost_hours(it, how=how)
    plan = it.folder / "dc-east.toml"

    result = run_to_its_end(it, plan)

    assert result.code == 0, result.err
    assert "the journal is older than the report beside it" in result.err
    assert it.accepted == {f"web-{number:02}": 1 for number in range(1, 5)}
    assert it.phases() == [Phase.SUCCEEDED] * 4
    kinds = {type(event) for event in it.events()}
    assert (JobRestored if how is signal.SIGINT else AttemptRestored) in kinds
    assert "older than the report" not in it("run", plan).err


def test_until_a_run_has_taken_it_in_a_later_report_is_not_overwritten(desk):
    it = desk(job_seconds=600.0, listed="at_end")
    lost_hours(it, how=signal.SIGINT)
    plan, written = it.folder / "dc-east.toml", it.reports / "dc-east" / "report.json"
    before = written.read_bytes()

    status, report = it("status", plan), it("report", plan)

    assert "the journal is older than the report beside it" in status.out
    assert report.code != 0
    assert "would be overwritten" in report.err
    assert "`migrator run`" in report.err
    assert written.read_bytes() == before


def test_a_journal_that_is_gone_is_made_anew_from_what_the_report_knows(desk):
    it = desk(job_seconds=600.0, listed="at_end")
    lost_hours(it, how=signal.SIGINT)
    plan = it.folder / "dc-east.toml"
    for file in (it.reports / "dc-east").glob("journal*"):
        file.unlink()

    result = run_to_its_end(it, plan)

    assert result.code == 0, result.err
    assert "4 jobs taken from the report" in result.err
    assert it.accepted == {f"web-{number:02}": 1 for number in range(1, 5)}


@pytest.mark.parametrize("harm", ["cut", "another plan's", "gone"])
def test_a_report_that_cannot_be_read_is_said_and_the_csv_beside_it_is_used(desk, harm):
    it = desk(job_seconds=600.0, listed="at_end")
    lost_hours(it, how=signal.SIGINT)
    plan, written = it.folder / "dc-east.toml", it.reports / "dc-east" / "report.json"
    if harm == "gone":
        written.unlink()
    elif harm == "cut":
        whole = written.read_bytes()
        written.write_bytes(whole[: len(whole) // 2])
    else:
        report = json.loads(written.read_text()) | {"plan": {"name": "x"}}
        written.write_text(json.dumps(report))

    result = run_to_its_end(it, plan)

    assert result.code == 0, result.err
    assert "3 jobs taken from the report" in result.err
    assert ("report.unreadable" in result.err) is (harm != "gone")
    assert it.accepted == {f"web-{number:02}": 1 for number in range(1, 5)}
