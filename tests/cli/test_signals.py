"""However a run is ended, it can be continued, and nothing is imported twice."""

import json
import os
import pty
import signal
import time
from collections import Counter

import pytest

from migrator.workflow.states import Phase
from tests.cli.conftest import ended, wait_until


@pytest.fixture
def busy(desk):
    """A desk whose cloud takes minutes for each of a plan's 12 imports, eight at once."""
    it = desk(job_seconds=600.0, max_jobs=8)
    it.path = it.plan(12, target='limits = { max_jobs = 8, submit_rate = "50/s" }')
    return it


def continues(it) -> None:
    """The run that follows brings everything to its end, and each image was imported once."""
    it.finish_jobs()
    result = it("run", it.path)
    assert result.code == 0, result.err
    assert set(it.phases()) == {Phase.SUCCEEDED}
    assert it.duplicates == 0
    assert set(it.accepted.values()) == {1}
    assert len(it.accepted) == 12


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 130, id="Ctrl-C"),
        pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
        pytest.param(signal.SIGHUP, 129, id="the terminal was closed"),
    ],
)
def test_a_signal_ends_the_run_within_two_seconds_with_its_report_and_it_continues(busy, number, code):
    child = busy.start("run", busy.path)
    busy.wait_for_imports(8)

    asked = time.monotonic()
    child.send_signal(number)
    done = ended(child)

    assert time.monotonic() - asked < 2.0
    assert done.code == code
    assert "Traceback" not in done.err
    assert "run again to continue" in done.err
    report = json.loads((busy.reports / "dc-east/report.json").read_text())
    assert Counter(image["status"] for image in report["images"])["pending"] == 4
    assert len(report["images"]) == 12
    continues(busy)


def test_ctrl_c_in_the_middle_of_submitting_leaves_nothing_open_and_nothing_twice(desk):
    it = desk(job_seconds=600.0, latency=(0.05, 0.5))
    it.path = it.plan(12)
    child = it.start("run", it.path)
    it.wait_for_imports(3)

    child.send_signal(signal.SIGINT)
    done = ended(child)

    assert done.code == 130
    it.change(latency=(0.0, 0.0))
    continues(it)


def test_a_second_signal_ends_it_at_once_and_it_continues(desk):
    it = desk(job_seconds=600.0)
    it.path = it.plan(12, target='limits = { submit_rate = "5/s", submit_burst = 1 }')
    child = it.start("run", it.path)
    it.wait_for_imports(2)
    it.change(latency=(5.0, 5.0))  # what is under way from now on keeps the first signal waiting
    it.wait_for_imports(5)

    child.send_signal(signal.SIGINT)
    assert "once more quits at once" in said(child, "stopping")
    asked = time.monotonic()
    child.send_signal(signal.SIGINT)
    done = ended(child)

    assert time.monotonic() - asked < 0.5
    assert done.code == 130
    it.change(latency=(0.0, 0.0))
    continues(it)


def test_draining_follows_what_runs_to_its_end_and_submits_nothing_more(busy):
    child = busy.start("run", "--drain", busy.path)
    busy.wait_for_imports(8)

    child.send_signal(signal.SIGTERM)
    assert "draining" in said(child, "draining")
    busy.finish_jobs()
    done = ended(child)

    assert done.code == 143
    assert Counter(busy.phases()) == {Phase.SUCCEEDED: 8, Phase.PENDING: 4}
    continues(busy)


def test_a_second_signal_ends_the_draining_in_good_order(busy):
    child = busy.start("run", "--drain", busy.path)
    busy.wait_for_imports(8)

    child.send_signal(signal.SIGTERM)
    said(child, "draining")
    child.send_signal(signal.SIGTERM)
    done = ended(child)

    assert done.code == 143
    assert (busy.reports / "dc-east/report.json").exists()
    continues(busy)


@pytest.mark.parametrize("imports", [1, 8])
def test_kill_minus_9_loses_nothing_and_duplicates_nothing(busy, imports):
    child = busy.start("run", busy.path)
    busy.wait_for_imports(imports)

    child.kill()
    assert ended(child).code == -signal.SIGKILL

    continues(busy)


def test_a_closed_terminal_takes_no_traceback_and_no_report_with_it(busy):
    ours, theirs = pty.openpty()

    def own_terminal() -> None:
        os.setsid()
        os.close(
            os.open(os.ttyname(theirs), os.O_RDWR)
        )  # the first one opened becomes the terminal of the session

    child = busy.start(
        "run", "-v", busy.path, stdin=theirs, stdout=theirs, stderr=theirs, before=own_terminal
    )
    os.close(theirs)
    shown = b""

    def imported() -> bool:
        nonlocal shown
        shown += os.read(ours, 65536)
        return len(busy.accepted) >= 8

    wait_until(imported)
    os.close(ours)  # hangs up: the kernel sends SIGHUP, and writing to the terminal fails from now on

    assert ended(child).code == 129
    assert b"Traceback" not in shown
    assert len(json.loads((busy.reports / "dc-east/report.json").read_text())["images"]) == 12
    continues(busy)


def test_nohup_is_respected(busy):
    child = busy.start("run", busy.path, before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    busy.wait_for_imports(8)

    child.send_signal(signal.SIGHUP)
    busy.finish_jobs()

    assert ended(child).code == 0


def said(child, text: str) -> str:
    """The next line on stderr that holds `text`."""
    for line in child.stderr:
        if text in line:
            return str(line)
    raise AssertionError(f"it never said {text!r}")
