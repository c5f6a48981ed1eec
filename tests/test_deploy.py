"""What ships for operators is what the program really is: its unit, its container file."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parents[1] / "docs" / "deploy"

KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "VOLUME", "STOPSIGNAL", "ENTRYPOINT", "CMD"}
"""Instructions of a container file that ours needs."""


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Containerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r" *\\\n *", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def test_the_container_file_holds_only_instructions_that_there_are_and_runs_as_nobody():
    found = instructions()

    assert {word for word, _ in found} <= KNOWN
    assert found[0][0] == "FROM"
    last = [word for word, _ in found].index("FROM", 1)
    final = dict(found[last + 1 :])
    assert final["USER"].isdigit()
    assert int(final["USER"]) > 0
    assert final["ENTRYPOINT"] == '["migrator"]'
    assert final["VOLUME"] == "/reports"


def test_what_the_container_installs_are_extras_that_there_are():
    pyproject = (DEPLOY.parents[1] / "pyproject.toml").read_text()
    (extras,) = re.findall(r"\.whl\)\[([\w,]+)\]", (DEPLOY / "Containerfile").read_text())

    for extra in extras.split(","):
        assert re.search(rf"^{extra} = \[", pyproject, flags=re.MULTILINE)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_unit(tmp_path):
    unit = (DEPLOY / "migrator-worker.service").read_text()
    (tmp_path / "migrator-worker.service").write_text(unit.replace("/opt/migrator/bin/migrator", "/bin/true"))

    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "migrator-worker.service")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert "migrator-worker" not in done.stderr


def test_the_unit_starts_what_ended_and_gives_it_time_to_let_go():
    unit = (DEPLOY / "migrator-worker.service").read_text()

    assert "Restart=always" in unit
    assert "RestartPreventExitStatus" not in unit  # 70 as well
    assert "ExecStart=/opt/migrator/bin/migrator worker\n" in unit
