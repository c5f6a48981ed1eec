"""Whatever holds a control character, it does not reach a terminal as one."""

import re

import pytest

from tests.cli.conftest import AK, SK
from tests.cli.echoes import echoing

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\r\x08forged: line"
"""Sets the title, clears the screen, colours, turns the direction, overwrites the line."""

ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""All that acts, but for the end of a line."""


def acting(*texts: str) -> list[str]:
    return [found for text in texts for found in ACTS.findall(text)]


@pytest.mark.parametrize("command", ["validate", "run", "status", "report", "reconcile", "preflight"])
@pytest.mark.parametrize("options", [(), ("--json",), ("-v", "-v")], ids=["for people", "JSON", "verbose"])
def test_a_path_with_control_characters(desk, command, options):
    it = desk()

    result = it.spawn(command, it.folder / f"{EVIL.replace('/', '')}.toml", *options)

    assert result.code == 2
    assert acting(result.out, result.err) == []
    assert "owned" in result.err


@pytest.mark.parametrize(
    ("credentials", "env"),
    [
        pytest.param("profile:x", {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": f"/nowhere{EVIL}"}, id="a file"),
        pytest.param("profile:x", {}, id="a profile's sections"),
        pytest.param("profile:x", {"HTTPS_PROXY": f"http://{EVIL}"}, id="a proxy"),
        pytest.param("env", {"MIGRATOR_CA_FILE": f"/nowhere{EVIL}"}, id="a file of certificates"),
        pytest.param("env", {"MIGRATOR_COLOR": EVIL}, id="a choice"),
        pytest.param("env", {"MIGRATOR_LOG_FILE": f"/nowhere/{EVIL}"}, id="a log file"),
        pytest.param("env", {"MIGRATOR_REPORTS_DIR": f"/proc/nowhere/{EVIL}"}, id="a folder"),
        pytest.param("env", {"MIGRATOR_VERBOSE": EVIL}, id="a number"),
        pytest.param("env", {"MIGRATOR_JSON": EVIL}, id="a switch"),
        pytest.param("env", {"HUAWEICLOUD_SDK_AK": EVIL, "HUAWEICLOUD_SDK_SK": SK}, id="a key"),
    ],
)
def test_an_environment_with_control_characters(desk, credentials, env):
    it = desk()
    if credentials.startswith("profile") and not env:
        (it.folder / "credentials").write_bytes(f"[other{EVIL[:8]}]\nak = a\nsk = b\n".encode())
        env = {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(it.folder / "credentials")}

    target = f'credentials = "{credentials}"\niam_endpoint = "https://iam.example"'
    result = it.spawn("run", it.plan(1, target=target), "-v", "--max-duration", "1s", **env)

    assert result.out + result.err
    assert acting(result.out, result.err) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "plan.toml", f"--{EVIL}"),
        (EVIL,),
        ("run", "plan.toml", "--only", EVIL),
        ("run", "plan.toml", "--wave", EVIL),
        ("run", "plan.toml", "--again", EVIL),
        ("run", "plan.toml", "--limit", EVIL),
        ("schema", EVIL),
        ("simulate", "--scenario", EVIL),
        ("init", f"/nowhere/{EVIL}"),
        ("diff", EVIL, EVIL),
    ],
    ids=lambda arguments: " ".join(arguments).replace(EVIL, "EVIL"),
)
def test_arguments_with_control_characters(desk, arguments):
    it = desk()
    it.plan(1).rename(it.folder / "plan.toml")

    result = it.spawn(*arguments)

    assert result.code != 0
    assert acting(result.out, result.err) == []


@pytest.mark.parametrize("command", ["run", "preflight", "reconcile", "status"])
@pytest.mark.parametrize("options", [(), ("--json",), ("-v", "-v")], ids=["for people", "JSON", "verbose"])
def test_a_service_that_says_control_characters(desk, command, options):
    it = desk()
    with echoing({AK, SK}, lambda text: EVIL, "token") as cloud:
        it.running = cloud
        plan = it.plan(4, max_failures="100%")
        it("run", plan, "--max-duration", "1s")

        limit = ("--max-duration", "1s") if command == "run" else ()
        result = it.spawn(command, plan, *options, *limit)

    assert acting(result.out, result.err) == []


def test_the_search_would_find_one():
    assert acting("fine\n", "\x1b[1mbold") == ["\x1b"]
