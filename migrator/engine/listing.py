"""What lists say: one request asked, or paged through, on behalf of many images."""

from collections.abc import AsyncIterator, Collection, Container, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from migrator.domain.cloud import CloudImage, ImageQuery
from migrator.domain.image import Marker
from migrator.domain.paging import NewEntries
from migrator.domain.plan import MarkerKind, Plan
from migrator.engine.target_worker import TargetWorker
from migrator.workflow import lookup
from migrator.workflow.ledger import Ledger
from migrator.workflow.lookup import NOTHING_LISTED, ImageMatches
from migrator.workflow.resume import marker, plan_tag
from migrator.workflow.states import Phase
from migrator.workflow.visibility_delay import ListedBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Asks one target for images by marker, by name, or all at once, and sorts them by item."""

    plan: Plan
    ledger: Ledger
    worker: TargetWorker

    @property
    def marked(self) -> bool:
        """Whether imports bear a marker; without one, names have to do."""
        return self.plan.policy.marker is MarkerKind.TAG

    def marker(self, key: str) -> Marker | None:
        """What the import of an image bears."""
        return marker(self.plan.name, key) if self.marked else None

    def bears_marker(self, key: str, image: CloudImage) -> bool:
        """Whether an image shows the tags of an item; where there are none to show, it does."""
        marker = self.marker(key)
        return marker is None or marker.tags.items() <= image.tags.items()

    def matches(self, keys: Iterable[str], images: Sequence[CloudImage]) -> dict[str, ImageMatches]:
        """The images sorted by key; what belongs to none of `keys` is left out."""
        if not images:
            return dict.fromkeys(keys, NOTHING_LISTED)
        planned, states = self.ledger.planned, self.ledger.states
        wanted = ((planned[key].image, self.marker(key), states[key]) for key in keys)
        found = lookup.match_images(wanted, images)
        for key, matches in found.items():
            if matches is not NOTHING_LISTED and states[key].phase is Phase.PENDING:
                dead = [*matches.dead, *(image for image in matches.ours if image.status == "killed")]
                if dead:
                    self.worker.leftovers.setdefault(key, set()).update(image.id for image in dead)
        return found

    async def find(self, keys: Collection[str]) -> dict[str, ImageMatches]:
        """Images that may be those of `keys`: by marker first, and by exact name where the marker shows none.

        One image is asked for by its own tag and name; many share one list. The token of the first request is
        the work item's own; others are taken as they come.
        """
        found = dict.fromkeys(keys, NOTHING_LISTED)
        if self.marked:
            found = self.matches(keys, await self._by_marker(keys))
            if all(matches.ours for matches in found.values()):
                return found
            await self.worker.another_question()
        return found | await self.by_name([key for key in found if not found[key].ours], alone=len(keys) == 1)

    async def by_name(self, keys: Sequence[str], *, alone: bool) -> dict[str, ImageMatches]:
        """Images that may be those of `keys`, by exact name: one asked for alone, or one list for all."""
        if alone:
            query = ImageQuery(name=self.ledger.planned[keys[0]].image.name)
            return self.matches(keys, (await self.worker.cloud.images(query)).images)
        since = min(lookup.began_at(self.ledger.states[key]) for key in keys) - lookup.CLOCK_SKEW
        return self.matches(keys, await self.everything(ListedBy.NAME, since))

    def since(self, keys: Iterable[str]) -> float | None:
        """The moment since which a list shows the images of these keys, as far as clocks are known.

        None where nothing tells, or some import was not asked for by this run: its image may have been there
        before. An image that such a list does not show may still be there.
        """
        states = [self.ledger.states[key] for key in keys]
        if not states or not all(map(self.worker.submitted, states)):
            return None
        return self.worker.service_clock.earliest(min(map(lookup.began_at, states)))

    async def _by_marker(self, keys: Collection[str]) -> Sequence[CloudImage]:
        if len(keys) > 1:
            return await self.everything(ListedBy.TAG)
        mark = marker(self.plan.name, *keys)
        return (await self.worker.cloud.images(ImageQuery(tag=mark.item_tag))).images

    async def everything(self, by: ListedBy, since: float | None = None) -> list[CloudImage]:
        """Every image of this plan, or every private one; those that say they were created since a moment."""
        return [image async for page in self.pages(by, since) for image in page]

    def unsettled(self, page: Iterable[CloudImage], wanted: Container[str]) -> Iterator[CloudImage]:
        """Those of a page that may still be asked about: images of `wanted`, those that are complete while
        nobody knows yet that their job has ended, and those that bear no name of the plan.

        Of a large plan that is a small part of the list, which need not be kept whole.
        """
        target, planned, states = self.worker.target.name, self.ledger.planned, self.ledger.states
        for image in page:
            key = f"{target}/{image.name}"
            if key not in planned or key in wanted:
                yield image
                continue
            unnoticed = states[key].phase in (Phase.RUNNING, Phase.VERIFYING)
            if unnoticed and image.status == "active":
                yield image

    async def statuses(self, keys: AbstractSet[str], by: ListedBy, since: float | None) -> dict[str, str]:
        """The status of the images of `keys`, as far as a sweep shows them, by key.

        A list of a large plan is long and comes often: of each page no more is kept, and only images that
        bear no name of the plan are compared with all of `keys`, which may change meanwhile.
        """
        best: dict[str, str] = {}
        strays: list[CloudImage] = []
        target, known = self.worker.target.name, self.ledger.planned

        def take_in(some: Iterable[str], images: Sequence[CloudImage]) -> None:
            for key, matches in self.matches(some, images).items():
                if matches.ours:
                    best[key] = lookup.better(best.get(key), matches.ours[0].status)

        count = 0
        async for page in self.pages(by, since):
            count += 1
            named = [f"{target}/{image.name}" for image in page]
            take_in({key for key in named if key in keys}, page)
            strays += [image for key, image in zip(named, page, strict=True) if key not in known]
        if strays:
            take_in(keys, strays)
        self.worker.sweep_pages = count
        return {key: status for key, status in best.items() if key in keys}  # it may be fewer by now

    async def pages(self, by: ListedBy, since: float | None = None) -> AsyncIterator[Sequence[CloudImage]]:
        """The same page by page, each within the rate; the token of the first is the work item's own."""
        tag = plan_tag(self.plan.name) if by is ListedBy.TAG else None
        query = ImageQuery(tag=tag, created_since=since)
        new = NewEntries()
        page, count = await self.worker.cloud.images(query), 1
        new.of_page(image.id for image in page.images)
        yield page.images
        while page.next is not None:
            await self.worker.another_question()
            page, count = await self.worker.cloud.images(query, after=page.next), count + 1
            new.of_page(image.id for image in page.images)
            yield page.images
        if by is ListedBy.TAG and since is None:
            self.worker.scheduler.list_pages = count
