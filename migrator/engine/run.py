"""The run: what is written down first, the circle for every image, and how it all ends."""

import random
from collections.abc import Callable, Iterable, Mapping
from math import inf
from types import MappingProxyType

import anyio
import structlog
from structlog.typing import FilteringBoundLogger

from migrator.core.bucket import TICK
from migrator.core.ledger import Ledger
from migrator.core.lifecycle import (
    FINISHED,
    IN_CLOUD,
    Event,
    Phase,
    State,
    Step,
    TargetHalted,
    decide,
)
from migrator.core.schedule import Agenda, too_many_failures
from migrator.core.settle import By
from migrator.core.verdict import Ending, Stop, ending
from migrator.core.visibility import Visibility
from migrator.core.waves import Gate, Waves, line
from migrator.engine.lane import Lane
from migrator.engine.turns import Turns
from migrator.model import Fault, MarkerKind, Order, Plan, Target
from migrator.ports import Clock, Cloud, Journal

GRACE = 1.0
"""Seconds for which requests that are under way may still get their answer after Ctrl-C: each answer read now
is one image less to look up later."""


class Engine:
    """Drives every image of a plan to its end, one conversation at a time, each fact durable before the next.

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
    ) -> None:
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
        self.waves = Waves((), ())
        self.gate = Gate(open=frozenset({0}), possible=frozenset({0}))
        """Which waves are open, and why the others are not."""
        self._gate_changed = anyio.Event()
        self.lanes: dict[str, Lane] = {}
        self.stopped: Stop | None = None
        self.threshold_reached = False
        self._failed = self._finished = 0
        self.stopping = anyio.Event()
        """Set when the run should end at once."""

    async def run(self, keys: Iterable[str]) -> Ending:
        """Work on the images `keys`, in that order, until each is finished or the run has to stop.

        Raises JournalError when a fact cannot be made durable: then nothing more is sent.
        """
        chosen = list(keys)
        if self.plan.waves:
            states = self.ledger.states
            images = (
                (item.image, states[key])
                for key, item in self.ledger.planned.items()
                if not states[key].removed
            )
            self.waves = Waves(self.plan.waves, images)
        self._open_lanes(chosen)
        self._regate()
        turns = Turns(self)
        async with anyio.create_task_group() as everything:
            everything.start_soon(self._cut_short, everything.cancel_scope, name="grace")
            if self.plan.waves:
                everything.start_soon(self._keep_the_gate, name="waves")
            async with anyio.create_task_group() as group:
                for lane in self.lanes.values():
                    group.start_soon(self._drive, lane, turns, name=lane.target.name)
            everything.cancel_scope.cancel()
        return ending(
            [self.ledger.states[key] for key in chosen],
            halted=[
                (name, lane.halted, lane.halt_exit_code) for name, lane in self.lanes.items() if lane.halted
            ],
            stopped=self.stopped,
            threshold_reached=self.threshold_reached,
            waits=self.gate.reason,
            wave_failed=self.gate.failed,
        )

    def stop(self, why: Stop, *, drain: bool = False) -> None:
        """Submit nothing more; with `drain`, follow what runs to its end, otherwise end within seconds.

        Safe to call from a signal handler's task, and more than once.
        """
        self.stopped = why
        self.log.info("run.stopping", reason=why.value, drain=drain)
        for lane in self.lanes.values():
            lane.agenda.open = False
            lane.wake_all()
            if not drain:
                lane.close()
        if not drain:
            self.stopping.set()

    async def record(self, *events: Event) -> None:
        """Make facts durable, then let everybody see them."""
        await self.journal.append(*events)
        for event in events:
            self.observe(event)

    async def halt(self, lane: Lane, fault: Fault, exit_code: int, *, drain: bool) -> None:
        """Submit nothing more to one target, and say why; the others go on."""
        if lane.halted is None:
            lane.halted, lane.halt_exit_code = fault, exit_code
            lane.agenda.open = False
            self.log.error("target.halted", target=lane.target.name, reason=str(fault), remedy=fault.remedy)
            await self.record(TargetHalted(at=self.clock.now(), target=lane.target.name, fault=fault))
        if drain:
            lane.wake_all()
        else:
            lane.close()

    def proceed(self, lane: Lane, key: str, *, after: float | None = None) -> None:
        """Put the next step of an image on the agenda: after `after` seconds, or when it is worth it."""
        state = self.ledger.states[key]
        now, tick = self.clock.now(), self.clock.monotonic()
        step = decide(state)
        if state.phase in IN_CLOUD:
            lane.agenda.in_cloud.add(key)
        else:
            lane.agenda.in_cloud.discard(key)
        if step is Step.LOOK_UP:
            lane.doubts.add(key)
        else:
            lane.doubts.discard(key)
        if step is Step.DONE:
            lane.forget(key)
            if self.plan.waves and state.phase in FINISHED:
                self.waves.finished(self.ledger.planned[key].image, state.phase)
                self._regate()
        elif step is Step.SUBMIT:
            lane.agenda.again(key, tick + (after or 0.0))
        elif step in (Step.POLL, Step.FOLLOW) and after is None:
            lane.agenda.ask(key, step, tick + lane.until_poll(self.plan.polling, state, now))
        else:
            lane.agenda.ask(key, step, tick + (after or 0.0))

    def finished(self, state: State) -> None:
        """Count one image that this run brought to an end, and stop submitting when too many failed."""
        self._finished += 1
        self._failed += state.phase is Phase.FAILED
        if self.threshold_reached or not too_many_failures(
            self.plan.policy, failed=self._failed, finished=self._finished
        ):
            return
        self.threshold_reached = True
        self.log.error(
            "run.failure_threshold",
            failed=self._failed,
            finished=self._finished,
            max_failures=str(self.plan.policy.max_failures),
        )
        for lane in self.lanes.values():
            lane.agenda.open = False
            lane.wake_all()

    def _open_lanes(self, chosen: list[str]) -> None:
        by_target: dict[str, list[str]] = {name: [] for name in self.plan.targets}
        for key in chosen:
            by_target[self.ledger.planned[key].image.target].append(key)
        tick = self.clock.monotonic()
        for name, keys in by_target.items():
            if not keys:
                continue
            target = self.plan.targets[name]
            states = self.ledger.states
            waiting = [key for key in keys if states[key].phase is Phase.PENDING]
            learned = {by: self.ledger.learned[name, by] for by in By if (name, by) in self.ledger.learned}
            images = {key: self.ledger.planned[key].image for key in keys}
            waves = {key: self.waves.index(image) for key, image in images.items()} if self.plan.waves else {}
            agenda = Agenda(
                target.limits,
                self._line(target, waiting, waves),
                tick,
                together=self.plan.polling.min_interval,
                waves=waves,
            )
            visibility = Visibility(learned, marked=self.plan.policy.marker is MarkerKind.TAG)
            for key in keys:
                visibility.resumed(states[key])
            self.lanes[name] = lane = Lane(
                target, self.clouds[name], agenda, self.clock, visibility, self.sizes
            )
            agenda.in_cloud.update(
                key
                for key, state in states.items()
                if state.phase in IN_CLOUD and self.ledger.planned[key].image.target == name
            )
            lane.on_idle = self._nothing_under_way
            self._spread(lane, [key for key in keys if states[key].phase is not Phase.PENDING])

    def _line(self, target: Target, waiting: list[str], waves: Mapping[str, int]) -> list[str]:
        images = {key: self.ledger.planned[key].image for key in waiting}
        largest_first = target.limits.order is Order.LARGEST_FIRST
        return line(images, waves, self.sizes, largest_first=largest_first)

    # --- waves ------------------------------------------------------------------------------------------

    def _regate(self) -> None:
        """Open and close waves; called whenever an image has finished, and when the clock says so."""
        if not self.plan.waves:
            return
        gate = self.waves.gate(self.clock.now())
        if gate == self.gate:
            return
        if gate.reason != self.gate.reason:
            self.log.info("wave.waiting", reason=gate.reason or "nothing")
        self.gate = gate
        self._gate_changed.set()
        for lane in self.lanes.values():
            lane.agenda.open_waves, lane.agenda.possible_waves = gate.open, gate.possible
            lane.wake_all()

    def _nothing_under_way(self) -> None:
        """End the run when waves wait for images that nobody works on any more: overdue or held ones."""
        if self.gate.until is None and all(lane.agenda.idle for lane in self.lanes.values()):
            for lane in self.lanes.values():
                lane.agenda.possible_waves = self.gate.open
                lane.wake_all()

    async def _keep_the_gate(self) -> None:
        while True:
            self._gate_changed = anyio.Event()
            until = self.gate.until
            wait = inf if until is None else max(until - self.clock.now(), TICK)
            await self.clock.wait(self._gate_changed, wait)
            self._regate()

    def _spread(self, lane: Lane, keys: list[str]) -> None:
        """Ask about the jobs of an earlier run soon, but not all at once."""
        rate = lane.target.limits.query_rate.per_second
        span = min(self.plan.polling.max_interval, len(keys) / rate)
        for index, key in enumerate(keys):
            self.proceed(lane, key, after=span * index / len(keys))

    async def _drive(self, lane: Lane, turns: Turns) -> None:
        async with anyio.create_task_group() as group:
            if await turns.survey(lane):
                requests = lane.target.limits.max_requests
                # Half as many again: some write down what they heard while others have requests in flight.
                for number in range(requests + requests // 2):
                    group.start_soon(lane.work, turns.take, name=f"{lane.target.name}-{number}")

    async def _cut_short(self, scope: anyio.CancelScope) -> None:
        await self.stopping.wait()
        await anyio.sleep(GRACE)
        scope.cancel()
