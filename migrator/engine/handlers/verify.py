"""Reading images back: a job that says SUCCESS is a claim."""

from collections.abc import AsyncGenerator, Mapping

from migrator.domain.cloud import CloudImage, ImageQuery
from migrator.engine.context import Context, Result
from migrator.engine.handlers.job_status import on_answer
from migrator.pacing.scheduler import WorkItem
from migrator.workflow import verify as rules
from migrator.workflow.events import ImageEvent, ImageVerified, VerificationFailed
from migrator.workflow.lookup import NOTHING_LISTED, ImageMatches
from migrator.workflow.states import Phase, State
from migrator.workflow.transitions import Step
from migrator.workflow.visibility_delay import ListedBy


async def verify(context: Context, item: WorkItem) -> AsyncGenerator[Result, None]:
    """Read images back, one by its id or many with one list: is each what the plan asked for?"""
    keys, asked = item.keys, context.clock.monotonic()
    if len(keys) > 1:
        async for result in _verify_many(context, keys, asked):
            yield result
    elif image_id := context.state(keys[0]).image_id:
        images = (await context.worker.cloud.images(ImageQuery(id=image_id))).images
        yield _verdicts(context, context.listing.matches(keys, images), asked)
    else:
        yield _verdicts(context, await context.listing.find(keys), asked)


async def _verify_many(context: Context, keys: tuple[str, ...], asked: float) -> AsyncGenerator[Result, None]:
    """One list for many images: of what was made lately, and of everything where that does not show them all.

    What stands on a page under the very id that its job told is judged while the next page is on its way:
    neither the service nor the journal waits for the other.
    """
    listing, worker = context.listing, context.worker
    left = dict.fromkeys(keys)
    recent = listing.since(keys)
    for since in dict.fromkeys((recent, None)) if listing.marked else ():
        by_id = {context.state(key).image_id: key for key in left}
        images: list[CloudImage] = []
        pages = 0
        async for page in listing.pages(ListedBy.TAG, since):
            pages += 1
            here = {image.id: key for image in page if (key := by_id.pop(image.id, None))}
            for key in here.values():
                del left[key]
            images += listing.unsettled((image for image in page if image.id not in here), left)
            if here:
                result = _verdicts(context, listing.matches(here.values(), page), asked)
                result.beside = True
                yield result
        if since is not None:
            worker.scheduler.recent_pages = pages
        shown = {key: found for key, found in listing.matches(left, images).items() if found.ours}
        for key in shown:
            del left[key]
        if shown:
            yield _verdicts(context, shown, asked)
        if not left:
            yield _late_ones(context, images, asked)
            return
        await worker.another_question()
    found = dict.fromkeys(left, NOTHING_LISTED) | await listing.by_name(list(left), alone=False)
    yield _verdicts(context, found, asked)


def _late_ones(context: Context, images: list[CloudImage], asked: float) -> Result:
    """Jobs that ended while a long list was read are in it, most likely: they need not wait for another."""
    late = context.worker.scheduler.joining(Step.VERIFY, context.clock.monotonic())
    found = context.listing.matches(late, images)
    result = _verdicts(context, {key: one for key, one in found.items() if one.ours}, asked)
    result.after.update((key, 0.0) for key in late if not found[key].ours)
    return result


def unchecked(context: Context, state: State) -> ImageEvent | None:
    """What follows at once where the plan says not to read images back."""
    if state.phase is not Phase.VERIFYING or context.plan.policy.verify or not state.image_id:
        return None
    return ImageVerified(at=context.now(), key=state.key, image_id=state.image_id, checked=False)


def _verified(context: Context, key: str, image: CloudImage, uncompared: tuple[str, ...]) -> ImageVerified:
    recognised = image.os_version if context.ledger.planned[key].image.os_version is None else None
    return ImageVerified(
        at=context.now(), key=key, image_id=image.id, uncompared=uncompared, os_version=recognised or ""
    )


def _verdicts(context: Context, found: Mapping[str, ImageMatches], asked: float) -> Result:
    """What to record of what lists say, which is as of the tick `asked`, however late it is read."""
    on_answer(context)
    result = Result()
    for key, matches in found.items():
        state, ours = context.state(key), matches.ours
        image = next((image for image in ours if image.id == state.image_id), ours[0] if ours else None)
        verdict = _verdict(context, state, image, asked)
        if isinstance(verdict, float):
            result.after[key] = verdict
        else:
            result.events.append(verdict)
    return result


def _verdict(context: Context, state: State, image: CloudImage | None, asked: float) -> ImageEvent | float:
    """What to record about an image that was read back, or the seconds until it is read again: lists lag."""
    key, now, worker = state.key, context.now(), context.worker
    tick = context.clock.monotonic()
    if image is not None:
        worker.shown(state, image)
    else:
        worker.visibility.unlisted(key, tick)
    planned = context.ledger.planned[key].image
    wrong = [] if image is None else rules.mismatches(planned, context.listing.marker(key), image)
    uncompared = () if image is None else rules.uncompared(planned, context.listing.marker(key), image)
    # What this service usually tells may come later; silence that lasts is reported as such.
    silent = any(map(worker.seen.usually_told, uncompared))
    watch = worker.watch(state)
    if image is not None and not wrong and not silent:
        return _verified(context, key, image, uncompared)
    if watch.unverified_since is None:
        watch.unverified_since = asked
    waited = asked - watch.unverified_since
    borne = image is not None and context.listing.bears_marker(key, image)
    if waited < worker.visibility.patience_for_images(marked=borne) and (
        image is None or image.status != "killed"
    ):
        return min(max(waited, 1.0), context.plan.polling.max_interval)
    if image is not None and not wrong:
        context.log.warning("image.silent", key=key, image=image.id, keys=uncompared)
        return _verified(context, key, image, uncompared)
    fault = rules.mismatch(image.id, wrong) if image is not None else rules.missing(state.image_id)
    return VerificationFailed(at=now, key=key, fault=fault)
