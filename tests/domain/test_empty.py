"""The dict that everybody shares who has nothing: it is like any empty one, and nobody can fill it."""

import msgspec
import pytest

from migrator.domain.empty import EMPTY
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef


@pytest.mark.parametrize(
    "fill",
    [
        lambda: EMPTY.__setitem__("a", 1),
        lambda: EMPTY.update(a=1),
        lambda: EMPTY.setdefault("a", 1),
        lambda: EMPTY.__ior__({"a": 1}),
    ],
)
def test_it_stays_empty(fill):
    with pytest.raises(TypeError):
        fill()

    assert EMPTY == {}


def test_images_without_labels_share_it_and_are_written_without_it():
    image = Image(name="a", target="t", source=ObjectRef.parse("b:a.raw"), min_disk=1)

    text = msgspec.json.encode(image)

    assert image.labels is EMPTY
    assert b"labels" not in text
    assert msgspec.json.decode(text, type=Image, strict=False).labels is EMPTY
