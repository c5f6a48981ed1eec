"""When a running job is worth asking again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.plan import Polling
from migrator.pacing.poll_schedule import FEW, Forecast, History, next_poll
from migrator.pacing.progress import Reliability

POLLING = Polling(first=10.0, min_interval=5.0, max_interval=300.0)
NOTHING = Reliability()
"""No job has ended that would say how far off progress is."""


def asked(
    seconds: float,
    progress: object,
    *,
    polling: Polling = POLLING,
    expected: float | None = None,
    swept: bool = False,
    reliability: Reliability | None = None,
) -> list[float]:
    """The ages at which a job of `seconds` is asked about, the last one being after its end; `reliability`
    learns from it."""
    forecast, now, ages = Forecast(0.0), polling.first, list[float]()
    reliability = reliability or Reliability()
    while True:
        ages.append(now)
        if now >= seconds:
            forecast.teach(reliability, seconds)
            return ages
        forecast.on_progress(progress(now / seconds), now)  # type: ignore[operator]
        now += next_poll(polling, forecast, now, reliability=reliability, expected=expected, swept=swept)


@given(
    st.lists(st.tuples(st.none() | st.floats(-1, 2), st.floats(0.1, 500)), max_size=30),
    st.none() | st.floats(0.1, 5000),
    st.none() | st.floats(0.1, 5000),
    st.booleans(),
)
def test_the_pause_is_never_outside_the_plans_bounds(answers, least, expected, swept):
    forecast, now = Forecast(0.0), 0.0
    for progress, pause in answers:
        now += pause
        forecast.on_progress(progress, now)

        pause = next_poll(
            POLLING, forecast, now, reliability=NOTHING, least=least, expected=expected, swept=swept
        )
        assert 5.0 <= pause <= 300.0


@pytest.mark.parametrize(("seconds", "most"), [(60.0, 6), (600.0, 8), (3000.0, 16)])
def test_an_honest_progress_needs_few_questions_and_the_end_is_noticed_at_once(seconds, most):
    ages = asked(seconds, lambda part: part)

    assert len(ages) <= most
    assert ages[-1] - seconds <= 5.0


@pytest.mark.parametrize(
    "progress",
    [
        pytest.param(lambda part: None, id="missing"),
        pytest.param(lambda part: 0.4, id="standing still"),
        pytest.param(lambda part: int(part * 4) / 4, id="in quarters"),
        pytest.param(lambda part: min(0.2, part), id="stuck after a while"),
    ],
)
@pytest.mark.parametrize("seconds", [97.0, 607.0, 3001.0])
def test_a_useless_progress_is_not_worse_than_a_steady_loop(progress, seconds):
    ages = asked(seconds, progress)

    assert len(ages) <= 1.1 * (seconds / 10.0 + 1)
    assert ages[-1] - seconds <= 11.0


def test_where_a_list_watches_for_the_end_a_blind_job_is_asked_seldom():
    assert len(asked(3000.0, lambda part: None, swept=True)) < 20


def test_no_job_is_asked_before_any_job_could_be_done():
    forecast = Forecast(0.0)

    assert next_poll(POLLING, forecast, 10.0, reliability=NOTHING, least=400.0) == 190.0


def test_a_job_counts_as_blind_only_after_several_answers():
    forecast = Forecast(0.0)
    for number in range(1, 5):
        assert not forecast.blind(NOTHING)
        forecast.on_progress(None, 10.0 * number)

    assert forecast.blind(NOTHING)


# --- Bounds of the end ----------------------------------------------------------------------------------


def forecast(*told: tuple[float, float]) -> Forecast:
    """What is known of a job, accepted at 0, that said (at, progress)."""
    found = Forecast(0.0)
    for at, progress in told:
        found.on_progress(progress, at)
    return found


def test_a_whole_percent_puts_bounds_on_the_end_and_two_answers_narrow_them():
    early = forecast((50.0, 0.10), (100.0, 0.20)).ends(NOTHING)
    later = forecast((50.0, 0.10), (100.0, 0.20), (400.0, 0.80)).ends(NOTHING)

    assert early is not None
    assert later is not None
    assert early.soonest <= 500.0 <= early.latest
    assert early.soonest < later.soonest <= 500.0 <= later.latest < early.latest


def test_one_answer_alone_is_not_believed_while_nobody_knows_how_far_off_progress_is():
    assert forecast((100.0, 0.20)).ends(NOTHING) is None


def test_a_progress_that_stands_still_is_not_believed():
    assert forecast((100.0, 0.20), (100.5, 0.20)).ends(NOTHING) is None


def test_answers_that_contradict_each_other_are_no_forecast():
    assert forecast((100.0, 0.20), (110.0, 0.80)).ends(NOTHING) is None


def test_after_a_contradiction_two_answers_that_agree_are_believed_again():
    ends = forecast((100.0, 0.90), (200.0, 0.20), (400.0, 0.40)).ends(NOTHING)

    assert ends is not None
    assert ends.soonest <= 1000.0 <= ends.latest


def test_a_job_that_outlives_its_forecast_is_asked_ever_more_seldom():
    outlived = forecast((100.0, 0.20), (400.0, 0.80))
    ends = outlived.ends(NOTHING)
    assert ends is not None

    pauses = [
        next_poll(POLLING, outlived, ends.latest + late, reliability=NOTHING) for late in (1.0, 7.0, 60.0)
    ]

    assert pauses == [5.0, pytest.approx(7.0), 10.0]


def test_the_wider_the_bounds_the_further_apart_are_the_questions_within_them():
    narrow, wide = forecast((200.0, 0.49), (400.0, 0.98)), forecast((2000.0, 0.49), (4000.0, 0.98))

    pauses = []
    for one in (narrow, wide):
        ends = one.ends(NOTHING)
        assert ends is not None
        pauses.append(
            next_poll(Polling(first=60.0, min_interval=1.0), one, ends.soonest, reliability=NOTHING)
        )

    assert 1.0 <= pauses[0] < pauses[1] < 20.0


# --- A service that lets jobs wait ----------------------------------------------------------------------


def test_a_job_that_waits_is_asked_ever_more_seldom_and_is_never_blind():
    waits = Forecast(0.0)
    pauses = []
    for now in (10.0, 20.0, 40.0, 80.0, 160.0):
        waits.on_waiting(now)
        pauses.append(next_poll(POLLING, waits, now, reliability=NOTHING))

    assert pauses == [10.0, 20.0, 40.0, 80.0, 160.0]
    assert not waits.blind(NOTHING)


def test_progress_counts_from_the_time_at_which_a_job_began_not_from_its_acceptance():
    waited = Forecast(0.0)
    waited.on_waiting(500.0)
    for at, progress in ((510.0, 0.01), (700.0, 0.19), (1000.0, 0.49)):
        waited.on_progress(progress, at)

    ends = waited.ends(NOTHING)

    assert ends is not None
    assert ends.soonest <= 1510.0 <= ends.latest
    assert ends.width < 100.0


def test_the_end_of_another_tells_when_a_waiting_job_began():
    unknown, known = Forecast(0.0), Forecast(0.0)
    for one in (unknown, known):
        one.on_waiting(10.0)
    known.on_turn(500.0, 502.0)
    for one in (unknown, known):
        one.on_progress(0.10, 560.0)
        one.on_progress(0.30, 680.0)

    sharp, vague = known.ends(NOTHING), unknown.ends(NOTHING)

    assert sharp is not None
    assert vague is not None
    assert sharp.soonest <= 1100.0 <= sharp.latest
    assert sharp.width < vague.width / 2


def test_where_jobs_wait_one_that_was_never_asked_about_may_have_begun_just_now():
    maybe = Forecast(0.0)
    maybe.may_have_waited()
    maybe.on_progress(0.01, 10.0)
    maybe.on_progress(0.11, 20.0)

    ends = maybe.ends(NOTHING)

    assert ends is not None
    assert ends.soonest < 110.0


# --- What was learned of progress -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("progress", "most", "late"),
    [
        pytest.param(lambda part: int(part * 100) / 100, 7, 5.0, id="whole percents"),
        pytest.param(lambda part: int(part * 4) / 4, 45, 10.3, id="in quarters"),
        pytest.param(lambda part: min(0.2, part), 45, 10.3, id="stuck after a while"),
        pytest.param(lambda part: min(0.99, 1.2 * part), 30, 10.3, id="at 99 % too soon"),
        pytest.param(lambda part: 3 * part if part < 0.3 else 0.9, 61, 10.3, id="quick, then slow"),
        pytest.param(lambda part: 0.99, 61, 10.3, id="always nearly done"),
        pytest.param(lambda part: None, 61, 10.3, id="missing"),
    ],
)
def test_once_jobs_have_ended_any_kind_of_progress_is_taken_for_what_it_is_worth(progress, most, late):
    reliability = Reliability()
    for number in range(60):
        asked(60.0 + 37.0 * number, progress, reliability=reliability)

    for seconds in (307.0, 600.0):
        ages = asked(seconds, progress, reliability=reliability)
        assert len(ages) <= most
        assert ages[-1] - seconds <= late


def test_a_long_run_of_answers_keeps_the_first_and_the_last_of_each_tenth():
    stuck = forecast(*[(float(at), 0.2) for at in range(100, 1000, 10)])

    assert stuck.told == ((100.0, 0.2), (990.0, 0.2))


# --- What finished jobs say -----------------------------------------------------------------------------

GB = 2**30


def history(*jobs: tuple[float, int | None]) -> History:
    found = History()
    for seconds, size in jobs:
        found.took(seconds, size)
    return found


def test_a_few_jobs_say_nothing_about_others():
    few = history(*[(600.0, GB)] * (FEW - 1))

    assert few.least(GB) is None
    assert few.expected(GB) is None


def test_the_fastest_job_says_how_fast_one_can_be():
    assert history((60.0, None), *[(600.0, None)] * FEW).least(None) == 60.0


def test_a_large_image_takes_no_less_for_each_byte_than_the_fastest_job_did():
    jobs = history((60.0, GB), *[(600.0, 2 * GB)] * FEW)

    assert jobs.least(GB) == 60.0
    assert jobs.least(10 * GB) == 600.0
    assert jobs.least(None) == 60.0


def test_where_time_goes_by_size_the_size_tells_when_a_job_ends():
    steady = history(*[(seconds * gb, gb * GB) for seconds in (9.0, 10.0, 12.0) for gb in range(1, 9)])

    assert steady.expected(100 * GB) == 1000.0
    assert steady.expected(None) is None


def test_where_it_does_not_the_size_tells_nothing():
    assert history((600.0, 10 * GB), *[(600.0, GB)] * FEW).expected(GB) is None


def test_only_the_latest_jobs_count():
    assert history((1.0, GB), *[(600.0, GB)] * 50).least(GB) == 600.0


@pytest.mark.parametrize("seconds", [540.0, 600.0, 660.0])
def test_a_job_whose_size_tells_its_end_needs_few_questions_without_any_progress(seconds):
    ages = asked(seconds, lambda part: None, expected=600.0)

    assert len(ages) <= 12 + max(0.0, seconds - 600.0) / 10.0
    assert ages[-1] - seconds <= 25.0
