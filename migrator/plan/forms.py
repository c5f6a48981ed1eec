"""The tables of a plan as they are written: their keys, what each may hold, and the JSON Schema of it all.

A table as written is a dict in which keys may be missing. The text under a key is its description in the
schema; `migrator.domain` holds what becomes of the tables once defaults are merged and every rule is checked.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, Required, get_type_hints

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, with_config
from pydantic_core import CoreConfig, SchemaValidator, core_schema
from typing_extensions import TypedDict

from migrator.domain.image import ImageType
from migrator.domain.plan import Limits, Policy, Polling, Retry
from migrator.domain.text import SLUG
from migrator.domain.text import UNPRINTABLE as _UNPRINTABLE
from migrator.domain.units import Duration, ThresholdSetting
from migrator.ims import fields
from migrator.ims.fields import FIELDS
from migrator.plan.attribute_docs import attribute_docs

_SPREADSHEET = rf"^[^{_UNPRINTABLE}]*\.(?:[cC][sS][vV]|[xX][lL][sS][xX])$"

Slug = Annotated[str, Field(pattern=f"^{SLUG}$")]

Text = Annotated[str, Field(max_length=1024, pattern=f"^[^{_UNPRINTABLE}]*$")]
"""One line for people to read."""

ProjectId = Annotated[str, Field(pattern="^[0-9a-fA-F]{32}$")]
Credentials = Annotated[
    str, Field(pattern="^(?:env|metadata|env:[A-Za-z_][A-Za-z0-9_]{0,63}|profile:[A-Za-z0-9._@-]{1,64})$")
]
Endpoint = Annotated[str, Field(max_length=512, examples=["https://ims.cn-north-4.myhuaweicloud.com"])]


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

    timezone: Annotated[Text, Field(examples=["Asia/Shanghai"])]
    """The IANA name of the time zone in which reports and terminal tell the time; the machine's when absent.
    JSON and CSV keep UTC."""


@with_config(ConfigDict(use_attribute_docstrings=True, extra="forbid", strict=True))
class TargetTable(TypedDict, total=False):
    """One project in one region: where images are imported to."""

    region: Required[Annotated[str, Field(pattern="^[a-z0-9][a-z0-9-]{0,63}$", examples=["cn-north-4"])]]
    """Region id. One that is not known is accepted when all three endpoints are given."""

    cloud: Annotated[Literal["huawei", "otc"], Field(examples=["otc"])]
    """Which cloud it is in, where the region does not tell: "huawei" or "otc" (Open Telekom Cloud). Others of
    the same API, such as a private Huawei Cloud Stack, are reached by their three endpoints."""

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

    agency: Annotated[Text, Field(examples=["ims_admin_agency"])]
    """The IAM agency that may copy images to this target; needed where images have copy_to = ["NAME"]."""

    project_name: Annotated[Text, Field(examples=["cn-north-4_project"])]
    """The project's name where it is not the region's, such as "eu-de_test" in Open Telekom Cloud: it is
    looked up, and images are copied to it, by this name."""

    kms_endpoint: Endpoint
    """Base URL of the key service, when it is not https://kms.REGION.myhuaweicloud.com; keys of images with
    cmk_id are asked about there."""

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

    proceed: ThresholdSetting
    """How many of its images must have succeeded before the next wave begins: a count, or a percentage of all
    its images. When absent, the next one begins when this one is finished, whatever the outcome."""


Variable = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]{0,127}$")]
"""The name of a variable of the environment."""

NotifyEvent = Literal["begin", "wave", "failed-threshold", "stalled", "held", "end"]


@with_config(ConfigDict(use_attribute_docstrings=True, extra="forbid", strict=True))
class NotifyTable(TypedDict, total=False):
    """Who is told of what: by a webhook (url_env), a command (exec) or through Apprise (apprise_env)."""

    name: Slug
    """What journal and reports call the receiver; needed where two would be called the same. What is still
    owed to it is lost when it changes. When absent: the variable, or the command."""

    on: Required[Annotated[list[NotifyEvent], Field(min_length=1)]]
    """Of what: a run began, a wave is finished, too many images failed, nothing came further for a while,
    images wait for a person, a run ended."""

    after: Annotated[Duration, _unless_given("30m")]
    """For "stalled": how long without progress."""

    url_env: Annotated[Variable, Field(examples=["OPS_WEBHOOK_URL"])]
    """Variable of the environment with the address of a webhook: it gets the event as JSON, by POST. The
    address itself is a secret, and never stands in a plan."""

    secret_env: Annotated[Variable, Field(examples=["OPS_WEBHOOK_SECRET"])]
    """Variable with the secret that its requests are signed with, so that the receiver can tell them from
    others and from repeated ones."""

    exec: Annotated[
        list[Annotated[str, Field(max_length=1024, pattern="^[^\\x00]*$")]],
        Field(min_length=1, max_length=64, examples=[["/usr/local/bin/page", "--team", "ops"]]),
    ]
    """A command and its arguments, run without a shell: it gets the event as JSON on stdin."""

    apprise_env: Annotated[Variable, Field(examples=["OPS_APPRISE_URLS"])]
    """Variable with one or more addresses of e-mail or chat as Apprise writes them; needs
    `pip install 'migrator[notify]'`."""

    timeout: Annotated[Duration, _unless_given("30s")]
    """Longest time for one delivery, up to 5m; a command is ended then."""


@with_config(ConfigDict(use_attribute_docstrings=True, extra="forbid", strict=True))
class InventoryTable(TypedDict, total=False):
    """A spreadsheet that lists more images, one in each row. Its first row names keys of an image; further
    columns are headed label.NAME and tag.NAME. An empty cell stands for a key that is not written."""

    file: Required[Annotated[str, Field(pattern=_SPREADSHEET, examples=["dc-east.csv", "dc-east.xlsx"])]]
    """CSV (with commas, semicolons or tabs) or Excel workbook; relative to the plan."""

    sheet: Annotated[str, Field(min_length=1, max_length=31)]
    """Which sheet of a workbook to read; the first when absent."""

    encoding: Annotated[str, Field(min_length=1, max_length=31, examples=["windows-1252", "gb18030"])]
    """Of a CSV file that is neither UTF-8 nor UTF-16 with a byte order mark."""

    hidden: Literal["read", "skip"]
    """What becomes of rows and columns of a workbook that are hidden, by hand or by a filter; without it they
    are an error. A hidden sheet is read with "read" alone."""

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

    notify: list[NotifyTable]
    """Who is told of what while a plan runs."""

    defaults: dict[str, Any]
    """What holds for every image that does not say otherwise; tags and labels add to the image's own."""

    images: list[dict[str, Any]]
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


