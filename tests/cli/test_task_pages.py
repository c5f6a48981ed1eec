"""The task pages of the manual, done as they stand: their plan, their commands, a stand-in cloud."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import AK, SK, Desk

DOCS = Path(__file__).parents[2] / "docs"

HURRY = {
    "limits": 'submit_rate = "50/s"\nquery_rate = "100/s"\n',
    "polling": 'first = "100ms"\nmin_interval = "100ms"\nmax_interval = "200ms"\n',
    "policy": 'settle = "1s"\nlate = "1s"\n',
}
"""What a plan has to say for a run to be done at once, by table; a page that has the table keeps its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a page promises."""

    codes: list[int]
    """How each command ends, in the order of the page."""

    accepted: dict[str, int]
    """How often the cloud was asked for each image."""

    cloud: dict[str, Any] = field(default_factory=dict)
    """What the stand-in is like."""

    cured: str = ""
    """The command before which the cause of failures is removed, as the page asks."""


CASES = {
    "first-run.md": Case(codes=[0, 0, 0, 0, 7, 0, 0], accepted={"web-01": 1, "web-02": 1, "web-03": 1}),
    "night-window.md": Case(codes=[0, 0, 0], accepted={"web-01": 1, "web-02": 1}),
    "resume.md": Case(codes=[7, 0, 0, 0], accepted={"web-01": 2, "web-02": 1, "web-03": 1}),
    "failed-images.md": Case(
        codes=[0, 0, 0, 0, 0, 0, 0],
        accepted={"web-01": 1, "web-02": 3},
        cloud={"fates": {"web-02": "IMG.0057"}},
        cured="migrator run plan.toml --retry-failed",
    ),
    "many-accounts.md": Case(codes=[0, 0, 7, 0], accepted={"shop-01": 1, "ledger-01": 1}),
    "ci.md": Case(codes=[0, 0, 0, 0, 0, 0, 0], accepted={"web-01": 1}),
    "tuning.md": Case(codes=[0, 0], accepted={}),
}


def the_plan(page: str, url: str) -> str:
    """The plan that a page shows, sent to a stand-in, and in a hurry."""
    (text,) = (block for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if "[plan]" in block)
    where = "".join(f'{service}_endpoint = "{url}"\n' for service in ("ims", "iam", "obs"))
    text = re.sub(r'(?m)^(region = ".*"\n)', rf"\1{where}", text)
    text = re.sub(r"(not_before = )\d{4}", r"\g<1>2020", text)  # the window is open, whenever this runs
    text = re.sub(r"(not_after = )\d{4}", r"\g<1>2120", text)
    for table, lines in HURRY.items():
        if f"\n[{table}]\n" not in text:
            text = f"[{table}]\n{lines}\n{text}"
    return text


def commands(page: str) -> list[str]:
    """The lines of all its blocks for a shell."""
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("name", CASES)
def test_a_task_page_goes_as_it_stands(name: str, desk: Callable[..., Desk]) -> None:
    case, page = CASES[name], (DOCS / name).read_text(encoding="utf-8")
    at = desk(**case.cloud)
    at.preflight = True
    at.env |= {
        f"{prefix}_{key}": value for prefix in ("RETAIL", "BANK") for key, value in (("AK", AK), ("SK", SK))
    }
    (at.folder / "plan.toml").write_text(the_plan(page, at.url), encoding="utf-8")
    if case.cured:
        assert at("run", "plan.toml").code == 3

    codes = []
    for line in commands(page):
        first, *arguments = shlex.split(line)
        if first == "cp":
            at("run", "plan.toml")
            shutil.copy(*arguments)
            continue
        if first == "python3":
            said = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
            assert f"```text\n{said.stdout}```" in page
            continue
        assert first == "migrator"
        if line == case.cured:
            at.change(fates={})
        done = at(*arguments)
        codes.append(done.code)
        assert done.code in case.codes, (line, done)

    assert codes == case.codes
    assert at.accepted == case.accepted


def test_every_task_page_is_done_that_has_commands_for_a_plan() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8").split("\n## Tasks\n")[1].split("\n## ")[0]
    pages = re.findall(r"\]\(([\w-]+\.md)\)", index)
    shown_elsewhere = {"rehearsing.md", "scale-out.md", "notify.md", "serve.md"}

    done = {
        name
        for name in pages
        if any(line.startswith("migrator") for line in commands((DOCS / name).read_text("utf-8")))
    }

    assert done - shown_elsewhere == set(CASES)
