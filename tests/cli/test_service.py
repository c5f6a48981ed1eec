"""What a run sees of the service: service.json, the warning, `doctor`, and a stand-in that does the same."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from migrator.reports.service import service_schema
from migrator.simulator.as_seen import settings_as_seen
from migrator.simulator.settings import Settings
from tests.cli.conftest import AK, SK, Desk

ODD: dict[str, Any] = {
    "progress_path": False,
    "data_origin": False,
    "untold": {"os_version"},
    "progress": "missing",
    "job_seconds": 1.0,
}


def service(it: Desk) -> dict[str, Any]:
    data = (it.reports / "dc-east" / "service.json").read_bytes()
    jsonschema.validate(json.loads(data), service_schema())
    found: dict[str, Any] = json.loads(data)["regions"]["cn-north-4"]
    return found


def verdicts(it: Desk) -> dict[str, str]:
    return {belief: count["verdict"] for belief, count in service(it)["beliefs"].items()}


def test_a_run_writes_down_what_the_service_did(desk):
    it = desk(job_seconds=1.0)

    result = it("run", it.plan(3))

    assert result.code == 0
    found = verdicts(it)
    for belief in (
        "job-progress-call",
        "jobs-end-in-success-or-fail",
        "tells-os-version",
        "tells-data-origin",
        "data-origin-names-file",
    ):
        assert found[belief] == "confirmed", belief
    assert found["throttle-is-429"] == "not yet seen"
    assert "does otherwise than believed" not in result.err


def test_what_is_seen_otherwise_is_said_with_what_to_do_and_stands_in_the_reports(desk):
    it = desk(**ODD)

    result = it("run", it.plan(3))

    assert result.code == 0, result.err
    assert "cn-north-4 does otherwise than believed" in result.err
    assert 'set job_api = "status"' in result.err
    found = verdicts(it)
    assert {belief for belief, verdict in found.items() if verdict == "contradicted"} == {
        "job-progress-call",
        "progress-told",
        "tells-data-origin",
        "tells-os-version",
    }
    folder = it.reports / "dc-east"
    report = json.loads((folder / "report.json").read_text())["service"]["cn-north-4"]
    assert {one["belief"]: one["verdict"] for one in report} == found
    assert all(bool(one["remedy"]) is (one["verdict"] == "contradicted") for one in report)
    assert "Not as believed of the service" in (folder / "report.md").read_text()


def test_a_contradiction_is_said_by_the_first_run_that_sees_it(desk):
    it = desk(**ODD)
    it("run", it.plan(2))

    again = it("run", it.plan(3))

    assert again.code == 0
    assert "does otherwise than believed" not in again.err
    assert service(it)["beliefs"]["tells-os-version"]["against"] == 3, "both runs add up"


def test_nothing_of_anybody_is_in_it(desk):
    it = desk(**ODD, import_odds={"throttle": 0.3}, retry_after=True)
    it("run", it.plan(3))

    text = (it.reports / "dc-east" / "service.json").read_text()

    images = it.running.simulator.projects.values()
    ids = [record.id for project in images for record in project.records]
    for secret in (
        AK,
        SK,
        "web-0",
        "bucket:web",
        "dc-east",
        "127.0.0.1",
        *ids,
        *it.running.simulator.projects,
    ):
        assert secret not in text
    assert not re.search(r"[0-9a-f]{20,}", text)


def test_a_stand_in_made_from_it_is_seen_to_do_the_same(desk, tmp_path):
    first = desk(**ODD)
    first("run", first.plan(3))
    seen = verdicts(first)
    data = (first.reports / "dc-east" / "service.json").read_bytes()
    (tmp_path / "seen.json").write_bytes(data)
    like = settings_as_seen(data, Settings(job_seconds=1.0))
    for file in (first.reports / "dc-east").iterdir():
        file.unlink()

    second = desk(
        **like.model_dump(exclude={"access_key", "secret_key", "job_spread", "job_seconds"}), job_seconds=1.0
    )
    result = second("run", second.plan(3))

    assert result.code == 0, result.err
    assert verdicts(second) == seen


@pytest.mark.parametrize(
    ("beliefs", "listed_by", "changed"),
    [
        ({"running-listed-by-name": (0, 9)}, {}, {"listed": "at_end"}),
        ({"running-listed-by-tag": (0, 9)}, {}, {"tagged": "at_end"}),
        (
            {"running-listed-by-tag": (9, 0)},
            {"tag": {"longest_delay": 7.5}},
            {"tagged": "later", "tagged_after": 7.5},
        ),
        ({"progress-moves": (0, 2)}, {}, {"progress": "stuck"}),
        ({"throttle-says-how-long": (4, 0)}, {}, {"retry_after": True}),
        ({"tells-description": (0, 1)}, {}, {"untold": frozenset({"description"})}),
        ({"tells-description": (3, 0)}, {}, {}),
    ],
)
def test_each_observation_becomes_the_setting_that_does_so(beliefs, listed_by, changed):
    counts = {belief: {"seen": seen, "against": against} for belief, (seen, against) in beliefs.items()}
    data = json.dumps({"regions": {"r": {"beliefs": counts, "listed_by": listed_by}}}).encode()

    assert settings_as_seen(data, Settings()) == Settings().model_copy(update=changed)


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"{", b"\xff", None])
def test_what_is_no_service_json_is_refused(desk, tmp_path, content):
    path: Path = tmp_path / "seen.json"
    if content is not None:
        path.write_bytes(content)

    result = desk()("simulate", "--as", path)

    assert result.code == 2
    assert f"--as {path}: not a service.json" in result.err


def test_the_doctor_asks_and_changes_nothing(desk):
    it = desk(job_seconds=1.0)
    plan = it.plan(2)
    before_any = it("doctor", plan)
    it("run", plan)
    requests = dict(it.running.simulator.stats.requests)
    images = [record.id for project in it.running.simulator.projects.values() for record in project.records]

    result = it("doctor", plan, "--json")

    assert before_any.code == result.code == 0
    assert "yes A request that was signed more than 15 minutes ago is refused." in before_any.out
    found = {one["belief"]: one["verdict"] for one in result.objects}
    for belief in (
        "old-signature-refused",
        "name-filter-honoured",
        "tag-filter-honoured",
        "job-progress-call",
    ):
        assert found[belief] == "confirmed", belief
    assert it.accepted == {"web-01": 1, "web-02": 1}
    after = it.running.simulator.stats.requests
    assert after["import"] == requests["import"]
    assert sum(after.values()) - sum(requests.values()) <= 8
    assert images == [
        record.id for project in it.running.simulator.projects.values() for record in project.records
    ]
    assert verdicts(it)["old-signature-refused"] == "confirmed", "it is kept for the next run"


def test_the_doctor_says_what_does_not_hold_and_what_to_do(desk):
    it = desk(**ODD)
    plan = it.plan(1)
    it("run", plan)

    result = it("doctor", plan)

    assert result.code == 4
    assert "NO  A finished image tells the operating system that its import asked for." in result.out
    assert "times not so. Compare these in the console" in result.out


def test_the_next_run_asks_for_jobs_by_the_call_that_answered(desk):
    it = desk(**ODD)
    it("run", it.plan(1))
    unknown = it.running.simulator.stats.codes["APIGW.0101"]

    assert it("run", it.plan(3)).code == 0

    assert unknown == 1
    assert it.running.simulator.stats.codes["APIGW.0101"] == unknown
