"""The stand-in takes whatever an import may send, by rules of its own.

It knows nothing of the table of fields, so here the two are held against each other: a key that the program
sends and the stand-in has never heard of would be rehearsed by nobody.
"""

from typing import Any

import pytest

from migrator.domain.image import Image, ImageType, Marker
from migrator.domain.object_ref import ObjectRef
from migrator.ims.client import submit_body
from migrator.ims.fields import Field
from tests.imports import SENT, by_key, image_with
from tests.simulator.callers import Caller

WEB = Image(
    name="web-01",
    target="north",
    source=ObjectRef.parse("mig-bucket:web-01.zvhd2"),
    min_disk=40,
    os_version="CentOS 7.6 64bit",
)
DATA = Image(
    name="web-01", target="north", source=ObjectRef.parse("mig-bucket:d.raw"), min_disk=40, os_type="Linux"
)
NOTHING_KNOWN = {"no": ["such", "value"]}


def imported(body: dict[str, Any]) -> int:
    """How the stand-in answers a request to import."""
    return Caller().call("POST", "/v2/cloudimages/quickimport/action", body=body).status


def a_body(field: Field, kind: ImageType) -> dict[str, Any]:
    return submit_body(image_with(field, kind, DATA if kind is ImageType.DATA else WEB), None)


@pytest.mark.parametrize("kind", list(ImageType))
@by_key(SENT)
def test_every_key_that_is_sent_is_taken(field: Field, kind: ImageType):
    assert imported(a_body(field, kind)) == 200


@by_key(SENT)
def test_every_key_that_is_sent_has_a_rule_in_the_stand_in(field: Field):
    assert field.sent is not None
    body = a_body(field, next(iter(field.kinds)))

    assert imported({**body, field.sent.name: NOTHING_KNOWN}) == 400


def test_a_key_without_a_rule_would_be_found():
    body = submit_body(WEB, Marker(plan="dc-east", item="abc"))

    assert imported({**body, "nobody_documented": NOTHING_KNOWN}) == 200
