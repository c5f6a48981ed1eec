"""Asking for an import: the intent before the request leaves, and what its answer means."""

from migrator.domain.cloud import Fault
from migrator.domain.errors import (
    CloudError,
    CredentialsRenewed,
    NameTaken,
    OutcomeUnknown,
    RetryableError,
    TargetHaltedError,
    Unreachable,
)
from migrator.domain.image import USUAL, Decided
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

UNDECIDED = Fault(
    code="MIG.method",
    message='method is "auto", and nobody could tell which way the image goes in',
    remedy="Run with preflight, or write the method into the plan; then run again with --retry-failed.",
)

QUOTA_PAUSE = 300.0
"""Seconds between two submissions while a used-up quota is waited for."""


def intent(context: Context, key: str) -> ImageEvent:
    """What to record before the request leaves: AttemptBegan, or MigrationFailed where it is not to leave."""
    state, now = context.state(key), context.now()
    why = retry.exhausted(context.plan.retry, state.attempts, context.worker.retried_for(key))
    if why is not None:
        return MigrationFailed(at=now, key=key, fault=lookup.given_up(state, why))
    item = context.ledger.planned[key]
    how = Decided("" if item.image.method == USUAL else item.image.method, "")
    if item.image.undecided:
        # What the first attempt went by is what every later one goes by.
        known = Decided(state.method, state.method_why) if state.method else context.worker.decided.get(key)
        if known is None:
            return MigrationFailed(at=now, key=key, fault=UNDECIDED)
        how = known
    return AttemptBegan(
        at=now,
        key=key,
        attempt=len(state.attempts) + 1,
        digest=item.digest,
        leftovers=tuple(sorted(context.worker.leftovers.get(key, ()))),
        method=how.method,
        why=how.why,
    )


def unsigned(context: Context, key: str, error: CloudError) -> Result:
    """What follows where the request could not even be signed: nothing began, so nothing is recorded."""
    if isinstance(error, TargetHaltedError):
        return Result(after={key: 0.0}, halt=Halt(fault=error.fault, exit_code=error.exit_code, drain=True))
    if not isinstance(error, RetryableError):
        raise error
    worker, policy = context.worker, context.plan.retry
    wait = retry.pause(policy, worker.outages + 1, context.rng, error.retry_after)
    context.log.info("attempt.unsigned", key=key, reason=str(error), wait=round(wait, 1))
    return Result(after={key: wait}, halt=slow_down(context, error, wait, submit=True))


def result(context: Context, key: str, answer: str | CloudError) -> Result:
    """What the service's answer means: `answer` is a job id, or the error that stands for its lack."""
    if not (isinstance(answer, RetryableError) and _concerns_everybody(answer)):
        context.worker.retrying(key, again=isinstance(answer, RetryableError))
    match answer:
        case str() if context.worker.jobs.setdefault(answer, key) != key:
            return _anothers(context, key, answer)
        case str():
            return _accepted(context, key, answer)
        case CredentialsRenewed():
            return _renewed(context, key, answer)
        case RetryableError():
            return _refused(context, key, answer)
        case TargetHaltedError():
            return _halted(context, key, answer)
        case OutcomeUnknown() | NameTaken():
            final = not isinstance(answer, OutcomeUnknown) or answer.final
            return Result(events=[AttemptUnknown(at=context.now(), key=key, fault=answer.fault, final=final)])
        case _:
            context.worker.on_answer()
            return Result(events=[AttemptRejected(at=context.now(), key=key, fault=answer.fault)])


def _anothers(context: Context, key: str, job_id: str) -> Result:
    """The answer names the job of another image: it is an answer, but not about what was asked."""
    fault = Fault(
        code="MIG.unreadable",
        message=f"the answer names job {job_id}, which is that of {context.worker.jobs[job_id]}",
        remedy="Nothing to do: migrator looks for the image before anything is sent again.",
    )
    return Result(events=[AttemptUnknown(at=context.now(), key=key, fault=fault)])


def _accepted(context: Context, key: str, job_id: str) -> Result:
    worker, at, tick = context.worker, context.now(), context.clock.monotonic()
    worker.on_answer()
    after = worker.accepted(key, tick, context.plan.polling)
    return Result(
        events=[JobAccepted(at=at, key=key, job_id=job_id)],
        after={key: after},
        sweep=True,
        last=True,
    )


def _renewed(context: Context, key: str, error: CredentialsRenewed) -> Result:
    """The request was refused for what it was signed with: another is signed with what there is by now."""
    before = context.state(key).attempts[-2:-1]
    if any(one.fault is not None and one.fault.code == error.fault.code for one in before):
        return _halted(context, key, TargetHaltedError(error.fault))  # what is new is refused as well
    context.worker.on_answer()
    return Result(events=[AttemptThrottled(at=context.now(), key=key, fault=error.fault)], after={key: 0.0})


def _refused(context: Context, key: str, error: RetryableError) -> Result:
    """It never happened: the image waits by itself, or with everybody else where all are asked to wait."""
    worker, policy, now = context.worker, context.plan.retry, context.now()
    everybody = _concerns_everybody(error)
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
    halt = slow_down(context, error, wait, submit=True)
    if not everybody:
        retryable = AttemptRetryable(at=now, key=key, fault=error.fault)
        return Result(events=[retryable], after={key: wait}, halt=halt)
    return Result(events=[_throttled(context, key, error.fault)], after={key: 0.0}, halt=halt)


def _throttled(context: Context, key: str, fault: Fault) -> AttemptThrottled:
    """Made when everybody was slowed down already, so that it tells for how long."""
    pause = context.worker.scheduler.submits.bucket.blocked_until - context.clock.monotonic()
    return AttemptThrottled(at=context.now(), key=key, fault=fault, pause=max(round(pause, 3), 0.0))


def _concerns_everybody(error: RetryableError) -> bool:
    """Nothing is held against the image: we ask too much, or the service is out of reach."""
    return error.throttled or isinstance(error, (Unreachable, CredentialsRenewed))


def _halted(context: Context, key: str, error: TargetHaltedError) -> Result:
    """Nobody may submit: the quota is used up, or the credentials are not enough."""
    worker = context.worker
    halt = None
    if error.quota and context.plan.policy.on_quota is OnQuota.WAIT:
        context.log.warning("target.quota_used_up", target=worker.target.name, retry_in=QUOTA_PAUSE)
        worker.scheduler.submits.bucket.block(context.clock.monotonic() + QUOTA_PAUSE)
    else:
        halt = Halt(fault=error.fault, exit_code=error.exit_code, drain=True)
    return Result(events=[_throttled(context, key, error.fault)], halt=halt)
