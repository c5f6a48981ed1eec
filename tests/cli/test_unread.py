"""Nobody reads what a run says: it goes on, and signals end it."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from migrator.cli import beside
from migrator.io.console import STDOUT
from migrator.journal.lock import holder
from migrator.reports.events_schema import events_schema
from migrator.workflow.states import Phase
from tests.cli.conftest import Desk, ended, wait_until

CTRL_S, CTRL_Q = b"\x13", b"\x11"


@dataclass
class Unread:
    """A run whose output goes where nobody looks."""

    it: Desk
    path: Path
    options: tuple[str, ...]
    streams: dict[str, Any]
    ours: int

    def start(self) -> Any:
        child = self.it.start("run", self.path, *self.options, **self.streams)
        for stream in set(self.streams.values()):
            os.close(stream)
        return child

    def everything(self, child: Any) -> str:
        """Read it at last, until the process is over."""
        if "--json" not in self.options:
            os.write(self.ours, CTRL_Q)
        found = b""
        os.set_blocking(self.ours, False)
        while True:
            try:
                part = os.read(self.ours, 65536)
            except BlockingIOError:
                part = b""
                if child.poll() is not None:
                    break
                time.sleep(0.01)
            except OSError:  # the terminal is closed
                break
            else:
                if not part:
                    break
            found += part
        return found.decode()


@pytest.fixture(params=["a pipe", "a terminal with Ctrl-S"])
def unread(request: pytest.FixtureRequest, desk: Any) -> Iterator[Any]:
    """Starts such a run: of `count` images, with settings of the cloud."""
    opened = []

    def build(count: int, **settings: Any) -> Unread:
        it = desk(max_jobs=count, quota=-1, **settings)
        path = it.plan(
            count, target=f'limits = {{ max_jobs = {count}, submit_rate = "50/s", submit_burst = 10 }}'
        )
        if request.param == "a pipe":
            ours, theirs = os.pipe()
            fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 4096)
            streams = {"stdout": theirs, "stderr": theirs}
            options: tuple[str, ...] = ("--json", "-v", "-v")
        else:
            ours, theirs = pty.openpty()
            os.write(ours, CTRL_S)
            streams, options = dict.fromkeys(("stdin", "stdout", "stderr"), theirs), ("-v", "-v")
        opened.append(ours)
        return Unread(it=it, path=path, options=options, streams=streams, ours=ours)

    yield build
    for one in opened:
        os.close(one)


def done(it: Desk) -> bool:
    """Whether the run wrote its last reports."""
    path = it.reports / "dc-east/report.json"
    if not path.exists():
        return False
    report = json.loads(path.read_text())
    return bool(report["runs"]) and report["runs"][-1]["state"] == "ended"


def test_a_run_comes_to_its_end_though_nobody_reads_it(unread):
    run = unread(60)
    child = run.start()

    wait_until(lambda: done(run.it), 40.0)
    assert set(run.it.phases()) == {Phase.SUCCEEDED}
    assert child.poll() is None  # what it said is not lost: it waits for its reader

    said = run.everything(child)
    assert ended(child).code == 0
    assert "left out" not in said
    assert "run.ended" in said.replace("run ended", "run.ended")  # which a person is told in words
    if "--json" in run.options:
        last = [line for line in said.splitlines() if line.startswith("{")][-1]
        assert json.loads(last)["exit_code"] == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_that_nobody_reads_in_good_order(unread, number, code):
    run = unread(30, job_seconds=600.0)
    child = run.start()
    run.it.wait_for_imports(30)
    time.sleep(0.5)

    asked = time.monotonic()
    child.send_signal(number)
    child.wait(10)

    assert time.monotonic() - asked < 4.0
    assert child.returncode == code
    assert done(run.it)
    run.it.finish_jobs()
    again = run.it("run", run.path)
    assert again.code == 0
    assert run.it.duplicates == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_ends_it_at_once(unread, number, code):
    run = unread(30, job_seconds=600.0)
    child = run.start()
    run.it.wait_for_imports(20)
    run.it.change(latency=(8.0, 8.0))  # what is under way keeps the first signal waiting
    time.sleep(0.3)

    child.send_signal(number)
    time.sleep(0.3)
    asked = time.monotonic()
    child.send_signal(number)
    child.wait(10)

    assert time.monotonic() - asked < 0.5
    assert child.returncode == code


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_waiting_for_a_reader(unread, number, code):
    run = unread(60)
    child = run.start()
    wait_until(lambda: done(run.it) and holder(run.it.reports / "dc-east/journal.lock") is None, 40.0)
    time.sleep(0.5)
    assert child.poll() is None

    child.send_signal(number)
    child.wait(2)

    assert child.returncode == code


def test_the_last_signal_ends_a_run_whose_loop_stands_still(desk, tmp_path):
    it = desk(job_seconds=600.0)
    path = it.plan(3)
    (tmp_path / "sitecustomize.py").write_text(
        "import migrator.reports.summary, time\n"
        "import migrator.cli.session as session\n"
        "class Stuck(session.Progress):\n"
        "    def close(self):\n"
        "        while True:\n"
        "            time.sleep(1)\n"
        "session.Progress = Stuck\n"
    )
    child = it.start("run", path, PYTHONPATH=str(tmp_path))
    it.wait_for_imports(3)

    child.send_signal(signal.SIGINT)
    time.sleep(1.0)
    assert child.poll() is None
    asked = time.monotonic()
    child.send_signal(signal.SIGINT)
    child.wait(5)

    assert time.monotonic() - asked < 0.5
    assert child.returncode == 130


def test_lines_that_were_left_out_are_a_line_that_the_schema_knows():
    beside.begin(json=True)
    try:
        line = STDOUT.gap(1234)
    finally:
        beside.end(0)

    assert json.loads(line) == {"left_out": 1234}
    jsonschema.validate(json.loads(line), events_schema())


# --- Output that is the answer --------------------------------------------------------------------------


def test_a_dry_run_leaves_nothing_out_however_late_its_reader_comes(desk, tmp_path):
    """Twelve megabytes, which is more than a run keeps for readers of its events."""
    names = [f"vm-{number:05}" for number in range(12_000)]
    path = long_plan(tmp_path, names)
    child = desk().start("run", path, "--dry-run", "--json", stdout=subprocess.PIPE)

    time.sleep(3.0)
    shown = [json.loads(line) for line in child.stdout]

    assert child.wait(10) == 0
    assert [line["body"]["name"] for line in shown] == names


def test_one_signal_ends_a_dry_run_that_waits_for_its_reader(desk, tmp_path):
    path = long_plan(tmp_path, [f"vm-{number:05}" for number in range(1_000)])
    child = desk().start("run", path, "--dry-run", stdout=subprocess.PIPE)
    assert child.stdout.readline().startswith("POST")
    time.sleep(0.5)

    child.send_signal(signal.SIGINT)

    assert child.wait(10) == 130


def long_plan(folder: Path, names: list[str]) -> Path:
    """A plan of these images, whose requests take a kilobyte each."""
    rows = "".join(f"{name},{name}.raw\n" for name in names)
    (folder / "list.csv").write_text(f"name,object\n{rows}")
    path = folder / "long.toml"
    path.write_text(
        f"""
        [plan]
        name = "long"
        [targets.north]
        region = "cn-north-4"
        project_id = "0123456789abcdef0123456789abcdef"
        [defaults]
        bucket = "images"
        os_version = "CentOS 7.6 64bit"
        min_disk = 40
        description = "{"x" * 700}"
        [[inventory]]
        file = "list.csv"
        """
    )
    return path
