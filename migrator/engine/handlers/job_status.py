"""What an answer about a job means, whether it came from the job itself or from its image."""

from msgspec.structs import replace

from migrator.domain.cloud import Fault, JobStatus
from migrator.engine.context import Context, Result
from migrator.workflow import lookup
from migrator.workflow.events import (
    DeadlinePassed,
    Event,
    JobFailed,
    JobProgressed,
    JobSucceeded,
    VisibilityLearned,
)
from migrator.workflow.states import State

VANISHED_AFTER = 3
"""Answers in a row, over some patience, that must deny a job or image before it counts as gone."""


def on_answer(context: Context) -> None:
    """The service answered a question."""
    context.worker.on_answer()
    context.worker.scheduler.queries.on_answer(context.clock.monotonic())


def learned(context: Context) -> list[Event]:
    """What lists taught since it was last said, as far as it changes anything."""
    worker = context.worker
    return [
        VisibilityLearned(at=context.now(), target=worker.target.name, by=by, learned=delays)
        for by, delays in worker.visibility.news()
    ]


def job_result(context: Context, state: State, job: JobStatus) -> Result:
    """What to record of what the service says about a job; nothing while it goes on: it is asked again."""
    key, now, worker = state.key, context.now(), context.worker
    on_answer(context)
    worker.watch(state).on_answer()
    match job.status:
        case "SUCCESS":
            worker.job_ended(state, job)
            ended = JobSucceeded(at=now, key=key, image_id=job.image_id)
            return Result(events=[ended, *learned(context)], begun=worker.next_turn(key, job))
        case "FAIL":
            worker.job_ended(state, job)
            fault = job.fault or Fault(message="the job failed, and the service does not say why")
            failed = JobFailed(at=now, key=key, fault=fault, image_id=job.image_id)
            return Result(events=[failed], begun=worker.next_turn(key, job))
        case _:
            return _still_running(context, state, job)


def _still_running(context: Context, state: State, job: JobStatus) -> Result:
    key, now, worker = state.key, context.now(), context.worker
    watched = context.clock.monotonic() - worker.watch(state).since
    worker.still_runs(state, job)
    if watched > context.plan.polling.deadline:
        context.log.warning("job.overdue", key=key, job=state.job_id, seconds=round(watched))
        fault = lookup.unlisted_state(job) if job.fault is not None else None
        return Result(events=[DeadlinePassed(at=now, key=key, fault=fault)], sweep=True)
    if job.progress is not None and int(job.progress * 4) > int((state.progress or 0.0) * 4):
        return Result(events=[JobProgressed(at=now, key=key, progress=job.progress)], sweep=True)
    return Result(after={key: None}, sweep=True)


async def ended_otherwise(context: Context, state: State, job: JobStatus, asked: float) -> Result:
    """The job ended in a state that no manual lists: its image tells how, and without one it failed.

    `asked` is the tick at which the question left: an answer is of that time, however late it is read.
    """
    key, worker = state.key, context.worker
    on_answer(context)
    watch = worker.watch(state)
    missed = watch.on_missing(asked)
    matches = (await context.listing.find([key]))[key]
    if matches.ours:
        return job_result(context, state, lookup.as_job(matches.ours[0]))
    if watch.misses < VANISHED_AFTER or missed < worker.visibility.patience:
        return Result(after={key: max(missed, context.plan.polling.min_interval)})
    return job_result(context, state, replace(job, status="FAIL", fault=lookup.unlisted_state(job)))


async def missing(context: Context, state: State, fault: Fault, asked: float) -> Result:
    """The service does not know a job or image of ours: believed only when it says so again and again.

    `asked` is the tick at which the question left.
    """
    key, worker = state.key, context.worker
    on_answer(context)
    watch = worker.watch(state)
    missed = watch.on_missing(asked)
    if watch.misses < VANISHED_AFTER or missed < worker.visibility.patience:
        return Result(after={key: max(missed, context.plan.polling.min_interval)})
    matches = (await context.listing.find([key]))[key]
    job = lookup.as_job(matches.ours[0]) if matches.ours else lookup.vanished(state, fault)
    return job_result(context, state, job)
