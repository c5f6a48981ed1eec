"""What the service takes in, what it refuses, and what the ledger says of either."""

import json

import pytest

from migrator.simulator.settings import BucketSettings, ObjectSettings
from migrator.simulator.wire import Act
from tests.simulator.callers import Caller, error, wish

GIB = 2**30
DATA = {"type": "DataImage", "os_version": None, "os_type": "Linux"}

REFUSED = [
    pytest.param({"name": None}, "IMG.0013", id="no name"),
    pytest.param({"name": 7}, "IMG.0001", id="a name that is a number"),
    pytest.param({"name": "x" * 129}, "IMG.0002", id="a long name"),
    pytest.param({"name": " web"}, "IMG.0003", id="a name with a space at its end"),
    pytest.param({"name": "web/01"}, "IMG.0003", id="a name with a slash"),
    pytest.param({"description": "x" * 1025}, "IMG.0004", id="a long description"),
    pytest.param({"description": "a\nb"}, "IMG.0054", id="a line feed in the description"),
    pytest.param({"description": "<b>"}, "IMG.0054", id="an angle bracket in the description"),
    pytest.param({"os_version": None}, "IMG.0159", id="a system disk without os_version"),
    pytest.param({"os_version": "CentOS 7.6"}, "IMG.0056", id="an os_version nobody knows"),
    pytest.param({**DATA, "os_type": "Solaris"}, "IMG.0056", id="an os_type nobody knows"),
    pytest.param({"image_url": None}, "IMG.0017", id="no address"),
    pytest.param({"image_url": "https://b.obs/x.zvhd2"}, "IMG.0017", id="a URL for an address"),
    pytest.param({"image_url": ":a.zvhd2"}, "IMG.0068", id="no bucket"),
    pytest.param({"image_url": "Bucket:a.zvhd2"}, "IMG.0109", id="a bucket in capitals"),
    pytest.param({"image_url": "b..t:a.zvhd2"}, "IMG.0109", id="two dots in a bucket"),
    pytest.param({"image_url": "192.168.1.1:a.zvhd2"}, "IMG.0109", id="a bucket like an address"),
    pytest.param({"image_url": "bkt:" + "a/" * 510 + "a.zvhd2"}, "IMG.0074", id="a long key"),
    pytest.param({"image_url": "bkt:d/" + "a" * 123 + ".zvhd2"}, "IMG.0074", id="a file name of 129"),
    pytest.param({"image_url": "bkt:a b.zvhd2"}, "IMG.0175", id="a space in the key"),
    pytest.param({"image_url": "bkt:a?.zvhd2"}, "IMG.0075", id="a question mark in the key"),
    pytest.param({"image_url": "bkt:a+b.zvhd2"}, "IMG.0075", id="a plus in the key"),
    pytest.param({"image_url": "bkt:~a/b.zvhd2"}, "IMG.0075", id="a tilde in the key"),
    pytest.param({"image_url": "bkt:a.qcow2"}, "IMG.0158", id="a format that cannot be imported"),
    pytest.param({"min_disk": None}, "IMG.0055", id="no min_disk"),
    pytest.param({"min_disk": "40"}, "IMG.0055", id="min_disk in quotes"),
    pytest.param({"min_disk": 0}, "IMG.0055", id="min_disk 0"),
    pytest.param({"min_disk": 1025}, "IMG.0111", id="a system disk over 1024 GB"),
    pytest.param({**DATA, "min_disk": 1025}, "IMG.0055", id="a data disk over 1024 GB"),
    pytest.param({"type": "VM"}, "IMG.0117", id="an unknown type"),
    pytest.param({"type": 1}, "IMG.0024", id="a type that is a number"),
    pytest.param({"architecture": "mips"}, "IMG.0212", id="an unknown architecture"),
    pytest.param({"hw_firmware_type": "efi"}, "IMG.0141", id="an unknown firmware"),
    pytest.param({"architecture": "arm", "hw_firmware_type": "bios"}, "IMG.0141", id="arm with bios"),
    pytest.param({"enterprise_project_id": "mine"}, "IMG.0155", id="an enterprise project that is no UUID"),
    pytest.param(
        {"tags": ["a.b"], "image_tags": [{"key": "c", "value": "d"}]}, "IMG.0115", id="both kinds of tags"
    ),
    pytest.param({"image_tags": [{"key": "a"}]}, "IMG.0115", id="a tag without a value"),
    pytest.param({"image_tags": [{"key": "a b", "value": ""}]}, "IMG.0115", id="a space in a tag's key"),
    pytest.param({"image_tags": [{"key": "k", "value": "v" * 44}]}, "IMG.0115", id="a long tag value"),
    pytest.param({"tags": [f"k{n}.v" for n in range(11)]}, "IMG.0116", id="eleven tags"),
]


