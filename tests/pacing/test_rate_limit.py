"""What the service lets us do is learned from its complaints, at the price of few refusals."""

import itertools
import random
from collections.abc import Callable
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.cloud import RateHint
from migrator.pacing.job_limit import JobLimit
from migrator.pacing.rate_limit import AdaptiveRateLimiter


class Service:
    """Allows `limit` requests in each `period`; refused ones count, too."""

    def __init__(self, limit: int, period: float) -> None:
        self.limit = limit
        self.period = period
        self._window = -1
        self._count = 0

    def takes(self, now: float) -> bool:
        job_limit = int(now // self.period)
        self._count = self._count + 1 if job_limit == self._window else 1
        self._window = job_limit
        return self._count <= self.limit


def driven(
    pace: AdaptiveRateLimiter,
    takes: Callable[[float], bool],
    end: float,
    *,
    start: float = 0.0,
    hint: RateHint | None = None,
) -> tuple[int, int]:
    """(accepted, refused) of a client that always has something to send."""
    now, accepted, refused = start, 0, 0
    while True:
        now += pace.bucket.wait(now)
        if now >= end:
            return accepted, refused
        pace.bucket.take(now)
        if takes(now):
            accepted += 1
            pace.on_answer(now)
        else:
            refused += 1
            pace.on_throttled(now, None, hint)


@pytest.mark.parametrize(
    ("limit", "period"),
    [
        pytest.param(1, 1.0, id="1 a second"),
        pytest.param(5, 1.0, id="5 a second"),
        pytest.param(60, 60.0, id="60 a minute"),
    ],
)
def test_a_limit_that_nobody_told_is_used_well_and_seldom_exceeded(limit, period):
    pace = AdaptiveRateLimiter(10.0, 1, 0.0, adaptive=True)
    service = Service(limit, period)
    driven(pace, service.takes, 600.0)

    accepted, refused = driven(pace, service.takes, 3600.0, start=600.0)

    assert accepted >= 0.9 * 3000.0 * limit / period
    assert refused <= 0.02 * (accepted + refused)


def test_a_limit_that_the_refusal_names_is_kept_from_then_on():
    pace = AdaptiveRateLimiter(10.0, 1, 0.0, adaptive=True)
    hint = RateHint(limit=60, period=60.0)
    driven(pace, Service(60, 60.0).takes, 300.0, hint=hint)

    assert pace.bucket.rate == pytest.approx(0.98)


def test_a_limit_told_beforehand_is_kept_without_any_refusal():
    pace = AdaptiveRateLimiter(10.0, 1, 0.0, adaptive=True)
    pace.on_rate_hint(RateHint(limit=120, period=60.0, remain=119), 0.0)

    accepted, refused = driven(pace, Service(120, 60.0).takes, 1200.0)

    assert refused == 0
    assert accepted >= 0.9 * 2 * 1200


def test_a_plan_within_the_services_limit_is_not_slowed_by_what_it_says():
    pace = AdaptiveRateLimiter(1.0, 1, 0.0, adaptive=True)
    pace.on_rate_hint(RateHint(limit=600, period=60.0, remain=599), 0.0)

    assert not pace.slowed


def test_one_complaint_is_one_cut_however_many_requests_were_under_way():
    pace = AdaptiveRateLimiter(10.0, 1, 0.0, adaptive=True)
    for _ in range(8):
        pace.on_throttled(5.0)

    assert pace.bucket.rate == pytest.approx(7.0)


def test_nothing_leaves_before_the_service_wants_to_be_asked_again():
    pace = AdaptiveRateLimiter(10.0, 5, 0.0, adaptive=True)
    pace.on_throttled(1.0, retry_after=30.0)

    assert pace.bucket.wait(1.0) >= 30.0


@pytest.mark.parametrize("seed", range(8))
def test_refusals_that_are_not_about_the_rate_do_not_make_us_slower_and_slower(seed):
    """A gateway refused one query in a hundred, whatever we did: after three hours hardly one was sent."""
    dice = random.Random(seed)
    pace = AdaptiveRateLimiter(10.0, 1, 0.0, adaptive=True)

    accepted, _ = driven(pace, lambda _: dice.random() >= 0.01, 3 * 3600.0)

    assert accepted >= 0.7 * 3 * 3600.0 * 10.0


def test_a_passing_burst_of_refusals_is_soon_forgotten():
    pace = AdaptiveRateLimiter(10.0, 1, 0.0, adaptive=True)
    driven(pace, lambda now: not 100.0 <= now < 105.0, 100.0 + 600.0)

    assert pace.bucket.rate == 10.0


@given(
    st.lists(st.sampled_from(["on_throttled", "on_answer", "on_rate_hint"]), max_size=200),
    st.floats(0.05, 20),
)
def test_the_plans_rate_is_never_exceeded_and_somebody_always_asks(history, ceiling):
    pace, now = AdaptiveRateLimiter(ceiling, 1, 0.0, adaptive=True), 0.0
    for what in history:
        now += 0.7
        if what == "on_rate_hint":
            pace.on_rate_hint(RateHint(limit=7, period=1.0), now)
        else:
            getattr(pace, what)(now)

        assert min(0.02, ceiling) <= pace.bucket.rate <= ceiling


def test_a_pace_that_may_not_adapt_keeps_its_rate_and_still_is_silent_when_asked():
    pace = AdaptiveRateLimiter(10.0, 1, 0.0, adaptive=False)
    pace.on_throttled(1.0, retry_after=5.0)

    assert pace.bucket.rate == 10.0
    assert pace.bucket.wait(1.0) >= 5.0


def test_a_refused_job_narrows_the_window_to_what_fits():
    job_limit = JobLimit(40)
    job_limit.on_refused(30, 0.0)

    assert job_limit.size == 30


def test_a_narrowed_window_is_tried_wider_now_and_then_and_seldomer_each_time():
    job_limit, refusals, now = JobLimit(40), [], 0.0
    while now < 7200.0:
        if job_limit.size > 30:
            job_limit.on_refused(30, now)
            refusals.append(now)
        job_limit.on_accepted(job_limit.size, now)
        now += 5.0

    assert len(refusals) <= 16
    assert job_limit.size == 30


def test_a_window_narrowed_by_a_passing_refusal_is_soon_as_wide_as_before():
    job_limit = JobLimit(40)
    job_limit.on_refused(3, 0.0)
    for second in range(0, 300, 2):
        job_limit.on_accepted(job_limit.size, float(second))

    assert job_limit.size == 40


def test_where_the_service_queues_a_few_waiting_jobs_are_enough():
    job_limit = JobLimit(100)
    job_limit.on_waiting_jobs(running=40, waiting=12)

    assert job_limit.size == 43


@given(
    st.lists(
        st.tuples(st.sampled_from(["on_refused", "on_accepted", "on_waiting_jobs"]), st.integers(0, 60)),
        max_size=100,
    )
)
def test_the_window_stays_between_one_and_what_the_plan_allows(history):
    job_limit = JobLimit(40)
    for now, (what, number) in enumerate(history):
        if what == "on_waiting_jobs":
            job_limit.on_waiting_jobs(running=number, waiting=number % 3)
        else:
            getattr(job_limit, what)(number, float(now * 30))

        assert 1 <= job_limit.size <= 40


def test_a_limit_that_was_narrowed_is_tried_wider_although_no_job_ends():
    """One hung job must not hold a target: nothing else would be accepted, and so nothing would widen it."""
    job_limit, now, in_cloud, refused = JobLimit(40), 0.0, 1, 0
    job_limit.on_refused(1, now)

    while in_cloud < 40:
        now += job_limit.wait(in_cloud, now)
        job_limit.on_submitting(in_cloud, now)
        in_cloud += 1
        job_limit.on_accepted(in_cloud, now)
        refused += job_limit.size < in_cloud

    assert now < 60.0
    assert refused == 0


def test_while_the_service_goes_on_refusing_it_is_tried_more_and_more_seldom():
    job_limit, now, tries = JobLimit(40), 0.0, []
    job_limit.on_refused(1, now)

    for _ in range(8):
        now += job_limit.wait(1, now)
        job_limit.on_submitting(1, now)
        tries.append(now)
        job_limit.on_refused(1, now)

    pauses = [later - sooner for sooner, later in itertools.pairwise(tries)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 900.0


def test_only_one_job_beyond_the_limit_is_tried_at_a_time():
    job_limit = JobLimit(40)
    job_limit.on_refused(1, 0.0)
    now = job_limit.wait(1, 0.0)

    job_limit.on_submitting(1, now)

    assert job_limit.wait(2, now) == 15.0


def test_jobs_that_nobody_hears_of_do_not_keep_a_narrowed_limit_from_being_tried():
    """Attempts in doubt hold slots and may never end: with more of them than the limit it still widens."""
    job_limit = JobLimit(40)
    job_limit.on_refused(1, 0.0)

    assert job_limit.wait(5, 0.0) == 15.0
    assert job_limit.wait(40, 0.0) == inf


def test_where_the_service_queues_a_job_more_is_tried_when_nothing_began_for_long():
    job_limit = JobLimit(40)
    job_limit.on_waiting_jobs(running=1, waiting=2)
    job_limit.on_submitting(3, 0.0)

    assert job_limit.wait(4, 0.0) == 900.0


def test_bursts_that_come_again_and_again_are_tried_as_soon_as_the_first():
    """A burst every four minutes refused whatever came, and each doubled the pause."""
    job_limit = JobLimit(40)
    for burst in range(8):
        now = 240.0 * burst
        job_limit.on_refused(28, now)
        pause = job_limit.wait(28, now)
        job_limit.on_submitting(28, now + pause)
        job_limit.on_accepted(30, now + pause)

        assert pause == 15.0


def test_refusals_of_one_moment_are_one_refusal():
    """A burst of throttling refuses ten imports in as many seconds; it says nothing about later ones."""
    job_limit = JobLimit(40)
    for second in range(10):
        job_limit.on_refused(1, float(second))

    assert job_limit.wait(1, 9.0) == 15.0


@pytest.mark.parametrize(
    "hint",
    [
        pytest.param(RateHint(limit=1, period=999_999 * 86_400.0, remain=0), id="one in 2,700 years"),
        pytest.param(RateHint(limit=1, period=86_400.0, remain=0), id="one a day"),
    ],
)
def test_one_header_does_not_stall_a_run(hint):
    limiter = AdaptiveRateLimiter(2.0, 1, 0.0, adaptive=True)

    limiter.on_throttled(0.0, None, hint)
    limiter.on_rate_hint(hint, 1.0)

    assert limiter.bucket.blocked_until <= 601.0
    assert limiter.bucket.rate >= 0.02
