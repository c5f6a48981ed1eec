"""One list of what runs: it teaches how soon imports show, and announces the finished ones."""

from collections.abc import AsyncGenerator

from migrator.engine.context import Context, Result
from migrator.engine.handlers.job_status import learned, on_answer
from migrator.pacing.scheduler import WorkItem
from migrator.workflow.states import Phase


async def sweep(context: Context, item: WorkItem) -> AsyncGenerator[Result, None]:
    """List everything of this plan that may be running."""
    worker, asked_at = context.worker, context.now()
    by = worker.visibility.swept_by
    accepted = (context.state(key).submitted_at or asked_at for key in worker.watches)
    since = min(accepted, default=asked_at)
    images = await context.listing.everything(by, since)
    on_answer(context)
    matches = context.listing.matches(list(worker.watches), images)
    announced = worker.swept(by, matches, asked_at)
    due = [
        key
        for key in sorted(announced)
        if context.state(key).phase is Phase.RUNNING
        and context.plan.polling.sweep
        and not worker.scheduler.asking(key)
    ]
    yield Result(events=learned(context), after=dict.fromkeys(due, 0.0))
    yield Result(sweep=True)
