"""Whose turn it is."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.core.lifecycle import Step
from migrator.core.schedule import Agenda, Rest, Turn, too_many_failures
from migrator.model import Limits, Policy, Rate, Share

FAST = Limits(
    submit_rate=Rate(count=1000, unit="s"),
    submit_burst=1000,
    query_rate=Rate(count=1000, unit="s"),
    query_burst=1000,
    max_requests=100,
)


def turns(agenda: Agenda, now: float) -> list[Turn]:
    """Every turn that may begin at `now`."""
    taken = []
    while isinstance(turn := agenda.next(now), Turn):
        taken.append(turn)
    return taken


def test_images_are_submitted_in_the_order_in_which_they_were_put_in_line():
    agenda = Agenda(FAST, ["b", "a", "c"], 0.0)

    assert [turn.keys for turn in turns(agenda, 0.0)] == [("b",), ("a",), ("c",)]


def test_an_image_put_back_keeps_its_place_but_not_before_its_time():
    agenda = Agenda(FAST.model_copy(update={"max_jobs": 1}), ["a", "b", "c"], 0.0)
    agenda.next(0.0)
    agenda.in_cloud.discard("a")
    agenda.again("a", 5.0)
    assert agenda.next(1.0) == Turn(Step.SUBMIT, ("b",))
    agenda.in_cloud.discard("b")

    assert agenda.next(6.0) == Turn(Step.SUBMIT, ("a",))


@given(window=st.integers(1, 30), count=st.integers(0, 60))
def test_no_more_images_are_in_the_cloud_than_the_window_holds(window, count):
    agenda = Agenda(FAST.model_copy(update={"max_jobs": window}), [str(n) for n in range(count)], 0.0)

    begun = turns(agenda, 0.0)

    assert len(begun) == min(window, count)
    assert agenda.waiting == count - len(begun)


def test_a_closed_agenda_submits_nothing_and_still_asks():
    agenda = Agenda(FAST, ["a"], 0.0)
    agenda.open = False
    agenda.ask("b", Step.POLL, 1.0)

    assert [turn.keys for turn in turns(agenda, 2.0)] == [("b",)]


def test_questions_are_asked_in_the_order_in_which_they_were_due():
    slow = FAST.model_copy(update={"query_rate": Rate(count=1, unit="s"), "query_burst": 1})
    agenda = Agenda(slow, [], 0.0)
    for key, due in [("late", 3.0), ("early", 1.0), ("middle", 2.0)]:
        agenda.ask(key, Step.POLL, due)
    order = []
    for second in range(10, 14):
        order += [key for turn in turns(agenda, float(second)) for key in turn.keys]

    assert order == ["early", "middle", "late"]


def test_look_ups_that_are_due_share_one_list_and_others_wait_for_their_own_time():
    agenda = Agenda(FAST, [], 0.0)
    for number in range(5):
        agenda.ask(f"now-{number}", Step.LOOK_UP, 1.0)
    agenda.ask("later", Step.LOOK_UP, 9.0)

    first = agenda.next(1.0)

    assert isinstance(first, Turn)
    assert len(first.keys) == 5
    agenda.ended(first)
    assert agenda.next(1.0) == Rest(8.0)


def test_who_comes_due_while_a_list_is_read_waits_for_the_next_one():
    agenda = Agenda(FAST, [], 0.0)
    for key in ("a", "b"):
        agenda.ask(key, Step.VERIFY, 1.0)
    listing = agenda.next(1.0)
    assert isinstance(listing, Turn)
    agenda.ask("c", Step.VERIFY, 2.0)
    agenda.ask("d", Step.VERIFY, 2.0)

    assert agenda.next(2.0) == Rest(inf)
    agenda.ended(listing)

    assert agenda.next(2.0) == Turn(Step.VERIFY, ("c", "d"))


def test_other_questions_do_not_wait_for_a_list():
    agenda = Agenda(FAST, [], 0.0)
    for key in ("a", "b"):
        agenda.ask(key, Step.VERIFY, 1.0)
    agenda.next(1.0)
    agenda.ask("c", Step.POLL, 2.0)

    assert agenda.next(2.0) == Turn(Step.POLL, ("c",))


def test_a_list_that_is_read_may_answer_for_those_who_came_due_meanwhile():
    agenda = Agenda(FAST, [], 0.0)
    for key, due in [("a", 1.0), ("b", 1.0), ("c", 2.0), ("d", 2.0), ("later", 9.0), ("d", 3.0)]:
        agenda.ask(key, Step.VERIFY, due)
    agenda.ask("poll", Step.POLL, 1.5)
    listing = agenda.next(1.0)
    assert isinstance(listing, Turn)

    assert agenda.joining(Step.VERIFY, 3.0) == ("c", "d")

    agenda.ended(listing)
    assert [turn.keys for turn in turns(agenda, 9.0)] == [("poll",), ("later",)]


def test_a_long_list_is_not_read_for_a_few_images():
    agenda = Agenda(FAST, [], 0.0)
    agenda.list_pages = 10
    for number in range(5):
        agenda.ask(str(number), Step.VERIFY, 1.0)

    assert [len(turn.keys) for turn in turns(agenda, 1.0)] == [1, 1, 1, 1, 1]


def test_polls_leave_one_request_slot_to_submissions():
    agenda = Agenda(FAST.model_copy(update={"max_requests": 4}), ["a"], 0.0)
    agenda.open = False
    for number in range(9):
        agenda.ask(str(number), Step.POLL, 0.0)

    assert len(turns(agenda, 1.0)) == 3
    agenda.open = True
    assert agenda.next(1.0) == Turn(Step.SUBMIT, ("a",))


def test_a_turn_whose_answer_is_being_written_down_leaves_its_place_to_another_once():
    agenda = Agenda(FAST.model_copy(update={"max_requests": 2}), ["a", "b", "c", "d"], 0.0)
    first, second = turns(agenda, 0.0)
    assert agenda.next(0.0) == Rest(inf)

    agenda.answered(first)

    assert [turn.keys for turn in turns(agenda, 0.0)] == [("c",)]
    agenda.ended(first)
    assert agenda.next(0.0) == Rest(inf)
    assert agenda.busy == 2
    agenda.ended(second)
    assert [turn.keys for turn in turns(agenda, 0.0)] == [("d",)]


def test_an_agenda_is_over_when_nothing_is_under_way_and_nothing_will_be():
    agenda = Agenda(FAST, ["a"], 0.0)
    assert not agenda.over
    (turn,) = turns(agenda, 0.0)
    assert not agenda.over
    agenda.ended(turn)

    assert agenda.over
    assert agenda.next(0.0) == Rest(inf)


def test_images_that_need_no_submission_leave_the_line():
    agenda = Agenda(FAST, ["a", "b", "c"], 0.0)
    agenda.withdraw({"b"})

    assert [turn.keys for turn in turns(agenda, 0.0)] == [("a",), ("c",)]


@pytest.mark.parametrize(
    ("limit", "failed", "finished", "stops"),
    [
        pytest.param(Share(fraction=0.05), 10, 19, False, id="a percentage never fires before the sample"),
        pytest.param(Share(fraction=0.05), 1, 20, False, id="exactly the percentage is allowed"),
        pytest.param(Share(fraction=0.05), 2, 20, True, id="more than the percentage is not"),
        pytest.param(Share(count=3), 3, 3, False, id="exactly the count is allowed"),
        pytest.param(Share(count=3), 4, 4, True, id="more than the count is not, sample or not"),
        pytest.param(Share(count=0), 0, 100, False, id="none failed"),
        pytest.param(Share(count=0), 1, 100, True, id="none allowed"),
    ],
)
def test_the_failure_threshold(limit, failed, finished, stops):
    assert too_many_failures(Policy(max_failures=limit), failed=failed, finished=finished) is stops
