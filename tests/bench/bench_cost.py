"""What whole processes cost, next to a script that forgets everything and to the least that is durable.

    python -m tests.bench.bench_cost [CASE ...]

Black box: each program is started from the command line, with its start-up, its input and its reports.
Processor time and peak memory are what the system says of the process when it is gone (wait4). The client has
one core and the service, the simulator, another. Cases are in CASES; without a name those that take no hour.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parents[2]
MIGRATOR = [os.environ.get("MIGRATOR_PYTHON", sys.executable), "-m", "migrator"]
"""Of a plain installation, where one is named: what developers have besides, such as rich, costs a start."""

CORES = sorted(os.sched_getaffinity(0))
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")

PLAN = """\
[plan]
name = "cost"
[targets.north]
region = "cn-north-4"
project_id = "{project}"
ims_endpoint = "{url}"
iam_endpoint = "{url}"
obs_endpoint = "{url}"
[limits]
max_jobs = {in_flight}
max_requests = 64
submit_rate = "{submit_rate}/s"
submit_burst = 1000
query_rate = "{query_rate}/s"
query_burst = 1000
[polling]
{polling}
[defaults]
bucket = "bucket"
os_version = "CentOS 7.6 64bit"
min_disk = 40
[[inventory]]
file = "images.csv"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One comparison."""

    images: int
    job_seconds: float
    spread: str = "fixed"
    in_flight: int = 10_000
    submit_rate: int = 10_000
    query_rate: int = 10_000
    polling: str = ""
    """Of the plan; empty for the defaults."""

    speed: float = 1.0
    """How many times as fast all clocks run."""

    preflight: bool = False
    clients: tuple[str, ...] = ("naive", "durable", "ours", "ours, uvloop")
    rounds: int = 3


AT_ONCE = 'first = "1ms"\nmin_interval = "1ms"\nmax_interval = "1s"'
CASES = {
    "burst": Case(images=5_000, job_seconds=0.0, polling=AT_ONCE),
    "calm": Case(
        images=400, job_seconds=60.0, spread="lognormal", in_flight=100, clients=("durable", "ours"), rounds=1
    ),
    "polls": Case(
        images=400,
        job_seconds=600.0,
        spread="exponential",
        in_flight=40,
        speed=60.0,
        clients=("durable", "ours"),
        rounds=1,
    ),
    "flight": Case(
        images=100_000,
        job_seconds=60.0,
        spread="uniform",
        in_flight=100_000,
        submit_rate=200,
        query_rate=1_000,
        speed=10.0,
        clients=("durable", "ours"),
        rounds=1,
    ),
    "paced": Case(
        images=100_000,
        job_seconds=60.0,
        spread="uniform",
        in_flight=100_000,
        submit_rate=33,
        query_rate=1_000,
        speed=10.0,
        clients=("ours",),
        rounds=1,
    ),
}
USUAL = ("burst", "calm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one process took."""

    processor: float
    """Seconds, of it and its children."""

    seconds: float
    peak_mb: float
    requests: dict[str, int]
    """That the service counted, by kind."""


def fast(case: Case) -> dict[str, str]:
    """What makes all clocks of a process run fast, those of its timeouts among them."""
    if case.speed == 1:
        return {}
    return {"LD_PRELOAD": str(FAKETIME), "FAKETIME": f"+0 x{case.speed:g}"}


@contextmanager
def cloud(case: Case) -> Iterator[tuple[str, str, str]]:
    """The stand-in on a core of its own: URL, token, project."""
    settings = {
        "job_seconds": case.job_seconds,
        "job_spread": case.spread,
        "max_jobs": 10_000_000,
        "quota": 10_000_000,
    }
    words = [sys.executable, "-m", "tests.bench.cloud_process", json.dumps(settings)]
    environ = {**os.environ, **fast(case)}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=HERE, env=environ)
    os.sched_setaffinity(process.pid, {CORES[-1]})
    try:
        assert process.stdout is not None
        url, token, project = process.stdout.readline().split()
        yield url, token, project
    finally:
        process.kill()
        process.wait()


def command(client: str, case: Case, folder: Path, service: tuple[str, str, str]) -> list[str]:
    """The words of one client."""
    url, token, project = service
    if client in ("naive", "durable"):
        many = str(case.in_flight)
        words = [client, "images.csv", url, token, project, many, "."]
        return [sys.executable, "-m", "tests.bench.plain_client", *words]
    text = PLAN.format(
        url=url,
        project=project,
        in_flight=case.in_flight,
        submit_rate=case.submit_rate,
        query_rate=case.query_rate,
        polling=case.polling,
    )
    (folder / "plan.toml").write_text(text)
    words = ["run", "plan.toml", "--reports-dir", "reports"]
    words += [] if case.preflight else ["--no-preflight"]
    return [*MIGRATOR, *words]


def run(client: str, case: Case) -> Cost:
    """One client against a service of its own. Raises RuntimeError where it fails."""
    with tempfile.TemporaryDirectory() as name, cloud(case) as service:
        folder = Path(name)
        with (folder / "images.csv").open("w") as rows:
            rows.write("name,object\n")
            rows.writelines(f"vm-{number:06},vm-{number:06}.zvhd2\n" for number in range(case.images))
        words = command(client, case, folder, service)
        environ = {
            **os.environ,
            "PYTHONPATH": str(HERE),
            "HUAWEICLOUD_SDK_AK": "SIMULATORACCESSKEY00",
            "HUAWEICLOUD_SDK_SK": "simulator-secret-key-not-a-real-one-000",
        }
        environ |= fast(case)
        if "uvloop" not in client:
            (folder / "without").mkdir()
            (folder / "without" / "uvloop.py").write_text("raise ImportError")
            environ["PYTHONPATH"] = f"{folder}/without:{HERE}"
        began = time.monotonic()
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(words, cwd=folder, env=environ, stdout=log, stderr=log)
            os.sched_setaffinity(process.pid, {CORES[0]})
            _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        if process.returncode:
            raise RuntimeError(f"{client}: {process.returncode}: {(folder / 'log').read_text()[-2000:]}")
        with urllib.request.urlopen(f"{service[0]}/_sim/stats") as answer:
            requests = json.load(answer)["requests"]
        if requests["import"] != case.images:
            raise RuntimeError(f"{client}: {requests}")
        return Cost(
            processor=used.ru_utime + used.ru_stime,
            seconds=seconds,
            peak_mb=used.ru_maxrss / 1024,
            requests=requests,
        )


def told(requests: dict[str, int], images: int) -> str:
    """Requests an image, all of them and by kind."""
    kinds = ", ".join(f"{kind} {count / images:.2f}" for kind, count in requests.items() if count)
    return f"{sum(requests.values()) / images:.1f} ({kinds})"


def main(names: list[str]) -> None:
    """Print each client's cost, and its ratio to the first."""
    for name in names or USUAL:
        case = CASES[name]
        costs: dict[str, list[Cost]] = {client: [] for client in case.clients}
        for _ in range(case.rounds):
            for client in case.clients:
                costs[client].append(run(client, case))
        least = {client: min(one.processor for one in found) for client, found in costs.items()}
        first = case.clients[0]
        for client, found in costs.items():
            best = min(found, key=lambda one: one.processor)
            print(
                f"{name}, {client}: {1000 * least[client] / case.images:.2f} ms of processor an image, "
                f"{least[client] / least[first]:.2f} of {first}; {best.seconds:.1f} s, "
                f"peak {best.peak_mb:.0f} MB; requests an image: {told(best.requests, case.images)}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
