"""What ships for operators is what the program really is: its unit, its container file."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from migrator import __version__

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "docs" / "deploy"

KNOWN = {
    "ARG",
    "LABEL",
    "FROM",
    "WORKDIR",
    "COPY",
    "RUN",
    "USER",
    "ENV",
    "VOLUME",
    "STOPSIGNAL",
    "ENTRYPOINT",
    "CMD",
}
"""Instructions of a container file that ours needs."""


def instructions() -> list[tuple[str, str]]:
    text = (DEPLOY / "Containerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r" *\\\n *", " ", "\n".join(lines))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]


def stage(number: int) -> list[tuple[str, str]]:
    """The instructions of one image; the last is the one that ships."""
    found = instructions()
    starts = [at for at, (word, _) in enumerate(found) if word == "FROM"]
    stages = [found[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
    return stages[number]


def test_the_container_file_holds_only_instructions_that_there_are_and_runs_as_nobody():
    assert {word for word, _ in instructions()} <= KNOWN
    final = dict(stage(-1))
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", final["USER"])
    assert final["VOLUME"] == "/reports"
    assert final["STOPSIGNAL"] == "SIGINT"
    assert "RUN" not in final  # so nothing of what builds is left in it
    assert json.loads(final["ENTRYPOINT"]) == ["migrator"]  # no shell stands between it and a signal
    assert json.loads(final["CMD"]) == ["--help"]


def test_the_container_says_which_version_it_is_and_under_which_licence():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert ("ARG", f"VERSION={__version__}") in instructions()
    (labels,) = (rest for word, rest in stage(-1) if word == "LABEL")
    assert 'org.opencontainers.image.version="${VERSION}"' in labels
    assert f'org.opencontainers.image.licenses="{project["license"]}"' in labels
    assert f'org.opencontainers.image.description="{project["description"]}"' in labels


def test_every_package_in_the_container_is_pinned_by_hash():
    installs = [
        part for word, rest in stage(0) if word == "RUN" for part in rest.split("&&") if " install " in part
    ]
    pips = [part for part in installs if "pip" in part]

    assert len(pips) == 3
    assert all("--require-hashes -r requirements/" in part or "--no-index" in part for part in pips)


def test_what_the_build_of_the_container_needs_is_copied_into_it():
    copied = {word for kind, rest in stage(0) if kind == "COPY" for word in rest.split()[:-1]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]

    assert {
        "pyproject.toml",
        "hatch_build.py",
        "migrator",
        project["project"]["readme"],
        "LICENSE",
        *shared,
    } <= copied
    assert [name for name in copied if not (ROOT / name).exists()] == []


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
