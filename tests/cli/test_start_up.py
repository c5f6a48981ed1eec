"""The first moments: quick answers, and help that fits a screen."""

import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from migrator import __version__
from migrator.cli.app import app
from migrator.cli.common import run_async, run_virtually

COMMANDS = sorted(app.commands)
HEAVY = (
    "aiohttp",
    "anyio",
    "asyncio",
    "difflib",
    "email",
    "html",
    "http",
    "importlib.metadata",
    "logging",
    "pydantic",
    "rich",
    "sqlite3",
    "ssl",
    "structlog",
    "subprocess",
    "tempfile",
    "traceback",
    "wcwidth",
)
"""What a command needs for its work, if at all; none of it is there for a line of help."""


@pytest.mark.parametrize(
    ("arguments", "spared"),
    [
        pytest.param(["--version"], (*HEAVY, "click"), id="version"),
        pytest.param(["--help"], HEAVY, id="help"),
        pytest.param(["run", "--help"], HEAVY, id="help of a command"),
    ],
)
def test_what_needs_no_work_imports_no_workers(arguments, spared):
    script = (
        "import sys\n"
        f"sys.argv = ['migrator', *{arguments!r}]\n"
        "from migrator.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('HEAVY', sorted(set({spared!r}) & set(sys.modules)))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=20, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("HEAVY []\n"), done.stdout


def test_the_version_is_the_packages():
    result = CliRunner().invoke(app, ["--version"])

    assert (result.exit_code, result.stdout) == (0, f"migrator {__version__}\n")


def test_without_a_command_the_help_is_shown():
    result = CliRunner().invoke(app, [])

    assert result.exit_code == 2
    assert "Commands:" in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_fits_80_columns_and_no_summary_is_cut_off(command):
    result = CliRunner(env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"}).invoke(
        app, [*([command] if command else []), "--help"]
    )

    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert not re.search(r"^  .*\.\.\.$", result.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        pytest.param(["rnu"], "run", id="a command with a typo"),
        pytest.param(["run", "plan.toml", "--limt", "3"], "--limit", id="an option with a typo"),
        pytest.param(["run"], "PLAN", id="an argument is missing"),
        pytest.param(["run", "plan.toml", "--limit", "0"], "--limit", id="out of range"),
        pytest.param(["run", "plan.toml", "--limit", "many"], "--limit", id="not a number"),
        pytest.param(["run", "plan.toml", "--color", "pink"], "auto, always, never", id="not a choice"),
        pytest.param(["run", "plan.toml", "--log-format", "xml"], "console, json", id="not a format"),
        pytest.param(["simulate", "--scenario", "sunny"], "calm", id="not a scenario"),
    ],
)
def test_a_wrong_command_line_is_exit_code_2_with_a_word_that_helps(arguments, text):
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert text in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


class Large:
    """Whoever describes it has a long time to wait."""

    described = False

    def __repr__(self) -> str:
        self.described = True
        return "large"


@pytest.mark.parametrize("run", [run_async, run_virtually])
def test_what_a_loop_found_is_handed_on_and_not_described(run):
    there = Large()

    async def find(one: Large) -> Large:
        return one

    assert run(find, there) is there
    assert not there.described
