"""`migrator reconcile`: what lies in the cloud under this plan's marker and belongs to nobody.

Looking needs no lock. Deleting holds the journal's, so that no run can begin to own an image meanwhile; and
each image is read again by its id, and judged again, right before it goes.
"""

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from migrator.cli.common import Look, ask, plural, run_async, somebody_to_ask
from migrator.cli.parts import clock_for, open_clouds, plan_folder
from migrator.cli.session import Options, open_journal
from migrator.core import retry
from migrator.core.bucket import Bucket
from migrator.core.ledger import Ledger
from migrator.core.leftovers import Gone, Leftover, Owners
from migrator.core.reconcile import listed, plan_tag
from migrator.edges.journal import Journal
from migrator.errors import CloudError, JournalMissing, Unavailable, UsageError
from migrator.model import CloudImage, ImagePage, ImageQuery, MarkerKind, Plan
from migrator.ports import Clock, Cloud

Answer = TypeVar("Answer")

ONE_BY_ONE = 20
"""Up to so many images that the plan's own list does not show are asked for by id; for more, one list of
everything is cheaper."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What one look showed."""

    leftovers: list[tuple[str, Leftover]] = field(default_factory=list)
    """Each with the name of the target whose service lists it."""

    gone: list[Gone] = field(default_factory=list)


def reconcile(plan: Plan, options: Options, look: Look, *, delete: bool, yes: bool) -> int:
    """Look; with `delete`, ask and delete. Returns the exit code; raises MigratorError."""
    if delete and not yes and not somebody_to_ask():
        raise UsageError(
            "--delete asks before it deletes, and nobody is there to answer",
            hint="Look at the list without --delete first; then add --yes, or run it in a terminal.",
        )
    found = run_async(_look, plan, options, look, delete)
    _show(found, look, plan)
    if not (delete and found.leftovers):
        return 3 if found.leftovers or found.gone else 0
    count = len(found.leftovers)
    if not yes and not ask(f"Delete {'this image' if count == 1 else f'these {count} images'} for good?"):
        look.say("nothing was deleted")
        return 3
    left = run_async(_delete, plan, options, look, found.leftovers)
    look.say(f"{count - left} of {plural(count, 'image')} deleted")
    return 3 if left or found.gone else 0


async def _look(plan: Plan, options: Options, look: Look, lock: bool) -> Findings:
    if plan.policy.marker is MarkerKind.NONE:
        look.warn('the plan says policy.marker = "none", so its images cannot be told from others')
    async with _ledger(plan, options, lock=lock) as ledger, _asking(plan, options) as asking:
        owners = Owners(plan, ledger)
        found = Findings()
        seen: set[str] = set()
        for target, service in asking.items():
            images = [
                image
                for image in await service.all(ImageQuery(tag=plan_tag(plan.name)))
                if image.id not in seen
            ]
            seen.update(image.id for image in images)
            found.leftovers.extend((target, leftover) for leftover in owners.leftovers(images))
            found.gone.extend(await _gone(owners, target, service, seen))
        return found


async def _gone(owners: Owners, target: str, service: "Service", seen: Iterable[str]) -> list[Gone]:
    """The items whose image neither the plan's list nor a closer look shows: tags may have been removed."""
    unseen = owners.gone(target, set(seen))
    if len(unseen) > ONE_BY_ONE:
        there = {image.id for image in await service.all(ImageQuery())}
    else:
        there = {item.image_id for item in unseen if await service.one(item.image_id) is not None}
    return owners.gone(target, there.union(seen))


async def _delete(plan: Plan, options: Options, look: Look, leftovers: list[tuple[str, Leftover]]) -> int:
    """Delete what is still left over; how many are still there afterwards."""
    left = 0
    async with _ledger(plan, options, lock=True) as ledger, _asking(plan, options) as asking:
        owners = Owners(plan, ledger)
        for target, leftover in leftovers:
            image = leftover.image
            try:
                now = await asking[target].one(image.id)
                if now is None or now.status == "deleted":
                    _tell(look, "gone_already", target, image, "it was gone already")
                    continue
                if owners.leftover(now) is None:
                    left += 1
                    _tell(look, "kept", target, now, "it is not left over any more")
                    continue
                await asking[target].delete(image.id)
            except CloudError as error:
                left += 1
                _tell(look, "failed", target, image, str(error), error.fault.remedy or CloudError.hint)
            else:
                _tell(look, "deleted", target, image, "")
    return left


