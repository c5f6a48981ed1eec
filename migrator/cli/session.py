"""One run from its first line to its last: journal, clouds, engine, signals, reports."""

import os
import random
import secrets
import signal
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import structlog

from migrator import __version__
from migrator.cli.common import Look
from migrator.cli.parts import open_clouds, plan_folder
from migrator.cli.progress import Progress
from migrator.cli.reporting import write_reports
from migrator.core.lifecycle import RunBegan, RunEnded
from migrator.core.reconcile import first_words, planned, work_left
from migrator.core.verdict import Ending, Stop
from migrator.edges.clock import FastClock
from migrator.edges.journal import Journal
from migrator.engine import Engine
from migrator.errors import ReportError, UsageError
from migrator.model import Plan

log = structlog.get_logger()

REPORT_EVERY = 30.0
"""Seconds between two rewrites of the reports while a run goes on."""

_STOPS = {signal.SIGINT: Stop.INTERRUPT, signal.SIGTERM: Stop.TERMINATE, signal.SIGHUP: Stop.HANGUP}
_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked of a run."""

    reports_dir: Path = Path("reports")
    limit: int | None = None
    retry_failed: bool = False
    again: frozenset[str] = frozenset()
    max_duration: float | None = None
    drain: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)


async def run(plan: Plan, options: Options, look: Look) -> int:
    """Start or resume a plan, and return the exit code. Raises MigratorError before the first request."""
    clock = FastClock.from_environment(options.environ)
    folder = plan_folder(options.reports_dir, plan)
    _check_keys(plan, options)
    async with (
        open_clouds(plan, clock, options.environ) as clouds,
        _open_journal(folder / "journal.db") as journal,
    ):
        items = planned(plan)
        ledger = await journal.ledger(items)
        run_id = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(clock.now()))}-{secrets.token_hex(3)}"
        began = RunBegan(
            at=clock.now(), run=run_id, version=__version__, host=socket.gethostname(), pid=os.getpid()
        )
        resumed = bool(ledger.runs)
        words = first_words(
            items, ledger, clock.now(), retry_failed=options.retry_failed, again=options.again
        )
        await journal.append(began, *words)
        keys = work_left(ledger)[: options.limit]
        log.info("run.began", plan=plan.name, run=run_id, images=len(plan.images), left=len(keys))
        look.say(_first_line(plan, len(keys), resumed=resumed))
        progress = Progress(plan, ledger, look)
        engine = Engine(plan, ledger, clouds, journal, clock, random.SystemRandom(), observe=progress.saw)

        async def refresh() -> None:
            while True:
                await anyio.sleep(REPORT_EVERY)
                try:
                    await write_reports(plan, ledger, folder, clock.now(), running=True)
                except ReportError as error:
                    # The run and its journal go on; the next refresh may succeed.
                    log.error("report.stale", reason=str(error))

        async with anyio.create_task_group() as group:
            await group.start(_heed_signals, engine, options.drain, look)
            group.start_soon(refresh)
            group.start_soon(progress.show)
            if options.max_duration is not None:
                group.start_soon(_end_in_time, engine, options.max_duration, options.drain)
            ending = await engine.run(keys)
            group.cancel_scope.cancel()
        progress.close()
        ended = RunEnded(at=clock.now(), run=run_id, reason=ending.reason, exit_code=ending.exit_code)
        await journal.append(ended)
        progress.saw(ended)
        paths = await write_reports(plan, ledger, folder, clock.now(), running=False)
    _last_words(look, ending, paths)
    return ending.exit_code


def _check_keys(plan: Plan, options: Options) -> None:
    unknown = options.again - {image.key for image in plan.images}
    if unknown:
        raise UsageError(
            f"--again {min(unknown)!r}: the plan has no such image",
            hint="A key is TARGET/NAME, as reports and `migrator status` show it.",
        )


@asynccontextmanager
async def _open_journal(path: Path) -> AsyncIterator[Journal]:
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
    with anyio.open_signal_receiver(*_STOPS) as signals:
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


async def _end_in_time(engine: Engine, seconds: float, drain: bool) -> None:
    await anyio.sleep(seconds)
    engine.stop(Stop.TIME, drain=drain)


def _first_line(plan: Plan, left: int, *, resumed: bool) -> str:
    verb = "resuming" if resumed else "starting"
    return f"{verb} {plan.name}: {left} of {len(plan.images)} images to do"


def _last_words(look: Look, ending: Ending, paths: list[Path]) -> None:
    if look.json:
        look.object(
            {"reason": ending.reason, "exit_code": ending.exit_code, "reports": [str(path) for path in paths]}
        )
    look.say(ending.reason)
    for path in paths:
        look.say(f"report: {path}")
