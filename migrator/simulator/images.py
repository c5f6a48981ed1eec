"""The image calls of the service: list, patch, delete, quota, OS list.

Rules and shapes: IMS API reference, "Querying Images", "Image Attributes", "Updating Image Information",
"Deleting an Image", "Querying the Image Quota", "Querying the OSs Supported by Images".
"""

import json
import operator
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from migrator.domain.units import Moment
from migrator.simulator.jobs import Project, Record
from migrator.simulator.settings import Settings
from migrator.simulator.validate import os_list
from migrator.simulator.wire import Call, Reply, empty, ims_error, ok, stamp

Check = Callable[[Record], bool]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}
_ENVIRONMENT = {"ECS": "FusionCompute", "BMS": "Ironic", "DataImage": "DataImage"}
_SORT_KEYS = ("created_at", "name", "container_format", "disk_format", "status", "id", "size")
_PLAIN = ("__os_type", "__platform", "__os_bit", "virtual_env_type", "disk_format", "min_disk")
"""Filters that compare one attribute as text."""


def visible(record: Record, now: Moment, settings: Settings) -> bool:
    """Whether lists show this image."""
    return record.status(now) is not None and _shown(settings.listed, settings.listed_after, record, now)


def tags_shown(record: Record, now: Moment, settings: Settings) -> bool:
    return _shown(settings.tagged, settings.tagged_after, record, now)


def _shown(when: str, after: float, record: Record, now: Moment) -> bool:
    if when == "at_end":
        return now >= record.job.ends
    return when == "at_once" or now >= record.job.accepted + after * record.lag


def view(record: Record, now: Moment, settings: Settings) -> dict[str, Any]:
    """An image as the list shows it."""
    asked, active = record.asked, record.status(now) == "active"
    created = stamp(record.created)
    changed = stamp(record.job.ends) if now >= record.job.ends else created
    path = f"/v2/images/{record.id}"
    body: dict[str, Any] = {
        "id": record.id,
        "name": asked.name,
        "status": record.status(now),
        "visibility": "private",
        "owner": record.project_id,
        "protected": False,
        "container_format": "bare",
        "disk_format": "zvhd2",
        "min_disk": asked.min_disk,
        "min_ram": 0,
        "max_ram": "",
        "tags": [f"{key}{settings.tag_separator}{value}" for key, value in record.tags.items()]
        if tags_shown(record, now, settings)
        else [],
        "created_at": created,
        "updated_at": changed,
        "enterprise_project_id": asked.enterprise_project_id,
        "virtual_env_type": _ENVIRONMENT[asked.type],
        "__imagetype": "private",
        "__isregistered": "true",
        "__image_source_type": "uds",
        "__root_origin": "file",
        "__originalimagename": "",
        "__os_type": asked.os_type,
        "__os_bit": str(asked.os_bit),
        "__platform": asked.platform,
        "__os_version": asked.os_version or "",
        "__description": asked.description,
        "hw_firmware_type": asked.firmware,
        "__support_kvm": "true",
        "__lazyloading": "true",
        "__sequence_num": "0",
        "file": f"{path}/file",
        "self": path,
        "schema": "/v2/schemas/image",
        "virtual_size": None,
        "checksum": "d41d8cd98f00b204e9800998ecf8427e" if active else None,
        "size": 0,
    }
    if active:
        body["active_at"] = changed
        body["__image_size"] = str(record.size)
    if settings.data_origin:
        body["__data_origin"] = f"file,{asked.url}"
    if asked.architecture == "arm":
        body["__support_arm"] = "true"
    if active or "name" in record.attributes:
        body.update(record.attributes)
        return {name: value for name, value in body.items() if value is not None or name in _NULLABLE}
    return body


_NULLABLE = ("virtual_size", "checksum")

# --- List ---


