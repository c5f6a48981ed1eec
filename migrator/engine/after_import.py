"""What is done with images after their import: a few conversations at a time, each step of its own.

A step is no work item of the scheduler: there are few of them at once, none holds a slot of the import's job
limit, and each is one straight conversation. Its intent is durable before a request leaves; what is in doubt
is looked up until it would be listed, and only then asked for again.
"""

import random
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import anyio
from structlog.typing import FilteringBoundLogger

from migrator.domain.cloud import CloudImage, Fault, ImageQuery
from migrator.domain.errors import (
    CloudError,
    CredentialsRenewed,
    NameTaken,
    OutcomeUnknown,
    RejectedError,
    RetryableError,
    TargetHaltedError,
)
from migrator.domain.image import MARKER_ITEM, Image, Marker
from migrator.domain.paging import NewEntries
from migrator.domain.plan import Plan
from migrator.domain.ports import Clock
from migrator.engine.departure import Departure
from migrator.engine.ports import AfterImport
from migrator.pacing import retry
from migrator.pacing.doubt import late_for
from migrator.workflow.events import (
    Event,
    StepAccepted,
    StepBegan,
    StepDone,
    StepEvent,
    StepFailed,
    StepMade,
    StepNotFound,
    StepRefused,
    StepUnknown,
)
from migrator.workflow.ledger import Ledger
from migrator.workflow.lookup import CLOCK_SKEW
from migrator.workflow.resume import marker
from migrator.workflow.states import StepPhase, StepState
from migrator.workflow.steps import COPY, OVER, SHARE, Step, left

AT_ONCE = {SHARE: 5, COPY: 5}
"""Steps of one kind and target at once; five copies are all that a tenant may have (IMS API reference,
IMG.0149)."""

LOOK_EVERY = 30.0
"""Seconds between two look-ups of a step that is in doubt, or of its job, at most."""

LISTED_WITHIN = 120.0
"""Seconds after which what was made is taken to be listed, once the service cannot take it in any later."""