@pytest.mark.parametrize(("fields", "code"), REFUSED)
def test_a_broken_rule_is_refused_with_its_code_and_never_in_the_ledger(fields, code):
    caller = Caller()

    reply = caller.call("POST", "/v2/cloudimages/quickimport/action", body=wish() | fields)
    without = {key: value for key, value in (wish() | fields).items() if value is not None}
    bare = caller.call("POST", "/v2/cloudimages/quickimport/action", body=without)

    assert (reply.status, error(reply)) == (400, code)
    assert error(bare) == code
    assert caller.simulator.accepted == {}
    assert not caller.simulator.projects or not next(iter(caller.simulator.projects.values())).jobs


@pytest.mark.parametrize(
    ("body", "code"), [(b"", "IMG.0007"), (b"{", "IMG.0001"), (b"[]", "IMG.0001"), (b"\xff", "IMG.0001")]
)
def test_a_body_that_is_no_object_is_refused(body, code):
    assert error(Caller().call("POST", "/v2/cloudimages/quickimport/action", body=body)) == code


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="a plain system disk"),
        pytest.param({"name": "迁移 web-01.a_b"}, id="a Chinese name with a space inside"),
        pytest.param({"type": "BMS"}, id="bare metal"),
        pytest.param(DATA, id="a data disk"),
        pytest.param({**DATA, "os_type": None}, id="a data disk that leaves os_type to the service"),
        pytest.param({"image_url": "mig-bucket:images/a.raw"}, id="RAW with its bitmap beside it"),
        pytest.param({"image_url": "1.2.3:a.zvhd2"}, id="a bucket of numbers that is no address"),
        pytest.param({"image_url": "bkt:d/" + "a" * 122 + ".zvhd2"}, id="a file name of 128"),
        pytest.param({"image_url": "bkt:磁盘_1/web-01.zvhd2"}, id="Chinese letters in the key"),
        pytest.param({"architecture": "arm"}, id="arm, whose firmware follows"),
        pytest.param({"tags": ["a.b.c", "d"]}, id="old-style tags"),
        pytest.param({"is_config": True}, id="a member that nobody documented"),
        pytest.param({"enterprise_project_id": "4cc1f86a-1111-4222-8333-32bcece2d7ec"}, id="a project"),
    ],
)
def test_what_follows_the_rules_is_accepted(fields):
    caller = Caller()
    name = fields.get("name", "web-01")

    job_id = caller.job_id(**{"name": name, **fields})

    assert [line.job_id for line in caller.simulator.accepted[name]] == [job_id]
    assert caller.simulator.answers == {job_id: "200"}


def test_the_newer_path_is_served_too():
    reply = Caller().call("POST", "/v2.1/cloudimages/quickimport/action", body=wish())

    assert reply.status == 200


URL = "mig-bucket:images/web-01.zvhd2"
RAW = "mig-bucket:images/web-01.raw"


@pytest.mark.parametrize(
    ("url", "settings", "code"),
    [
        pytest.param(
            URL, {"objects": {URL: ObjectSettings(missing=True)}}, "IMG.0057", id="a missing object"
        ),
        pytest.param(URL, {"any_object": False}, "IMG.0057", id="nothing exists that is not listed"),
        pytest.param(URL, {"objects": {URL: ObjectSettings(size=0)}}, "IMG.0057", id="an empty object"),
        pytest.param(
            URL, {"objects": {URL: ObjectSettings(storage_class="COLD")}}, "IMG.0057", id="a cold object"
        ),
        pytest.param(
            URL, {"objects": {URL: ObjectSettings(sse="customer")}}, "IMG.0057", id="a customer's own key"
        ),
        pytest.param(URL, {"objects": {URL: ObjectSettings(size=2**40 + 1)}}, "IMG.0059", id="over 1 TB"),
        pytest.param(
            URL, {"objects": {URL: ObjectSettings(size=40 * GIB)}}, "IMG.0055", id="as large as min_disk"
        ),
        pytest.param(
            URL, {"buckets": {"mig-bucket": BucketSettings(missing=True)}}, "IMG.0057", id="no bucket"
        ),
        pytest.param(
            URL, {"buckets": {"mig-bucket": BucketSettings(forbidden=True)}}, "IMG.0069", id="forbidden"
        ),
        pytest.param(
            URL,
            {"buckets": {"mig-bucket": BucketSettings(storage_class="WARM")}},
            "IMG.0057",
            id="a warm bucket",
        ),
        pytest.param(
            URL,
            {"buckets": {"mig-bucket": BucketSettings(region="cn-east-3")}},
            "IMG.0058",
            id="another region",
        ),
        pytest.param(
            RAW,
            {"objects": {"mig-bucket:images/web-01.mf": ObjectSettings(missing=True)}},
            "IMG.0158",
            id="RAW without its bitmap",
        ),
        pytest.param(
            RAW,
            {"objects": {"mig-bucket:images/web-01.mf": ObjectSettings(size=0)}},
            "IMG.0158",
            id="an empty bitmap",
        ),
        pytest.param(
            RAW,
            {"objects": {"mig-bucket:images/web-01.mf": ObjectSettings(sse="customer")}},
            "IMG.0158",
            id="a bitmap under a customer's own key",
        ),
    ],
)
def test_an_object_that_cannot_be_used_is_refused_or_fails_the_job(url, settings, code):
    early, late = Caller(**settings), Caller(**settings, check_objects="job", fail_places=("top",))

    assert error(early.submit(image_url=url)) == code
    job_id = late.job_id(image_url=url)
    late.now += 3600
    assert late.job(job_id)["error_code"] == code


