"""What the one who tells of a plan of workers owes when it begins, from what all targets have recorded."""

from msgspec.structs import replace

from migrator.cli.handing_over import document
from migrator.cli.options import Options
from migrator.cli.telling import cannot_tell, owed_so_far
from migrator.domain.cloud import Fault
from migrator.domain.notify import NotifyOn, Receiver
from migrator.domain.plan import Wave
from migrator.workflow.events import (
    AttemptBegan,
    AttemptRejected,
    Event,
    ImagePlanned,
    ImageVerified,
    JobAccepted,
    JobSucceeded,
    NotificationOwed,
    RunBegan,
)
from migrator.workflow.ledger import fold
from tests.examples import a_plan

OPS = Receiver(name="ops", exec=("true",), on=(NotifyOn.BEGIN, NotifyOn.WAVE, NotifyOn.END))
PLAIN = a_plan(2, notify=(OPS,), waves=(Wave(name="pilot"),))
PLAN = PLAIN.model_copy(update={"images": tuple(replace(one, wave="pilot") for one in PLAIN.images)})
BEGAN = RunBegan(at=1.0, run="r", version="0", host="h", pid=1)
NOBODY: frozenset[str] = frozenset()
NORTH = frozenset({"north"})


def listed() -> list[Event]:
    return [ImagePlanned(at=1.0, key=one.key, image=one, digest="d") for one in PLAN.images]


def imported(key: str) -> list[Event]:
    return [
        AttemptBegan(at=2.0, key=key, attempt=1, digest="d"),
        JobAccepted(at=3.0, key=key, job_id="j"),
        JobSucceeded(at=4.0, key=key, image_id="i"),
        ImageVerified(at=5.0, key=key, image_id="i"),
    ]


def owed(
    *events: Event, begun: frozenset[str] = NOBODY, retry_failed: bool = False
) -> list[NotificationOwed]:
    given = Options(retry_failed=retry_failed)
    _, found = owed_so_far(PLAN, given, fold([BEGAN, *events]), begun, 10.0, 0.0)
    return found


def test_images_that_no_target_has_recorded_yet_are_counted_as_the_plan_has_them():
    (begin,) = owed()

    assert (begin.on, begin.counts.images) == (NotifyOn.BEGIN, 2)
    assert begin.text == "The run began: 2 of 2 images to do."


def test_what_one_who_died_did_not_come_to_say_is_owed_and_what_it_said_is_not_owed_again():
    done = [*listed(), *(event for one in PLAN.images for event in imported(one.key))]
    (begin,) = owed()

    after = owed(begin, *done, begun=NORTH)

    assert [(one.on, one.wave) for one in after] == [(NotifyOn.WAVE, "pilot")]
    assert owed(begin, *done, *after, begun=NORTH) == []


def test_a_plan_that_only_a_newer_program_reads_is_left_to_workers_that_can():
    text = document(PLAN, Options())
    newer = text.replace('\\"name\\":', '\\"called\\":', 1)

    assert cannot_tell(text, {}) == []
    (why,) = cannot_tell(newer, {})

    assert why.startswith("the plan was handed over by migrator")


def test_failed_images_are_to_be_done_once_more_until_their_target_has_begun_with_it():
    key, other = (one.key for one in PLAN.images)
    fault = Fault(code="MIG.x", message="no")
    failed = [*listed(), *imported(other), *imported(key)[:1], AttemptRejected(at=3.0, key=key, fault=fault)]

    assert "1 of 2 images to do" in owed(*failed, retry_failed=True)[0].text
    assert "0 of 2 images to do" in owed(*failed, retry_failed=True, begun=NORTH)[0].text
