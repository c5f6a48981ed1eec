"""The tables of a plan as they are written: their keys, what each may hold, and the JSON Schema of it all.

A table as written is a dict in which keys may be missing. The text under a key is its description in the
schema; `migrator.model` holds what becomes of the tables once defaults are merged and every rule is checked.
"""

import copy
from collections.abc import Collection, Mapping
from dataclasses import is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Required, get_type_hints

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, with_config
from pydantic_core import CoreConfig, SchemaValidator, core_schema
from typing_extensions import TypedDict

from migrator.model import Limits, Policy, Polling, Portion, Retry

CHINESE = "〇㐀-䶿一-鿿"
"""The Chinese characters in names and tags (IMS API reference, image attributes and image tags)."""

_NAMED = f"[A-Za-z0-9._{CHINESE}-]"
_TAG_KEY = f"[A-Za-z0-9_{CHINESE}-]{{1,36}}"
_TAG_VALUE = f"[A-Za-z0-9._{CHINESE}-]{{0,43}}"
# C0, DEL and C1, the two Unicode line ends, and what reverses the text around it in a terminal or a report.
_UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"

_SPREADSHEET = rf"^[^{_UNPRINTABLE}]*\.(?:[cC][sS][vV]|[xX][lL][sS][xX])$"

Slug = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9._-]{0,62}$")]
"""A name that is also the name of a folder, and part of keys."""

Text = Annotated[str, Field(max_length=1024, pattern=f"^[^{_UNPRINTABLE}]*$")]
"""One line for people to read."""

Label = Annotated[str, Field(min_length=1, max_length=64, pattern=f"^[^{_UNPRINTABLE}]*$")]
Words = Annotated[str, Field(max_length=256, pattern=f"^[^{_UNPRINTABLE}]*$")]

Name = Annotated[str, Field(min_length=1, max_length=128, pattern=f"^{_NAMED}(?:[ {_NAMED[1:]}*{_NAMED})?$")]
Description = Annotated[str, Field(max_length=1024, pattern=f"^[^<>{_UNPRINTABLE}]*$")]
Bucket = Annotated[str, Field(min_length=3, max_length=63, pattern="^[a-z0-9]+(?:(?:[.]|-+)[a-z0-9]+)*$")]
_OBJECT = rf"[^\s{_UNPRINTABLE}]+\.(?:[rR][aA][wW]|[zZ][vV][hH][dD]2)"
Object = Annotated[str, Field(pattern=f"^{_OBJECT}$")]
ImageUrl = Annotated[str, Field(pattern=f"^[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9]:{_OBJECT}$")]
OsVersion = Annotated[str, Field(min_length=1, max_length=255, pattern=f"^[^{_UNPRINTABLE}]*$")]
ProjectId = Annotated[str, Field(pattern="^[0-9a-fA-F]{32}$")]
EnterpriseProjectId = Annotated[
    str, Field(pattern="^(?:0|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})$")
]
Credentials = Annotated[
    str, Field(pattern="^(?:env|metadata|env:[A-Za-z_][A-Za-z0-9_]{0,63}|profile:[A-Za-z0-9._@-]{1,64})$")
]
Endpoint = Annotated[str, Field(max_length=512, examples=["https://ims.cn-north-4.myhuaweicloud.com"])]
Tags = Annotated[
    dict[Annotated[str, Field(pattern=f"^{_TAG_KEY}$")], Annotated[str, Field(pattern=f"^{_TAG_VALUE}$")]],
    Field(max_length=10),
]
Tag = Annotated[str, Field(pattern=f"^{_TAG_KEY}(?:[.]{_TAG_VALUE})?$")]


def _unless_given(value: object) -> Any:
    """Say in the schema what an absent key stands for."""
    return Field(json_schema_extra={"default": value})  # type: ignore[dict-item]


@with_config(ConfigDict(use_attribute_docstrings=True, extra="forbid", strict=True))
class PlanTable(TypedDict, total=False):
    """What the plan is called."""

    name: Required[Slug]
    """Names the folder reports/NAME/ and, with each image's key, the marker on what is imported; never change
    it between two runs of the same plan."""

    description: Text
    """Shown in reports."""

    owner: Text
    """Who to ask about the plan; shown in reports."""


