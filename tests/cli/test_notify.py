"""Somebody is told: from a real process to a real receiver, through kill -9 and a receiver that is down."""

import json
import signal
import time

import pytest

from migrator.engine import notifier
from migrator.workflow.events import NotificationDelivered, NotificationOwed
from tests.cli.conftest import ended, wait_until
from tests.cli.receiver import KEY, TOKEN, receiver

__all__ = ["receiver"]

ALL = '["begin", "wave", "failed-threshold", "stalled", "held", "end"]'


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch):
    """The engine's own tests hold the real one, on virtual time."""
    monkeypatch.setattr(notifier, "GRACE", 0.5)


def notify(on: str = ALL, way: str = 'url_env = "OPS_URL"\nsecret_env = "OPS_KEY"') -> str:
    return f'[[notify]]\nname = "ops"\non = {on}\n{way}\n'


def test_a_run_tells_of_its_beginning_its_waves_and_its_end(desk, receiver):
    it = desk()
    waves = '[[waves]]\nname = "pilot"\n'
    plan = it.plan(3, more=waves + notify())

    result = it("run", plan, "--json", **receiver.env)

    assert result.code == 0, result.err
    assert receiver.told == ["begin", "wave", "end"]
    begin, wave, end = receiver.took
    assert begin["text"] == "The run began: 3 of 3 images to do."
    assert (wave["wave"], wave["counts"]["succeeded"]) == ("pilot", 3)
    assert (end["exit_code"], end["level"]) == (0, "success")
    kinds = [one.get("event") for one in result.objects]
    assert kinds.count("NotificationOwed") == 2  # the first stands in the commit that begins the run
    assert kinds.count("NotificationDelivered") == 3


def test_the_end_of_a_run_waits_a_little_for_a_receiver_that_is_slow(desk, receiver, monkeypatch):
    monkeypatch.setattr(notifier, "GRACE", 20.0)
    it = desk()
    receiver.slow = 1.0

    result = it("run", it.plan(1, more=notify('["end"]')), **receiver.env)

    assert result.code == 0
    assert [one.done for one in it.ledger().notifications.values()] == [True]
    assert "not delivered" not in result.err


def test_what_was_under_way_at_kill_9_is_delivered_by_the_next_run_with_the_same_id(desk, receiver):
    it = desk(job_seconds=600.0)
    plan = it.plan(2, more=notify('["begin"]'))
    receiver.answers.clear()
    child = it.start("run", plan, **receiver.env)
    wait_until(lambda: len(receiver.arrived) == 1)

    child.kill()
    ended(child)
    receiver.took.clear()
    (owed,) = (event for event in it.events() if isinstance(event, NotificationOwed))
    assert not any(isinstance(event, NotificationDelivered) for event in it.events())
    receiver.answers.set()
    it.finish_jobs()
    result = it("run", plan, **receiver.env)

    assert result.code == 0, result.err
    assert owed.id in [one["id"] for one in receiver.took]
    assert [one["text"] for one in receiver.took if one["id"] != owed.id] == [
        "The run began: 2 of 2 images to do. The run before it was killed."
    ]


def test_a_dead_receiver_costs_a_run_its_grace_and_nothing_is_lost(desk, receiver):
    it = desk()
    plan = it.plan(2, more=notify('["begin", "end"]'))
    receiver.status = 503

    began = time.monotonic()
    first = it("run", plan, **receiver.env)
    took = time.monotonic() - began

    assert first.code == 0
    assert 0.5 < took < 8.0
    assert "2 notifications to ops are not delivered yet: it answers HTTP 503" in first.err
    assert "2 notifications to ops are not delivered yet: it answers HTTP 503" in it("status", plan).out
    for suffix in ("json", "md", "html"):
        assert "not delivered yet" in (it.reports / f"dc-east/report.{suffix}").read_text()
    owed = [event.id for event in it.events() if isinstance(event, NotificationOwed)]

    receiver.status = 204
    second = it("run", plan, **receiver.env)

    assert second.code == 0
    assert [one["id"] for one in receiver.took][:2] == owed
    assert "not delivered" not in it("status", plan).out


def test_a_standstill_and_the_signal_that_ends_it_are_told(desk, receiver):
    it = desk(job_seconds=600.0)
    plan = it.plan(1, more=notify('["stalled", "end"]') + 'after = "1s"\n')
    child = it.start("run", plan, **receiver.env)
    wait_until(lambda: "stalled" in receiver.told)

    child.send_signal(signal.SIGINT)
    done = ended(child)

    assert done.code == 130
    assert receiver.told == ["stalled", "end"]
    assert receiver.took[0]["text"].startswith("Nothing came further for 1 s: 1 image not finished")
    assert receiver.took[1]["exit_code"] == 130


def test_too_many_failures_are_told_when_they_happen(desk, receiver):
    it = desk(fates=dict.fromkeys(["web-01", "web-02", "web-03"], "IMG.0057"))
    plan = it.plan(3, max_failures=1, more=notify('["failed-threshold", "end"]'))

    result = it("run", plan, **receiver.env)

    assert result.code == 5
    assert receiver.told == ["failed-threshold", "end"]
    assert [one["level"] for one in receiver.took] == ["failure", "failure"]


