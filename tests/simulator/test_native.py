"""Images read natively, and the versions of the interface."""

import json
from urllib.parse import parse_qsl

from migrator.simulator.wire import Call
from tests.simulator.callers import NOON, Caller, error


def test_an_image_can_be_read_by_its_id_and_one_that_is_not_there_is_not_found():
    caller = Caller()
    caller.job_id("b")
    (image,) = caller.get("/v2/cloudimages", ("name", "b"))["images"]

    assert caller.get(f"/v2/images/{image['id']}") == image
    missing = caller.call("GET", "/v2/images/x")
    assert (missing.status, error(missing)) == (404, "IMG.0144")


def test_native_pages_hold_twenty_five_and_lead_to_the_next_but_for_the_last():
    caller = Caller(max_jobs=2000)
    for number in range(50):
        caller.job_id(f"web-{number}")
    first = caller.get("/v2/images", ("sort_dir", "asc"))
    path, _, query = first["next"].partition("?")
    second = caller.get(path, *parse_qsl(query))

    assert [image["name"] for image in first["images"]] == [f"web-{n}" for n in range(25)]
    assert [image["name"] for image in second["images"]] == [f"web-{n}" for n in range(25, 50)]
    assert "next" not in second
    assert first["first"] == second["first"] == "/v2/images?sort_dir=asc"
    assert caller.call("GET", "/v2/images", ("marker", "x")).status == 404


def test_anybody_may_ask_for_the_versions():
    simulator = Caller().simulator
    asked = [
        simulator.answer(Call(method="GET", host="ims.cn-north-4.x.com", path=path), NOON)
        for path in ("/", "/v2.0", "/v9")
    ]
    every, one = (json.loads(reply.body)["versions"] for reply in asked[:2])

    assert [reply.status for reply in asked[:2]] == [300, 300]
    assert every[0]["status"] == "CURRENT"
    assert every[0]["links"] == [{"rel": "self", "href": "https://ims.cn-north-4.x.com/v2/"}]
    assert [row["id"] for row in one] == ["v2.0"]
    assert asked[2].status == 403
