"""Credentials are found under the names of Huawei's tools, and what is missing is named, never shown."""

import json
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from migrator.domain.cloud import Fault
from migrator.domain.credentials import Keys, Login, ReadyToken
from migrator.domain.errors import CredentialsError, OutcomeUnknown, RetryableError, Unreachable
from migrator.domain.http import Request, Response
from migrator.domain.secrets import SECRETS
from migrator.io.credentials import Identity, MetadataKeys, ProfileKeys, find, masked
from tests.fakes import FakeClock
from tests.ims.scripted import ScriptedHttp, answer

pytestmark = pytest.mark.anyio

AK, SK = "AKEXAMPLE0000000TEST", "not-a-real-secret"
SDK = {"HUAWEICLOUD_SDK_AK": AK, "HUAWEICLOUD_SDK_SK": SK}
TERRAFORM = {"HW_ACCESS_KEY": "AKTERRAFORM000000001", "HW_SECRET_KEY": "other-secret"}
USER = {"HW_USER_NAME": "li", "HW_USER_PASSWORD": "hunter2-hunter2", "HW_DOMAIN_NAME": "acme"}


async def keys_of(found: Identity) -> Keys:
    assert not isinstance(found.secret, Login | ReadyToken)
    return await found.secret()


# --- Environment ----------------------------------------------------------------------------------------


async def test_the_sdks_names_come_before_terraforms():
    assert await keys_of(find("env", {**TERRAFORM, **SDK})) == Keys(ak=AK, sk=SecretStr(SK))
    assert (await keys_of(find("env", TERRAFORM))).ak == "AKTERRAFORM000000001"


@pytest.mark.parametrize(
    ("names", "token"),
    [(SDK, "HUAWEICLOUD_SDK_SECURITY_TOKEN"), (TERRAFORM, "HW_SECURITY_TOKEN")],
)
async def test_temporary_keys_bring_their_security_token(names, token):
    found = await keys_of(find("env", {**names, token: "gAAA"}))

    assert found.security_token == SecretStr("gAAA")


@pytest.mark.parametrize("name", ["HUAWEICLOUD_SDK_PROJECT_ID", "HW_PROJECT_ID"])
@pytest.mark.parametrize("names", [SDK, TERRAFORM, USER, {"HW_AUTH_TOKEN": "t"}])
def test_a_project_may_stand_beside_any_credentials(name, names):
    assert find("env", {**names, name: "p-1"}).project_id == "p-1"
    assert find("env", names).project_id is None


def test_a_ready_token_is_taken_as_it_is():
    assert find("env", {"HW_AUTH_TOKEN": "MIIx"}).secret == ReadyToken(token=SecretStr("MIIx"))


def test_a_user_logs_in_with_password_and_account():
    assert find("env", USER).secret == Login(user="li", password=SecretStr("hunter2-hunter2"), domain="acme")


def test_keys_come_before_a_token_and_a_token_before_a_user():
    assert isinstance(find("env", {**USER, "HW_AUTH_TOKEN": "t"}).secret, ReadyToken)
    assert not isinstance(find("env", {**USER, "HW_AUTH_TOKEN": "t", **TERRAFORM}).secret, ReadyToken)


def test_without_credentials_the_error_names_what_was_looked_for():
    with pytest.raises(CredentialsError) as caught:
        find("env", {"HW_DOMAIN_NAME": "acme", "HW_PROJECT_ID": "p", "HW_ACCESS_KEY": "  "})

    for name in ("HUAWEICLOUD_SDK_AK", "HW_ACCESS_KEY", "HW_AUTH_TOKEN", "HW_USER_NAME"):
        assert name in str(caught.value)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(
    ("missing", "present"),
    [
        ("HUAWEICLOUD_SDK_SK", {"HUAWEICLOUD_SDK_AK": AK, **TERRAFORM}),
        ("HUAWEICLOUD_SDK_AK", {"HUAWEICLOUD_SDK_SK": SK}),
        ("HW_SECRET_KEY", {"HW_ACCESS_KEY": AK}),
        ("HW_USER_PASSWORD", {"HW_USER_NAME": "li", "HW_DOMAIN_NAME": "acme"}),
        ("HW_DOMAIN_NAME", {"HW_USER_NAME": "li", "HW_USER_PASSWORD": "x"}),
        ("TEAM_SK", {"TEAM_AK": AK}),
    ],
)
def test_half_of_something_is_an_error_that_names_the_other_half_and_shows_nothing(missing, present):
    with pytest.raises(CredentialsError) as caught:
        find("env:TEAM" if missing.startswith("TEAM") else "env", present)

    said = str(caught.value) + caught.value.hint
    assert f"{missing} is missing" in said
    assert AK not in said
    assert SK not in said