def test_a_command_is_told_too_and_gets_none_of_our_keys(desk, tmp_path):
    it = desk()
    code = "import os, sys, json; json.dump([sys.stdin.read(), dict(os.environ)], open('told', 'w'))"
    hook = tmp_path / "hook.py"
    hook.write_text(code)
    plan = it.plan(1, more=notify('["end"]', f'exec = ["python3", "{hook}"]'))

    assert it("run", plan).code == 0

    body, environ = json.loads((tmp_path / "told").read_text())
    assert json.loads(body)["event"] == "end"
    assert "PATH" in environ
    assert not any("HUAWEICLOUD" in name for name in environ)


def test_a_receiver_that_left_the_plan_is_owed_nothing_more(desk, receiver):
    it = desk()
    receiver.status = 503
    it("run", it.plan(1, more=notify('["begin"]')), **receiver.env)

    plan = it.plan(1)
    result = it("run", plan)

    assert result.code == 0
    assert all(one.done for one in it.ledger().notifications.values())
    assert "not delivered" not in it("status", plan).out


# --- Before a run ---------------------------------------------------------------------------------------


def test_what_is_missing_is_a_warning_of_validate_and_an_error_of_preflight(desk):
    it = desk()
    it.preflight = True
    plan = it.plan(1, more=notify())

    checked, refused = it("validate", plan), it("run", plan)

    assert checked.code == 0
    assert "ops will not be notified: OPS_URL is not set; set OPS_URL in the environment" in checked.err
    assert refused.code == 4
    assert "PF075: a receiver of notifications cannot be told: ops: OPS_URL is not set" in refused.err
    assert it.accepted == {}
    assert '"ops will not be notified' in it("validate", plan, "--json").out


def test_a_run_without_preflight_warns_and_keeps_what_it_owes_and_waits_for_nobody(
    desk, receiver, monkeypatch
):
    monkeypatch.setattr(notifier, "GRACE", 300.0)
    it = desk()
    plan = it.plan(1, more=notify('["end"]'))

    result = it("run", plan)

    assert result.code == 0
    assert "ops will not be notified: OPS_URL is not set" in result.err
    it("run", plan, **receiver.env)
    assert receiver.told == ["end", "end"]


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"OPS_URL": "http://hooks.example/x", "OPS_KEY": KEY}, "OPS_URL would send everything unencrypted"),
        ({"OPS_URL": "https://hooks.example/x", "OPS_KEY": "brief"}, "OPS_KEY is too short"),
        ({"OPS_URL": "https://hooks.example/x"}, "OPS_KEY is not set"),
    ],
)
def test_a_variable_that_does_not_fit_is_named_and_not_shown(desk, env, said):
    it = desk()

    result = it("notify", it.plan(1, more=notify()), **env)

    assert result.code == 7
    assert f"not ready: {said}" in result.out
    assert "hooks.example" not in result.out + result.err


def test_a_program_that_is_not_there_is_named(desk):
    it = desk()

    result = it("validate", it.plan(1, more=notify(way='exec = ["/nowhere/page"]')))

    assert "there is no program /nowhere/page that may be run; install it" in result.err


# --- migrator notify ------------------------------------------------------------------------------------


def test_each_receiver_gets_a_test_and_what_came_of_it_is_said(desk, receiver):
    it = desk()
    other = '[[notify]]\non = ["end"]\nexec = ["false"]\n'
    plan = it.plan(3, more=notify('["stalled", "end"]') + other)

    result = it("notify", plan, "--test", **receiver.env)

    assert result.code == 7
    assert result.out.splitlines() == [
        "ops by webhook OPS_URL, signed, on stalled (30m), end: delivered",
        "false by command false, on end: not delivered: the command ended with exit code 1",
    ]
    assert receiver.told == ["test"]
    assert not it.reports.exists()


def test_without_test_nothing_is_sent(desk, receiver):
    it = desk()

    result = it("notify", it.plan(1, more=notify('["end"]')), "--json", **receiver.env)

    assert result.code == 0
    assert [one["ok"] for one in result.objects] == [True]
    assert receiver.arrived == []


def test_a_plan_that_notifies_nobody_says_how(desk):
    it = desk()

    result = it("notify", it.plan(1), "--test")

    assert result.code == 2
    assert "notifies nobody" in result.err


# --- What must not be ------------------------------------------------------------------------------------


def test_neither_address_nor_secret_shows_anywhere(desk, receiver):
    it = desk()
    receiver.status = 302
    plan = it.plan(1, more=notify())

    result = it("run", plan, "-vv", "--log-file", it.folder / "log", "--json", **receiver.env)
    it("notify", plan, "--test", **receiver.env)

    assert "it redirects (HTTP 302)" in result.err
    texts = [result.out, result.err, *(path.read_text(errors="replace") for path in it.folder.rglob("*.*"))]
    for text in (*texts, (it.folder / "log").read_text()):
        assert TOKEN not in text
        assert KEY not in text


def test_a_rehearsal_tells_nobody_and_needs_no_variable(desk, receiver):
    it = desk()
    plan = it.plan(3, more=notify('["begin", "stalled", "end"]'))

    result = it(
        "run", plan, "--simulate", "--reports-dir", it.folder / "kept", OPS_URL=receiver.env["OPS_URL"]
    )

    assert result.code == 0, result.err
    assert receiver.arrived == []
    assert "notif" not in result.err + result.out
    (report,) = (it.folder / "kept").rglob("report.md")
    assert "not delivered" not in report.read_text()
