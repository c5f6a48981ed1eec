"""The whole table, phase by fact, and the rules that it spells out."""

import random
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from migrator.domain.cloud import Fault
from migrator.workflow.events import (
    EVENTS,
    AttemptBegan,
    AttemptHeld,
    AttemptNotFound,
    AttemptRejected,
    AttemptRestored,
    AttemptRetryable,
    AttemptThrottled,
    AttemptUnknown,
    DeadlinePassed,
    ImageEvent,
    ImageFound,
    ImagePlanned,
    ImageRemoved,
    ImageReopened,
    ImageSkipped,
    ImageVerified,
    JobAccepted,
    JobFailed,
    JobProgressed,
    JobReattached,
    JobRestored,
    JobSucceeded,
    MigrationFailed,
    StepAccepted,
    StepBegan,
    StepDone,
    StepEvent,
    StepFailed,
    StepMade,
    StepNotFound,
    StepRefused,
    StepReopened,
    StepUnknown,
    VerificationFailed,
)
from migrator.workflow.states import FINISHED, IN_CLOUD, Attempt, Outcome, Phase, State, StepState
from migrator.workflow.steps import STEP_TRANSITIONS
from migrator.workflow.transitions import TRANSITIONS, ImpossibleTransition, Step, advance, decide
from tests.ledgers import STEPS, event, histories, image

KEY = "north/web-01"
WEB = image()
BUSY = Fault(code="IMG.0060", message="busy")
BAD = Fault(code="IMG.0057", message="bad file")

IMAGE_EVENTS = [kind for kind in EVENTS if issubclass(kind, ImageEvent)]

# Written out once more, by hand and from the rules, so that a slip in the table does not pass by itself.
EXPECTED: dict[type[ImageEvent], dict[str, str]] = {
    ImagePlanned: {phase.value: phase.value for phase in Phase} | {"cancelled": "pending"},
    ImageRemoved: {phase.value: phase.value for phase in Phase} | {"pending": "cancelled"},
    AttemptBegan: {"pending": "submitting"},
    JobAccepted: {"submitting": "running"},
    AttemptRetryable: {"submitting": "pending"},
    AttemptThrottled: {"submitting": "pending"},
    AttemptRejected: {"submitting": "failed"},
    AttemptUnknown: {"submitting": "in_doubt"},
    AttemptNotFound: {"in_doubt": "pending"},
    AttemptHeld: {"in_doubt": "in_doubt"},
    ImageFound: {"pending": "running", "in_doubt": "running"},
    JobProgressed: {"running": "running"},
    JobSucceeded: {"running": "verifying"},
    JobFailed: {"running": "failed"},
    DeadlinePassed: {"running": "overdue"},
    JobReattached: {"overdue": "running"},
    ImageVerified: {"verifying": "succeeded"},
    VerificationFailed: {"verifying": "failed"},
    ImageSkipped: {"pending": "skipped"},
    MigrationFailed: {"pending": "failed", "in_doubt": "failed"},
    JobRestored: {"pending": "running", "in_doubt": "running", "failed": "running"},
    AttemptRestored: {"pending": "in_doubt"},
    ImageReopened: {
        "in_doubt": "pending",
        "failed": "pending",
        "succeeded": "pending",
        "skipped": "pending",
    },
    StepBegan: {"succeeded": "succeeded"},
    StepAccepted: {"succeeded": "succeeded"},
    StepRefused: {"succeeded": "succeeded"},
    StepUnknown: {"succeeded": "succeeded"},
    StepNotFound: {"succeeded": "succeeded"},
    StepMade: {"succeeded": "succeeded"},
    StepDone: {"succeeded": "succeeded"},
    StepFailed: {"succeeded": "succeeded"},
    StepReopened: {"succeeded": "succeeded"},
}


