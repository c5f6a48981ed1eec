"""What an import is made of: one row for each key that an image may have in a plan.

Whoever has to know a key walks this table: the plan's schema and checks, the columns of inventories, the body
of the request, the digest, verification, the dry run and the manual (docs/plan-keys.md). An `Image` has an
attribute of the same name for each key, but for those that are resolved into another.
(IMS API reference: "Importing an Image File Quickly", "Image Attributes", "Tag Data Formats".)
"""

from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal

from msgspec import Struct
from pydantic import Field as Rule

from migrator.domain.image import Image, ImageType, Marker
from migrator.domain.object_ref import BUCKET, KEY, LIKELY_BUCKET, LONGEST_BUCKET, SHORTEST_BUCKET
from migrator.domain.text import UNPRINTABLE
from migrator.ims.methods import ALL, ANY_ENDING, METHOD, METHOD_KEYS, ImportMethod

# --- The columns ----------------------------------------------------------------------------------------

Value = Callable[[Image, Marker | None], Any]
"""What an import of an image says for a key; None when it says nothing."""

Compare = Callable[[str, Any, Any], str]
"""How what was found under a key differs from what was asked for, in words; empty when it does not."""


class Absent(Enum):
    """Stands for a value that an answer leaves out."""

    UNKNOWN = "unknown"
    """It may be anything, so it is not held against the image."""


class Sent(Struct, frozen=True, kw_only=True):
    """How a key stands in the body of a request."""

    name: str
    """Of the member, as the API calls it."""

    value: Value | None = None
    """None: the image's own value as it is."""


class Shown(Struct, frozen=True, kw_only=True):
    """How a key shows on the finished image."""

    attribute: str
    """Of CloudImage."""

    value: Value | None = None
    """What is to stand there; None: the image's own value as it is."""

    compare: Compare | None = None
    """None: it is not held against the image, whatever it is."""

    absent: object = Absent.UNKNOWN
    """What the service means when it leaves the attribute out."""


class Field(Struct, frozen=True, kw_only=True):
    """One key of an image."""

    key: str
    """What plans, inventories and `Image` call it."""

    rule: Any
    """What it may hold: an annotated type, as pydantic checks it."""

    meaning: str
    """Its description in the plan's schema and in the manual."""

    example: object
    """A value as a plan would have it."""

    unfit: tuple[str, str] | None = None
    """For a pattern of its own: what is wrong with a text that does not match it, and what would be right."""

    default: object = None
    """What an absent key stands for; None for nothing."""

    kinds: frozenset[ImageType] = frozenset(ImageType)
    """Kinds of disk that take it."""

    usual: frozenset[ImageType] | None = None
    """Kinds that need it if it is required, and take it from [defaults]; None: all that take it."""

    required: bool = False
    """Those need it, once defaults are merged."""

    own: bool = False
    """Each image writes its own; [defaults] cannot."""

    resolved: str | None = None
    """The key that it ends up in."""

    column: str | None = None
    """It takes many values, and its columns in an inventory are headed label.NAME or tag.NAME; this is their
    first word. None: it has one column, headed by the key."""

    listed: bool = False
    """It holds several texts; a cell holds them with a space between two."""

    varied: bool = False
    """Its text differs from row to row of an inventory; that of all others is kept once."""

    no_date: bool = False
    """A date would pass for it, but a cell that holds one was meant otherwise."""

    sent: Sent | None = None
    """None: it is for us alone."""

    shown: Shown | None = None
    """None: the finished image does not tell."""

    @property
    def is_number(self) -> bool:
        """It holds a whole number."""
        return _bare(self.rule) is int

    @property
    def is_flag(self) -> bool:
        """It is true or false."""
        return _bare(self.rule) is bool

    @property
    def is_table(self) -> bool:
        """It holds texts by name."""
        return getattr(_bare(self.rule), "__origin__", None) is dict


def _bare(rule: Any) -> Any:
    return rule.__origin__ if hasattr(rule, "__metadata__") else rule


# --- Rules ----------------------------------------------------------------------------------------------

CHINESE = "〇㐀-䶿一-鿿"
"""The Chinese characters in names and tags (IMS API reference, image attributes and image tags)."""

_NAMED = f"[A-Za-z0-9._{CHINESE}-]"
_TAG_KEY = f"[A-Za-z0-9_{CHINESE}-]{{1,36}}"
_TAG_VALUE = f"[A-Za-z0-9._{CHINESE}-]{{0,43}}"
_UUID = "[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"

