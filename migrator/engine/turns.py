"""The conversations: one turn of the circle for each step. What an answer means is decided elsewhere."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import anyio
from msgspec.structs import replace
from structlog.typing import FilteringBoundLogger

from migrator.core import lookup, retry, verify
from migrator.core.lifecycle import (
    AttemptAbsent,
    AttemptBegan,
    AttemptHeld,
    AttemptLost,
    AttemptRefused,
    AttemptRejected,
    DeadlinePassed,
    ImageEvent,
    ImageFound,
    ImageSkipped,
    ImageVerified,
    JobAccepted,
    JobFailed,
    JobProgressed,
    JobSucceeded,
    ListingLearned,
    MigrationFailed,
    Phase,
    State,
    Step,
    VerificationFailed,
    decide,
)
from migrator.core.schedule import Turn
from migrator.core.settle import By
from migrator.engine.lane import Lane
from migrator.engine.lists import Lists
from migrator.errors import CloudError, Halted, NameTaken, OutcomeUnknown, Refused, Unavailable, Unreachable
from migrator.model import (
    CloudImage,
    Fault,
    ImageQuery,
    JobReport,
    OnDoubt,
    OnQuota,
)

if TYPE_CHECKING:
    from migrator.engine.run import Engine

QUOTA_PAUSE = 300.0
"""Seconds between two submissions while a used-up quota is waited for."""

FIRST_TRIES = 3
"""Tries after which a service that this run never reached is given up: more likely a wrong endpoint, or no
network yet, than an outage."""

FIRST_CONTACT = 30.0
"""Seconds after which it is given up however few tries that makes."""

_NOT_THE_SERVICE = "Check ims_endpoint of the target: what answers there is not the image service."

VANISHED_AFTER = 3
"""Answers in a row, over some patience, that must deny a job or image before it counts as gone."""


class Turns:
    """Performs and records; the engine's agenda says when, the pure rooms say what it means."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._steps: dict[Step, Callable[[Lane, Turn], Awaitable[None]]] = {
            Step.SUBMIT: self._submit,
            Step.POLL: self._poll,
            Step.FOLLOW: self._follow,
            Step.LOOK_UP: self._look_up,
            Step.VERIFY: self._verify,
            Step.SWEEP: self._sweep,
        }
        self._lists = Lists(engine)
        self._log = engine.log

    async def take(self, lane: Lane, turn: Turn) -> None:
        """One turn: whatever happens to it, every one of its images is on the agenda again or finished."""
        await self._guard(lane, turn, self._steps[turn.step](lane, turn))

    async def _guard(self, lane: Lane, turn: Turn, conversation: Awaitable[None]) -> None:
        try:
            await conversation
        except Unavailable as error:
            await self._ask_later(lane, turn, error)
        except Halted as error:
            self._log.error(
                "question.refused", target=lane.target.name, step=turn.step.value, reason=str(error)
            )
            await self._engine.halt(lane, error.fault, error.exit_code, drain=False)

    # --- submit -----------------------------------------------------------------------------------------

    async def _submit(self, lane: Lane, turn: Turn) -> None:
        engine, key = self._engine, turn.keys[0]
        image, state, now = engine.ledger.planned[key], engine.ledger.states[key], engine.clock.now()
        why = retry.exhausted(engine.plan.retry, state.attempts, now)
        if why is not None:
            await self._write(lane, MigrationFailed(at=now, key=key, fault=lookup.given_up(state, why)))
            return
        number = len(state.attempts) + 1
        await engine.record(AttemptBegan(at=now, key=key, attempt=number, digest=image.digest))
        try:
            job_id = await lane.cloud.submit(image.image, self._lists.marker(key))
        except Unavailable as error:
            await self._turned_away(lane, key, number, error)
        except Halted as error:
            await self._stopped(lane, key, error)
        except (OutcomeUnknown, NameTaken) as error:
            self._log.warning("attempt.in_doubt", key=key, attempt=number, reason=str(error))
            await engine.record(AttemptLost(at=engine.clock.now(), key=key, fault=error.fault))
            engine.proceed(lane, key)
        except Refused as error:
            lane.answered()
            await self._write(lane, AttemptRejected(at=engine.clock.now(), key=key, fault=error.fault))
        else:
            lane.answered_last(turn)
            at = engine.clock.now()
            await engine.record(JobAccepted(at=at, key=key, job_id=job_id))
            self._log.info("migration.submitted", key=key, attempt=number, job=job_id)
            lane.answered()
            lane.agenda.submits.answered(engine.clock.monotonic())
            lane.agenda.window.accepted(len(lane.agenda.in_cloud), engine.clock.monotonic())
            lane.visibility.accepted(key, at)
            self._plan_sweep(lane)
            engine.proceed(lane, key, after=engine.plan.polling.first)

    async def _turned_away(self, lane: Lane, key: str, number: int, error: Unavailable) -> None:
        engine = self._engine
        everybody = error.throttled or isinstance(error, Unreachable)
        now = engine.clock.now()
        await engine.record(AttemptRefused(at=now, key=key, fault=error.fault, throttled=everybody))
        attempts = engine.ledger.states[key].attempts
        tried = retry.failures(attempts) if not everybody else lane.outages + 1
        wait = retry.pause(engine.plan.retry, max(tried, 1), engine.rng, error.retry_after)
        self._log.info("attempt.refused", key=key, attempt=number, reason=str(error), wait=round(wait, 1))
        engine.proceed(lane, key, after=0.0 if everybody else wait)
        await self._slow_down(lane, error, wait, submit=True)

    async def _stopped(self, lane: Lane, key: str, error: Halted) -> None:
        engine = self._engine
        await engine.record(AttemptRefused(at=engine.clock.now(), key=key, fault=error.fault, throttled=True))
        engine.proceed(lane, key)
        if error.quota and engine.plan.policy.on_quota is OnQuota.WAIT:
            self._log.warning("target.quota_used_up", target=lane.target.name, retry_in=QUOTA_PAUSE)
            lane.agenda.submits.bucket.block(engine.clock.monotonic() + QUOTA_PAUSE)
        else:
            await engine.halt(lane, error.fault, error.exit_code, drain=True)

    # --- poll -------------------------------------------------------------------------------------------

    async def _poll(self, lane: Lane, turn: Turn) -> None:
        state = self._engine.ledger.states[turn.keys[0]]
        assert state.job_id is not None
        try:
            report = await lane.cloud.job(state.job_id)
        except Refused as error:
            await self._missed(lane, state, error.fault)
        else:
            lane.answered_last(turn)
            await self._write(lane, self._heard(lane, state, report))

    async def _follow(self, lane: Lane, turn: Turn) -> None:
        """Adopted imports, whose job ids nobody knows: their images tell how they do."""
        keys = turn.keys
        states = self._engine.ledger.states
        if len(keys) == 1:
            images = list((await lane.cloud.images(ImageQuery(id=states[keys[0]].image_id))).images)
        else:
            images = await self._lists.everything(lane, By.TAG)
        by_id = {image.id: image for image in images}
        seen = {key: image for key in keys if (image := by_id.get(states[key].image_id or ""))}
        heard = [self._heard(lane, states[key], lookup.as_job(image)) for key, image in seen.items()]
        await self._write(lane, *heard)
        for key in keys:
            if key not in seen:
                gone = Fault(code="MIG.vanished", message=f"image {states[key].image_id} is not listed")
                # By itself: what goes wrong here is not to be asked again for those that were seen.
                await self._guard(lane, Turn(Step.FOLLOW, (key,)), self._missed(lane, states[key], gone))

    async def _missed(self, lane: Lane, state: State, fault: Fault) -> None:
        """The service does not know a job or image of ours: believed only when it says so again and again."""
        engine = self._engine
        self._reached(lane)
        watch = lane.watch(state, engine.clock.now())
        missed = watch.missed(engine.clock.now())
        if watch.misses < VANISHED_AFTER or missed < lane.visibility.patience:
            engine.proceed(lane, state.key, after=max(missed, engine.plan.polling.min_interval))
            return
        shelf = (await self._lists.find(lane, [state.key]))[state.key]
        report = lookup.as_job(shelf.ours[0]) if shelf.ours else lookup.vanished(state, fault)
        await self._write(lane, self._heard(lane, state, report))

    def _heard(self, lane: Lane, state: State, report: JobReport) -> ImageEvent | None:
        """What to write down of what the service says about a job; None: it goes on, and is asked again."""
        key, now = state.key, self._engine.clock.now()
        self._reached(lane)
        lane.watch(state, now).heard()
        match report.status:
            case "SUCCESS":
                lane.job_ended(key, now, state.submitted_at, report)
                return JobSucceeded(at=now, key=key, image_id=report.image_id)
            case "FAIL":
                lane.job_ended(key, now, state.submitted_at, report)
                fault = report.fault or Fault(message="the job failed, and the service does not say why")
                return JobFailed(at=now, key=key, fault=fault, image_id=report.image_id)
            case _:
                return self._still_running(lane, state, report)

    def _still_running(self, lane: Lane, state: State, report: JobReport) -> ImageEvent | None:
        engine, key, now = self._engine, state.key, self._engine.clock.now()
        watch = lane.watch(state, now)
        lane.still_runs(key, report, now)
        self._plan_sweep(lane)
        if now - watch.since > engine.plan.polling.deadline:
            self._log.warning("job.overdue", key=key, job=state.job_id, seconds=round(now - watch.since))
            return DeadlinePassed(at=now, key=key)
        if report.progress is not None and int(report.progress * 4) > int((state.progress or 0.0) * 4):
            return JobProgressed(at=now, key=key, progress=report.progress)
        engine.proceed(lane, key)
        return None

    # --- look up ----------------------------------------------------------------------------------------

    async def _look_up(self, lane: Lane, turn: Turn) -> None:
        engine, keys = self._engine, turn.keys
        asked_at = engine.clock.now()
        found = await self._lists.find(lane, keys)
        self._reached(lane)
        settle = lane.visibility.settle(engine.plan.policy.settle, asked_at)
        facts = []
        for key in keys:
            state = engine.ledger.states[key]
            finding = lookup.judge(engine.ledger.planned[key].image, state, found[key])
            facts.append(self._found(lane, state, finding, asked_at, settle))
        await self._write(lane, *facts)
        self._plan_sweep(lane)

    def _found(
        self, lane: Lane, state: State, finding: lookup.Finding, asked_at: float, settle: float
    ) -> ImageEvent | None:
        """What to write down of what a look-up showed; None: it is too early to tell, and looked up again."""
        engine, key = self._engine, state.key
        age = asked_at - lookup.began_at(state)
        match finding:
            case lookup.Ours(image=image, others=others):
                if others:
                    self._log.warning("image.found_several", key=key, kept=image.id, others=others)
                return ImageFound(at=asked_at, key=key, image_id=image.id, active=image.status == "active")
            case lookup.Somebodys(fault=fault):
                return MigrationFailed(at=asked_at, key=key, fault=fault)
            case lookup.Nowhere() if age < settle:
                engine.proceed(lane, key, after=lookup.next_look(age, settle, engine.plan.polling))
                if lane.visibility.likely_lost(age):
                    lane.agenda.in_cloud.discard(key)
                return None
            case lookup.Nowhere() if engine.plan.policy.on_doubt is OnDoubt.HOLD:
                return AttemptHeld(at=asked_at, key=key, fault=lookup.held(state))
            case _:
                return AttemptAbsent(at=asked_at, key=key, looked_for=age)

    # --- verify -----------------------------------------------------------------------------------------

    async def _verify(self, lane: Lane, turn: Turn) -> None:
        engine, keys = self._engine, turn.keys
        if len(keys) == 1 and (image_id := engine.ledger.states[keys[0]].image_id):
            found = self._lists.shelve(keys, (await lane.cloud.images(ImageQuery(id=image_id))).images)
        else:
            found = await self._find_for_verifying(lane, keys)
        await self._judge(lane, found)

    async def _find_for_verifying(self, lane: Lane, keys: tuple[str, ...]) -> dict[str, lookup.Shelf]:
        """What one list shows of many images, but for those that were found in it while it was read.

        An image that stands on a page under the very id that its job told is judged while the next page is on
        its way: neither the service nor the journal waits for the other.
        """
        left = dict.fromkeys(keys)
        made = {self._engine.ledger.states[key].image_id: key for key in keys}
        trouble: CloudError | None = None
        found: dict[str, lookup.Shelf] = {}
        async with anyio.create_task_group() as group:

            def seen(images: Sequence[CloudImage]) -> None:
                here = [key for image in images if (key := made.pop(image.id, None))]
                for key in here:
                    del left[key]
                if here:
                    group.start_soon(self._judge, lane, self._lists.shelve(here, images))

            # A job that ended while a long list was read is in it, most likely: it need not wait for another.
            late = lambda: lane.agenda.joining(Step.VERIFY, self._engine.clock.monotonic())  # noqa: E731
            try:
                found = await self._lists.find(lane, left, joining=late, seen=seen)
            except CloudError as error:
                trouble = error  # raised here, it would leave the group as one of many
        if trouble is not None:
            raise trouble
        return found

    async def _judge(self, lane: Lane, found: Mapping[str, lookup.Shelf]) -> None:
        """Write down of images that were read back whether they are what the plan asked for."""
        self._reached(lane)
        verdicts = []
        for key, shelf in found.items():
            state, ours = self._engine.ledger.states[key], shelf.ours
            image = next((image for image in ours if image.id == state.image_id), ours[0] if ours else None)
            verdicts.append(self._verified(lane, state, image))
        await self._write(lane, *verdicts)

    def _verified(self, lane: Lane, state: State, image: CloudImage | None) -> ImageEvent | None:
        """What to write down about an image that was read back; None: lists lag, and it is read again."""
        engine, key, now = self._engine, state.key, self._engine.clock.now()
        wanted = engine.ledger.planned[key].image
        if image is not None:
            lane.visibility.shown(state, image, now)
        else:
            lane.visibility.unlisted(key, now)
        wrong = [] if image is None else verify.differences(wanted, self._lists.marker(key), image)
        if image is not None and not wrong:
            return ImageVerified(at=now, key=key, image_id=image.id)
        watch = lane.watch(state, now)
        if watch.unverified_since is None:
            watch.unverified_since = now
        waited = now - watch.unverified_since
        if waited < lane.visibility.patience_for_images and (image is None or image.status != "killed"):
            engine.proceed(lane, key, after=min(max(waited, 1.0), engine.plan.polling.max_interval))
            return None
        fault = verify.mismatch(image.id, wrong) if image is not None else verify.missing(state.image_id)
        return VerificationFailed(at=now, key=key, fault=fault)

    # --- everybody --------------------------------------------------------------------------------------

    async def survey(self, lane: Lane) -> bool:
        """What is there before anything is sent: items whose image exists are adopted, skipped or refused.

        This is why even a lost journal does not duplicate. Returns False when the target cannot be used.
        """
        engine = self._engine
        began, strange = engine.clock.monotonic(), 0
        while not lane.closing:
            try:
                await lane.another_question()
                await self._take_over(lane)
            except Unavailable as error:
                wait = retry.pause(engine.plan.retry, lane.outages + 1, engine.rng, error.retry_after)
                self._log.warning(
                    "target.unavailable", target=lane.target.name, reason=str(error), wait=round(wait, 1)
                )
                if await self._slow_down(lane, error, wait, submit=False):
                    return False
                strange += error.fault.code == "MIG.unreadable"
                if strange >= FIRST_TRIES:
                    fault = replace(error.fault, remedy=_NOT_THE_SERVICE)
                    await engine.halt(lane, fault, 7, drain=False)
                elif engine.clock.monotonic() - began > engine.plan.retry.budget:
                    await engine.halt(lane, error.fault, 7, drain=False)
                else:
                    await engine.clock.wait(engine.stopping, wait)
            except (Halted, Refused) as error:
                await engine.halt(lane, error.fault, error.exit_code, drain=False)
            else:
                return True
        return False

    async def _take_over(self, lane: Lane) -> None:
        engine = self._engine
        fresh = [key for key in lane.agenda.keys if engine.ledger.states[key].phase is Phase.PENDING]
        if not fresh:
            return
        found = self._lists.shelve(
            fresh, await self._lists.everything(lane, By.TAG) if self._lists.marked else []
        )
        absent = [key for key in fresh if not found[key].ours]
        if absent:
            await lane.another_question()
            found |= self._lists.shelve(absent, await self._lists.everything(lane, By.NAME))
        self._reached(lane)
        events: list[ImageEvent] = []
        for key in fresh:
            image, state = engine.ledger.planned[key].image, engine.ledger.states[key]
            event = lookup.existing(image, state, found[key], engine.plan.policy, engine.clock.now())
            if event is not None:
                events.append(event)
        if events:
            lane.agenda.withdraw({event.key for event in events})
            await self._write(lane, *events)

    async def _sweep(self, lane: Lane, turn: Turn) -> None:
        """One list of what runs: it teaches how soon imports show, and announces the finished ones."""
        engine = self._engine
        by = lane.visibility.swept_by
        asked_at = engine.clock.now()
        since = min((watch.forecast.began_at for watch in lane.watches.values()), default=asked_at)
        images = await self._lists.everything(lane, by, since)
        self._reached(lane)
        watched = list(lane.watches)
        announced = lane.swept(by, self._lists.shelve(watched, images), asked_at, engine.clock.now())
        for key in sorted(announced):
            state = engine.ledger.states[key]
            if state.phase is Phase.RUNNING and engine.plan.polling.sweep and not lane.agenda.asking(key):
                lane.agenda.ask(key, decide(state), engine.clock.monotonic())
        await self._learn(lane)
        self._plan_sweep(lane)

    def _plan_sweep(self, lane: Lane) -> None:
        plan = self._engine.plan
        fixed = plan.policy.settle is not None
        lane.sweep_again(plan.polling, fixed_settle=fixed)

    async def _learn(self, lane: Lane) -> None:
        for by, learned in lane.visibility.news():
            at = self._engine.clock.now()
            await self._engine.record(ListingLearned(at=at, target=lane.target.name, by=by, learned=learned))
            self._log.info("listing.learned", target=lane.target.name, by=by.value, listed=learned.listed)

    async def _ask_later(self, lane: Lane, turn: Turn, error: Unavailable) -> None:
        """A question without an answer says nothing about its images: they are asked about again."""
        engine = self._engine
        wait = retry.pause(engine.plan.retry, lane.outages + 1, engine.rng, error.retry_after)
        self._log.debug("question.unanswered", step=turn.step.value, images=len(turn.keys), reason=str(error))
        if turn.step is Step.SWEEP:
            lane.sweep_failed()
            self._plan_sweep(lane)
        else:
            for key in turn.keys:
                if decide(engine.ledger.states[key]) is not turn.step:
                    continue  # it was answered before the question failed for others
                watch = lane.watch(engine.ledger.states[key], engine.clock.now())
                watch.troubles += 1
                again = retry.pause(engine.plan.retry, watch.troubles, engine.rng, error.retry_after)
                engine.proceed(lane, key, after=max(again, engine.plan.polling.min_interval))
        await self._slow_down(lane, error, wait, submit=False)

    async def _slow_down(self, lane: Lane, error: Unavailable, wait: float, *, submit: bool) -> bool:
        """Pass the service's complaint on; True when it has been out of reach for too long to go on."""
        away = lane.unanswered(error, wait, submit=submit)
        untrusted = error.fault.code == "MIG.tls"
        patience = self._engine.plan.retry.budget if lane.reached else FIRST_CONTACT
        never = not lane.reached and lane.outages >= FIRST_TRIES
        if away <= patience and not (untrusted or never):
            return False
        await self._engine.halt(lane, error.fault, 7, drain=False)
        return True

    async def _write(self, lane: Lane, *facts: ImageEvent | None) -> None:
        """Write down what there is to say, all of it in one commit; then each of these images goes on."""
        engine = self._engine
        events = [fact for fact in facts if fact is not None]
        if not events:
            return
        await engine.record(*events)
        unchecked: list[ImageEvent] = []
        for event in events:
            state = engine.ledger.states[event.key]
            _tell(self._log, event, state)
            if state.phase is Phase.VERIFYING and not engine.plan.policy.verify and state.image_id:
                at = engine.clock.now()
                unchecked.append(ImageVerified(at=at, key=event.key, image_id=state.image_id, checked=False))
                continue
            if state.phase in (Phase.SUCCEEDED, Phase.FAILED):
                engine.finished(state)
            engine.proceed(lane, event.key, after=self._pause(event, state))
        if any(isinstance(event, JobSucceeded) for event in events):
            await self._learn(lane)
        await self._write(lane, *unchecked)

    def _pause(self, event: ImageEvent, state: State) -> float | None:
        """Seconds before an image goes on after `event`; None: when it is worth it."""
        if not isinstance(event, AttemptAbsent):
            return None
        return retry.backoff(
            self._engine.plan.retry, max(retry.failures(state.attempts), 1), self._engine.rng
        )

    def _reached(self, lane: Lane) -> None:
        lane.answered()
        lane.agenda.queries.answered(self._engine.clock.monotonic())


def _tell(log: FilteringBoundLogger, event: ImageEvent, state: State) -> None:
    """Say in the log what has just become durable."""
    key = event.key
    match event:
        case JobSucceeded(image_id=image_id):
            log.info("job.succeeded", key=key, image=image_id)
        case ImageFound(image_id=image_id, active=active):
            log.info("image.adopted", key=key, image=image_id, active=active)
        case AttemptHeld():
            log.warning("attempt.held", key=key, **{"for": "a person to decide"})
        case AttemptAbsent(looked_for=seconds):
            log.info("attempt.lost", key=key, looked_for=round(seconds, 1))
        case ImageSkipped(image_id=image_id):
            log.info("image.skipped", key=key, image=image_id)
        case ImageVerified(image_id=image_id):
            log.info("migration.succeeded", key=key, image=image_id)
    if state.phase is Phase.FAILED and state.fault is not None:
        log.warning("migration.failed", key=key, reason=str(state.fault), remedy=state.fault.remedy)
