"""`migrator reconcile`: what lies in the cloud under this plan's marker and belongs to nobody.

Finding needs no lock. Deleting holds the journal's, so that no run can begin to own an image meanwhile; and
each image is read again by its id, and judged again, right before it goes.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from migrator.cli.common import Console, can_confirm, confirm, plural, run_async
from migrator.cli.journals import journal_of, open_journal
from migrator.cli.options import Options
from migrator.cli.wiring import clock_for, open_clouds
from migrator.domain.cloud import CloudImage, ImagePage, ImageQuery
from migrator.domain.errors import CloudError, JournalMissing, RetryableError, UsageError
from migrator.domain.paging import NewEntries
from migrator.domain.plan import MarkerKind, Plan
from migrator.domain.ports import Clock
from migrator.engine.ports import Cloud
from migrator.pacing import retry
from migrator.pacing.retry import Patience
from migrator.pacing.token_bucket import TokenBucket
from migrator.workflow.ledger import Ledger
from migrator.workflow.leftovers import Gone, Leftover, Owners
from migrator.workflow.resume import listed, plan_tag

Answer = TypeVar("Answer")

ONE_BY_ONE = 20
"""Up to so many images that the plan's own list does not show are asked for by id; for more, one list of
everything is cheaper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileResult:
    """What the lists of the cloud and the journal say of each other."""

    leftovers: list[tuple[str, Leftover]] = field(default_factory=list)
    """Each with the name of the target whose service lists it."""

    gone: list[Gone] = field(default_factory=list)


def reconcile(plan: Plan, options: Options, console: Console, *, delete: bool, yes: bool) -> int:
    """Find; with `delete`, ask and delete. Returns the exit code; raises MigratorError."""
    if delete and not yes and not can_confirm():
        raise UsageError(
            "--delete asks before it deletes, and nobody is there to answer",
            hint="Read the list without --delete first; then add --yes, or run it in a terminal.",
        )
    found = run_async(_find, plan, options, console, delete)
    _show(found, console, plan)
    if not (delete and found.leftovers):
        return 3 if found.leftovers or found.gone else 0
    count = len(found.leftovers)
    if not yes and not confirm(f"Delete {'this image' if count == 1 else f'these {count} images'} for good?"):
        console.say("nothing was deleted")
        return 3
    left = run_async(_delete, plan, options, console, found.leftovers)
    console.say(f"{count - left} of {plural(count, 'image')} deleted")
    return 3 if left or found.gone else 0


async def _find(plan: Plan, options: Options, console: Console, lock: bool) -> ReconcileResult:
    if plan.policy.marker is MarkerKind.NONE:
        console.warn(
            'the plan says policy.marker = "none", so its images cannot be distinguished from others'
        )
    async with _ledger(plan, options, lock=lock) as ledger, _clients(plan, options) as clients:
        owners = Owners(plan, ledger)
        found = ReconcileResult()
        listed_ids: set[str] = set()
        for target, client in clients.items():
            images = [
                image
                for image in await client.all(ImageQuery(tag=plan_tag(plan.name)))
                if image.id not in listed_ids
            ]
            listed_ids.update(image.id for image in images)
            found.leftovers.extend((target, leftover) for leftover in owners.leftovers(images))
            found.gone.extend(await _gone(owners, target, client, listed_ids))
        return found


async def _gone(
    owners: Owners, target: str, client: "RetryingClient", listed_ids: Iterable[str]
) -> list[Gone]:
    """The items whose image neither the plan's list nor its id finds: tags may have been removed."""
    unlisted = owners.gone(target, set(listed_ids))
    if len(unlisted) > ONE_BY_ONE:
        there = {image.id for image in await client.all(ImageQuery())}
    else:
        there = {item.image_id for item in unlisted if await client.one(item.image_id) is not None}
    return owners.gone(target, there.union(listed_ids))


async def _delete(
    plan: Plan, options: Options, console: Console, leftovers: list[tuple[str, Leftover]]
) -> int:
    """Delete what is still left over; how many are still there afterwards."""
    left = 0
    async with _ledger(plan, options, lock=True) as ledger, _clients(plan, options) as clients:
        owners = Owners(plan, ledger)
        for target, leftover in leftovers:
            image = leftover.image
            try:
                now = await clients[target].one(image.id)
                if now is None or now.status == "deleted":
                    _show_outcome(console, "gone_already", target, image, "it was gone already")
                    continue
                if owners.leftover(now) is None:
                    left += 1
                    _show_outcome(console, "kept", target, now, "it is not left over any more")
                    continue
                await clients[target].delete(image.id)
            except CloudError as error:
                left += 1
                _show_outcome(
                    console, "failed", target, image, str(error), error.fault.remedy or CloudError.hint
                )
            else:
                _show_outcome(console, "deleted", target, image, "")
    return left


