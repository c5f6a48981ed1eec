"""One run from its first line to its last: journal, clouds, engine, signals, reports."""

import os
import random
import secrets
import shlex
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Container, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import structlog

from migrator import __version__, collector
from migrator.cli.common import Look, plural
from migrator.cli.parts import Parts, clock_for, open_clouds, plan_folder
from migrator.cli.progress import Progress
from migrator.cli.reporting import snapshot, write_reports
from migrator.core.ledger import Ledger, Planned
from migrator.core.lifecycle import ImageEvent, Phase, RunBegan, RunEnded, State
from migrator.core.reconcile import first_words, listed, planned, work_left
from migrator.core.select import Selector
from migrator.core.verdict import Ending, Stop, ending
from migrator.edges.journal import Journal
from migrator.engine import Engine
from migrator.errors import ReportError, UsageError
from migrator.model import Moment, Plan
from migrator.ports import Clock

log = structlog.get_logger()

REPORT_EVERY = 30.0
"""Seconds between two rewrites of the reports while a run goes on."""

_STOPS = {signal.SIGINT: Stop.INTERRUPT, signal.SIGTERM: Stop.TERMINATE, signal.SIGHUP: Stop.HANGUP}
_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked of a run."""

    path: Path | None = None
    """Where the plan lies, for words about what to do next; None where it is nobody's file."""

    reports_dir: Path = Path("reports")
    limit: int | None = None
    retry_failed: bool = False
    again: frozenset[str] = frozenset()
    max_duration: float | None = None
    only: Selector | None = None
    """Submit, and try again, no other images than these."""

    wave: str | None = None
    """Submit, and try again, only images of this wave."""

    drain: bool = False
    preflight: bool = True
    """Look before the start, and do not start when something would go wrong for certain."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


async def run(plan: Plan, options: Options, look: Look) -> int:
    """Start or resume a plan, and return the exit code. Raises MigratorError before the first request."""
    collector.spared()  # the plan
    clock = clock_for(plan, options.environ)
    folder = plan_folder(options.reports_dir, plan)
    check_keys(plan, options)
    async with (
        open_clouds(plan, clock, options.environ) as parts,
        open_journal(folder / "journal.db") as journal,
    ):
        ledger = await journal.ledger(listed(plan))
        items = planned(plan, ledger.planned)
        opened = clock.monotonic()
        meant = meant_by(plan, ledger, options)
        sizes: Mapping[str, int] = {}
        if options.preflight:
            # What this run would do; the journal hears nothing of it.
            ahead = snapshot(ledger)
            for event in words_of(items, ledger, options, clock.now(), meant):
                ahead.apply(event)
            sizes = await _look_first(plan, ahead, meant, options, parts, clock, look)
        run_id = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(clock.now()))}-{secrets.token_hex(3)}"
        began = RunBegan(
            at=clock.now(), run=run_id, version=__version__, host=socket.gethostname(), pid=os.getpid()
        )
        resumed = bool(ledger.runs)
        await journal.append(began, *words_of(items, ledger, options, clock.now(), meant))
        work = choose(plan, ledger, options.limit, meant)
        if meant is not None:
            look.say(f"{len(meant)} of {plural(len(plan.images), 'image')} meant by this run")
        for target, count in work.homeless.items():
            look.warn(
                f"{plural(count, 'image')} of target {target} cannot be followed, because the plan no longer "
                f"has it; put [targets.{target}] back to go on with {'it' if count == 1 else 'them'}"
            )
        log.info("run.began", plan=plan.name, run=run_id, images=len(plan.images), left=len(work.keys))
        look.say(_first_line(plan, len(work.keys), resumed=resumed))
        progress = Progress(plan, ledger, look)
        clouds = {name: part.ims for name, part in parts.items()}
        rng = random.SystemRandom()
        engine = Engine(plan, ledger, clouds, journal, clock, rng, observe=progress.saw, sizes=sizes)
        progress.engine = engine

        async def refresh() -> None:
            while True:
                await anyio.sleep(REPORT_EVERY)
                try:
                    await write_reports(plan, ledger, folder, clock.now(), running=True)
                except ReportError as error:
                    # The run and its journal go on; the next refresh may succeed.
                    log.error("report.stale", reason=str(error))

        collector.spared()  # what the journal remembers, and the work
        async with anyio.create_task_group() as listening:
            await listening.start(_heed_signals, engine, options.drain, look)
            async with anyio.create_task_group() as group:
                group.start_soon(refresh)
                group.start_soon(progress.show)
                if options.max_duration is not None:
                    spent = clock.monotonic() - opened
                    left = options.max_duration - spent
                    group.start_soon(_end_in_time, engine, clock, left, options.drain)
                end = _of_the_plan(await engine.run(work.keys), ledger, work)
                group.cancel_scope.cancel()
            progress.close()
            ended = RunEnded(at=clock.now(), run=run_id, reason=end.reason, exit_code=end.exit_code)
            await journal.append(ended)
            progress.saw(ended)
            look.say(end.reason)
            for fault in ledger.runs[-1].halted.values():
                if fault.remedy:
                    look.say(fault.remedy)
            if end.exit_code == 3 and options.path is not None:
                path = shlex.quote(str(options.path))
                look.say(f"why: migrator status {path}; once more: migrator run {path} --retry-failed")
            paths = await write_reports(plan, ledger, folder, clock.now(), running=False)
            listening.cancel_scope.cancel()
    if look.json:
        look.object(
            {"reason": end.reason, "exit_code": end.exit_code, "reports": [str(path) for path in paths]}
        )
    look.say(_where(paths))
    return end.exit_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one run looks after."""

    keys: list[str]
    """In the plan's order."""

    left_out: int
    """Images that wait for a later run."""

    homeless: dict[str, int]
    """Targets that the plan no longer has, and how many images may still be on their way there."""


