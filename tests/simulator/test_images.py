"""Lists, tags and single images, as the service shows them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.simulator.image_view import view, visible
from tests.simulator.callers import NOON, PROJECT, Caller, error

ACTION = f"/v2/{PROJECT}/images/resource_instances/action"


def stocked(**settings: Any) -> Caller:
    """Three images, a minute apart, all finished: a system, a data and a bare-metal one."""
    caller = Caller(job_spread="fixed", job_seconds=10, **settings)
    caller.job_id("a", image_tags=[{"key": "app", "value": "shop"}, {"key": "env", "value": "prod"}])
    caller.now += 60
    caller.job_id(
        "b", type="DataImage", os_version=None, os_type="Windows", image_tags=[{"key": "app", "value": "erp"}]
    )
    caller.now += 60
    caller.job_id("c", type="BMS", architecture="arm", os_version="CentOS 7.6 64bit with ARM")
    caller.now += 60
    return caller


@pytest.mark.parametrize(
    ("query", "names"),
    [
        pytest.param([], "cba", id="newest first"),
        pytest.param([("sort_dir", "asc")], "abc", id="oldest first"),
        pytest.param([("sort_key", "name")], "cba", id="by name"),
        pytest.param([("name", "b")], "b", id="exact name"),
        pytest.param([("name", "B")], "", id="case counts"),
        pytest.param([("status", "active")], "cba", id="status"),
        pytest.param([("status", "saving")], "", id="another status"),
        pytest.param([("__imagetype", "private")], "cba", id="private"),
        pytest.param([("__imagetype", "gold")], "", id="public ones are not ours"),
        pytest.param([("owner", PROJECT)], "cba", id="owner"),
        pytest.param([("owner", "f" * 32)], "", id="another owner"),
        pytest.param([("tag", "app=shop")], "a", id="tag"),
        pytest.param([("tag", "app")], "ba", id="tag key alone"),
        pytest.param([("tag", "app=shop"), ("tag", "env=prod")], "a", id="two tags must both match"),
        pytest.param([("tag", "app=erp"), ("tag", "env=prod")], "", id="two tags of different images"),
        pytest.param([("virtual_env_type", "FusionCompute")], "a", id="system disks"),
        pytest.param([("virtual_env_type", "DataImage")], "b", id="data disks"),
        pytest.param([("virtual_env_type", "Ironic")], "c", id="bare metal"),
        pytest.param([("architecture", "arm")], "c", id="architecture"),
        pytest.param([("__os_type", "Windows")], "b", id="OS type"),
        pytest.param([("enterprise_project_id", "0")], "cba", id="default enterprise project"),
        pytest.param([("enterprise_project_id", "all_granted_eps")], "cba", id="every enterprise project"),
        pytest.param([("created_at", "gte:2025-01-02T12:05:05Z")], "cb", id="created at or after"),
        pytest.param([("created_at", "gt:2025-01-02T12:05:05Z")], "c", id="created after"),
        pytest.param([("created_at", "lt:2025-01-02 12:05:05")], "a", id="created before, other format"),
        pytest.param([("created_at", "lte:2025-01-02T12:05:05Z")], "ba", id="created at or before"),
        pytest.param([("created_at", "eq:2025-01-02T12:05:05Z")], "b", id="created at"),
        pytest.param([("created_at", "neq:2025-01-02T12:05:05Z")], "ca", id="not created at"),
        pytest.param([("__os_version", "CentOS 7.6 64bit")], "a", id="OS version"),
        pytest.param([("protected", "true")], "b", id="protected"),
        pytest.param([("protected", "False")], "ca", id="not protected"),
        pytest.param([("min_ram", "0")], "cba", id="memory"),
        pytest.param([("min_ram", "1024")], "", id="other memory"),
        pytest.param([("min_disk", "40")], "cba", id="disk"),
        pytest.param([("container_format", "bare")], "cba", id="container"),
        pytest.param([("container_format", "ovf")], "", id="another container"),
        pytest.param([("disk_format", "zvhd2")], "cba", id="format"),
        pytest.param([("__whole_image", "true")], "", id="whole servers"),
        pytest.param([("__whole_image", "false")], "cba", id="no whole servers"),
        pytest.param([("__support_kvm", "true")], "cba", id="KVM"),
        pytest.param([("__support_xen", "true")], "", id="Xen"),
        pytest.param([("__support_arm", "true")], "c", id="ARM by its mark"),
        pytest.param([("__system__cmkid", "4cc1f86a")], "", id="a key"),
        pytest.param([("visibility", "shared"), ("member_status", "pending")], "", id="shared ones"),
        pytest.param([("limit", "2")], "cb", id="limit"),
        pytest.param([("limit", "0")], "", id="no room at all"),
    ],
)
def test_a_filter_lists_exactly_what_it_says(query, names):
    assert stocked(protected={"b"}).names(*query) == list(names)


@pytest.mark.parametrize(
    "query",
    [
        ("limit", "x"),
        ("limit", "-1"),
        ("sort_key", "colour"),
        ("sort_dir", "up"),
        ("created_at", "12:00"),
        ("min_ram", "much"),
        ("protected", "perhaps"),
        ("member_status", "pending"),
        ("flavor_id", "s6.large.2"),
    ],
)
@pytest.mark.parametrize("path", ["/v2/cloudimages", "/v2/images", "/v1/cloudimages/tags"])
def test_a_filter_that_cannot_be_read_or_honoured_is_refused(query, path):
    if path.endswith("tags") and query[0] in ("limit", "sort_key", "sort_dir"):
        return  # this list has no pages
    assert error(stocked().call("GET", path, query)) == "IMG.0001"


def test_the_old_list_of_tags_takes_the_filters_of_images():
    caller = stocked()

    assert caller.get("/v1/cloudimages/tags", ("name", "b"))["tags"] == ["app.erp"]
    assert caller.get("/v1/cloudimages/tags")["tags"] == ["app.shop", "app.erp", "env.prod"]


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        pytest.param({}, None, id="nobody asked: bios"),
        pytest.param({"hw_firmware_type": "bios"}, "bios", id="bios asked for"),
        pytest.param({"hw_firmware_type": "uefi"}, "uefi", id="uefi asked for"),
        pytest.param(
            {"architecture": "arm", "os_version": "CentOS 7.6 64bit with ARM"}, "uefi", id="arm, so uefi"
        ),
        pytest.param({"type": "DataImage", "os_version": None}, None, id="a data disk"),
    ],
)
def test_the_firmware_is_not_always_shown(fields, shown):
    caller = Caller()
    caller.job_id(**fields)

    assert caller.get("/v2/cloudimages")["images"][0].get("hw_firmware_type") == shown


def test_a_filter_that_nobody_documented_is_refused_and_compared_natively():
    caller = stocked()
    path = f"/v2/cloudimages/{caller.get('/v2/cloudimages', ('name', 'b'))['images'][0]['id']}"
    caller.call("PATCH", path, body=[{"op": "add", "path": "/colour", "value": "blue"}])

    assert error(caller.call("GET", "/v2/cloudimages", ("colour", "blue"))) == "IMG.0001"
    assert [its["name"] for its in caller.get("/v2/images", ("colour", "blue"))["images"]] == ["b"]
    assert caller.get("/v2/images", ("colour", "red"))["images"] == []
    assert caller.get("/v2/images", ("os_hidden", "True"))["images"] == []


@pytest.mark.parametrize("order", [[("sort_dir", "asc")], [], [("sort_key", "name")], [("tag", "n=1")]])
@pytest.mark.parametrize("limit", ["1", "2", "3", "7", "100"])
def test_following_the_marker_shows_every_image_once(order, limit):
    caller = Caller(job_seconds=1)
    for number in range(7):
        caller.job_id(f"web-{number}", tags=["n.1"])
    seen: list[str] = []
    marker: list[tuple[str, str]] = []
    while page := caller.get("/v2/cloudimages", *order, ("limit", limit), *marker)["images"]:
        seen += [image["name"] for image in page]
        marker = [("marker", page[-1]["id"])]

    assert sorted(seen) == [f"web-{number}" for number in range(7)]


def test_a_page_holds_five_hundred_images_unless_asked_and_never_over_a_thousand():
    caller = Caller(max_jobs=2000, quota=-1)
    for number in range(1001):
        caller.job_id(f"web-{number}")

    assert len(caller.names()) == 500
    assert len(caller.names(("limit", "5000"))) == 1000


def test_a_marker_nobody_knows_is_refused():
    assert error(Caller().call("GET", "/v2/cloudimages", ("marker", "x"))) == "IMG.0144"


def test_an_image_is_shown_with_what_was_asked_for():
    caller = stocked()
    image = caller.get("/v2/cloudimages", ("name", "a"))["images"][0]

    assert image["__os_version"] == "CentOS 7.6 64bit"
    assert image["min_disk"] == 40
    assert image["tags"] == ["app=shop", "env=prod"]
    assert image["__data_origin"] == "file,mig-bucket:images/web-01.zvhd2"
    assert image["created_at"] == "2025-01-02T12:04:05Z"
    assert image["active_at"] == "2025-01-02T12:04:15Z"
    assert int(image["__image_size"]) > 4 * 2**30
    assert caller.get("/v2/cloudimages", ("name", "c"))["images"][0]["__support_arm"] == "true"


def test_origin_and_the_separator_of_tags_are_settings():
    caller = Caller(data_origin=False, tag_separator=".")
    caller.job_id(tags=["a.b"])
    (image,) = caller.get("/v2/cloudimages")["images"]

    assert "__data_origin" not in image
    assert image["tags"] == ["a.b"]


@pytest.mark.parametrize(
    ("settings", "seconds", "listed"),
    [
        pytest.param({}, 0, True, id="at once"),
        pytest.param({"listed": "later", "listed_after": 30}, 29, False, id="before its time"),
        pytest.param({"listed": "later", "listed_after": 30}, 30, True, id="after its time"),
        pytest.param({"listed": "at_end"}, 99, False, id="before the job's end"),
        pytest.param({"listed": "at_end"}, 100, True, id="after the job's end"),
    ],
)
def test_images_become_visible_when_the_settings_say(settings, seconds, listed):
    caller = Caller(job_spread="fixed", job_seconds=100, **settings)
    caller.job_id(tags=["a.b"])
    caller.now += seconds
    found = json.loads(caller.call("POST", ACTION, body={"action": "count"}).body)["total_count"]

    assert caller.names() == (["web-01"] if listed else [])
    assert found == int(listed)


@pytest.mark.parametrize(
    ("settings", "seconds", "tagged"),
    [
        pytest.param({"tagged": "later", "tagged_after": 30}, 29, False, id="before their time"),
        pytest.param({"tagged": "later", "tagged_after": 30}, 30, True, id="after their time"),
        pytest.param({"tagged": "at_end"}, 99, False, id="before the job's end"),
        pytest.param({"tagged": "at_end"}, 100, True, id="after the job's end"),
    ],
)
def test_tags_may_become_visible_later_than_their_image(settings, seconds, tagged):
    caller = Caller(job_spread="fixed", job_seconds=100, **settings)
    caller.job_id(tags=["a.b"])
    caller.now += seconds
    (image,) = caller.get("/v2/cloudimages")["images"]
    asked = {"action": "count", "tags": [{"key": "a", "values": ["b"]}]}

    assert image["tags"] == (["a=b"] if tagged else [])
    assert caller.names(("tag", "a=b")) == (["web-01"] if tagged else [])
    assert json.loads(caller.call("POST", ACTION, body=asked).body) == {"total_count": int(tagged)}
    assert caller.get(f"/v2/{PROJECT}/images/{image['id']}/tags")["tags"] == (
        [{"key": "a", "value": "b"}] if tagged else []
    )


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        pytest.param({}, "abc", id="everything"),
        pytest.param({"tags": [{"key": "app", "values": ["shop", "erp"]}]}, "ab", id="values are OR-ed"),
        pytest.param({"tags": [{"key": "app", "values": []}]}, "ab", id="any value"),
        pytest.param(
            {"tags": [{"key": "app", "values": ["shop"]}, {"key": "env", "values": ["prod"]}]},
            "a",
            id="keys are AND-ed",
        ),
        pytest.param(
            {"tags_any": [{"key": "app", "values": ["erp"]}, {"key": "env", "values": ["prod"]}]},
            "ab",
            id="any of them",
        ),
        pytest.param({"not_tags": [{"key": "app", "values": ["erp"]}]}, "ac", id="not"),
        pytest.param({"not_tags_any": [{"key": "app", "values": []}]}, "c", id="none of them"),
        pytest.param({"without_any_tag": True}, "c", id="untagged"),
        pytest.param({"matches": [{"key": "resource_name", "value": "b"}]}, "b", id="name contains"),
        pytest.param({"limit": "1", "offset": "1"}, "b", id="a page"),
    ],
)
def test_the_tag_query_answers_as_documented(asked, names):
    reply = stocked().call("POST", ACTION, body={"action": "filter", **asked})
    body = json.loads(reply.body)

    assert [item["resource_name"] for item in body["resources"]] == list(names)
    assert body["total_count"] == (3 if "limit" in asked else len(names))
    assert {item["resource_detail"]["status"] for item in body["resources"]} == {"active"}


@pytest.mark.parametrize(
    "asked",
    [
        {"action": "Filter"},
        {},
        {"action": "filter", "tags": []},
        {"action": "filter", "tags": [{"key": "a", "values": ["x", "x"]}]},
        {"action": "filter", "tags": [{"key": "a"}, {"key": "a"}]},
        {"action": "filter", "limit": "0"},
        {"action": "filter", "limit": "1001"},
        {"action": "filter", "matches": [{"key": "colour", "value": "x"}]},
    ],
)
def test_a_tag_query_that_breaks_a_rule_is_refused(asked):
    assert error(stocked().call("POST", ACTION, body=asked)) == "IMG.0001"


def test_tags_can_be_added_overwritten_and_removed_and_lists_follow():
    caller = stocked()
    image_id = caller.get("/v2/cloudimages", ("name", "c"))["images"][0]["id"]
    path = f"/v2/{PROJECT}/images/{image_id}/tags"

    statuses = [
        caller.call("POST", path, body={"tag": {"key": "app", "value": "old"}}).status,
        caller.call("POST", path, body={"tag": {"key": "app", "value": "shop"}}).status,
        caller.call(
            "POST", f"{path}/action", body={"action": "create", "tags": [{"key": "x", "value": ""}]}
        ).status,
    ]

    assert statuses == [204, 204, 204]
    assert caller.get(path)["tags"] == [{"key": "app", "value": "shop"}, {"key": "x", "value": ""}]
    assert caller.names(("tag", "app=shop")) == ["c", "a"]
    assert caller.names(("tag", "app=old")) == []
    assert caller.get(f"/v2/{PROJECT}/images/tags")["tags"][0] == {"key": "app", "values": ["shop", "erp"]}
    assert "app.shop" in caller.get("/v1/cloudimages/tags")["tags"]
    assert caller.call("DELETE", f"{path}/app").status == 204
    caller.call("POST", f"{path}/action", body={"action": "delete", "tags": [{"key": "x"}]})
    assert caller.get(path)["tags"] == []
    assert caller.names(("tag", "app=shop")) == ["a"]


def test_the_old_call_for_one_tag_adds_and_overwrites():
    caller = stocked()
    image_id = caller.get("/v2/cloudimages", ("name", "a"))["images"][0]["id"]
    path = "/v1/cloudimages/tags"

    def put(**more: Any) -> Any:
        return caller.call("PUT", path, body={"image_id": image_id, **more})

    assert put(tag="app.old").status == 204
    assert put(image_tag={"key": "rack", "value": "A12"}).status == 204
    assert caller.names(("tag", "app=old")) == ["a"]
    assert caller.names(("tag", "app=shop")) == []
    assert caller.names(("tag", "rack=A12")) == ["a"]
    assert error(put()) == "IMG.0115"
    assert error(put(tag="a.b", image_tag={"key": "c", "value": "d"})) == "IMG.0115"
    assert error(put(tag="a b.c")) == "IMG.0115"
    assert error(put(image_tag={"key": "c"})) == "IMG.0001"
    assert error(caller.call("PUT", path, body={"image_id": "x", "tag": "a.b"})) == "IMG.0144"


def test_the_eleventh_tag_and_a_wrong_one_are_refused():
    caller = Caller()
    caller.job_id(tags=[f"k{n}.v" for n in range(10)])
    path = f"/v2/{PROJECT}/images/{caller.get('/v2/cloudimages')['images'][0]['id']}/tags"

    assert error(caller.call("POST", path, body={"tag": {"key": "one-more", "value": "v"}})) == "IMG.0116"
    assert error(caller.call("POST", path, body={"tag": {"key": "k 0", "value": "v"}})) == "IMG.0115"
    assert caller.call("POST", path, body={"tag": {"key": "k0", "value": "w"}}).status == 204


def test_a_protected_image_is_shown_as_such_and_is_not_deleted():
    caller = stocked(protected={"a"})
    (image,) = caller.get("/v2/cloudimages", ("name", "a"))["images"]

    assert image["protected"] is True
    assert error(caller.call("DELETE", f"/v2/images/{image['id']}")) == "IMG.0091"
    assert caller.names() == ["c", "b", "a"]


def test_deleting_waits_for_the_end_and_is_repeatable():
    caller = Caller(job_spread="fixed", job_seconds=10)
    caller.job_id()
    path = f"/v2/images/{caller.get('/v2/cloudimages')['images'][0]['id']}"

    assert error(caller.call("DELETE", path)) == "IMG.0090"
    caller.now += 20
    assert caller.call("DELETE", path).status == 204
    assert caller.call("DELETE", path).status == 204
    assert caller.names() == []


def test_the_operating_systems_are_a_bare_array_and_arm_is_its_own_list():
    caller = Caller()
    every = {
        row["os_version"]
        for group in caller.get("/v1/cloudimages/os_version")
        for row in group["version_list"]
    }
    x86 = {
        row["os_version"]
        for group in caller.get("/v1/cloudimages/os_version", ("tag", "x86"))
        for row in group["version_list"]
    }

    assert "CentOS 7.6 64bit" in x86
    assert x86 < every
    assert all("ARM" in version for version in every - x86)


def test_every_project_has_its_own_images():
    caller = Caller()
    caller.job_id("north")
    east = caller.simulator.settings.regions["cn-east-3"]
    caller.token, _ = caller.simulator.guard.new_token("cn-east-3", east, caller.now)
    caller.job_id("east")

    assert caller.names() == ["east"]
    assert error(caller.call("GET", "/v2/nowhere/at/all")) == "APIGW.0101"


# --- Drawn once ------------------------------------------------------------------------------------------


def as_it_is(caller: Caller) -> list[dict[str, Any]]:
    """Every image that lists show now, drawn anew."""
    settings = caller.simulator.settings
    (project,) = caller.simulator.projects.values()
    shown = [view(one, caller.now, settings) for one in project.records if visible(one, caller.now, settings)]
    found: list[dict[str, Any]] = json.loads(json.dumps(shown))
    return found


@given(
    moves=st.lists(
        st.sampled_from(["submit", "wait", "long", "tag", "untag", "patch", "delete", "settings", "end"]),
        max_size=25,
    )
)
def test_a_list_shows_each_image_as_it_is_whatever_happened_since_the_last_one(moves):
    caller = Caller(
        job_spread="fixed", job_seconds=50, listed="later", listed_after=7, tagged="later", tagged_after=90
    )
    caller.job_id("first")
    (project,) = caller.simulator.projects.values()
    for number, move in enumerate(moves):
        record = project.records[number % len(project.records)]
        match move:
            case "submit":
                caller.submit(f"vm-{number}")
            case "wait":
                caller.now += 5
            case "long":
                caller.now += 60
            case "tag":
                record.tags["late"] = str(number)
            case "untag":
                record.tags.clear()
            case "patch":
                record.attributes["name"] = f"renamed-{number}"
            case "delete":
                project.delete(record, caller.now) if record.status(caller.now) else None
            case "settings":
                changed = {"tag_separator": "." if number % 2 else "=", "listed_after": float(number)}
                caller.simulator.change(caller.simulator.settings.model_copy(update=changed))
            case "end":
                record.job.ends = min(record.job.ends, caller.now)

        assert caller.get("/v2/cloudimages", ("sort_dir", "asc"))["images"] == as_it_is(caller)


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("since", range(-1, 5))
def test_a_list_since_a_moment_begins_there_and_goes_on_behind_its_marker(direction, since):
    caller = Caller(job_seconds=1)
    for number in range(4):
        caller.job_id(f"vm-{number}")
        caller.now += 60
    moment = datetime.fromtimestamp(NOON + 60 * since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    order = [("sort_dir", direction), ("created_at", f"gte:{moment}")]

    listed = caller.get("/v2/cloudimages", *order)["images"]

    expected = [f"vm-{number}" for number in range(max(since, 0), 4)]
    assert [image["name"] for image in listed] == (expected if direction == "asc" else expected[::-1])
    for place, image in enumerate(listed):
        rest = caller.get("/v2/cloudimages", *order, ("marker", image["id"]))["images"]
        assert rest == listed[place + 1 :]


def test_a_moment_that_cannot_be_read_is_refused_in_every_order():
    for order in ("created_at", "name"):
        reply = Caller().call("GET", "/v2/cloudimages", ("sort_key", order), ("created_at", "gte:noon"))
        assert reply.code == "IMG.0001"
