"""One target of a plan, as a worker carries it out: claimed, resumed, driven, and let go of."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog

from migrator.cli.common import Console
from migrator.cli.handing_over import read_document, targets_for
from migrator.cli.journals import open_journal
from migrator.cli.options import Options
from migrator.cli.preflight import preflight_before_run
from migrator.cli.reporting import snapshot
from migrator.cli.wiring import TargetServices, clock_for, open_clouds
from migrator.cli.work import choose, decided_offline, events_at_start, selected_keys
from migrator.domain.cloud import Fault
from migrator.domain.errors import JournalError, JournalFenced, JournalLocked, MigratorError
from migrator.domain.plan import Plan
from migrator.domain.ports import Clock
from migrator.engine import Engine
from migrator.engine.preflight import PreflightResult
from migrator.journal.port import Journal
from migrator.journal.postgres.claim import Claim
from migrator.journal.postgres.connection import Connection, Database
from migrator.journal.postgres.errors import explained
from migrator.journal.postgres.handover import Handed, Standing, begun, finish, handed, postpone, publish
from migrator.journal.postgres.heartbeat import Heartbeat
from migrator.journal.postgres.location import PostgresLocation
from migrator.workflow.events import ImageEvent, TargetHalted
from migrator.workflow.ledger import Ledger
from migrator.workflow.resume import listed, planned
from migrator.workflow.states import FINISHED, Phase, State
from migrator.workflow.target_counts import TargetCounts, together
from migrator.workflow.verdict import Ending, StopReason
from migrator.workflow.waves import Waves

Answer = TypeVar("Answer")

log = structlog.get_logger()

WAVE_AGAIN = 5.0
"""Seconds after which a target that waits for a wave is looked at again."""

TROUBLE_AGAIN = 300.0
"""Seconds after which a target whose services were out of reach is tried again."""


@dataclass(slots=True, kw_only=True)
class TargetRun:
    """One target while this worker owns it."""

    plan: str
    target: str
    database: Database
    heartbeat: Heartbeat
    environ: Mapping[str, str]
    console: Console
    on_fenced: Callable[[JournalError], None]
    held: Claim | None = None
    engine: Engine | None = None
    revision: int = 0
    leaving: bool = False
    """Nothing more is begun: this worker ends, or the plan was handed over anew."""

    draining: bool = False
    before: TargetCounts = field(default_factory=TargetCounts)
    """As the last owner left them."""

    @property
    def name(self) -> str:
        """As logs call it."""
        return f"{self.plan}/{self.target}"

    async def carry_out(self) -> None:
        """Work on the target until nothing is left or it has to be let go of. Raises JournalError."""
        given = await asyncio.to_thread(self._ask, lambda one: handed(one, self.plan, self.target))
        if given is None or self.leaving:
            return
        location = PostgresLocation(
            database=self.database,
            plan=self.plan,
            target=self.target,
            heartbeat=self.heartbeat,
            on_claimed=self._on_claimed,
            on_fenced=self.on_fenced,
        )
        self.revision, self.before = given.revision, given.counts
        try:
            async with open_journal(location) as journal:
                try:
                    await self._guarded(given, journal)
                finally:
                    self.held, self.engine = None, None
        except JournalLocked as locked:
            log.info("target.taken_by_another", plan=self.plan, target=self.target, reason=str(locked))

    def _on_claimed(self, held: Claim) -> None:
        self.held = held

    async def _guarded(self, given: Handed, journal: Journal) -> None:
        """Whatever goes wrong with one target is said, and does not make it go from hand to hand."""
        assert self.held is not None
        log.info("target.taken", plan=self.plan, target=self.target, epoch=self.held.epoch)
        try:
            plan, options = read_document(given.document, given.images)
            await self._work(plan, options, given, journal)
        except JournalError:
            raise
        except Exception as error:
            known = isinstance(error, MigratorError)
            log.error(
                "target.failed",
                plan=self.plan,
                target=self.target,
                reason=str(error),
                exc_info=None if known else error,
            )
            why = str(error) if known else f"a fault of migrator: {type(error).__name__}"
            await self._postpone(why, TROUBLE_AGAIN)

    def follow(self, standing: Standing) -> None:
        """Go by what everybody goes by: a plan that was stopped or handed over anew, waves, failures.

        A process that stood still may have nothing to record for long, and would ask about jobs that are
        another's by now: so it ends here, as it would with its next event.
        """
        held = self.held
        if held is not None and standing.owners.get(self.target) != (held.process, held.epoch):
            self.on_fenced(JournalFenced(f"{self.name}: another process has taken this over"))
        if standing.revision != self.revision:
            self.leave()
        if standing.stopping is not None and not self.draining:
            self.draining = True
            if self.engine is not None:
                self.engine.stop(StopReason.TERMINATE, drain=True)
        if self.engine is not None:
            others = [counts for name, counts in standing.counts.items() if name != self.target]
            self.engine.elsewhere(together(others))

    def leave(self) -> None:
        """Let go of the target as soon as what is under way is recorded."""
        self.leaving = True
        if self.engine is not None:
            self.engine.stop(StopReason.TERMINATE)

    def counts(self) -> TargetCounts:
        """How far it has come."""
        return self.before if self.engine is None else self.engine.counts()

    # --- The work ---------------------------------------------------------------------------------------

    async def _work(self, plan: Plan, options: Options, given: Handed, journal: Journal) -> None:
        clock = clock_for(plan, self.environ)
        ledger = await journal.ledger(listed(plan))
        waits = self._waves_wait(plan, given, ledger, clock)
        if waits is not None:
            await self._postpone(*waits)
            return
        try:
            async with open_clouds(self._used(plan), clock, self.environ, passing=True) as services:
                end = await self._run(plan, options, given, journal, ledger, services, clock)
        except JournalError:
            raise
        except MigratorError as error:
            # What keeps a target from being begun stops that target, and the others go on.
            fault = Fault(code="MIG.target", message=str(error), remedy=error.hint)
            if not self.leaving:
                await journal.append(TargetHalted(at=clock.now(), target=self.target, fault=fault))
            end = Ending(reason=str(error), exit_code=error.exit_code)
        if self.leaving or self.draining:
            return
        await self._end(end, clock)

    def _waves_wait(
        self, plan: Plan, given: Handed, ledger: Ledger, clock: Clock
    ) -> tuple[str, float] | None:
        """Why nothing can be done now for the sake of waves, and for how long; None where something can."""
        if not plan.waves:
            return None
        states, fresh = ledger.states, State(key="")
        if any(state.phase not in FINISHED and state.phase is not Phase.PENDING for state in states.values()):
            return None
        images = [(image, states.get(image.key, fresh)) for image in plan.images]
        left = [image for image, state in images if state.phase is Phase.PENDING]
        waves = Waves(plan.waves, images)
        waves.elsewhere(together(given.others).waves)
        gate = waves.gate(clock.now())
        if not left or gate.failed or gate.closed or any(waves.index(image) in gate.open for image in left):
            return None
        wait = WAVE_AGAIN if gate.until is None else max(min(gate.until - clock.now(), 3600.0), WAVE_AGAIN)
        return gate.reason, wait

    async def _run(
        self,
        plan: Plan,
        options: Options,
        given: Handed,
        journal: Journal,
        ledger: Ledger,
        services: Mapping[str, TargetServices],
        clock: Clock,
    ) -> Ending:
        # What was asked for once was done by whoever began.
        once = replace(options, retry_failed=False, again=frozenset()) if given.began else options
        items = planned(plan, ledger.planned)
        selected = selected_keys(plan, ledger, options)
        events = list(events_at_start(items, ledger, once, clock.now(), selected))
        checked = await self._preflight(plan, options, events, ledger, selected, services, clock)
        await journal.append(*events)
        await self._tell(lambda one, held: begun(one, held, given.revision))
        work = choose(plan, ledger, None, selected)
        engine = Engine(
            plan,
            ledger,
            {name: one.ims for name, one in services.items()},
            journal,
            clock,
            random.SystemRandom(),
            sizes=checked.sizes,
            decided=checked.decided,
            after_import={name: one.ims for name, one in services.items()},
            patient=False,
            before=given.counts if given.began else TargetCounts(),
        )
        engine.elsewhere(together(given.others))
        self.engine = engine
        if self.leaving or self.draining:
            engine.stop(StopReason.TERMINATE, drain=self.draining and not self.leaving)
        return await engine.run(work.keys)

    async def _preflight(
        self,
        plan: Plan,
        options: Options,
        events: list[ImageEvent],
        ledger: Ledger,
        selected: frozenset[str] | None,
        services: Mapping[str, TargetServices],
        clock: Clock,
    ) -> PreflightResult:
        if not options.preflight:
            decided = decided_offline(plan.images)
            return PreflightResult(findings=[], sizes={}, decided=decided, images=0)
        ahead = snapshot(ledger)
        for event in events:
            ahead.apply(event)
        keys = choose(plan, ahead, None, selected).keys
        used = self._used(plan)
        return await preflight_before_run(used, ahead, keys, services, clock, self.console, self.environ)

    def _used(self, plan: Plan) -> Plan:
        """The plan with only the targets whose services are needed, and nobody to be told by this worker."""
        names = targets_for(plan, self.target, plan.images)
        targets = {name: plan.targets[name] for name in names}
        return plan.model_copy(update={"targets": targets, "notify": ()})

    async def _end(self, end: Ending, clock: Clock) -> None:
        """Write down that the target is over, or when it is worth another look."""
        engine = self.engine
        if end.exit_code == 7 and engine is not None:
            halted = next((worker.halted for worker in engine.workers.values() if worker.halted), None)
            if halted is not None and halted.code.startswith("MIG."):
                await self._postpone(f"its services were out of reach: {halted}", TROUBLE_AGAIN)
                return
            gate = engine.gate
            if gate.reason and not (halted or gate.failed or gate.closed):
                until = WAVE_AGAIN if gate.until is None else gate.until - clock.now()
                await self._postpone(gate.reason, max(min(until, 3600.0), WAVE_AGAIN))
                return
        counts = self.counts()
        await self._tell(lambda one, held: publish(one, held, counts))
        ended = await self._tell(
            lambda one, held: finish(
                one, held, self.revision, clock.now(), reason=end.reason, exit_code=end.exit_code
            )
        )
        self.console.say(f"{self.name}: {end.reason}")
        if ended is not None:
            self.console.say(f"{self.plan}: {ended.reason}")

    async def _postpone(self, waits: str, seconds: float) -> None:
        counts = self.counts()
        await self._tell(lambda one, held: publish(one, held, counts))
        await self._tell(lambda one, held: postpone(one, held, waits, seconds))
        log.info("target.waits", plan=self.plan, target=self.target, reason=waits, seconds=round(seconds))

    # --- The database -----------------------------------------------------------------------------------

    async def _tell(self, what: Callable[[Connection, Claim], Answer]) -> Answer:
        held = self.held
        assert held is not None
        return await asyncio.to_thread(self._ask, lambda one: what(one, held))

    def _ask(self, what: Callable[[Connection], Answer]) -> Answer:
        with explained(self.name), self.database.connect() as connection:
            return what(connection)
