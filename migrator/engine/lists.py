"""What lists say: one request asked, or paged through, on behalf of many images."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from migrator.core import lookup
from migrator.core.reconcile import marker, plan_tag
from migrator.core.settle import By
from migrator.engine.lane import Lane
from migrator.model import CloudImage, ImageQuery, Marker, MarkerKind

if TYPE_CHECKING:
    from migrator.engine.run import Engine


class Lists:
    """Asks for images by marker, by name, or all at once, and sorts them by the item that they belong to."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self.marked = engine.plan.policy.marker is MarkerKind.TAG
        """Whether imports bear a marker; without one, names have to do."""

    def marker(self, key: str) -> Marker | None:
        """What the import of an image bears."""
        return marker(self._engine.plan.name, key) if self.marked else None

    async def find(
        self,
        lane: Lane,
        keys: Collection[str],
        *,
        joining: Callable[[], Iterable[str]] = tuple,
        seen: Callable[[Sequence[CloudImage]], None] = lambda images: None,
    ) -> dict[str, lookup.Shelf]:
        """Images that may be those of `keys`: by marker first, and by exact name where the marker shows none.

        One image is asked for by its own tag and name; many share one list. `seen` is called with each page
        of the list by marker, before the next is asked for, and may take out of `keys` what needs no further
        look. `joining` is called when nothing is left to ask, and its keys are looked for in that list too.
        """
        alone = len(keys) == 1
        if self.marked:
            if alone:
                mark = marker(self._engine.plan.name, *keys)
                images = await self._ask(lane, tag=mark.item_tag)
            else:
                images = await self.everything(lane, By.TAG, seen=seen)
            found = self.shelve(keys, images)
            if all(shelf.ours for shelf in found.values()):
                return found | self.shelve(joining(), images)
            await lane.another_question()
        else:
            found = {key: lookup.Shelf() for key in keys}
        absent = [key for key in found if not found[key].ours]
        states, planned = self._engine.ledger.states, self._engine.ledger.planned
        since = min(lookup.began_at(states[key]) for key in absent)
        if alone:
            images = await self._ask(lane, name=planned[absent[0]].image.name)
        else:
            images = await self.everything(lane, By.NAME, since)
        return found | self.shelve(absent, images)

    async def _ask(
        self, lane: Lane, *, tag: tuple[str, str] | None = None, name: str | None = None
    ) -> list[CloudImage]:
        return list((await lane.cloud.images(ImageQuery(tag=tag, name=name))).images)

    def shelve(self, keys: Iterable[str], images: Sequence[CloudImage]) -> dict[str, lookup.Shelf]:
        """The images sorted by key; what belongs to none of `keys` is left out."""
        if not images:
            return {key: lookup.Shelf() for key in keys}
        planned, states = self._engine.ledger.planned, self._engine.ledger.states
        wanted = [(planned[key].image, self.marker(key), states[key]) for key in keys]
        return lookup.shelve(wanted, images)

    async def everything(
        self,
        lane: Lane,
        by: By,
        since: float | None = None,
        *,
        seen: Callable[[Sequence[CloudImage]], None] = lambda images: None,
    ) -> list[CloudImage]:
        """Every image of this plan, or every private one since a moment; all pages, each within the rate.

        The token of the first page is the turn's own. `seen` is called with each page as it comes.
        """
        engine = self._engine
        early = None if since is None else since - lookup.CLOCK_SKEW
        if by is By.TAG:
            query = ImageQuery(tag=plan_tag(engine.plan.name), created_since=early)
        else:
            query = ImageQuery(created_since=early)
        page = await lane.cloud.images(query)
        images, pages = list(page.images), 1
        seen(page.images)
        while page.next is not None:
            await lane.another_question()
            page = await lane.cloud.images(query, after=page.next)
            images += page.images
            pages += 1
            seen(page.images)
        if by is By.TAG and since is None:
            lane.agenda.list_pages = pages
        lane.sweep_pages = pages
        return images
