"""Many hosts on one machine: a database, two workers, one plan, one `kill -9`, the takeover, the report.

`python -m tests.hosts.demo`: about a minute. Ends with 0 where the cloud's own ledger has each image once.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import psycopg

from tests.postgres import cluster, missing

TARGETS, IMAGES = 4, 15
STALE = 5.0

PLAN = """\
[plan]
name = "workers"
[limits]
submit_rate = "4/s"
query_rate = "20/s"
[polling]
first = "1s"
min_interval = "500ms"
max_interval = "2s"
[policy]
settle = "5s"
late = "5s"
[defaults]
bucket = "dc-east-disks"
os_version = "CentOS 7.6 64bit"
min_disk = 40
"""
ENDPOINTS = 'region = "cn-north-4"\nims_endpoint = "{url}"\niam_endpoint = "{url}"\nobs_endpoint = "{url}"\n'


def say(text: str) -> None:
    print(text, flush=True)


def plan_text(url: str) -> str:
    """Four targets of the same account, fifteen images each."""
    targets = "".join(f"[targets.t{n}]\n{ENDPOINTS.format(url=url)}" for n in range(TARGETS))
    images = "".join(
        f'[[images]]\nname = "vm-{target}-{n:02}"\ntarget = "t{target}"\n'
        f'object = "vm-{target}-{n:02}.zvhd2"\n'
        for target in range(TARGETS)
        for n in range(IMAGES)
    )
    return PLAN + targets + images


def started(stack: ExitStack, folder: Path, environ: dict[str, str], *words: str) -> subprocess.Popen[str]:
    """A process of the program, killed at the end if it still runs."""
    log = stack.enter_context((folder / f"{words[0]}-{words[-1]}.log").open("w"))
    out = subprocess.PIPE if words[0] == "simulate" else log
    process = subprocess.Popen(
        [sys.executable, "-m", "migrator", *words], env=environ, cwd=folder, stdout=out, stderr=log, text=True
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def owners(url: str) -> dict[str, list[str]]:
    """Which targets each worker holds that lives."""
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT p.name, array_agg(s.target ORDER BY s.target) FROM migrator.shards s"
            " JOIN migrator.processes p ON p.id = s.holder WHERE s.over_at IS NULL"
            " AND p.beat > now() - interval '2 s' GROUP BY 1"
        ).fetchall()
    return {name: list(targets) for name, targets in rows}


def left(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute("SELECT count(*) FROM migrator.shards WHERE over_at IS NULL").fetchone()
    return -1 if row is None else int(row[0])


def wait_for(what: str, true: object, seconds: float = 120.0) -> None:
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise SystemExit(f"it never happened: {what}")
        time.sleep(0.1)


def main() -> int:
    """Show it all, and judge it by the cloud's ledger."""
    if missing():
        say(missing())
        return 1
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(cluster(durable=True))
        url = server.create("migrations")
        environ = {**os.environ, "MIGRATOR_JOURNAL": url, "PYTHONPATH": str(Path(__file__).parents[2])}
        cloud = started(stack, folder, environ, "simulate", "--speed", "20", "--quota", "100")
        assert cloud.stdout is not None
        address = cloud.stdout.readline().split()[3]
        say(f"a database in {server.folder}, and a stand-in cloud at {address}")
        environ |= {
            "HUAWEICLOUD_SDK_AK": "SIMULATORACCESSKEY00",
            "HUAWEICLOUD_SDK_SK": "simulator-secret-key-not-a-real-one-000",
        }
        (folder / "plan.toml").write_text(plan_text(address))

        def migrator(*words: str) -> str:
            command = [sys.executable, "-m", "migrator", *words]
            return subprocess.run(
                command, env=environ, cwd=folder, check=True, capture_output=True, text=True
            ).stdout

        migrator("run", "plan.toml", "--detach")
        say(f"one plan was handed over: {TARGETS} targets, {TARGETS * IMAGES} images")
        workers = {
            name: started(
                stack, folder, environ, "worker", "--stale", f"{STALE:g}s", "--lanes", "4", "--name", name
            )
            for name in ("alpha", "beta")
        }
        wait_for("all targets have owners", lambda: sum(map(len, owners(url).values())) == TARGETS)
        time.sleep(2.0)
        held = owners(url)
        for name, targets in sorted(held.items()):
            say(f"worker {name} works on {', '.join(targets)}")
        victim = max(held, key=lambda name: len(held[name]))
        other = next(name for name in workers if name != victim)
        workers[victim].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        say(f"kill -9 {victim}")
        time.sleep(2.5)  # until its last beat is no sign of life any more
        wait_for("a takeover", lambda: set(held[victim]) <= set(owners(url).get(other, ())))
        say(
            f"worker {other} has taken over {', '.join(held[victim])} after {time.monotonic() - killed:.1f} s"
        )
        wait_for("the end", lambda: left(url) == 0, seconds=300)
        workers[other].send_signal(signal.SIGTERM)
        workers[other].wait(30)
        say(migrator("status", "plan.toml").splitlines()[0])
        migrator("report", "plan.toml")
        report = json.loads((folder / "reports" / "workers" / "report.json").read_text())
        with urllib.request.urlopen(f"{address}/_sim/ledger") as answer:
            accepted = {name: len(jobs) for name, jobs in json.load(answer)["accepted"].items()}
    done = {image["name"] for image in report["images"] if image["status"] == "succeeded"}
    twice = [name for name, count in accepted.items() if count != 1]
    well = not twice and done == set(accepted) and len(done) == TARGETS * IMAGES
    say(f"the cloud's own ledger: {len(accepted)} images, {len(twice)} of them imported twice")
    say("well" if well else f"NOT well: the report has {len(done)} succeeded")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
