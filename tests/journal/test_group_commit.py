"""The group commit without a store: how long it waits for others, and what it does while a commit is away."""

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from migrator.domain.cloud import Fault
from migrator.domain.errors import JournalError
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.journal.group_commit import PATIENCE, TRIAL_EVERY, CommitDelay, GroupCommit
from migrator.journal.memory import MemoryStore
from migrator.journal.writer import Batch, OnCommit
from migrator.workflow.events import AttemptBegan, Event, ImagePlanned, JobAccepted, RunBegan, TargetHalted
from migrator.workflow.ledger import Ledger, fold
from migrator.workflow.transitions import ImpossibleTransition

WEB = Image(name="web", target="north", source=ObjectRef.parse("bucket:web.zvhd2"), min_disk=40)
PLANNED = ImagePlanned(at=1.0, key=WEB.key, image=WEB, digest="d1")
BEGAN = AttemptBegan(at=2.0, key=WEB.key, attempt=1, digest="d1")
ACCEPTED = JobAccepted(at=3.0, key=WEB.key, job_id="job-1")
FAULT = Fault(message="m")
RUN = RunBegan(at=0.0, run="r", version="1", host="h", pid=1)


# --- How long a commit waits ----------------------------------------------------------------------------


def after(*commits: int) -> CommitDelay:
    """What was learned from commits with so many callers each, the first of which is a trial."""
    delay = CommitDelay()
    for waiting in commits:
        delay.sent(waiting)
    return delay


def test_callers_in_lockstep_do_not_wait_once_all_are_back():
    delay = after(64)

    assert not delay.complete(63)
    assert delay.complete(64)


def test_a_lone_caller_does_not_wait():
    assert after(1).complete(1)


def test_fewer_than_usual_are_waited_for_less_and_less():
    delay = after(64, *[3] * 11)

    assert delay.complete(4)


def test_one_dip_is_not_taken_for_the_rule():
    assert not after(64, 3).complete(40)


def test_now_and_then_a_commit_waits_to_the_end_to_see_whether_more_come():
    patient = [count for count in range(2 * TRIAL_EVERY + 1) if not after(*[5] * count).complete(5)]

    assert patient == [0, TRIAL_EVERY, 2 * TRIAL_EVERY]


# --- While a commit is on its way -----------------------------------------------------------------------


class HeldWriter:
    """A writer whose commits are done, or fail, when the test says so."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.away: list[Batch] = []
        self._callback: OnCommit

    def on_commit(self, callback: OnCommit) -> None:
        self._callback = callback

    def put(self, batch: Batch) -> None:
        self.away.append(batch)

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        return question(self.store)

    def stop(self, done: asyncio.Future[None]) -> None:
        self.done()
        done.set_result(None)

    def done(self, error: JournalError | None = None) -> None:
        batches, self.away = self.away, []
        self._callback(batches, error)

    @property
    def events(self) -> list[list[str]]:
        """The kinds of events in each batch on its way."""
        return [[kind for _, kind, _, _ in batch.rows.events] for batch in self.away]


@pytest.fixture
def writer() -> HeldWriter:
    return HeldWriter()


@pytest.fixture
def journal(writer) -> GroupCommit:
    return GroupCommit(writer, Ledger())


async def called(journal: GroupCommit, *calls: Event) -> list[asyncio.Task[None]]:
    """Appends of one event each, called at the same moment, as far as they go without time passing."""
    tasks = [asyncio.ensure_future(journal.append(event)) for event in calls]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def on_its_way(journal: GroupCommit, *events: Event) -> asyncio.Task[None]:
    """An append whose batch was sent."""
    task = asyncio.ensure_future(journal.append(*events))
    await anyio.sleep(2 * PATIENCE)
    return task


@pytest.mark.anyio
async def test_the_ledger_moves_on_only_when_the_commit_is_done(writer, journal):
    ledger = await journal.ledger()
    task = await on_its_way(journal, RUN, PLANNED, BEGAN)

    assert ledger == Ledger()
    assert not task.done()
    writer.done()
    assert ledger == fold([RUN, PLANNED, BEGAN])
    await task


@pytest.mark.anyio
async def test_what_is_appended_while_a_commit_is_on_its_way_becomes_the_next_and_may_follow_it(
    writer, journal
):
    first = await on_its_way(journal, PLANNED)
    others = await called(journal, BEGAN, ACCEPTED)

    assert writer.events == [["ImagePlanned"], ["AttemptBegan", "JobAccepted"]]
    writer.done()
    await asyncio.gather(first, *others)
    assert await journal.ledger() == fold([PLANNED, BEGAN, ACCEPTED])


@pytest.mark.anyio
async def test_an_event_that_cannot_follow_what_is_on_its_way_keeps_nothing_of_its_call(writer, journal):
    task = await on_its_way(journal, PLANNED, BEGAN)

    with pytest.raises(ImpossibleTransition):
        await journal.append(RUN, BEGAN)

    writer.done()
    await task
    assert await journal.ledger() == fold([PLANNED, BEGAN])
    assert writer.events == []


@pytest.mark.anyio
async def test_when_a_commit_fails_everything_behind_it_is_refused_and_the_ledger_stays(writer, journal):
    ledger = await journal.ledger()
    first = await on_its_way(journal, PLANNED)
    second = await on_its_way(journal, BEGAN)

    writer.done(JournalError("full", hint="Make room."))

    for task in (first, second):
        with pytest.raises(JournalError, match="full") as refused:
            await task
        assert refused.value.hint == "Make room."
    with pytest.raises(JournalError, match="full"):
        await journal.append(RUN)
    assert ledger == Ledger()


@pytest.mark.anyio
async def test_a_cancelled_append_that_is_on_its_way_is_kept_and_counts_for_those_after_it(writer, journal):
    task = await on_its_way(journal, PLANNED)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    second = await on_its_way(journal, BEGAN)
    writer.done()

    await second
    assert await journal.ledger() == fold([PLANNED, BEGAN])


@pytest.mark.anyio
async def test_a_lone_caller_is_sent_at_once_and_those_who_usually_come_in_twos_wait_a_little(
    writer, journal
):
    loop = asyncio.get_running_loop()
    halted = TargetHalted(at=1.0, target="north", fault=FAULT)
    await on_its_way(journal, RUN)  # a trial, which waits to the end
    writer.done()

    began = loop.time()
    await called(journal, halted)
    assert len(writer.away) == 1
    await called(journal, halted, halted)
    assert len(writer.away) == 2
    writer.done()

    (alone,) = await called(journal, halted)
    assert writer.away == []
    assert loop.time() == began
    await anyio.sleep(PATIENCE)
    assert len(writer.away) == 1
    writer.done()
    await alone