Name = Annotated[str, Rule(min_length=1, max_length=128, pattern=f"^{_NAMED}(?:[ {_NAMED[1:]}*{_NAMED})?$")]
Description = Annotated[str, Rule(max_length=1024, pattern=f"^[^<>{UNPRINTABLE}]*$")]
Bucket = Annotated[str, Rule(min_length=SHORTEST_BUCKET, max_length=LONGEST_BUCKET, pattern=f"^{BUCKET}$")]
Object = Annotated[str, Rule(pattern=f"^{KEY}{ANY_ENDING}$")]
ImageUrl = Annotated[str, Rule(pattern=f"^{LIKELY_BUCKET}:{KEY}{ANY_ENDING}$")]
OsVersion = Annotated[str, Rule(min_length=1, max_length=255, pattern=f"^[^{UNPRINTABLE}]*$")]
EnterpriseProjectId = Annotated[str, Rule(pattern=f"^(?:0|{_UUID})$")]
Tag = Annotated[str, Rule(pattern=f"^{_TAG_KEY}(?:[.]{_TAG_VALUE})?$")]
Tags = Annotated[
    dict[Annotated[str, Rule(pattern=f"^{_TAG_KEY}$")], Annotated[str, Rule(pattern=f"^{_TAG_VALUE}$")]],
    Rule(max_length=10),
]
ProjectId = Annotated[str, Rule(pattern="^[0-9a-fA-F]{32}$")]
KeyId = Annotated[str, Rule(pattern=f"^{_UUID}$")]
Megabytes = Annotated[int, Rule(ge=0, le=16_777_216)]
_Label = Annotated[str, Rule(min_length=1, max_length=64, pattern=f"^[^{UNPRINTABLE}]*$")]
_LabelText = Annotated[str, Rule(max_length=256, pattern=f"^[^{UNPRINTABLE}]*$")]

_NO_TAG = (
    "is not a tag",
    'a key has 1 to 36 letters, digits, Chinese, "_" or "-"; a value up to 43 of those or "."',
)

# --- Values and comparisons -----------------------------------------------------------------------------

_ENVIRONMENTS = {ImageType.ECS: "FusionCompute", ImageType.BMS: "Ironic", ImageType.DATA: "DataImage"}


def _all_tags(image: Image, marker: Marker | None) -> dict[str, str]:
    return {**image.own_tags, **(marker.tags if marker else {})}


# The two ways to write tags exclude each other in one request; the marker goes with the one that is used.


def _old_tags_sent(image: Image, marker: Marker | None) -> list[str] | None:
    if image.tags is None:
        return None
    return [*image.tags, *(f"{key}.{value}" for key, value in (marker.tags if marker else {}).items())]


def _old_tags_shown(image: Image, marker: Marker | None) -> dict[str, str] | None:
    return None if image.tags is None else _all_tags(image, marker)


def _tags_sent(image: Image, marker: Marker | None) -> list[dict[str, str]] | None:
    tags = _tags_shown(image, marker) or {}
    return [{"key": key, "value": value} for key, value in tags.items()] or None


def _tags_shown(image: Image, marker: Marker | None) -> dict[str, str] | None:
    return _all_tags(image, marker) or None if image.tags is None else None


def _os_type_sent(image: Image, marker: Marker | None) -> str | None:
    return image.os_type or ("Linux" if image.type is ImageType.DATA else None)


def _same(key: str, asked: object, found: object) -> str:
    return "" if found == asked else f"{key} is {found!r}, not {asked!r}"


def _borne(key: str, asked: Mapping[str, str], found: Mapping[str, str]) -> str:
    """Somebody may have added tags since, so only what is missing counts."""
    missing = sorted(f"{name}={value}" for name, value in asked.items() if found.get(name) != value)
    return f"tags are missing: {', '.join(missing)}" if missing else ""


# --- The table ------------------------------------------------------------------------------------------

_SYSTEM = frozenset({ImageType.ECS, ImageType.BMS})
_DATA = frozenset({ImageType.DATA})

