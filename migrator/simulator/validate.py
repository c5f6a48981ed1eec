"""What the image service checks before it accepts an import, rule by rule, each with its code.

Rules: IMS API reference, "Importing an Image File Quickly", "Image Attributes", "Tag Data Formats", "Error
Codes". Where the code is not documented for a rule, the nearest one is taken.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from migrator.simulator.settings import BucketSettings, ObjectSettings, Settings

_HAN = "\u3400-\u9fff"
_NAME = re.compile(rf"[A-Za-z0-9{_HAN}._-](?:[A-Za-z0-9{_HAN}._ -]*[A-Za-z0-9{_HAN}._-])?")
_DESCRIPTION = re.compile(r"[^\r\n<>]*")
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")
_KEY = re.compile(r"[\w./-]+")
"""Letters, digits and "-._" (the help of IMG.0075), in folders."""

LONGEST_FILE_NAME = 128
"""Characters of a file's name, without its folders (the help of IMG.0075)."""

_TAG_KEY = re.compile(rf"[A-Za-z0-9{_HAN}_-]{{1,36}}")
_TAG_VALUE = re.compile(rf"[A-Za-z0-9{_HAN}_.-]{{0,43}}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

LARGEST_FILE = 2**40
"""Bytes; "1 TB" in the documents, read generously."""

LARGEST_NORMAL_FILE = 2**37
"""Bytes; "128 GB" in the documents, read generously."""

MOST_TAGS = 10


class Invalid(Exception):
    """The import is refused with this code."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.text = text


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """An import as the service understood it."""

    name: str
    bucket: str
    key: str
    min_disk: int
    type: str
    """"ECS", "BMS" or "DataImage"."""

    os_version: str | None
    os_type: str
    os_bit: int
    platform: str
    architecture: str
    firmware: str
    firmware_asked: bool
    """Whether the import said so itself."""

    description: str
    enterprise_project_id: str
    tags: dict[str, str]
    method: str = "quick"
    """By which call it was asked for: "quick" or "normal"."""

    cmk_id: str = ""
    min_ram: int = 0
    max_ram: int = 0
    is_config: bool = False

    @property
    def url(self) -> str:
        return f"{self.bucket}:{self.key}"


_SHORT_OS_LIST = (
    ("Windows", "Windows Server 2016 Standard 64bit"),
    ("Windows", "Windows Server 2019 Standard 64bit"),
    ("CentOS", "CentOS 7.4 64bit"),
    ("CentOS", "CentOS 7.6 64bit"),
    ("CentOS", "CentOS 8.2 64bit"),
    ("Ubuntu", "Ubuntu 18.04 server 64bit"),
    ("Ubuntu", "Ubuntu 20.04 server 64bit"),
    ("Debian", "Debian 10.2.0 64bit"),
    ("EulerOS", "EulerOS 2.5 64bit"),
    ("openEuler", "openEuler 20.03 64bit"),
    ("Other", "Other Linux(64 bit)"),
)


@cache
def os_list() -> dict[str, dict[str, Any]]:
    """By os_version: platform, os_bit, os_type and arch; from the package's data file, or a short list."""
    file = Path(__file__).parent.parent / "data" / "os-versions.json"
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        rows = [
            {
                "platform": platform,
                "os_version": version,
                "os_bit": 64,
                "os_type": "Windows" if platform == "Windows" else "Linux",
            }
            for platform, version in _SHORT_OS_LIST
        ]
        return {str(row["os_version"]): row for row in rows}
    table: dict[str, dict[str, Any]] = {row["os_version"]: row for row in data["entries"]}
    for row in data["other_values"]:
        table.setdefault(row["os_version"], {"platform": "Other", **row})
    for name in data["arm_public_image_names"]["names"]:
        table.setdefault(
            name, {"platform": name.split(" ")[0], "os_bit": 64, "os_type": "Linux", "arch": ["arm"]}
        )
    return table


def read_fields(body: bytes) -> dict[str, Any]:
    """The members of a request. Raises Invalid where there are none."""
    if not body.strip():
        raise Invalid("IMG.0007")
    try:
        fields = json.loads(body)
    except ValueError:
        raise Invalid("IMG.0001") from None
    if not isinstance(fields, dict):
        raise Invalid("IMG.0001")
    return fields


def read_import(body: bytes, settings: Settings) -> ImportRequest:
    """The import that `body` asks for. Raises Invalid with the service's code for the first rule broken."""
    fields = read_fields(body)
    name = check_name(fields.get("name"))
    description = check_description(fields.get("description"))
    kind = fields.get("type", "ECS")
    if not isinstance(kind, str):
        raise Invalid("IMG.0024")
    if kind not in ("ECS", "BMS", "DataImage"):
        raise Invalid("IMG.0117")
    bucket, key = check_address(fields.get("image_url"), QUICK_ENDINGS, "IMG.0158")
    tags = check_tags(fields)
    system = kind != "DataImage"
    min_disk = _min_disk(fields.get("min_disk"), system=system)
    architecture, firmware = check_machine(fields) if system else ("x86", "bios")
    version, os_type, os_bit, platform = _os(fields, settings, system=system)
    if fields.get("license_type", "byol") not in ("platform", "byol"):
        raise Invalid("IMG.0001")
    project = check_enterprise_project(fields.get("enterprise_project_id", "0"))
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
        enterprise_project_id=project,
        firmware_asked=system and bool(fields.get("hw_firmware_type")),
        tags=tags,
    )


