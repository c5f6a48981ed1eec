"""A plan, an adversary as its cloud, and the real command line in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.adversary.server import Adversary

PROJECT = "0123456789abcdef0123456789abcdef"
AK, SK = "ADVERSARYACCESSKEY01", "adversary-secret-key-00000000000000000001"

PLAN = """\
[plan]
name = "bad-day"
[targets.north]
region = "cn-north-4"
project_id = "{project}"
ims_endpoint = "{url}"
iam_endpoint = "{url}"
obs_endpoint = "{url}"
{target}
[limits]
submit_rate = "{rate}/s"
submit_burst = 20
query_rate = "{rate}/s"
query_burst = 40
connect_timeout = "2s"
{limits}
[retry]
base = "1s"
cap = "10s"
[polling]
first = "10s"
min_interval = "5s"
max_interval = "20s"
{polling}
[policy]
max_failures = "100%"
{policy}
[defaults]
os_version = "CentOS 7.6 64bit"
min_disk = 40
"""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one run left."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return found

    @property
    def images(self) -> dict[str, dict[str, Any]]:
        return {image["name"]: image for image in self.report["images"]}

    @property
    def statuses(self) -> dict[str, str]:
        return {name: image["status"] for name, image in self.images.items()}

    @property
    def everything(self) -> dict[str, bytes]:
        """All that it wrote and said, by what it was."""
        files = {path.name: path.read_bytes() for path in self.folder.parent.rglob("*") if path.is_file()}
        return files | {"stdout": self.out.encode(), "stderr": self.err.encode()}


@dataclass(kw_only=True)
class Battle:
    """One plan against one adversary."""

    folder: Path
    cloud: Adversary
    env: dict[str, str] = field(default_factory=dict)

    def plan(
        self,
        count: int = 3,
        *,
        image: str = "",
        target: str = "",
        limits: str = "",
        polling: str = "",
        policy: str = "",
    ) -> Path:
        """Write a plan of `count` images; the others are further lines of TOML."""
        head = PLAN.format(
            project=PROJECT,
            url=self.cloud.url,
            rate=min(10_000, max(10, int(10 * self.cloud.speed))),
            target=target,
            limits=limits,
            polling=polling,
            policy=policy,
        )
        rows = "".join(
            f'[[images]]\nname = "vm-{number:03}"\nimage_url = "bucket:vm-{number:03}.zvhd2"\n{image}\n'
            for number in range(1, count + 1)
        )
        path = self.folder / "plan.toml"
        path.write_text(head + rows)
        return path

    def start(self, *more: str, **options: Any) -> subprocess.Popen[str]:
        """Begin `migrator run` in a process of its own."""
        return self.begin("run", str(self.folder / "plan.toml"), "--no-preflight", *more, **options)

    def command(self, *arguments: str) -> Outcome:
        """Another command, to its end."""
        return self.finish(self.begin(*arguments))

    def begin(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Begin a command in a process of its own."""
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        for name in ("SSL_CERT_FILE", "PYTHONUNBUFFERED"):
            kept.pop(name, None)
        env = {
            **kept,
            "HUAWEICLOUD_SDK_AK": AK,
            "HUAWEICLOUD_SDK_SK": SK,
            "MIGRATOR_REHEARSAL_CLOCK": f"{self.cloud.speed}@{self.cloud.anchor}",
            **self.env,
        }
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.Popen(
            [sys.executable, "-m", "migrator", *arguments, "--reports-dir", str(self.folder / "reports")],
            cwd=self.folder,
            env=env,
            text=True,
            **given,
        )

    def finish(self, process: subprocess.Popen[str], seconds: float = 120.0) -> Outcome:
        """Wait for its end."""
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        folder = self.folder / "reports" / "bad-day"
        return Outcome(code=process.returncode, out=out or "", err=err or "", folder=folder)

    def run(self, *more: str) -> Outcome:
        """The whole run."""
        return self.finish(self.start(*more))


@pytest.fixture
def battle(tmp_path: Path) -> Iterator[Callable[..., Battle]]:
    """Sets one up: `battle(speed=100.0, job_seconds=60.0)`."""
    with ExitStack() as stack:

        def begin(**settings: Any) -> Battle:
            return Battle(folder=tmp_path, cloud=stack.enter_context(Adversary(**settings)))

        yield begin
