"""Normal imports: what the service takes by them, what it refuses, and what it makes of the file."""

import json
from typing import Any

import pytest

from migrator.simulator.settings import ObjectSettings
from tests.simulator.callers import Caller, error

GIB = 2**30
KEY = "9c2f1f5c-6e38-4f3a-9d7a-0e6b1f0c2d11"
SYSTEM, DATA = "/v2/cloudimages/action", "/v1/cloudimages/dataimages/action"
TWINS = {SYSTEM: "/v2.1/cloudimages/action", DATA: "/v2.1/cloudimages/dataimages/action"}
FORMATS = ("vmdk", "vhd", "qcow2", "raw", "vhdx", "qed", "vdi", "qcow", "zvhd2", "zvhd")


def body(**fields: Any) -> dict[str, Any]:
    least = {"name": "web-01", "image_url": "mig-bucket:web-01.vmdk", "min_disk": 40}
    return {**least, **fields}


def imported(caller: Caller, call: str, **fields: Any) -> Any:
    reply = caller.call("POST", call, body=body(**fields))
    assert reply.status == 200, reply.body
    job_id = json.loads(reply.body)["job_id"]
    caller.now += 10_000
    return caller.job(job_id)


def listed(caller: Caller) -> Any:
    (image,) = caller.get("/v2/cloudimages")["images"]
    return image


@pytest.mark.parametrize("call", [SYSTEM, DATA, *TWINS.values()])
@pytest.mark.parametrize("extension", FORMATS)
def test_each_format_is_taken_by_either_call_and_its_twin(call, extension):
    caller = Caller()

    job = imported(caller, call, image_url=f"mig-bucket:web-01.{extension}")

    assert job["status"] == "SUCCESS"
    (line,) = caller.simulator.accepted["web-01"]
    assert line.method == "normal"


REFUSED = [
    pytest.param(SYSTEM, {"image_url": "mig-bucket:web.iso"}, "IMG.0072", id="an ISO"),
    pytest.param(SYSTEM, {"image_url": "mig-bucket:web-flat.vmdk"}, "IMG.0072", id="the data of a VMDK"),
    pytest.param(SYSTEM, {"image_url": "mig-bucket:web-000001.vmdk"}, "IMG.0072", id="a snapshot"),
    pytest.param(SYSTEM, {"image_url": "mig-bucket:large.vmdk"}, "IMG.0059", id="more than 128 GB"),
    pytest.param(SYSTEM, {"min_disk": 9}, "IMG.0055", id="9 GB for Linux"),
    pytest.param(SYSTEM, {"min_disk": 19, "os_type": "Windows"}, "IMG.0055", id="19 GB for Windows"),
    pytest.param(SYSTEM, {"min_disk": 1025}, "IMG.0111", id="a system disk over 1024 GB"),
    pytest.param(DATA, {"min_disk": 39}, "IMG.0055", id="a data disk of 39 GB"),
    pytest.param(DATA, {"min_disk": 2049}, "IMG.0055", id="a data disk over 2048 GB"),
    pytest.param(DATA, {"os_version": "CentOS 7.6 64bit"}, "IMG.0001", id="a data disk with os_version"),
    pytest.param(DATA, {"type": "DataImage"}, "IMG.0001", id="a data disk with a type"),
    pytest.param(DATA, {"is_config": True}, "IMG.0001", id="a data disk to be configured"),
    pytest.param(DATA, {"os_type": "Other"}, "IMG.0056", id="a data disk of Other"),
    pytest.param(SYSTEM, {"os_type": "Solaris"}, "IMG.0056", id="an os_type nobody knows"),
    pytest.param(SYSTEM, {"os_version": "CentOS 7.6"}, "IMG.0056", id="an os_version nobody knows"),
    pytest.param(SYSTEM, {"type": "DataImage"}, "IMG.0117", id="a data disk by the system's call"),
    pytest.param(SYSTEM, {"type": "IsoImage"}, "IMG.0166", id="an ISO by its type"),
    pytest.param(SYSTEM, {"type": "BMS", "cmk_id": KEY}, "IMG.0118", id="BMS with a key"),
    pytest.param(SYSTEM, {"cmk_id": "gone"}, "IMG.0095", id="a key that is not there"),
    pytest.param(SYSTEM, {"cmk_id": "off"}, "IMG.0097", id="a key that is disabled"),
    pytest.param(SYSTEM, {"is_quick_import": True}, "IMG.0159", id="the fast channel without os_version"),
    pytest.param(
        SYSTEM,
        {"is_quick_import": True, "os_version": "CentOS 7.6 64bit"},
        "IMG.0158",
        id="the fast channel with another format",
    ),
    pytest.param(SYSTEM, {"data_images": [{}] * 4}, "IMG.0194", id="four data disks"),
    pytest.param(SYSTEM, {"data_images": [{}]}, "IMG.0105", id="a data disk beside it"),
    pytest.param(SYSTEM, {"is_config": "yes"}, "IMG.0001", id="is_config in words"),
    pytest.param(SYSTEM, {"min_ram": -1}, "IMG.0055", id="less than no memory"),
]


