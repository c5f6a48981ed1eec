"""A journal from the past, beside a report that was written later: what is known, what is in doubt."""

import pytest

from migrator.domain.cloud import Fault
from migrator.workflow.events import (
    AttemptBegan,
    AttemptRestored,
    AttemptUnknown,
    Event,
    ImagePlanned,
    JobAccepted,
    JobFailed,
    JobRestored,
    RunBegan,
    RunEnded,
)
from migrator.workflow.ledger import Ledger, fold
from migrator.workflow.restore import LaterReport, Reported, is_behind, restored, together
from migrator.workflow.states import Outcome, Phase
from migrator.workflow.transitions import Step, decide
from tests.ledgers import image

WEB, APP = image("web"), image("app")
KEY, OTHER = WEB.key, APP.key
RUN = RunBegan(at=1.0, run="run-1", version="0", host="h", pid=1)
PLANNED = [ImagePlanned(at=1.0, key=one.key, image=one, digest="d") for one in (WEB, APP)]
BEGAN = AttemptBegan(at=2.0, key=KEY, attempt=1, digest="d")
ACCEPTED = JobAccepted(at=3.0, key=KEY, job_id="job-1")
UNKNOWN = AttemptUnknown(at=3.0, key=KEY, fault=Fault(message="no answer"))


def a_ledger(*events: Event) -> Ledger:
    return fold([RUN, *PLANNED, *events])


def a_report(
    *,
    events: int | None = 100,
    first_run: str | None = "run-1",
    ended: bool = True,
    at: float = 50.0,
    **images: Reported,
) -> LaterReport:
    keys = {"web": KEY, "app": OTHER}
    return LaterReport(
        generated_at=at,
        images={keys[name]: reported for name, reported in images.items()},
        first_run=first_run,
        events=events,
        ended=ended,
    )


RUNNING = Reported(phase=Phase.RUNNING, job_id="job-9", submitted_at=40.0)


@pytest.mark.parametrize(
    ("ledger", "report", "behind"),
    [
        pytest.param(a_ledger(), a_report(events=3), False, id="as many events"),
        pytest.param(a_ledger(BEGAN), a_report(events=3), False, id="a report of some seconds ago"),
        pytest.param(a_ledger(), a_report(events=4), True, id="one event more"),
        pytest.param(Ledger(), a_report(events=4), True, id="no journal at all"),
        pytest.param(Ledger(), a_report(events=0, first_run=None), False, id="nothing at all"),
        pytest.param(a_ledger(), a_report(first_run="run-0", at=0.5), False, id="another journal's, older"),
        pytest.param(a_ledger(), a_report(first_run="run-0", at=5.0), True, id="another journal's, later"),
        pytest.param(a_ledger(), a_report(events=None, web=RUNNING), True, id="a job that it lacks"),
        pytest.param(a_ledger(), a_report(events=None), False, id="no generation, and no such job"),
    ],
)
def test_a_journal_is_behind_a_report_that_was_written_from_more_events(ledger, report, behind):
    assert is_behind(ledger, report) is behind


@pytest.mark.parametrize("phase", [Phase.RUNNING, Phase.VERIFYING, Phase.SUCCEEDED, Phase.OVERDUE])
@pytest.mark.parametrize(
    "past",
    [
        pytest.param([], id="never submitted"),
        pytest.param([BEGAN, UNKNOWN], id="in doubt"),
        pytest.param(
            [BEGAN, ACCEPTED, JobFailed(at=4.0, key=KEY, fault=Fault(message="bad"))], id="failed before"
        ),
    ],
)
def test_a_job_that_only_the_report_knows_is_followed(past, phase):
    ledger = a_ledger(*past)
    report = a_report(web=Reported(phase=phase, job_id="job-9", submitted_at=40.0))

    [event] = restored(ledger, report, 60.0)
    ledger.apply(event)

    assert event == JobRestored(at=60.0, key=KEY, job_id="job-9", submitted_at=40.0)
    state = ledger.states[KEY]
    assert (state.phase, state.job_id, state.submitted_at) == (Phase.RUNNING, "job-9", 40.0)
    assert state.attempts[-1].outcome is Outcome.ACCEPTED
    assert decide(state) is Step.POLL


