"""The table of what an import is made of agrees with the values it speaks of; the example shows it all."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli
from msgspec.structs import replace
from pydantic import ConfigDict, TypeAdapter

from migrator.cli.wiring import load
from migrator.domain.cloud import CloudImage
from migrator.domain.image import Image, ImageType, Marker
from migrator.domain.object_ref import ObjectRef
from migrator.domain.text import UNPRINTABLE
from migrator.ims.client import submit_body
from migrator.ims.fields import FIELDS, Field
from migrator.ims.methods import ALL, ImportMethod
from migrator.plan.forms import IMAGE_KEYS
from tests.imports import SENT, by_key, image_with

FULL = Path(__file__).parent.parent.parent / "plans" / "full.toml"
MARKER = Marker(plan="dc-east", item="abc")


def test_every_key_stands_in_the_table_once():
    assert len({field.key for field in FIELDS}) == len(FIELDS)


def test_an_image_has_every_key_that_is_not_resolved_into_another():
    assert [field.key for field in FIELDS if field.resolved is None and not hasattr(Image, field.key)] == []
    assert {field.resolved for field in FIELDS if field.resolved} == {"image_url"}


@by_key(FIELDS)
def test_what_an_absent_key_stands_for_is_what_an_image_then_has(field: Field):
    plain = Image(name="web-01", target="north", source=ObjectRef.parse("b:a.raw"), min_disk=40)

    if field.resolved is None and not (field.required and field.kinds == frozenset(ImageType)):
        assert (getattr(plain, field.key) or None) == (field.default or None)
    else:
        assert field.default is None


@by_key(FIELDS)
def test_every_example_is_as_the_rule_asks(field: Field):
    config = ConfigDict(strict=True)

    assert TypeAdapter(IMAGE_KEYS[field.key], config=config).validate_python(field.example) == field.example


@by_key(field for field in FIELDS if field.key not in ("image_url", "object"))  # ref_fault speaks for those
def test_a_pattern_that_asks_for_more_than_ordinary_text_says_what_would_be_right(field: Field):
    asked = set(patterns(TypeAdapter(field.rule).json_schema())) - {f"^[^{UNPRINTABLE}]*$"}

    assert (field.unfit is not None) == bool(asked)


def patterns(schema: Any) -> Iterator[str]:
    """Every pattern in a schema, of keys too."""
    if isinstance(schema, dict):
        yield from ([schema["pattern"]] if "pattern" in schema else schema.get("patternProperties", ()))
        for part in schema.values():
            yield from patterns(part)


@pytest.mark.parametrize("method", ALL, ids=lambda method: f"{method.key} {min(method.kinds)}")
@by_key(SENT)
def test_a_request_has_what_its_method_takes_under_the_name_of_the_api(field: Field, method: ImportMethod):
    assert field.sent is not None
    kind = min(method.kinds)

    body = submit_body(replace(image_with(field, kind), method=method.key), None)

    if kind in field.kinds and field.key not in method.refused | method.unsent:
        assert body[field.sent.name] is not None
    else:
        assert field.sent.name not in body


@by_key([field for field in FIELDS if field.sent is None and field.resolved is None])
def test_what_is_for_us_alone_is_never_sent(field: Field):
    plain = Image(name="web-01", target="there", source=ObjectRef.parse("b:a.raw"), min_disk=40)

    other = replace(image_with(field, ImageType.ECS, plain), method=plain.method)
    assert submit_body(other, MARKER) == submit_body(plain, MARKER)


@by_key(FIELDS)
def test_what_shows_on_the_finished_image_can_be_read_there(field: Field):
    assert field.shown is None or field.shown.attribute in CloudImage.__struct_fields__


def test_the_full_example_shows_every_key():
    tables: list[dict[str, Any]] = tomli.loads(FULL.read_text(encoding="utf-8"))["images"]

    assert {key for table in tables for key in table} == {field.key for field in FIELDS}


def test_the_full_example_sends_everything_that_can_be_sent():
    plan, _ = load(FULL)

    sent = {name for image in plan.images for name in submit_body(image, MARKER)}

    assert sent == {field.sent.name for field in FIELDS if field.sent is not None}
