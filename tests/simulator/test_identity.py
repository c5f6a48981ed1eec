"""Tokens, projects and temporary keys, as the identity and metadata services hand them out."""

import json
from typing import Any

import pytest

from migrator.simulator.wire import Call, Reply
from tests.simulator.callers import NOON, PROJECT, Caller, error


def login(caller: Caller, *, password: str = "simulator", scope: dict[str, str] | None = None) -> Reply:
    user = {"name": "simulator", "password": password, "domain": {"name": "simulator"}}
    identity = {"methods": ["password"], "password": {"user": user}}
    auth = {"identity": identity, "scope": {"project": scope or {"name": "cn-north-4"}}}
    return caller.call("POST", "/v3/auth/tokens", body={"auth": auth})


def test_a_token_is_several_kilobytes_and_lets_its_bearer_in():
    caller = Caller()

    reply = login(caller)

    body = json.loads(reply.body)["token"]
    assert reply.status == 201
    assert 2000 < len(reply.headers["X-Subject-Token"]) < 8000
    assert body["project"]["id"] == PROJECT
    assert body["issued_at"] == "2025-01-02T12:04:05.000000Z"
    assert body["expires_at"] == "2025-01-03T12:04:05.000000Z"
    caller.token = reply.headers["X-Subject-Token"]
    assert caller.submit().status == 200


def test_a_new_token_does_not_end_an_older_one():
    caller = Caller()
    login(caller)

    assert caller.submit().status == 200


@pytest.mark.parametrize(
    ("scope", "status"),
    [({"id": PROJECT}, 201), ({"name": "cn-east-3"}, 201), ({"id": "f" * 32}, 404), ({"name": "mars"}, 404)],
)
def test_the_scope_must_be_a_project_that_exists(scope, status):
    assert login(Caller(), scope=scope).status == status


def test_a_wrong_password_is_refused_in_the_old_shape_and_locks_after_five():
    caller = Caller()
    reply = login(caller, password="guess")

    assert json.loads(reply.body) == {
        "error": {"code": 401, "message": "The username or password is wrong.", "title": "Unauthorized"}
    }
    for _ in range(4):
        login(caller, password="guess")
    locked = login(caller)
    assert (locked.status, error(locked)) == (401, "IAM.0061")
    caller.now += 901
    assert login(caller).status == 201


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"auth":{}}', b'{"auth":{"identity":{"password":{"user":7}}}}']
)
def test_a_login_that_cannot_be_read_is_a_bad_request(body):
    assert Caller().call("POST", "/v3/auth/tokens", body=body).status == 400


def test_too_many_logins_are_throttled_with_the_threshold():
    caller = Caller(rate_limits={"token": "1/m"})
    login(caller)

    reply = login(caller)

    assert (reply.status, error(reply)) == (429, "IAM.0012")
    assert b"Threshold: 1 times per 60 seconds" in reply.body


def test_a_project_is_found_by_its_region():
    caller = Caller()

    assert [row["id"] for row in caller.get("/v3/projects", ("name", "cn-north-4"))["projects"]] == [PROJECT]
    assert caller.get("/v3/projects", ("name", "mars"))["projects"] == []
    assert len(caller.get("/v3/auth/projects")["projects"]) == len(caller.simulator.settings.regions)
    caller.token = "wrong"
    assert caller.call("GET", "/v3/projects").status == 401


def test_a_token_tells_where_the_services_are_unless_asked_not_to():
    caller = Caller()
    user = {"name": "simulator", "password": "simulator", "domain": {"name": "simulator"}}
    identity = {"methods": ["password"], "password": {"user": user}}
    asked = {"auth": {"identity": identity, "scope": {"project": {"name": "cn-east-3"}}}}

    def catalog(*query: tuple[str, str], host: str = "127.0.0.1") -> dict[str, str]:
        reply = caller.call("POST", "/v3/auth/tokens", *query, body=asked, host=host)
        rows = json.loads(reply.body)["token"]["catalog"]
        assert all(row["endpoints"][0]["interface"] == "public" for row in rows)
        assert all(row["endpoints"][0]["region_id"] == "cn-east-3" for row in rows)
        return {row["type"]: row["endpoints"][0]["url"] for row in rows}

    east = caller.simulator.settings.regions["cn-east-3"]
    assert catalog(("nocatalog", "true")) == {}
    assert catalog() == {
        "identity": "https://127.0.0.1/v3",
        "image": "https://127.0.0.1",
        "object": f"https://127.0.0.1/v1/{east}",
    }
    assert catalog(host="iam.cn-east-3.example.com")["image"] == "https://ims.cn-east-3.example.com"


def test_anybody_may_ask_for_the_version():
    reply = Caller().simulator.answer(Call(method="GET", host="iam.x.com", path="/v3"), NOON)

    its = json.loads(reply.body)["version"]
    assert reply.status == 200
    assert its["id"].startswith("v3")
    assert its["links"] == [{"rel": "self", "href": "https://iam.x.com/v3/"}]


def test_projects_are_shown_in_pages_that_end():
    caller = Caller()
    every = list(caller.simulator.settings.regions)
    seen, page = [], 1
    while True:
        body = caller.get("/v3/projects", ("page", str(page)), ("per_page", "2"))
        seen.append([row["name"] for row in body["projects"]])
        if body["links"]["next"] is None:
            break
        page += 1

    assert seen == [every[:2], every[2:4], every[4:]]
    assert body["links"]["previous"].endswith("/v3/projects?page=2&per_page=2")
    assert caller.get("/v3/projects", ("page", "9"), ("per_page", "2"))["projects"] == []
    assert [row["name"] for row in caller.get("/v3/projects")["projects"]] == every
    assert caller.call("GET", "/v3/projects", ("page", "0")).status == 400
    assert caller.call("GET", "/v3/projects", ("per_page", "5001")).status == 400


def test_temporary_keys_are_handed_out_for_a_token():
    caller = Caller()
    asked: Any = {"auth": {"identity": {"methods": ["token"], "token": {"duration_seconds": 900}}}}
    reply = caller.call("POST", "/v3.0/OS-CREDENTIAL/securitytokens", body=asked)
    credential = json.loads(reply.body)["credential"]

    assert reply.status == 201
    assert credential["expires_at"] == "2025-01-02T12:19:05.000000Z"
    assert caller.simulator.guard.keys[credential["access"]].security_token == credential["securitytoken"]
    asked["auth"]["identity"]["token"]["duration_seconds"] = 899
    assert caller.call("POST", "/v3.0/OS-CREDENTIAL/securitytokens", body=asked).status == 400


def test_the_metadata_service_wants_a_session_first():
    caller = Caller(key_lifetime=3600)
    path = "/openstack/latest/securitykey"
    session = caller.call("PUT", "/meta-data/latest/api/token", x_metadata_token_ttl_seconds="60")
    token = session.body.decode()

    assert session.status == 200
    assert caller.call("GET", path).status == 401
    key = json.loads(caller.call("GET", path, x_metadata_token=token).body)["credential"]
    assert key["expires_at"] == "2025-01-02T13:04:05.000000Z"
    caller.now = NOON + 61
    assert caller.call("GET", path, x_metadata_token=token).status == 401


def test_an_old_metadata_service_has_no_sessions_and_none_at_all_has_nothing():
    old, off = Caller(metadata="old"), Caller(metadata="off")
    session = ("PUT", "/meta-data/latest/api/token")

    assert old.call(*session, x_metadata_token_ttl_seconds="60").status == 404
    assert old.call("GET", "/openstack/latest/securitykey").status == 200
    assert off.call("GET", "/openstack/latest/securitykey").status == 404
