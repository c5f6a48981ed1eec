"""The look before the start, end to end: a plan, a stand-in cloud on a real port, what a person is result."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from migrator.io.clock import SystemClock
from migrator.simulator.settings import BucketSettings, ObjectSettings, Odds
from migrator.workflow.states import Phase
from tests.cli.conftest import Desk, wait_until

GB = 2**30
FINE = ObjectSettings(size=GB)
LOGIN = {"HW_USER_NAME": "simulator", "HW_USER_PASSWORD": "simulator", "HW_DOMAIN_NAME": "simulator"}

PLANTED = """
[[images]]
name = "raw"
object = "raw.raw"
[[images]]
name = "exact"
object = "exact.zvhd2"
[[images]]
name = "os"
object = "web-01.zvhd2"
os_version = "CentOS 7.6 63bit"
[[images]]
name = "elsewhere"
bucket = "east"
object = "x.zvhd2"
[[images]]
name = "warm"
bucket = "warm"
object = "x.zvhd2"
[[images]]
name = "windows"
object = "windows.zvhd2"
os_version = "Windows Server 2019 Standard 64bit"
"""


@pytest.fixture
def desk(desk: Callable[..., Desk]) -> Callable[..., Desk]:
    """Sets up a desk whose runs start with preflight, as they do everywhere but in the other tests."""

    def build(**settings: Any) -> Desk:
        it = desk(**settings)
        it.preflight = True
        return it

    return build


def planted() -> dict[str, object]:
    """A cloud with a dozen things wrong in it, for four images and PLANTED."""
    objects = {
        "bucket:web-01.zvhd2": FINE,
        "bucket:web-02.zvhd2": ObjectSettings(missing=True, upload_begun=True),
        "bucket:web-03.zvhd2": ObjectSettings(size=0),
        "bucket:web-04.zvhd2": ObjectSettings(sse="customer", sse_told=True, storage_class="COLD"),
        "bucket:raw.raw": FINE,
        "bucket:exact.zvhd2": ObjectSettings(size=40 * GB),
        "bucket:windows.zvhd2": FINE,
        "east:x.zvhd2": FINE,
    }
    buckets = {"east": BucketSettings(region="cn-east-3"), "warm": BucketSettings(storage_class="WARM")}
    return {"objects": objects, "buckets": buckets, "any_object": False, "quota": 5}


CODES = {
    "PF010",  # quota
    "PF030",  # operating system
    "PF041",  # region of the bucket
    "PF042",  # class of the bucket
    "PF050",  # missing (warm:x)
    "PF051",  # upload not complete
    "PF052",  # empty
    "PF055",  # class of the object
    "PF056",  # SSE-C
    "PF058",  # bitmap
    "PF063",  # exactly as large
    "PF032",  # Windows
    "PF070",  # the same file twice
}


def test_everything_that_is_planted_is_found_over_real_sockets_and_nothing_is_sent(desk):
    it = desk(**planted())

    result = it("preflight", it.plan(4, more=PLANTED), "--json")

    assert result.code == 4
    (shown,) = result.objects
    found = {one["code"]: one for one in shown["findings"] if one["severity"] != "info"}
    assert set(found) == CODES
    assert found["PF051"]["items"] == [{"key": "north/web-02", "says": "bucket:web-02.zvhd2"}]
    assert (shown["errors"], shown["warnings"], shown["exit_code"]) == (11, 2, 4)
    assert it.accepted == {}
    assert "import" not in it.running.simulator.stats.requests
    assert not it.reports.exists()


def test_a_run_is_refused_before_anything_is_sent_and_the_journal_hears_nothing(desk):
    it = desk(**planted())
    path = it.plan(4, more=PLANTED)

    result = it("run", path)

    assert result.code == 4
    for code in CODES - {"PF032", "PF070"}:
        assert f"error {code}" in result.err
    assert result.err.splitlines()[-1].endswith("--no-preflight.")
    assert "import" not in it.running.simulator.stats.requests
    assert it.ledger().runs == []
    assert not (it.reports / "dc-east/report.json").exists()


def test_with_no_preflight_a_run_starts_all_the_same(desk):
    it = desk(objects={"bucket:web-02.zvhd2": ObjectSettings(size=0)})

    result = it("run", it.plan(3, max_failures="100%"), "--no-preflight")

    assert result.code == 3
    assert "preflight:" not in result.err
    assert it.phases() == [Phase.SUCCEEDED, Phase.FAILED, Phase.SUCCEEDED]


def test_the_text_fits_80_columns_and_shows_the_first_three_of_many(desk):
    it = desk(any_object=False, buckets={"bucket": BucketSettings()})

    result = it("preflight", it.plan(40))

    assert result.out.splitlines() == [
        "error PF050: the object does not exist (40 images)",
        "    north/web-01: bucket:web-01.zvhd2",
        "    north/web-02: bucket:web-02.zvhd2",
        "    north/web-03: bucket:web-03.zvhd2",
        "    and 37 more (--json lists all of them)",
        "    fix: Upload it, or correct image_url in the plan.",
    ]
    assert "40 images checked: 1 error; nothing was changed" in result.err
    assert len(it("preflight", it.plan(40), "--json").objects[0]["findings"][0]["items"]) == 40


def test_nothing_in_the_way_is_said_in_one_line_and_the_run_goes_on(desk):
    it = desk()
    path = it.plan(3)

    result = it("preflight", path)
    ran = it("run", path)

    assert (result.code, ran.code) == (0, 0)
    assert "nothing stands in the way" in result.err
    assert "preflight: 3 images checked: nothing stands in the way" in ran.err
    assert it.accepted == {"web-01": 1, "web-02": 1, "web-03": 1}


def test_warnings_are_said_once_and_stop_nobody(desk):
    it = desk(objects={"bucket:web-01.zvhd2": ObjectSettings(forbidden=True)}, check_objects="job")
    path = it.plan(2, max_failures="100%")

    result = it("run", path)
    as_json = it("run", path, "--retry-failed", "--json")

    assert result.err.count("PF096") == 1
    assert "preflight: 2 images checked: 1 warning" in result.err
    assert as_json.objects[0]["preflight"]["findings"][0]["code"] == "PF096"


def test_only_what_is_still_to_do_is_looked_at(desk):
    it = desk()
    path = it.plan(3)
    it("run", path, "--limit", 2)
    it.change(any_object=False, buckets={"bucket": BucketSettings()})

    result = it("preflight", path, "--json")

    assert [item["key"] for item in result.objects[0]["findings"][0]["items"]] == ["north/web-03"]
    assert result.objects[0]["images"] == 1


def test_failed_images_are_looked_at_when_they_are_asked_for(desk):
    it = desk(fates={"web-02": "IMG.0057"})
    path = it.plan(3)
    it("run", path)
    it.change(any_object=False, buckets={"bucket": BucketSettings()})

    assert it("preflight", path).code == 0
    result = it("preflight", path, "--retry-failed")
    refused = it("run", path, "--retry-failed")

    assert result.code == refused.code == 4
    assert "north/web-02" in result.out
    assert it.phases() == [Phase.SUCCEEDED, Phase.FAILED, Phase.SUCCEEDED]  # not reopened by a refused run


def test_a_plan_that_is_done_is_only_asked_whether_its_targets_work(desk):
    it = desk()
    path = it.plan(2)
    it("run", path)
    before = dict(it.running.simulator.stats.requests)

    result = it("preflight", path)
    again = it("run", path)

    after = it.running.simulator.stats.requests
    assert (result.code, again.code) == (0, 0)
    assert "0 images checked" in result.err
    assert after["quota"] == before["quota"] + 1
    assert after["object"] == before["object"]


def test_an_image_that_is_there_already_is_taken_over_though_its_file_is_gone(desk):
    it = desk()
    path = it.plan(2)
    it("run", path)
    (it.reports / "dc-east/journal.db").unlink()
    it.change(any_object=False, buckets={"bucket": BucketSettings()})

    result = it("preflight", path, "--json")
    ran = it("run", path)

    assert [one["code"] for one in result.objects[0]["findings"]] == ["PF021"]
    assert ran.code == 0
    assert sum(it.accepted.values()) == 2


# --- Credentials, clock, network ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({"HUAWEICLOUD_SDK_SK": "canary-wrong-000001"}, id="wrong key"),
        pytest.param({**LOGIN, "HW_USER_PASSWORD": "canary-wrong-000001"}, id="wrong password"),
        pytest.param({"HW_AUTH_TOKEN": "canary-wrong-000001"}, id="stale token"),
    ],
)
@pytest.mark.parametrize("command", ["preflight", "run"])
def test_credentials_that_are_not_accepted_end_it_with_6_and_are_not_shown(desk, command, env):
    it = desk()
    it.env = {**it.env, **env} if "HUAWEICLOUD_SDK_SK" in env else env

    result = it(command, it.plan(3), "--json", "-v", "-v")

    assert result.code == 6
    assert "PF002" in result.out
    assert "canary-wrong" not in result.out + result.err
    assert it.accepted == {}


def test_a_service_out_of_reach_ends_it_with_7(desk):
    it = desk()
    path = it.plan(
        3, target='ims_endpoint = "http://127.0.0.1:9"\nproject_id = "0123456789abcdef0123456789abcdef"'
    )

    result = it("preflight", path)
    ran = it("run", path)

    assert (result.code, ran.code) == (7, 7)
    assert "PF001" in result.out
    assert "connection refused" in ran.err
    assert ran.err.splitlines()[-1].startswith("Run again")


@pytest.mark.parametrize(("ahead", "code"), [(1000.0, 4), (-1000.0, 4), (400.0, 0)])
def test_a_wrong_clock_is_what_is_said_and_not_wrong_signatures(desk, monkeypatch, ahead, code):
    it = desk()
    path = it.plan(2)
    real = SystemClock.now
    monkeypatch.setattr(SystemClock, "now", lambda clock: real(clock) + ahead)

    result = it("preflight", path)

    assert result.code == code
    assert ("PF004" if code else "PF005") in result.out
    assert "PF002" not in result.out


def test_a_login_is_enough_to_look_at_objects_too(desk):
    it = desk(any_object=False, buckets={"bucket": BucketSettings()})
    it.env = LOGIN

    assert "PF050" in it("preflight", it.plan(1)).out


def test_a_storm_delays_the_look_and_refuses_nothing(desk):
    odds = Odds(error_before=0.1, reset_before=0.05, throttle=0.1, error_after=0.1)
    it = desk(other_odds=odds)

    result = it("preflight", it.plan(20))

    assert result.code == 0


def test_ctrl_c_during_the_look_ends_it_at_once(desk):
    it = desk(latency=(30.0, 30.0))
    child = it.start("run", it.plan(2))
    wait_until(lambda: bool(it.running.simulator.stats.requests))

    child.send_signal(2)
    _, err = child.communicate(timeout=10)

    assert child.returncode == 130
    assert "Traceback" not in err


# --- Dry run --------------------------------------------------------------------------------------------


def test_a_dry_run_says_how_long_it_takes_at_best(desk):
    it = desk()
    path = it.plan(3)

    first = it("run", path, "--dry-run")
    it("run", path)
    later = it("run", path, "--dry-run", "--again", "north/web-01")

    assert "north: 3 imports, 40 at once and 50/s: 10 min at best, if one takes 10 min (assumed)" in first.err
    assert "(as so far)" in later.err
    assert first.err.splitlines()[-1] == "3 imports would be submitted; nothing was sent"


def test_the_json_of_a_refused_run_ends_with_the_error(desk):
    it = desk(any_object=False, buckets={"bucket": BucketSettings()})

    result = it("run", it.plan(2), "--json")

    lines = [json.loads(line) for line in result.out.splitlines()]
    assert lines[0]["preflight"]["exit_code"] == 4
    assert lines[-1]["exit_code"] == 4
    assert "preflight found 1 error" in lines[-1]["error"]


def test_the_sizes_that_it_saw_let_the_largest_go_first(desk):
    sizes = {1: 3, 2: 9, 3: 5}
    it = desk(objects={f"bucket:web-{n:02}.zvhd2": ObjectSettings(size=gb * GB) for n, gb in sizes.items()})

    # One request at a time: what leaves together may arrive in any order.
    it("run", it.plan(3, target="limits.max_requests = 1\n"))

    assert list(it.accepted) == ["web-02", "web-03", "web-01"]