def standing(phase: Phase, *, removed: bool = False) -> State:
    """A state in this phase, with one attempt if the phase cannot be reached without."""
    attempts = () if phase in (Phase.PENDING, Phase.CANCELLED, Phase.SKIPPED) else (first_attempt(phase),)
    return State(key=KEY, phase=phase, attempts=attempts, removed=removed)


def first_attempt(phase: Phase) -> Attempt:
    outcome = {Phase.SUBMITTING: Outcome.OPEN, Phase.IN_DOUBT: Outcome.UNKNOWN}.get(phase, Outcome.ACCEPTED)
    return Attempt(number=1, began_at=100.0, outcome=outcome)


def after(*events: ImageEvent, state: State | None = None) -> State:
    state = state or State(key=KEY)
    for one in events:
        state = advance(state, one)
    return state


def began(at: float = 100.0, attempt: int = 1) -> AttemptBegan:
    return AttemptBegan(at=at, key=KEY, attempt=attempt, digest="d1")


def accepted(at: float = 101.0, job_id: str = "job-1") -> JobAccepted:
    return JobAccepted(at=at, key=KEY, job_id=job_id)


def lost(at: float = 160.0) -> AttemptUnknown:
    return AttemptUnknown(at=at, key=KEY, fault=BUSY)


SUCCEEDED = after(
    began(),
    accepted(),
    JobSucceeded(at=700.0, key=KEY, image_id="image-1"),
    ImageVerified(at=701.0, key=KEY, image_id="image-1"),
)


# --- The table ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", IMAGE_EVENTS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("phase", list(Phase))
def test_every_phase_and_fact_lead_to_the_listed_phase_or_nowhere(phase: Phase, kind: type[ImageEvent]):
    before = standing(phase)
    if issubclass(kind, StepEvent):
        step = next(step for step, follows in STEP_TRANSITIONS if follows is kind)
        before = replace(before, steps={name: StepState(phase=step) for name in STEPS})
    fact = event(kind, 200.0, before, WEB, random.Random(1))
    if isinstance(fact, ImageFound):
        fact = ImageFound(at=200.0, key=KEY, image_id="image-1", active=False)
    expected = EXPECTED[kind].get(phase)

    if expected is None:
        with pytest.raises(ImpossibleTransition, match=f"{kind.__name__} cannot follow {phase.name}"):
            advance(before, fact)
    else:
        assert advance(before, fact).phase is Phase(expected)


def test_every_fact_about_an_image_can_happen_and_every_phase_be_reached():
    assert set(EXPECTED) == set(IMAGE_EVENTS) == {kind for _, kind in TRANSITIONS}
    assert set(TRANSITIONS.values()) == set(Phase)


def test_a_found_image_that_is_already_active_goes_straight_to_verifying():
    for phase in (Phase.PENDING, Phase.IN_DOUBT):
        found = ImageFound(at=200.0, key=KEY, image_id="image-1", active=True)

        assert advance(standing(phase), found).phase is Phase.VERIFYING


# --- The rules ------------------------------------------------------------------------------------------


def test_rule_1_an_attempt_that_began_is_open_until_a_fact_closes_it():
    state = after(began())

    assert (state.phase, state.attempts[-1].outcome) == (Phase.SUBMITTING, Outcome.OPEN)
    leaving = {kind for (phase, kind), to in TRANSITIONS.items() if phase is Phase.SUBMITTING is not to}
    assert leaving == {JobAccepted, AttemptRetryable, AttemptThrottled, AttemptRejected, AttemptUnknown}


def test_rule_2_only_refused_absent_and_a_person_lead_from_an_attempt_back_to_pending():
    back = {
        kind
        for (phase, kind), to in TRANSITIONS.items()
        if to is Phase.PENDING and phase not in FINISHED | {Phase.PENDING}
    }

    assert back == {AttemptRetryable, AttemptThrottled, AttemptNotFound, ImageReopened}


def test_rule_3_only_reading_the_image_back_makes_a_success():
    assert [move for move, to in TRANSITIONS.items() if to is Phase.SUCCEEDED and move[0] is not to] == [
        (Phase.VERIFYING, ImageVerified)
    ]


