"""The service repeats what it was sent, in every answer: none of it is written or said."""

import base64
from urllib.parse import quote

import pytest

from tests.adversary.conftest import AK, PROJECT, SK
from tests.adversary.server import Answer, Asked, refusal

PASSWORD, TOKEN = "adversary-Passw0rd!#%", "MIIadversaryTOKEN" + "Ab3" * 60
SECURITY = "security-token-of-an-adversary-" + "Zx9" * 30
CONTROL = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\x9b31m"


def spellings(secret: str) -> list[bytes]:
    """How a secret may be repeated."""
    plain = secret.encode()
    coded = base64.b64encode(plain).rstrip(b"=")
    return [plain, plain[:-3], quote(secret, safe="").encode(), coded]


def said(*secrets: str) -> str:
    return " ".join(text.decode() for secret in secrets for text in spellings(secret)) + CONTROL


def clean(outcome, *secrets: str) -> None:
    for what, data in outcome.everything.items():
        for secret in secrets:
            for text in spellings(secret):
                assert text not in data, f"{text[:30]!r} in {what}"
    for what in ("stdout", "stderr"):
        for sign in ("\x1b]", "\x1b[2J", "\x07", "\u202e", "\x9b"):
            assert sign.encode() not in outcome.everything[what], f"{sign!r} in {what}"


def everywhere(it, echo: str) -> None:
    """Refuse, fail and describe in words that repeat `echo`; half of the images come through."""

    def imports(asked: Asked) -> Answer | None:
        match asked.number % 5:
            case 0:
                return refusal(503, "APIGW.0202", f"backend error {echo}")
            case 1:
                job = it.cloud.accept(asked.body, state="FAIL")
                job.says = {"error_code": "IMG.0057", "fail_reason": f"bad file {echo}"}
                return Answer(body={"job_id": job.id})
            case 2:
                return refusal(400, "IMG.0158", f"wrong parameter {echo}")
            case 3:
                job = it.cloud.accept(asked.body)
                job.image = {"__description": echo, "__os_version": echo, "__data_origin": echo}
                return Answer(body={"job_id": job.id, "echo": echo})
        return None

    it.cloud.on("import", imports)
    it.cloud.on("job", lambda asked: refusal(500, echo, echo) if asked.number % 3 == 0 else None)
    it.cloud.on("list", lambda asked: refusal(403, "IMG.0000", echo) if asked.number == 40 else None)


def test_access_key_and_secret_key(battle):
    it = battle(speed=300.0)
    everywhere(it, f"ak {AK} not exist {said(AK, SK)}")
    it.plan(10, policy='late = "10s"')

    outcome = it.run("-v")

    assert len(set(outcome.statuses.values())) > 1
    clean(outcome, AK, SK)


def test_a_security_token(battle):
    it = battle(speed=300.0)
    it.env["HUAWEICLOUD_SDK_SECURITY_TOKEN"] = SECURITY
    everywhere(it, said(SECURITY, SK))
    it.plan(10, policy='late = "10s"')

    clean(it.run("-v"), SECURITY, SK)


@pytest.fixture
def login() -> dict[str, str]:
    return {"HW_USER_NAME": "operator", "HW_USER_PASSWORD": PASSWORD, "HW_DOMAIN_NAME": "account"}


def test_password_and_token(battle, login):
    it = battle(speed=300.0)
    it.env = login | {"HUAWEICLOUD_SDK_AK": "", "HUAWEICLOUD_SDK_SK": ""}
    everywhere(it, said(PASSWORD, TOKEN))
    token = {
        "token": {"expires_at": "2099-01-01T00:00:00.000000Z", "project": {"id": PROJECT}, "echo": PASSWORD}
    }
    it.cloud.on("iam", lambda asked: Answer(status=201, body=token, headers={"X-Subject-Token": TOKEN}))
    it.plan(10, policy='late = "10s"')

    outcome = it.run("-v")

    assert it.cloud.count("iam") >= 1
    assert len(set(outcome.statuses.values())) > 1, outcome.err
    clean(outcome, PASSWORD, TOKEN)


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_what_iam_says_of_a_login_that_fails(battle, login, status):
    it = battle(speed=300.0)
    it.env = login | {"HUAWEICLOUD_SDK_AK": "", "HUAWEICLOUD_SDK_SK": ""}
    body = {"error": {"code": status, "message": f"wrong password {said(PASSWORD)}", "title": said(PASSWORD)}}
    it.cloud.on("iam", lambda asked: Answer(status=status, body=body))
    it.plan(2, policy='late = "10s"\n', limits='request_timeout = "2s"')

    outcome = it.run("-v", "--max-duration", "20m")

    assert outcome.code in (6, 7), outcome.err
    assert it.cloud.accepted == {}
    clean(outcome, PASSWORD)
