"""Tokens: one login however many need it, never a second try with a wrong password, renewed in time."""

import json
from datetime import UTC, datetime, timedelta

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from migrator.domain.cloud import Fault
from migrator.domain.credentials import Keys, Login, ReadyToken
from migrator.domain.errors import (
    CloudError,
    CredentialsError,
    OutcomeUnknown,
    RejectedError,
    RetryableError,
    TargetHaltedError,
    Unreachable,
)
from migrator.domain.http import Request, Response
from migrator.domain.secrets import SECRETS
from migrator.ims.identity import (
    FixedTokenSigner,
    ProjectLookup,
    TemporaryKeys,
    Token,
    TokenSigner,
    login_request,
    project_id,
    read_project_id,
    read_temporary_keys,
    read_token,
)
from tests.fakes import FakeClock
from tests.ims.scripted import CountingSigner, ScriptedHttp, answer

pytestmark = pytest.mark.anyio

ENDPOINT = "https://iam.cn-north-4.myhuaweicloud.com"
PROJECT = "0123456789abcdef0123456789abcdef"
LOGIN = Login(user="migrator", password=SecretStr("hunter2-hunter2"), domain="example-account")
GET = Request(method="GET", url="https://ims.example/v1/x")
LOST = OutcomeUnknown(Fault(code="MIG.timeout", message="no answer within 60 s"))
ISSUED = datetime(2025, 1, 2, 3, 4, 5, 701000, UTC)


def granted(token: str, hours: float = 24.0) -> Response:
    expires = (ISSUED + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    body = {
        "token": {
            "expires_at": expires,
            "issued_at": "2025-01-02T03:04:05.701000Z",
            "project": {"id": PROJECT, "name": "cn-north-4"},
        }
    }
    return answer(201, body, x_subject_token=token)


WRONG = answer(
    401, {"error": {"code": 401, "message": "The username or password is wrong.", "title": "Unauthorized"}}
)


def signer(http: ScriptedHttp) -> TokenSigner:
    return TokenSigner(http, ENDPOINT, LOGIN, region="cn-north-4", clock=FakeClock())


def test_a_login_asks_for_a_token_of_the_regions_project():
    request = login_request(ENDPOINT, LOGIN, region="cn-north-4")

    assert (request.method, request.url) == ("POST", f"{ENDPOINT}/v3/auth/tokens")
    assert json.loads(request.body) == {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {
                    "user": {
                        "name": "migrator",
                        "password": "hunter2-hunter2",
                        "domain": {"name": "example-account"},
                    }
                },
            },
            "scope": {"project": {"name": "cn-north-4"}},
        }
    }


def test_a_login_names_its_project_by_id_where_that_is_known():
    body = json.loads(login_request(ENDPOINT, LOGIN, region="cn-north-4", project_id=PROJECT).body)

    assert body["auth"]["scope"] == {"project": {"id": PROJECT}}


def test_neither_a_login_nor_its_answer_shows_a_secret():
    shown = repr([LOGIN, login_request(ENDPOINT, LOGIN, region="r"), granted("MIIsecret")])

    assert "hunter2" not in shown + repr(read_token(granted("MIIsecret")))
    assert "MIIsecret" not in shown + repr(read_token(granted("MIIsecret")))


def test_a_token_lives_as_long_as_the_services_own_clock_says():
    assert read_token(granted("t")) == Token(value="t", lifetime=86400.0, project_id=PROJECT)


