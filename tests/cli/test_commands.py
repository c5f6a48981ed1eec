"""The commands from end to end: a plan, a stand-in cloud on a real port, a journal on a real disk."""

import csv
import io
import json
import re
import signal
import urllib.request
from collections import Counter

import jsonschema
import pytest

from migrator.cli import demo
from migrator.simulator.settings import SCENARIOS, Odds
from tests.cli.conftest import ended


def statuses(desk, name="dc-east") -> Counter[str]:
    report = json.loads((desk.reports / name / "report.json").read_text())
    return Counter(image["status"] for image in report["images"])


# --- Without a cloud ------------------------------------------------------------------------------------


def test_the_plan_that_init_writes_is_valid_as_it_is(desk):
    it = desk()

    written = it("init", "east.toml")
    checked = it("validate", "east.toml")

    assert (written.code, checked.code) == (0, 0)
    assert "migrator validate east.toml" in written.err
    assert "2 images for 1 target" in checked.err


def test_init_never_writes_over_a_file(desk):
    it = desk()
    (it.folder / "plan.toml").write_text("mine")

    result = it("init")

    assert result.code == 2
    assert "plan.toml is there already" in result.err
    assert (it.folder / "plan.toml").read_text() == "mine"


def test_validate_tells_every_problem_with_its_line(desk):
    it = desk()
    path = it.plan(2, more='[[images]]\nname = ""\n[[images]]\nname = "x"\nwhat = 1\n')

    result = it("validate", path, "--json")

    assert result.code == 2
    assert len(re.findall(r"dc-east\.toml:\d+: ", result.err)) >= 3
    assert result.objects[0]["exit_code"] == 2
    assert len(result.objects[0]["problems"]) >= 3


def test_validate_says_as_json_that_a_plan_is_valid(desk):
    it = desk()

    result = it("validate", it.plan(2), "--json")

    assert (result.code, result.objects) == (0, [{"valid": True, "images": 2, "warnings": []}])


@pytest.mark.parametrize("what", ["plan", "report"])
def test_schema_prints_a_json_schema(desk, what):
    result = desk()("schema", what)

    assert result.code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(result.out))


def test_there_is_no_schema_of_anything_else(desk):
    result = desk()("schema", "journal")

    assert result.code == 2
    assert "journal" in result.err


# --- Run ------------------------------------------------------------------------------------------------


def test_a_run_imports_every_image_once_and_reports_it(desk):
    it = desk()

    result = it("run", it.plan(3))

    assert result.code == 0
    assert result.out == ""
    assert "all images succeeded" in result.err
    assert it.accepted == {"web-01": 1, "web-02": 1, "web-03": 1}
    assert statuses(it) == {"succeeded": 3}
    rows = list(csv.DictReader(io.StringIO((it.reports / "dc-east/report.csv").read_text("utf-8-sig"))))
    assert [row["status"] for row in rows] == ["succeeded"] * 3


def test_a_run_looks_before_it_starts_unless_told_not_to(desk):
    it = desk()
    path = it.plan(2)
    it.preflight = True

    refused = it("run", path, HUAWEICLOUD_SDK_SK="wrong")
    done = it("run", path)

    assert refused.code == 6
    assert "preflight" in refused.err
    assert done.code == 0
    assert it.accepted == {"web-01": 1, "web-02": 1}


def test_a_second_run_has_nothing_to_do(desk):
    it = desk()
    path = it.plan(3)
    it("run", path)

    result = it("run", path)

    assert result.code == 0
    assert "0 of 3 images to do" in result.err
    assert sum(it.accepted.values()) == 3


def test_some_failed_is_exit_code_3_and_retry_failed_tries_just_those_again(desk):
    it = desk(fates={"web-02": "IMG.0057"})
    path = it.plan(3)

    first = it("run", path)
    left_alone = it("run", path)
    it.change(fates={})
    retried = it("run", path, "--retry-failed")

    assert (first.code, left_alone.code, retried.code) == (3, 3, 0)
    assert it.accepted == {"web-01": 1, "web-02": 2, "web-03": 1}
    assert statuses(it) == {"succeeded": 3}


def test_limit_submits_so_many_and_does_not_claim_to_be_done(desk):
    it = desk()
    path = it.plan(5)

    result = it("run", path, "--limit", 2)

    assert result.code == 7
    assert "3 more are not finished" in result.err
    assert sorted(it.accepted) == ["web-01", "web-02"]
    assert statuses(it) == {"succeeded": 2, "pending": 3}
    assert it("run", path).code == 0
    assert sum(it.accepted.values()) == 5


def test_limit_counts_new_imports_and_what_runs_is_followed_all_the_same(desk):
    it = desk(job_seconds=60.0)
    path = it.plan(5)
    assert it("run", path, "--limit", 3, "--max-duration", "500ms").code == 7
    it.finish_jobs()

    result = it("run", path, "--limit", 1)

    assert result.code == 7
    assert statuses(it) == {"succeeded": 4, "pending": 1}


