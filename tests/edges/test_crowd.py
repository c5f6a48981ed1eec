"""How long a commit waits for company."""

from migrator.edges.journal.crowd import TRIAL_EVERY, Crowd


def after(*commits: int) -> Crowd:
    """A crowd that sent commits with so many callers each, the first of which is a trial."""
    crowd = Crowd()
    for waiting in commits:
        crowd.sent(waiting)
    return crowd


def test_callers_in_lockstep_do_not_wait_once_all_are_back():
    crowd = after(64)

    assert not crowd.complete(63)
    assert crowd.complete(64)


def test_a_lone_caller_does_not_wait():
    assert after(1).complete(1)


def test_fewer_than_usual_are_waited_for_less_and_less():
    crowd = after(64, *[3] * 11)

    assert crowd.complete(4)


def test_one_dip_is_not_taken_for_the_rule():
    assert not after(64, 3).complete(40)


def test_now_and_then_a_commit_waits_to_the_end_to_see_whether_more_come():
    patient = [count for count in range(2 * TRIAL_EVERY + 1) if not after(*[5] * count).complete(5)]

    assert patient == [0, TRIAL_EVERY, 2 * TRIAL_EVERY]