@pytest.mark.parametrize("source", ["env:TEAM", "env:TEAM_"])
async def test_a_prefix_of_ones_own_stands_before_either_spelling(source):
    short = {"TEAM_AK": AK, "TEAM_SK": SK, "TEAM_SECURITY_TOKEN": "s", "TEAM_PROJECT_ID": "p"}
    long = {"TEAM_ACCESS_KEY": AK, "TEAM_SECRET_KEY": SK}
    user = {"TEAM_USER_NAME": "li", "TEAM_USER_PASSWORD": "x", "TEAM_DOMAIN_NAME": "acme"}

    found = find(source, {**SDK, **short})

    assert await keys_of(found) == Keys(ak=AK, sk=SecretStr(SK), security_token=SecretStr("s"))
    assert found.project_id == "p"
    assert await keys_of(find(source, long)) == Keys(ak=AK, sk=SecretStr(SK))
    assert isinstance(find(source, user).secret, Login)
    assert isinstance(find(source, {"TEAM_AUTH_TOKEN": "t"}).secret, ReadyToken)


def test_a_prefix_does_not_fall_back_on_other_names():
    with pytest.raises(CredentialsError, match="TEAM_AK"):
        find("env:TEAM", {**SDK, **TERRAFORM})


async def test_a_line_break_at_the_end_of_a_variable_does_no_harm():
    found = await keys_of(find("env", {"HW_ACCESS_KEY": f"{AK}\n", "HW_SECRET_KEY": f" {SK}\r\n"}))

    assert found == Keys(ak=AK, sk=SecretStr(SK))


@pytest.mark.parametrize("value", ["AK EXAMPLE", "AK\nEXAMPLE", "ÄKEXAMPLE", "AK\x00"])
def test_what_no_header_can_hold_is_refused_without_being_repeated(value):
    for environ in ({**SDK, "HUAWEICLOUD_SDK_AK": value}, {"HW_AUTH_TOKEN": value}):
        with pytest.raises(CredentialsError) as caught:
            find("env", environ)
        assert value not in str(caught.value) + caught.value.hint


@pytest.mark.parametrize("source", ["", "vault", "profile:", "metadata:x", "metadata", "environment"])
def test_an_unknown_source_names_the_known_ones(source):
    with pytest.raises(CredentialsError, match="profile:NAME"):
        find(source, SDK)


def test_nothing_found_is_ever_shown():
    for environ in (SDK, {"HW_AUTH_TOKEN": "MIIsecret"}, USER):
        shown = repr(find("env", environ))
        for secret in (AK, SK, "MIIsecret", "hunter2"):
            assert secret not in shown


def test_an_access_key_is_shown_by_its_ends_only():
    assert masked(AK) == "AKEX…ST"
    assert masked("SHORT") == "…"
    assert "AKEX…ST" in find("env", SDK).where


# --- Profile --------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".huaweicloud").mkdir()
    return tmp_path


def write(home: Path, text: str) -> Path:
    """Replace the profile as an editor does, so that even within one tick of the clock it is another file."""
    path = home / ".huaweicloud" / "credentials"
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)
    return path


PROFILE = f"[basic]\nak = {AK}\nsk = {SK}%x\nproject_id = p-1\n\n[prod]\nak=PRODAK\nsk=s\nsecurity_token=t\n"


async def test_a_profile_is_a_section_of_the_sdks_file(home):
    write(home, PROFILE)

    basic, prod = find("profile:basic", {}, home=home), find("profile:prod", {}, home=home)

    assert await keys_of(basic) == Keys(ak=AK, sk=SecretStr(f"{SK}%x"))
    assert await keys_of(prod) == Keys(ak="PRODAK", sk=SecretStr("s"), security_token=SecretStr("t"))
    assert (basic.project_id, prod.project_id) == ("p-1", None)