def test_a_token_without_dates_is_taken_for_a_days():
    assert read_token(answer(201, b"", x_subject_token="t")) == Token(value="t", lifetime=86400.0)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        pytest.param(WRONG, CredentialsError, id="wrong password"),
        pytest.param(answer(401, {"error_code": "IAM.0061", "error_msg": ""}), CredentialsError, id="locked"),
        pytest.param(answer(403), CredentialsError, id="not allowed"),
        pytest.param(answer(400), CredentialsError, id="malformed"),
        pytest.param(answer(404), CredentialsError, id="wrong endpoint"),
        pytest.param(answer(429), RetryableError, id="throttled"),
        pytest.param(answer(400, {"error_code": "IAM.0012", "error_msg": ""}), RetryableError, id="as a 400"),
        pytest.param(answer(500), RetryableError, id="500"),
        pytest.param(answer(503), RetryableError, id="503"),
        pytest.param(answer(201), RetryableError, id="no token"),
        pytest.param(
            answer(201, x_subject_token="a\nb"), RetryableError, id="no token that a header may hold"
        ),
    ],
)
def test_a_login_that_fails_says_whether_it_is_worth_another_try(response, kind):
    with pytest.raises(kind):
        read_token(response)


async def test_one_token_signs_every_request():
    http = ScriptedHttp(granted("first"))
    ours = signer(http)

    signed = [await ours.sign(GET) for _ in range(3)]

    assert [request.headers["X-Auth-Token"] for request in signed] == ["first"] * 3
    assert len(http.sent) == 1
    assert await ours.project_id() == PROJECT


async def test_however_many_tasks_need_a_token_one_login_is_made():
    http = ScriptedHttp(granted("first"))
    ours = signer(http)
    tokens: list[str] = []

    async def use() -> None:
        tokens.append((await ours.sign(GET)).headers["X-Auth-Token"])

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(use)

    assert tokens == ["first"] * 50
    assert len(http.sent) == 1


async def test_a_task_that_gives_up_while_it_logs_in_leaves_the_login_to_the_next():
    class SlowOnce(ScriptedHttp):
        async def send(self, request: Request) -> Response:
            if not self.sent:
                self.sent.append(request)
                await anyio.sleep(1000)
            return await super().send(request)

    http = SlowOnce(granted("second"))
    ours = signer(http)
    tokens: list[str] = []

    async def use() -> None:
        tokens.append((await ours.sign(GET)).headers["X-Auth-Token"])

    async with anyio.create_task_group() as group:
        with anyio.move_on_after(5):
            group.start_soon(use)
            await ours.sign(GET)
    assert tokens == ["second"]
    assert (await ours.sign(GET)).headers["X-Auth-Token"] == "second"


async def test_a_wrong_password_is_said_to_everybody_and_tried_once():
    http = ScriptedHttp(WRONG)
    ours = signer(http)
    refused: list[str] = []

    async def use() -> None:
        try:
            await ours.sign(GET)
        except CredentialsError as error:
            refused.append(str(error))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(use)
    await use()

    assert len(refused) == 21
    assert "wrong" in refused[-1]
    assert len(http.sent) == 1


async def test_those_who_waited_for_a_login_share_its_failure_and_later_ones_try_again():
    http = ScriptedHttp(Unreachable(LOST.fault), granted("second"))
    ours = signer(http)
    failed: list[type] = []

    async def use() -> None:
        try:
            await ours.sign(GET)
        except RetryableError as error:
            failed.append(type(error))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(use)

    assert failed == [Unreachable] * 20
    assert len(http.sent) == 1
    assert (await ours.sign(GET)).headers["X-Auth-Token"] == "second"


async def test_a_login_without_an_answer_may_be_repeated():
    with pytest.raises(RetryableError):
        await signer(ScriptedHttp(LOST)).sign(GET)


async def test_a_token_is_renewed_before_it_ends():
    http = ScriptedHttp(granted("first", hours=24), granted("second"))
    ours = signer(http)
    await ours.sign(GET)

    await anyio.sleep(24 * 3600 - 601)
    before = await ours.sign(GET)
    await anyio.sleep(2)
    after = await ours.sign(GET)

    assert [before.headers["X-Auth-Token"], after.headers["X-Auth-Token"]] == ["first", "second"]