def _tell(look: Look, what: str, target: str, image: CloudImage, why: str, remedy: str = "") -> None:
    if look.json:
        facts = {what: image.id, "target": target, "name": image.name}
        look.object(facts | ({"reason": why} if why else {}) | ({"remedy": remedy} if remedy else {}))
        return
    line = f"{what.replace('_', ' ')}: {target} {image.id} {image.name}"
    look.out(f"{line} ({why})" if why else line)
    if remedy:
        look.out(f"        {remedy}")


def _show(found: Findings, look: Look, plan: Plan) -> None:
    for target, leftover in found.leftovers:
        image = leftover.image
        if look.json:
            look.object(
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
            look.out(f"left over: {target} {image.id} {image.name} ({image.status}; {leftover.why})")
    for item in found.gone:
        if look.json:
            look.object({"gone": item.image_id, "key": item.key})
        else:
            look.out(f"gone: {item.key} (image {item.image_id} was imported and is there no longer)")
    if found.gone:
        look.say(f"import one again with: migrator run PLAN --again {found.gone[0].key!r}")
    if not found.leftovers and not found.gone:
        look.say(f"{plan.name}: nothing is left over, and nothing is gone")


# --- Parts ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def _ledger(plan: Plan, options: Options, *, lock: bool) -> AsyncIterator[Ledger]:
    """What the journal knows; with `lock`, no run can begin meanwhile. Raises JournalError."""
    path = plan_folder(options.reports_dir, plan) / "journal.db"
    if not path.exists():
        raise JournalMissing(
            f"{path}: no such file, and without the journal nobody can tell what belongs to whom",
            hint="Name its --reports-dir; or `migrator run PLAN` first, which adopts what is there.",
        )
    if not lock:
        yield await Journal.read(path).ledger(listed(plan))
        return
    async with open_journal(path) as journal:
        yield await journal.ledger(listed(plan))


@asynccontextmanager
async def _asking(plan: Plan, options: Options) -> AsyncIterator[dict[str, "Service"]]:
    clock = clock_for(plan, options.environ)
    async with open_clouds(plan, clock, options.environ) as parts:
        yield {name: Service(plan, name, part.ims, clock) for name, part in parts.items()}


class Service:
    """One target's images, asked for no faster than the plan allows; what gets no answer is asked again."""

    def __init__(self, plan: Plan, target: str, cloud: Cloud, clock: Clock) -> None:
        limits = plan.targets[target].limits
        self._policy = plan.retry
        self._cloud = cloud
        self._clock = clock
        self._bucket = Bucket(limits.query_rate.per_second, limits.query_burst, clock.monotonic())
        self._rng = random.SystemRandom()

    async def all(self, query: ImageQuery) -> list[CloudImage]:
        """Every image that matches, all pages. Raises CloudError."""
        images: list[CloudImage] = []
        after: str | None = None
        while True:
            page = await self._page(query, after)
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
        await self._patiently(lambda: self._cloud.delete(image_id))

    async def _page(self, query: ImageQuery, after: str | None) -> ImagePage:
        return await self._patiently(lambda: self._cloud.images(query, after=after))

    async def _patiently(self, conversation: Callable[[], Awaitable[Answer]]) -> Answer:
        """What `conversation` answers; it is a question, or harmless to repeat."""
        attempt = 0
        while True:
            attempt += 1
            await self._turn()
            try:
                return await conversation()
            except Unavailable as error:
                if attempt >= self._policy.max_attempts or error.fault.code == "MIG.tls":
                    raise
                await self._clock.sleep(retry.pause(self._policy, attempt, self._rng, error.retry_after))

    async def _turn(self) -> None:
        while (seconds := self._bucket.wait(self._clock.monotonic())) > 0:
            await self._clock.sleep(seconds)
        self._bucket.take(self._clock.monotonic())
