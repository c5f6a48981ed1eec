"""The images as written → Images: defaults merged, targets and addresses resolved, every rule checked.

A plan may hold a hundred thousand of them, so the work goes in three steps: merge the tables as plain dicts
(`merging`), let pydantic-core check and build them all in one call, and hold them against the rules that go
beyond one key (`image_rules`). Texts are made only where something is wrong.
"""

from collections.abc import Collection, Hashable, Mapping
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import SchemaValidator, core_schema

from migrator.domain.image import USUAL, Image, ImageType
from migrator.domain.object_ref import ObjectRef, ref_fault
from migrator.ims.fields import FIELDS, Tag
from migrator.ims.methods import any_format_fault
from migrator.plan.defaults import Defaults
from migrator.plan.forms import (
    IMAGE_KEYS,
    NOT_FOR_DATA,
    NOT_FOR_SYSTEM,
    STRICT,
    core_of,
    required_by,
    table_of,
)
from migrator.plan.image_rules import check_images, images_to_check
from migrator.plan.merging import EXAMPLE_URL, MAX_TAGS, NO_TABLE, merge
from migrator.plan.problems import Faulty, ProblemCollector

_DATA = ImageType.DATA.value


def read_images(
    tables: list[Any],
    defaults: Defaults,
    targets: Collection[str],
    waves: Collection[str],
    *,
    marked: bool,
    faulty: Faulty,
    blamed: Mapping[str, Collection[object]],
    found: ProblemCollector,
) -> list[Image]:
    """The images, or an empty list when any of them is wrong; what is wrong goes to `found`.

    `tables` is used up: each entry is replaced by its merged form. `marked` says that the marker takes two of
    an image's tags. `faulty` are keys that were complained about, and are missing for that reason; `blamed`
    are targets and waves that were, so that the images that inherit them are not.
    """
    merge(tables, defaults, MAX_TAGS - 2 if marked else MAX_TAGS, faulty, found)
    images: list[Image] = []
    try:
        images = _images().validate_python(tables)
    except ValidationError as error:
        _refused(error, tables, faulty, defaults, found)
    check_images(images_to_check(tables, faulty, targets, waves, blamed), found)
    return [] if found.failed else images


# --- What one key may hold ------------------------------------------------------------------------------


@cache
def _images() -> SchemaValidator:
    """Builds the list of Images from merged tables; made when first needed, since that takes a while."""
    system = _builder(NOT_FOR_SYSTEM, required_by(ImageType.ECS))
    data = _builder(NOT_FOR_DATA, required_by(ImageType.DATA))
    unread = _builder(NOT_FOR_SYSTEM, required_by(ImageType.ECS) - {"os_version"})
    kinds: dict[Hashable, core_schema.CoreSchema] = {
        "ECS": system,
        "BMS": system,
        _DATA: data,
        _UNREAD: unread,
    }
    union = core_schema.tagged_union_schema(kinds, discriminator=_kind)
    return SchemaValidator(core_schema.list_schema(union), STRICT)


_UNREAD = "system that the service may read from the file"


def _kind(table: dict[str, Any]) -> str:
    """By which of the forms an image is checked."""
    kind: str = table["type"]
    return kind if kind == _DATA or table.get("method", USUAL) == USUAL else _UNREAD


def _builder(refused: Collection[str], required: Collection[str]) -> core_schema.CoreSchema:
    """Builds an Image from a merged table that must not hold some of the keys."""
    rows = [field for field in FIELDS if field.resolved is None and field.key not in refused]
    keys = {field.key: core_of(field.rule) for field in rows}
    keys["type"] = core_schema.enum_schema(ImageType, list(ImageType), sub_type="str", strict=False)
    for row in rows:
        if row.listed:
            keys[row.key] = core_schema.no_info_after_validator_function(tuple, keys[row.key])
    keys["tags"] = core_schema.tuple_schema([core_of(Tag)], variadic_item_index=0, strict=False)
    return core_schema.no_info_after_validator_function(_image, table_of(keys, required))


def _image(checked: dict[str, Any]) -> Image:
    return Image(source=ObjectRef.parse(checked.pop("image_url")), **checked)


def _refused(
    error: ValidationError, tables: list[Any], faulty: Faulty, defaults: Defaults, found: ProblemCollector
) -> None:
    """Note the errors of the one call, and in `faulty` the keys that have any."""
    for fault in error.errors(include_url=False):
        loc = fault["loc"]
        index, path = loc[0], loc[2:]
        assert isinstance(index, int)
        if tables[index] is NO_TABLE:
            continue
        key = path[0] if path else ""
        where = ("images", index, *path)
        if fault["type"] == "missing" and key in faulty[index]:
            continue
        faulty[index].add(str(key))
        if key in defaults.wrong and _same(tables[index].get(key), defaults.wrong[str(key)]):
            continue
        refused = fault["type"] == "extra_forbidden"
        if refused and key in NOT_FOR_DATA:
            remedy = "take it out; a data disk has os_type only"
            found.error(where, f"does not go with a data disk image (type {_DATA})", remedy)
        elif refused and key in NOT_FOR_SYSTEM:
            found.error(where, "does not go with a system disk image", "take it out")
        elif key == "image_url" and fault["type"] == "string_pattern_mismatch":
            found.error(where, *_address_fault(fault["input"]), value=fault["input"])
        else:
            found.refuse(fault, where, list(IMAGE_KEYS) if len(path) == 1 else ())


def _same(value: object, default: object) -> bool:
    return value is default or (isinstance(value, str) and value == default)


def _address_fault(url: str) -> tuple[str, str]:
    """What is wrong with an image_url that its pattern refuses, and what to do."""
    fault = ref_fault(url, example=EXAMPLE_URL) or any_format_fault(url)
    return fault or ("is not understood", f'write "{EXAMPLE_URL}"')
