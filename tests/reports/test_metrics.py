"""Metrics: what Prometheus reads back is what the reports say."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, given
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from migrator.domain.cloud import Fault
from migrator.reports.metrics import APPEND_BUCKETS, METRICS, RunMetrics, Times, metrics_text
from migrator.reports.summary import Summary, summary
from migrator.workflow.events import AttemptBegan, AttemptThrottled, ImagePlanned, JobRestored, RunBegan
from migrator.workflow.ledger import Ledger, Planned, fold
from migrator.workflow.states import Outcome
from tests.ledgers import histories, image, latest, ledgers, plan_for

DOCS = Path(__file__).parents[2] / "docs" / "metrics"
EVENTS = "migrator_journal_events_total"
PROMTOOL = shutil.which("promtool")


def facts(ledger: Ledger, name: str = "dc") -> Summary:
    targets = {planned.image.target for planned in ledger.planned.values()} or {"north"}
    plan = plan_for(*targets).model_copy(update={"name": name})
    return summary(ledger, plan=plan, now=latest(ledger) + 60, running=False)


def read(text: bytes) -> dict[str, list[tuple[dict[str, str], float]]]:
    """Samples by name, as the client library reads them."""
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


@given(ledgers())
def test_what_is_read_back_adds_up_to_what_the_reports_say(ledger):
    one = facts(ledger)
    found = read(metrics_text([one]))

    by_status: dict[str, float] = {}
    for labels, value in found.get("migrator_images", []):
        by_status[labels["status"]] = by_status.get(labels["status"], 0.0) + value
    assert by_status == {phase.value: count for phase, count in one.totals.by_status.items() if count}
    outcomes = [attempt.outcome for state in ledger.states.values() for attempt in state.attempts]
    final = sum(outcome not in (Outcome.OPEN, Outcome.UNKNOWN) for outcome in outcomes)
    assert sum(value for _, value in found.get("migrator_attempts_total", [])) == final
    assert found["migrator_journal_events_total"] == [({"plan": "dc"}, float(one.events))]


def test_how_old_the_journal_is_and_how_long_events_wait_are_told():
    run = RunMetrics()
    run.waiting = 61.5
    ledger = fold([RunBegan(at=1_000.0, run="r", version="1", host="h", pid=1)])

    found = read(metrics_text([facts(ledger)], run))

    assert found["migrator_journal_last_event_timestamp_seconds"] == [({"plan": "dc"}, 1_000.0)]
    assert found["migrator_journal_waiting_seconds"] == [({"plan": "dc"}, 61.5)]
    assert found["migrator_generated_timestamp_seconds"][0][1] >= 1_060.0


def test_a_target_that_asked_for_a_pause_is_told_with_what_is_left_of_it():
    busy = Fault(code="IMG.0429", message="too many requests")
    events = [
        ImagePlanned(at=0.0, key="north/web-01", image=image(), digest="d"),
        AttemptBegan(at=5.0, key="north/web-01", attempt=1, digest="d"),
        AttemptThrottled(at=10.0, key="north/web-01", fault=busy, pause=300.0),
    ]
    one = summary(fold(events), plan=plan_for("north"), now=70.0, running=False)

    found = read(metrics_text([one]))

    assert found["migrator_target_paused_seconds"] == [({"plan": "dc-east", "target": "north"}, 240.0)]
    throttled = [
        value for labels, value in found["migrator_attempts_total"] if labels["outcome"] == "throttled"
    ]
    assert throttled == [1.0]


@given(ledgers())
def test_no_metric_and_no_label_is_there_that_the_table_does_not_have(ledger):
    table = {row.name: {"plan", "le", *row.labels} for row in METRICS}
    run = RunMetrics()
    run.requests["job", "200"] += 3
    run.appends.took(0.004)

    for name, samples in read(metrics_text([facts(ledger)], run)).items():
        base = re.sub(r"_(bucket|count|sum)$", "", name)
        for labels, _ in samples:
            assert set(labels) <= table[base], name


@given(histories())
def test_no_counter_ever_goes_down_and_what_never_was_is_there_as_zero(history):
    """What goes down is a new start to Prometheus, which counts all of it once more."""
    # A journal that was put back takes a doubt away: a new start of the counter is what that is.
    assume(not any(isinstance(event, JobRestored) for event in history))
    before: dict[tuple[str, ...], float] = {}
    for count in range(1, len(history) + 1):
        found = read(metrics_text([facts(fold(history[:count]))]))
        now = {
            (name, *labels.values()): value
            for name, samples in found.items()
            if name.endswith("_total")
            for labels, value in samples
        }
        assert all(now[key] >= value for key, value in before.items())
        assert all(key in before or not value for key, value in now.items() if key[0] != EVENTS)
        before = now


def test_names_from_outside_come_back_as_they_are():
    ledger = Ledger()
    wave, target = 'a"b\\c\nd', "north"
    ledger.planned["k"] = Planned(image=replace(image(), wave=wave, target=target), digest="d")
    from migrator.workflow.states import State

    ledger.states["k"] = State(key="k")

    ((labels, value),) = read(metrics_text([facts(ledger)]))["migrator_images"]

    assert (labels["wave"], labels["status"], value) == (wave, "pending", 1.0)


def test_a_histogram_counts_up_to_each_bound():
    times = Times(APPEND_BUCKETS)
    for seconds in (0.0005, 0.001, 0.3, 99.0):
        times.took(seconds)

    found = dict(times.buckets())
    assert (found["0.001"], found["0.5"], found["10.0"], found["+Inf"]) == (2.0, 3.0, 3.0, 4.0)


def test_what_a_process_knows_of_itself_is_counted_for_the_plan_that_it_runs():
    run = RunMetrics()
    run.requests["import", "200"] += 2
    run.requests["job", "unreachable"] += 1

    found = read(metrics_text([facts(Ledger()), facts(Ledger(), "other")], run))["migrator_requests_total"]

    assert found == [
        ({"plan": "dc", "api": "import", "status": "200"}, 2.0),
        ({"plan": "dc", "api": "job", "status": "unreachable"}, 1.0),
    ]


# --- Dashboard and alerts -------------------------------------------------------------------------------


def named(text: str) -> set[str]:
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\bmigrator_[a-z_]+", text)}


def test_dashboard_and_alerts_speak_of_metrics_that_there_are_and_the_dashboard_of_all():
    names = {row.name for row in METRICS}
    panels = json.loads((DOCS / "grafana-dashboard.json").read_text())["panels"]
    shown = named(" ".join(target["expr"] for panel in panels for target in panel["targets"]))

    assert shown == names
    assert named((DOCS / "alerts.yml").read_text()) <= names
    assert named((DOCS / "alerts.test.yml").read_text()) <= names


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool: apt-get install prometheus")
def test_prometheus_takes_rules_and_metrics():
    assert PROMTOOL is not None
    for words in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]):
        done = subprocess.run([PROMTOOL, *words], cwd=DOCS, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    run = RunMetrics()
    run.requests["job", "200"] += 3
    run.appends.took(0.004)
    text = metrics_text([facts(Ledger())], run)
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text.decode(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
