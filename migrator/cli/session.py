"""One run from its first line to its last: journal, clouds, engine, signals, reports."""

import asyncio
import os
import random
import shlex
import signal
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVarTuple

import anyio
import structlog
from msgspec import Struct

from migrator.cli.beside import CODES, handled
from migrator.cli.common import Console
from migrator.cli.earlier import later_report, say_begun
from migrator.cli.journals import journal_of, open_journal, plan_folder
from migrator.cli.measuring import Measured
from migrator.cli.notifying import notifier, obstacles, open_senders, owed_at_begin, say_undelivered
from migrator.cli.options import Options
from migrator.cli.plan_read import PlanRead
from migrator.cli.preflight import preflight_before_run
from migrator.cli.progress import Progress
from migrator.cli.reporting import Written, snapshot, write_reports
from migrator.cli.run_began import first_line, journal_is_behind, run_began, say_what_is_left
from migrator.cli.service import ServiceWatch
from migrator.cli.wiring import Surroundings, TargetServices, clock_for, open_clouds
from migrator.cli.work import (
    Work,
    check_keys,
    check_same_plan,
    choose,
    decided_offline,
    ending_of_plan,
    events_at_start,
    selected_keys,
)
from migrator.domain import collector
from migrator.domain.errors import ReportError
from migrator.domain.image import Decided
from migrator.domain.plan import Plan
from migrator.domain.ports import Clock
from migrator.engine import Engine
from migrator.engine.notifier import Notifier
from migrator.engine.preflight import PreflightResult
from migrator.journal.port import Journal
from migrator.pacing.affordable import RefreshSchedule, pause
from migrator.pacing.watcher import Watcher
from migrator.reports.formats import FORMATS
from migrator.workflow.events import Event, ImageEvent, RunEnded
from migrator.workflow.ledger import Ledger, Planned
from migrator.workflow.provenance import Sources
from migrator.workflow.restore import LaterReport, restored
from migrator.workflow.resume import listed, planned
from migrator.workflow.verdict import Ending, StopReason

Given = TypeVarTuple("Given")

log = structlog.get_logger()

REPORT_FIRST, REPORT_EVERY = 30.0, 120.0
"""Seconds until reports are first written while a run goes on, and between two rewrites of one, at least."""

METRICS_EVERY = 30.0
"""Seconds between two rewrites of the metrics, at least."""

FIRST_EVENTS = 5_000
"""Events in one commit, while a run writes down what its plan lists."""

REPORT_SHARE, METRICS_SHARE = 0.004, 0.001
"""Of a core: what all reports together, and the metrics, may take while a run goes on."""

_STOPS = {
    signal.SIGINT: StopReason.INTERRUPT,
    signal.SIGTERM: StopReason.TERMINATE,
    signal.SIGHUP: StopReason.HANGUP,
}


async def run(
    plan: Plan,
    options: Options,
    console: Console,
    surroundings: Surroundings | None = None,
    read: PlanRead | None = None,
) -> int:
    """Start or resume a plan, and return the exit code; `read` says how it was read, which may be without
    its images. Raises MigratorError before the first request."""
    collector.spared()  # the plan
    check_keys(plan, options)
    clock = surroundings.clock if surroundings else clock_for(plan, options.environ)
    location = surroundings.journal if surroundings else journal_of(plan.name, options)
    measured = Measured(None if surroundings else options.metrics_file)
    road = surroundings.road if surroundings else measured.road(plan, options.environ)
    async with (
        open_clouds(plan, clock, options.environ, road) as services,
        open_journal(location) as opened_journal,
        open_senders(plan, options.environ, silent=surroundings is not None) as senders,
    ):
        journal, opened = measured.journal(opened_journal, clock.monotonic), clock.monotonic()
        ledger = await journal.ledger(listed(plan))
        if read is not None:
            read = read.completed(ledger, console)
            plan = read.plan
        check_same_plan(plan, ledger)
        session = _Session(
            plan=plan,
            options=options,
            console=console,
            clock=clock,
            journal=journal,
            ledger=ledger,
            items=planned(plan, ledger.planned),
            sources=None if read is None else read.sources,
            selected=selected_keys(plan, ledger, options),
            reports=surroundings is None or surroundings.reports,
            decided=surroundings.decided if surroundings else None,
            notifier=notifier(plan, ledger, journal, clock, senders),
            measured=measured,
            watch=ServiceWatch(plan, plan_folder(options.reports_dir, plan.name), services),
        )
        checked = await session.preflight(services)
        run_id, work = await session.begin()
        progress = Progress(plan, ledger, console)
        observe = session.observed_by(progress)
        engine = session.engine(checked, services, observe)
        progress.engine, session.notifier.gate = engine, lambda: engine.gate
        collector.spared()  # what the journal remembers, and the work
        async with anyio.create_task_group() as listening:
            await listening.start(_stop_on_signals, engine, options.drain, console)
            listening.start_soon(session.notifier.run)
            end = await session.drive(engine, progress, work, opened)
            _safely("progress", progress.close)()
            await session.end(run_id, end, observe)
            await session.write_metrics(running=False)
            paths = (await session.write_reports(running=False)).paths
            listening.cancel_scope.cancel()
    _tell(console, end, paths)
    return end.exit_code