def check_name(value: object) -> str:
    """The name of an image. Raises Invalid when there can be none of this name."""
    if value is None or value == "":
        raise Invalid("IMG.0013")
    if not isinstance(value, str):
        raise Invalid("IMG.0001")
    if len(value) > 128:
        raise Invalid("IMG.0002")
    if not _NAME.fullmatch(value):
        raise Invalid("IMG.0003")
    return value


def check_description(value: object) -> str:
    """The description of an image. Raises Invalid when it cannot have this one."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Invalid("IMG.0001")
    if len(value) > 1024:
        raise Invalid("IMG.0004")
    if not _DESCRIPTION.fullmatch(value):
        raise Invalid("IMG.0054")
    return value


def check_enterprise_project(value: object) -> str:
    """The id of an enterprise project, "0" for the default one. Raises Invalid for what can be none."""
    if not isinstance(value, str) or not (value in ("", "0") or _UUID.fullmatch(value)):
        raise Invalid("IMG.0155")
    return value or "0"


QUICK_ENDINGS = (".raw", ".zvhd2")


def check_address(value: object, endings: tuple[str, ...], other_format: str) -> tuple[str, str]:
    """Bucket and key of a file that ends as it may; `other_format` is the code of one that does not."""
    if not isinstance(value, str) or ":" not in value or "://" in value:
        raise Invalid("IMG.0017")
    bucket, _, key = value.partition(":")
    check_bucket(bucket)
    if not key:
        raise Invalid("IMG.0017")
    if len(key.encode()) > 1024 or len(key.rpartition("/")[2]) > LONGEST_FILE_NAME:
        raise Invalid("IMG.0074")
    if " " in key:
        raise Invalid("IMG.0175")
    if not _KEY.fullmatch(key):
        raise Invalid("IMG.0075")
    if not key.lower().endswith(endings):
        raise Invalid(other_format)
    return bucket, key


def check_bucket(name: str) -> None:
    """Raises Invalid when no bucket can have this name."""
    if not name:
        raise Invalid("IMG.0068")
    if not 3 <= len(name) <= 63 or not _BUCKET.fullmatch(name) or _ADDRESS.fullmatch(name):
        raise Invalid("IMG.0109")
    if any(pair in name for pair in ("..", "-.", ".-")):
        raise Invalid("IMG.0109")


def check_tags(fields: dict[str, Any]) -> dict[str, str]:
    old, new = fields.get("tags") or [], fields.get("image_tags") or []
    if not isinstance(old, list) or not isinstance(new, list):
        raise Invalid("IMG.0001")
    if old and new:
        raise Invalid("IMG.0115")
    pairs: list[tuple[Any, Any]] = []
    for item in old:
        if not isinstance(item, str):
            raise Invalid("IMG.0001")
        pairs.append(item.partition(".")[::2])
    for item in new:
        if not isinstance(item, dict) or not {"key", "value"} <= item.keys():
            raise Invalid("IMG.0115")
        pairs.append((item["key"], item["value"]))
    tags: dict[str, str] = {}
    for key, value in pairs:
        check_tag(key, value)
        tags[key] = value
    if len(tags) > MOST_TAGS:
        raise Invalid("IMG.0116")
    return tags


def check_tag(key: object, value: object) -> None:
    """Raises Invalid(IMG.0115) when an image cannot bear this tag."""
    if not isinstance(key, str) or not isinstance(value, str):
        raise Invalid("IMG.0115")
    if not _TAG_KEY.fullmatch(key) or not _TAG_VALUE.fullmatch(value):
        raise Invalid("IMG.0115")


def _min_disk(value: object, *, system: bool) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise Invalid("IMG.0055")
    if value > 1024:
        raise Invalid("IMG.0111" if system else "IMG.0055")
    return value


def check_machine(fields: dict[str, Any]) -> tuple[str, str]:
    architecture = fields.get("architecture") or "x86"
    if architecture not in ("x86", "arm"):
        raise Invalid("IMG.0212")
    firmware = fields.get("hw_firmware_type") or ("uefi" if architecture == "arm" else "bios")
    if firmware not in ("bios", "uefi") or (architecture == "arm" and firmware == "bios"):
        raise Invalid("IMG.0141")
    return architecture, firmware


def _os(fields: dict[str, Any], settings: Settings, *, system: bool) -> tuple[str | None, str, int, str]:
    if not system:
        os_type = fields.get("os_type", "Linux")  # newer documents: optional
        if os_type not in ("Linux", "Windows"):
            raise Invalid("IMG.0056")
        return None, os_type, 64, os_type if os_type == "Windows" else "Other"
    version = fields.get("os_version")
    if version is None or version == "":
        raise Invalid("IMG.0159")
    if not isinstance(version, str):
        raise Invalid("IMG.0001")
    row = os_list().get(version)
    if row is None:
        if settings.strict_os:
            raise Invalid("IMG.0056")
        row = {"os_type": "Windows" if "windows" in version.lower() else "Linux"}
    return version, row["os_type"], row.get("os_bit", 64), row.get("platform", "Other")


def check_object(
    asked: ImportRequest,
    region: str | None,
    bucket_at: Callable[[str], BucketSettings],
    object_at: Callable[[str, str], ObjectSettings],
    *,
    listed: bool,
) -> None:
    """Raises Invalid when the service cannot use the file. `region` None is a region nobody knows.

    `listed` objects have a size that somebody chose, so the disk is held against it; the size of one that is
    only made up says nothing about the plan.
    """
    bucket = bucket_at(asked.bucket)
    if bucket.missing:
        raise Invalid("IMG.0057")
    if bucket.forbidden:
        raise Invalid("IMG.0069")
    if region and bucket.region and bucket.region != region:
        raise Invalid("IMG.0058")
    found = object_at(asked.bucket, asked.key)
    if found.missing or found.forbidden or found.size == 0 or found.sse == "customer":
        raise Invalid("IMG.0057")
    if bucket.storage_class != "STANDARD" or found.storage_class != "STANDARD":
        raise Invalid("IMG.0057")
    if found.size > (LARGEST_FILE if asked.method == "quick" else LARGEST_NORMAL_FILE):
        raise Invalid("IMG.0059")
    if asked.method == "quick" and asked.key.lower().endswith(".raw"):
        bitmap = object_at(asked.bucket, asked.key[:-4] + ".mf")
        if bitmap.missing or bitmap.forbidden or bitmap.size == 0 or bitmap.sse == "customer":
            raise Invalid("IMG.0158")
    if listed and asked.type != "DataImage" and asked.min_disk * 2**30 <= found.size:
        raise Invalid("IMG.0055")
