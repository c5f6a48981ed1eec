"""The run: one worker and one driver for each target, the waves, and how it all ends."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from types import MappingProxyType

import anyio
import structlog
from structlog.typing import FilteringBoundLogger

from migrator.domain.image import Decided
from migrator.domain.plan import KeepTogether, MarkerKind, Order, Plan, Target
from migrator.domain.ports import Clock
from migrator.engine.after_import import AfterImports
from migrator.engine.context import Context
from migrator.engine.departure import Departure
from migrator.engine.driver import Driver
from migrator.engine.listing import Listing
from migrator.engine.ports import AfterImport, Cloud
from migrator.engine.target_worker import TargetWorker
from migrator.engine.wave_gate import WaveGate
from migrator.journal.port import Journal
from migrator.pacing.scheduler import Scheduler, too_many_failures
from migrator.pacing.visibility import Visibility
from migrator.workflow.beliefs import ServiceSeen
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger
from migrator.workflow.states import FINISHED, IN_CLOUD, Phase, State
from migrator.workflow.steps import failed, left
from migrator.workflow.target_counts import TargetCounts
from migrator.workflow.verdict import Ending, StopReason, ending
from migrator.workflow.visibility_delay import ListedBy
from migrator.workflow.waves import Gate, Waves, line

NOTHING = TargetCounts()

GRACE = 1.0
"""Seconds for which requests that are under way may still get their answer after Ctrl-C: each answer read now
is one image less to look up later."""


class Engine:
    """Drives every image of a plan to its end, each event durable before anybody acts on it.

    The ledger is the journal's own: the journal applies an event to it when the event is durable, so that
    what is in the ledger may be acted upon.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        clouds: Mapping[str, Cloud],
        journal: Journal,
        clock: Clock,
        rng: random.Random,
        *,
        observe: Callable[[Event], None] = lambda event: None,
        sizes: Mapping[str, int] = MappingProxyType({}),
        decided: Mapping[str, Decided] = MappingProxyType({}),
        seen: Mapping[str, ServiceSeen] = MappingProxyType({}),
        after_import: Mapping[str, AfterImport] = MappingProxyType({}),
        patient: bool = True,
        before: TargetCounts = NOTHING,
    ) -> None:
        """`patient`: whether it waits for the window of a wave while nothing else is to do. `before` is what
        this run has brought to an end already, in a process that is no more."""
        self.plan = plan
        self.ledger = ledger
        self.clouds = clouds
        self.journal = journal
        self.clock = clock
        self.rng = rng
        self.observe = observe
        self.log: FilteringBoundLogger = structlog.get_logger().bind()
        """Made once: to look a logger up takes longer than to leave a line out."""
        self.sizes = sizes
        """Bytes of each image's object, by key, as far as they are known."""
        self.decided = decided
        """How images go in whose plan leaves that open, by key."""
        self.seen = seen
        """What each target's service was seen to do, by target."""
        self.drivers: dict[str, Driver] = {}
        """By target."""
        self._patient = patient
        self._waves = WaveGate(Waves((), ()), clock, self.log, patient=patient)
        self._elsewhere = NOTHING
        self.stopped: StopReason | None = None
        self.threshold_reached = False
        self._failed, self._finished = before.failed, before.finished
        self.departure = Departure(clock, journal.holds)
        self.after = AfterImports(
            plan=plan,
            ledger=ledger,
            clouds=after_import,
            record=self._record,
            question=self._question,
            departure=self.departure,
            clock=clock,
            rng=rng,
            log=self.log,
        )
        self.stopping = anyio.Event()
        """Set when the run should end at once."""

    @property
    def workers(self) -> dict[str, TargetWorker]:
        """The targets at work, by name."""
        return {name: driver.worker for name, driver in self.drivers.items()}

    @property
    def gate(self) -> Gate:
        """Which waves are open, and why the others are not."""
        return self._waves.gate

    async def run(self, keys: Iterable[str]) -> Ending:
        """Work on the images `keys`, in that order, until each is finished or the run has to stop.

        Raises JournalError when an event cannot be made durable: then nothing more is sent.
        """
        chosen, states = list(keys), self.ledger.states
        if self.plan.waves:
            images = (
                (item.image, states[key])
                for key, item in self.ledger.planned.items()
                if not states[key].removed
            )
            waves = Waves(self.plan.waves, images)
            waves.elsewhere(self._elsewhere.waves)
            self._waves = WaveGate(waves, self.clock, self.log, patient=self._patient)
        unfinished, succeeded = [], []
        for key, _, state in self.ledger.images_of(chosen):
            if state.phase not in FINISHED:
                unfinished.append(key)
            elif state.phase is Phase.SUCCEEDED:
                succeeded.append(key)
        self._open_targets(unfinished)
        for key in succeeded:
            self.after.add(key)
        self._waves.update()
        async with anyio.create_task_group() as everything:
            everything.start_soon(self._cut_short, everything.cancel_scope, name="grace")
            if self.plan.waves:
                everything.start_soon(self._waves.keep, name="waves")
            everything.start_soon(self._after_imports, everything.cancel_scope, name="after")
            async with anyio.create_task_group() as group:
                for name, driver in self.drivers.items():
                    group.start_soon(self._drive, driver, name=name)
            self.after.no_more()
        workers, planned = self.workers, self.ledger.planned
        return ending(
            [states[key] for key in chosen],
            halted=[
                (name, worker.halted, worker.halt_exit_code)
                for name, worker in workers.items()
                if worker.halted
            ],
            stopped=self.stopped,
            threshold_reached=self.threshold_reached,
            steps_left=sum(len(left(planned[key].image, states[key])) for key in chosen),
            steps_failed=sum(len(failed(planned[key].image, states[key])) for key in chosen),
            waits=self.gate.reason,
            wave_failed=self.gate.failed,
            window_closed=self.gate.closed,
        )

    async def _after_imports(self, scope: anyio.CancelScope) -> None:
        """What follows imports, while they go on and after the last of them; then everything ends."""
        await self.after.run()
        scope.cancel()

    async def _record(self, event: Event) -> None:
        await self.journal.append(event)
        self.observe(event)

    async def _question(self, target: str) -> None:
        worker = self.workers.get(target)
        if worker is not None:
            await worker.another_question()
        else:
            await self._pace(target)

    async def _pace(self, target: str) -> None:
        """One request to a target that imports nothing in this run."""
        rate = self.plan.targets[target].limits.query_rate.per_second
        await self.clock.sleep(1 / rate)

    def counts(self) -> TargetCounts:
        """How far this run has come, for those who work on other targets of the plan."""
        return TargetCounts(waves=self._waves.counts(), failed=self._failed, finished=self._finished)

    def elsewhere(self, counts: TargetCounts) -> None:
        """How far other targets have come: waves may open, and too many failures stop everybody."""
        if counts == self._elsewhere:
            return
        self._elsewhere = counts
        self._waves.elsewhere(counts.waves)
        self._check_threshold()

    def stop(self, why: StopReason, *, drain: bool = False) -> None:
        """Submit nothing more; with `drain`, follow what runs to its end, otherwise end within seconds.

        Safe to call from a signal handler's task, and more than once.
        """
        self.stopped = why
        self.after.close()
        self.log.info("run.stopping", reason=why.value, drain=drain)
        self._submit_nothing_more()
        if not drain:
            for worker in self.workers.values():
                worker.close()
            self.stopping.set()

    def _submit_nothing_more(self) -> None:
        for worker in self.workers.values():
            worker.scheduler.open = False
            worker.wake_all()

    def _on_finished(self, state: State) -> None:
        """Count one image that this run brought to an end, and stop submitting when too many failed."""
        if self.plan.waves:
            self._waves.finished(self.ledger.planned[state.key].image, state.phase)
        if state.phase is Phase.SUCCEEDED:
            self.after.add(state.key)
        if state.phase not in (Phase.SUCCEEDED, Phase.FAILED):
            return
        self._finished += 1
        self._failed += state.phase is Phase.FAILED
        self._check_threshold()

    def _check_threshold(self) -> None:
        failed, finished = self._failed + self._elsewhere.failed, self._finished + self._elsewhere.finished
        if self.threshold_reached or not too_many_failures(
            self.plan.policy, failed=failed, finished=finished
        ):
            return
        self.threshold_reached = True
        self.log.error(
            "run.failure_threshold",
            failed=failed,
            finished=finished,
            max_failures=str(self.plan.policy.max_failures),
        )
        self._submit_nothing_more()

    # --- Targets ----------------------------------------------------------------------------------------

    def _open_targets(self, chosen: list[str]) -> None:
        waiting: dict[str, list[str]] = {name: [] for name in self.plan.targets}
        begun: dict[str, list[str]] = {name: [] for name in self.plan.targets}
        jobs: dict[str, dict[str, str]] = {name: {} for name in self.plan.targets}
        for key, item, state in self.ledger.images_of(chosen):
            of_target, target_name = waiting if state.phase is Phase.PENDING else begun, item.image.target
            of_target[target_name].append(key)
            if state.job_id:
                jobs[target_name][state.job_id] = key
        for name, target in self.plan.targets.items():
            if waiting[name] or begun[name]:
                worker = self._worker(target, waiting.pop(name), begun[name])
                worker.jobs.update(jobs[name])
                self.drivers[name] = driver = self._driver(worker)
                self._spread(driver, begun[name])
        self._waves.workers = list(self.workers.values())

    def _worker(self, target: Target, waiting: Sequence[str], begun: Sequence[str]) -> TargetWorker:
        """The worker of images that wait for their submission, and of those with which a run began."""
        states, learned, name = self.ledger.states, self.ledger.learned, target.name
        images, waves = self.ledger.planned, {}
        if self.plan.waves:
            waves = self._waves.indices({key: images[key].image for key in chain(waiting, begun)})
        scheduler = Scheduler(
            target.limits,
            self._line(target, waiting, waves),
            self.clock.monotonic(),
            together=self.plan.polling.min_interval,
            waves=waves,
        )
        scheduler.in_cloud.update(
            key
            for key, state in states.items()
            if state.phase in IN_CLOUD and images[key].image.target == name
        )
        visibility = Visibility(
            {by: learned[name, by] for by in ListedBy if (name, by) in learned},
            marked=self.plan.policy.marker is MarkerKind.TAG,
        )
        worker = TargetWorker(
            target,
            self.clouds[name],
            scheduler,
            self.clock,
            visibility,
            self.sizes,
            self.seen.get(name),
            self.decided,
        )
        for key in begun:
            visibility.resumed(states[key], worker.tick_of)
        worker.on_idle = self._waves.nothing_under_way
        return worker

    def _driver(self, worker: TargetWorker) -> Driver:
        context = Context(
            plan=self.plan,
            ledger=self.ledger,
            worker=worker,
            listing=Listing(plan=self.plan, ledger=self.ledger, worker=worker),
            clock=self.clock,
            rng=self.rng,
            log=self.log,
        )
        return Driver(
            context,
            self.journal.append,
            self.departure,
            observe=self.observe,
            on_finished=self._on_finished,
            stopping=self.stopping,
        )

    def _line(self, target: Target, waiting: Sequence[str], waves: Mapping[str, int]) -> list[str]:
        planned = self.ledger.planned
        return line(
            waiting,
            lambda key: planned[key].image,
            waves,
            self.sizes,
            largest_first=target.limits.order is Order.LARGEST_FIRST,
            by_machine=self.plan.policy.keep_together is KeepTogether.MACHINE,
        )

    def _spread(self, driver: Driver, keys: list[str]) -> None:
        """Ask about the jobs of an earlier run soon, but not all at once."""
        rate = driver.worker.target.limits.query_rate.per_second
        span = min(self.plan.polling.max_interval, len(keys) / rate)
        for index, key in enumerate(keys):
            driver.schedule_next(key, after=span * index / len(keys))

    async def _drive(self, driver: Driver) -> None:
        if not await driver.survey():
            return
        worker = driver.worker
        requests = worker.target.limits.max_requests
        async with anyio.create_task_group() as group:
            # Half as many again: some record what they were answered while others have requests in flight.
            for number in range(requests + requests // 2):
                group.start_soon(partial(worker.work, driver.take), name=f"{worker.target.name}-{number}")
        await driver.record()  # what it put off

    async def _cut_short(self, scope: anyio.CancelScope) -> None:
        await self.stopping.wait()
        await anyio.sleep(GRACE)
        scope.cancel()
