"""Asking for an import: the intent before the request leaves, and what its answer means."""

from migrator.domain.errors import (
    CloudError,
    NameTaken,
    OutcomeUnknown,
    RetryableError,
    TargetHaltedError,
    Unreachable,
)
from migrator.domain.plan import OnQuota
from migrator.engine.context import Context, Halt, Result
from migrator.engine.trouble import slow_down
from migrator.pacing import retry
from migrator.workflow import lookup
from migrator.workflow.events import (
    AttemptBegan,
    AttemptRejected,
    AttemptRetryable,
    AttemptThrottled,
    AttemptUnknown,
    ImageEvent,
    JobAccepted,
    MigrationFailed,
)

QUOTA_PAUSE = 300.0
"""Seconds between two submissions while a used-up quota is waited for."""


def intent(context: Context, key: str) -> ImageEvent:
    """What to record before the request leaves: AttemptBegan, or MigrationFailed where it is not to leave."""
    state, now = context.state(key), context.now()
    why = retry.exhausted(context.plan.retry, state.attempts, now)
    if why is not None:
        return MigrationFailed(at=now, key=key, fault=lookup.given_up(state, why))
    digest = context.ledger.planned[key].digest
    return AttemptBegan(at=now, key=key, attempt=len(state.attempts) + 1, digest=digest)


def result(context: Context, key: str, answer: str | CloudError) -> Result:
    """What the service's answer means: `answer` is a job id, or the error that stands for its lack."""
    match answer:
        case str():
            return _accepted(context, key, answer)
        case RetryableError():
            return _refused(context, key, answer)
        case TargetHaltedError():
            return _halted(context, key, answer)
        case OutcomeUnknown() | NameTaken():
            return Result(events=[AttemptUnknown(at=context.now(), key=key, fault=answer.fault)])
        case _:
            context.worker.on_answer()
            return Result(events=[AttemptRejected(at=context.now(), key=key, fault=answer.fault)])


def _accepted(context: Context, key: str, job_id: str) -> Result:
    worker, at, tick = context.worker, context.now(), context.clock.monotonic()
    worker.on_answer()
    worker.scheduler.submits.on_answer(tick)
    worker.scheduler.job_limit.on_accepted(len(worker.scheduler.in_cloud), tick)
    worker.visibility.accepted(key, at)
    return Result(
        events=[JobAccepted(at=at, key=key, job_id=job_id)],
        after={key: context.plan.polling.first},
        sweep=True,
        last=True,
    )


def _refused(context: Context, key: str, error: RetryableError) -> Result:
    """It never happened: the image waits by itself, or with everybody else where all are asked to wait."""
    worker, policy, now = context.worker, context.plan.retry, context.now()
    everybody = error.throttled or isinstance(error, Unreachable)
    earlier = context.state(key).attempts[:-1]
    tried = worker.outages + 1 if everybody else retry.failures(earlier) + 1
    wait = retry.pause(policy, tried, context.rng, error.retry_after)
    context.log.info(
        "attempt.throttled" if everybody else "attempt.retryable",
        key=key,
        attempt=len(earlier) + 1,
        reason=str(error),
        wait=round(wait, 1),
    )
    worker.scheduler.in_cloud.discard(key)  # it holds no slot: only the others did fit
    event = AttemptThrottled if everybody else AttemptRetryable
    return Result(
        events=[event(at=now, key=key, fault=error.fault)],
        after={key: 0.0 if everybody else wait},
        halt=slow_down(context, error, wait, submit=True),
    )


def _halted(context: Context, key: str, error: TargetHaltedError) -> Result:
    """Nobody may submit: the quota is used up, or the credentials are not enough."""
    worker = context.worker
    throttled = Result(events=[AttemptThrottled(at=context.now(), key=key, fault=error.fault)])
    if error.quota and context.plan.policy.on_quota is OnQuota.WAIT:
        context.log.warning("target.quota_used_up", target=worker.target.name, retry_in=QUOTA_PAUSE)
        worker.scheduler.submits.bucket.block(context.clock.monotonic() + QUOTA_PAUSE)
    else:
        throttled.halt = Halt(fault=error.fault, exit_code=error.exit_code, drain=True)
    return throttled