@dataclass(slots=True, kw_only=True)
class AfterImports:
    """The steps of one run, for all targets."""

    plan: Plan
    ledger: Ledger
    """Read only: what is in it is durable."""

    clouds: Mapping[str, AfterImport]
    record: Callable[[Event], Awaitable[None]]
    """Makes an event durable, and lets everybody see it."""

    question: Callable[[str], Awaitable[None]]
    """Waits until one more request may leave for a target."""

    departure: Departure

    clock: Clock
    rng: random.Random
    log: FilteringBoundLogger
    _queues: defaultdict[tuple[str, str], deque[tuple[str, Step]]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    _busy: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    _known: set[tuple[str, str]] = field(default_factory=set)
    _changed: anyio.Event = field(default_factory=anyio.Event)
    _no_more: bool = False
    _closed: bool = False

    def add(self, key: str) -> None:
        """An image is there: what its plan asks for after that may begin."""
        image = self.ledger.planned[key].image
        for step in left(image, self.ledger.states[key]):
            if not self._closed and (key, step.name) not in self._known:
                self._known.add((key, step.name))
                self._queues[step.kind, image.target].append((key, step))
        self._changed.set()

    def close(self) -> None:
        """Begin nothing more; what runs goes on."""
        self._closed = True
        self._queues.clear()
        self._changed.set()

    def no_more(self) -> None:
        """No image will be added any more."""
        self._no_more = True
        self._changed.set()

    async def run(self) -> None:
        """Carry out steps until none is left and no image will be added."""
        async with anyio.create_task_group() as group:
            while True:
                for of, waiting in self._queues.items():
                    while waiting and self._busy[of] < AT_ONCE[of[0]]:
                        self._busy[of] += 1
                        group.start_soon(self._one, of, *waiting.popleft())
                if self._no_more and not any(self._busy.values()):
                    return
                self._changed = anyio.Event()
                await self._changed.wait()

    async def _one(self, of: tuple[str, str], key: str, step: Step) -> None:
        try:
            await self._carry_out(key, step)
        finally:
            self._busy[of] -= 1
            self._changed.set()

    # --- One step ---------------------------------------------------------------------------------------

    async def _carry_out(self, key: str, step: Step) -> None:
        troubles, doubted_since = 0, self.clock.monotonic()
        while (state := self._state(key, step)).phase not in OVER:
            if self._closed and state.phase is StepPhase.TODO:
                return
            if state.phase is not StepPhase.IN_DOUBT:
                doubted_since = self.clock.monotonic()
            try:
                wait = await self._next(key, step, state, self.clock.monotonic() - doubted_since)
                troubles = 0
            except RetryableError as error:
                troubles += 1
                wait = max(retry.pause(self.plan.retry, troubles, self.rng, error.retry_after), 1.0)
            except TargetHaltedError as error:
                # Nobody may go on; the next run does.
                self.log.error("step.halted", key=key, step=step.name, reason=str(error))
                return
            except CloudError as error:
                self.log.warning("step.failed", key=key, step=step.name, reason=str(error))
                await self._note(StepFailed(at=self.clock.now(), key=key, step=step.name, fault=error.fault))
                return
            await self.clock.sleep(wait)
        if state.phase is StepPhase.DONE:
            self.log.info("step.done", key=key, step=step.name)

    async def _next(self, key: str, step: Step, state: StepState, doubted: float) -> float:
        """One more part of a step; seconds until the next."""
        now, name = self.clock.now(), step.name
        match state.phase:
            case StepPhase.TODO | StepPhase.IN_DOUBT:
                made = await self._found(key, step, state)
                if made is not None:
                    await self._note(StepMade(at=now, key=key, step=name, image_id=made))
                elif state.phase is StepPhase.TODO:
                    return await self._ask(key, step)
                elif doubted < late_for(self.plan.policy.late, state.signed_at, now) + LISTED_WITHIN:
                    return LOOK_EVERY
                else:
                    await self._note(StepNotFound(at=now, key=key, step=name))
            case StepPhase.RUNNING:
                return await self._poll(key, step, state)
            case StepPhase.MADE:
                await self._complete(key, step, state)
                await self._note(StepDone(at=self.clock.now(), key=key, step=name))
            case _:
                raise AssertionError(state.phase)
        return 0.0

    async def _ask(self, key: str, step: Step) -> float:
        """The intent, the request, and what its answer means."""
        image, name = self.ledger.planned[key].image, step.name
        image_id = self.ledger.states[key].image_id or ""
        cloud = self.clouds[image.target]
        refused = self._state(key, step).fault
        await self.question(image.target)
        prepared = self.clock.monotonic()
        if step.kind == SHARE:
            request = await cloud.share(image_id, step.whom)
        else:
            there = self.plan.targets[step.whom]
            request = await cloud.copy(
                image_id,
                name=image.name,
                region=there.region,
                project=there.project_name or there.region,
                agency=there.agency or "",
            )
        began = StepBegan(at=self.clock.now(), key=key, step=name, signed_at=request.signed_at)
        await self._note(began)
        try:
            job_id = await self.departure.send(request, prepared=prepared)
        except CredentialsRenewed as error:
            await self._note(StepRefused(at=self.clock.now(), key=key, step=name, fault=error.fault))
            if refused is not None and refused.code == error.fault.code:
                raise TargetHaltedError(error.fault) from error  # new ones are refused as well
            return 0.0
        except RetryableError as error:
            await self._note(StepRefused(at=self.clock.now(), key=key, step=name, fault=error.fault))
            attempts = self._state(key, step).attempts
            return max(retry.pause(self.plan.retry, attempts, self.rng, error.retry_after), 1.0)
        except (OutcomeUnknown, NameTaken) as error:
            await self._note(StepUnknown(at=self.clock.now(), key=key, step=name, fault=error.fault))
            return 1.0
        await self._note(StepAccepted(at=self.clock.now(), key=key, step=name, job_id=job_id))
        return 1.0

    async def _poll(self, key: str, step: Step, state: StepState) -> float:
        image, now = self.ledger.planned[key].image, self.clock.now()
        await self.question(image.target)
        try:
            job = await self.clouds[image.target].job(state.job_id)
        except RejectedError as error:
            await self._note(StepUnknown(at=now, key=key, step=step.name, fault=error.fault))
            return 0.0
        if job.status == "SUCCESS":
            made = await self._found(key, step, state)
            if made is None:
                # Lists may be behind; what never shows is no success.
                if now - (state.began_at or now) > self.plan.policy.late + LISTED_WITHIN:
                    raise RejectedError(_nothing_there(step))
                return LOOK_EVERY / 3
            await self._note(StepMade(at=now, key=key, step=step.name, image_id=made))
            return 0.0
        if job.status == "FAIL":
            fault = job.fault or Fault(message="the job failed and gave no reason")
            raise RejectedError(fault)
        return min(max((now - (state.began_at or now)) / 4, 2.0), LOOK_EVERY)

    # --- What is there ----------------------------------------------------------------------------------

    async def _found(self, key: str, step: Step, state: StepState) -> str | None:
        """Whether a step was carried out: the id of the copy, an empty text for a share; None where nothing
        shows that."""
        image = self.ledger.planned[key].image
        image_id = self.ledger.states[key].image_id or ""
        if step.kind == SHARE:
            await self.question(image.target)
            members = await self.clouds[image.target].members(image_id)
            return "" if members.get(step.whom) in ("pending", "accepted") else None
        copies = await self._copies(key, image, image_id, step, state)
        return copies[0].id if copies else None

    async def _copies(
        self, key: str, image: Image, image_id: str, step: Step, state: StepState
    ) -> list[CloudImage]:
        cloud, seen, after = self.clouds[step.whom], NewEntries(), None
        origin = f"image,{self.plan.targets[image.target].region},{image_id}"
        ours, found = self._marker(key), []
        while True:
            await self.question(step.whom)
            page = await cloud.images(ImageQuery(name=image.name), after=after)
            found += [one for one in page.images if _is_copy(one, origin, ours, state)]
            seen.of_page(one.id for one in page.images)
            if page.next is None:
                return sorted(found, key=lambda one: (one.status != "active", one.id))
            after = page.next

    def _marker(self, key: str) -> Marker:
        return marker(self.plan.name, key)

    async def _complete(self, key: str, step: Step, state: StepState) -> None:
        """What makes a step whole: the marker of a copy, which inherits none; the consent of a receiver."""
        if step.kind == COPY:
            await self._complete_copy(key, step, state)
            return
        receiver = next(
            (name for name, target in self.plan.targets.items() if target.project_id == step.whom), None
        )
        if receiver is None:
            return
        image = self.ledger.planned[key].image
        image_id = self.ledger.states[key].image_id or ""
        await self.question(image.target)
        if (await self.clouds[image.target].members(image_id)).get(step.whom) == "accepted":
            return
        await self.question(receiver)
        try:
            await self.clouds[receiver].accept(image_id)
        except OutcomeUnknown as lost:
            raise RetryableError(lost.fault) from lost
        raise RetryableError(Fault(message="the receiver's consent does not show yet"))

    async def _complete_copy(self, key: str, step: Step, state: StepState) -> None:
        """Mark the copy, and see it whole: it may have been found while it was still being made."""
        cloud = self.clouds[step.whom]
        await self.question(step.whom)
        page = await cloud.images(ImageQuery(id=state.image_id))
        found = next((one for one in page.images if one.id == state.image_id), None)
        if found is None or found.status in ("killed", "deleted"):
            raise RejectedError(_nothing_there(step))
        await self.question(step.whom)
        await cloud.tag(state.image_id, self._marker(key).tags)
        if found.status != "active":
            raise RetryableError(Fault(message=f"the copy is {found.status} still"))

    # --- Small things -----------------------------------------------------------------------------------

    def _state(self, key: str, step: Step) -> StepState:
        return self.ledger.states[key].steps.get(step.name) or StepState()

    async def _note(self, event: StepEvent) -> None:
        await self.record(event)


def _is_copy(found: CloudImage, origin: str, ours: Marker, state: StepState) -> bool:
    """Whether an image of the right name is the copy: it bears the marker, tells where it comes from, or else
    appeared after the request and bears nobody's marker."""
    if found.status in ("killed", "deleted"):
        return False
    if item := found.tags.get(MARKER_ITEM):
        return item == ours.item
    if found.data_origin:
        return found.data_origin == origin
    began = state.began_at
    return began is not None and (found.created_at or 0.0) >= began - CLOCK_SKEW


def _nothing_there(step: Step) -> Fault:
    what = "the image was shared" if step.kind == SHARE else "the copy was made"
    return Fault(
        code="MIG.step",
        message=f"the job reported success, but nothing shows that {what}",
        remedy="Look in the console, then run again with --retry-failed.",
    )
