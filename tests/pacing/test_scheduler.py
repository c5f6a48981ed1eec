"""Whose turn it is."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.plan import Limits, Policy
from migrator.domain.units import Rate, Threshold
from migrator.pacing.scheduler import Idle, Scheduler, WorkItem, too_many_failures
from migrator.workflow.transitions import Step

FAST = Limits(
    submit_rate=Rate(count=1000, unit="s"),
    submit_burst=1000,
    query_rate=Rate(count=1000, unit="s"),
    query_burst=1000,
    max_requests=100,
)


def turns(scheduler: Scheduler, now: float) -> list[WorkItem]:
    """Every turn that may begin at `now`."""
    taken = []
    while isinstance(item := scheduler.next(now), WorkItem):
        taken.append(item)
    return taken


def test_images_are_submitted_in_the_order_in_which_they_were_put_in_line():
    scheduler = Scheduler(FAST, ["b", "a", "c"], 0.0)

    assert [item.keys for item in turns(scheduler, 0.0)] == [("b",), ("a",), ("c",)]


def test_an_image_put_back_keeps_its_place_but_not_before_its_time():
    scheduler = Scheduler(FAST.model_copy(update={"max_jobs": 1}), ["a", "b", "c"], 0.0)
    scheduler.next(0.0)
    scheduler.in_cloud.discard("a")
    scheduler.again("a", 5.0)
    assert scheduler.next(1.0) == WorkItem(Step.SUBMIT, ("b",))
    scheduler.in_cloud.discard("b")

    assert scheduler.next(6.0) == WorkItem(Step.SUBMIT, ("a",))


@given(job_limit=st.integers(1, 30), count=st.integers(0, 60))
def test_no_more_images_are_in_the_cloud_than_the_window_holds(job_limit, count):
    scheduler = Scheduler(
        FAST.model_copy(update={"max_jobs": job_limit}), [str(n) for n in range(count)], 0.0
    )

    begun = turns(scheduler, 0.0)

    assert len(begun) == min(job_limit, count)
    assert scheduler.waiting == count - len(begun)


def test_a_closed_agenda_submits_nothing_and_still_asks():
    scheduler = Scheduler(FAST, ["a"], 0.0)
    scheduler.open = False
    scheduler.ask("b", Step.POLL, 1.0)

    assert [item.keys for item in turns(scheduler, 2.0)] == [("b",)]


def test_questions_are_asked_in_the_order_in_which_they_were_due():
    slow = FAST.model_copy(update={"query_rate": Rate(count=1, unit="s"), "query_burst": 1})
    scheduler = Scheduler(slow, [], 0.0)
    for key, due in [("late", 3.0), ("early", 1.0), ("middle", 2.0)]:
        scheduler.ask(key, Step.POLL, due)
    order = []
    for second in range(10, 14):
        order += [key for item in turns(scheduler, float(second)) for key in item.keys]

    assert order == ["early", "middle", "late"]


def test_look_ups_that_are_due_share_one_list_and_others_wait_for_their_own_time():
    scheduler = Scheduler(FAST, [], 0.0)
    for number in range(5):
        scheduler.ask(f"now-{number}", Step.LOOK_UP, 1.0)
    scheduler.ask("later", Step.LOOK_UP, 9.0)

    first = scheduler.next(1.0)

    assert isinstance(first, WorkItem)
    assert len(first.keys) == 5
    scheduler.ended(first)
    assert scheduler.next(1.0) == Idle(8.0)


def test_who_comes_due_while_a_list_is_read_waits_for_the_next_one():
    scheduler = Scheduler(FAST, [], 0.0)
    for key in ("a", "b"):
        scheduler.ask(key, Step.VERIFY, 1.0)
    listing = scheduler.next(1.0)
    assert isinstance(listing, WorkItem)
    scheduler.ask("c", Step.VERIFY, 2.0)
    scheduler.ask("d", Step.VERIFY, 2.0)

    assert scheduler.next(2.0) == Idle(inf)
    scheduler.ended(listing)

    assert scheduler.next(2.0) == WorkItem(Step.VERIFY, ("c", "d"))


def test_other_questions_do_not_wait_for_a_list():
    scheduler = Scheduler(FAST, [], 0.0)
    for key in ("a", "b"):
        scheduler.ask(key, Step.VERIFY, 1.0)
    scheduler.next(1.0)
    scheduler.ask("c", Step.POLL, 2.0)

    assert scheduler.next(2.0) == WorkItem(Step.POLL, ("c",))


def test_a_list_that_is_read_may_answer_for_those_who_came_due_meanwhile():
    scheduler = Scheduler(FAST, [], 0.0)
    for key, due in [("a", 1.0), ("b", 1.0), ("c", 2.0), ("d", 2.0), ("later", 9.0), ("d", 3.0)]:
        scheduler.ask(key, Step.VERIFY, due)
    scheduler.ask("poll", Step.POLL, 1.5)
    listing = scheduler.next(1.0)
    assert isinstance(listing, WorkItem)

    assert scheduler.joining(Step.VERIFY, 3.0) == ("c", "d")

    scheduler.ended(listing)
    assert [item.keys for item in turns(scheduler, 9.0)] == [("poll",), ("later",)]


@pytest.mark.parametrize("step", [Step.VERIFY, Step.LOOK_UP])
def test_a_long_list_is_not_read_for_a_few_images(step):
    scheduler = Scheduler(FAST, [], 0.0)
    if step is Step.VERIFY:
        scheduler.recent_pages = 10
    else:
        scheduler.list_pages = 10
    for number in range(5):
        scheduler.ask(str(number), step, 1.0)

    assert [len(item.keys) for item in turns(scheduler, 1.0)] == [1, 1, 1, 1, 1]


def test_lists_that_fail_in_a_row_leave_room_for_one_image_by_itself():
    scheduler = Scheduler(FAST, [], 0.0)

    def asked() -> int:
        for number in range(5):
            scheduler.ask(str(number), Step.VERIFY, 0.0)
        item = scheduler.next(1.0)
        assert isinstance(item, WorkItem)
        if item.shared:
            scheduler.list_ended(item.step, well=False)
        scheduler.ended(item)
        return len(item.keys)

    assert [asked() for _ in range(8)] == [5, 5, 5, 1, 5, 5, 5, 1]

    scheduler.list_ended(Step.VERIFY, well=True)
    assert [asked() for _ in range(3)] == [5, 5, 5]


def test_what_was_imported_long_ago_makes_no_list_longer_that_verifies():
    scheduler = Scheduler(FAST, [], 0.0)
    scheduler.list_pages = 10
    for number in range(5):
        scheduler.ask(str(number), Step.VERIFY, 1.0)

    assert [len(item.keys) for item in turns(scheduler, 1.0)] == [5]


def test_polls_leave_one_request_slot_to_submissions():
    scheduler = Scheduler(FAST.model_copy(update={"max_requests": 4}), ["a"], 0.0)
    scheduler.open = False
    for number in range(9):
        scheduler.ask(str(number), Step.POLL, 0.0)

    assert len(turns(scheduler, 1.0)) == 3
    scheduler.open = True
    assert scheduler.next(1.0) == WorkItem(Step.SUBMIT, ("a",))


def test_a_turn_whose_answer_is_being_written_down_leaves_its_place_to_another_once():
    scheduler = Scheduler(FAST.model_copy(update={"max_requests": 2}), ["a", "b", "c", "d"], 0.0)
    first, second = turns(scheduler, 0.0)
    assert scheduler.next(0.0) == Idle(inf)

    scheduler.answered(first)

    assert [item.keys for item in turns(scheduler, 0.0)] == [("c",)]
    scheduler.ended(first)
    assert scheduler.next(0.0) == Idle(inf)
    assert scheduler.busy == 2
    scheduler.ended(second)
    assert [item.keys for item in turns(scheduler, 0.0)] == [("d",)]


def test_an_agenda_is_over_when_nothing_is_under_way_and_nothing_will_be():
    scheduler = Scheduler(FAST, ["a"], 0.0)
    assert not scheduler.over
    (item,) = turns(scheduler, 0.0)
    assert not scheduler.over
    scheduler.ended(item)

    assert scheduler.over
    assert scheduler.next(0.0) == Idle(inf)


def test_images_that_need_no_submission_leave_the_line():
    scheduler = Scheduler(FAST, ["a", "b", "c"], 0.0)
    scheduler.withdraw({"b"})

    assert [item.keys for item in turns(scheduler, 0.0)] == [("a",), ("c",)]


@pytest.mark.parametrize(
    ("limit", "failed", "finished", "stops"),
    [
        pytest.param(
            Threshold(fraction=0.05), 10, 19, False, id="a percentage never fires before the sample"
        ),
        pytest.param(Threshold(fraction=0.05), 1, 20, False, id="exactly the percentage is allowed"),
        pytest.param(Threshold(fraction=0.05), 2, 20, True, id="more than the percentage is not"),
        pytest.param(Threshold(count=3), 3, 3, False, id="exactly the count is allowed"),
        pytest.param(Threshold(count=3), 4, 4, True, id="more than the count is not, sample or not"),
        pytest.param(Threshold(count=0), 0, 100, False, id="none failed"),
        pytest.param(Threshold(count=0), 1, 100, True, id="none allowed"),
    ],
)
def test_the_failure_threshold(limit, failed, finished, stops):
    assert too_many_failures(Policy(max_failures=limit), failed=failed, finished=finished) is stops
