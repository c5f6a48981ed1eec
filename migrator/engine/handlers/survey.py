"""What is there before anything is sent."""

from collections.abc import Mapping

from migrator.engine.context import Context, Result
from migrator.engine.handlers.job_status import on_answer
from migrator.workflow import lookup
from migrator.workflow.lookup import NOTHING_LISTED, ImageMatches
from migrator.workflow.states import Phase
from migrator.workflow.visibility_delay import ListedBy


async def survey(context: Context) -> Result:
    """Adopt, skip or refuse the images that are to be submitted and exist already."""
    listing, worker, states = context.listing, context.worker, context.ledger.states
    lined, pending = context.ledger.images_of(worker.scheduler.keys), Phase.PENDING
    fresh = [key for key, _, state in lined if state.phase is pending]
    result = Result()
    if not fresh:
        return result
    found: dict[str, ImageMatches] = {}
    if listing.marked:
        found = _listed(listing.matches(fresh, await listing.everything(ListedBy.TAG)))
        found = {key: matches for key, matches in found.items() if matches.ours}
    unmarked = [key for key in fresh if key not in found]
    if unmarked:
        await worker.another_question()
        found |= _listed(listing.matches(unmarked, await listing.everything(ListedBy.NAME)))
    on_answer(context)
    for key in filter(found.__contains__, fresh):
        image, policy = context.ledger.planned[key].image, context.plan.policy
        event = lookup.existing(image, states[key], found[key], policy, context.now())
        if event is not None:
            result.events.append(event)
    return result


def _listed(matches: Mapping[str, ImageMatches]) -> dict[str, ImageMatches]:
    """Those of which anything is listed: of a plan that begins, hardly any."""
    return {key: one for key, one in matches.items() if one is not NOTHING_LISTED}
