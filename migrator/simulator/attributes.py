"""Which attributes of an image may be changed, and to what.

Rules: IMS API reference, "Updating Image Information", "Image Attributes".
"""

import json
from typing import Any

from migrator.domain.units import Moment
from migrator.simulator.image_view import view
from migrator.simulator.jobs import Project, Record
from migrator.simulator.validate import Invalid, check_description, check_enterprise_project, check_name
from migrator.simulator.wire import Call, Reply, ims_error, ok

_CHANGEABLE = frozenset(
    {
        "name",
        "__description",
        "__is_config_init",
        "enterprise_project_id",
        "min_ram",
        "max_ram",
        "hw_vif_multiqueue_enabled",
        "hw_firmware_type",
    }
)
"""What may be changed beside __support_*."""

_STAYING = frozenset({"name", "__description", "enterprise_project_id", "min_ram", "max_ram"})
"""What may be replaced and not removed."""

_OWN = frozenset(
    {
        "active_at",
        "architecture",
        "checksum",
        "container_format",
        "created_at",
        "deleted",
        "deleted_at",
        "disk_format",
        "file",
        "id",
        "min_disk",
        "owner",
        "protected",
        "schema",
        "self",
        "size",
        "status",
        "tags",
        "updated_at",
        "virtual_env_type",
        "virtual_size",
        "visibility",
    }
)
"""What only the service writes, beside all others that begin with "__"."""


def patch(project: Project, image_id: str, call: Call, now: Moment) -> Reply:
    """PATCH /v2/cloudimages/{image_id}: all steps, or none."""
    record = project.by_id.get(image_id)
    if record is None or record.status(now) is None:
        return ims_error("IMG.0144")
    if record.status(now) != "active":
        return ims_error("IMG.0105")
    try:
        steps = [_step(step, record) for step in json.loads(call.body)]
    except Invalid as refused:
        return ims_error(refused.code)
    except (ValueError, KeyError, TypeError, AttributeError):
        return ims_error("IMG.0001")
    present = view(record, now, project.settings)
    if any(op != "add" and name not in present for op, name, _ in steps):
        return ims_error("IMG.0035")
    for op, name, value in steps:
        if name == "name":
            project.rename(record, value)
        else:
            record.attributes[name] = None if op == "remove" else value
    return ok(view(record, now, project.settings))


def _step(step: dict[str, Any], record: Record) -> tuple[str, str, Any]:
    """(operation, attribute, value). Raises Invalid, KeyError or ValueError for what is not allowed."""
    op, name = step["op"], step["path"].removeprefix("/")
    if op not in ("add", "replace", "remove") or not name or "/" in name:
        raise ValueError(op)
    if name in _OWN or (name.startswith("__") and not _changeable(name)):
        raise Invalid("IMG.0105")
    if op == "remove":
        if name in _STAYING:
            raise Invalid("IMG.0105")
        return op, name, None
    return op, name, _value(name, step["value"], record)


def _changeable(name: str) -> bool:
    return name in _CHANGEABLE or name.startswith("__support_")


def _value(name: str, value: Any, record: Record) -> Any:
    match name:
        case "name":
            return check_name(value)
        case "__description":
            return check_description(value)
        case "enterprise_project_id":
            return check_enterprise_project(value)
        case "hw_firmware_type":
            if value not in ("bios", "uefi") or (record.asked.architecture == "arm" and value == "bios"):
                raise Invalid("IMG.0141")
        case "min_ram" | "max_ram":
            if isinstance(value, bool) or not str(value).isdecimal():
                raise Invalid("IMG.0055")
            return int(value) if name == "min_ram" else str(value)
    if not isinstance(value, str):
        raise Invalid("IMG.0001")
    return value
