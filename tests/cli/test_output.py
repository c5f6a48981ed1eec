"""stdout is data, stderr is the rest, and neither can bring a run down."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import structlog

from migrator.plan import parse_plan
from tests.cli.conftest import ended

COLOUR = re.compile(r"\x1b\[[\d;]*m")


def test_with_json_every_line_of_stdout_is_an_object_and_everything_else_is_on_stderr(desk):
    it = desk(fates={"web-02": "IMG.0057"})

    result = it("run", it.plan(3), "--json", "-v", "-v", "--log-format", "json")

    assert result.code == 3
    kinds = [line.get("event") for line in result.objects]
    assert {"AttemptBegan", "JobAccepted", "ImageVerified", "JobFailed", "RunEnded"} <= set(kinds)
    assert result.objects[-1]["exit_code"] == 3
    assert result.objects[-1]["reports"][0].endswith("report.json")
    assert "migration.submitted" not in result.out
    assert "migration.submitted" in result.err


def test_log_lines_are_json_when_asked_for(desk):
    it = desk(fates={"web-02": "IMG.0057"})

    result = it("run", it.plan(3), "-v", "--log-format", "json")

    logged = [json.loads(line) for line in result.err.splitlines() if line.startswith("{")]
    assert "migration.failed" in {line["event"] for line in logged}


def test_a_quiet_run_says_nothing_unless_something_is_wrong(desk):
    it = desk()

    result = it("run", it.plan(2), "-q")
    wrong = it("run", it.plan(2), "-q", "--again", "north/nobody")

    assert (result.out, result.err) == ("", "")
    assert "north/nobody" in wrong.err


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        pytest.param("-q", ["error"], id="quiet"),
        pytest.param("--color=never", ["error", "warning"], id="as it is"),
        pytest.param("-v", ["error", "warning", "info"], id="verbose"),
        pytest.param("-vv", ["error", "warning", "info", "debug"], id="twice"),
    ],
)
def test_how_much_is_logged(desk, monkeypatch, option, shown):
    it = desk()

    def speaking(*given: Any, **more: Any) -> Any:
        for level in ("error", "warning", "info", "debug"):
            getattr(structlog.get_logger(), level)(f"this is {level}")
        return parse_plan(*given, **more)

    monkeypatch.setattr("migrator.cli.wiring.parse_plan", speaking)

    result = it("validate", it.plan(1), option)

    assert re.findall(r"this is (\w+)", result.err) == shown


def test_the_log_file_gets_json_lines_that_only_its_owner_may_read(desk):
    it = desk()
    path = it.plan(2)

    it("run", path, "-v", "--log-file", "run.log")
    it("run", path, "-v", "--log-file", "run.log")

    lines = [json.loads(line) for line in (it.folder / "run.log").read_text().splitlines()]
    assert [line["event"] for line in lines].count("run.began") == 2
    assert (it.folder / "run.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("options", "env", "coloured"),
    [
        pytest.param([], {}, False, id="nobody watches"),
        pytest.param(["--color", "always"], {}, True, id="always"),
        pytest.param([], {"MIGRATOR_COLOR": "always"}, True, id="always, by variable"),
        pytest.param(["--color", "never"], {"MIGRATOR_COLOR": "always"}, False, id="the flag wins"),
    ],
)
def test_colours(desk, options, env, coloured):
    it = desk()

    result = it("run", it.folder / "nowhere.toml", *options, **env)

    assert bool(COLOUR.search(result.err)) is coloured


def test_no_color_counts_on_a_terminal_unless_colours_are_asked_for(desk, monkeypatch):
    from migrator.cli.common import Console
    from migrator.io.console import STDERR

    monkeypatch.setattr(STDERR, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert Console().colored
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Console().colored
    assert Console(color="always").colored


@pytest.mark.parametrize(
    ("variable", "value", "sign"),
    [
        pytest.param("MIGRATOR_JSON", "1", lambda result: result.objects[-1]["exit_code"] == 0, id="json"),
        pytest.param("MIGRATOR_QUIET", "1", lambda result: result.err == "", id="quiet"),
        pytest.param("MIGRATOR_VERBOSE", "1", lambda result: "run.began" in result.err, id="verbose"),
        pytest.param("MIGRATOR_LOG_FORMAT", "yaml", lambda result: result.code == 2, id="log format"),
    ],
)
def test_options_may_stand_in_the_environment(desk, variable, value, sign):
    it = desk()

    assert sign(it("run", it.plan(1), **{variable: value}))


def test_the_log_file_may_stand_in_the_environment(desk):
    it = desk()

    it("run", it.plan(1), "-v", MIGRATOR_LOG_FILE="from-env.log")

    assert "run.began" in (it.folder / "from-env.log").read_text()


def reading_one_line(desk, *arguments: object) -> tuple[str, int, str]:
    """(first line, exit code, stderr) of a command whose reader hangs up after one line."""
    child = desk.start(*arguments)
    line = child.stdout.readline()
    child.stdout.close()
    child.stdout = None
    done = ended(child)
    return line, done.code, done.err


def test_a_run_whose_reader_hangs_up_goes_on_to_its_end(desk):
    it = desk()
    path = it.plan(8)

    line, code, err = reading_one_line(it, "run", "--json", path)

    assert json.loads(line)
    assert code == 0
    assert "Traceback" not in err
    assert "BrokenPipe" not in err
    assert set(it.accepted.values()) == {1}
    assert len(it.accepted) == 8


@pytest.mark.parametrize("command", ["status", "schema"])
def test_a_command_whose_reader_hangs_up_ends_cleanly(desk, command):
    it = desk()
    path = it.plan(2)
    it("run", path)
    read, write = os.pipe()
    os.close(read)

    with os.fdopen(write, "w") as nobody:
        result = it.spawn(*{"status": ["status", path], "schema": ["schema"]}[command], stdout=nobody)

    assert (result.code, result.err) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_data_that_could_not_be_written_is_said_and_is_no_success(desk):
    it = desk()
    path = it.plan(1)
    it("run", path)

    with Path("/dev/full").open("w") as full:
        result = it.spawn("status", path, stdout=full)

    assert result.code == 1
    assert "stdout cannot be written: No space left on device" in result.err
    assert "Traceback" not in result.err


def test_a_run_without_any_streams_works(desk):
    it = desk()

    def close_all() -> None:
        os.closerange(0, 3)

    child = it.start("run", it.plan(2), stdout=None, stderr=None, before=close_all)

    assert child.wait(20) == 0
    assert (it.reports / "dc-east/report.json").exists()


def test_names_in_chinese_survive_a_terminal_that_cannot_show_them(desk):
    it = desk()
    path = it.plan(1, more='[[images]]\nname = "数据库"\nobject = "db.zvhd2"\n')

    result = it.spawn("run", path, "--dry-run", "--json", PYTHONIOENCODING="latin-1", PYTHONUTF8="0")

    assert result.code == 0
    assert "数据库" in [line["body"]["name"] for line in result.objects]


def test_completion_can_be_installed(desk):
    result = desk().spawn("--show-completion", SHELL="/bin/bash")

    assert result.code == 0
    assert "_MIGRATOR_COMPLETE" in result.out or "COMPLETE" in result.out
    assert subprocess.list2cmdline(["migrator"]) in result.out
