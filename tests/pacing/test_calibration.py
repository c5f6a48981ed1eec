"""What a target's own jobs teach about how long an empty look-up proves nothing."""

import math
import random
from math import inf

import pytest
from msgspec.structs import replace

from migrator.pacing.calibration import Calibration
from migrator.workflow.visibility_delay import DOUBT, MARGIN, VisibilityDelays, margin

NOW = 100.0
MANY = 40
"""Jobs that tell enough for the plain margin of three."""


def seen_after(delay: float, jobs: int = 5) -> Calibration:
    calibration = Calibration()
    for number in range(jobs):
        calibration.accepted(str(number), 100.0)
    calibration.listed({str(number) for number in range(jobs)}, set(), 100.0 + delay)
    return calibration


def ended_unseen(jobs: int, seconds: float) -> Calibration:
    calibration = Calibration()
    for number in range(jobs):
        calibration.accepted(str(number), 0.0)
    calibration.listed(set(), set(), 40.0)
    for number in range(jobs):
        calibration.ended(str(number), well=True)
        calibration.shown(str(number), seconds)
    return calibration


def test_while_nothing_is_known_nothing_is_given_up():
    assert VisibilityDelays().visibility_timeout(None) == inf


def test_a_fixed_duration_overrides_what_was_learned():
    assert seen_after(9.0).learned.visibility_timeout(7.0) == 7.0


def test_where_running_jobs_show_a_few_times_the_longest_delay_is_enough():
    calibration = Calibration()
    for number in range(MANY):
        calibration.accepted(str(number), 100.0)
    calibration.listed(set(), set(), 120.0)
    calibration.listed({str(number) for number in range(MANY)}, set(), 150.0)

    assert calibration.learned.visibility_timeout(None) == 150.0


def test_the_fewer_jobs_have_ended_the_longer_another_one_may_take():
    learned = [
        VisibilityDelays(unseen=5, ended=jobs, longest_job=600.0).visibility_timeout(None)
        for jobs in (20, 40)
    ]

    assert learned[0] > 2000.0
    assert learned[1] == 1800.0


def test_the_fewer_were_seen_the_longer_another_one_may_take():
    learned = [
        VisibilityDelays(seen=jobs, longest_delay=60.0).visibility_timeout(None)
        for jobs in (5, 10, 20, 40, 4000)
    ]

    assert learned == sorted(learned, reverse=True)
    assert learned[0] > 10 * 60.0
    assert learned[-2:] == [180.0, 180.0]


@pytest.mark.parametrize("count", [5, 8, 20])
def test_a_delay_beyond_the_margin_is_as_rare_as_promised(count):
    """The mean chance that the next delay is longer than allowed for, over many draws of `count` delays."""
    dice = random.Random(count)
    chances = [
        math.exp(-margin(count) * max(dice.expovariate(1.0) for _ in range(count))) for _ in range(20_000)
    ]

    assert sum(chances) / len(chances) == pytest.approx(DOUBT, rel=0.2)


def test_the_margin_is_never_less_than_that_of_many():
    assert [margin(count) for count in (40, 1000, 10**9)] == [MARGIN] * 3


def test_a_job_that_no_list_could_have_shown_earlier_does_not_say_how_slow_lists_are():
    calibration = seen_after(10.0)
    calibration.accepted("long", 200.0)
    calibration.listed({"long"}, set(), 900.0)

    assert calibration.learned.longest_delay == 10.0


def test_jobs_that_were_first_listed_late_do_not_prove_that_lists_are_quick():
    """They may have shown at once, or just now: nobody looked."""
    assert seen_after(500.0, jobs=50).learned.visibility_timeout(None) == inf


def test_it_is_never_less_than_a_minute():
    assert seen_after(0.1).learned.visibility_timeout(None) == 60.0


def test_four_jobs_prove_nothing():
    assert seen_after(0.1, jobs=4).learned.visibility_timeout(None) == inf