def test_rule_4_an_overdue_job_holds_its_slot_and_is_attached_to_again():
    overdue = after(began(), accepted(), DeadlinePassed(at=30_000.0, key=KEY))

    assert overdue.phase not in FINISHED
    assert overdue.phase in IN_CLOUD
    assert after(JobReattached(at=40_000.0, key=KEY), state=overdue).job_id == "job-1"


def test_rule_5_only_a_person_a_changed_plan_or_a_later_report_moves_what_is_over():
    moving = {kind for (phase, kind), to in TRANSITIONS.items() if phase in FINISHED and to is not phase}

    assert moving == {ImageReopened, ImagePlanned, JobRestored}
    assert TRANSITIONS[Phase.CANCELLED, ImagePlanned] is Phase.PENDING


@pytest.mark.parametrize(
    ("phase", "kind"),
    [pair for pair, to in TRANSITIONS.items() if to is Phase.PENDING and pair[1] is not ImagePlanned],
)
def test_rule_6_what_would_make_a_removed_image_pending_cancels_it(phase: Phase, kind: type[ImageEvent]):
    state = standing(phase, removed=True)

    moved = advance(state, event(kind, 200.0, state, WEB, random.Random(1)))

    assert (moved.phase, moved.removed) == (Phase.CANCELLED, True)
    assert decide(moved) is Step.DONE


@given(histories(max_images=3, max_steps=60))
@settings(max_examples=60)
def test_in_any_history_attempts_are_numbered_closed_and_never_forgotten(history: list[ImageEvent]):
    states: dict[str, State] = {}
    for fact in history:
        if not isinstance(fact, ImageEvent):
            continue
        before = states.get(fact.key, State(key=fact.key))
        state = states[fact.key] = advance(before, fact)

        assert len(state.attempts) >= len(before.attempts)
        assert state.attempts[: len(before.attempts) - 1] == before.attempts[:-1]
        assert [attempt.number for attempt in state.attempts] == list(range(1, len(state.attempts) + 1))
        assert all(attempt.outcome is not Outcome.OPEN for attempt in state.attempts[:-1])
        if state.attempts:
            last = state.attempts[-1]
            assert (last.outcome is Outcome.OPEN) == (state.phase is Phase.SUBMITTING)
            assert (last.ended_at is None) == (last.outcome is Outcome.OPEN)
            assert state.phase is not Phase.IN_DOUBT or last.outcome is Outcome.UNKNOWN
        assert (state.finished_at is not None) == (state.phase in FINISHED - {Phase.CANCELLED})
        assert not state.held or state.phase is Phase.IN_DOUBT
        assert not (state.removed and state.phase is Phase.PENDING)


# --- Bookkeeping ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fact", "outcome", "fault"),
    [
        pytest.param(accepted(130.0), Outcome.ACCEPTED, None, id="accepted"),
        pytest.param(AttemptRetryable(at=130.0, key=KEY, fault=BUSY), Outcome.RETRYABLE, BUSY, id="refused"),
        pytest.param(
            AttemptThrottled(at=130.0, key=KEY, fault=BUSY),
            Outcome.THROTTLED,
            BUSY,
            id="throttled",
        ),
        pytest.param(AttemptRejected(at=130.0, key=KEY, fault=BAD), Outcome.REJECTED, BAD, id="rejected"),
        pytest.param(lost(130.0), Outcome.UNKNOWN, BUSY, id="lost"),
    ],
)
def test_an_attempt_ends_with_its_outcome(fact: ImageEvent, outcome: Outcome, fault: Fault | None):
    state = after(began(), fact)

    (attempt,) = state.attempts
    assert (attempt.number, attempt.began_at, attempt.ended_at) == (1, 100.0, 130.0)
    assert (attempt.outcome, attempt.fault, state.fault) == (outcome, fault, fault)