@with_config(ConfigDict(use_attribute_docstrings=True, extra="forbid", strict=True))
class TargetTable(TypedDict, total=False):
    """One project in one region: where images are imported to."""

    region: Required[Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,63}$", examples=["cn-north-4"])]]
    """Region id. One that is not known is accepted when all three endpoints are given."""

    project_id: ProjectId
    """32 hex digits; looked up by the region's name when absent."""

    credentials: Annotated[Credentials, _unless_given("env")]
    """Where to find access keys: "env", "env:PREFIX", "profile:NAME" or "metadata". Never a secret itself."""

    ims_endpoint: Endpoint
    """Base URL of the image service, when it is not https://ims.REGION.myhuaweicloud.com."""

    iam_endpoint: Endpoint
    """Base URL of the identity service, when it is not the region's usual one."""

    obs_endpoint: Endpoint
    """Base URL of the object storage, when it is not https://obs.REGION.myhuaweicloud.com."""

    job_api: Annotated[Literal["auto", "progress", "status"], _unless_given("auto")]
    """Which of the two job queries to ask; "auto" starts with progress and falls back on status."""

    limits: Limits
    """What differs from [limits] for this target."""


Time = Annotated[AwareDatetime, Field(strict=True, examples=["2026-12-01T20:00:00+08:00"])]
"""A date and time with its zone, without quotes."""


@with_config(ConfigDict(use_attribute_docstrings=True, extra="forbid", strict=True))
class WaveTable(TypedDict, total=False):
    """Images that go together, in their turn. An image that names no wave is in the last one."""

    name: Required[Slug]
    """What images and --wave call it."""

    not_before: Time
    """Nothing of it is submitted earlier."""

    not_after: Time
    """Nothing of it is submitted later; what already runs goes on."""

    proceed: Portion
    """How many of its images must have succeeded before the next wave begins: a count, or a percentage of all
    its images. When absent, the next one begins when this one is finished, whatever the outcome."""


@with_config(ConfigDict(use_attribute_docstrings=True, extra="forbid", strict=True))
class ImageTable(TypedDict, total=False):
    """One disk image that lies in OBS and becomes a private image."""

    name: Required[Name]
    """Name in the cloud, unique in its target."""

    target: str
    """Name of the target it goes to; not needed when the plan has only one."""

    image_url: Annotated[ImageUrl, Field(examples=["mig-bucket:images/web-01.zvhd2"])]
    """"BUCKET:KEY" of the RAW or ZVHD2 file in OBS. Either this, or object."""

    bucket: Bucket
    """Bucket that object lies in."""

    object: Annotated[Object, Field(examples=["images/web-01.zvhd2"])]
    """Key of the file in bucket; instead of image_url."""

    min_disk: Annotated[int, Field(ge=1, le=1024)]
    """GB; larger than the disk in the file."""

    type: Annotated[Literal["ECS", "BMS", "DataImage"], _unless_given("ECS")]
    """What it is for: a system disk of an elastic (ECS) or bare metal (BMS) server, or a data disk."""

    os_version: Annotated[OsVersion, Field(examples=["CentOS 7.6 64bit"])]
    """Operating system, spelled as the service lists it. System disks only, and required there."""

    os_type: Literal["Linux", "Windows"]
    """Data disks only, and required there."""

    architecture: Literal["x86", "arm"]
    """System disks only; the service takes x86 when absent."""

    hw_firmware_type: Literal["bios", "uefi"]
    """How it boots. System disks only; arm boots with uefi only."""

    license_type: Literal["platform", "byol"]
    """Licence of a Windows system disk: the platform's, or your own."""

    enterprise_project_id: EnterpriseProjectId
    """"0" for the default enterprise project, or a UUID."""

    description: Description
    """Stored with the image; one line without < and >."""

    tags: Annotated[list[Tag], Field(max_length=10)]
    """Old-style tags, each "key.value". Either this, or image_tags."""

    image_tags: Tags
    """Tags, as a table. At most ten, two of which the marker takes unless policy.marker is "none"."""

    wave: str
    """Name of the wave it goes with; the last one when absent."""

    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000), _unless_given(0)]
    """Higher goes first inside a wave."""

    labels: Annotated[dict[Label, Words], Field(max_length=32)]
    """For reports and for choosing images on the command line; never sent. [defaults] adds to them."""


@with_config(ConfigDict(use_attribute_docstrings=True, extra="forbid", strict=True))
class InventoryTable(TypedDict, total=False):
    """A spreadsheet that lists more images, one in each row. Its first row names keys of an image; further
    columns are headed label.NAME and tag.NAME. An empty cell stands for a key that is not written."""

    file: Required[Annotated[str, Field(pattern=_SPREADSHEET, examples=["dc-east.csv", "dc-east.xlsx"])]]
    """CSV (UTF-8 or GB18030, with commas, semicolons or tabs) or Excel workbook; relative to the plan."""

    sheet: Annotated[str, Field(min_length=1, max_length=31)]
    """Which sheet of a workbook to read; the first when absent."""

    target: str
    """Target of its images, where their rows name none."""

    wave: str
    """Wave of its images, where their rows name none."""


