"""Many images by many workers, next to the same images by as many runs on SQLite.

    python -m tests.bench.bench_workers [IMAGES] [TARGETS] [WORKERS] [alone]

With `alone` the runs on SQLite are left out.

Whole processes, on this machine alone; the cloud costs next to nothing, and its count is the judge.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg

from tests.postgres import cluster, missing

PLAN = """\
[plan]
name = "{name}"
[limits]
max_jobs = 1000
max_requests = 32
submit_rate = "10000/s"
submit_burst = 1000
query_rate = "10000/s"
query_burst = 1000
[polling]
first = "1ms"
min_interval = "1ms"
max_interval = "1s"
sweep = false
[policy]
verify = false
settle = "10s"
late = "10s"
[defaults]
bucket = "bucket"
os_version = "CentOS 7.6 64bit"
min_disk = 40
[[inventory]]
file = "{name}.csv"
"""
MIGRATOR = [sys.executable, "-m", "migrator"]

TARGET = """\
[targets.t{number:03}]
region = "cn-north-4"
project_id = "0123456789abcdef0123456789abcdef"
ims_endpoint = "http://127.0.0.1:{port}"
iam_endpoint = "http://127.0.0.1:{port}"
obs_endpoint = "http://127.0.0.1:{port}"
"""


def written(folder: Path, name: str, port: int, targets: range, each: int) -> Path:
    """A plan whose images stand in a list beside it."""
    tables = "".join(TARGET.format(number=number, port=port) for number in targets)
    head, tail = PLAN.format(name=name).split("[limits]")
    (folder / f"{name}.toml").write_text(f"{head}{tables}[limits]{tail}")
    with (folder / f"{name}.csv").open("w") as rows:
        rows.write("name,target,object\n")
        for target in targets:
            rows.writelines(
                f"vm-{target:03}-{number:06},t{target:03},vm-{target:03}-{number:06}.zvhd2\n"
                for number in range(each)
            )
    return folder / f"{name}.toml"


def peak(pid: int) -> float:
    """The most memory that a process ever had, in MB (proc(5), VmHWM)."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0


class Bench:
    """One cloud, one folder."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cloud = self.started([sys.executable, "-m", "tests.bench.quick_cloud"], {}, out=subprocess.PIPE)
        assert cloud.stdout is not None
        self.port = int(cloud.stdout.readline())

    def environ(self, more: dict[str, str]) -> dict[str, str]:
        keys = {"HW_ACCESS_KEY": "AK", "HW_SECRET_KEY": "a-key-of-nobody"}
        return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **keys, **more}

    def started(
        self, command: list[str], more: dict[str, str], out: int = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        log = self.stack.enter_context((self.folder / "log").open("a"))
        process = subprocess.Popen(
            command, env=self.environ(more), cwd=self.folder, stdout=out, stderr=log, text=True
        )
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process

    def migrator(self, *words: str, **more: str) -> tuple[float, str]:
        """Seconds that a command took, and what it printed."""
        began = time.monotonic()
        done = subprocess.run(
            [*MIGRATOR, *words],
            env=self.environ(more),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"migrator {' '.join(words)}: {done.stderr[-2000:]}")
        return time.monotonic() - began, done.stdout

    def ledger(self) -> dict[str, int]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/ledger") as answer:
            found: dict[str, int] = json.load(answer)
        return found


def by_workers(images: int, targets: int, workers: int) -> float:
    """Images a second of workers over one database."""
    with ExitStack() as stack:
        bench = Bench(stack)
        server = stack.enter_context(cluster(durable=True, shared_buffers="512MB", max_wal_size="4GB"))
        url = server.create("bench")
        plan = written(bench.folder, "many", bench.port, range(targets), images // targets)
        took, _ = bench.migrator("run", str(plan), "--detach", "--no-preflight", MIGRATOR_JOURNAL=url)
        print(f"{images:,} images handed over: {took:.1f} s", flush=True)
        began = time.monotonic()
        crew = [
            bench.started(
                [
                    sys.executable,
                    "-m",
                    "migrator",
                    "worker",
                    "--quiet",
                    "--name",
                    f"w{number}",
                    "--lanes",
                    "2",
                ],
                {"MIGRATOR_JOURNAL": url},
            )
            for number in range(workers)
        ]
        slowest = 0.0
        with psycopg.connect(url, autocommit=True) as connection:
            while True:
                time.sleep(5)
                row = connection.execute(
                    "SELECT count(*) FILTER (WHERE over_at IS NULL), max(exit_code) FROM migrator.shards"
                ).fetchone()
                if time.monotonic() - began > 20 and slowest == 0.0:
                    slowest, _ = bench.migrator("status", str(plan), MIGRATOR_JOURNAL=url)
                if row is not None and row[0] == 0:
                    break
        seconds = time.monotonic() - began
        memory = [peak(process.pid) for process in crew]
        status, said = bench.migrator("status", str(plan), MIGRATOR_JOURNAL=url)
        size = connection_size(url)
        for process in crew:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        print(f"{images:,} images by {workers} workers: {images / seconds:.0f} images/s, {seconds:.0f} s")
        print(f"the cloud: {bench.ledger()}; exit code {row[1] if row else None}")
        print(f"status, while they work and at the end: {slowest:.1f} s, {status:.1f} s")
        print(said.splitlines()[0])
        print(
            f"most memory of a worker: {max(memory):.0f} MB; it owns {2 * images // targets:,} images at most"
        )
        print(f"size of the journal: {size / images:.0f} bytes an image", flush=True)
        return images / seconds


def connection_size(url: str) -> int:
    """Bytes of all tables and indices of journals."""
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
            " WHERE relnamespace = 'migrator'::regnamespace AND relkind = 'r'"
        ).fetchone()
    return 0 if row is None else int(row[0])


def by_runs(images: int, targets: int, workers: int) -> float:
    """Images a second of as many runs at once, each with a part of the plan and a journal on disk."""
    with ExitStack() as stack:
        bench = Bench(stack)
        parts = [
            range(number * targets // workers, (number + 1) * targets // workers) for number in range(workers)
        ]
        plans = [
            written(bench.folder, f"part{number}", bench.port, part, images // targets)
            for number, part in enumerate(parts)
        ]
        began = time.monotonic()
        crew = [
            bench.started(
                [sys.executable, "-m", "migrator", "run", "--quiet", "--no-preflight", str(plan)], {}
            )
            for plan in plans
        ]
        codes = [process.wait() for process in crew]
        seconds = time.monotonic() - began
        print(
            f"the same by {workers} runs on SQLite: {images / seconds:.0f} images/s, {seconds:.0f} s; {codes}"
        )
        print(f"the cloud: {bench.ledger()}", flush=True)
        return images / seconds


def main() -> None:
    """Print both."""
    if missing():
        print(missing())
        return
    given = [int(word) for word in sys.argv[1:] if word != "alone"]
    images, targets, workers = (*given, *(20_000, 20, 4)[len(given) :])
    workers_rate = by_workers(images, targets, workers)
    if "alone" in sys.argv:
        return
    runs_rate = by_runs(images, targets, workers)
    print(f"workers over PostgreSQL: {workers_rate / runs_rate:.2f} of as many runs on SQLite")


if __name__ == "__main__":
    main()
