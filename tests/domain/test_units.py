"""Durations, rates and thresholds read back as what they were written from."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from migrator.domain.units import Rate, Threshold, duration_text, rate, seconds, threshold


@given(st.floats(0, 1e15))
@example(1000001.0)
@example(5400.0)
@example(0.25)
@example(1e-7)
@example(0.1 + 0.2)
def test_a_duration_reads_back_as_it_was_written(value):
    assert seconds(duration_text(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(5400.0, "90m", id="whole minutes"),
        pytest.param(7200.0, "2h", id="whole hours"),
        pytest.param(90.0, "90s", id="seconds"),
        pytest.param(0.25, "250ms", id="less than a second"),
        pytest.param(1000001.0, "1000001s", id="more digits than a float is usually shown with"),
        pytest.param(0.0, "0s", id="none"),
    ],
)
def test_a_duration_is_written_as_a_person_would(value, text):
    assert duration_text(value) == text


@given(st.floats(1e-9, 1e12), st.sampled_from("smh"))
@example(1234567.0, "h")
@example(0.5, "s")
def test_a_rate_reads_back_as_it_was_written(count, unit):
    written = Rate(count=count, unit=unit)

    assert rate(str(written)) == written


@given(st.decimals(0, 100, places=4))
def test_a_percentage_reads_back_as_it_was_written(percent):
    written = threshold(f"{percent:f}%")

    assert threshold(str(written)) == written


@given(st.integers(0, 10**9))
def test_a_count_reads_back_as_it_was_written(count):
    written = Threshold(count=count)

    assert threshold(int(str(written))) == written
