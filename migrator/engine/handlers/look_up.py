"""Looking up attempts whose outcome is unknown."""

from collections.abc import AsyncGenerator

from migrator.domain.plan import OnDoubt
from migrator.domain.units import Moment
from migrator.engine.context import Context, Result
from migrator.engine.handlers.job_status import on_answer
from migrator.pacing import retry
from migrator.pacing.scheduler import WorkItem
from migrator.workflow import lookup
from migrator.workflow.events import AttemptHeld, AttemptNotFound, ImageFound, MigrationFailed
from migrator.workflow.states import State


async def look_up(context: Context, item: WorkItem) -> AsyncGenerator[Result, None]:
    """Look for the images of attempts in doubt, and say what is known of each by now."""
    asked_at = context.now()
    found = await context.listing.find(item.keys)
    on_answer(context)
    timeout = context.worker.visibility.visibility_timeout(context.plan.policy.settle, asked_at)
    result = Result()
    released: set[str] = set()
    for key in item.keys:
        state = context.state(key)
        finding = lookup.judge(context.ledger.planned[key].image, state, found[key])
        if isinstance(finding, lookup.Nowhere):
            _nowhere(context, state, asked_at, timeout, result, released)
        else:
            result.events.append(_found(context, state, finding, asked_at))
    result.released = frozenset(released)
    yield result
    yield Result(sweep=True)


def _found(
    context: Context, state: State, finding: lookup.Ours | lookup.Somebodys, at: Moment
) -> ImageFound | MigrationFailed:
    if isinstance(finding, lookup.Somebodys):
        return MigrationFailed(at=at, key=state.key, fault=finding.fault)
    image = finding.image
    if finding.others:
        context.log.warning("image.found_several", key=state.key, kept=image.id, others=finding.others)
    return ImageFound(at=at, key=state.key, image_id=image.id, active=image.status == "active")


def _nowhere(
    context: Context, state: State, at: Moment, timeout: float, result: Result, released: set[str]
) -> None:
    """Nothing is listed: looked up again until the visibility timeout is over, then held, or not found."""
    key, plan, age = state.key, context.plan, at - lookup.began_at(state)
    if age < timeout:
        result.after[key] = lookup.next_look(age, timeout, plan.polling)
        if context.worker.visibility.likely_lost(age):
            released.add(key)
    elif plan.policy.on_doubt is OnDoubt.HOLD:
        result.events.append(AttemptHeld(at=at, key=key, fault=lookup.held(state)))
    else:
        result.events.append(AttemptNotFound(at=at, key=key, looked_for=age))
        # The attempt that was not found counts as one more failure of its image.
        tried = retry.failures(state.attempts[:-1]) + 1
        result.after[key] = retry.backoff(plan.retry, tried, context.rng)