def test_where_running_jobs_do_not_show_the_longest_job_counts_with_a_margin():
    learned = ended_unseen(MANY, 600.0).learned

    assert learned.listed is False
    assert learned.visibility_timeout(None) == 1800.0


def test_a_few_ended_jobs_do_not_say_how_long_one_may_take():
    assert ended_unseen(4, 600.0).learned.visibility_timeout(None) == inf


def test_a_job_that_was_listed_only_when_it_had_finished_is_no_proof_that_running_ones_are():
    calibration = Calibration()
    for number in range(9):
        calibration.accepted(str(number), 0.0)
    calibration.listed(set(), {str(number) for number in range(9)}, 60.0)

    assert calibration.learned.seen == 0


def test_a_young_job_that_is_absent_says_nothing():
    calibration = Calibration()
    for number in range(9):
        calibration.accepted(str(number), 0.0)
    calibration.listed(set(), set(), 5.0)
    for number in range(9):
        calibration.ended(str(number), well=True)

    assert calibration.learned.unseen == 0


def test_one_contradiction_in_ten_makes_the_list_untrustworthy():
    calibration = seen_after(1.0, jobs=10)
    calibration.accepted("absent", 0.0)
    calibration.listed(set(), set(), 500.0)
    calibration.ended("absent", well=True)

    assert calibration.learned.listed is None


def test_curiosity_ends_when_the_verdict_is_known():
    calibration = Calibration()
    calibration.accepted("a", 0.0)
    assert calibration.curious

    assert not seen_after(1.0).curious


def test_a_job_that_a_list_did_not_show_is_waited_for_even_when_the_quick_ones_have_shown():
    calibration = Calibration()
    for number in range(MANY):
        calibration.accepted(str(number), 0.0)
    calibration.listed({str(number) for number in range(1, MANY)}, set(), 10.0)
    assert calibration.learned.listed
    assert calibration.curious

    calibration.listed({"0"}, set(), 70.0)

    assert not calibration.curious
    assert calibration.learned.visibility_timeout(None) == 210.0


def test_the_usual_delay_is_what_the_quickest_prove_unless_a_list_missed_an_older_one():
    calibration = Calibration()
    for number in range(9):
        calibration.accepted(str(number), float(number))
    assert calibration.usual_delay is None

    calibration.listed({str(number) for number in range(9)}, set(), 10.0)
    assert calibration.usual_delay == 6.0

    calibration.accepted("late", 20.0)
    calibration.listed(set(), set(), 30.0)
    assert calibration.usual_delay == 10.0


def test_a_running_job_that_lists_do_not_show_now_makes_the_settle_time_grow_at_once():
    calibration = seen_after(10.0, jobs=40)
    assert calibration.visibility_timeout(None, NOW, -inf) == 60.0
    calibration.accepted("slow", 1000.0)
    calibration.listed(set(), set(), 1200.0)
    assert calibration.visibility_timeout(None, NOW, -inf) == 600.0

    calibration.ended("slow", well=True)

    assert calibration.visibility_timeout(None, NOW, -inf) == 60.0


def test_a_job_of_an_earlier_run_tells_no_delay_but_bounds_how_long_a_job_may_take():
    calibration = seen_after(10.0, MANY)
    before = calibration.learned
    calibration.resumed("old", 0.0, ended=False)
    calibration.listed(set(), set(), 5000.0)
    assert calibration.visibility_timeout(None, NOW, -inf) == 15000.0

    calibration.ended("old", well=True)
    calibration.shown("old", 90_000.0)

    assert calibration.learned == replace(before, ended=before.ended + 1, longest_job=90_000.0)
    assert calibration.visibility_timeout(None, NOW, -inf) == 60.0


