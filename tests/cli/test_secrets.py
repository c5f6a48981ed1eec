"""Nothing that a run writes anywhere holds a key, a password, a token or a signature."""

import json
import re
import signal
from pathlib import Path

import pytest

from migrator.domain.http import Request
from migrator.simulator.settings import Odds
from tests.cli.conftest import AK, SK, Desk, Result, ended
from tests.cli.echoes import WRITTEN, betrayed, betrayed_in, echoing

CASES = Path(__file__).parent.parent / "cases"

PASSWORD = "canary-password-öäü-!§$%&/()=?"
LOGIN = {"HW_USER_NAME": "simulator", "HW_USER_PASSWORD": PASSWORD, "HW_DOMAIN_NAME": "simulator"}
FAULTS = Odds(error_before=0.15, error_after=0.1, reset_before=0.05, truncate=0.05, throttle=0.1)
LOUD = ("-v", "-v", "--log-file", "run.log", "--json")


def finds(it: Desk, result: Result, *canaries: str) -> dict[str, set[str]]:
    """What of the canaries, of all that the cloud issued and of every signature can be read, and where."""
    guard = it.running.simulator.guard
    issued = {*guard.tokens, *(key.secret for key in guard.keys.values()), SK}
    issued |= {key.security_token for key in guard.keys.values() if key.security_token}
    secrets = {secret for secret in issued | set(canaries) if secret}
    assert secrets
    written = {
        str(path.relative_to(it.folder)): path.read_bytes() for path in it.folder.rglob("*") if path.is_file()
    }
    assert {"run.log", "reports/dc-east/journal.db", "reports/dc-east/report.json"} <= written.keys()
    texts = written | {"stdout": result.out.encode(), "stderr": result.err.encode()}
    found: dict[str, set[str]] = {}
    for where, text in texts.items():
        here = {secret for secret in secrets for form in forms(secret) if form in text}
        here |= {match.decode() for match in re.findall(rb"Signature=(?!\*\*\*)[^\s\"']+", text)}
        if here:
            found[where] = here
    return found


def forms(secret: str) -> set[bytes]:
    """How a secret may have been written down."""
    return {secret.encode(), json.dumps(secret)[1:-1].encode(), repr(secret)[1:-1].encode()}


def test_keys(desk):
    it = desk(import_odds=FAULTS, poll_odds=FAULTS, other_odds=FAULTS, fates={"web-02": "IMG.0057"})

    result = it("run", it.plan(5), *LOUD)

    assert result.code == 3
    assert finds(it, result, AK) == {}


def test_temporary_keys(desk):
    it = desk()
    simulator = it.running.simulator
    key = simulator.guard.new_key(it.running.now(), 3600.0)
    it.env = {
        "HUAWEICLOUD_SDK_AK": key.access,
        "HUAWEICLOUD_SDK_SK": key.secret,
        "HUAWEICLOUD_SDK_SECURITY_TOKEN": key.security_token,
    }

    result = it("run", it.plan(3), *LOUD)

    assert result.code == 0
    assert finds(it, result, key.access, key.secret, key.security_token) == {}


def test_a_login_and_the_tokens_that_it_gives(desk):
    it = desk(password=PASSWORD, token_dies_after=0.5, job_seconds=1.0, poll_odds=FAULTS, other_odds=FAULTS)
    it.env = LOGIN

    result = it("run", it.plan(3), *LOUD)

    assert result.code == 0
    assert len(it.running.simulator.guard.tokens) >= 2
    assert finds(it, result, PASSWORD) == {}


@pytest.mark.parametrize(
    "env",
    [
        pytest.param(LOGIN, id="wrong password"),
        pytest.param(
            {"HW_ACCESS_KEY": AK, "HW_SECRET_KEY": "canary-wrong-key-0000000000001"}, id="wrong key"
        ),
        pytest.param({"HW_AUTH_TOKEN": "canary-stale-token-000000000000001"}, id="stale token"),
    ],
)
def test_credentials_that_are_refused(desk, env):
    it = desk()
    it.env = env

    result = it("run", it.plan(3), "--no-preflight", *LOUD)

    assert result.code == 6
    secret = [value for name, value in env.items() if not name.endswith("_NAME")]
    assert finds(it, result, *secret) == {}


def test_a_traceback(desk, monkeypatch):
    it = desk()
    path = it.plan(3)
    assert it("run", path, "--log-file", "run.log").code == 0

    async def broken(http: object, signer: object, sent: Request) -> None:
        raise RuntimeError(f"cannot cope with {sent.headers}")

    monkeypatch.setattr("migrator.ims.client.send_once", broken)

    result = it("run", path, *LOUD, "--again", "north/web-01")

    assert result.code == 1
    assert "Traceback" in result.err
    assert "cannot cope with" in result.err
    assert finds(it, result, AK) == {}


