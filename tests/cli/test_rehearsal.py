"""run --simulate: a plan played through on a stand-in cloud; nothing read, nothing sent, nothing left."""

import json
import socket
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migrator.cli import rehearsal, rehearsal_output
from migrator.cli.common import Console
from migrator.cli.rehearsal import Rehearsal, over_quota, peak, settings_for
from migrator.plan import parse_plan
from migrator.plan.grouping import Grouped
from tests.cli.conftest import AK, SK, Desk

CANARIES = {
    "HUAWEICLOUD_SDK_AK": AK,
    "HUAWEICLOUD_SDK_SK": SK,
    "HW_AUTH_TOKEN": "canary-token-0001",
    "HUAWEICLOUD_SDK_CREDENTIALS_FILE": "/canary/credentials",
    "MIGRATOR_CA_FILE": "/canary/ca.pem",
    "HTTPS_PROXY": "http://canary.example:3128",
    "MIGRATOR_REHEARSAL_CLOCK": "canary",
}


@pytest.fixture
def desk(desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    """A desk whose plans are for a real cloud, and whose runs start with preflight."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    it = desk()
    it.preflight = True
    return it


def a_plan(
    desk: Desk, count: int = 20, *, more: str = "", target: str = "", images: str = "", name: str = "dc-east"
) -> Path:
    """A plan such as people write; it names no endpoint."""
    rows = "".join(
        f'[[images]]\nname = "web-{number:02}"\nobject = "{number:02}.{"raw" if number % 2 else "zvhd2"}"\n'
        for number in range(count)
    )
    path = desk.folder / f"{name}.toml"
    path.write_text(
        f'[plan]\nname = "{name}"\n[targets.north]\nregion = "cn-north-4"\n{target}\n{more}\n'
        f'[defaults]\nbucket = "bucket"\nos_version = "CentOS 7.6 64bit"\nmin_disk = 10\n{rows}{images}'
    )
    return path


def test_a_rehearsal_says_what_is_to_be_expected_and_leaves_nothing(desk, tmp_path):
    path = a_plan(desk)

    result = desk("run", path, "--simulate")

    assert result.code == 0
    lines = dict(line.split(maxsplit=1) for line in result.out.splitlines())
    assert "if one import takes 10 min on average (assumed)" in lines["takes"]
    assert lines["images"] == "20 succeeded"
    assert lines["refused"].startswith("none of ")
    assert "would end     all images succeeded (exit code 0)" in result.out
    assert "rehearsing dc-east under fault profile calm" in result.err
    assert "nothing leaves this machine" in result.err
    assert sorted(one.name for one in tmp_path.iterdir()) == ["dc-east.toml", "temporary"]
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_plan_that_the_default_quota_would_not_hold_is_rehearsed_and_said_to_need_more(desk):
    path = a_plan(desk, 51)

    as_text, as_json = (desk("run", path, "--simulate", *more) for more in ([], ["--json"]))
    (shown,) = as_json.objects

    assert (as_text.code, as_json.code) == (0, 0)
    assert "quota         north: 51 images, and a project holds 50 unless its quota" in as_text.out
    assert shown["over_default_quota"] == {"north": 51}
    assert shown["totals"]["succeeded"] == 51


def test_targets_of_one_project_share_its_quota(desk):
    two = a_plan(
        desk,
        30,
        more='[targets.again]\nregion = "cn-north-4"\n[targets.far]\nregion = "cn-east-3"',
        images="".join(
            f'[[images]]\nname = "again-{n}"\nobject = "x{n}.zvhd2"\ntarget = "again"\n' for n in range(21)
        ),
    )
    plan, _ = parse_plan(two.read_bytes().replace(b"[defaults]", b'[defaults]\ntarget = "north"'), path="x")
    keys = [image.key for image in plan.images]

    assert over_quota(plan, keys) == {"north": 51, "again": 51}
    assert over_quota(plan, keys[1:]) == {}


def test_the_same_as_json_is_one_object(desk):
    result = desk("run", a_plan(desk), "--simulate", "--json")

    (shown,) = result.objects
    assert (shown["plan"], shown["fault_profile"], shown["exit_code"]) == ("dc-east", "calm", 0)
    assert shown["totals"]["succeeded"] == 20
    assert 600 < shown["expected_seconds"] < 4 * 3600
    assert shown["requests"]["import"] == 20
    assert 0 < shown["peak_imports_per_second"] <= 2
    assert 1 < shown["most_jobs"] <= 20
    assert (shown["refused"], shown["lost"], shown["failures"]) == ({}, {}, [])
    assert shown["preflight"]["findings"] == []
    assert shown["reports"] is None


def test_neither_credentials_nor_the_reports_of_the_plan_are_touched(desk, monkeypatch):
    path = a_plan(desk, 3, target='credentials = "env:CANARY"')
    mine = desk.reports / "dc-east"
    mine.mkdir(parents=True)
    (mine / "journal.db").write_text("not a journal at all")
    desk.env = {}  # the runner itself reads what it sets
    looked_up: list[str] = []
    addresses: set[str] = set()
    real = socket.socket.connect

    class Environment(dict[str, str]):
        def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
            looked_up.append(name)
            return super().get(name, default)

    def connect(sock: socket.socket, address: object) -> None:
        if sock.family != socket.AF_UNIX:
            addresses.add(str(address[0]))  # type: ignore[index]
        real(sock, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect)
    environ = Environment(CANARIES)
    monkeypatch.setattr("migrator.cli.session.os.environ", environ, raising=False)

    result = desk("run", path, "--simulate", "--json", "-v", "-v", MIGRATOR_REPORTS_DIR=str(desk.reports))

    assert result.code == 0
    assert not any(canary in result.out + result.err for canary in ("canary", AK, SK))
    assert set(looked_up).isdisjoint(CANARIES)
    assert addresses == set()
    assert (mine / "journal.db").read_text() == "not a journal at all"
    assert [one.name for one in mine.iterdir()] == ["journal.db"]
    assert [one.name for one in desk.reports.iterdir()] == ["dc-east"]
    assert desk.running.simulator.stats.requests == Counter()


def test_with_a_folder_of_its_own_the_reports_stay_beside_those_of_the_plan(desk):
    result = desk("run", a_plan(desk, 2), "--simulate", "--json", "--reports-dir", desk.reports)

    (kept,) = desk.reports.iterdir()
    assert kept.name.startswith("dc-east-rehearsal-")
    assert result.objects[0]["reports"] == str(kept.relative_to(desk.folder)) or result.objects[0][
        "reports"
    ] == str(kept)
    assert json.loads((kept / "report.json").read_text())["totals"]["images"] == 2
    assert not (desk.reports / "dc-east").exists()


def test_what_would_fail_is_told_by_cause_and_ends_with_3(desk, monkeypatch):
    def unlucky(plan, fault_profile):
        return settings_for(plan, fault_profile).model_copy(update={"fates": {"web-01": "IMG.1075"}})

    monkeypatch.setattr(rehearsal, "settings_for", unlucky)
    path = a_plan(desk)

    result = desk("run", path, "--simulate")
    as_json = desk("run", path, "--simulate", "--json")

    assert (result.code, as_json.code) == (3, 3)
    assert "fails         1 x IMG.1075 Failed to register the image file." in result.out
    assert "(exit code 3)" in result.out
    assert "--retry-failed`" not in result.err
    assert [(one["code"], one["count"]) for one in as_json.objects[0]["failures"]] == [("IMG.1075", 1)]


def test_what_preflight_would_refuse_is_told_and_ends_with_4(desk):
    wrong = '[[images]]\nname = "os"\nobject = "os.zvhd2"\nos_version = "CentOS 7.6 63bit"\n'
    path = a_plan(desk, 2, images=wrong)

    result = desk("run", path, "--simulate")
    as_json = desk("run", path, "--simulate", "--json")

    assert (result.code, as_json.code) == (4, 4)
    assert "error PF030" in result.out
    assert "would end     preflight would refuse the run (exit code 4)" in result.out
    (shown,) = as_json.objects
    assert [one["code"] for one in shown["preflight"]["findings"]] == ["PF030"]
    assert len(shown["warnings"]) == 1
    assert shown["expected_seconds"] is None


def test_regions_projects_and_buckets_of_the_plan_are_taken_as_they_are(desk):
    other = (
        '[targets.far]\nregion = "xx-nowhere-9"\nproject_id = "ffffffffffffffffffffffffffffffff"\n'
        'ims_endpoint = "https://ims.example"\niam_endpoint = "https://iam.example"\n'
        'obs_endpoint = "https://obs.example"\ncredentials = "profile:nobody"\n'
    )
    images = '[[images]]\nname = "far"\ntarget = "far"\nimage_url = "far-bucket:far.zvhd2"\n'
    path = a_plan(desk, 2, more=other, images=images)
    path.write_text(
        path.read_text().replace('[[images]]\nname = "web', '[[images]]\ntarget = "north"\nname = "web')
    )

    result = desk("run", path, "--simulate", "--json")

    assert result.code == 0, result.err
    assert result.objects[0]["totals"]["succeeded"] == 3


def test_windows_are_ignored_and_that_is_said(desk):
    waves = '[[waves]]\nname = "later"\nnot_before = 2099-12-01T20:00:00+08:00\n'

    result = desk("run", a_plan(desk, 2, images=waves), "--simulate")

    assert result.code == 0
    assert "ignored in a rehearsal" in result.err


def test_a_storm_is_told_by_what_was_refused(desk):
    path = a_plan(desk, 10, more='[policy]\nmax_failures = "100%"')

    result = desk("run", path, "--simulate=storm", "--json", "--quiet")

    (shown,) = result.objects
    assert shown["fault_profile"] == "storm"
    assert result.code in (0, 3, 7)
    assert sum(shown["refused"].values()) > 5
    assert sum(shown["totals"].values()) == 10


@pytest.mark.parametrize(
    ("arguments", "fault_profile"),
    [
        pytest.param(["--simulate", "PLAN", "--limit", "1"], "calm", id="before the plan"),
        pytest.param(["PLAN", "--simulate", "--limit", "1"], "calm", id="before an option"),
        pytest.param(["PLAN", "--simulate", "busy", "--limit", "1"], "busy", id="with its profile"),
        pytest.param(["--simulate", "busy", "PLAN", "--limit", "1"], "busy", id="with it before the plan"),
        pytest.param(["--simulate", "--limit", "1", "--", "PLAN"], "calm", id="with an end of options"),
    ],
)
def test_the_fault_profile_may_be_left_out_wherever_the_option_stands(desk, arguments, fault_profile):
    path = a_plan(desk, 2)

    result = desk("run", "--json", *[path if argument == "PLAN" else argument for argument in arguments])

    assert result.objects[0]["fault_profile"] == fault_profile
    assert result.objects[0]["requests"]["import"] >= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--simulate=hail"], "there is no such fault profile", id="no such profile"),
        pytest.param(["--simulate", "--dry-run"], "are different things", id="with a dry run"),
    ],
)
def test_what_cannot_be_rehearsed_is_a_usage_error(desk, arguments, said):
    result = desk("run", a_plan(desk, 1), *arguments)

    assert result.code == 2
    assert said in result.err


def test_the_time_that_is_over_is_simulated_time_as_well(desk):
    result = desk("run", a_plan(desk, 3), "--simulate", "--max-duration", "2m", "--json")

    assert result.code == 7
    assert result.objects[0]["expected_seconds"] < 3600
    assert "max-duration is over" in result.objects[0]["reason"]


def measured(**more: Any) -> Rehearsal:
    """A rehearsal that nobody had to run."""
    fields: dict[str, Any] = {
        "plan": "dc-east",
        "fault_profile": "busy",
        "speed": 90.0,
        "job_seconds": 1200.0,
        "exit_code": 0,
        "reason": "all images succeeded",
        "requests": {"import": 20, "poll": 80},
        "error_codes": {"IMG.0060": 3, "APIGW.0308": 1},
        "undelivered": {"hang": 2},
    }
    return Rehearsal(**(fields | more))


@pytest.mark.parametrize("code", [130, 143, 129])
def test_an_interrupted_rehearsal_says_that_it_was_and_shows_no_figures(capsys, code):
    interrupted = measured(exit_code=code, reason="interrupted", peak_imports=1.5)

    rehearsal_output.show(interrupted, Grouped(lines=["a warning"], count=1), Console())
    as_text = capsys.readouterr()
    rehearsal_output.show(interrupted, Grouped(lines=["a warning"], count=1), Console(json=True))
    as_json = capsys.readouterr()

    assert (as_text.out, as_text.err) == ("", as_json.err)
    assert as_text.err.startswith("the rehearsal was interrupted, so it says nothing")
    assert json.loads(as_json.out) == {"plan": "dc-east", "reason": "interrupted", "exit_code": code}


def test_errors_and_lost_answers_are_both_counted_as_refused():
    shown = rehearsal_output.refused(measured())

    assert shown == "6 of 100 requests (3 x IMG.0060, 2 x hang, 1 x APIGW.0308)"
    assert rehearsal_output.refused(measured(error_codes={}, undelivered={})) == "none of 100 requests"


def test_the_peak_is_that_of_the_busiest_window_wherever_it_begins():
    spread, burst = {0: 30, 59: 30, 60: 30}, {100: 5, 130: 55, 159: 60, 160: 1}

    assert peak([]) == 0
    assert peak([spread]) == 1.0
    assert peak([burst]) == 2.0
    assert peak([{10: 1}, {20: 2}], window=10) == 0.2
    assert peak([{10: 1}, {19: 2}], window=10) == 0.3
