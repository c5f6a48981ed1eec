"""Whether an image is what the plan asked for."""

from typing import Any

import pytest
from msgspec.structs import replace

from migrator.domain.cloud import CloudImage
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.ims.fields import FIELDS, Field, Shown
from migrator.workflow.resume import marker
from migrator.workflow.verify import mismatches, uncompared
from tests.imports import by_key, image_with

WEB = Image(
    name="web-01",
    target="north",
    source=ObjectRef.parse("b:web-01.zvhd2"),
    min_disk=40,
    os_version="CentOS 7.6 64bit",
    architecture="x86",
    image_tags={"app": "shop"},
)
MARKER = marker("dc-east", WEB.key)
SAME: dict[str, Any] = {
    "id": "i-1",
    "name": "web-01",
    "status": "active",
    "tags": {"app": "shop", **MARKER.tags},
    "min_disk": 40,
    "os_version": "CentOS 7.6 64bit",
    "architecture": "x86",
    "virtual_env_type": "FusionCompute",
    "size": 5,
}


def wrong(**changes: object) -> list[str]:
    return mismatches(WEB, MARKER, CloudImage(**{**SAME, **changes}))


def test_an_image_as_asked_has_no_differences():
    assert wrong() == []


def test_what_the_service_does_not_say_is_not_held_against_the_image():
    silent = dict.fromkeys(("min_disk", "os_version", "architecture", "virtual_env_type", "size"))

    assert wrong(**silent) == []


def test_what_could_not_be_compared_is_named():
    silent = dict.fromkeys(("min_disk", "os_version"))

    assert uncompared(WEB, MARKER, CloudImage(**{**SAME, **silent})) == (
        "image_url",
        "min_disk",
        "os_version",
    )


@pytest.mark.parametrize(
    ("asked", "untold"),
    [
        pytest.param({"hw_firmware_type": "uefi"}, {}, id="no firmware is bios"),
        pytest.param(
            {"enterprise_project_id": "a-project"}, {}, id="no enterprise project is the default one"
        ),
        pytest.param({"description": "ours"}, {}, id="no description is none"),
        pytest.param({}, {"tags": {}}, id="no tags are none"),
    ],
)
def test_an_absent_attribute_means_what_the_service_documents(asked, untold):
    image = replace(WEB, **asked)

    assert mismatches(image, MARKER, CloudImage(**{**SAME, **untold}))
    plain = replace(WEB, hw_firmware_type="bios", enterprise_project_id="0")
    assert mismatches(plain, MARKER, CloudImage(**SAME)) == []


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({"status": ""}, "status is not told, not 'active'", id="no status"),
        pytest.param({"data_origin": "file,b:other.zvhd2"}, "image_url is", id="another source"),
        pytest.param({"status": "saving"}, "status is 'saving', not 'active'", id="unfinished"),
        pytest.param({"min_disk": 20}, "min_disk is 20, not 40", id="disk"),
        pytest.param({"os_version": "Debian"}, "os_version is 'Debian'", id="os"),
        pytest.param({"architecture": "arm"}, "architecture is 'arm'", id="architecture"),
        pytest.param({"virtual_env_type": "DataImage"}, "type is 'DataImage'", id="kind"),
        pytest.param({"size": 0}, "its size is 0 bytes", id="empty"),
        pytest.param({"tags": MARKER.tags}, "tags are missing: app=shop", id="tag"),
        pytest.param({"tags": {"app": "shop"}}, "tags are missing: migrator_item=", id="marker"),
    ],
)
def test_each_difference_is_named_with_both_values(changes, text):
    (said,) = wrong(**changes)

    assert text in said


COMPARED = [field for field in FIELDS if field.shown is not None and field.shown.compare is not None]


@by_key(COMPARED)
def test_whatever_the_table_compares_is_told_when_it_comes_out_otherwise(field: Field):
    assert field.shown is not None
    image = image_with(field, next(iter(field.kinds)))
    otherwise: dict[str, Any] = {"id": "i-1", "name": image.name, "status": "active"}
    otherwise[field.shown.attribute] = {"other": ""} if field.shown.attribute == "tags" else "otherwise"

    (said,) = mismatches(image, None, CloudImage(**otherwise))

    assert said.startswith("tags are missing: " if field.shown.attribute == "tags" else f"{field.key} is ")


@pytest.mark.parametrize(
    ("asked", "expected"), [("bios", []), ("uefi", ["hw_firmware_type is 'bios', not 'uefi'"]), (None, [])]
)
def test_an_absent_attribute_is_taken_for_what_the_table_says_that_it_means(monkeypatch, asked, expected):
    [row] = [field for field in FIELDS if field.key == "hw_firmware_type"]
    assert row.shown is not None
    bios = Shown(attribute="hw_firmware_type", compare=row.shown.compare, absent="bios")
    rows = [(row.key, bios, lambda image, _: image.hw_firmware_type)]
    monkeypatch.setattr("migrator.workflow.verify.shown_attributes", lambda: rows)

    assert mismatches(replace(WEB, hw_firmware_type=asked), MARKER, CloudImage(**SAME)) == expected