async def test_while_the_identity_service_is_away_an_old_token_is_used_to_its_end():
    away = Unreachable(LOST.fault)
    http = ScriptedHttp(granted("first", hours=1), away, away)
    ours = signer(http)
    await ours.sign(GET)

    await anyio.sleep(3600 - 300)
    assert (await ours.sign(GET)).headers["X-Auth-Token"] == "first"
    assert (await ours.sign(GET)).headers["X-Auth-Token"] == "first"
    assert len(http.sent) == 2
    await anyio.sleep(301)
    with pytest.raises(Unreachable):
        await ours.sign(GET)


async def test_a_refused_token_is_renewed_once_for_everybody_who_used_it():
    http = ScriptedHttp(granted("first"), granted("second"))
    ours = signer(http)
    rejected = await ours.sign(GET)
    renewed: list[bool] = []

    async def renew() -> None:
        renewed.append(await ours.renew(rejected))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(renew)

    assert renewed == [True] * 20
    assert len(http.sent) == 2
    assert await ours.renew(rejected)
    assert len(http.sent) == 2


async def test_a_login_that_gives_the_refused_token_again_is_no_renewal():
    ours = signer(ScriptedHttp(granted("same"), granted("same")))
    rejected = await ours.sign(GET)

    assert not await ours.renew(rejected)


async def test_a_ready_token_signs_and_cannot_be_renewed():
    ours = FixedTokenSigner(ReadyToken(token=SecretStr("ready")))

    signed = await ours.sign(GET)

    assert signed.headers["X-Auth-Token"] == "ready"
    assert not await ours.renew(signed)


# --- Projects -------------------------------------------------------------------------------------------


def projects(*names: str) -> Response:
    return answer(200, {"projects": [{"id": name, "name": "cn-north-4"} for name in names]})


async def test_the_project_of_a_region_is_looked_up_by_its_name():
    http = ScriptedHttp(projects(PROJECT))

    assert await project_id(http, CountingSigner(), ENDPOINT, "cn-north-4") == PROJECT
    assert http.sent[0].url == f"{ENDPOINT}/v3/projects"
    assert http.sent[0].query == (("name", "cn-north-4"),)


@pytest.mark.parametrize(
    "response",
    [
        pytest.param([projects(), projects()], id="none"),
        pytest.param([projects("a", "b")], id="several"),
        pytest.param([answer(403)], id="not allowed to ask"),
        pytest.param([answer(401)], id="wrong keys"),
    ],
)
async def test_a_project_is_never_guessed(response):
    with pytest.raises(CredentialsError) as caught:
        await project_id(ScriptedHttp(*response), CountingSigner(), ENDPOINT, "cn-north-4")

    assert "cn-north-4" in str(caught.value)
    assert caught.value.hint


async def test_where_projects_are_called_region_and_name_those_there_are_are_told():
    every = [{"id": f"p-{name}", "name": name} for name in ("eu-de_test", "eu-nl_other", "eu-de_prod")]
    http = ScriptedHttp(answer(200, {"projects": []}), answer(200, {"projects": every}))

    with pytest.raises(CredentialsError) as caught:
        await project_id(http, CountingSigner(), ENDPOINT, "eu-de")

    assert str(caught.value) == "these credentials see no project named eu-de, but eu-de_prod, eu-de_test"
    assert 'project_name = "eu-de_prod"' in (caught.value.hint or "")
    assert http.sent[1].query == ()


@pytest.mark.parametrize("trouble", [answer(503), LOST, answer(200, b"<html>")])
async def test_a_look_up_that_fails_in_passing_is_tried_later(trouble):
    with pytest.raises(RetryableError):
        await project_id(ScriptedHttp(trouble), CountingSigner(), ENDPOINT, "cn-north-4")


async def test_a_project_is_looked_up_once_for_everybody():
    http = ScriptedHttp(projects(PROJECT))
    lookup = ProjectLookup(http, CountingSigner(), ENDPOINT, "cn-north-4")
    found: list[str] = []

    async def use() -> None:
        found.append(await lookup())

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(use)

    assert found == [PROJECT] * 20
    assert len(http.sent) == 1