async def test_the_sdks_variable_may_name_another_file(tmp_path):
    path = tmp_path / "elsewhere"
    path.write_text("\ufeff" + PROFILE, encoding="utf-8")

    found = find("profile:prod", {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(path)}, home=tmp_path)

    assert (await keys_of(found)).ak == "PRODAK"


async def test_a_profile_is_read_again_only_when_its_file_changes(home):
    source = ProfileKeys(write(home, PROFILE), "prod")
    first = await source()

    assert await source() is first
    write(home, PROFILE)
    assert await source() is first
    write(home, PROFILE.replace("PRODAK", "NEWAK"))
    assert (await source()).ak == "NEWAK"


@pytest.mark.parametrize("text", ["", "[prod]\nak=NEWAK\n", "garbage", "[other]\nak=x\nsk=y\n"])
async def test_while_a_profile_is_being_rewritten_the_old_keys_stay(home, text):
    path = write(home, PROFILE)
    source = ProfileKeys(path, "prod")
    await source()

    write(home, text)
    assert (await source()).ak == "PRODAK"
    path.unlink()
    assert (await source()).ak == "PRODAK"
    write(home, PROFILE.replace("PRODAK", "NEWAK"))
    assert (await source()).ak == "NEWAK"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"[basic]\nak=x\nsk=y\n", "there is: basic", id="no such section"),
        pytest.param(b"[prod]\nak=x\n", "does not say sk", id="no sk"),
        pytest.param(b"[prod]\n", "ak and sk", id="an empty section"),
        pytest.param(b"\xff\xfe\x00", "not UTF-8", id="not UTF-8"),
        pytest.param(f"[prod]\n{SK}\n".encode(), "not an INI file", id="not INI"),
        pytest.param(f"[prod]\nak=x\nak={SK}\n".encode(), "not an INI file", id="a key twice"),
    ],
)
def test_a_profile_that_cannot_be_used_says_why_and_shows_nothing(home, content, said):
    path = home / ".huaweicloud" / "credentials"
    path.write_bytes(content)

    with pytest.raises(CredentialsError) as caught:
        find("profile:prod", {}, home=home)

    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert SK not in str(caught.value) + repr(caught.value.__cause__)


@pytest.mark.parametrize("directory", [False, True])
def test_a_profile_file_that_is_none_is_named(home, directory):
    path = home / ".huaweicloud" / "credentials"
    if directory:
        path.mkdir()

    with pytest.raises(CredentialsError) as caught:
        find("profile:prod", {}, home=home)

    assert str(path) in str(caught.value)


# --- Metadata -------------------------------------------------------------------------------------------

SESSION = answer(200, b"session-1\n")
OLD = answer(404)
AWAY = Unreachable(Fault(code="MIG.connect-timeout", message="169.254.169.254: no connection in time"))


def granted(ak: str, until: str = "2030-03-18T17:46:40.000000Z") -> Response:
    """Keys that end a day after the fake clock's first moment, unless it says otherwise."""
    credential = {"access": ak, "secret": SK, "securitytoken": "gAAA", "expires_at": until}
    return answer(200, {"credential": credential})


async def test_an_ecs_gives_temporary_keys_to_who_opens_a_session():
    http = ScriptedHttp(SESSION, granted(AK))
    found = find("metadata", {}, http=http, clock=FakeClock())

    assert await keys_of(found) == Keys(
        ak=AK, sk=SecretStr(SK), security_token=SecretStr("gAAA"), expires_at=FakeClock.START + 86400
    )
    assert http.sent == [
        Request(
            method="PUT",
            url="http://169.254.169.254/meta-data/latest/api/token",
            headers={"X-Metadata-Token-Ttl-Seconds": "21600"},
        ),
        Request(
            method="GET",
            url="http://169.254.169.254/openstack/latest/securitykey",
            headers={"X-Metadata-Token": "session-1"},
        ),
    ]


@pytest.mark.parametrize("status", [404, 405, 503])
async def test_an_older_ecs_knows_no_sessions(status):
    http = ScriptedHttp(answer(status), granted(AK))

    assert (await MetadataKeys(http, FakeClock(), "http://127.0.0.1:9")()).ak == AK
    assert http.sent[1].headers == {}


