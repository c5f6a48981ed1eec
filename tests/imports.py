"""Imports made to order, one for each row of the table of fields."""

from collections.abc import Iterable

import pytest
from msgspec.structs import replace

from migrator.domain.image import Image, ImageType
from migrator.domain.object_ref import ObjectRef
from migrator.ims.fields import FIELDS, Field

SENT = [field for field in FIELDS if field.sent is not None]

_PLAIN = Image(name="plain", target="there", source=ObjectRef("mig-bucket", "plain.zvhd2"), min_disk=41)


def by_key(fields: Iterable[Field]) -> pytest.MarkDecorator:
    """A test for each of the `fields`."""
    return pytest.mark.parametrize("field", [pytest.param(field, id=field.key) for field in fields])


def with_key(image: Image, field: Field) -> Image:
    """The image with the example of this key."""
    match field.key, field.example:
        case "image_url", str(address):
            return replace(image, source=ObjectRef.parse(address))
        case "type", str(kind):
            return replace(image, type=ImageType(kind))
        case key, list(many):
            return replace(image, **{key: tuple(many)})
        case key, example:
            return replace(image, **{key: example})
    raise AssertionError(field.key)


def image_with(field: Field, kind: ImageType, plain: Image = _PLAIN) -> Image:
    """A disk of a kind that is plain but for this key."""
    return replace(with_key(plain, field), type=kind)
