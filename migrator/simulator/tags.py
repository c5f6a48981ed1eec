"""The tag calls of the service: images by tag, an image's tags, a project's tags.

Rules and shapes: IMS API reference, "Querying Images by Tag", "Adding a Tag", "Batch Adding or Deleting
Tags", "Querying Tags of an Image", "Querying All Tags of a Tenant", "Adding or Modifying a Tag".
"""

import json
from collections.abc import Iterable

from migrator.domain.units import Moment
from migrator.simulator.filters import Check
from migrator.simulator.image_view import tags_shown, visible
from migrator.simulator.jobs import Project, Record
from migrator.simulator.validate import MOST_TAGS, Invalid, check_tag
from migrator.simulator.wire import Call, Reply, empty, ims_error, ok


def query_by_tag(project: Project, call: Call, now: Moment) -> Reply:
    """POST /v2/{project_id}/images/resource_instances/action."""
    settings = project.settings
    try:
        asked = json.loads(call.body)
        action = asked["action"]
        if action not in ("filter", "count"):
            raise ValueError
        groups = {name: _groups(asked.get(name)) for name in ("tags", "tags_any", "not_tags", "not_tags_any")}
        matches = {item["key"]: item["value"] for item in asked.get("matches") or []}
        limit, offset = int(asked.get("limit", "10")), int(asked.get("offset", "0"))
        if not 1 <= limit <= 1000 or offset < 0 or not set(matches) <= {"resource_name", "resource_id"}:
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):
        return ims_error("IMG.0001")
    bare = asked.get("without_any_tag") is True

    def fits(record: Record) -> bool:
        if not visible(record, now, settings):
            return False
        tags = record.tags if tags_shown(record, now, settings) else {}
        if record.name.find(matches.get("resource_name", "")) < 0:
            return False
        if matches.get("resource_id", record.id) != record.id:
            return False
        if bare:
            return not tags
        hits = {
            name: [key in tags and (not values or tags[key] in values) for key, values in group]
            for name, group in groups.items()
        }
        return (
            all(hits["tags"])
            and (not hits["tags_any"] or any(hits["tags_any"]))
            and (not hits["not_tags"] or not all(hits["not_tags"]))
            and not any(hits["not_tags_any"])
        )

    records = project.records
    if groups["tags"] and len(groups["tags"][0][1]) == 1 and not bare:
        key, values = groups["tags"][0]
        records = project.by_tag.get((key, values[0]), [])
    found = [record for record in records if fits(record)]
    if action == "count":
        return ok({"total_count": len(found)})
    return ok(
        {
            "total_count": len(found),
            "resources": [
                {
                    "resource_id": record.id,
                    "resource_name": record.name,
                    "resource_detail": {"status": record.status(now)},
                    "tags": _pairs(record) if tags_shown(record, now, settings) else [],
                }
                for record in found[offset : offset + limit]
            ],
        }
    )


def _groups(value: object) -> list[tuple[str, list[str]]]:
    """Read one of the tag members; raises ValueError as the service refuses it."""
    if value is None:
        return []
    if not isinstance(value, list) or not 1 <= len(value) <= 10:
        raise ValueError
    groups = [(item["key"], item.get("values") or []) for item in value]
    if len(dict(groups)) != len(groups) or any(len(set(v)) != len(v) or len(v) > 10 for _, v in groups):
        raise ValueError
    return groups


def _pairs(record: Record) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in record.tags.items()]


def image_tags(project: Project, image_id: str, rest: list[str], call: Call, now: Moment) -> Reply | None:
    """/v2/{project_id}/images/{image_id}/tags and what lies under it; None for a path that does not exist."""
    record = project.by_id.get(image_id)
    if record is None or record.status(now) is None:
        return ims_error("IMG.0144")
    try:
        match call.method, rest:
            case "GET", []:
                return ok({"tags": _pairs(record) if tags_shown(record, now, project.settings) else []})
            case "POST", []:
                item = json.loads(call.body)["tag"]
                _add_tags(project, record, [item])
                return empty()
            case "POST", ["action"]:
                asked = json.loads(call.body)
                if asked["action"] == "create":
                    _add_tags(project, record, asked["tags"])
                elif asked["action"] == "delete":
                    for item in asked["tags"]:
                        project.untag(record, item["key"])
                else:
                    return ims_error("IMG.0001")
                return empty()
            case "DELETE", [key]:
                project.untag(record, key)
                return empty()
    except Invalid as refused:
        return ims_error(refused.code)
    except (ValueError, KeyError, TypeError):
        return ims_error("IMG.0001")
    return None


def put_tag(project: Project, call: Call, now: Moment) -> Reply:
    """PUT /v1/cloudimages/tags: one tag of an image, "key.value" or an object, over one of the same key."""
    try:
        asked = json.loads(call.body)
        image_id, old, new = asked["image_id"], asked.get("tag"), asked.get("image_tag")
        if (old is None) == (new is None):
            return ims_error("IMG.0115")
        key, value = old.partition(".")[::2] if new is None else (new["key"], new["value"])
        record = project.by_id.get(image_id)
        if record is None or record.status(now) is None:
            return ims_error("IMG.0144")
        _add_tags(project, record, [{"key": key, "value": value}])
    except Invalid as refused:
        return ims_error(refused.code)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ims_error("IMG.0001")
    return empty()


def _add_tags(project: Project, record: Record, items: list[dict[str, str]]) -> None:
    for item in items:
        check_tag(item["key"], item["value"])
    if len(record.tags.keys() | {item["key"] for item in items}) > MOST_TAGS:
        raise Invalid("IMG.0116")
    for item in items:
        project.tag(record, item["key"], item["value"])


def project_tags(project: Project, now: Moment, checks: Iterable[Check] = ()) -> dict[str, list[str]]:
    """Every tag key in use, with its values; only of images that pass all `checks`."""
    settings = project.settings
    tags: dict[str, dict[str, None]] = {}
    for record in project.records:
        if not all(check(record) for check in checks):
            continue
        if visible(record, now, settings) and tags_shown(record, now, settings):
            for key, value in record.tags.items():
                tags.setdefault(key, {})[value] = None
    return {key: list(values) for key, values in tags.items()}