@pytest.mark.parametrize(("call", "fields", "code"), REFUSED)
def test_a_broken_rule_is_refused_with_its_code_and_never_in_the_ledger(call, fields, code):
    large = {"mig-bucket:large.vmdk": ObjectSettings(size=2**37 + 1)}
    caller = Caller(objects=large, kms_keys={"gone": "missing", "off": "disabled"})

    reply = caller.call("POST", call, body=body(**fields))

    assert (reply.status, error(reply)) == (400, code)
    assert caller.simulator.accepted == {}


def test_the_system_in_the_file_prevails_over_the_one_that_was_named():
    found = {"mig-bucket:web-01.vmdk": ObjectSettings(os_version="Ubuntu 20.04 server 64bit")}
    caller = Caller(objects=found)

    imported(caller, SYSTEM, os_version="CentOS 7.6 64bit")

    assert listed(caller)["__os_version"] == "Ubuntu 20.04 server 64bit"


def test_where_none_is_recognised_the_named_one_stands_and_none_is_needed():
    named, unnamed = Caller(), Caller()

    imported(named, SYSTEM, os_version="CentOS 7.6 64bit")
    imported(unnamed, SYSTEM)

    assert listed(named)["__os_version"] == "CentOS 7.6 64bit"
    assert listed(unnamed)["__os_version"] == ""


def test_a_disk_that_does_not_hold_what_is_in_the_file_fails_its_job():
    caller = Caller(objects={"mig-bucket:web-01.vmdk": ObjectSettings(virtual_gb=60)})

    job = imported(caller, SYSTEM, min_disk=40)

    assert (job["status"], job["error_code"]) == ("FAIL", "IMG.0055")


def test_what_was_asked_shows_on_the_image():
    caller = Caller(data_origin=False)

    imported(caller, SYSTEM, cmk_id=KEY, min_ram=2048, max_ram=4096, is_config=True)

    image = listed(caller)
    assert image["__system__cmkid"] == KEY
    assert (image["min_ram"], image["max_ram"]) == (2048, "4096")
    assert image["__data_origin"] == "file,mig-bucket:web-01.vmdk"


def test_a_normal_import_takes_three_times_as_long_and_shares_the_limit_of_jobs():
    caller = Caller(job_seconds=100.0, job_spread="fixed", max_jobs=2)
    quick = caller.job_id("quick")
    reply = caller.call("POST", SYSTEM, body=body(name="normal"))
    normal = json.loads(reply.body)["job_id"]

    third = caller.call("POST", DATA, body=body(name="third"))
    caller.now += 101

    assert error(third) == "IMG.0060"
    assert (caller.job(quick)["status"], caller.job(normal)["status"]) == ("SUCCESS", "RUNNING")
    caller.now += 200
    assert caller.job(normal)["status"] == "SUCCESS"