def test_a_run_that_is_cut_short_in_a_process_of_its_own(desk):
    it = desk(job_seconds=60.0)
    child = it.start("run", it.plan(3), *LOUD, PYTHONASYNCIODEBUG="1")
    it.wait_for_imports(3)

    child.send_signal(signal.SIGINT)
    result = ended(child)

    assert result.code == 130
    assert finds(it, result, AK) == {}


def test_the_search_would_find_one(desk):
    it = desk()
    result = it("run", it.plan(1), *LOUD)
    (it.folder / "leak.txt").write_text(f"Authorization: Access={AK}, Signature=0123abcd")

    assert finds(it, result, AK) == {"leak.txt": {AK, "Signature=0123abcd"}}


# --- A cloud that repeats what it is sent ---------------------------------------------------------------

KEY, SECRET_KEY = "ECHOACCESSKEY0000001", "Echo/secret+key=0000000000000000000000001"
SECURITY_TOKEN = "gQpjbi1ub3J0aC0" + "Echo+security/token" * 30
READY_TOKEN = "MIIQhgYJKoZI" + "hvcNAQcCoIIEcho" * 60
ISSUED = "MIIFromALogin" + "KoZIhvcNAQcC+/" * 60
ECHO_PASSWORD = "Echo pässword §$%&/()=?"

WHO = {
    "temporary keys": {
        "HUAWEICLOUD_SDK_AK": KEY,
        "HUAWEICLOUD_SDK_SK": SECRET_KEY,
        "HUAWEICLOUD_SDK_SECURITY_TOKEN": SECURITY_TOKEN,
    },
    "login": {"HW_USER_NAME": "somebody", "HW_USER_PASSWORD": ECHO_PASSWORD, "HW_DOMAIN_NAME": "account"},
    "ready token": {"HW_AUTH_TOKEN": READY_TOKEN},
}


def of(who: str) -> set[str]:
    """What nobody may read of somebody."""
    secret = {value for name, value in WHO[who].items() if name not in ("HW_USER_NAME", "HW_DOMAIN_NAME")}
    return secret | ({ISSUED} if who == "login" else set())


@pytest.mark.parametrize(
    ("written", "preflight"),
    [*((written, False) for written in WRITTEN), ("plain", True), ("base64 of more", True)],
)
@pytest.mark.parametrize("who", WHO)
def test_nothing_of_what_any_answer_repeats_is_written_anywhere(desk, who, written, preflight):
    with echoing(of(who), WRITTEN[written], ISSUED) as cloud:
        it = desk()
        it.running, it.env, it.preflight = cloud, WHO[who], preflight
        plan = it.plan(12, max_failures="100%")

        result = it.spawn("run", plan, *LOUD, "--max-duration", "3s")
        asked = dict(cloud.asked)

    assert "internal error" not in result.err
    assert preflight or asked["import"] >= 12
    assert betrayed_in(it.folder, {"stdout": result.out, "stderr": result.err}, of(who)) == {}
    assert "***" in result.err + result.out + (it.folder / "run.log").read_text()


NO_SUCH_KEY = json.loads((CASES / "answers/key-does-not-exist.json").read_text())


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("status", [200, 400, 401, 403, 500])
@pytest.mark.parametrize("command", ["run", "preflight", "reconcile"])
def test_nor_of_a_refusal_in_words_of_its_own(desk, who, status, command):
    with echoing(of(who) - {ISSUED}, WRITTEN["plain"], ISSUED) as cloud:
        it = desk()
        it.running, it.env = cloud, WHO[who]
        plan = it.plan(2, max_failures="100%")
        words = json.dumps(NO_SUCH_KEY["body"]).replace(
            "AKEXAMPLE0000000TEST", json.dumps(cloud.all_of_it())[1:-1]
        )
        cloud.always = (status, words)

        secrets = of(who) - {ISSUED}  # which nobody ever issued
        limit = ("--max-duration", "1s") if command == "run" else ()
        result = it(command, plan, *LOUD, *limit)

    assert "internal error" not in result.err
    assert betrayed_in(it.folder, {"stdout": result.out, "stderr": result.err}, secrets) == {}


def test_a_key_that_is_not_ours_is_shortened_in_any_wording(desk):
    it = desk()
    with echoing({AK, SK}, WRITTEN["plain"], ISSUED) as cloud:
        it.running = cloud
        cloud.always = (NO_SUCH_KEY["status"], NO_SUCH_KEY["body"])

        result = it("run", it.plan(1))

    assert result.code == 6
    assert "AKEXAMPLE0000000TEST" not in result.err
    assert "ak AKEX…ST not exist" in result.err


@pytest.mark.parametrize("written", WRITTEN)
def test_the_search_for_beginnings_would_find_one(written):
    for secret in (KEY, SECRET_KEY, SECURITY_TOKEN, READY_TOKEN, ISSUED, ECHO_PASSWORD):
        assert betrayed(f"it said: {WRITTEN[written](secret)}!", {secret, "another secret"}) == {secret}
