"""How far what a service tells of progress is from what is true."""

import pytest

from migrator.pacing.progress import FEW, PERCENTS, RECENT, Reliability


def learned(*answers: tuple[float, float]) -> Reliability:
    """After so many answers (true, told) about jobs that have ended."""
    found = Reliability()
    for true, told in answers:
        found.compare(told, began_at=0.0, at=1000.0 * true, ended_at=1000.0)
    return found


def test_before_enough_jobs_have_ended_whole_percents_are_taken_for_granted():
    assert learned(*[(0.5, 0.1)] * (FEW - 1)).accuracy(0.1) == PERCENTS
    assert not PERCENTS.learned


def test_what_was_told_is_compared_with_what_was_true():
    coarse = [(0.5 + part / 100, 0.5) for part in range(25)]

    accuracy = learned(*coarse).accuracy(0.5)

    assert accuracy.learned
    assert accuracy.behind == pytest.approx(0.24, abs=0.03)
    assert accuracy.ahead < 0.03


def test_each_tenth_of_progress_is_judged_by_itself():
    exact, stuck = [(0.15, 0.15)] * FEW, [(part / FEW, 0.2) for part in range(4, FEW)] * 2

    reliability = learned(*exact, *stuck)

    assert reliability.accuracy(0.15).behind < 0.01
    assert reliability.accuracy(0.2).behind > 0.7


def test_a_tenth_of_which_little_is_known_is_judged_as_all_are():
    assert learned(*[(0.5, 0.3)] * FEW).accuracy(0.9).behind == pytest.approx(0.2, abs=0.01)


def test_a_single_job_that_was_further_than_it_said_makes_nobody_sooner_than_it_was():
    """What is believed too slow is asked about too late, so that side has no exceptions."""
    assert learned(*[(0.5, 0.5)] * RECENT, (0.59, 0.5)).accuracy(0.5).behind >= 0.09


def test_a_single_job_that_said_too_much_is_an_exception():
    assert learned(*[(0.5, 0.5)] * RECENT, (0.1, 0.5)).accuracy(0.5).ahead < 0.02


def test_what_is_told_may_always_be_true():
    accuracy = learned(*[(0.5, 0.3)] * FEW).accuracy(0.3)

    assert accuracy.ahead > 0.0
    assert accuracy.behind > 0.0


def test_only_the_latest_answers_count():
    assert learned((0.9, 0.5), *[(0.5, 0.5)] * RECENT).accuracy(0.5).behind < 0.01
