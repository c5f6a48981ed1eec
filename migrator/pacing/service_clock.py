"""How far the service's clock may be behind ours, so that a list begins where it has to and no earlier.

A list is asked for images that were created since a moment, by the service's clock. Where nothing tells how
that differs from ours, it begins a quarter of an hour early, and at thirty imports a second that is thirty
thousand images too many, each time. Images that were made tell.
"""

from migrator.domain.units import Moment
from migrator.workflow.lookup import CLOCK_SKEW

ENOUGH = 10
"""Images, before their word counts."""

MARGIN = 60.0
"""Seconds beyond what was seen: clocks are nudged, and some have whole seconds only."""


class ServiceClock:
    """Learns from images whose import this run asked for; moments are wall-clock ones."""

    def __init__(self) -> None:
        self._seen = 0
        self._behind = 0.0

    def made(self, began_at: Moment, created_at: Moment | None) -> None:
        """An import was asked for at `began_at`, and its image says that it was created then."""
        if created_at is not None:
            self._seen += 1
            self._behind = max(self._behind, began_at - created_at)

    def jumped(self) -> None:
        """Our own clock is not what it was."""
        self._seen, self._behind = 0, 0.0

    def earliest(self, began_at: Moment) -> Moment:
        """The earliest moment at which the image of an import that was asked for at `began_at` may say that
        it was created."""
        return began_at - (CLOCK_SKEW if self._seen < ENOUGH else min(self._behind + MARGIN, CLOCK_SKEW))
