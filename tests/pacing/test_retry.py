"""How long to wait after a failure, and when to stop trying."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.plan import Retry
from migrator.pacing.retry import backoff, exhausted, failures, pause
from migrator.workflow.states import Attempt, Outcome


def attempts(*outcomes: Outcome, began_at: float = 0.0) -> tuple[Attempt, ...]:
    return tuple(
        Attempt(number=number, began_at=began_at + number, outcome=outcome)
        for number, outcome in enumerate(outcomes, start=1)
    )


@given(attempt=st.integers(1, 10_000), seed=st.integers())
def test_a_backoff_is_never_longer_than_the_cap_nor_than_its_doubled_base(attempt, seed):
    policy = Retry(base=1.0, cap=60.0)

    waited = backoff(policy, attempt, random.Random(seed))

    assert 0 <= waited <= min(60.0, 2.0 ** min(attempt - 1, 62))


def test_backoffs_are_spread_over_their_whole_range():
    rng = random.Random(1)

    waits = [backoff(Retry(base=1.0, cap=8.0), 4, rng) for _ in range(2000)]

    assert min(waits) < 0.5
    assert max(waits) > 7.5
    assert 3.7 < sum(waits) / len(waits) < 4.3


def test_the_services_own_wish_is_honoured_beyond_the_cap():
    assert pause(Retry(cap=60.0), 1, random.Random(0), retry_after=300.0) == 300.0


def test_throttled_attempts_are_not_held_against_an_image():
    made = attempts(Outcome.RETRYABLE, *[Outcome.THROTTLED] * 50, Outcome.RETRYABLE)

    assert failures(made) == 2
    assert exhausted(Retry(max_attempts=3), made, 60.0) is None


def test_an_accepted_attempt_ends_the_count():
    assert failures(attempts(Outcome.RETRYABLE, Outcome.RETRYABLE, Outcome.ACCEPTED, Outcome.NOT_FOUND)) == 1


@pytest.mark.parametrize(
    ("count", "retried_for", "word"),
    [
        pytest.param(6, 10.0, "max_attempts", id="too many"),
        pytest.param(2, 4000.0, "retry.budget", id="for too long"),
    ],
)
def test_retries_end_with_the_setting_that_ended_them(count, retried_for, word):
    assert word in str(exhausted(Retry(), attempts(*[Outcome.RETRYABLE] * count), retried_for))