@with_config(ConfigDict(use_attribute_docstrings=True, extra="forbid", strict=True))
class PlanFile(TypedDict, total=False):
    """A migration plan: the disk images to import, and where to."""

    plan: Required[PlanTable]
    targets: Required[Annotated[dict[Slug, TargetTable], Field(min_length=1)]]
    """Where images go, by name: [targets.NAME]."""

    limits: Limits
    """How hard each target may be pressed."""

    retry: Retry
    polling: Polling
    policy: Policy
    waves: list[WaveTable]
    """Which images go first: waves run in this order."""

    defaults: dict[str, Any]
    """What holds for every image that does not say otherwise; tags and labels add to the image's own."""

    images: list[ImageTable]
    """The disk images."""

    inventory: list[InventoryTable]
    """Spreadsheets that list more images."""


def keys_of(form: type) -> dict[str, Any]:
    """Each key of a table as written, with its annotated type."""
    return {key: _bare(kind) for key, kind in get_type_hints(form, include_extras=True).items()}


def _bare(kind: Any) -> Any:
    while getattr(kind, "__origin__", None) is Required:
        kind = kind.__args__[0]
    return kind


IMAGE_KEYS = keys_of(ImageTable)
OWN_KEYS = ("name", "image_url", "object")
"""Keys that each image has to write itself."""

NOT_FOR_DATA = ("os_version", "architecture", "hw_firmware_type", "license_type")
NOT_FOR_SYSTEM = ("os_type",)
_DATA = "DataImage"

DEFAULT_KEYS = {key: kind for key, kind in IMAGE_KEYS.items() if key not in OWN_KEYS}
STRICT = CoreConfig(strict=True)


@cache
def core_of(kind: Any) -> core_schema.CoreSchema:
    """What pydantic-core checks for an annotated type."""
    own = is_dataclass(getattr(kind, "__origin__", kind))  # which has its own configuration
    return TypeAdapter(kind, config=None if own else ConfigDict(strict=True)).core_schema


def validator_of(keys: dict[str, Any], *, required: tuple[str, ...] = ()) -> SchemaValidator:
    """Checks a dict with these keys, and refuses any other."""
    return SchemaValidator(table_of({key: core_of(kind) for key, kind in keys.items()}, required))


def table_of(keys: Mapping[str, core_schema.CoreSchema], required: Collection[str]) -> core_schema.CoreSchema:
    """A dict with these keys and no other, of which some are `required`; nothing in it is converted."""
    fields = {
        key: core_schema.typed_dict_field(schema, required=key in required) for key, schema in keys.items()
    }
    # Without a configuration of its own it would fall back on converting text into numbers.
    return core_schema.typed_dict_schema(fields, extra_behavior="forbid", config=STRICT)


def plan_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a plan file as it is written.

    It knows what one table can know: names of targets, duplicates and operating systems are left to
    `parse_plan`.
    """
    schema = TypeAdapter(PlanFile).json_schema()
    definitions = schema["$defs"]
    for settings in (Limits(), Retry(), Polling(), Policy()):
        properties = definitions[type(settings).__name__]["properties"]
        for key, value in settings.model_dump(mode="json").items():
            properties[key]["default"] = value  # as it is written: "60s", not 60.0
    image = definitions["ImageTable"]
    image["not"] = {"required": ["tags", "image_tags"]}
    defaults = copy.deepcopy(image)
    defaults["description"] = schema["properties"]["defaults"]["description"]
    for key in OWN_KEYS:
        del defaults["properties"][key]
    del defaults["required"]
    definitions["DefaultsTable"] = defaults
    schema["properties"]["defaults"] = {"$ref": "#/$defs/DefaultsTable"}
    image["oneOf"] = [
        {"required": ["image_url"], "properties": {"bucket": False}},
        {"required": ["object"]},
    ]
    image["allOf"] = [
        _when("type", _DATA, dict.fromkeys(NOT_FOR_DATA, False)),
        *(_when("type", kind, dict.fromkeys(NOT_FOR_SYSTEM, False)) for kind in ("ECS", "BMS")),
        _when("architecture", "arm", {"hw_firmware_type": {"const": "uefi"}}),
    ]
    schema["anyOf"] = [
        {"required": [key], "properties": {key: {"minItems": 1}}} for key in ("images", "inventory")
    ]
    _tidy(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Plan of migrator",
        **schema,
    }


def _when(key: str, value: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "if": {"required": [key], "properties": {key: {"const": value}}},
        "then": {"properties": properties},
    }


def _tidy(schema: Any) -> None:
    """Drop the titles that only repeat a key, unfold texts, close tables whose keys have a pattern."""
    if isinstance(schema, dict):
        if isinstance(schema.get("title"), str):
            del schema["title"]
        if isinstance(text := schema.get("description"), str):
            schema["description"] = text.replace("\n", " ")
        if "patternProperties" in schema:
            schema["additionalProperties"] = False
        for part in schema.values():
            _tidy(part)
    elif isinstance(schema, list):
        for part in schema:
            _tidy(part)