async def test_a_look_up_that_failed_in_passing_is_repeated_but_a_refused_one_is_not():
    http = ScriptedHttp(answer(503), projects(), projects())
    lookup = ProjectLookup(http, CountingSigner(), ENDPOINT, "cn-north-4")

    with pytest.raises(RetryableError):
        await lookup()
    for _ in range(3):
        with pytest.raises(CredentialsError):
            await lookup()
    assert len(http.sent) == 3


# --- Temporary keys -------------------------------------------------------------------------------------


def temporary(ak: str) -> Response:
    credential = {
        "access": ak,
        "secret": "TEMPSK",
        "securitytoken": "gAAA",
        "expires_at": "2025-01-02T04:04:05Z",
    }
    return answer(201, {"credential": credential})


async def test_a_token_is_exchanged_for_keys_that_are_renewed_in_time():
    http = ScriptedHttp(temporary("FIRST"), temporary("SECOND"))
    source = TemporaryKeys(http, CountingSigner(), ENDPOINT, FakeClock())

    first, again = await source(), await source()
    await anyio.sleep(3600 - 599)
    second = await source()

    assert first is again
    assert (first.ak, second.ak) == ("FIRST", "SECOND")
    assert isinstance(first, Keys)
    assert json.loads(http.sent[0].body)["auth"]["identity"]["methods"] == ["token"]


@pytest.mark.parametrize(
    "response", [answer(201, {"credential": {"access": "x"}}), answer(201, b"["), answer(503)]
)
async def test_keys_that_cannot_be_read_are_asked_for_later(response):
    with pytest.raises(RetryableError):
        await TemporaryKeys(ScriptedHttp(response), CountingSigner(), ENDPOINT, FakeClock())()


@given(st.integers(100, 600), st.dictionaries(st.just("x-subject-token"), st.text()), st.binary(max_size=80))
def test_whatever_the_identity_service_says_it_is_a_value_or_one_of_our_errors(status, headers, body):
    response = Response(status=status, headers=headers, body=body)
    for read in (lambda: read_token(response), lambda: read_project_id(response, "r")):
        try:
            read()
        except (RetryableError, CredentialsError, TargetHaltedError, RejectedError):
            pass


# --- Secret from then on --------------------------------------------------------------------------------


def test_a_token_is_secret_whatever_came_of_its_login():
    said = {"error": {"code": 500, "message": "cannot store a-fresh-token"}}

    with pytest.raises(RetryableError, match=r"cannot store \*\*\*"):
        read_token(answer(500, said, x_subject_token="a-fresh-token"))


def test_so_are_the_password_and_a_ready_token():
    TokenSigner(ScriptedHttp(), ENDPOINT, LOGIN, region="cn-north-4", clock=FakeClock())
    FixedTokenSigner(ReadyToken(token=SecretStr("a-ready-token")))

    assert SECRETS.masked(f"{LOGIN.password.get_secret_value()} a-ready-token") == "*** ***"


@pytest.mark.parametrize("status", [201, 400, 500])
def test_temporary_keys_are_secret_whatever_the_answer_says_about_them(status):
    keys = {"access": "AKFRESH0000000000001", "secret": "fresh-secret-key", "securitytoken": "fresh-token"}
    if status == 201:
        read_temporary_keys(answer(201, {"credential": keys}))
    else:
        with pytest.raises(CloudError) as caught:
            read_temporary_keys(
                answer(status, {"credential": keys, "code": "X.1", "message": "AKFRESH0000000000001 is busy"})
            )
        assert "***" in caught.value.fault.message

    assert SECRETS.masked(" ".join(keys.values())) == "*** *** ***"


@pytest.mark.parametrize(
    "body", [b'{"credential": {"secret": "fresh-secret-key", "acc', b'{"secret": "fresh-secret-key"}']
)
def test_an_answer_that_may_hold_keys_is_never_quoted(body):
    for status in (201, 400, 503):
        with pytest.raises(CloudError) as caught:
            read_temporary_keys(answer(status, body))
        assert "fresh" not in str(caught.value)