def _tell(console: Console, end: Ending, paths: Sequence[Path]) -> None:
    """How the run ended, for a machine, and where the reports are, for a person."""
    if console.json:
        console.object(
            {"reason": end.reason, "exit_code": end.exit_code, "reports": [str(path) for path in paths]}
        )
    if paths:
        console.say(_where(paths))


class _Session(Struct, frozen=True, kw_only=True):
    """What every step of one run shares; the steps, in their order."""

    plan: Plan
    options: Options
    console: Console
    clock: Clock
    journal: Journal
    ledger: Ledger
    items: dict[str, Planned]
    """What the plan lists, until the journal knows it."""

    sources: Sources | None
    """What that is made of."""

    selected: frozenset[str] | None
    """Keys that the options select; None for all."""

    notifier: Notifier
    measured: Measured
    watch: ServiceWatch
    reports: bool
    """Whether any are to be written."""

    decided: Mapping[str, Decided] | None
    """How images go in whose plan leaves that open, where somebody decided that already."""

    async def preflight(self, services: Mapping[str, TargetServices]) -> PreflightResult:
        """Preflight of the ledger as this run is about to leave it, unless it goes without; the journal gets
        none of that.

        Raises PreflightRefused.
        """
        if not self.options.preflight:
            decided = decided_offline(self.plan.images) if self.decided is None else dict(self.decided)
            return PreflightResult(findings=[], sizes={}, decided=decided, images=0)
        ahead = snapshot(self.ledger)
        for event in events_at_start(self.items, self.ledger, self.options, self.clock.now(), self.selected):
            ahead.apply(event)
        keys = choose(self.plan, ahead, self.options.limit, self.selected).keys
        return await preflight_before_run(
            self.plan, ahead, keys, services, self.clock, self.console, self.options.environ
        )

    def engine(
        self,
        checked: PreflightResult,
        services: Mapping[str, TargetServices],
        observe: Callable[[Event], None],
    ) -> Engine:
        """What drives the images."""
        return Engine(
            self.plan,
            self.ledger,
            self.watch.clouds(),
            self.journal,
            self.clock,
            random.SystemRandom(),
            observe=observe,
            sizes=checked.sizes,
            decided=checked.decided,
            seen=self.watch.known(),
            after_import={name: one.ims for name, one in services.items()},
        )

    def observed_by(self, progress: Progress) -> Callable[[Event], None]:
        """What is called with each event once it is durable."""
        shown = _safely("progress", progress.on_event)
        noticed = _safely("notifications", self.notifier.on_event)
        self.notifier.observe = shown

        def observe(event: Event) -> None:
            shown(event)
            noticed(event)

        return observe

    async def begin(self) -> tuple[str, Work]:
        """Record that the run began, and what it changes before it acts; its id, and the work."""
        plan, ledger, clock, console = self.plan, self.ledger, self.clock, self.console
        resumed = bool(ledger.runs)
        folder = plan_folder(self.options.reports_dir, plan.name)
        later = later_report(folder, plan.name, ledger)
        now = clock.now()
        events = list(events_at_start(self.items, ledger, self.options, now, self.selected))
        began = run_began(plan, self.items, ledger, self.sources, now, coming=1 + len(events))
        taken_in = [] if later is None else self._restored(later, events)
        watcher, owed = self._owed((began, *events, *taken_in))
        first = [began, *events, *taken_in, *owed]
        # A journal that was put back must not come further before it knows what it lacks: in one commit. Any
        # other is as good with a part of a plan as with none, and the texts of a part are soon forgotten.
        part = FIRST_EVENTS if later is None else len(first)
        for start in range(0, len(first), part):
            await self.journal.append(*first[start : start + part])
        self.items.clear()  # the ledger has them now, and a large plan need not be kept twice
        if watcher is not None:
            self.notifier.watch(watcher)
        if later is not None:
            console.warn(journal_is_behind(taken_in))
        await self.write_metrics(running=True)
        if self.reports:
            try:
                say_begun(folder, plan.name, ledger)
            except (ReportError, OSError) as error:
                log.error("report.stale", reason=str(error))
        work = choose(plan, ledger, self.options.limit, self.selected)
        say_what_is_left(plan, ledger, work, self.selected, console)
        log.info("run.began", plan=plan.name, run=began.run, images=len(plan.images), left=len(work.keys))
        console.say(first_line(plan, len(work.keys), resumed=resumed))
        return began.run, work

    def _owed(self, first: Sequence[Event]) -> tuple[Watcher | None, list[Event]]:
        """What somebody is to be told when the run has begun, and who watches what is next."""
        if not self.options.preflight and self.decided is None:
            for sentence in obstacles(self.plan, self.options.environ):
                self.console.warn(sentence)
        dropped = self.notifier.dropped(self.clock.now())
        watcher, owed = owed_at_begin(self.plan, self.ledger, first, self.clock, self._left)
        return watcher, [*dropped, *owed]

    def _left(self, ahead: Ledger) -> int:
        return len(choose(self.plan, ahead, self.options.limit, self.selected).keys)

    def _restored(self, later: LaterReport, events: Sequence[Event]) -> list[ImageEvent]:
        """What a later report knows, for the ledger as it will be after `events`."""
        ahead = snapshot(self.ledger)
        for event in events:
            ahead.apply(event)
        again = self.options.again
        return [event for event in restored(ahead, later, self.clock.now()) if event.key not in again]

    async def drive(self, engine: Engine, progress: Progress, work: Work, opened: float) -> Ending:
        """The engine's run, with everything that goes on beside it; `opened` is when the journal was."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._refresh_reports)
            group.start_soon(self._refresh_metrics)
            group.start_soon(_beside, "progress", progress.show)
            if self.options.max_duration is not None:
                left = self.options.max_duration - (self.clock.monotonic() - opened)
                group.start_soon(_stop_in_time, engine, self.clock, left, self.options.drain)
            end = ending_of_plan(await engine.run(work.keys), self.ledger, work)
            group.cancel_scope.cancel()
        return end

    async def _refresh_reports(self) -> None:
        """Rewrite each report as often as it can be afforded; until cancelled."""
        names, clock = FORMATS if self.reports else (), self.clock
        turns = RefreshSchedule(
            names, share=REPORT_SHARE, first=REPORT_FIRST, least=REPORT_EVERY, now=clock.monotonic()
        )
        while True:
            await anyio.sleep(turns.wait(clock.monotonic()))
            due = turns.due(clock.monotonic())
            try:
                written = await self.write_reports(running=True, formats=due)
            except ReportError as error:
                # The run and its journal go on; the next refresh may succeed.
                log.error("report.stale", reason=str(error))
                turns.made(dict.fromkeys(due, 0.0), clock.monotonic())
            else:
                turns.made(written.spent, clock.monotonic(), common=written.summed)

    async def _refresh_metrics(self) -> None:
        """Rewrite the metrics as often as they can be afforded; until cancelled."""
        spent = 0.0
        while self.measured.wanted:
            await anyio.sleep(pause(spent, share=METRICS_SHARE, least=METRICS_EVERY))
            spent = await self.write_metrics(running=True)

    async def end(self, run_id: str, end: Ending, observe: Callable[[Event], None]) -> None:
        """Record how the run ended, and say it."""
        console, path = self.console, self.options.path
        ended = RunEnded(at=self.clock.now(), run=run_id, reason=end.reason, exit_code=end.exit_code)
        owed = self.notifier.at_end(end)
        await self.journal.append(ended, *owed)
        observe(ended)
        self.notifier.recorded(owed)
        log.info("run.ended", plan=self.plan.name, run=run_id, reason=end.reason, exit_code=end.exit_code)
        console.say(end.reason)
        await self.notifier.settle()
        say_undelivered(self.plan, self.ledger, console)
        self.watch.warn(self.ledger, console)
        for fault in self.ledger.runs[-1].halted.values():
            if fault.remedy:
                console.say(fault.remedy)
        if end.exit_code == 3 and path is not None:
            plan = shlex.quote(str(path))
            console.say(f"why: migrator status {plan}; once more: migrator run {plan} --retry-failed")

    async def write_metrics(self, *, running: bool) -> float:
        """The file of metrics, where one is wanted; seconds of a processor that it took."""
        return await self.measured.write(self.plan, self.ledger, self.clock.now(), running=running)

    async def write_reports(self, *, running: bool, formats: Collection[str] = tuple(FORMATS)) -> Written:
        """Every report, or some; none where nobody would read them. Raises ReportError."""
        if not self.reports or not formats:
            return Written()
        folder = plan_folder(self.options.reports_dir, self.plan.name)
        now, seen = self.clock.now(), self.watch.seen(self.ledger)
        written = await write_reports(
            self.plan, self.ledger, folder, now, running=running, formats=formats, service=seen
        )
        self.watch.write(self.ledger, now)
        return written


async def _beside(what: str, show: Callable[[], Awaitable[None]]) -> None:
    """Something that goes on beside the run: when it fails, that is logged, and the run goes on."""
    try:
        await show()
    except Exception as bug:
        log.error("beside.failed", what=what, reason=f"{type(bug).__name__}: {bug}", exc_info=bug)


def _safely(what: str, function: Callable[[*Given], None]) -> Callable[[*Given], None]:
    """`function`, but that its first failure is logged, and nothing follows from any."""
    failed = False

    def called(*arguments: *Given) -> None:
        nonlocal failed
        try:
            function(*arguments)
        except Exception as bug:
            if not failed:
                log.error("beside.failed", what=what, reason=f"{type(bug).__name__}: {bug}", exc_info=bug)
            failed = True

    return called


async def _stop_on_signals(
    engine: Engine, drain: bool, console: Console, *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    """The first signal ends the run in good order, the second at once; both leave it resumable."""
    loop, count = asyncio.get_running_loop(), 0

    def on_signal(number: signal.Signals) -> None:
        # Outside the loop: whatever keeps that from running does not keep the last signal from ending us.
        nonlocal count
        count += 1
        if count > (2 if drain else 1):
            os._exit(CODES[number])
        loop.call_soon_threadsafe(stop, number, drain and count == 1)

    def stop(number: signal.Signals, draining: bool) -> None:
        if draining:
            console.say("draining: nothing new is submitted; once more stops now")
        else:
            console.say("stopping: saving and writing the report; once more quits at once")
        engine.stop(_STOPS[number], drain=draining)

    with handled(on_signal):
        task_status.started()
        await anyio.sleep_forever()


async def _stop_in_time(engine: Engine, clock: Clock, seconds: float, drain: bool) -> None:
    await clock.sleep(max(seconds, 0.0))
    engine.stop(StopReason.TIME, drain=drain)


def _where(paths: Sequence[Path]) -> str:
    """One line about all reports: the one for people first."""
    first = next((path for path in paths if path.suffix == ".html"), paths[0])
    others = " ".join(path.suffix for path in paths if path != first)
    return f"report: {first}, and beside it {others}"
