"""Which attributes of an image can be changed, and to what."""

import json
from typing import Any

import pytest

from tests.simulator.callers import Caller, error


def finished(**fields: Any) -> tuple[Caller, str]:
    """One image that is active, and its id."""
    caller = Caller(job_spread="fixed", job_seconds=10)
    caller.job_id("old", **fields)
    caller.now += 20
    return caller, str(caller.get("/v2/cloudimages")["images"][0]["id"])


def patched(caller: Caller, image_id: str, op: str, name: str, value: Any = None) -> Any:
    step = {"op": op, "path": f"/{name}"} | ({} if value is None else {"value": value})
    return caller.call("PATCH", f"/v2/cloudimages/{image_id}", body=[step])


def test_an_active_image_can_be_patched_and_a_running_one_cannot():
    caller = Caller(job_spread="fixed", job_seconds=10)
    caller.job_id("old")
    image_id = caller.get("/v2/cloudimages")["images"][0]["id"]

    assert error(patched(caller, image_id, "replace", "name", "new")) == "IMG.0105"
    caller.now += 20
    assert json.loads(patched(caller, image_id, "replace", "name", "new").body)["name"] == "new"
    assert caller.names(("name", "new")) == ["new"]
    assert caller.names(("name", "old")) == []
    assert error(patched(caller, image_id, "replace", "__support_amd", "true")) == "IMG.0035"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("__description", "wave 3", "wave 3"),
        ("__support_kvm", "true", "true"),
        ("__is_config_init", "true", "true"),
        ("hw_firmware_type", "uefi", "uefi"),
        ("hw_vif_multiqueue_enabled", "true", "true"),
        ("min_ram", 1024, 1024),
        ("min_ram", "1024", 1024),
        ("max_ram", "4096", "4096"),
        ("enterprise_project_id", "4cc1f86a-1111-4222-8333-32bcece2d7ec", None),
        ("colour_of_ours", "blue", "blue"),
    ],
)
def test_every_documented_attribute_can_be_changed_and_one_of_our_own_added(name, value, shown):
    caller, image_id = finished()

    reply = patched(caller, image_id, "add", name, value)

    assert reply.status == 200, reply.body
    (image,) = caller.get("/v2/cloudimages")["images"]
    assert image[name] == (value if shown is None else shown)


@pytest.mark.parametrize(
    "name",
    [
        "id",
        "status",
        "owner",
        "min_disk",
        "protected",
        "tags",
        "visibility",
        "created_at",
        "size",
        "disk_format",
        "__os_version",
        "__image_size",
        "__data_origin",
    ],
)
@pytest.mark.parametrize("op", ["add", "replace", "remove"])
def test_what_only_the_service_writes_cannot_be_changed(name, op):
    caller, image_id = finished()
    before = caller.get("/v2/cloudimages")

    assert error(patched(caller, image_id, op, name, "x")) == "IMG.0105"
    assert caller.get("/v2/cloudimages") == before


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("name", "web/01", "IMG.0003"),
        ("__description", "<b>", "IMG.0054"),
        ("hw_firmware_type", "efi", "IMG.0141"),
        ("min_ram", "much", "IMG.0055"),
        ("enterprise_project_id", "mine", "IMG.0155"),
        ("__support_kvm", True, "IMG.0001"),
        ("name", None, "IMG.0001"),
        ("tags/0", "x", "IMG.0001"),
    ],
)
def test_a_value_that_an_attribute_cannot_have_is_refused(name, value, code):
    caller, image_id = finished()

    assert error(patched(caller, image_id, "replace", name, value)) == code


def test_a_name_stays_and_a_firmware_can_be_taken_away():
    caller, image_id = finished(hw_firmware_type="uefi")

    assert error(patched(caller, image_id, "remove", "name")) == "IMG.0105"
    assert "hw_firmware_type" not in json.loads(patched(caller, image_id, "remove", "hw_firmware_type").body)


def test_an_image_of_another_enterprise_project_is_found_there():
    caller, image_id = finished()
    other = "4cc1f86a-1111-4222-8333-32bcece2d7ec"
    patched(caller, image_id, "replace", "enterprise_project_id", other)

    assert caller.names(("enterprise_project_id", other)) == ["old"]
    assert caller.names(("enterprise_project_id", "0")) == []
