"""The image calls of the service: list, delete, quota, OS list.

Rules and shapes: IMS API reference, "Querying Images", "Deleting an Image", "Querying the Image Quota",
"Querying the OSs Supported by Images".
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from migrator.domain.units import Moment
from migrator.simulator.filters import filters, oldest
from migrator.simulator.image_view import listed_as_json
from migrator.simulator.jobs import Project, Record
from migrator.simulator.validate import os_list
from migrator.simulator.wire import Call, Reply, empty, ims_error, ok, ok_json

DEFAULT_LIMIT = 500
MOST_IMAGES = 1000
"""Images on one page, whatever was asked for."""

_SORT_KEYS = ("created_at", "name", "container_format", "disk_format", "status", "id", "size")

# --- List ---


def list_images(project: Project, call: Call, now: Moment) -> Reply:
    """GET /v2/cloudimages."""
    try:
        found, limit = page(project, call, now, DEFAULT_LIMIT)
    except ValueError:
        return ims_error("IMG.0001")
    except KeyError:
        return ims_error("IMG.0144")
    rows = [record.drawn.text for record in islice(found, limit) if record.drawn]  # as `page` drew them
    return ok_json(f'{{"images":[{",".join(rows)}]}}')


def page(
    project: Project, call: Call, now: Moment, default: int, *, native: bool = False
) -> tuple[Iterator[Record], int]:
    """(every image from the marker on, in the order asked for, and how many of them fit on the page).

    Raises ValueError for a question that cannot be read, KeyError for a marker that is no image.
    """
    settings = project.settings
    sort_key, sort_dir = call.one("sort_key") or "created_at", call.one("sort_dir") or "desc"
    # In the order of creation, `_in_order` begins where `created_at` does.
    checks = filters(project, call, now, native=native, created_since=sort_key != "created_at")
    limit = min(MOST_IMAGES, int(call.one("limit") or default))
    if limit < 0 or sort_key not in _SORT_KEYS or sort_dir not in ("asc", "desc"):
        raise ValueError
    marker_id = call.one("marker")
    marker = project.by_id[marker_id] if marker_id else None
    least = oldest(call.query)
    rows = _in_order(_candidates(project, call), sort_key, sort_dir, marker, least, now)
    shown = (
        row for row in rows if listed_as_json(row, now, settings) and all(check(row) for check in checks)
    )
    return shown, limit


def _candidates(project: Project, call: Call) -> list[Record]:
    """The shortest list that must hold every image asked for, in the order of creation."""
    lists = [project.records]
    if (image_id := call.one("id")) is not None:
        lists.append([project.by_id[image_id]] if image_id in project.by_id else [])
    if (name := call.one("name")) is not None:
        lists.append(project.by_name.get(name, []))
    for key, value in call.query:
        if key == "tag" and "=" in value:
            left, _, right = value.partition("=")
            lists.append(project.by_tag.get((left, right), []))
    return min(lists, key=len)


def _in_order(
    records: list[Record],
    sort_key: str,
    sort_dir: str,
    marker: Record | None,
    least: Moment,
    now: Moment,
) -> Iterable[Record]:
    """The records in the order asked for; those created before `least` may be left out."""
    if sort_key != "created_at":
        keys: dict[str, Callable[[Record], Any]] = {
            "name": lambda r: (r.name, r.number),
            "id": lambda r: r.id,
            "status": lambda r: (r.status(now) or "", r.number),
        }
        records = sorted(records, key=keys.get(sort_key, lambda r: r.number), reverse=sort_dir == "desc")
        return records[records.index(marker) + 1 :] if marker in records else records
    oldest_place = bisect_left(records, least, key=lambda r: r.created)
    if sort_dir == "asc":
        start = 0 if marker is None else bisect_right(records, marker.number, key=lambda r: r.number)
        start = max(start, oldest_place)
        return records[start:]
    start = len(records)
    if marker is not None:
        start = bisect_right(records, marker.number - 1, key=lambda r: r.number)
    return reversed(records[oldest_place:start])


# --- One image ---


def delete(project: Project, image_id: str, now: Moment) -> Reply:
    """DELETE /v2/images/{image_id}: 204 even when there was nothing to delete."""
    record = project.by_id.get(image_id)
    status = record.status(now) if record else None
    if record is None or status is None:
        return empty()
    if status in ("queued", "saving"):
        return ims_error("IMG.0090")
    if record.name in project.settings.protected:
        return ims_error("IMG.0091")
    project.delete(record, now)
    return empty()


def quota(project: Project, now: Moment) -> Reply:
    """GET /v1/cloudimages/quota."""
    row = {
        "type": "image",
        "used": project.used(now),
        "quota": project.settings.quota,
        "min": 1,
        "max": 1000000,
    }
    return ok({"quotas": {"resources": [row]}})


def os_versions(call: Call) -> Reply:
    """GET /v1/cloudimages/os_version: a bare array."""
    wanted = [value for key, value in call.query if key == "tag"]
    platforms: dict[str, list[dict[str, Any]]] = {}
    for version, row in os_list().items():
        arm = "arm" in row.get("arch", ["x86"])
        if ("arm" in wanted and not arm) or ("x86" in wanted and arm):
            continue
        if "uefi" in wanted and not row.get("uefi_listed", True):
            continue
        platforms.setdefault(row["platform"], []).append(
            {
                "platform": row["platform"],
                "os_version_key": version,
                "os_version": version,
                "os_bit": row["os_bit"],
                "os_type": row["os_type"],
            }
        )
    return ok([{"platform": name, "version_list": rows} for name, rows in platforms.items()])
