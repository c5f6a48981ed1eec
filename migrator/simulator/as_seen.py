"""A stand-in that behaves as a real service was seen to: settings from a service.json."""

from collections.abc import Iterator

from msgspec import MsgspecError, Struct
from msgspec.json import Decoder
from pydantic import ValidationError

from migrator.simulator.settings import Settings


class _Count(Struct):
    seen: int = 0
    against: int = 0


class _Delays(Struct):
    longest_delay: float = 0.0


class _Region(Struct):
    beliefs: dict[str, _Count] = {}
    listed_by: dict[str, _Delays] = {}

    def holds(self, belief: str) -> bool | None:
        """Whether it was seen to hold; None where nothing was seen."""
        count = self.beliefs.get(belief, _Count())
        if count.against > 0:
            return False
        return True if count.seen > 0 else None

    @property
    def observations(self) -> int:
        return sum(count.seen + count.against for count in self.beliefs.values())


class _File(Struct):
    regions: dict[str, _Region]


_decode = Decoder(_File).decode


def settings_as_seen(data: bytes, settings: Settings) -> Settings:
    """`settings` changed as far as the file tells; of several regions, the one with the most observations.

    Raises ValueError for a file that is none.
    """
    try:
        regions = _decode(data).regions
    except (MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None
    if not regions:
        raise ValueError("it names no region")
    region = max(regions.values(), key=lambda region: region.observations)
    try:
        return Settings.model_validate(settings.model_dump() | dict(_changes(region)))
    except ValidationError as error:
        raise ValueError(f"{error.error_count()} of its values cannot be settings") from None


def _changes(region: _Region) -> Iterator[tuple[str, object]]:
    for by, when, after in (("name", "listed", "listed_after"), ("tag", "tagged", "tagged_after")):
        shown = region.holds(f"running-listed-by-{by}")
        delay = region.listed_by.get(by, _Delays()).longest_delay
        if shown is False:
            yield when, "at_end"
        elif shown and delay > 0:
            yield when, "later"
            yield after, delay
        elif shown:
            yield when, "at_once"
    if region.holds("job-progress-call") is False:
        yield "progress_path", False
    if region.holds("progress-told") is False:
        yield "progress", "missing"
    elif region.holds("progress-moves") is False:
        yield "progress", "stuck"
    if region.holds("throttle-says-how-long"):
        yield "retry_after", True
    if region.holds("tells-data-origin") is False:
        yield "data_origin", False
    untold = {
        belief.removeprefix("tells-").replace("-", "_")
        for belief in region.beliefs
        if belief.startswith("tells-") and belief != "tells-data-origin" and region.holds(belief) is False
    }
    if untold:
        yield "untold", frozenset(untold)
