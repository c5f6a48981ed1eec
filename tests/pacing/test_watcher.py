"""What follows from events and states: who is told of what, once."""

import pytest
from msgspec.structs import replace

from migrator.domain.cloud import Fault
from migrator.domain.notify import NotifyOn, Receiver
from migrator.domain.plan import Plan, Policy, Wave
from migrator.domain.units import Threshold
from migrator.pacing.watcher import GATHER, Watcher, unsaid
from migrator.workflow.events import (
    AttemptBegan,
    AttemptHeld,
    AttemptThrottled,
    AttemptUnknown,
    Event,
    ImageEvent,
    ImagePlanned,
    ImageReopened,
    ImageVerified,
    JobAccepted,
    JobFailed,
    JobProgressed,
    JobSucceeded,
    NotificationOwed,
    RunBegan,
    RunEnded,
)
from migrator.workflow.ledger import Ledger, fold
from migrator.workflow.verdict import Ending
from migrator.workflow.waves import Gate
from tests.examples import a_plan

FAULT = Fault(message="no")
OPEN = Gate(open=frozenset({0, 1}), possible=frozenset({0, 1}))


def planned(count: int, *, waves: int = 0, policy: Policy | None = None) -> Plan:
    """A plan of web-1 and so on, the first `waves` of them in wave "pilot" and the others in "rest"."""
    plan = a_plan(count, policy=policy or Policy())
    images = [
        replace(image, wave=("pilot" if index < waves else "rest") if waves else None)
        for index, image in enumerate(plan.images)
    ]
    receivers = (Receiver(name="ops", on=tuple(NotifyOn)), Receiver(name="boss", on=(NotifyOn.END,)))
    names = ("pilot", "rest") if waves else ()
    return plan.model_copy(
        update={
            "images": tuple(images),
            "waves": tuple(Wave(name=name) for name in names),
            "notify": receivers,
        }
    )


class Past:
    """A ledger, and a watcher that sees it grow."""

    def __init__(self, plan, *before: Event) -> None:
        self.plan = plan
        self.keys = [image.key for image in plan.images]
        listed = [ImagePlanned(at=0.0, key=one.key, image=one, digest="d") for one in plan.images]
        self.ledger: Ledger = fold([began("one", 0.0), *listed, *before])
        self.watcher = Watcher(plan, self.ledger, 0.0)

    def __call__(self, *events: ImageEvent, elapsed: float | None = None) -> list[NotificationOwed]:
        owed: list[NotificationOwed] = []
        for event in events:
            self.ledger.apply(event)
            owed += self.watcher.seen(
                event, self.ledger.states[event.key], event.at if elapsed is None else elapsed
            )
        return owed


def began(run: str, at: float) -> RunBegan:
    return RunBegan(at=at, run=run, version="0", host="h", pid=1)


def done(key: str, at: float) -> list[ImageEvent]:
    return [
        AttemptBegan(at=at, key=key, attempt=1, digest="d"),
        JobAccepted(at=at, key=key, job_id="j"),
        JobSucceeded(at=at, key=key, image_id="i"),
        ImageVerified(at=at, key=key, image_id="i"),
    ]


def failed(key: str, at: float) -> list[ImageEvent]:
    return [*done(key, at)[:2], JobFailed(at=at, key=key, fault=FAULT)]


def held(key: str, at: float) -> list[ImageEvent]:
    return [
        AttemptBegan(at=at, key=key, attempt=1, digest="d"),
        AttemptUnknown(at=at, key=key, fault=FAULT),
        AttemptHeld(at=at, key=key, fault=FAULT),
    ]


def kinds(owed: list[NotificationOwed]) -> list[str]:
    return [f"{one.on} {one.receiver}" for one in owed]


def test_begin_and_end_are_told_to_those_who_asked_for_them():
    past = Past(planned(3))

    first = past.watcher.begun(1.0, 3, killed=False)
    last = past.watcher.ended(9.0, Ending(reason="all images succeeded", exit_code=0))

    assert kinds(first) == ["begin ops"]
    assert first[0].text == "The run began: 3 of 3 images to do."
    assert kinds(last) == ["end ops", "end boss"]
    assert last[0].exit_code == 0
    assert last[0].id != last[1].id


def test_a_run_after_a_killed_one_says_so():
    (first,) = Past(planned(1)).watcher.begun(1.0, 1, killed=True)

    assert first.text.endswith("The run before it was killed.")


def test_a_wave_is_told_of_when_its_last_image_is_finished_however_that_ended():
    past = Past(planned(3, waves=2))
    one, two, three = past.keys

    assert past(*done(one, 5.0)) == []
    (owed,) = past(*failed(two, 6.0))

    assert (owed.on, owed.wave) == (NotifyOn.WAVE, "pilot")
    assert owed.text == "Wave pilot is finished: 1 of 2 images succeeded, 1 failed."
    assert (owed.counts.images, owed.counts.succeeded, owed.counts.failed) == (2, 1, 1)
    assert [one.wave for one in past(*done(three, 7.0))] == ["rest"]


def test_a_wave_that_is_finished_a_second_time_is_told_of_a_second_time():
    past = Past(planned(1, waves=1))
    (key,) = past.keys

    (first,) = past(*failed(key, 5.0))
    past(ImageReopened(at=6.0, key=key))
    (second,) = past(*done(key, 7.0))

    assert first.id != second.id


def test_too_many_failures_are_told_of_once():
    policy = Policy(max_failures=Threshold(count=1))
    past = Past(planned(4, policy=policy))

    owed = [kind for key in past.keys for kind in kinds(past(*failed(key, 5.0)))]

    assert owed == ["failed-threshold ops"]


