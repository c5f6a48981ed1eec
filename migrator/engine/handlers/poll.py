"""Asking one job how it does."""

from collections.abc import AsyncGenerator

from migrator.domain.errors import RejectedError
from migrator.engine.context import Context, Result
from migrator.engine.handlers.job_status import job_result, missing
from migrator.pacing.scheduler import WorkItem


async def poll(context: Context, item: WorkItem) -> AsyncGenerator[Result, None]:
    """Ask the job of one image."""
    state = context.state(item.keys[0])
    assert state.job_id is not None
    try:
        job = await context.worker.cloud.job(state.job_id)
    except RejectedError as error:
        yield await missing(context, state, error.fault)
    else:
        result = job_result(context, state, job)
        result.last = True
        yield result