def test_an_accepted_attempt_names_its_job_and_when_it_was_submitted():
    state = after(began(), accepted())

    assert (state.job_id, state.submitted_at, state.attempts[0].job_id) == ("job-1", 101.0, "job-1")
    assert state.digest == "d1"


def test_a_refused_image_tries_again_as_a_second_attempt_with_a_clean_sheet():
    state = after(began(), AttemptRetryable(at=101.0, key=KEY, fault=BUSY), began(110.0, 2))

    assert [attempt.outcome for attempt in state.attempts] == [Outcome.RETRYABLE, Outcome.OPEN]
    assert state.fault is None


def test_a_found_image_adopts_the_attempt_in_doubt_and_its_time():
    state = after(began(), lost(), ImageFound(at=200.0, key=KEY, image_id="image-1", active=False))

    assert state.attempts[-1].outcome is Outcome.ADOPTED
    assert (state.image_id, state.submitted_at, state.fault, state.job_id) == ("image-1", 100.0, None, None)


def test_a_found_image_does_not_rewrite_attempts_whose_outcome_is_known():
    reopened = advance(SUCCEEDED, ImageReopened(at=900.0, key=KEY))

    state = after(ImageFound(at=901.0, key=KEY, image_id="image-2", active=True), state=reopened)

    assert (state.attempts[0].outcome, state.attempts[0].job_id) == (Outcome.ACCEPTED, "job-1")
    assert (state.image_id, state.submitted_at) == ("image-2", None)


def test_an_absent_attempt_counts_as_lost_and_keeps_why():
    state = after(began(), lost(), AttemptNotFound(at=900.0, key=KEY, looked_for=740.0))

    assert (state.attempts[-1].outcome, state.attempts[-1].fault) == (Outcome.NOT_FOUND, BUSY)
    assert (state.phase, state.fault) == (Phase.PENDING, BUSY)


def test_a_held_image_waits_for_a_person_who_may_say_that_it_never_happened():
    held = after(began(), lost(), AttemptHeld(at=161.0, key=KEY, fault=BAD))
    reopened = advance(held, ImageReopened(at=900.0, key=KEY))

    assert (held.held, held.fault, decide(held)) == (True, BAD, Step.DONE)
    assert (reopened.held, reopened.phase, reopened.attempts) == (False, Phase.PENDING, held.attempts)


@pytest.mark.parametrize(
    "fact",
    [
        AttemptNotFound(at=900.0, key=KEY, looked_for=740.0),
        ImageFound(at=900.0, key=KEY, image_id="image-1", active=False),
        MigrationFailed(at=900.0, key=KEY, fault=BAD),
    ],
)
def test_whatever_settles_the_doubt_lets_go_of_the_hold(fact: ImageEvent):
    assert not after(began(), lost(), AttemptHeld(at=161.0, key=KEY, fault=BAD), fact).held


def test_success_says_which_image_when_and_nothing_of_earlier_trouble():
    assert (SUCCEEDED.image_id, SUCCEEDED.finished_at, SUCCEEDED.progress, SUCCEEDED.fault) == (
        "image-1",
        701.0,
        1.0,
        None,
    )


def test_a_job_that_names_no_image_does_not_forget_the_one_that_was_found():
    found = after(began(), lost(), ImageFound(at=200.0, key=KEY, image_id="image-1", active=False))

    assert after(JobSucceeded(at=300.0, key=KEY, image_id=None), state=found).image_id == "image-1"
    assert after(JobFailed(at=300.0, key=KEY, fault=BAD), state=found).image_id == "image-1"


