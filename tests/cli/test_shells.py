"""Completion, shown and installed: a file for the shell, and one line that reads it."""

import shutil
import subprocess

import pytest
from click.testing import CliRunner

from migrator.cli.app import app
from migrator.cli.shells import SHELLS, install, script_of


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_that_is_shown_completes_this_program(shell):
    assert f"_MIGRATOR_COMPLETE={shell}_complete" in script_of(shell, app)


@pytest.mark.parametrize(
    ("shell", "start"), [pytest.param("bash", ".bashrc"), pytest.param("zsh", ".zshrc"), ("fish", None)]
)
def test_installing_twice_leaves_one_line_and_what_was_there(shell, start, tmp_path):
    if start:
        (tmp_path / start).write_text("alias ll='ls -l'")

    path = install(shell, app, tmp_path)
    install(shell, app, tmp_path)

    assert path.read_text() == script_of(shell, app)
    if start:
        first, *rest = filter(None, (tmp_path / start).read_text().split("\n"))
        assert (first, len(rest)) == ("alias ll='ls -l'", 1)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_can_read_what_was_installed(tmp_path):
    install("bash", app, tmp_path)

    told = subprocess.run(
        ["bash", "-c", f". {tmp_path / '.bashrc'} && complete -p migrator"],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )

    assert told.stdout == "complete -o nosort -F _migrator_completion migrator\n"


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
def test_another_shell_is_told_which_there_are(option, monkeypatch):
    monkeypatch.setattr("migrator.cli.shells.os.getppid", lambda: 0)

    done = CliRunner(env={"SHELL": "/bin/tcsh"}).invoke(app, [option])

    assert done.exit_code == 2
    assert "bash, zsh, fish" in done.stderr
    assert done.stdout == ""


def test_a_home_that_cannot_be_written_is_one_line(monkeypatch, tmp_path):
    (tmp_path / ".bash_completions").write_text("a file where a folder should be")
    monkeypatch.setattr("migrator.cli.shells.os.getppid", lambda: 0)

    done = CliRunner(env={"SHELL": "/bin/bash", "HOME": str(tmp_path)}).invoke(app, ["--install-completion"])

    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