def test_a_listed_object_that_fits_is_accepted():
    caller = Caller(objects={URL: ObjectSettings(size=40 * GIB - 1, sse="kms")}, any_object=False)

    assert caller.submit().status == 200


def test_more_than_forty_jobs_at_once_are_refused_as_flow_control():
    caller = Caller(job_spread="fixed")
    for number in range(40):
        caller.job_id(f"web-{number}")

    refused = caller.submit("one-more")
    assert (refused.status, error(refused)) == (400, "IMG.0060")
    assert "one-more" not in caller.simulator.accepted
    caller.now += 121
    assert caller.submit("one-more").status == 200
    assert caller.simulator.most_running == 40


def test_jobs_of_others_take_slots_too():
    caller = Caller(max_jobs=3, other_jobs=2)
    caller.job_id("a")

    assert error(caller.submit("b")) == "IMG.0060"


def test_a_used_up_quota_is_refused_until_an_image_is_deleted():
    caller = Caller(quota=3, quota_used=1, job_seconds=1)
    caller.job_id("a")
    caller.job_id("b")
    assert error(caller.submit("c")) == "IMG.0015"

    caller.now += 60
    image_id = caller.get("/v2/cloudimages", ("name", "a"))["images"][0]["id"]
    caller.call("DELETE", f"/v2/images/{image_id}")

    assert caller.submit("c").status == 200


def test_a_project_holds_fifty_images_unless_a_setting_says_otherwise():
    caller, without_bounds = Caller(max_jobs=100), Caller(max_jobs=100, quota=-1)
    for number in range(50):
        caller.job_id(f"web-{number}")
        without_bounds.job_id(f"web-{number}")

    assert error(caller.submit("one-more")) == "IMG.0015"
    assert without_bounds.submit("one-more").status == 200
    caller.call("POST", "/_sim/settings", body={"quota": 51})
    assert caller.submit("one-more").status == 200


def test_names_may_be_unique_if_the_service_says_so():
    caller = Caller(unique_names=True)
    caller.job_id("a")

    assert error(caller.submit("a")) == "IMG.0009"
    assert Caller().submit("a").status == 200


def test_the_ledger_tells_a_duplicate_from_a_repetition():
    caller = Caller(job_spread="fixed", job_seconds=10, fates={"fails": "IMG.0057"})
    caller.job_id("fails")
    caller.job_id("twice")
    caller.job_id("twice")
    caller.now += 20
    caller.job_id("fails")

    ledger = json.loads(caller.call("GET", "/_sim/ledger").body)

    assert ledger["duplicates"] == ["twice"]
    assert ledger["repeated"] == ["fails", "twice"]
    assert [line["duplicate"] for line in ledger["accepted"]["twice"]] == [False, True]
    assert [line.name for line in caller.simulator.duplicates] == ["twice"]


def test_importing_again_after_the_image_was_deleted_is_no_duplicate():
    caller = Caller(job_seconds=1)
    caller.job_id("a")
    caller.now += 60
    image_id = caller.get("/v2/cloudimages")["images"][0]["id"]
    caller.call("DELETE", f"/v2/images/{image_id}")
    caller.job_id("a")

    assert caller.simulator.duplicates == []


def test_an_import_that_was_answered_with_an_error_is_in_the_ledger_all_the_same():
    caller = Caller(import_odds={"error_after": 1.0, "statuses": [500]})

    reply = caller.submit()

    (line,) = caller.simulator.accepted["web-01"]
    assert reply.status == 500
    assert reply.act is Act.NONE
    assert caller.simulator.answers == {line.job_id: "500"}
    assert caller.names() == ["web-01"]
