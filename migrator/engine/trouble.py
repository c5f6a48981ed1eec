"""A service that gives no answer: how everybody slows down, and when a target is given up."""

from collections.abc import Iterable

from msgspec.structs import replace

from migrator.domain.errors import RejectedError, RetryableError
from migrator.engine.context import Context, Halt, Result
from migrator.pacing import retry
from migrator.pacing.retry import Patience
from migrator.workflow.transitions import Step

FIRST_CONTACT = Patience(tries=3, seconds=30.0)
"""A service that this run never reached is given up soon: more likely a wrong endpoint, or no network yet,
than an outage."""

STRANGERS = Patience(tries=3)
"""Answers in a row that no image service gives: somebody else listens there."""

_NOT_THE_SERVICE = "Check ims_endpoint of the target: what answers there is not the image service."


REJECTIONS = Patience(seconds=600.0)
"""A question that is refused for so long will not be answered in this run."""

ONCE_MORE = 5
"""Refusals in a row before that is thought of."""


def unanswered(
    context: Context, step: Step, keys: Iterable[str], error: RetryableError | RejectedError
) -> Result:
    """A question without an answer says nothing about its images: they are asked about again.

    One that is refused as wrong says no more: it was wrong about no image. It is asked again too, but not for
    ever.
    """
    plan, worker = context.plan, context.worker
    keys = list(keys)
    if isinstance(error, RejectedError):
        halt = _rejected(context, step, error)
        error = RetryableError(error.fault)
    else:
        halt = None
        context.log.debug("question.unanswered", step=step.value, images=len(keys), reason=str(error))
    wait = retry.pause(plan.retry, worker.outages + 1, context.rng, error.retry_after)
    if step is Step.SWEEP:
        worker.sweep_failed()
        return Result(sweep=True, halt=halt or slow_down(context, error, wait, submit=False))
    result = Result()
    for key in keys:
        watch = worker.watch(context.state(key))
        watch.troubles += 1
        again = retry.pause(plan.retry, watch.troubles, context.rng, error.retry_after)
        result.after[key] = max(again, plan.polling.min_interval)
    result.halt = halt or slow_down(context, error, wait, submit=False)
    return result


def _rejected(context: Context, step: Step, error: RejectedError) -> Halt | None:
    """How the target is halted when a question was refused for too long."""
    worker, tick = context.worker, context.clock.monotonic()
    since, tries = worker.rejected.get(step, (tick, 0))
    worker.rejected[step] = (since, tries + 1)
    context.log.warning("question.rejected", target=worker.target.name, step=step.value, reason=str(error))
    if tries + 1 >= ONCE_MORE and retry.gives_up(REJECTIONS, error.fault, seconds=tick - since):
        return Halt(fault=error.fault, exit_code=7, drain=False)
    return None


def slow_down(context: Context, error: RetryableError, wait: float, *, submit: bool) -> Halt | None:
    """Pass a refusal on to the target's limiters; how it is halted when it was out of reach for too long."""
    worker = context.worker
    away = worker.unanswered(error, wait, submit=submit)
    patience = Patience(seconds=context.plan.retry.budget) if worker.reached else FIRST_CONTACT
    if retry.gives_up(patience, error.fault, tries=worker.outages, seconds=away):
        return Halt(fault=error.fault, exit_code=7, drain=False)
    return None


class SurveyPatience:
    """How long the survey goes on asking, over all its tries."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._began = context.clock.monotonic()
        self._strange = 0

    def after(self, error: RetryableError) -> tuple[float, Halt | None]:
        """Seconds until the next try after `error`, and how the target is halted where there is none."""
        context, worker = self._context, self._context.worker
        policy = context.plan.retry
        wait = retry.pause(policy, worker.outages + 1, context.rng, error.retry_after)
        context.log.warning(
            "target.unavailable", target=worker.target.name, reason=str(error), wait=round(wait, 1)
        )
        halt = slow_down(context, error, wait, submit=False)
        if halt is not None:
            return wait, halt
        self._strange += error.fault.code == "MIG.unreadable"
        if retry.gives_up(STRANGERS, error.fault, tries=self._strange):
            fault = replace(error.fault, remedy=_NOT_THE_SERVICE)
            return wait, Halt(fault=fault, exit_code=7, drain=False)
        elapsed = context.clock.monotonic() - self._began
        if retry.gives_up(Patience(seconds=policy.budget), error.fault, seconds=elapsed):
            return wait, Halt(fault=error.fault, exit_code=7, drain=False)
        return wait, None
