"""What the environment says about time, proxies and certificates: heeded, or refused by its name."""

import socket
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from tests.cli.conftest import Desk

CLOCK = "MIGRATOR_REHEARSAL_CLOCK"
SECRET = "kX9fQ2Lm7Rt4"
ABROAD = (
    'ims_endpoint = "https://ims.nowhere.invalid"\niam_endpoint = "https://iam.nowhere.invalid"\n'
    'obs_endpoint = "https://obs.nowhere.invalid"'
)


def after_a_run(it: Desk) -> Desk:
    """The same desk, with a journal on it: reconcile wants one before it asks."""
    assert it("run", it.plan()).code == 0
    it.running.simulator.stats.requests.clear()
    return it


def asked_nothing(it: Desk) -> bool:
    """Whether no request arrived, and no run began."""
    return not it.running.simulator.stats.requests and len(it.ledger().runs) == 1


# --- Time -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["run", "preflight", "reconcile"])
@pytest.mark.parametrize(
    ("target", "more", "said"),
    [
        pytest.param('ims_endpoint = "https://ims.example.com"', "", "https://ims.example.com", id="ims"),
        pytest.param('iam_endpoint = "https://iam.example.com"', "", "https://iam.example.com", id="iam"),
        pytest.param('obs_endpoint = "https://obs.example.com"', "", "https://obs.example.com", id="obs"),
        pytest.param(
            'credentials = "metadata"', "", "http://169.254.169.254", id="keys of this machine's cloud"
        ),
        pytest.param(
            "",
            '[targets.south]\nregion = "cn-south-1"\n',
            "https://ims.cn-south-1.myhuaweicloud.com",
            id="another target",
        ),
    ],
)
def test_a_fast_clock_is_refused_where_a_plan_speaks_to_anyone_else(desk, command, target, more, said):
    it = after_a_run(desk())
    path = it.plan(target=target, more=more.join("\n\n"))
    if more:
        path.write_text(path.read_text().replace("[[images]]", '[[images]]\ntarget = "north"'))

    told = it(command, path, **{CLOCK: f"60@{time.time()}"})

    assert told.code == 2, told.err
    assert f"{CLOCK} is set, and the plan speaks to {said}, which is not on this machine" in told.err
    assert f"unset {CLOCK}" in told.err
    assert asked_nothing(it)


@pytest.mark.parametrize("command", ["run", "preflight", "reconcile"])
@pytest.mark.parametrize("value", ["fast", "0@0", "nan@0", "60"])
def test_a_value_that_is_no_clock_is_refused(desk, command, value):
    it = after_a_run(desk())

    told = it(command, it.plan(), **{CLOCK: value})

    assert told.code == 2, told.err
    assert f"{CLOCK} is {value!r}, which is no clock" in told.err
    assert asked_nothing(it)


def test_commands_that_speak_to_nobody_do_not_read_the_clock(desk):
    it = desk()
    path = it.plan()
    it("run", path)
    it.env[CLOCK] = "no clock at all"

    for words in (
        ("validate", path),
        ("status", path),
        ("report", path),
        ("schema",),
        ("run", path, "--dry-run"),
    ):
        told = it(*words)
        assert told.code == 0, told.err
        assert CLOCK not in told.err
    assert it("run", path).code == 2


def test_signatures_are_dated_by_the_clock_of_the_run(desk, clouds):
    anchor = time.time() - 1000
    it = desk()
    it.preflight = True
    it.running = clouds(speed=60.0, anchor=anchor)
    answer, dates = it.running.simulator.answer, {}

    def console(call, now):
        if date := call.headers.get("x-sdk-date"):
            dates["ims"] = (datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp(), now)
        elif "authorization" in call.headers:
            dates["obs"] = (parsedate_to_datetime(call.headers["date"]).timestamp(), now)
        return answer(call, now)

    it.running.simulator.answer = console
    told = it("run", it.plan(), **{CLOCK: f"60@{anchor}"})

    assert told.code == 0, told.err
    assert dates.keys() == {"ims", "obs"}
    for date, now in dates.values():
        assert abs(date - now) < 1200  # 20 seconds of this machine's; by the ordinary clock it were 16 hours
    assert it("run", it.plan(name="other")).code == 6


# --- Proxies --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("HTTPS_PROXY", f"http://someone:a/{SECRET}@proxy.example:3128", id="malformed"),
        pytest.param("all_proxy", f"socks5://someone:{SECRET}@proxy.example:1080", id="SOCKS"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_an_error_before_anything_is_sent(desk, name, value):
    it = after_a_run(desk())

    for command in ("run", "preflight", "reconcile"):
        told = it(command, it.plan(target=ABROAD), "-v", "--json", "--log-file", "log", **{name: value})
        assert told.code == 2, told.err
        assert f"error: {name} " in told.err
        assert SECRET not in told.out + told.err + (it.folder / "log").read_text()
    assert asked_nothing(it)


def test_a_proxy_is_of_no_account_where_everything_is_on_this_machine(desk):
    it = desk()

    assert it("run", it.plan(), HTTPS_PROXY="nonsense://", ALL_PROXY="socks5://127.0.0.1:9").code == 0


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "ALL_PROXY"])
def test_hosts_are_reached_through_the_proxy_but_for_those_of_no_proxy(desk, name):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        proxy = f"http://someone:{SECRET}@127.0.0.1:{nobody.getsockname()[1]}"
        it = desk()
        path = it.plan(target=ABROAD)

        through = it("preflight", path, "-v", "-v", **{name: proxy})
        without = it(
            "preflight", path, "-v", "-v", **{name: proxy, "NO_PROXY": "10.0.0.0/8, .nowhere.invalid"}
        )

    assert (through.code, without.code) == (7, 7)
    assert "the proxy does not let us through" in through.out
    assert "the name cannot be resolved" in without.out
    assert SECRET not in f"{through}{without}"


# --- Certificates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["MIGRATOR_CA_FILE", "SSL_CERT_FILE"])
def test_a_file_of_certificates_that_is_not_there_is_an_error_before_anything_is_sent(desk, name):
    it = after_a_run(desk())

    told = it("run", it.plan(), **{name: "missing.pem"})

    assert told.code == 2, told.err
    assert f"error: {name}: cannot read certificates from 'missing.pem'" in told.err
    assert asked_nothing(it)
