"""The circle of one target: decide, perform, record, schedule what follows.

Handlers perform, and return events. What is here happens nowhere else in the program:

* an import request is signed, its intent made durable, and those very bytes sent (`_submit`);
* the one line through which an event becomes durable (`record`);
* the one place that says what comes next for an image (`schedule_next`).

How far a job is decides nothing, and a commit for it alone costs as much as one for a fact. So it goes with
the next fact of its target, where there was one just now.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from math import inf

import anyio
from msgspec.structs import replace

from migrator.domain.errors import CloudError, RejectedError, RetryableError, TargetHaltedError
from migrator.engine import trouble
from migrator.engine.context import Context, Halt, Result
from migrator.engine.departure import Departure
from migrator.engine.handlers import HANDLERS, submit
from migrator.engine.handlers.survey import survey
from migrator.engine.handlers.verify import unchecked
from migrator.engine.ports import Submission
from migrator.pacing.doubt import late_for
from migrator.pacing.scheduler import WorkItem
from migrator.workflow.events import (
    AttemptBegan,
    AttemptHeld,
    AttemptNotFound,
    AttemptUnknown,
    Event,
    ImageEvent,
    ImageFound,
    ImageSkipped,
    ImageVerified,
    JobAccepted,
    JobProgressed,
    JobSucceeded,
    TargetHalted,
    VisibilityLearned,
)
from migrator.workflow.states import FINISHED, IN_CLOUD, Phase, State
from migrator.workflow.transitions import Step, decide

TOGETHER = 5.0
"""Seconds since something was recorded within which more is likely to follow soon."""


class Driver:
    """Drives the images of one target: performs, records what was found out, schedules what follows."""

    def __init__(
        self,
        context: Context,
        append: Callable[..., Awaitable[None]],
        departure: Departure,
        *,
        observe: Callable[[Event], None],
        on_finished: Callable[[State], None],
        stopping: anyio.Event,
    ) -> None:
        """`append` is the journal's, and requests leave by `departure`.

        `observe` sees each event when it is durable, `on_finished` each image that came to its end.
        `stopping` is set when nothing is waited for any more.
        """
        self.context = context
        self.worker = context.worker
        self._append = append
        self._departure = departure
        self._observe = observe
        self._on_finished = on_finished
        self._stopping = stopping
        self._log = context.log
        self._progress: list[Event] = []
        """What goes into the next commit."""
        self._recorded_at = -inf

    # --- Perform ----------------------------------------------------------------------------------------

    async def take(self, item: WorkItem) -> None:
        """Perform one work item: whatever happens, each of its images is scheduled again or finished."""
        jump = self.worker.check_clock()
        if jump:
            self._log.warning("clock.jumped", target=self.worker.target.name, seconds=round(jump, 1))
        if item.step is Step.SUBMIT:
            await self._submit(item)
        else:
            await self._ask(item)

    async def _submit(self, item: WorkItem) -> None:
        key, prepared = item.keys[0], self.context.clock.monotonic()
        intent = submit.intent(self.context, key)
        if not isinstance(intent, AttemptBegan):
            await self._carry_out(Result(events=[intent]), item)
            return
        try:
            request = await self._prepare(key, intent.method)
        except CloudError as error:
            await self._carry_out(submit.unsigned(self.context, key, error), item)
            return
        # Signed first: what is durable tells until when a gateway takes this very request.
        await self.record(replace(intent, signed_at=request.signed_at))
        self.worker.leftovers.pop(key, None)
        try:
            answer: str | CloudError = await self._departure.send(request, prepared=prepared)
        except CloudError as error:
            answer = error
        await self._carry_out(submit.result(self.context, key, answer), item)

    async def _prepare(self, key: str, method: str) -> Submission:
        image = self.context.ledger.planned[key].image
        if image.undecided:
            image = replace(image, method=method)
        return await self.worker.cloud.prepare(image, self.context.listing.marker(key))

    async def _ask(self, item: WorkItem) -> None:
        answered: set[str] = set()
        try:
            if item.shared:
                await self._ask_for_many(item, answered)
                self.worker.scheduler.list_ended(item.step, well=True)
            else:
                async with aclosing(HANDLERS[item.step](self.context, item)) as results:
                    async for result in results:
                        answered.update(_keys(result))
                        await self._carry_out(result, item)
            self.worker.rejected.pop(item.step, None)
        except (RetryableError, RejectedError) as error:
            left = [key for key in item.keys if key not in answered]
            if item.shared:
                self.worker.scheduler.list_ended(item.step, well=False)
            await self._carry_out(trouble.unanswered(self.context, item.step, left, error), item)
        except TargetHaltedError as error:
            self._log.error(
                "question.refused", target=self.worker.target.name, step=item.step.value, reason=str(error)
            )
            await self.halt(Halt(fault=error.fault, exit_code=error.exit_code, drain=False))

    async def _ask_for_many(self, item: WorkItem, answered: set[str]) -> None:
        """One list for many images: what a page shows may be recorded while the next is on its way."""
        failure: CloudError | None = None
        async with (
            anyio.create_task_group() as group,
            aclosing(HANDLERS[item.step](self.context, item)) as results,
        ):
            try:
                async for result in results:
                    answered.update(_keys(result))
                    if result.beside:
                        group.start_soon(self._carry_out, result, item)
                    else:
                        await self._carry_out(result, item)
            except CloudError as error:
                failure = error  # raised here, it would leave the group as one of many
        if failure is not None:
            raise failure

    async def survey(self) -> bool:
        """Look what is there before anything is sent; False when the target cannot be used.

        Items whose image exists are adopted, skipped or refused: this is why even a lost journal does not
        duplicate.
        """
        clock, patience = self.context.clock, trouble.SurveyPatience(self.context)
        while not self.worker.closing:
            try:
                await self.worker.another_question()
                result = await survey(self.context)
            except RetryableError as error:
                wait, halt = patience.after(error)
                if halt is not None:
                    await self.halt(halt)
                else:
                    await clock.wait(self._stopping, wait)
            except (TargetHaltedError, RejectedError) as error:
                await self.halt(Halt(fault=error.fault, exit_code=error.exit_code, drain=False))
            else:
                self.worker.scheduler.withdraw(set(_keys(result)))
                await self._carry_out(result)
                return True
        return False

    # --- Record -----------------------------------------------------------------------------------------

    async def record(self, *events: Event) -> None:
        """Make events durable, and before them what was put off; then let everybody see them.

        Raises JournalError when they cannot be.
        """
        together = [*self._progress, *events]
        self._progress, self._recorded_at = [], self.context.clock.monotonic()
        if not together:
            return
        await self._append(*together)
        for event in together:
            self._observe(event)

    async def _record_soon(self, events: Sequence[Event]) -> None:
        """Make events durable, or put off what only tells how far a job is."""
        recently = self.context.clock.monotonic() - self._recorded_at < TOGETHER
        if recently and all(isinstance(event, JobProgressed) for event in events):
            self._progress += events
        else:
            await self.record(*events)

    async def _carry_out(self, result: Result, item: WorkItem | None = None) -> None:
        """Record what a handler found out, all of it in one commit; then each of its images goes on."""
        if result.last and item is not None:
            self.worker.on_last_answer(item)
        images = [event for event in result.events if isinstance(event, ImageEvent)]
        if result.events:
            await self._record_soon(result.events)
        if result.sweep:
            plan = self.context.plan
            self.worker.sweep_again(plan.polling, fixed_timeout=plan.policy.settle is not None)
        recorded = {event.key for event in images}
        for key, after in result.after.items():
            if key not in recorded:
                self.schedule_next(key, after=after)
        hints = [(key, 0.0) for key in result.announced]
        hints += [(key, self.context.plan.polling.first) for key in result.begun]
        for key, soon in hints:
            if self.context.state(key).phase is Phase.RUNNING and not self.worker.scheduler.asking(key):
                self.schedule_next(key, after=soon)
        self.worker.scheduler.in_cloud.difference_update(result.released)
        follow_ups: list[Event] = []
        for event in result.events:
            _log_event(self.context, event)
        for event in images:
            state = self.context.state(event.key)
            follow_up = unchecked(self.context, state)
            if follow_up is not None:
                follow_ups.append(follow_up)
                continue
            if state.phase in FINISHED:
                self._on_finished(state)
            self.schedule_next(event.key, after=result.after.get(event.key))
        if follow_ups:
            await self._carry_out(Result(events=follow_ups))
        if result.halt is not None:
            await self.halt(result.halt)

    async def halt(self, halt: Halt) -> None:
        """Submit nothing more to this target, and say why; the others go on."""
        worker = self.worker
        if worker.halted is None:
            worker.halted, worker.halt_exit_code = halt.fault, halt.exit_code
            worker.scheduler.open = False
            self._log.error(
                "target.halted",
                target=worker.target.name,
                reason=str(halt.fault),
                remedy=halt.fault.remedy,
            )
            at = self.context.now()
            await self.record(TargetHalted(at=at, target=worker.target.name, fault=halt.fault))
        if halt.drain:
            worker.wake_all()
        else:
            worker.close()

    # --- What follows -----------------------------------------------------------------------------------

    def schedule_next(self, key: str, *, after: float | None = None) -> None:
        """Schedule the next step of an image: after `after` seconds, or when it is worth it."""
        context, worker = self.context, self.worker
        state, tick = context.state(key), context.clock.monotonic()
        step = decide(state)
        (worker.scheduler.in_cloud.add if state.phase in IN_CLOUD else worker.scheduler.in_cloud.discard)(key)
        if step is Step.LOOK_UP:
            last, late = state.attempts[-1], context.plan.policy.late
            worker.doubt(key, 0.0 if last.final else late_for(late, last.signed_at, context.now()))
        else:
            worker.doubts.pop(key, None)
        if step is Step.DONE:
            worker.forget(key)
        elif step is Step.SUBMIT:
            worker.scheduler.again(key, tick + (after or 0.0))
        elif step in (Step.POLL, Step.FOLLOW) and after is None:
            wait = worker.until_poll(context.plan.polling, state)
            worker.scheduler.ask(key, step, tick + wait)
        else:
            worker.scheduler.ask(key, step, tick + (after or 0.0))


def _keys(result: Result) -> Iterable[str]:
    """The images that a result is about."""
    yield from result.after
    yield from (event.key for event in result.events if isinstance(event, ImageEvent))


def _log_event(context: Context, event: Event) -> None:
    """Say in the log what has just become durable."""
    log = context.log
    match event:
        case JobAccepted(key=key, job_id=job_id):
            attempt = context.state(key).attempts[-1].number
            log.info("migration.submitted", key=key, attempt=attempt, job=job_id)
        case JobSucceeded(key=key, image_id=image_id):
            log.info("job.succeeded", key=key, image=image_id)
        case ImageFound(key=key, image_id=image_id, active=active):
            log.info("image.adopted", key=key, image=image_id, active=active)
        case AttemptUnknown(key=key, fault=fault):
            attempt = context.state(key).attempts[-1].number
            log.warning("attempt.in_doubt", key=key, attempt=attempt, reason=str(fault))
        case AttemptHeld(key=key):
            log.warning("attempt.held", key=key, **{"for": "a person to decide"})
        case AttemptNotFound(key=key, looked_for=seconds):
            log.info("attempt.not_found", key=key, looked_for=round(seconds, 1))
        case ImageSkipped(key=key, image_id=image_id):
            log.info("image.skipped", key=key, image=image_id)
        case ImageVerified(key=key, image_id=image_id):
            log.info("migration.succeeded", key=key, image=image_id)
        case VisibilityLearned(target=target, by=by, learned=learned):
            log.info("listing.learned", target=target, by=by.value, listed=learned.listed)
    if isinstance(event, ImageEvent):
        state = context.state(event.key)
        if state.phase is Phase.FAILED and state.fault is not None:
            log.warning("migration.failed", key=event.key, reason=str(state.fault), remedy=state.fault.remedy)
