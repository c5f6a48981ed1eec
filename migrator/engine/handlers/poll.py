"""Asking one job how it does."""

from collections.abc import AsyncGenerator

from migrator.domain.errors import RejectedError
from migrator.engine.context import Context, Result
from migrator.engine.handlers.job_status import ended_otherwise, job_result, missing
from migrator.pacing.scheduler import WorkItem
from migrator.workflow import lookup


async def poll(context: Context, item: WorkItem) -> AsyncGenerator[Result, None]:
    """Ask the job of one image."""
    state = context.state(item.keys[0])
    assert state.job_id is not None
    asked = context.clock.monotonic()
    try:
        job = await context.worker.cloud.job(state.job_id)
    except RejectedError as error:
        yield await missing(context, state, error.fault, asked)
        return
    if lookup.is_unlisted(job):
        context.worker.watch(state).log_state(context.log, state, job)
    if lookup.is_unlisted(job) and job.end_at is not None:
        yield await ended_otherwise(context, state, job, asked)
        return
    result = job_result(context, state, job)
    result.last = True
    yield result