def list_images(project: Project, call: Call, now: Moment) -> Reply:
    """GET /v2/cloudimages."""
    try:
        checks = _checks(project, call, now)
        limit = min(1000, int(call.one("limit") or 500))
        sort_key, sort_dir = call.one("sort_key") or "created_at", call.one("sort_dir") or "desc"
        if limit < 0 or sort_key not in _SORT_KEYS or sort_dir not in ("asc", "desc"):
            raise ValueError
    except ValueError:
        return ims_error("IMG.0001")
    marker = None
    if (marker_id := call.one("marker")) and (marker := project.by_id.get(marker_id)) is None:
        return ims_error("IMG.0144")
    found = _candidates(project, call)
    rows = _in_order(found, sort_key, sort_dir, marker, now)
    shown = (r for r in rows if visible(r, now, project.settings) and all(check(r) for check in checks))
    return ok({"images": [view(record, now, project.settings) for record in islice(shown, limit)]})


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
    records: list[Record], sort_key: str, sort_dir: str, marker: Record | None, now: Moment
) -> Iterable[Record]:
    if sort_key != "created_at":
        keys: dict[str, Callable[[Record], Any]] = {
            "name": lambda r: (r.name, r.number),
            "id": lambda r: r.id,
            "status": lambda r: (r.status(now) or "", r.number),
        }
        records = sorted(records, key=keys.get(sort_key, lambda r: r.number), reverse=sort_dir == "desc")
        return records[records.index(marker) + 1 :] if marker in records else records
    if sort_dir == "asc":
        start = 0 if marker is None else bisect_right(records, marker.number, key=lambda r: r.number)
        return _slice(records, range(start, len(records)))
    start = len(records)
    if marker is not None:
        start = bisect_right(records, marker.number - 1, key=lambda r: r.number)
    return _slice(records, range(start - 1, -1, -1))


def _slice(records: list[Record], places: range) -> Iterator[Record]:
    return (records[place] for place in places)


def _checks(project: Project, call: Call, now: Moment) -> list[Check]:
    """One test for each filter. Raises ValueError for a filter that cannot be read."""
    settings = project.settings
    checks: list[Check] = []
    for name, value in call.query:
        match name:
            case "id":
                checks.append(_equal(lambda r: r.id, value))
            case "name":
                checks.append(_equal(lambda r: r.name, value))
            case "status":
                checks.append(_equal(lambda r: r.status(now), value))
            case "owner":
                checks.append(_equal(lambda r: r.project_id, value))
            case "__imagetype" | "visibility":
                checks.append(_equal(lambda _: "private", value))
            case "__isregistered":
                checks.append(_equal(lambda _: "true", value.lower()))
            case "tag":
                checks.append(_tag_check(value, now, settings))
            case "enterprise_project_id" if value != "all_granted_eps":
                checks.append(_equal(lambda r: r.asked.enterprise_project_id, value))
            case "created_at":
                checks.append(_time_check(value, lambda r: r.created))
            case "updated_at":
                checks.append(_time_check(value, lambda r: r.job.ends if now >= r.job.ends else r.created))
            case "architecture":
                checks.append(_equal(lambda r: r.asked.architecture, value))
            case _ if name in _PLAIN:
                checks.append(_plain_check(name, value, now, settings))
    return checks


def _equal(of: Callable[[Record], object], value: str) -> Check:
    return lambda record: of(record) == value


def _plain_check(name: str, value: str, now: Moment, settings: Settings) -> Check:
    return lambda record: str(view(record, now, settings).get(name)) == value


def _tag_check(text: str, now: Moment, settings: Settings) -> Check:
    key, equals, value = text.partition("=")

    def check(record: Record) -> bool:
        if not tags_shown(record, now, settings):
            return False
        return record.tags.get(key) == value if equals else key in record.tags

    return check


def _time_check(text: str, of: Callable[[Record], Moment]) -> Check:
    sign, colon, moment = text.partition(":")
    compare = _COMPARE.get(sign) if colon else None
    if compare is None:
        raise ValueError(text)
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S"):
        try:
            then = datetime.strptime(moment, form).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
        return lambda record: compare(of(record), then)
    raise ValueError(text)


# --- One image ---


def patch(project: Project, image_id: str, call: Call, now: Moment) -> Reply:
    """PATCH /v2/cloudimages/{image_id}."""
    record = project.by_id.get(image_id)
    if record is None or record.status(now) is None:
        return ims_error("IMG.0144")
    if record.status(now) != "active":
        return ims_error("IMG.0105")
    try:
        steps = [(step["op"], step["path"].lstrip("/"), step.get("value")) for step in json.loads(call.body)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ims_error("IMG.0001")
    present = view(record, now, project.settings)
    for op, name, _ in steps:
        if op not in ("add", "replace", "remove"):
            return ims_error("IMG.0001")
        if op != "add" and name not in present:
            return ims_error("IMG.0035")
    for op, name, value in steps:
        if name == "name" and op != "remove":
            project.rename(record, str(value))
        else:
            record.attributes[name] = None if op == "remove" else value
    return ok(view(record, now, project.settings))


def delete(project: Project, image_id: str, now: Moment) -> Reply:
    """DELETE /v2/images/{image_id}: 204 even when there was nothing to delete."""
    record = project.by_id.get(image_id)
    status = record.status(now) if record else None
    if record is None or status is None:
        return empty()
    if status in ("queued", "saving"):
        return ims_error("IMG.0090")
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
