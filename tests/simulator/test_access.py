"""Who is let in, and what the others are answered."""

import hashlib
import hmac
import json
import time
from typing import Any

import pytest

from migrator.simulator.signature import ALGORITHM, Claim, canonical_request
from migrator.simulator.wire import Call, Reply
from tests.simulator.callers import NOON, PROJECT, Caller, error


def signed(
    caller: Caller,
    *,
    access: str = "",
    secret: str = "",
    skew: float = 0.0,
    path: str = "/v1/cloudimages/quota",
    host: str = "127.0.0.1",
    covered: tuple[str, ...] | None = None,
    **more: str,
) -> Reply:
    """A call that bears the default key's signature, or another one's; of all headers, or those `covered`."""
    settings = caller.simulator.settings
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(caller.now + skew))
    headers = {"host": host, "x-sdk-date": date, **{k.replace("_", "-"): v for k, v in more.items()}}
    names = sorted(headers) if covered is None else covered
    canonical = canonical_request("GET", path, (), headers, names, b"")
    text = f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = (secret or settings.secret_key).encode()
    said = Claim(access or settings.access_key, tuple(names), hmac.digest(key, text.encode(), "sha256").hex())
    headers["authorization"] = (
        f"{ALGORITHM} Access={said.access_key}, SignedHeaders={';'.join(names)}, Signature={said.signature}"
    )
    return caller.simulator.answer(Call(method="GET", host=host, path=path, headers=headers), caller.now)


def text(reply: Reply) -> str:
    return str(json.loads(reply.body)["error_msg"])


def test_a_right_signature_is_let_in():
    assert signed(Caller()).status == 200


def test_a_wrong_signature_is_refused_in_the_documented_words():
    reply = signed(Caller(), secret="wrong")

    assert reply.status == 401
    assert error(reply) == "APIGW.0301"
    assert text(reply) == "Incorrect IAM authentication information: verify aksk signature fail"


def test_five_wrong_signatures_in_a_row_lock_the_key_for_five_minutes():
    caller = Caller()
    for _ in range(5):
        signed(caller, secret="wrong")

    locked = signed(caller)
    assert locked.status == 401
    assert text(locked).endswith("AK access failed to reach the limit,forbidden")
    caller.now += 299
    assert signed(caller).status == 401
    caller.now += 2
    assert signed(caller).status == 200


def test_a_signature_in_another_form_is_refused_and_costs_nobody_the_key():
    caller = Caller()
    for _ in range(10):
        assert text(signed(caller, covered=("host",))).endswith("verify aksk signature fail")
        assert signed(caller, covered=("host", "x-never-sent", "x-sdk-date")).status == 401

    assert signed(caller).status == 200


def test_a_client_that_does_not_sign_the_host_is_let_in_as_often_as_it_likes():
    caller = Caller()

    asked = [signed(caller, covered=("accept", "x-sdk-date"), accept="application/json") for _ in range(10)]

    assert {reply.status for reply in asked} == {200}


def test_a_right_signature_in_between_starts_the_count_again():
    caller = Caller()
    for _ in range(4):
        signed(caller, secret="wrong")
    signed(caller)
    for _ in range(4):
        signed(caller, secret="wrong")

    assert signed(caller).status == 200


@pytest.mark.parametrize(("skew", "status"), [(899, 200), (-899, 200), (901, 401), (-901, 401)])
def test_a_clock_may_be_fifteen_minutes_off(skew, status):
    assert signed(Caller(), skew=skew).status == status


def test_an_unknown_key_is_named():
    assert text(signed(Caller(), access="NOBODY")).endswith("Get secretKey failed,ak:NOBODY,err:ak not exist")


def test_a_project_of_somebody_else_is_refused():
    caller = Caller()

    assert signed(caller, x_project_id=PROJECT).status == 200
    assert signed(caller, x_project_id="f" * 32).status == 403
    assert signed(Caller(any_project=True), x_project_id="f" * 32).status == 200


def test_the_host_names_the_region_whose_project_is_meant():
    caller = Caller()
    signed(caller, host="ims.cn-east-3.myhuaweicloud.com")

    assert list(caller.simulator.projects) == [caller.simulator.settings.regions["cn-east-3"]]


def test_a_temporary_key_needs_its_security_token_and_dies():
    caller = Caller()
    key = caller.simulator.guard.new_key(NOON, 900)
    mine: Any = {"access": key.access, "secret": key.secret}

    assert signed(caller, **mine).status == 401
    assert signed(caller, **mine, x_security_token="wrong").status == 401
    assert signed(caller, **mine, x_security_token=key.security_token).status == 200
    caller.now += 901
    assert signed(caller, **mine, x_security_token=key.security_token).status == 401


def test_no_authentication_at_all_is_told_so():
    caller = Caller()
    reply = caller.simulator.answer(Call(method="GET", host="h", path="/v1/cloudimages/quota"), NOON)

    assert reply.status == 401
    assert text(reply).endswith("x-auth-token not found")


def test_a_made_up_token_cannot_be_decrypted():
    caller = Caller()
    caller.token = "MII-made-up"

    assert text(caller.call("GET", "/v1/cloudimages/quota")).endswith("decrypt token fail")


@pytest.mark.parametrize(
    ("says", "code", "message"),
    [
        pytest.param("update", "APIGW.0307", "The token must be updated", id="must be updated"),
        pytest.param("expires", "APIGW.0301", "token expires, expires_at: 2025-01-02T12:05:45", id="expires"),
    ],
)
def test_an_expired_token_is_refused_in_either_wording(says, code, message):
    caller = Caller(token_lifetime=100, expiry_says=says)
    assert caller.call("GET", "/v1/cloudimages/quota").status == 200
    caller.now += 101

    reply = caller.call("GET", "/v1/cloudimages/quota")

    assert (reply.status, error(reply)) == (401, code)
    assert message in text(reply)


def test_a_token_may_die_before_the_time_it_states():
    caller = Caller(token_dies_after=10)
    caller.now += 16

    assert caller.call("GET", "/v1/cloudimages/quota").status == 401


def test_a_token_of_another_region_must_be_updated():
    caller = Caller()

    assert error(caller.call("GET", "/v1/cloudimages/quota", host="ims.cn-east-3.x.com")) == "APIGW.0307"


def test_expire_tokens_ends_them_all_at_once():
    caller = Caller()
    assert json.loads(caller.call("POST", "/_sim/expire-tokens").body) == {"expired": 1}

    assert caller.call("GET", "/v1/cloudimages/quota").status == 401


def test_a_path_with_another_project_than_the_callers_is_refused():
    assert error(Caller().call("GET", f"/v1/{'f' * 32}/jobs/x")) == "IMG.0030"


def test_a_forbidden_call_is_refused_and_others_are_not():
    caller = Caller(forbidden={"import"})
    reply = caller.submit()

    assert (reply.status, error(reply)) == (403, "APIGW.0302")
    assert caller.call("GET", "/v1/cloudimages/quota").status == 200


def test_a_further_project_of_a_region_is_let_in_and_listed():
    sub = "ab" * 16
    caller = Caller(projects={sub: "cn-north-4"})

    assert signed(caller, x_project_id=sub).status == 200
    assert signed(caller, x_project_id="cd" * 16).code == "APIGW.0310"
    assert caller.simulator.guard.region_of(sub) == "cn-north-4"
    names = {one["id"]: one["name"] for one in caller.get("/v3/projects")["projects"]}
    assert names[sub] == "cn-north-4_abababab"
    (found,) = caller.get("/v3/projects", ("name", names[sub]))["projects"]
    assert found["id"] == sub