def test_images_that_are_held_are_gathered_and_told_of_together():
    past = Past(planned(3))
    one, two, _ = past.keys
    assert past(*held(one, 0.0), *held(two, 1.0)) == []

    assert past.watcher.tick(1.0, GATHER - 1, OPEN)[0] == []
    ((owed,), _) = past.watcher.tick(2.0, GATHER, OPEN)

    assert owed.images == (one, two)
    assert owed.text.startswith("2 images wait for a person to decide whether they were imported")
    assert past.watcher.tick(3.0, 10 * GATHER, OPEN)[0] == []


def test_what_is_held_when_the_run_ends_is_told_of_before_its_end():
    past = Past(planned(2))
    past(*held(past.keys[0], 1.0))

    owed = past.watcher.ended(2.0, Ending(reason="r", exit_code=7))

    assert kinds(owed) == ["held ops", "end ops", "end boss"]


def stalls(past: Past, elapsed: float, gate: Gate | None = OPEN) -> list[str]:
    return kinds(past.watcher.tick(elapsed, elapsed, gate)[0])


def test_a_run_without_progress_is_told_of_once_until_it_comes_further_again():
    past = Past(planned(2))
    (key, _) = past.keys
    past(*done(key, 10.0)[:2], elapsed=10.0)

    assert stalls(past, 1809.0) == []
    assert stalls(past, 1810.0) == ["stalled ops"]
    assert stalls(past, 9000.0) == []
    past(JobProgressed(at=9000.0, key=key, progress=0.5), elapsed=9000.0)
    assert stalls(past, 9001.0) == []
    assert stalls(past, 10800.0) == ["stalled ops"]


def test_tries_that_lead_nowhere_are_no_progress():
    past = Past(planned(1))
    (key,) = past.keys
    began_ = AttemptBegan(at=1700.0, key=key, attempt=1, digest="d")
    past(began_, AttemptThrottled(at=1700.0, key=key, fault=FAULT), elapsed=1700.0)

    assert stalls(past, 1800.0) == ["stalled ops"]


def test_waiting_for_a_window_is_no_standstill():
    past = Past(planned(2, waves=1))
    past(*done(past.keys[0], 1.0), elapsed=1.0)
    closed = Gate(open=frozenset({0}), possible=frozenset({0, 1}), until=99_999.0)

    assert stalls(past, 50_000.0, closed) == []
    assert stalls(past, 51_000.0) == []
    assert stalls(past, 52_000.0) == ["stalled ops"]


def test_an_image_that_still_runs_may_stall_whatever_opens_later():
    past = Past(planned(2, waves=1))
    past(*done(past.keys[0], 1.0)[:2], elapsed=1.0)
    closed = Gate(open=frozenset({0}), possible=frozenset({0, 1}), until=99_999.0)

    assert stalls(past, 1801.0, closed) == ["stalled ops"]


def test_nothing_stalls_when_all_is_done():
    past = Past(planned(1))
    past(*done(past.keys[0], 1.0), elapsed=1.0)

    assert stalls(past, 9000.0) == []


def test_what_a_killed_run_did_not_come_to_say_is_owed_by_the_next_with_the_same_ids():
    plan = planned(4, waves=2, policy=Policy(max_failures=Threshold(count=1)))
    past = Past(plan)
    one, two, three, four = past.keys
    said = past(*failed(one, 5.0), *failed(two, 6.0))
    past(*held(three, 7.0))
    said += past.watcher.tick(40.0, 40.0, OPEN)[0]

    again = unsaid(plan, past.ledger, 100.0)

    assert sorted(kinds(again)) == ["failed-threshold ops", "held ops", "wave ops"]
    assert {one.id for one in again} == {one.id for one in said}
    for event in said:
        past.ledger.apply(event)
    assert unsaid(plan, past.ledger, 100.0) == []
    assert four in past.ledger.states


def test_failures_of_an_earlier_run_are_not_held_against_the_one_that_was_killed():
    plan = planned(3, policy=Policy(max_failures=Threshold(count=1)))
    past = Past(plan)
    past(*failed(past.keys[0], 5.0), *failed(past.keys[1], 5.0))
    past.ledger.apply(RunEnded(at=6.0, run="one", reason="r", exit_code=5))
    past.ledger.apply(began("two", 7.0))

    assert unsaid(plan, past.ledger, 9.0) == []


def test_held_images_that_an_earlier_run_told_of_are_not_told_of_again():
    plan = planned(2)
    past = Past(plan)
    past(*held(past.keys[0], 5.0))
    for event in past.watcher.tick(40.0, 40.0, OPEN)[0]:
        past.ledger.apply(event)
    past.ledger.apply(RunEnded(at=50.0, run="one", reason="r", exit_code=7))
    past.ledger.apply(began("two", 60.0))
    past(*held(past.keys[1], 61.0))

    (owed,) = unsaid(plan, past.ledger, 70.0)

    assert owed.images == (past.keys[1],)


@pytest.mark.parametrize("when", ["it ended in good order", "it was earlier"])
def test_nothing_old_is_told_to_a_new_receiver(when):
    plan = planned(2, waves=1)
    past = Past(plan)
    past(*done(past.keys[0], 5.0))
    past.ledger.apply(RunEnded(at=6.0, run="one", reason="r", exit_code=7))
    if when == "it was earlier":
        past.ledger.apply(began("two", 7.0))

    assert unsaid(plan, past.ledger, 9.0) == []
