"""What an engineer watches: the live view of a run, and the status of one in another process."""

import fcntl
import io
import json
import os
import re
import select
import signal
import struct
import termios
import time
from pathlib import Path

import jsonschema
import pytest

from migrator.domain.cells import cell_len
from migrator.domain.errors import JournalLocked
from migrator.io.console import Terminal
from migrator.journal.lock import Lock, holder
from migrator.workflow.events import EVENTS
from tests.cli.conftest import ended, wait_until

CONTROL = re.compile(r"\x1b\[[\d;]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+")


def screen(text: str, columns: int) -> tuple[list[str], list[str]]:
    """(what stands on a terminal that was sent `text`, every line that was too wide for it)."""
    rows, row, column, wide = [""], 0, 0, []
    for part in CONTROL.findall(text):
        if part == "\n":
            row += 1
            rows += [""] * (row + 1 - len(rows))
        elif part == "\r":
            column = 0
        elif part[0] != "\x1b":
            rows[row] = rows[row][:column] + part
            column = len(rows[row])
            wide += [rows[row]] if cell_len(rows[row]) >= columns else []
        elif part[-1] == "A":
            row = max(row - int(part[2:-1]), 0)
        elif part[-1] == "K":
            rows[row] = rows[row][:column]
        elif part[-1] == "J":
            rows[row:] = [rows[row][:column]]
    return rows, wide


