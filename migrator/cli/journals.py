"""Where a plan's journal lies, and the ways to open it: locked for a run, or only read."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

from migrator import __version__
from migrator.cli.options import Options
from migrator.cli.wiring import plan_folder
from migrator.cli.work import events_at_start, selected_keys
from migrator.domain.plan import Plan
from migrator.journal.port import Journal, JournalLocation
from migrator.journal.stores import journal_at
from migrator.workflow.ledger import Ledger
from migrator.workflow.resume import listed, planned


def journal_of(plan: Plan, reports_dir: Path) -> JournalLocation:
    """Where a plan's journal is kept, whether or not it is there yet."""
    return journal_at(plan_folder(reports_dir, plan))


@asynccontextmanager
async def open_journal(location: JournalLocation) -> AsyncIterator[Journal]:
    """A journal, locked until the block is left, whatever happens in it. Raises JournalError."""
    journal = await location.open(version=__version__)
    try:
        yield journal
    finally:
        with anyio.CancelScope(shield=True):
            await journal.close()


async def ledger_ahead(plan: Plan, options: Options) -> tuple[Ledger, frozenset[str] | None]:
    """What a run would know before it starts, and the keys that it would select, None for all.

    The journal is only read. Raises JournalError.
    """
    location = journal_of(plan, options.reports_dir)
    ledger = await location.read().ledger(listed(plan)) if await location.exists() else Ledger()
    selected = selected_keys(plan, ledger, options)
    events = list(events_at_start(planned(plan, ledger.planned), ledger, options, time.time(), selected))
    for event in events:
        ledger.apply(event)
    return ledger, selected
