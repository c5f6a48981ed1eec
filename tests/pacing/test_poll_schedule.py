"""When a running job is worth asking again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.plan import Polling
from migrator.pacing.poll_schedule import FEW, Forecast, History, next_poll

POLLING = Polling(first=10.0, min_interval=5.0, max_interval=300.0)


def asked(
    seconds: float,
    progress: object,
    *,
    polling: Polling = POLLING,
    expected: float | None = None,
    swept: bool = False,
) -> list[float]:
    """The ages at which a job of `seconds` is asked about, the last one being after its end."""
    forecast, now, ages = Forecast(0.0), polling.first, []
    while True:
        ages.append(now)
        if now >= seconds:
            return ages
        forecast.on_progress(progress(now / seconds), now)  # type: ignore[operator]
        now += next_poll(polling, forecast, now, expected=expected, swept=swept)


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

        pause = next_poll(POLLING, forecast, now, least=least, expected=expected, swept=swept)
        assert 5.0 <= pause <= 300.0


@pytest.mark.parametrize(("seconds", "most"), [(60.0, 6), (600.0, 8), (3000.0, 14)])
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

    assert next_poll(POLLING, forecast, 10.0, least=400.0) == 190.0


def test_a_job_counts_as_blind_only_after_several_answers():
    forecast = Forecast(0.0)
    for number in range(1, 5):
        assert not forecast.blind
        forecast.on_progress(None, 10.0 * number)

    assert forecast.blind


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