def on_a_terminal(
    desk, *arguments: object, columns: int = 80, rows: int = 24, stdout=None, until=None, **env: str
):
    """(exit code, all that was written) of a command whose stderr, or stdout, is a terminal.

    `until` is called with the child and what was written so far, after each piece.
    """
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    given = {"stdout": theirs} if stdout == "terminal" else {"stderr": theirs}
    child = desk.start(*arguments, **given, TERM="xterm", PYTHONIOENCODING="utf-8", **env)
    os.close(theirs)
    written, end = b"", time.monotonic() + 20
    while time.monotonic() < end:
        if not select.select([ours], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the last writer is gone
            break
        if not piece:
            break
        written += piece
        if until is not None:
            until(child, written.decode("utf-8", "replace"))
    os.close(ours)
    child.communicate(timeout=20)
    return child.returncode, written.decode("utf-8").replace("\r\n", "\n\r")


WAVES = (
    '[[waves]]\nname = "pilot"\n[[waves]]\nname = "main"\n'
    '[[images]]\nname = "数据库-01"\nobject = "db.zvhd2"\nwave = "pilot"\n'
)


@pytest.mark.parametrize("columns", [80, 40])
def test_a_run_on_a_terminal_draws_a_live_view_and_leaves_one_clean_line_of_it(desk, columns):
    it = desk(job_seconds=1.2, fates={"数据库-01": "IMG.0057"})

    code, written = on_a_terminal(it, "run", it.plan(3, more=WAVES), columns=columns)

    rows, wide = screen(written.partition("\x1b[K")[2], columns)
    assert code == 3, written
    for part in (
        "submits",
        "wave   pilot",
        "wave   main",
        "waits: wave main waits",
        "failed north/数据库-01: IMG",
    ):
        assert part in written
    assert "images an hour" in written or columns < 80
    assert [row for row in rows if "submits" in row] == []
    assert len([row for row in rows if "3/4 done" in row]) == 1
    assert [line for line in wide if re.search("[█░]|submits|failed north", line)] == []
    assert "\x1b[?" not in written


def test_no_color_leaves_a_live_view_without_colours(desk):
    it = desk(job_seconds=0.8)

    _, written = on_a_terminal(it, "run", it.plan(2), NO_COLOR="1")

    assert "\x1b[" in written
    assert not re.search(r"\x1b\[[\d;]*m", written)


@pytest.mark.parametrize(
    ("options", "env"),
    [
        pytest.param(["-q"], {}, id="quiet"),
        pytest.param([], {"TERM": "dumb"}, id="a terminal that cannot move its cursor"),
    ],
)
def test_where_lines_cannot_move_or_nobody_listens_none_do(desk, options, env):
    it = desk(job_seconds=0.8)
    ours, theirs = os.openpty()

    child = it.start("run", it.plan(2), *options, stderr=theirs, **{"TERM": "xterm", **env})
    os.close(theirs)
    child.wait(20)

    os.set_blocking(ours, False)
    try:
        said = os.read(ours, 65536).decode()
    except OSError:
        said = ""
    os.close(ours)
    assert "\x1b" not in said
    assert (said == "") is ("-q" in options)


# --- Another process ------------------------------------------------------------------------------------


def test_status_says_who_runs_it_and_after_a_kill_that_it_was_killed(desk):
    it = desk(job_seconds=60.0)
    path = it.plan(3)
    child = it.start("run", path)
    it.wait_for_imports(3)
    wait_until(lambda: "3 in the cloud" in it("status", path).out)

    alive = it("status", path)
    child.kill()
    child.wait()
    dead = it("status", path)

    assert re.search(rf"running since today .*: process {child.pid} on ", alive.out)
    assert re.search(
        r"the run of today \d\d:\d\d UTC was killed; 3 jobs may still run in the cloud; run again to",
        dead.out,
    )
    assert it("status", path, "--json").objects[0]["run"] == "killed"


def test_status_after_a_run_tells_how_it_ended_and_changes_nothing(desk):
    it = desk()
    path = it.plan(2)
    it("run", path)
    before = sorted((file.name, file.stat().st_mtime_ns) for file in (it.reports / "dc-east").iterdir())

    result = it("status", path)

    assert "no run is at work; the last ended today" in result.out
    assert "all images succeeded" in result.out
    assert "\x1b" not in result.out
    after = sorted((file.name, file.stat().st_mtime_ns) for file in (it.reports / "dc-east").iterdir())
    assert [entry for entry in after if "-" not in entry[0]] == [
        entry for entry in before if "-" not in entry[0]
    ]


def test_machines_are_counted_done_when_all_their_disks_are(desk):
    it = desk(fates={"web-03": "IMG.0057"})
    machines = {1: "db01", 2: "db01", 3: "mail", 4: "mail"}
    plan = it.plan(4)
    text = plan.read_text()
    for number, machine in machines.items():
        name = f'name = "web-{number:02}"\n'
        text = text.replace(name, f'{name}labels = {{ machine = "{machine}" }}\n')
    plan.write_text(text)
    it("run", plan)

    said, counted = it("status", plan), it("status", plan, "--json").objects[0]

    assert "  1 of 2 machines done, 1 with failed disks\n" in said.out
    assert counted["machines"] == {"failed": 1, "under_way": 0, "to_do": 0, "done": 1, "cancelled": 0}


def test_images_that_the_plan_gained_since_are_counted_as_pending(desk):
    it = desk()
    it("run", it.plan(2))

    result = it("status", it.plan(5))
    counted = it("status", it.plan(5), "--json").objects[0]

    assert "2/5 done" in result.out
    assert "3 images new in the plan since the last run" in result.out
    assert (counted["totals"]["pending"], counted["new_in_plan"], counted["images"]) == (3, 3, 5)
    assert len(it.ledger().states) == 2


@pytest.mark.parametrize("where", ["terminal", "pipe"])
def test_watching_looks_again_until_ctrl_c_which_is_no_failure(desk, where):
    it = desk()
    path = it.plan(2)
    it("run", path)

    if where == "pipe":
        child = it.start("status", path, "--watch")
        lines = [child.stdout.readline() for _ in range(6)]
        child.send_signal(signal.SIGINT)
        done = ended(child)
        code, written, err = done.code, "".join(lines), done.err
        assert "\x1b" not in written
    else:
        stopped: list[bool] = []

        def stop(child, said):
            if said.count("2/2 done") == 2 and not stopped:
                stopped.append(True)
                child.send_signal(signal.SIGINT)

        code, written = on_a_terminal(it, "status", path, "--watch", stdout="terminal", until=stop)
        err = ""
        assert written.count("\x1b[H\x1b[2J") >= 2
        assert written.endswith(("\n\r", "\n"))
    assert written.count("2/2 done") >= 2
    assert (code, err) == (0, "")


def test_to_ask_who_holds_a_journal_does_not_keep_anybody_from_taking_it(tmp_path: Path):
    path = tmp_path / "journal.lock"
    assert holder(path) is None

    lock = Lock.acquire(path, version="1")
    assert holder(path) == holder(path)
    assert f"process {os.getpid()} on" in str(holder(path))
    with pytest.raises(JournalLocked):
        Lock.acquire(path, version="1")
    lock.release()

    assert holder(path) is None
    Lock.acquire(path, version="1").release()


def test_a_run_that_begins_while_somebody_looks_who_runs_is_not_turned_away(tmp_path: Path, monkeypatch):
    path = tmp_path / "journal.lock"
    path.touch()
    looking = os.open(path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)

    def wait(seconds: float) -> None:
        os.close(looking)

    monkeypatch.setattr("migrator.journal.lock.time.sleep", wait)

    Lock.acquire(path, version="1").release()


# --- Events ---------------------------------------------------------------------------------------------


def test_every_line_of_a_run_is_what_the_schema_of_events_says(desk):
    it = desk(fates={"web-02": "IMG.0057"})
    schema = json.loads(it("schema", "events").out)
    check = jsonschema.Draft202012Validator(schema)
    check.check_schema(schema)

    lines = it("run", it.plan(3), "--json").objects
    refused = it("run", it.plan(3), "--json", "--again", "north/nobody").objects

    assert len(lines) > 10
    for line in [*lines, *refused]:
        check.validate(line)
        shape = schema["$defs"].get(line.get("event")) or {}
        assert set(line) <= set(shape.get("properties", line)), "a field that the schema does not name"
    began = next(line for line in lines if line["event"] == "JobAccepted")
    for wrong in ({**began, "at": "noon"}, {**began, "event": "JobVanished"}, {"event": "JobAccepted"}):
        assert not check.is_valid(wrong)


def test_the_schema_of_events_knows_every_event(desk):
    schema = json.loads(desk()("schema", "events").out)

    kinds = {
        shape["properties"]["event"]["const"]
        for shape in schema["$defs"].values()
        if "event" in shape.get("properties", {})
    }
    assert kinds == {kind.__name__ for kind in EVENTS}


# --- Live lines among others ----------------------------------------------------------------------------


def narrow_terminal(monkeypatch) -> tuple[Terminal, io.StringIO]:
    """A terminal of 20 columns, and what it was sent."""
    sent = io.StringIO()
    monkeypatch.setattr("sys.stderr", sent)
    monkeypatch.setattr(Terminal, "size", lambda self: (20, 24))
    return Terminal(), sent


def test_messages_stand_above_live_lines_and_whatever_is_unfinished_is_not_torn(monkeypatch):
    terminal, sent = narrow_terminal(monkeypatch)

    terminal.live("one\ntwo\nthree")
    terminal.line("a message")
    terminal.live("one\ntwo")
    terminal.write("half ")
    terminal.write("a message\n")
    terminal.live("last")
    terminal.keep_live()
    terminal.line("the end")

    rows, _ = screen(sent.getvalue().replace("\n", "\n\r"), 20)
    assert [row for row in rows if row] == ["a message", "half a message", "last", "the end"]


def test_live_lines_that_a_narrower_window_has_wrapped_are_cleared_whole(monkeypatch):
    terminal, sent = narrow_terminal(monkeypatch)
    terminal.live("\x1b[32m数据库数据库\x1b[0m\nshort")

    monkeypatch.setattr(Terminal, "size", lambda self: (5, 24))
    terminal.live("new")

    # Twelve cells take three rows of five columns, and "short" the fourth.
    assert sent.getvalue().endswith("\x1b[3A\r\x1b[Jnew")


# --- What a run waits for -------------------------------------------------------------------------------


def test_a_used_up_quota_and_lost_answers_are_told_on_the_live_view(desk):
    it = desk(job_seconds=0.3, quota=1)

    def stop(child, said):
        if "nothing is submitted to north for" in said and not stopped:
            stopped.append(True)
            child.send_signal(signal.SIGTERM)

    stopped: list[bool] = []
    code, written = on_a_terminal(it, "run", it.plan(3, on_quota="wait"), columns=160, until=stop)

    assert code == 143
    assert re.search(r"waits: nothing is submitted to north for 5 min: \S+", written)
