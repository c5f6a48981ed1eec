"""One list of what runs: it teaches how soon imports show, and announces the finished ones."""

from collections.abc import AsyncGenerator

from migrator.engine.context import Context, Result
from migrator.engine.handlers.job_status import learned, on_answer
from migrator.pacing.scheduler import WorkItem
from migrator.workflow.lookup import CLOCK_SKEW


async def sweep(context: Context, item: WorkItem) -> AsyncGenerator[Result, None]:
    """List everything of this plan that may be running."""
    worker, asked_at = context.worker, context.now()
    by = worker.visibility.swept_by
    since = context.listing.since(worker.watches)
    if since is None:
        accepted = (context.state(key).submitted_at or asked_at for key in worker.watches)
        since = min(accepted, default=asked_at) - CLOCK_SKEW
    statuses = await context.listing.statuses(worker.watches.keys(), by, since)
    on_answer(context)
    announced = worker.swept(by, statuses, asked_at)
    due = tuple(sorted(announced)) if context.plan.polling.sweep else ()
    yield Result(events=learned(context), announced=due)
    yield Result(sweep=True)