@pytest.mark.parametrize("phase", [Phase.SUBMITTING, Phase.IN_DOUBT])
def test_an_attempt_of_which_the_report_knows_no_end_is_in_doubt_from_now_on(phase):
    ledger = a_ledger()

    [event] = restored(ledger, a_report(web=Reported(phase=phase)), 60.0)
    ledger.apply(event)

    assert isinstance(event, AttemptRestored)
    state = ledger.states[KEY]
    assert state.phase is Phase.IN_DOUBT
    assert (state.attempts[-1].began_at, state.attempts[-1].final) == (60.0, False)
    assert decide(state) is Step.LOOK_UP


def test_after_a_run_that_came_to_its_end_what_waited_still_waits():
    report = a_report(web=RUNNING, app=Reported(phase=Phase.PENDING))

    assert [event.key for event in restored(a_ledger(), report, 60.0)] == [KEY]


def test_after_a_run_that_was_killed_whatever_waited_may_have_been_sent():
    report = a_report(ended=False, web=RUNNING, app=Reported(phase=Phase.PENDING))

    events = {event.key: type(event) for event in restored(a_ledger(), report, 60.0)}

    assert events == {KEY: JobRestored, OTHER: AttemptRestored}


def test_an_image_that_the_report_does_not_know_either_is_in_doubt_after_a_kill():
    assert [event.key for event in restored(a_ledger(), a_report(ended=False), 60.0)] == [KEY, OTHER]


@pytest.mark.parametrize(
    ("past", "reported"),
    [
        pytest.param([BEGAN, ACCEPTED], Reported(phase=Phase.RUNNING, job_id="job-1"), id="known"),
        pytest.param([BEGAN, ACCEPTED], Reported(phase=Phase.RUNNING, job_id="job-2"), id="runs already"),
        pytest.param(
            [BEGAN, ACCEPTED, JobFailed(at=4.0, key=KEY, fault=Fault(message="bad"))],
            Reported(phase=Phase.FAILED, job_id="job-2"),
            id="failed again",
        ),
        pytest.param([], Reported(phase=Phase.FAILED, job_id="job-2"), id="failed since"),
    ],
)
def test_nothing_is_made_of_a_job_that_is_known_or_over(past, reported):
    assert list(restored(a_ledger(*past), a_report(web=reported), 60.0)) == []


def test_a_run_of_the_later_report_that_ended_before_the_copy_was_made_changes_nothing():
    ended = RunEnded(at=9.0, run="run-1", reason="done", exit_code=0)

    assert not is_behind(a_ledger(ended), a_report(first_run="run-0", at=8.0))


def begun(**given: object) -> LaterReport:
    """What run.json tells."""
    return a_report(ended=False, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reports", "ended"),
    [
        pytest.param([a_report(events=100), begun(events=60, at=40.0)], True, id="the run came to its end"),
        pytest.param(
            [a_report(events=100), begun(events=103, at=90.0)], False, id="another one began after it"
        ),
        pytest.param(
            [a_report(events=100), begun(events=103, at=40.0)], False, id="after it, by a clock set back"
        ),
        pytest.param(
            [a_report(events=100, first_run="run-0"), begun(events=3, at=90.0)],
            False,
            id="of another journal",
        ),
        pytest.param(
            [a_report(events=None, first_run=None, ended=False, at=0.0), begun()], False, id="a CSV"
        ),
        pytest.param([begun()], False, id="alone"),
    ],
)
def test_until_a_report_says_that_the_latest_run_ended_it_may_have_submitted_anything(reports, ended):
    found = together(reports)

    assert found is not None
    assert found.ended is ended
    assert found.images is reports[0].images


def test_no_file_knows_nothing():
    assert together([]) is None
