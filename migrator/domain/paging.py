"""Lists that come page by page from a service that may send the same ones for ever."""

from collections.abc import Hashable, Iterable

from migrator.domain.cloud import Fault
from migrator.domain.errors import RetryableError


class NewEntries:
    """Watches over one list that is read page by page: each page has to bring something new."""

    def __init__(self) -> None:
        self._known: set[Hashable] = set()

    def of_page(self, entries: Iterable[Hashable]) -> None:
        """A page came, with these ids. Raises RetryableError when it has some, and none that is new."""
        page = set(entries)
        if page and page <= self._known:
            raise RetryableError(
                Fault(
                    code="MIG.unreadable",
                    message="a list never ends: a page of it holds only what was on earlier pages",
                    remedy="Nothing to do: migrator asks again.",
                )
            )
        self._known |= page
