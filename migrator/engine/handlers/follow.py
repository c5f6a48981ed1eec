"""Adopted imports, whose job ids nobody knows: their images tell how they do."""

from collections.abc import AsyncGenerator

from migrator.domain.cloud import Fault, ImageQuery
from migrator.engine.context import Context, Result
from migrator.engine.handlers.job_status import job_result, missing
from migrator.pacing.scheduler import WorkItem
from migrator.workflow import lookup
from migrator.workflow.visibility_delay import ListedBy


async def follow(context: Context, item: WorkItem) -> AsyncGenerator[Result, None]:
    """Ask about the images of adopted imports: one by its id, or many with one list."""
    states = {key: context.state(key) for key in item.keys}
    asked = context.clock.monotonic()
    if len(states) == 1:
        [state] = states.values()
        images = list((await context.worker.cloud.images(ImageQuery(id=state.image_id))).images)
    else:
        images = await context.listing.everything(ListedBy.TAG)
    by_id = {image.id: image for image in images}
    shown = {key: image for key, state in states.items() if (image := by_id.get(state.image_id or ""))}
    seen = Result()
    for key, image in shown.items():
        one = job_result(context, states[key], lookup.as_job(image))
        seen.events += one.events
        seen.after |= one.after
        seen.begun += one.begun
        seen.sweep |= one.sweep
    if shown:
        yield seen
    for key, state in states.items():
        if key not in shown:
            gone = Fault(code="MIG.vanished", message=f"image {state.image_id} is not listed")
            yield await missing(context, state, gone, asked)
