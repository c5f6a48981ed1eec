"""The stand-in takes whatever an import may send, by rules of its own.

It knows nothing of the table of fields, so here the two are held against each other: a key that the program
sends and the stand-in has never heard of would be rehearsed by nobody.
"""

from typing import Any

import pytest
from msgspec.structs import replace

from migrator.domain.image import Image, ImageType, Marker
from migrator.domain.object_ref import ObjectRef
from migrator.ims.client import submit_body
from migrator.ims.fields import Field
from migrator.ims.methods import ALL, METHOD, ImportMethod
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


def imported(body: dict[str, Any], method: ImportMethod) -> int:
    """How the stand-in answers a request to import."""
    return Caller().call("POST", method.path, body=body).status


def a_body(field: Field, method: ImportMethod) -> dict[str, Any]:
    kind = min(method.kinds - ({ImageType.BMS} if field.key == "cmk_id" else set()))
    plain = replace(DATA if kind is ImageType.DATA else WEB, method=method.key)
    return submit_body(replace(image_with(field, kind, plain), method=method.key), None)


@pytest.mark.parametrize("method", ALL, ids=lambda method: f"{method.key} {max(method.kinds)}")
@by_key(SENT)
def test_every_key_that_is_sent_is_taken(field: Field, method: ImportMethod):
    assert imported(a_body(field, method), method) == 200


@pytest.mark.parametrize("method", ALL, ids=lambda method: f"{method.key} {max(method.kinds)}")
@by_key(SENT)
def test_every_key_that_is_sent_has_a_rule_in_the_stand_in(field: Field, method: ImportMethod):
    assert field.sent is not None
    body = a_body(field, method)
    if field.sent.name not in body:
        return

    assert imported({**body, field.sent.name: NOTHING_KNOWN}, method) == 400


def test_a_key_without_a_rule_would_be_found():
    body = submit_body(WEB, Marker(plan="dc-east", item="abc"))

    assert imported({**body, "nobody_documented": NOTHING_KNOWN}, METHOD) == 200
