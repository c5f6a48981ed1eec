"""What a run would know before it starts, for commands that only look."""

import time

from migrator.cli.journals import journal_of
from migrator.cli.options import Options
from migrator.cli.work import events_at_start, selected_keys
from migrator.domain.plan import Plan
from migrator.workflow.ledger import Ledger
from migrator.workflow.resume import listed, planned


async def ledger_ahead(plan: Plan, options: Options) -> tuple[Ledger, frozenset[str] | None]:
    """What a run would know before it starts, and the keys that it would select, None for all.

    The journal is only read. Raises JournalError.
    """
    location = journal_of(plan.name, options)
    ledger = await location.read().ledger(listed(plan)) if await location.exists() else Ledger()
    selected = selected_keys(plan, ledger, options)
    events = list(events_at_start(planned(plan, ledger.planned), ledger, options, time.time(), selected))
    for event in events:
        ledger.apply(event)
    return ledger, selected
