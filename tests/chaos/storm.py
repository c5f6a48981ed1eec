"""One storm: a plan, a cloud under the worst faults, a program that is killed again and again and resumed."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

PLAN = """\
[plan]
name = "chaos"
[targets.north]
region = "cn-north-4"
ims_endpoint = "{url}"
iam_endpoint = "{url}"
obs_endpoint = "{url}"
[limits]
max_requests = 24
request_timeout = "1500ms"
connect_timeout = "1s"
submit_rate = "4/s"
submit_burst = 4
query_rate = "20/s"
query_burst = 10
[polling]
first = "10s"
min_interval = "5s"
[policy]
max_failures = "100%"
late = "2m"   # this cloud accepts nothing later than after 100 s
"""

IMAGE = """
[[images]]
name = "vm-{number:05}"
image_url = "bucket:vm-{number:05}.zvhd2"
os_version = "CentOS 7.6 64bit"
min_disk = 60
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the cloud's ledger and the program's report say in the end."""

    imports: dict[str, int]
    """Accepted imports by image name, from the simulator."""

    statuses: dict[str, str]
    """Status by image name, from report.json."""

    exit_code: int
    kills: int
    freezes: int
    secrets: list[str]
    """Where something was written that the cloud had repeated."""

    log: str


SECRETS = re.compile(rb'(?<![A-Za-z0-9+/_-])MII[A-Za-z0-9+/_-]{40}|"password": ?"|simulator-secret-key')
"""A token (and not what looks like one within a packed script), the body of a login, and the key."""

STOPPED_EARLY, AGAIN = 7, 5
"""The exit code that asks to be run again, and how often that is done: a busy machine may be out of reach for
longer than a run that time is sped up for has patience."""


@contextmanager
def cloud_process(seed: int, speed: float) -> Iterator[dict[str, object]]:
    """A cloud in another process."""
    command = [sys.executable, str(HERE / "chaos_cloud.py"), str(seed), str(speed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent.parent)
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def storm(folder: Path, *, seed: int, images: int, kills: int, speed: float) -> Outcome:
    """Run one plan through a storm with `kills` SIGKILLs at random moments, then let it come to its end."""
    rng = random.Random(seed)
    with cloud_process(seed, speed) as cloud:
        plan = folder / "plan.toml"
        rows = "".join(IMAGE.format(number=number) for number in range(images))
        plan.write_text(PLAN.format(url=cloud["url"]) + rows)
        environ = {
            **os.environ,
            "HW_USER_NAME": "simulator",
            "HW_USER_PASSWORD": "simulator",
            "HW_DOMAIN_NAME": "simulator",
            "MIGRATOR_REHEARSAL_CLOCK": f"{speed}@{cloud['anchor']}",
        }
        command = [sys.executable, "-m", "migrator", "run", str(plan), "--reports-dir", str(folder)]
        floor = images * 60.0 / 40 / speed
        done = frozen = 0
        with (folder / "log").open("wb") as log:
            for _ in range(kills):
                process = subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=folder)
                try:
                    process.wait(timeout=1.0 + rng.uniform(0.1, 0.3) * floor)
                    break
                except subprocess.TimeoutExpired:
                    frozen += _freeze(process, rng.uniform(0.1, 2.0))
                try:
                    process.wait(timeout=rng.uniform(0.1, 0.3) * floor)
                    break
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    done += 1
            for _ in range(AGAIN):
                code = subprocess.run(command, env=environ, stdout=log, stderr=log, cwd=folder, check=False)
                if code.returncode != STOPPED_EARLY:
                    break
        with urllib.request.urlopen(f"{cloud['url']}/_sim/ledger") as answer:
            accepted = json.load(answer)["accepted"]
    written = folder / "chaos" / "report.json"
    report = json.loads(written.read_text()) if written.exists() else {"images": []}
    return Outcome(
        imports={name: len(jobs) for name, jobs in accepted.items()},
        statuses={image["name"]: image["status"] for image in report["images"]},
        exit_code=code.returncode,
        kills=done,
        freezes=frozen,
        secrets=_written(folder),
        log=(folder / "log").read_text(),
    )


def _freeze(process: subprocess.Popen[bytes], seconds: float) -> int:
    """Let a process stand still for a while, as a paused machine does; 1 if it was still there."""
    process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    process.send_signal(signal.SIGCONT)
    return 1


def _written(folder: Path) -> list[str]:
    """Files that hold a token or the password, which every refusal repeated."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "plan.toml")
    return sorted(path.name for path in files if SECRETS.search(path.read_bytes()))


def verdict(outcome: Outcome, images: int) -> list[str]:
    """What is wrong with an outcome; empty when nothing is."""
    expected = {f"vm-{number:05}" for number in range(images)}
    wrong = []
    if doubled := {name: count for name, count in outcome.imports.items() if count != 1}:
        wrong.append(f"imported more than once: {doubled}")
    if lost := expected - set(outcome.imports):
        wrong.append(f"never imported: {sorted(lost)}")
    done = {name for name, status in outcome.statuses.items() if status == "succeeded"}
    if done != set(outcome.imports):
        wrong.append(f"the report and the ledger differ: {sorted(done ^ set(outcome.imports))}")
    if outcome.secrets:
        wrong.append(f"secrets in {outcome.secrets}")
    failed = {name for name, status in outcome.statuses.items() if status == "failed"}
    if failed & set(outcome.imports):
        wrong.append(f"falsely failed: {sorted(failed & set(outcome.imports))}")
    if outcome.exit_code != 0:
        wrong.append(f"exit code {outcome.exit_code}")
    if "Traceback" in outcome.log:
        wrong.append("a traceback was shown")
    return wrong


def main() -> int:
    """`python -m tests.chaos.storm [SEEDS] [IMAGES]`: one line for each storm."""
    import tempfile

    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    images = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    failed = imported = kills = freezes = 0
    for seed in range(seeds):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            outcome = storm(Path(folder), seed=seed, images=images, kills=5, speed=20.0)
            wrong = verdict(outcome, images)
            if wrong:
                failed += 1
                Path(f"chaos-{seed}.log").write_text(outcome.log)
        seconds = time.monotonic() - began
        imported += sum(outcome.imports.values())
        kills, freezes = kills + outcome.kills, freezes + outcome.freezes
        line = (
            f"{sum(outcome.imports.values())} imports of {images} images, {outcome.kills} kills, "
            f"{outcome.freezes} freezes"
        )
        print(f"seed {seed}: {line}, {seconds:.0f} s: {'; '.join(wrong) or 'well'}", flush=True)
    print(
        f"{seeds * images:,} images, {imported:,} imports, {kills} kills, {freezes} freezes; "
        f"{seeds - failed} storms passed, {failed} failed"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
