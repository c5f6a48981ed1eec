"""What a target's own jobs teach about how long an empty look-up proves nothing."""

from migrator.core.settle import Calibration, Learned


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
        calibration.ended(str(number), seconds)
    return calibration


def test_while_nothing_is_known_an_hour_must_pass():
    assert Learned().settle(None) == 3600.0


def test_a_fixed_duration_overrides_what_was_learned():
    assert seen_after(500.0).learned.settle(7.0) == 7.0


def test_where_running_jobs_show_a_few_times_the_longest_delay_is_enough():
    assert seen_after(50.0).learned.settle(None) == 150.0


def test_it_is_never_less_than_a_minute():
    assert seen_after(0.1).learned.settle(None) == 60.0


def test_four_jobs_prove_nothing():
    assert seen_after(0.1, jobs=4).learned.settle(None) == 3600.0


def test_where_running_jobs_do_not_show_the_longest_job_counts_with_a_margin():
    learned = ended_unseen(20, 600.0).learned

    assert learned.listed is False
    assert learned.settle(None) == 1800.0


def test_a_few_ended_jobs_do_not_say_how_long_one_may_take():
    assert ended_unseen(19, 600.0).learned.settle(None) == 3600.0


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
        calibration.ended(str(number), 50.0)

    assert calibration.learned.unseen == 0


def test_one_contradiction_in_ten_makes_the_list_untrustworthy():
    calibration = seen_after(1.0, jobs=10)
    calibration.accepted("absent", 0.0)
    calibration.listed(set(), set(), 500.0)
    calibration.ended("absent", 600.0)

    assert calibration.learned.listed is None


def test_curiosity_ends_when_the_verdict_is_known():
    calibration = Calibration()
    calibration.accepted("a", 0.0)
    assert calibration.curious

    assert not seen_after(1.0).curious
