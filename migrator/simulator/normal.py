"""What the image service checks before it accepts a normal import, of a system disk or of a data disk.

Rules: IMS API reference, "Creating an Image Using an External Image File", "Creating a Data Disk Image Using
an External Image File", "Error Codes"; Open Telekom Cloud, IMS user guide, "Constraints". Where no code is
documented for a rule, the nearest one is taken.
"""

import re
from typing import Any

from migrator.simulator.settings import ObjectSettings, Settings
from migrator.simulator.validate import (
    QUICK_ENDINGS,
    ImportRequest,
    Invalid,
    check_address,
    check_description,
    check_enterprise_project,
    check_machine,
    check_name,
    check_tags,
    os_list,
    read_fields,
)

_ENDINGS = (".vmdk", ".vhd", ".qcow2", ".raw", ".vhdx", ".qed", ".vdi", ".qcow", ".zvhd2", ".zvhd")
_NO_WHOLE_DISK = re.compile(r"-flat\.vmdk$|-\d{6}\.vmdk$", re.IGNORECASE)
_MOST_DATA_IMAGES = 3
_NOT_FOR_DATA = frozenset({"os_version", "architecture", "type", "is_config", "is_quick_import"})


def read_normal(body: bytes, settings: Settings, *, data: bool) -> ImportRequest:
    """The normal import that `body` asks for. Raises Invalid with the code of the first rule broken."""
    fields = read_fields(body)
    name, description = check_name(fields.get("name")), check_description(fields.get("description"))
    kind = "DataImage" if data else _kind(fields)
    if data and _NOT_FOR_DATA & fields.keys():
        raise Invalid("IMG.0001")
    bucket, key = check_address(fields.get("image_url"), _ENDINGS, "IMG.0072")
    if _NO_WHOLE_DISK.search(key):
        raise Invalid("IMG.0072")
    tags = check_tags(fields)
    version, os_type, os_bit, platform = _system(fields, settings, data=data)
    min_disk = _min_disk(fields.get("min_disk"), os_type, data=data)
    architecture, firmware = ("x86", "bios") if data else check_machine(fields)
    if not isinstance(fields.get("is_config", False), bool):
        raise Invalid("IMG.0001")
    return ImportRequest(
        name=name,
        bucket=bucket,
        key=key,
        min_disk=min_disk,
        type=kind,
        os_version=version,
        os_type=os_type,
        os_bit=os_bit,
        platform=platform,
        architecture=architecture,
        firmware=firmware,
        description=description,
        enterprise_project_id=check_enterprise_project(fields.get("enterprise_project_id", "0")),
        firmware_asked=not data and bool(fields.get("hw_firmware_type")),
        tags=tags,
        method="normal",
        cmk_id=_key(fields.get("cmk_id"), kind, settings),
        min_ram=_megabytes(fields.get("min_ram", 0)),
        max_ram=_megabytes(fields.get("max_ram", 0)),
        is_config=fields.get("is_config", False),
    )


def recognised(asked: ImportRequest, found: ObjectSettings) -> tuple[str, str, str] | None:
    """Version, type and platform of the system in the file, which prevail; None where none is recognised."""
    if asked.method == "quick" or asked.type == "DataImage" or not found.os_version:
        return None
    row = os_list().get(found.os_version, {"os_type": "Linux"})
    return found.os_version, row["os_type"], row.get("platform", "Other")


def too_small(asked: ImportRequest, found: ObjectSettings) -> str:
    """The code with which a job fails whose disk does not hold what is in the file; empty where it does."""
    return "IMG.0055" if asked.method == "normal" and found.virtual_gb > asked.min_disk else ""


def _kind(fields: dict[str, Any]) -> str:
    kind = fields.get("type", "ECS")
    if not isinstance(kind, str):
        raise Invalid("IMG.0024")
    if kind not in ("ECS", "BMS"):
        raise Invalid("IMG.0166" if kind == "IsoImage" else "IMG.0117")
    if len(fields.get("data_images") or ()) > _MOST_DATA_IMAGES:
        raise Invalid("IMG.0194")
    if fields.get("data_images"):
        raise Invalid("IMG.0105", "this stand-in makes one image of one request")
    if fields.get("is_quick_import"):
        if not fields.get("os_version"):
            raise Invalid("IMG.0159")
        check_address(fields.get("image_url"), QUICK_ENDINGS, "IMG.0158")
    return kind


def _system(fields: dict[str, Any], settings: Settings, *, data: bool) -> tuple[str | None, str, int, str]:
    os_type = fields.get("os_type", "Linux")
    if os_type not in (("Linux", "Windows") if data else ("Linux", "Windows", "Other")):
        raise Invalid("IMG.0056")
    version = None if data else fields.get("os_version") or None
    if version is None:
        return None, os_type, 64, "Windows" if os_type == "Windows" else "Other"
    if not isinstance(version, str):
        raise Invalid("IMG.0001")
    row = os_list().get(version)
    if row is None:
        if settings.strict_os:
            raise Invalid("IMG.0056")
        row = {"os_type": "Windows" if "windows" in version.lower() else "Linux"}
    return version, row["os_type"], row.get("os_bit", 64), row.get("platform", "Other")


def _min_disk(value: object, os_type: str, *, data: bool) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Invalid("IMG.0055")
    least, most = (40, 2048) if data else (20 if os_type == "Windows" else 10, 1024)
    if value < least or (value > most and data):
        raise Invalid("IMG.0055")
    if value > most:
        raise Invalid("IMG.0111")
    return value


def _megabytes(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Invalid("IMG.0055")
    return value


def _key(value: object, kind: str, settings: Settings) -> str:
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise Invalid("IMG.0001")
    if kind == "BMS":
        raise Invalid("IMG.0118")
    state = settings.kms_keys.get(value, "enabled")
    if state != "enabled":
        raise Invalid("IMG.0095" if state == "missing" else "IMG.0097")
    return value
