"""What is there before anything is sent."""

from migrator.engine.context import Context, Result
from migrator.engine.handlers.job_status import on_answer
from migrator.workflow import lookup
from migrator.workflow.lookup import ImageMatches
from migrator.workflow.states import Phase
from migrator.workflow.visibility_delay import ListedBy


async def survey(context: Context) -> Result:
    """Adopt, skip or refuse the images that are to be submitted and exist already."""
    listing, worker = context.listing, context.worker
    fresh = [key for key in worker.scheduler.keys if context.state(key).phase is Phase.PENDING]
    result = Result()
    if not fresh:
        return result
    found = {key: ImageMatches() for key in fresh}
    if listing.marked:
        found = listing.matches(fresh, await listing.everything(ListedBy.TAG))
    unmarked = [key for key in fresh if not found[key].ours]
    if unmarked:
        await worker.another_question()
        found |= listing.matches(unmarked, await listing.everything(ListedBy.NAME))
    on_answer(context)
    for key in fresh:
        image, policy = context.ledger.planned[key].image, context.plan.policy
        event = lookup.existing(image, context.state(key), found[key], policy, context.now())
        if event is not None:
            result.events.append(event)
    return result