def _show_outcome(
    console: Console, what: str, target: str, image: CloudImage, why: str, remedy: str = ""
) -> None:
    if console.json:
        facts = {what: image.id, "target": target, "name": image.name}
        console.object(facts | ({"reason": why} if why else {}) | ({"remedy": remedy} if remedy else {}))
        return
    line = f"{what.replace('_', ' ')}: {target} {image.id} {image.name}"
    console.out(f"{line} ({why})" if why else line)
    if remedy:
        console.out(f"        {remedy}")


def _show(found: ReconcileResult, console: Console, plan: Plan) -> None:
    for target, leftover in found.leftovers:
        image = leftover.image
        if console.json:
            console.object(
                {
                    "leftover": image.id,
                    "target": target,
                    "name": image.name,
                    "status": image.status,
                    "key": leftover.key,
                    "reason": leftover.why,
                }
            )
        else:
            console.out(f"left over: {target} {image.id} {image.name} ({image.status}; {leftover.why})")
    for item in found.gone:
        if console.json:
            console.object({"gone": item.image_id, "key": item.key})
        else:
            console.out(f"gone: {item.key} (image {item.image_id} was imported and is there no longer)")
    if found.gone:
        console.say(f"import one again with: migrator run PLAN --again {found.gone[0].key!r}")
    if not found.leftovers and not found.gone:
        console.say(f"{plan.name}: nothing is left over, and nothing is gone")


# --- Journal and clients --------------------------------------------------------------------------------


@asynccontextmanager
async def _ledger(plan: Plan, options: Options, *, lock: bool) -> AsyncIterator[Ledger]:
    """What the journal knows; with `lock`, no run can begin meanwhile. Raises JournalError."""
    location = journal_of(plan.name, options)
    if not await location.exists():
        raise JournalMissing(
            f"{location}: no such file, and without the journal nobody can say what belongs to whom",
            hint="Name its --reports-dir; or `migrator run PLAN` first, which adopts what is there.",
        )
    if not lock:
        yield await location.read().ledger(listed(plan))
        return
    async with open_journal(location) as journal:
        yield await journal.ledger(listed(plan))


@asynccontextmanager
async def _clients(plan: Plan, options: Options) -> AsyncIterator[dict[str, "RetryingClient"]]:
    clock = clock_for(plan, options.environ)
    async with open_clouds(plan, clock, options.environ) as services:
        yield {name: RetryingClient(plan, name, one.ims, clock) for name, one in services.items()}


class RetryingClient:
    """The image service of one target behind a rate limit, with retries."""

    def __init__(self, plan: Plan, target: str, cloud: Cloud, clock: Clock) -> None:
        limits = plan.targets[target].limits
        self._policy = plan.retry
        self._patience = Patience(tries=plan.retry.max_attempts)
        self._cloud = cloud
        self._clock = clock
        self._bucket = TokenBucket(limits.query_rate.per_second, limits.query_burst, clock.monotonic())
        self._rng = random.SystemRandom()

    async def all(self, query: ImageQuery) -> list[CloudImage]:
        """Every image that matches, all pages. Raises CloudError."""
        images: list[CloudImage] = []
        after: str | None = None
        new = NewEntries()
        while True:
            page = await self._page(query, after)
            new.of_page(image.id for image in page.images)
            images += page.images
            if page.next is None:
                return images
            after = page.next

    async def one(self, image_id: str) -> CloudImage | None:
        """The image with this id, as it is now. Raises CloudError."""
        page = await self._page(ImageQuery(id=image_id), None)
        return next((image for image in page.images if image.id == image_id), None)

    async def delete(self, image_id: str) -> None:
        """Delete one image. Raises CloudError."""
        await self._retried(lambda: self._cloud.delete(image_id))

    async def _page(self, query: ImageQuery, after: str | None) -> ImagePage:
        return await self._retried(lambda: self._cloud.images(query, after=after))

    async def _retried(self, conversation: Callable[[], Awaitable[Answer]]) -> Answer:
        """What `conversation` answers; it is a question, or harmless to repeat."""
        attempt = 0
        while True:
            attempt += 1
            await self._take_token()
            try:
                return await conversation()
            except RetryableError as error:
                if retry.gives_up(self._patience, error.fault, tries=attempt):
                    raise
                await self._clock.sleep(retry.pause(self._policy, attempt, self._rng, error.retry_after))

    async def _take_token(self) -> None:
        while (seconds := self._bucket.wait(self._clock.monotonic())) > 0:
            await self._clock.sleep(seconds)
        self._bucket.take(self._clock.monotonic())
