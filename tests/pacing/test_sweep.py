"""Lists as hints: believed when they announced ends, given up when they did not."""

from migrator.pacing.sweep import Hints


def test_lists_that_announced_ends_are_trusted():
    hints = Hints()
    for number in range(5):
        hints.swept({str(number)}, 100.0)
        hints.ended(str(number), 99.0)

    assert hints.trusted
    assert not hints.useless


def test_lists_that_did_not_show_what_had_ended_are_given_up():
    hints = Hints()
    hints.swept(set(), 100.0)
    for number in range(5):
        hints.ended(str(number), 50.0)

    assert hints.useless
    assert hints.next_sweep(running=100, blind=100, pages=1, shortest=5.0, rate=10.0) is None


def test_an_end_after_the_list_says_nothing_about_it():
    hints = Hints()
    hints.swept(set(), 100.0)
    for number in range(9):
        hints.ended(str(number), 101.0)

    assert (hints.hits, hints.misses) == (0, 0)


def test_an_image_is_announced_once():
    hints = Hints()
    assert hints.swept({"a", "b"}, 1.0) == {"a", "b"}

    assert hints.swept({"a", "b", "c"}, 2.0) == {"c"}


def worth(running: int = 1, blind: int = 0, pages: int = 2, rate: float = 1.0) -> float | None:
    return Hints().next_sweep(running=running, blind=blind, pages=pages, shortest=5.0, rate=rate)


def test_where_questions_are_few_a_list_is_worth_its_requests_only_for_many_jobs():
    assert worth(running=5, blind=5) is None
    assert worth(running=6, blind=6) == 15.0
    assert worth(running=19) is None
    assert worth(running=20) == 15.0


def test_where_questions_are_plenty_a_short_list_is_read_however_few_jobs_run():
    assert worth(running=1, pages=7, rate=10.0) == 15.0
    assert worth(running=1, pages=8, rate=10.0) is None
    assert worth(running=0, pages=1, rate=10.0) is None


def test_once_trusted_lists_follow_each_other_closely_for_jobs_without_a_forecast():
    hints = Hints()
    for number in range(5):
        hints.swept({str(number)}, 100.0)
        hints.ended(str(number), 99.0)

    assert hints.next_sweep(running=9, blind=9, pages=2, shortest=5.0, rate=1.0) == 5.0


# --- How often, where jobs have forecasts ---------------------------------------------------------------


def after_lists(*unforeseen: bool) -> float | None:
    """Seconds until one more list after such ones, of many jobs with a forecast."""
    hints = Hints()
    for one in unforeseen:
        hints.announced(unforeseen=one)
    return hints.next_sweep(running=50, blind=0, pages=1, shortest=5.0, rate=1.0)


def test_lists_that_announce_nothing_but_what_was_foreseen_become_seldom():
    assert [after_lists(*[False] * count) for count in range(7)] == [15, 30, 60, 120, 240, 300, 300]


def test_a_list_that_announces_what_no_forecast_knew_is_soon_followed_by_another():
    assert after_lists(False, False, False, True) == 15.0


def test_jobs_without_a_forecast_are_watched_closely_however_seldom_lists_have_become():
    hints = Hints()
    for number in range(5):
        hints.swept({str(number)}, 100.0)
        hints.ended(str(number), 99.0)
        hints.announced(unforeseen=False)

    assert hints.watching(blind=9, pages=2)
    assert not hints.watching(blind=5, pages=2)
    assert hints.next_sweep(running=9, blind=9, pages=2, shortest=5.0, rate=1.0) == 5.0


def test_a_job_that_is_known_to_have_ended_is_not_announced():
    hints = Hints()
    hints.ended("a", None)
    assert hints.swept({"a"}, 1.0) == set()

    hints.forget("a")
    assert hints.swept({"a"}, 2.0) == {"a"}


def test_a_single_job_without_a_forecast_keeps_lists_from_becoming_seldom():
    hints = Hints()
    for _ in range(5):
        hints.announced(unforeseen=False)

    assert hints.next_sweep(running=50, blind=1, pages=1, shortest=5.0, rate=1.0) == 15.0
