"""When one receiver is tried next."""

import random
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.notify import NotifyOn, Sent
from migrator.pacing.outbox import RETRY, SPACING, Outbox
from migrator.pacing.scheduler import Idle
from migrator.workflow.events import Counts, NotificationOwed

GONE, REFUSED, TAKEN = Sent(failure="gone"), Sent(failure="no", refused=True), Sent()


def owed(id_: str) -> NotificationOwed:
    return NotificationOwed(
        at=0.0, id=id_, receiver="ops", on=NotifyOn.END, run="r", counts=Counts(images=1), text="t"
    )


def box(*ids: str) -> Outbox:
    found = Outbox(random.Random(3))
    for id_ in ids:
        found.add(owed(id_))
    return found


def next_id(found: Outbox, now: float) -> str | None:
    due = found.next(now)
    return None if isinstance(due, Idle) else due.id


def test_the_oldest_goes_first_and_nothing_is_sent_twice():
    found = box("a", "b", "a")

    assert (len(found), next_id(found, 0.0)) == (2, "a")
    found.tried("a", TAKEN, 0.0)
    found.tried("b", TAKEN, 0.0)
    assert (len(found), found.next(0.0)) == (0, Idle(inf))


def test_where_the_receiver_is_not_there_everything_waits_and_nothing_is_lost():
    found = box("a", "b")

    found.tried("a", GONE, 0.0)

    due = found.next(0.0)
    assert isinstance(due, Idle)
    assert 0 < due.seconds <= RETRY.base
    assert next_id(found, due.seconds) == "a"


def test_a_message_that_is_refused_does_not_keep_the_others():
    found = box("a", "b")

    found.tried("a", REFUSED, 0.0)
    found.tried("a", REFUSED, 60.0)
    found.tried("a", REFUSED, 120.0)

    assert found.next(120.0) == Idle(SPACING)
    assert next_id(found, 120.0 + SPACING) == "b"
    found.tried("b", TAKEN, 121.0)
    due = found.next(121.0)
    assert isinstance(due, Idle)
    assert next_id(found, 121.0 + due.seconds) == "a"


@given(st.integers(0, 2**32), st.lists(st.booleans(), max_size=60))
def test_no_pause_is_longer_than_the_cap(seed, refusals):
    found = Outbox(random.Random(seed))
    found.add(owed("a"))
    now = 0.0
    for refused in refusals:
        found.tried("a", REFUSED if refused else GONE, now)
        due = found.next(now)
        if isinstance(due, Idle):
            assert due.seconds <= RETRY.cap
            now += due.seconds


def test_the_pauses_grow_while_nobody_answers():
    found, now, pauses = box("a"), 0.0, []
    for _ in range(200):
        found.tried("a", GONE, now)
        due = found.next(now)
        assert isinstance(due, Idle)
        pauses.append(due.seconds)
        now += due.seconds

    assert max(pauses[:2]) <= 2 * RETRY.base
    assert sum(pauses[100:]) / 100 > RETRY.cap / 3


def test_a_receiver_that_cannot_be_reached_whatever_happens_is_left_to_the_next_run_with_all_it_is_owed():
    found = box("a", "b")

    assert not found.settled
    found.tried("a", Sent(failure="its variable is not set", hopeless=True), 0.0)
    found.hurry()

    assert (found.settled, len(found)) == (True, 2)
    assert found.next(1e9) == Idle(inf)


def test_at_the_end_everything_is_tried_once_more_without_the_pauses_so_far():
    found = box("a", "b")
    found.tried("a", REFUSED, 0.0)
    for _ in range(9):
        found.tried("b", GONE, 0.0)

    found.hurry()

    assert next_id(found, 0.0) == "a"