FIELDS: tuple[Field, ...] = (
    Field(
        key="name",
        rule=Name,
        meaning="Name in the cloud, unique in its target.",
        example="web-01",
        unfit=(
            "holds a character that an image name cannot have",
            'use letters, digits, Chinese, "-", "_", "." and spaces, with no space at either end',
        ),
        required=True,
        own=True,
        varied=True,
        no_date=True,
        sent=Sent(name="name"),
        shown=Shown(attribute="name", compare=_same),
    ),
    Field(
        key="target",
        rule=str,
        meaning="Name of the target it goes to; not needed when the plan has only one.",
        example="north",
        required=True,
    ),
    Field(
        key="image_url",
        rule=ImageUrl,
        meaning='"BUCKET:KEY" of the file in OBS. Either this, or object.',
        example=f"mig-bucket:{METHOD.example('images/web-01')}",
        required=True,
        own=True,
        varied=True,
        sent=Sent(name="image_url"),
        shown=Shown(attribute="data_origin", value=lambda image, _: f"file,{image.image_url}", compare=_same),
    ),
    Field(
        key="bucket",
        rule=Bucket,
        meaning="Bucket that object lies in.",
        example="mig-bucket",
        unfit=(
            "is not the name of a bucket",
            'it has 3 to 63 of a-z, 0-9, "-" and ".", as the OBS console shows it',
        ),
        no_date=True,
        resolved="image_url",
    ),
    Field(
        key="object",
        rule=Object,
        meaning="Key of the file in bucket; instead of image_url.",
        example=METHOD.example("images/web-01"),
        own=True,
        varied=True,
        resolved="image_url",
    ),
    Field(
        key="method",
        rule=Literal[METHOD_KEYS],
        meaning='How it goes in: "quick", "normal", or "auto", which decides by what the file is.',
        example="auto",
        default="quick",
    ),
    Field(
        key="min_disk",
        rule=Annotated[int, Rule(ge=1, le=max(method.largest_disk for method in ALL))],
        meaning="GB; larger than the disk in the file. Each method has bounds of its own.",
        example=60,
        required=True,
        sent=Sent(name="min_disk"),
        shown=Shown(attribute="min_disk", compare=_same),
    ),
    Field(
        key="type",
        rule=Literal["ECS", "BMS", "DataImage"],
        meaning="What it is for: a system disk of an elastic (ECS) or bare metal (BMS) server, or a data "
        "disk.",
        example="ECS",
        default="ECS",
        sent=Sent(name="type", value=lambda image, _: image.type.value),
        shown=Shown(
            attribute="virtual_env_type", value=lambda image, _: _ENVIRONMENTS[image.type], compare=_same
        ),
    ),
    Field(
        key="os_version",
        rule=OsVersion,
        meaning="Operating system, spelled as the service lists it. System disks only, and required there by "
        "the usual method; by the normal one the service reads it from the file.",
        example="CentOS 7.6 64bit",
        kinds=_SYSTEM,
        required=True,
        no_date=True,
        sent=Sent(name="os_version"),
        shown=Shown(attribute="os_version", compare=_same),
    ),
    Field(
        key="os_type",
        rule=Literal["Linux", "Windows", "Other"],
        meaning='Required of data disks, "Linux" or "Windows". A system disk may have one by normal import '
        "only, and does not take that of [defaults].",
        example="Linux",
        usual=_DATA,
        required=True,
        # Always sent for a data disk: the oldest reference requires it, newer ones take Linux for granted.
        sent=Sent(name="os_type", value=_os_type_sent),
        shown=Shown(attribute="os_type", value=_os_type_sent, compare=_same),
    ),
    Field(
        key="architecture",
        rule=Literal["x86", "arm"],
        meaning="System disks only; the service takes x86 when absent.",
        example="x86",
        kinds=_SYSTEM,
        sent=Sent(name="architecture"),
        shown=Shown(attribute="architecture", compare=_same),
    ),
    Field(
        key="hw_firmware_type",
        rule=Literal["bios", "uefi"],
        meaning="How it boots. System disks only; arm boots with uefi only.",
        example="uefi",
        kinds=_SYSTEM,
        sent=Sent(name="hw_firmware_type"),
        shown=Shown(attribute="hw_firmware_type", compare=_same, absent="bios"),
    ),
    Field(
        key="license_type",
        rule=Literal["platform", "byol"],
        meaning="Licence of a Windows system disk: the platform's, or your own.",
        example="byol",
        kinds=_SYSTEM,
        sent=Sent(name="license_type"),
    ),
    Field(
        key="is_config",
        rule=bool,
        meaning="Normal import of system disks only: whether the service prepares the system in the file.",
        example=True,
        kinds=_SYSTEM,
        sent=Sent(name="is_config"),
    ),
    Field(
        key="cmk_id",
        rule=KeyId,
        meaning="Normal import only, and not for BMS: the KMS key with which the image is encrypted.",
        example="9c2f1f5c-6e38-4f3a-9d7a-0e6b1f0c2d11",
        unfit=("is not the id of a KMS key", "write its UUID, as the KMS console shows it"),
        sent=Sent(name="cmk_id"),
        shown=Shown(attribute="cmk_id", compare=_same),
    ),
    Field(
        key="min_ram",
        rule=Megabytes,
        meaning="Normal import of system disks only: MB that a server needs at least; 0 is no limit.",
        example=2048,
        kinds=_SYSTEM,
        sent=Sent(name="min_ram"),
        shown=Shown(attribute="min_ram", compare=_same),
    ),
    Field(
        key="max_ram",
        rule=Megabytes,
        meaning="Normal import of system disks only: MB that a server may have at most; 0 is no limit.",
        example=65536,
        kinds=_SYSTEM,
        sent=Sent(name="max_ram"),
        shown=Shown(attribute="max_ram", compare=_same),
    ),
    Field(
        key="enterprise_project_id",
        rule=EnterpriseProjectId,
        meaning='"0" for the default enterprise project, or a UUID.',
        example="0",
        unfit=("is not the id of an enterprise project", 'write "0" for the default one, or its UUID'),
        sent=Sent(name="enterprise_project_id"),
        shown=Shown(attribute="enterprise_project_id", compare=_same, absent="0"),
    ),
    Field(
        key="description",
        rule=Description,
        meaning="Stored with the image; one line without < and >.",
        example="Moved from the east data centre",
        unfit=("holds a line break, a control character, < or >", "keep it to one line without them"),
        varied=True,
        sent=Sent(name="description"),
        shown=Shown(attribute="description", compare=_same, absent=""),
    ),
    Field(
        key="tags",
        rule=Annotated[list[Tag], Rule(max_length=10)],
        meaning='Old-style tags, each "key.value". Either this, or image_tags.',
        example=["app.shop", "env.prod"],
        unfit=_NO_TAG,
        column="tag",
        sent=Sent(name="tags", value=_old_tags_sent),
        shown=Shown(attribute="tags", value=_old_tags_shown, compare=_borne, absent={}),
    ),
    Field(
        key="image_tags",
        rule=Tags,
        meaning="Tags, as a table. At most ten, two of which the marker takes unless policy.marker is "
        '"none".',
        example={"app": "shop", "env": "prod"},
        unfit=_NO_TAG,
        column="tag",
        sent=Sent(name="image_tags", value=_tags_sent),
        shown=Shown(attribute="tags", value=_tags_shown, compare=_borne, absent={}),
    ),
    Field(
        key="share_with",
        rule=Annotated[list[ProjectId], Rule(max_length=128)],
        meaning="Ids of projects of the same region that may use the image once it is there. In an inventory "
        "with a space between two.",
        example=["1123456789abcdef0123456789abcdef"],
        unfit=("is not a project id", "it has 32 hex digits, as the console shows it"),
        default=[],
        listed=True,
    ),
    Field(
        key="copy_to",
        rule=Annotated[list[str], Rule(max_length=16)],
        meaning="Targets in other regions that get a copy once it is there: to 128 GB, not encrypted. In an "
        "inventory with a space between two.",
        example=["south"],
        default=[],
        listed=True,
    ),
    Field(
        key="wave",
        rule=str,
        meaning="Name of the wave it goes with; the last one when absent.",
        example="pilot",
    ),
    Field(
        key="priority",
        rule=Annotated[int, Rule(ge=-1_000_000, le=1_000_000)],
        meaning="Higher goes first inside a wave.",
        example=10,
        default=0,
    ),
    Field(
        key="labels",
        rule=Annotated[dict[_Label, _LabelText], Rule(max_length=32)],
        meaning="For reports and for choosing images on the command line; never sent. [defaults] adds to "
        "them.",
        example={"owner": "li.wei", "rack": "A12"},
        column="label",
    ),
)
"""In the order in which the manual lists them."""

# --- Walks ----------------------------------------------------------------------------------------------


@cache
def sent_members(method: ImportMethod, kind: ImageType) -> tuple[tuple[str, Value], ...]:
    """The members of a request to import a disk of this kind: their names, and what each says."""
    left_out = method.refused | method.unsent
    return tuple(
        (field.sent.name, field.sent.value or _value_of(field.key))
        for field in FIELDS
        if field.sent is not None and field.key not in left_out and kind in field.kinds
    )


@cache
def shown_attributes() -> tuple[tuple[str, Shown, Value], ...]:
    """What can be read off the finished image: key, place, and what is to stand there."""
    return tuple(
        (field.key, field.shown, field.shown.value or _value_of(field.key))
        for field in FIELDS
        if field.shown is not None
    )


def _value_of(key: str) -> Value:
    return lambda image, _: getattr(image, key)
