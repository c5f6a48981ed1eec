"""What stands in the rows of a journal's file: pinned, so that files which are years old stay readable."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from migrator.domain.cloud import Fault
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.journal.codec import event_text, read_event
from migrator.journal.sqlite import database
from migrator.journal.sqlite.kinds import CODES
from migrator.journal.sqlite.location import SqliteLocation
from migrator.journal.sqlite.rows import (
    AttemptRow,
    Seldom,
    StateRow,
    body_of,
    event_of,
    planned_of,
    read_state_row,
    state_row,
)
from migrator.workflow.events import (
    EVENTS,
    AttemptBegan,
    Event,
    ImageEvent,
    ImagePlanned,
    ImageRemoved,
    ImageVerified,
    JobAccepted,
    JobSucceeded,
    RunEnded,
)
from migrator.workflow.ledger import Ledger, fold
from migrator.workflow.resume import digest
from migrator.workflow.states import Attempt, Outcome, Phase, State
from tests.journal.test_codec import WRITTEN
from tests.ledgers import histories

CODES_OF_VERSION_4 = [
    "ImagePlanned",
    "AttemptBegan",
    "JobAccepted",
    "JobProgressed",
    "JobSucceeded",
    "ImageVerified",
    "ImageRemoved",
    "AttemptRetryable",
    "AttemptThrottled",
    "AttemptRejected",
    "AttemptUnknown",
    "AttemptNotFound",
    "AttemptHeld",
    "ImageFound",
    "JobFailed",
    "DeadlinePassed",
    "JobReattached",
    "VerificationFailed",
    "ImageSkipped",
    "MigrationFailed",
    "ImageReopened",
    "JobRestored",
    "AttemptRestored",
    "StepBegan",
    "StepAccepted",
    "StepRefused",
    "StepUnknown",
    "StepNotFound",
    "StepMade",
    "StepDone",
    "StepFailed",
    "StepReopened",
    "RunBegan",
    "RunEnded",
    "TargetHalted",
    "VisibilityLearned",
    "NotificationOwed",
    "NotificationDelivered",
    "NotificationFailed",
    "NotificationDropped",
]
"""Each at its number, from 1 on. Only ever append; also to what follows."""

STATE_OF_VERSION_4 = [
    "phase",
    "attempts",
    "digest",
    "method",
    "method_why",
    "job_id",
    "image_id",
    "progress",
    "submitted_at",
    "job_ended_at",
    "finished_at",
    "seldom",
]
ATTEMPT_OF_VERSION_4 = ["number", "began_at", "outcome", "signed_at", "ended_at", "job_id", "fault", "final"]

JOB = "ff80808293eadee02e116d58c82cd537"
DONE = State(
    key="north/web",
    phase=Phase.SUCCEEDED,
    attempts=(Attempt(number=1, began_at=2.0, outcome=Outcome.ACCEPTED, ended_at=3.0, job_id=JOB),),
    digest="d1",
    job_id=JOB,
    image_id="i",
    progress=1.0,
    submitted_at=3.0,
    job_ended_at=4.0,
    finished_at=5.0,
)
DONE_AS_WRITTEN = bytes.fromhex(
    "9ba9737563636565646564919601cb4000000000000000a86163636570746564c0cb400800000000000000"
    "a26431a0a0d920" + JOB.encode().hex() + "a169cb3ff0000000000000cb4008000000000000cb4010000000000000"
    "cb4014000000000000"
)  # fmt: skip


# --- Numbers and order ----------------------------------------------------------------------------------


def test_a_number_is_never_given_to_another_kind_of_event():
    assert list(CODES.items())[: len(CODES_OF_VERSION_4)] == [
        (name, code) for code, name in enumerate(CODES_OF_VERSION_4, 1)
    ]
    assert len(set(CODES.values())) == len(CODES)


def test_every_event_has_a_number():
    assert set(CODES) == {kind.__name__ for kind in EVENTS}


def test_the_file_explains_its_numbers_itself(tmp_path):
    database.create(tmp_path / "journal.db", "1")

    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        assert dict(connection.execute("SELECT name, code FROM kinds").fetchall()) == CODES


def test_the_fields_of_a_state_stand_where_they_always_stood():
    assert list(StateRow.__struct_fields__) == STATE_OF_VERSION_4
    assert list(AttemptRow.__struct_fields__) == ATTEMPT_OF_VERSION_4
    assert state_row(DONE) == DONE_AS_WRITTEN
    assert read_state_row(DONE.key, DONE_AS_WRITTEN) == DONE


def test_no_field_of_a_state_is_left_out():
    usual = set(StateRow.__struct_fields__) - {"seldom"}
    assert usual | set(Seldom.__struct_fields__) == set(State.__struct_fields__) - {"key"}
    assert not usual & set(Seldom.__struct_fields__)
    assert set(AttemptRow.__struct_fields__) == set(Attempt.__struct_fields__)


# --- There and back -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["north/web", 'a",b', "\\", '\\"', 'x\\",', "数据", "two\nlines", "nul\0", "", ","]
)
def test_an_event_comes_back_from_its_columns(key):
    for line in WRITTEN.split("\n")[1:-1]:
        kind, _, text = line.partition(" ")
        event, about = read_event(kind, text), None
        if isinstance(event, ImageEvent):
            event, about = replace(event, key=key), key

        body = body_of(event_text(event)[1], about)

        assert event_of(event.at, CODES[kind], about, body) == event
        assert not body.startswith(('{"at"', '{"key"'))


def test_an_event_that_says_nothing_else_has_an_empty_body():
    assert body_of(event_text(ImageRemoved(at=1.5, key="k"))[1], "k") == "{}"
    assert event_of(1.5, CODES["ImageRemoved"], "k", "{}") == ImageRemoved(at=1.5, key="k")


@pytest.mark.parametrize("at", [0.1 + 0.2, 1e22, 5e-324, 1795758230.1696465, -1.0])
def test_a_moment_comes_back_to_the_last_bit(at):
    event = RunEnded(at=at, run="r", reason="w", exit_code=0)

    assert event_of(at, CODES["RunEnded"], None, body_of(event_text(event)[1], None)) == event


@given(histories())
@settings(max_examples=100)
def test_whatever_happens_to_an_image_its_state_comes_back(history: list[Event]):
    for key, state in states_along(history):
        assert read_state_row(key, state_row(state)) == state


def states_along(history: list[Event]):
    ledger = Ledger()
    for event in history:
        ledger.apply(event)
        if isinstance(event, ImageEvent):
            yield event.key, ledger.states[event.key]


@pytest.mark.parametrize(
    "jobs",
    [
        pytest.param((None, "j"), id="none, and the image's"),
        pytest.param(("other", "j"), id="another, and the image's"),
        pytest.param(("", "j"), id="an empty one"),
        pytest.param(("j", "j"), id="the image's twice"),
    ],
)
def test_each_attempt_keeps_its_own_job(jobs):
    fault = Fault(message="m")
    attempts = tuple(
        Attempt(number=number, began_at=1.0, job_id=job, fault=fault) for number, job in enumerate(jobs, 1)
    )
    state = State(key="k", attempts=attempts, job_id="j")

    assert read_state_row("k", state_row(state)) == state
    assert read_state_row("k", state_row(replace(state, job_id=None))) == replace(state, job_id=None)


def test_an_image_is_read_where_it_was_planned_whatever_its_digest_is():
    image = Image(name='a",b', target="t", source=ObjectRef.parse("b:o"), min_disk=1)
    event = read_event("ImagePlanned", WRITTEN.split("\n")[1].partition(" ")[2])
    event = replace(event, key=image.key, image=image, digest='","digest":"')
    body = body_of(event_text(event)[1], image.key)

    planned = planned_of({}, [(1, image.key, body)])

    assert planned == fold([event]).planned


# --- Size -----------------------------------------------------------------------------------------------

COUNT = 2000


def a_usual_life(key: str, digest: str, number: int) -> list[ImageEvent]:
    at = 1795758230.1696465 + number / 7
    job, image_id = f"{number:032x}", f"{number:08x}-c3bc-47bc-8cf8-30659cc0cfc5"
    return [
        AttemptBegan(at=at, key=key, attempt=1, digest=digest, signed_at=float(int(at))),
        JobAccepted(at=at + 0.1, key=key, job_id=job),
        JobSucceeded(at=at + 601.3, key=key, image_id=image_id),
        ImageVerified(at=at + 602.7, key=key, image_id=image_id),
    ]


async def write_usual_plan(folder: Path) -> None:
    images = [
        Image(
            name=f"vm-{number:06}",
            target="north",
            source=ObjectRef.parse(f"bucket:vm-{number:06}.zvhd2"),
            min_disk=40,
            os_version="CentOS 7.6 64bit",
        )
        for number in range(COUNT)
    ]
    journal = await SqliteLocation(folder).open(version="1")
    digests = {image.key: digest(image) for image in images}
    await journal.append(
        *(ImagePlanned(at=1795758230.25, key=one.key, image=one, digest=digests[one.key]) for one in images)
    )
    lives = [a_usual_life(key, of, number) for number, (key, of) in enumerate(digests.items())]
    for start in range(0, COUNT, 100):  # a hundred under way at a time
        for step in zip(*lives[start : start + 100], strict=True):
            await journal.append(*step)
    await journal.close()


def test_a_usual_image_takes_at_most_900_bytes(tmp_path: Path):
    """One line of CentOS, five events, all well: the file with every index and every half-filled page."""
    asyncio.run(write_usual_plan(tmp_path))

    assert (tmp_path / "journal.db").stat().st_size / COUNT <= 900