def test_again_imports_a_done_image_once_more(desk):
    it = desk()
    path = it.plan(2)
    it("run", path)

    result = it("run", path, "--again", "north/web-02")

    assert result.code == 0
    assert it.accepted == {"web-01": 1, "web-02": 2}


def test_max_duration_ends_a_run_that_may_be_continued(desk):
    it = desk(job_seconds=60.0)
    path = it.plan(3)

    result = it("run", path, "--max-duration", "400ms")
    it.finish_jobs()
    resumed = it("run", path)

    assert result.code == 7
    assert "run again to continue" in result.err
    assert resumed.code == 0
    assert sum(it.accepted.values()) == 3


def test_a_run_works_with_a_token_that_it_fetches_and_renews(desk):
    it = desk(token_dies_after=0.4, job_seconds=1.0)
    login = {"HW_USER_NAME": "simulator", "HW_USER_PASSWORD": "simulator", "HW_DOMAIN_NAME": "simulator"}
    it.env = login

    result = it("run", it.plan(3))

    assert result.code == 0
    assert it.running.simulator.stats.requests["token"] >= 2


def test_images_of_a_target_that_left_the_plan_are_said_and_not_followed(desk):
    it = desk(job_seconds=60.0)
    both = it.plan(
        1, more=it.table("south") + '[[images]]\nname = "db-01"\ntarget = "south"\nobject = "db.raw"\n'
    )
    both.write_text(both.read_text().replace('object = "web-01', 'target = "north"\nobject = "web-01'))
    assert it("run", both, "--max-duration", "400ms").code == 7
    it.finish_jobs()

    result = it("run", it.plan(1))

    assert "[targets.south]" in result.err
    assert result.code == 7
    assert "1 more" in result.err


# --- Dry run --------------------------------------------------------------------------------------------


def test_a_dry_run_shows_the_requests_of_the_real_one_and_sends_nothing(desk):
    it = desk()
    path = it.plan(4)

    shown = it("run", path, "--dry-run", "--json", "--limit", 3)

    assert shown.code == 0
    assert it.accepted == {}
    assert it.running.simulator.stats.requests == {}
    assert not it.reports.exists()
    it("run", path, "--limit", 3)
    lines = {name: lines[0] for name, lines in it.running.simulator.accepted.items()}
    assert [line["body"]["name"] for line in shown.objects] == sorted(lines)
    for line in shown.objects:
        tags = {tag["key"]: tag["value"] for tag in line["body"]["image_tags"]}
        assert tags == lines[line["body"]["name"]].tags
        assert line["method"] == "POST"
        assert line["url"] == f"{it.url}/v2/cloudimages/quickimport/action"


def test_a_dry_run_leaves_the_journal_as_it_is_and_leaves_out_what_is_done(desk):
    it = desk()
    path = it.plan(3)
    it("run", path, "--limit", 2)
    before = {file.name: file.read_bytes() for file in (it.reports / "dc-east").iterdir()}

    shown = it("run", path, "--dry-run", "--again", "north/web-01")

    assert shown.code == 0
    assert re.findall(r'"name": "(web-\d+)"', shown.out) == ["web-01", "web-03"]
    assert {name: (it.reports / "dc-east" / name).read_bytes() for name in before} == before


# --- Afterwards -----------------------------------------------------------------------------------------


def test_status_tells_counts_and_causes(desk):
    it = desk(fates={"web-02": "IMG.0057"})
    path = it.plan(3)
    it("run", path)

    result = it("status", path)
    counted = it("status", path, "--json")

    assert result.code == 0
    assert re.search(r"imported +2", result.out)
    assert re.search(r"failed +1", result.out)
    assert "IMG.0057" in result.out
    assert counted.objects[0]["totals"]["failed"] == 1
    assert sum(counted.objects[0]["totals"].values()) == 3


def test_status_reads_while_a_run_writes(desk):
    it = desk(job_seconds=60.0)
    path = it.plan(3)
    child = it.start("run", path)
    it.wait_for_imports(3)

    result = it("status", path, "--json")

    assert result.code == 0
    assert sum(result.objects[0]["totals"].values()) == 3
    child.send_signal(signal.SIGTERM)
    assert ended(child).code == 143


def test_status_of_a_plan_that_never_ran_says_how_to_start(desk):
    it = desk()

    result = it("status", it.plan(1))

    assert result.code == 2
    assert "migrator run" in result.err


