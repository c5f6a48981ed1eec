"""An image as lists and answers show it, and from when on they do.

Shapes: IMS API reference, "Querying Images", "Image Attributes".
"""

from math import inf
from typing import Any

from migrator.domain.units import Moment
from migrator.simulator.jobs import Drawn, Record
from migrator.simulator.settings import Settings
from migrator.simulator.wire import encode, stamp

_WRITTEN = {
    "os_version": "__os_version",
    "os_type": "__os_type",
    "architecture": "__support_arm",
    "description": "__description",
}
"""How the image list writes what an import calls otherwise."""

_ENVIRONMENT = {"ECS": "FusionCompute", "BMS": "Ironic", "DataImage": "DataImage"}
_NULLABLE = ("virtual_size", "checksum")


def visible(record: Record, now: Moment, settings: Settings) -> bool:
    """Whether lists show this image."""
    return record.status(now) is not None and _shown(settings.listed, settings.listed_after, record, now)


def tags_shown(record: Record, now: Moment, settings: Settings) -> bool:
    return _shown(settings.tagged, settings.tagged_after, record, now)


def _shown(when: str, after: float, record: Record, now: Moment) -> bool:
    if when == "at_end":
        return now >= record.job.ends
    return when == "at_once" or now >= record.job.accepted + after * record.lag


def listed_as_json(record: Record, now: Moment, settings: Settings) -> Drawn | None:
    """`view` as JSON, and whether tags can be found; None while lists do not show it.

    Lists show the same images again and again: it is made anew only when something of it has changed.
    """
    drawn = record.drawn
    if (
        drawn is None
        or not drawn.since <= now < drawn.until
        or drawn.ends != record.job.ends
        or drawn.settings is not settings
        or drawn.tags != record.tags
        or drawn.attributes != record.attributes
    ):
        drawn = record.drawn = _drawn(record, now, settings)
    return drawn if drawn.text and not record.deleted else None


def _drawn(record: Record, now: Moment, settings: Settings) -> Drawn:
    job = record.job
    changes = [
        job.starts,
        job.ends,
        job.accepted + settings.listed_after * record.lag,
        job.accepted + settings.tagged_after * record.lag,
    ]
    shows = not record.deleted and visible(record, now, settings)
    return Drawn(
        since=now,
        until=min((moment for moment in changes if moment > now), default=inf),
        ends=job.ends,
        settings=settings,
        tags=dict(record.tags),
        attributes=dict(record.attributes),
        tagged=tags_shown(record, now, settings),
        text=encode(view(record, now, settings)) if shows else "",
    )


def view(record: Record, now: Moment, settings: Settings) -> dict[str, Any]:
    """An image as the list shows it.

    What is absent has a meaning: bios where nobody asked for a firmware, x86 without `__support_arm`.
    """
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
        "protected": record.name in settings.protected,
        "container_format": "bare",
        "disk_format": "zvhd2",
        "min_disk": asked.min_disk,
        "min_ram": asked.min_ram,
        "max_ram": str(asked.max_ram) if asked.max_ram else "",
        "tags": [f"{key}{settings.tag_separator}{value}" for key, value in record.tags.items()]
        if tags_shown(record, now, settings)
        else [],
        "created_at": created,
        "updated_at": changed,
        "enterprise_project_id": record.enterprise_project_id,
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
        body |= {"active_at": changed, "__image_size": str(record.size)}
    body |= _said(record, settings)
    for attribute in settings.untold:
        body[_WRITTEN.get(attribute, attribute)] = [] if attribute == "tags" else None
    if active or "name" in record.attributes:
        body.update(record.attributes)
        return {name: value for name, value in body.items() if value is not None or name in _NULLABLE}
    return body


def _said(record: Record, settings: Settings) -> dict[str, Any]:
    """What an image does not always say of itself."""
    asked = record.asked
    body = {}
    if settings.data_origin or asked.method == "normal":
        body["__data_origin"] = record.attributes.get("__data_origin", f"file,{asked.url}")
    if asked.firmware_asked or asked.firmware != "bios":
        body["hw_firmware_type"] = asked.firmware
    if asked.cmk_id:
        body["__system__cmkid"] = asked.cmk_id
    if asked.architecture == "arm":
        body["__support_arm"] = "true"
    return body