def choose(plan: Plan, ledger: Ledger, limit: int | None, meant: Container[str] | None = None) -> Work:
    """Everything that is on its way in the cloud, and at most `limit` images that are yet to be submitted.

    Of those, only the `meant` ones; all of them if that is None.
    """
    keys: list[str] = []
    homeless: Counter[str] = Counter()
    fresh = left_out = 0
    for key in work_left(ledger):
        target = ledger.planned[key].image.target
        if target not in plan.targets:
            homeless[target] += 1
        elif ledger.states[key].phase is not Phase.PENDING:
            keys.append(key)
        elif (limit is None or fresh < limit) and (meant is None or key in meant):
            fresh += 1
            keys.append(key)
        else:
            left_out += 1
    return Work(keys=keys, left_out=left_out, homeless=dict(homeless))


def _of_the_plan(chosen: Ending, ledger: Ledger, work: Work) -> Ending:
    """The ending of a run that came to its own end, told of the whole plan and not only of what it chose.

    An earlier run's failures, which this one left alone, are not forgotten in an "all succeeded".
    """
    if chosen.exit_code not in (0, 3):
        return chosen
    states = [state for state in ledger.states.values() if not state.removed]
    whole = ending(states, halted=[], stopped=None, threshold_reached=False)
    left = work.left_out + sum(work.homeless.values())
    if left:
        reason = f"the chosen images are done; {left} more are not finished, run again to continue"
        return Ending(reason=reason, exit_code=7)
    return whole if whole.exit_code == 3 else chosen


def meant_by(plan: Plan, ledger: Ledger, options: Options) -> frozenset[str] | None:
    """Keys that --only, --wave and --again mean, by what is known before the run; None for every one."""
    if options.only is None and options.wave is None:
        return None
    fresh = State(key="")
    keys = {
        image.key
        for image in plan.images
        if (options.wave is None or image.wave == options.wave)
        and (options.only is None or options.only(image, ledger.states.get(image.key, fresh)))
    }
    return options.again | keys


def check_keys(plan: Plan, options: Options) -> None:
    """Raise UsageError for a --again that names no image of the plan, or a --wave that it does not have."""
    names = [wave.name for wave in plan.waves]
    if options.wave is not None and options.wave not in names:
        there = f"Its waves are {', '.join(names)}." if names else "It has none: see [[waves]] in the plan."
        raise UsageError(f"--wave {options.wave!r}: the plan has no such wave", hint=there)
    unknown = options.again - {image.key for image in plan.images}
    if unknown:
        raise UsageError(
            f"--again {min(unknown)!r}: the plan has no such image",
            hint="A key is TARGET/NAME, as reports and `migrator status` show it.",
        )


def words_of(
    items: dict[str, Planned],
    ledger: Ledger,
    options: Options,
    now: Moment,
    meant: frozenset[str] | None,
) -> Iterator[ImageEvent]:
    """What a run with these options writes down before it acts."""
    return first_words(
        items, ledger, now, retry_failed=options.retry_failed, again=options.again, meant=meant
    )


async def _look_first(
    plan: Plan,
    ahead: Ledger,
    meant: frozenset[str] | None,
    options: Options,
    parts: Mapping[str, Parts],
    clock: Clock,
    look: Look,
) -> dict[str, int]:
    """Preflight of the ledger as a run is about to leave it. The sizes of files, by key.

    Raises PreflightRefused.
    """
    from migrator.cli.preflight import before_run  # which needs what is defined here

    keys = choose(plan, ahead, options.limit, meant).keys
    return await before_run(plan, ahead, keys, parts, clock, look)


@asynccontextmanager
async def open_journal(path: Path) -> AsyncIterator[Journal]:
    """The journal at `path`, locked until the block is left, whatever happens in it. Raises JournalError."""
    journal = await Journal.open(path, version=__version__)
    try:
        yield journal
    finally:
        with anyio.CancelScope(shield=True):
            await journal.close()


async def _heed_signals(
    engine: Engine, drain: bool, look: Look, *, task_status: anyio.abc.TaskStatus[None]
) -> None:
    """The first signal ends the run in good order, the second at once; both leave it resumable."""
    heeded = [number for number in _STOPS if not _hardened(number)]
    with anyio.open_signal_receiver(*heeded) as signals:
        task_status.started()
        count = 0
        async for number in signals:
            count += 1
            if count > (2 if drain else 1):
                os._exit(_CODES[number])
            if drain and count == 1:
                look.say("draining: nothing new is submitted; once more stops now")
            else:
                look.say("stopping: saving and writing the report; once more quits at once")
            engine.stop(_STOPS[number], drain=drain and count == 1)


def _hardened(number: signal.Signals) -> bool:
    """Whether this run was started to outlive its terminal, as nohup(1) does."""
    return number is signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN


async def _end_in_time(engine: Engine, clock: Clock, seconds: float, drain: bool) -> None:
    await clock.sleep(max(seconds, 0.0))
    engine.stop(Stop.TIME, drain=drain)


def _where(paths: list[Path]) -> str:
    """One line about all reports: the one for people first."""
    first = next((path for path in paths if path.suffix == ".html"), paths[0])
    others = " ".join(path.suffix for path in paths if path != first)
    return f"report: {first}, and beside it {others}"


def _first_line(plan: Plan, left: int, *, resumed: bool) -> str:
    verb = "resuming" if resumed else "starting"
    return f"{verb} {plan.name}: {left} of {len(plan.images)} images to do"
