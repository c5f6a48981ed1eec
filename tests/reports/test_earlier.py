"""Reports read back: what was written comes out again, and what is no report is said to be none."""

import io
import random

import pytest

from migrator.reports.earlier import (
    HEAD,
    NotAReport,
    journal_progress,
    read_begun,
    read_csv,
    read_json,
    write_begun,
)
from migrator.reports.formats import FORMATS
from migrator.reports.summary import summary
from migrator.workflow.restore import LaterReport, Reported
from tests.ledgers import latest, plan_for, random_ledger


def written(suffix: str, seed: int) -> tuple[bytes, dict[str, Reported], int, str | None]:
    """A report, and what is to come out of it."""
    ledger = random_ledger(random.Random(seed), 60)
    facts = summary(ledger, plan=plan_for(), now=latest(ledger), running=False)
    stream = io.BytesIO()
    FORMATS[suffix](facts, stream)
    expected = {
        key: Reported(
            phase=state.phase,
            job_id=state.job_id,
            submitted_at=None if state.submitted_at is None else round(state.submitted_at, 3),
        )
        for key, state in ledger.states.items()
    }
    return stream.getvalue(), expected, ledger.events, ledger.first_run


@pytest.mark.parametrize("seed", range(5))
def test_a_json_report_tells_every_job_and_how_far_the_journal_had_come(seed):
    data, expected, events, first_run = written("json", seed)

    report = read_json(data, plan_for().name)

    assert (report.events, report.first_run) == (events, first_run)
    assert journal_progress(data[:HEAD]) == ((first_run, events) if first_run else None)
    assert {key: rounded(reported) for key, reported in report.images.items()} == expected


@pytest.mark.parametrize("seed", range(5))
def test_a_csv_report_tells_every_job(seed):
    data, expected, _, _ = written("csv", seed)

    jobs = {one.job_id for one in read_csv(data).images.values()}

    assert jobs == {one.job_id for one in expected.values()}


def rounded(reported: Reported) -> Reported:
    at = reported.submitted_at
    return Reported(
        phase=reported.phase, job_id=reported.job_id, submitted_at=None if at is None else round(at, 3)
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[1, 2]",
        b"\xff\xfe",
        b'{"schema": "migrator.report/1"}',
        pytest.param(None, id="another plan's"),
        pytest.param(b"cut", id="cut off"),
    ],
)
def test_what_is_no_report_of_the_plan_is_said_to_be_none(data):
    whole = written("json", 1)[0]
    name = "dc-west" if data is None else plan_for().name

    with pytest.raises(NotAReport):
        read_json(whole if data is None else whole[: len(whole) // 2] if data == b"cut" else data, name)


@pytest.mark.parametrize(
    "data", [b"a,b\n1,2\n", b"\xff\xfe\x00", b"key,status,job_id,submitted_at\nk,what,j,\n"]
)
def test_what_is_no_csv_report_is_said_to_be_none(data):
    with pytest.raises(NotAReport):
        read_csv(data)


def test_run_json_tells_that_a_run_began_and_how_far_the_journal_had_come():
    data = write_begun("dc-east", "run-2", 50.0, "run-1", 12)

    assert read_begun(data, "dc-east") == LaterReport(
        generated_at=50.0, images={}, first_run="run-1", events=12, ended=False
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        pytest.param(write_begun("dc-west", "run-2", 50.0, "run-1", 12), id="another plan's"),
        pytest.param(write_begun("dc-east", "run-2", 50.0, "run-1", 12)[:-9], id="cut off"),
        pytest.param(
            write_begun("dc-east", "run-2", 50.0, "run-1", 12).replace(b"run/1", b"run/2"),
            id="of a newer format",
        ),
    ],
)
def test_what_is_no_run_json_of_the_plan_is_said_to_be_none(data):
    with pytest.raises(NotAReport):
        read_begun(data, "dc-east")
