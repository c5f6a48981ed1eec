"""Looking up attempts whose outcome is unknown."""

from collections.abc import AsyncGenerator

from migrator.domain.plan import OnDoubt
from migrator.domain.units import Moment
from migrator.engine.context import Context, Result
from migrator.engine.handlers.job_status import on_answer
from migrator.pacing import retry
from migrator.pacing.doubt import Doubt, Verdict
from migrator.pacing.scheduler import WorkItem
from migrator.workflow import lookup
from migrator.workflow.events import AttemptHeld, AttemptNotFound, ImageFound, MigrationFailed
from migrator.workflow.states import State


async def look_up(context: Context, item: WorkItem) -> AsyncGenerator[Result, None]:
    """Look for the images of attempts in doubt, and say what is known of each by now."""
    at, asked = context.now(), context.clock.monotonic()
    found = await context.listing.find(item.keys)
    on_answer(context)
    result = Result()
    released: set[str] = set()
    for key in item.keys:
        state = context.state(key)
        finding = lookup.judge(context.ledger.planned[key].image, state, found[key])
        leftover = lookup.may_be_leftover(finding, state)
        if leftover or isinstance(finding, lookup.Nowhere):
            doubt, timeout = _doubt(context, state, asked)
            worker = context.worker
            grows = worker.evidence_grows(key) or not worker.visibility.fresh(asked)
            verdict = doubt.looked_up(asked, timeout, evidence_grows=grows)
            if verdict is Verdict.LOOK_AGAIN:
                polling = context.plan.polling
                result.after[key] = doubt.next_look_up(
                    asked, timeout, shortest=polling.min_interval, longest=polling.max_interval
                )
                if context.worker.visibility.likely_lost(doubt.age(asked)):
                    released.add(key)
                continue
            if not leftover:
                result.events.append(_given_up(context, state, at, doubt.age(asked), verdict, result))
                continue
        assert not isinstance(finding, lookup.Nowhere)
        result.events.append(_found(context, state, finding, at))
    result.released = frozenset(released)
    yield result
    yield Result(sweep=True)


def _doubt(context: Context, state: State, tick: float) -> tuple[Doubt, float]:
    """The doubt about an image's latest attempt, and how long look-ups may stay empty."""
    worker, doubt = context.worker, context.worker.doubts[state.key]
    fixed = context.plan.policy.settle
    return doubt, worker.visibility.visibility_timeout(fixed, tick, doubt.began + doubt.late)


def _found(
    context: Context, state: State, finding: lookup.Ours | lookup.Somebodys, at: Moment
) -> ImageFound | MigrationFailed:
    if isinstance(finding, lookup.Somebodys):
        return MigrationFailed(at=at, key=state.key, fault=finding.fault)
    image = finding.image
    if finding.others:
        context.log.warning("image.found_several", key=state.key, kept=image.id, others=finding.others)
    active = image.status == "active"
    return ImageFound(at=at, key=state.key, image_id=image.id, active=active, others=finding.others)


def _given_up(
    context: Context, state: State, at: Moment, age: float, verdict: Verdict, result: Result
) -> AttemptHeld | AttemptNotFound:
    """Look-ups stayed empty until the end: it was never accepted, or a person has to tell."""
    key, plan = state.key, context.plan
    if verdict is Verdict.UNDECIDABLE:
        return AttemptHeld(at=at, key=key, fault=lookup.undecidable(state))
    if plan.policy.on_doubt is OnDoubt.HOLD:
        return AttemptHeld(at=at, key=key, fault=lookup.held(state))
    # The attempt that was not found counts as one more failure of its image.
    tried = retry.failures(state.attempts[:-1]) + 1
    result.after[key] = retry.backoff(plan.retry, tried, context.rng)
    return AttemptNotFound(at=at, key=key, looked_for=age)
