"""The bucket's law: no window of any length holds more than burst + rate x length."""

from hypothesis import given
from hypothesis import strategies as st

from migrator.pacing.token_bucket import TokenBucket

steps = st.lists(st.floats(0, 5, allow_nan=False), min_size=1, max_size=120)


def departures(bucket: TokenBucket, pauses: list[float]) -> list[float]:
    """When requests leave that come after `pauses`, each as soon as the bucket lets it."""
    now, left = 0.0, []
    for pause in pauses:
        now += pause
        while (wait := bucket.wait(now)) > 0:
            now += wait
        bucket.take(now)
        left.append(now)
    return left


@given(rate=st.floats(0.05, 50), burst=st.integers(1, 20), pauses=steps)
def test_no_window_of_any_length_holds_more_than_burst_plus_rate_times_length(rate, burst, pauses):
    left = departures(TokenBucket(rate, burst, 0.0), pauses)

    for first, start in enumerate(left):
        for count, end in enumerate(left[first:], start=1):
            assert count <= burst + rate * (end - start) + 1e-6


@given(rate=st.floats(0.05, 50), burst=st.integers(1, 20), pauses=steps)
def test_nobody_waits_longer_than_one_token_takes(rate, burst, pauses):
    bucket, now = TokenBucket(rate, burst, 0.0), 0.0
    for pause in pauses:
        now += pause
        assert bucket.wait(now) <= max(1 / rate, 0.001) * (1 + 1e-9)
        now += bucket.wait(now)
        bucket.take(now)


def test_a_full_bucket_lets_its_burst_leave_at_once_and_no_more():
    bucket = TokenBucket(1.0, 3, 0.0)

    assert departures(bucket, [0.0] * 4) == [0.0, 0.0, 0.0, 1.0]


def test_a_block_holds_everything_back_until_it_ends():
    bucket = TokenBucket(10.0, 5, 0.0)
    bucket.block(7.0)

    assert departures(bucket, [0.0]) == [7.0]


def test_a_drained_bucket_starts_after_a_pause_without_a_burst():
    bucket = TokenBucket(1.0, 5, 0.0)
    bucket.drain(0.0)

    assert departures(bucket, [0.0, 0.0]) == [1.0, 2.0]


def test_a_new_rate_counts_from_now_on():
    bucket = TokenBucket(1.0, 1, 0.0)
    bucket.take(0.0)
    bucket.set_rate(0.1, 0.5)

    assert bucket.wait(0.5) == 5.0