IMAGE_KEYS = {field.key: field.rule for field in FIELDS}
"""Each key of an image, with its annotated type."""

OWN_KEYS = tuple(field.key for field in FIELDS if field.own)
"""Keys that each image has to write itself."""

DEFAULT_KEYS = {key: kind for key, kind in IMAGE_KEYS.items() if key not in OWN_KEYS}


def refused_by(kind: ImageType) -> tuple[str, ...]:
    """Keys that a disk of this kind does not take."""
    return tuple(field.key for field in FIELDS if kind not in field.kinds)


def required_by(kind: ImageType) -> frozenset[str]:
    """Keys that a disk of this kind needs, once defaults are merged."""
    return frozenset(field.key for field in FIELDS if field.required and kind in (field.usual or field.kinds))


def not_inherited_by(kind: ImageType) -> tuple[str, ...]:
    """Keys that a disk of this kind does not take from [defaults]."""
    return tuple(field.key for field in FIELDS if kind not in (field.usual or field.kinds))


NOT_FOR_DATA = refused_by(ImageType.DATA)
NOT_FOR_SYSTEM = refused_by(ImageType.ECS)
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
        keys, texts = definitions[type(settings).__name__]["properties"], attribute_docs(type(settings))
        for key, value in settings.model_dump(mode="json").items():
            # The default as it is written: "60s", not 60.0.
            keys[key] = dict(sorted({**keys[key], "default": value, "description": texts[key]}.items()))
    properties = schema["properties"]
    in_common = _image_table(
        properties["defaults"]["description"], [field for field in FIELDS if not field.own]
    )
    schema["$defs"] = {"ImageTable": _image_schema(), **definitions, "DefaultsTable": in_common}
    properties["defaults"] = {"$ref": "#/$defs/DefaultsTable"}
    properties["images"]["items"] = {"$ref": "#/$defs/ImageTable"}
    schema["anyOf"] = [
        {"required": [key], "properties": {key: {"minItems": 1}}} for key in ("images", "inventory")
    ]
    _tidy(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Plan of migrator",
        **schema,
    }


def _image_schema() -> dict[str, Any]:
    return {
        **_image_table("One disk image that lies in OBS and becomes a private image.", FIELDS),
        "required": ["name"],
        "oneOf": [
            {"required": ["image_url"], "properties": {"bucket": False}},
            {"required": ["object"]},
        ],
        "allOf": [
            *(_when("type", kind, dict.fromkeys(refused_by(kind), False)) for kind in ImageType),
            _when("architecture", "arm", {"hw_firmware_type": {"const": "uefi"}}),
        ],
    }


def _image_table(description: str, rows: Iterable[fields.Field]) -> dict[str, Any]:
    """A table of these keys, of which any may be missing."""
    return {
        "additionalProperties": False,
        "description": description,
        "properties": {field.key: _property(field) for field in rows},
        "type": "object",
        "not": {"required": ["tags", "image_tags"]},
    }


def _property(field: fields.Field) -> dict[str, Any]:
    """What the schema says of one key."""
    rule = TypeAdapter(IMAGE_KEYS[field.key]).json_schema()
    default = {} if field.default is None else {"default": field.default}
    examples = {} if "enum" in rule else {"examples": [field.example]}
    return dict(sorted({"description": field.meaning, **rule, **default, **examples}.items()))


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
