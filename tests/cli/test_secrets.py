"""Nothing that a run writes anywhere holds a key, a password, a token or a signature."""

import json
import re
import signal

import pytest

from migrator.simulator.settings import Odds
from tests.cli.conftest import AK, SK, Desk, Result, ended

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

    async def broken(http: object, signer: object, request: object) -> None:
        signed = await signer.sign(request)  # type: ignore[attr-defined]
        raise RuntimeError(f"cannot cope with {signed.headers}")

    monkeypatch.setattr("migrator.ims.client.exchange", broken)

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
