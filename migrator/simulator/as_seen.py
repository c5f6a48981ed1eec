"""A stand-in that behaves as a real service was seen to: settings from a service.json."""

import json
from collections.abc import Mapping
from typing import Any

from migrator.simulator.settings import Settings


def settings_as_seen(data: bytes, settings: Settings) -> Settings:
    """`settings` changed as far as the file tells; of several regions, the one with the most observations.

    Raises ValueError for a file that is none.
    """
    regions = json.loads(data).get("regions") if data.lstrip().startswith(b"{") else None
    if not isinstance(regions, dict) or not regions:
        raise ValueError("it names no region")
    region = max(regions.values(), key=_observations)
    return Settings.model_validate(settings.model_dump() | dict(_changes(region)))


def _observations(region: Mapping[str, Any]) -> int:
    return sum(count.get("seen", 0) + count.get("against", 0) for count in region.get("beliefs", {}).values())


def _changes(region: Mapping[str, Any]) -> dict[str, Any]:
    beliefs = region.get("beliefs", {})

    def holds(belief: str) -> bool | None:
        count = beliefs.get(belief, {})
        if count.get("against"):
            return False
        return True if count.get("seen") else None

    changes: dict[str, Any] = {}
    listed = region.get("listed_by", {})
    for by, when, after in (("name", "listed", "listed_after"), ("tag", "tagged", "tagged_after")):
        shown = holds(f"running-listed-by-{by}")
        if shown is False:
            changes[when] = "at_end"
        elif shown:
            delay = float(listed.get(by, {}).get("longest_delay", 0.0))
            changes |= {when: "later", after: delay} if delay > 0 else {when: "at_once"}
    if holds("job-progress-call") is False:
        changes["progress_path"] = False
    if holds("progress-told") is False:
        changes["progress"] = "missing"
    elif holds("progress-moves") is False:
        changes["progress"] = "stuck"
    if holds("throttle-says-how-long"):
        changes["retry_after"] = True
    if holds("tells-data-origin") is False:
        changes["data_origin"] = False
    untold = [
        belief.removeprefix("tells-").replace("-", "_")
        for belief in beliefs
        if belief.startswith("tells-") and belief != "tells-data-origin" and holds(belief) is False
    ]
    if untold:
        changes["untold"] = sorted(untold)
    return changes