def test_a_job_that_has_ended_says_how_long_one_may_take_only_when_its_image_was_listed():
    calibration = Calibration()
    for number in range(MANY):
        calibration.accepted(str(number), 0.0)
    calibration.listed(set(), set(), 40.0)
    for number in range(MANY):
        calibration.ended(str(number), well=True)
    assert calibration.visibility_timeout(None, NOW, -inf) == inf

    for number in range(MANY):
        calibration.shown(str(number), 90.0)

    assert calibration.visibility_timeout(None, NOW, -inf) == 270.0


def test_a_job_that_failed_need_never_have_been_listed():
    calibration = Calibration()
    for number in range(9):
        calibration.accepted(str(number), 0.0)
    calibration.listed(set(), set(), 500.0)
    for number in range(9):
        calibration.ended(str(number), well=False)

    assert calibration.learned == VisibilityDelays()


def test_while_jobs_run_that_are_older_than_any_that_ended_those_that_ended_say_little():
    """The first forty of a hundred to end are the short ones."""
    calibration = ended_unseen(MANY, 80.0)
    calibration.listed(set(), set(), 230.0)
    assert calibration.visibility_timeout(None, 240.0, -inf) == 240.0
    calibration.accepted("long", 0.0)

    assert calibration.visibility_timeout(None, 240.0, -inf) == 720.0

    calibration.forget("long")
    assert calibration.visibility_timeout(None, 240.0, -inf) == 240.0


def test_nothing_learned_counts_while_nobody_looks():
    calibration = Calibration(seen_after(10.0, MANY).learned)
    assert calibration.visibility_timeout(None, 1000.0, -inf) == inf

    calibration.listed(set(), set(), 1000.0)

    assert calibration.visibility_timeout(None, 1060.0, -inf) == 60.0
    assert calibration.visibility_timeout(None, 1061.0, -inf) == inf
    assert calibration.visibility_timeout(7.0, 1061.0, -inf) == 7.0


def test_an_image_that_was_missed_even_after_its_job_had_ended_says_how_slow_lists_are():
    calibration = seen_after(10.0, jobs=40)
    calibration.accepted("slow", 100.0)
    calibration.listed(set(), set(), 120.0)
    calibration.ended("slow", well=True)
    calibration.shown("slow", 440.0)

    assert calibration.learned.longest_delay == 340.0


def test_an_image_that_is_missed_after_its_job_makes_the_settle_time_grow_at_once():
    calibration = seen_after(10.0, jobs=40)
    calibration.resumed("verifying", 0.0, ended=True)
    calibration.listed(set(), set(), 200.0)
    assert calibration.visibility_timeout(None, 200.0, -inf) == 60.0

    calibration.unlisted("verifying", 200.0)

    assert calibration.visibility_timeout(None, 200.0, -inf) == 600.0


@pytest.mark.parametrize("fixed", [None, 10.0])
def test_while_a_comparable_job_runs_unlisted_nothing_is_given_up_whatever_was_learned(fixed):
    calibration = ended_unseen(40, 600.0)
    calibration.accepted("running", 5000.0)
    calibration.listed(set(), set(), 9000.0)

    assert calibration.visibility_timeout(fixed, 9000.0, 4990.0) == inf
    assert calibration.visibility_timeout(fixed, 9000.0, 4000.0) < inf


def test_a_job_that_lists_missed_is_waited_for_until_it_is_shown_sent_anew_or_over():
    def missed() -> Calibration:
        calibration = seen_after(1.0)
        calibration.accepted("x", 200.0)
        calibration.listed(set(), set(), 210.0)
        assert calibration.curious
        assert calibration.missing == 10.0
        return calibration

    shown, anew, over, forgotten = missed(), missed(), missed(), missed()
    shown.listed({"x"}, set(), 215.0)
    anew.accepted("x", 220.0)
    over.ended("x", well=False)
    forgotten.forget("x")

    for calibration in (shown, anew, over, forgotten):
        assert not calibration.curious
        assert calibration.missing == 0.0
