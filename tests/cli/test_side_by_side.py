"""Reports of a large plan: a process of its own makes the workbook, and only the time tells."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from openpyxl import load_workbook

from migrator.cli import side_by_side

SCRIPT = """
import os, signal, sys
from pathlib import Path
from migrator.cli import side_by_side
from migrator.domain.errors import ReportError

def write(formats):
    if sys.argv[1] == "child is killed" and os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    for form in formats:
        if sys.argv[1] == f"{form} fails":
            raise ReportError(f"{form} cannot be made", hint="Make room.")
        Path(form).write_text(f"{os.getpid() == parent}")
    return formats

parent = os.getpid()
assert side_by_side.worthwhile(["json", "xlsx", "md"], side_by_side.FEWEST)
try:
    print(*side_by_side.written_side_by_side(["json", "xlsx", "md"], write))
except ReportError as error:
    print("failed:", error, error.hint)
"""
"""Processes are forked in one that has no threads, as tests do."""

many_cores = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="one process is all there is"
)


def said(case: str, folder: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, case],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


@many_cores
def test_the_workbook_is_made_by_another_process_and_all_are_named_in_their_order(tmp_path):
    assert said("all is well", tmp_path) == "json xlsx md\n"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "json": "True",
        "xlsx": "False",
        "md": "True",
    }


@many_cores
@pytest.mark.parametrize("form", ["json", "xlsx"])
def test_a_failure_of_either_process_is_said_when_both_are_through(tmp_path, form):
    assert said(f"{form} fails", tmp_path) == f"failed: {form} cannot be made Make room.\n"
    assert (tmp_path / ("xlsx" if form == "json" else "md")).exists()


@many_cores
def test_what_a_killed_process_leaves_undone_is_done_all_the_same(tmp_path):
    assert said("child is killed", tmp_path) == "json xlsx md\n"
    assert (tmp_path / "xlsx").read_text() == "True"


@pytest.mark.parametrize(
    ("formats", "images"),
    [
        pytest.param(["json", "xlsx"], side_by_side.FEWEST - 1, id="few images"),
        pytest.param(["json", "xlsx"], side_by_side.MOST + 1, id="more than anybody has memory for"),
        pytest.param(["json", "csv"], side_by_side.FEWEST, id="no workbook"),
        pytest.param(["xlsx"], side_by_side.FEWEST, id="nothing beside it"),
    ],
)
def test_otherwise_one_process_makes_them_all(monkeypatch, formats, images):
    monkeypatch.setattr(side_by_side, "_alone", lambda: True)

    assert not side_by_side.worthwhile(formats, images)


@many_cores
def test_no_process_is_forked_beside_threads(monkeypatch):
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    monkeypatch.setattr(threading, "enumerate", list)

    assert not side_by_side.worthwhile(["json", "xlsx"], side_by_side.FEWEST)


@many_cores
def test_reports_of_a_plan_are_the_same_as_those_of_one_process(desk):
    it = desk()
    plan, folder = it.plan(), it.reports / "dc-east"
    assert it("run", plan).code == 0
    assert it("report", plan).code == 0
    alone = {path.name: path.read_bytes() for path in folder.glob("report.*")}
    script = (
        "import sys; from migrator.cli import side_by_side; from migrator.cli.app import app\n"
        "side_by_side.FEWEST = 1; sys.argv[0] = 'migrator'; made = []\n"
        "two, side_by_side._made = side_by_side._made, lambda *given: (print('beside'), two(*given))\n"
        "app()"
    )

    done = subprocess.run(
        [sys.executable, "-c", script, "report", str(plan), "--reports-dir", str(it.reports)],
        cwd=it.folder,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **it.env},
    )

    assert done.returncode == 0, done.stderr
    lines = done.stdout.split()
    assert "beside" in lines
    assert [Path(line).name for line in lines if line != "beside"] == [
        "report.json",
        "report.csv",
        "report.xlsx",
        "report.md",
        "report.html",
    ]
    assert (folder / "report.csv").read_bytes() == alone["report.csv"]
    images = load_workbook(folder / "report.xlsx")["Images"]
    assert [row[0].value for row in images.iter_rows(min_row=2)] == [f"north/web-0{n}" for n in (1, 2, 3)]