async def test_temporary_keys_are_fetched_again_forty_minutes_before_they_end():
    http = ScriptedHttp(OLD, granted("FIRST"), OLD, granted("SECOND", "2030-03-19T17:46:40Z"))
    source = MetadataKeys(http, FakeClock())
    first = await source()

    await anyio.sleep(86400 - 2401)
    assert await source() is first
    await anyio.sleep(2)
    assert (await source()).ak == "SECOND"


async def test_however_many_tasks_need_temporary_keys_they_are_fetched_once():
    http = ScriptedHttp(SESSION, granted(AK))
    source = MetadataKeys(http, FakeClock())

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(source)

    assert len(http.sent) == 2


async def test_while_the_metadata_service_is_away_keys_are_used_to_their_end():
    http = ScriptedHttp(OLD, granted("FIRST"), AWAY, AWAY, OLD, answer(503))
    source = MetadataKeys(http, FakeClock())
    await source()

    await anyio.sleep(86400 - 60)
    assert (await source()).ak == "FIRST"
    assert (await source()).ak == "FIRST"
    assert len(http.sent) == 3
    await anyio.sleep(61)
    with pytest.raises(Unreachable):
        await source()
    with pytest.raises(RetryableError, match="503"):
        await source()


async def test_keys_that_stay_the_same_near_their_end_are_not_asked_for_with_every_request():
    soon = "2030-03-17T17:56:40Z"
    http = ScriptedHttp(OLD, granted("SAME", soon), OLD, granted("SAME", soon))
    source = MetadataKeys(http, FakeClock())

    first = await source()
    await anyio.sleep(29)
    assert await source() is first
    await anyio.sleep(2)
    assert await source() is first
    assert len(http.sent) == 4


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([AWAY], id="not an ECS"),
        pytest.param([OutcomeUnknown(AWAY.fault)], id="silent"),
        pytest.param([SESSION, answer(401)], id="no agency"),
        pytest.param([SESSION, answer(404)], id="no such path"),
        pytest.param([SESSION, answer(200, b"<html>")], id="not JSON"),
        pytest.param([SESSION, answer(200, {"credential": None})], id="no credential"),
        pytest.param([SESSION, answer(200, json.dumps({"credential": {"access": "x"}}).encode())], id="half"),
        pytest.param([SESSION, granted(AK, "soon")], id="an odd end"),
        pytest.param([SESSION, answer(200, b"[" * 100_000)], id="deep"),
    ],
)
async def test_without_keys_from_the_metadata_service_the_error_says_where_it_works(script):
    with pytest.raises(CredentialsError) as caught:
        await MetadataKeys(ScriptedHttp(*script), FakeClock())()

    assert "ECS" in caught.value.hint


# --- Secret from then on --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "secret"),
    [
        pytest.param(SDK, AK, id="access key"),
        pytest.param(SDK, SK, id="secret key"),
        pytest.param(
            {**SDK, "HUAWEICLOUD_SDK_SECURITY_TOKEN": "a-security-token"}, "a-security-token", id="token"
        ),
        pytest.param({"HW_AUTH_TOKEN": "a-ready-token"}, "a-ready-token", id="ready token"),
        pytest.param(USER, "hunter2-hunter2", id="password"),
    ],
)
def test_what_the_environment_holds_is_secret(environ, secret):
    find("env", environ)

    assert SECRETS.masked(f"no such {secret}!") == "no such ***!"


def test_so_is_what_turns_out_to_be_unusable():
    with pytest.raises(CredentialsError):
        find("env", {"HW_ACCESS_KEY": AK})

    assert SECRETS.masked(AK) == "***"


async def test_what_a_profile_holds_is_secret(home):
    write(home, f"[default]\nak = {AK}\nsk = {SK}\nsecurity_token = a-security-token\n")
    find("profile:default", {}, home=home)

    assert SECRETS.masked(f"{AK} {SK} a-security-token") == "*** *** ***"


async def test_what_the_metadata_service_gives_is_secret():
    http = ScriptedHttp(answer(200, b"a-session-of-ours"), granted(AK))
    await keys_of(find("metadata", {}, http=http, clock=FakeClock()))

    assert SECRETS.masked(f"{AK} a-session-of-ours") == "*** ***"