@pytest.mark.parametrize(
    ("path", "fact"),
    [
        ((began(), accepted()), JobFailed(at=300.0, key=KEY, fault=BAD, image_id="image-1")),
        (
            (began(), accepted(), JobSucceeded(at=200.0, key=KEY, image_id="image-1")),
            VerificationFailed(at=300.0, key=KEY, fault=BAD),
        ),
        ((), MigrationFailed(at=300.0, key=KEY, fault=BAD)),
        ((began(), lost()), MigrationFailed(at=300.0, key=KEY, fault=BAD)),
        ((began(),), AttemptRejected(at=300.0, key=KEY, fault=BAD)),
    ],
)
def test_every_failure_says_why_and_when(path: tuple[ImageEvent, ...], fact: ImageEvent):
    state = after(*path, fact)

    assert (state.phase, state.fault, state.finished_at) == (Phase.FAILED, BAD, 300.0)


def test_a_skipped_image_names_the_one_that_was_there_and_forgets_earlier_trouble():
    refused = after(began(), AttemptRetryable(at=101.0, key=KEY, fault=BUSY))

    state = after(ImageSkipped(at=200.0, key=KEY, image_id="image-0"), state=refused)

    assert (state.image_id, state.finished_at, state.fault) == ("image-0", 200.0, None)


def test_a_reopened_image_starts_over_and_disowns_what_it_made_but_keeps_its_attempts():
    state = advance(SUCCEEDED, ImageReopened(at=900.0, key=KEY))

    assert state == State(key=KEY, attempts=SUCCEEDED.attempts, disowned=("image-1",))


def test_progress_is_noted_and_starts_over_with_a_new_attempt():
    running = after(began(), accepted(), JobProgressed(at=200.0, key=KEY, progress=0.4))
    again = after(
        JobFailed(at=300.0, key=KEY, fault=BAD),
        ImageReopened(at=400.0, key=KEY),
        began(401.0, 2),
        state=running,
    )

    assert (running.progress, again.progress) == (0.4, None)


def test_leaving_the_plan_and_coming_back_is_marked_and_unmarked():
    running = after(began(), accepted())
    gone = advance(running, ImageRemoved(at=200.0, key=KEY))
    back = advance(gone, ImagePlanned(at=300.0, key=KEY, image=WEB, digest="d2"))

    assert (gone.removed, gone.phase, back) == (True, Phase.RUNNING, running)


def test_a_cancelled_image_that_comes_back_is_pending_again():
    cancelled = after(ImageRemoved(at=100.0, key=KEY))
    back = advance(cancelled, ImagePlanned(at=200.0, key=KEY, image=WEB, digest="d"))

    assert (cancelled.phase, back) == (Phase.CANCELLED, State(key=KEY))


# --- What next ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "step"),
    [
        (Phase.PENDING, Step.SUBMIT),
        (Phase.IN_DOUBT, Step.LOOK_UP),
        (Phase.RUNNING, Step.POLL),
        (Phase.VERIFYING, Step.VERIFY),
        (Phase.SUCCEEDED, Step.DONE),
        (Phase.FAILED, Step.DONE),
        (Phase.OVERDUE, Step.DONE),
        (Phase.SKIPPED, Step.DONE),
        (Phase.CANCELLED, Step.DONE),
    ],
)
def test_each_phase_has_one_next_step(phase: Phase, step: Step):
    assert decide(State(key=KEY, phase=phase, job_id="job-1")) is step


def test_an_open_attempt_belongs_to_the_task_that_sent_it():
    with pytest.raises(ImpossibleTransition, match="north/web-01 is still open"):
        decide(after(began()))


@given(st.sampled_from(Phase), st.booleans(), st.booleans())
def test_only_a_pending_image_is_ever_submitted(phase: Phase, held: bool, removed: bool):
    state = State(key=KEY, phase=phase, held=held, removed=removed)
    if phase is Phase.SUBMITTING:
        return

    assert (decide(state) is Step.SUBMIT) == (phase is Phase.PENDING and not held)


def test_finished_and_in_the_cloud_do_not_overlap():
    assert not FINISHED & IN_CLOUD
    assert len(list(product(Phase, IMAGE_EVENTS))) == 10 * len(EXPECTED)
