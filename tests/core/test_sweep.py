"""Lists as hints: believed when they announced ends, given up when they did not."""

from migrator.core.sweep import Hints


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
    assert hints.next_sweep(blind=100, pages=1, shortest=5.0) is None


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


def test_a_list_is_worth_its_requests_only_for_many_blind_jobs():
    hints = Hints()

    assert hints.next_sweep(blind=5, pages=2, shortest=5.0) is None
    assert hints.next_sweep(blind=6, pages=2, shortest=5.0) == 15.0