def test_report_rebuilds_every_report_from_the_journal_alone(desk):
    it = desk()
    path = it.plan(3)
    it("run", path)
    written = sorted((it.reports / "dc-east").glob("report.*"))
    for file in written:
        file.unlink()

    result = it("report", path, HUAWEICLOUD_SDK_AK=None, HUAWEICLOUD_SDK_SK=None)

    assert result.code == 0
    assert sorted(result.out.split()) == [str(file.relative_to(it.folder)) for file in written]
    assert statuses(it) == {"succeeded": 3}


def test_reports_go_where_the_option_or_the_variable_says(desk):
    it = desk()
    path = it.plan(1)

    it("run", path, "--reports-dir", it.folder / "here")
    it("run", path, MIGRATOR_REPORTS_DIR=str(it.folder / "there"))

    assert (it.folder / "here/dc-east/report.json").exists()
    assert (it.folder / "there/dc-east/report.json").exists()
    assert not it.reports.exists()


# --- The stand-in cloud ---------------------------------------------------------------------------------


def test_simulate_serves_until_a_signal_ends_it(desk):
    it = desk()
    child = it.start("simulate", "--json", "--scenario", "demo")
    said = json.loads(child.stdout.readline())

    with urllib.request.urlopen(f"{said['url']}/_sim/ledger") as answer:
        ledger = json.load(answer)

    assert ledger["accepted"] == {}
    assert said["ak"]
    child.send_signal(signal.SIGINT)
    done = ended(child)
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize(("options", "quota"), [([], 50), (["--quota", "120"], 120)])
def test_simulate_serves_fifty_images_a_project_unless_told_otherwise(desk, options, quota):
    child = desk().start("simulate", "--json", *options)
    said = json.loads(child.stdout.readline())

    with urllib.request.urlopen(f"{said['url']}/_sim/settings") as answer:
        served = json.load(answer)["quota"]

    child.send_signal(signal.SIGINT)
    assert (served, ended(child).code) == (quota, 0)


def test_demo_runs_from_start_to_report_without_an_account(desk, monkeypatch):
    it = desk()
    it.env = {}
    quick = {"job_seconds": 0.3, "import_odds": Odds(throttle=0.05)}
    monkeypatch.setitem(SCENARIOS, "demo", SCENARIOS["demo"].model_copy(update=quick))

    result = it("demo", "--seed", "3")

    assert result.code == 0
    folder = next(it.reports.iterdir())
    assert folder.name.startswith("demo-")
    report = json.loads((folder / "report.json").read_text())
    assert {image["status"] for image in report["images"]} == {"succeeded", "failed"}
    assert "nothing is real" in result.err
    assert result.err.splitlines()[-1] == (
        f"next: open {folder.relative_to(it.folder)}/report.html in a browser; "
        "migrator init begins a plan of your own"
    )


def test_a_machine_that_asks_for_the_demo_hears_nothing_about_what_to_do_next(desk, monkeypatch):
    it = desk()
    quick = {"job_seconds": 0.1, "import_odds": Odds()}
    monkeypatch.setitem(SCENARIOS, "demo", SCENARIOS["demo"].model_copy(update=quick))

    result = it("demo", "--json")

    assert result.code == json.loads(result.out.splitlines()[-1])["exit_code"] == 3
    assert "next:" not in result.err + result.out


@pytest.mark.parametrize(
    ("started", "found", "called"),
    [
        pytest.param(".venv/bin/migrator", False, ".venv/bin/migrator", id="by a path beside PATH"),
        pytest.param("/a b/migrator", False, "'/a b/migrator'", id="by a path with a space"),
        pytest.param("/usr/bin/migrator", True, "migrator", id="by its name"),
        pytest.param("/src/migrator/__main__.py", False, "migrator", id="as a module"),
    ],
)
def test_the_next_command_is_one_that_can_be_typed_as_it_stands(
    tmp_path, monkeypatch, started, found, called
):
    if found:
        (tmp_path / "migrator").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert demo.called(started) == called


@pytest.mark.parametrize("command", ["run", "report"])
def test_what_a_killed_run_left_of_a_report_is_removed_by_the_next(desk, command):
    it = desk()
    path = it.plan(1)
    assert it("run", path).code == 0
    left = it.reports / "dc-east/.report.html.0123456789abcdef.part"
    left.write_bytes(b"half of it")

    assert it(command, path).code == 0

    assert sorted(one.name for one in left.parent.glob(".*")) == []


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["for people", "JSON"])
def test_twenty_thousand_problems_are_said_on_a_page(desk, options):
    it = desk()
    path = it.folder / "many.toml"
    path.write_text('[plan]\nname = "x"\n[targets.north]\nregion = "cn-north-4"\n' + "[[images]]\n" * 20_000)

    result = it("validate", path, *options)

    assert result.code == 2
    assert "the plan has 80000 problems" in result.err
    assert "and 19,997 more like this in lines 8 to 20004: min_disk: is missing" in result.err
    assert len(result.err) < 20_000
