"""`status`: where a plan stands, from its journal."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import anyio

from migrator.cli.common import Console, plural
from migrator.cli.counted import print_lines
from migrator.cli.journals import plan_folder, reader_of
from migrator.cli.options import Options
from migrator.cli.report import is_behind
from migrator.cli.reporting import snapshot
from migrator.cli.wiring import zone_of
from migrator.cli.work import edited
from migrator.domain.image import Image
from migrator.domain.plan import Plan
from migrator.io.clock import SystemClock
from migrator.io.console import STDOUT
from migrator.journal.port import held_by
from migrator.reports import terminal
from migrator.reports.machines import MachineState
from migrator.reports.styled import painted
from migrator.reports.summary import Summary, summary
from migrator.workflow.events import ImagePlanned
from migrator.workflow.resume import listed, planned, startup_events

WATCH_EVERY = 2.0
"""Seconds between two readings of `status --watch`."""


async def status(plan: Plan, options: Options, console: Console, *, watch: bool = False) -> int:
    """Print where a plan stands; with `watch` again and again, until Ctrl-C."""
    standing = await _standing(plan, options)
    if not watch:
        _print_standing(standing, console)
        return 0
    images = listed(plan)
    async with anyio.create_task_group() as group:
        with anyio.open_signal_receiver(signal.SIGINT) as signals:

            async def end() -> None:
                async for _ in signals:
                    group.cancel_scope.cancel()

            group.start_soon(end)
            while True:
                _print_watched(standing, console)
                await anyio.sleep(WATCH_EVERY)
                standing = await _standing(plan, options, images)
    if STDOUT.moving and not console.json:
        STDOUT.line("")
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """What one reading of a journal finds."""

    summary: Summary
    said: str
    holder: str | None
    fresh: int
    """Images of the plan that the journal does not hold."""

    unattended: list[str]
    """What was handed to workers and nobody works on, and why."""

    edited: list[str]
    """What is to be said of images that were edited after their import."""

    @property
    def waits(self) -> list[str]:
        fresh = [f"{plural(self.fresh, 'image')} new in the plan since the last run"] if self.fresh else []
        return [*self.unattended, *self.edited, *fresh]


async def _standing(
    plan: Plan, options: Options, known: Mapping[str, Image] = MappingProxyType({})
) -> _Standing:
    reader = await reader_of(plan, options)
    # A run may begin or end while its journal is read: one that has not said its end held the lock before
    # or holds it now, or else it was killed.
    before, ledger = await reader.holder(), await reader.ledger(known or listed(plan))
    read = snapshot(ledger)
    found = await reader.holder()
    if ledger.runs and ledger.runs[-1].ended_at is None:
        found = found or before
    unattended = await reader.unattended()
    holder = held_by(found, unattended)
    now = SystemClock().now()
    fresh = 0
    for event in list(startup_events(planned(plan, ledger.planned), ledger, now)):
        # The other startup events are about what a run will do, and none may begin.
        if isinstance(event, ImagePlanned) and event.key not in ledger.states:
            ledger.apply(event)
            fresh += 1
    facts = summary(ledger, plan=plan, now=now, running=holder is not None, zone=zone_of(plan))
    said = terminal.standing(facts, holder)
    if holder is None and await is_behind(plan, plan_folder(options.reports_dir, plan.name), read, reader):
        said += "; the journal is older than the report beside it, which the next run takes in first"
    return _Standing(
        summary=facts,
        said=said,
        holder=holder,
        fresh=fresh,
        unattended=list(unattended),
        edited=edited(ledger),
    )


def _print_standing(standing: _Standing, console: Console) -> None:
    facts = standing.summary
    if console.json:
        console.object(_status_object(standing))
        return
    shown = terminal.live_status(facts, run=standing.said, waits=standing.waits)
    print_lines(shown, facts.totals, facts.failures, console)


def _print_watched(standing: _Standing, console: Console) -> None:
    if console.json:
        console.object(_status_object(standing))
        return
    shown = terminal.live_status(standing.summary, run=standing.said, waits=standing.waits)
    columns, rows = STDOUT.size()
    moving = STDOUT.moving
    drawn = terminal.view(
        shown,
        width=columns - 1 if moving else 1000,
        height=max(rows - 1, 1) if moving else None,
        encoding=STDOUT.encoding,
    )
    text = "\n".join(painted(drawn, colored=console.colored_on(STDOUT)))
    if moving:
        # The screen anew: whatever became of its size meanwhile, nothing old stays.
        STDOUT.write("\x1b[H\x1b[2J" + text)
        STDOUT.flush()
    else:
        STDOUT.line(text)


def _status_object(standing: _Standing) -> dict[str, object]:
    facts = standing.summary
    totals = {phase.value: count for phase, count in facts.totals.by_status.items()}
    return {
        "plan": facts.plan.name,
        "images": facts.totals.images,
        "totals": totals,
        "machines": {state.value: facts.machines.count(state) for state in MachineState},
        "run": facts.runs[-1].state.value if facts.runs else None,
        "said": standing.said,
        "holder": standing.holder,
        "new_in_plan": standing.fresh,
        "per_hour": facts.throughput.per_hour,
        "eta_seconds": facts.eta.seconds,
        "waits": [*standing.waits, *facts.waits],
    }
