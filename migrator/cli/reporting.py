"""Reports written from a ledger, each file atomically."""

from copy import copy
from dataclasses import replace
from pathlib import Path

import anyio.to_thread

from migrator.domain.plan import Plan
from migrator.domain.units import Moment
from migrator.io.atomic_write import write_atomically
from migrator.reports.formats import FORMATS
from migrator.reports.summary import Summary, summary
from migrator.workflow.ledger import Ledger


def snapshot(ledger: Ledger) -> Ledger:
    """The ledger as it is now, for another thread to read while this one goes on."""
    return Ledger(
        planned=dict(ledger.planned),
        states=dict(ledger.states),
        runs=[replace(run, halted=dict(run.halted)) for run in ledger.runs],
        learned=copy(ledger.learned),
    )


async def write_reports(
    plan: Plan, ledger: Ledger, folder: Path, now: Moment, *, running: bool
) -> list[Path]:
    """Every report of a plan, from one Summary; the files' paths. Raises ReportError."""
    frozen = snapshot(ledger)
    return await anyio.to_thread.run_sync(_write, plan, frozen, folder, now, running)


def _write(plan: Plan, ledger: Ledger, folder: Path, now: Moment, running: bool) -> list[Path]:
    facts: Summary = summary(ledger, plan=plan, now=now, running=running)
    paths = []
    for suffix, write in FORMATS.items():
        path = folder / f"report.{suffix}"
        write_atomically(path, lambda stream, write=write: write(facts, stream))  # type: ignore[misc]
        paths.append(path)
    return paths
