"""Many hosts under the worst: workers killed and stopped, a database that crashes, a cloud under storm.

`python -m tests.chaos.hosts [SEEDS] [TARGETS] [IMAGES] [WORKERS] [KILLS] [SECONDS]`: one line for each plan,
with so many kills, so many seconds apart. The judge is the ledger of the cloud, a process of its own.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.chaos.storm import PLAN, cloud_process
from tests.postgres import Cluster, cluster

STALE = 5.0
"""Seconds of silence after which a worker counts as dead."""

TARGETS = """
[targets.t{number:03}]
region = "cn-north-4"
ims_endpoint = "{url}"
iam_endpoint = "{url}"
obs_endpoint = "{url}"
"""

IMAGE = """
[[images]]
name = "vm-{target:03}-{number:04}"
target = "t{target:03}"
image_url = "bucket:vm-{target:03}-{number:04}.zvhd2"
os_version = "CentOS 7.6 64bit"
min_disk = 60
"""

STOPPED = 0.5
"""How often a second worker is stopped when one is killed, and goes on when it counts as dead, or before."""

EVERY = 20.0
"""Seconds between two blows, if not told otherwise."""


def plan_text(url: str, name: str, targets: int, images: int) -> str:
    """A plan of so many targets with so many images each."""
    head, _, rest = PLAN.format(url=url).partition("[targets.north]")
    head = head.replace('"chaos"', f'"{name}"')
    tables = "".join(TARGETS.format(number=number, url=url) for number in range(targets))
    rows = "".join(
        IMAGE.format(target=target, number=number) for target in range(targets) for number in range(images)
    )
    return head + tables + rest[rest.index("[limits]") :] + rows


@dataclass(slots=True)
class Worker:
    """One worker, which a supervisor starts again whenever it ends."""

    name: str
    command: list[str]
    environ: dict[str, str]
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    ends: list[int] = field(default_factory=list)
    """How its lives ended."""

    def keep(self) -> None:
        """Start it if it does not run."""
        if self.process is not None and (code := self.process.poll()) is not None:
            self.ends.append(code)
            self.process = None
        if self.process is None:
            with (self.folder / f"{self.name}.log").open("ab") as log:
                self.process = subprocess.Popen(
                    self.command, env=self.environ, stdout=log, stderr=log, cwd=self.folder
                )

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def end(self) -> None:
        """Let it go in good order."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            try:
                self.ends.append(self.process.wait(timeout=30))
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.ends.append(self.process.wait())


@dataclass(slots=True)
class Outcome:
    """What the cloud's ledger, the report and the clocks say in the end."""

    imports: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, str] = field(default_factory=dict)
    kills: int = 0
    freezes: int = 0
    crashes: int = 0
    ends: dict[int, int] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    """What the report says of images that failed."""

    takeovers: list[float] = field(default_factory=list)
    """Seconds from a kill until each target of the dead had another owner."""

    seconds: float = 0.0
    logs: str = ""


def hosts(
    folder: Path,
    server: Cluster,
    *,
    seed: int,
    targets: int,
    images: int,
    workers: int,
    kills: int,
    every: float = EVERY,
    speed: float = 20.0,
) -> Outcome:
    """Run one plan to its end by workers that are killed and stopped, with one crash of the database.

    After `kills` of them it is left in peace: what is in doubt takes longer to settle than one blow to the
    next.
    """
    rng = random.Random(seed)
    name = f"hosts-{seed}"
    began, found = time.monotonic(), Outcome()
    database = server.create(name)
    with cloud_process(seed, speed) as cloud:
        plan = folder / "plan.toml"
        plan.write_text(plan_text(str(cloud["url"]), name, targets, images))
        environ = {
            **os.environ,
            "HW_ACCESS_KEY": "SIMULATORACCESSKEY00",
            "HW_SECRET_KEY": "simulator-secret-key-not-a-real-one-000",
            "MIGRATOR_REHEARSAL_CLOCK": f"{speed}@{cloud['anchor']}",
            "MIGRATOR_JOURNAL": database,
        }
        migrator = [sys.executable, "-m", "migrator"]
        lanes = max(2, -(-targets // max(workers - 1, 1)))
        crew = [
            Worker(
                f"w{number}",
                [
                    *migrator,
                    "worker",
                    "--name",
                    f"w{number}",
                    "--lanes",
                    str(lanes),
                    "--stale",
                    f"{STALE:g}s",
                ],
                environ,
                folder,
            )
            for number in range(workers)
        ]
        hand_over = [*migrator, "run", str(plan), "--detach", "--no-preflight"]
        subprocess.run(hand_over, env=environ, cwd=folder, check=True, capture_output=True)
        ended = threading.Event()
        watch = threading.Thread(target=_watch, args=(database, found, crew, ended), daemon=True)
        watch.start()
        try:
            _disturb(server, database, crew, found, rng, (kills, every), hand_over, environ, folder)
        finally:
            ended.set()
            for worker in crew:
                worker.end()
        watch.join(timeout=5)
        subprocess.run(
            [*migrator, "report", str(plan)], env=environ, cwd=folder, check=True, capture_output=True
        )
        with urllib.request.urlopen(f"{cloud['url']}/_sim/ledger") as answer:
            found.imports = {key: len(jobs) for key, jobs in json.load(answer)["accepted"].items()}
    report = json.loads((folder / "reports" / name / "report.json").read_text())
    found.statuses = {image["name"]: image["status"] for image in report["images"]}
    found.faults = {
        image["name"]: str(image["error"]) for image in report["images"] if image["status"] == "failed"
    }
    for worker in crew:
        for code in worker.ends:
            found.ends[code] = found.ends.get(code, 0) + 1
    found.logs = "".join((folder / f"{worker.name}.log").read_text() for worker in crew)
    found.seconds = time.monotonic() - began
    return found


def _disturb(
    server: Cluster,
    database: str,
    crew: list[Worker],
    found: Outcome,
    rng: random.Random,
    blows: tuple[int, float],
    again: list[str],
    environ: dict[str, str],
    folder: Path,
) -> None:
    """Kill one worker and stop another every 20 s, crash the database once, until the plan is over."""
    for worker in crew:
        worker.keep()
    kills, every = blows
    next_blow, frozen = time.monotonic() + rng.uniform(6, 10), dict[str, float]()
    retries, until = 5, time.monotonic() + 1500
    while time.monotonic() < until:
        time.sleep(0.25)
        now = time.monotonic()
        for worker in crew:
            if worker.name in frozen and now >= frozen[worker.name]:
                worker.signal(signal.SIGCONT)
                del frozen[worker.name]
            if worker.name not in frozen:
                worker.keep()
        if now >= next_blow and found.kills < kills:
            victim, stopped = rng.sample(crew, 2)
            if victim.name not in frozen:
                _kill(database, victim, found)
            if stopped.name not in frozen and rng.random() < STOPPED:
                stopped.signal(signal.SIGSTOP)
                frozen[stopped.name] = now + rng.uniform(0.5, 2.0) * STALE
                found.freezes += 1
            if found.crashes == 0 and found.kills >= 2:
                server.stop("immediate")
                time.sleep(rng.uniform(1, 5))
                server.start()
                found.crashes += 1
            next_blow = now + every
        over = _over(database)
        if over is None:
            continue
        if over == 0 or retries == 0:
            return
        retries -= 1
        subprocess.run(again, env=environ, cwd=folder, check=True, capture_output=True)


_KILLED: dict[str, tuple[float, set[str]]] = {}


def _kill(database: str, victim: Worker, found: Outcome) -> None:
    """Kill a worker, and remember what it held."""
    try:
        with psycopg.connect(database, autocommit=True) as connection:
            held = connection.execute(
                "SELECT s.target FROM migrator.shards s JOIN migrator.processes p ON p.id = s.holder"
                " WHERE p.name = %s AND s.over_at IS NULL AND p.beat > now() - interval '5 s'",
                [victim.name],
            ).fetchall()
    except psycopg.Error:
        held = []
    victim.signal(signal.SIGKILL)
    found.kills += 1
    _KILLED[victim.name] = time.monotonic(), {target for (target,) in held}


def _over(database: str) -> int | None:
    """The exit code of the run, or None while it goes on."""
    try:
        with psycopg.connect(database, autocommit=True) as connection:
            row = connection.execute(
                "SELECT bool_and(over_at IS NOT NULL), max(exit_code) FROM migrator.shards"
            ).fetchone()
    except psycopg.Error:
        return None
    return None if row is None or not row[0] else int(row[1] or 0)


def _watch(database: str, found: Outcome, crew: list[Worker], ended: threading.Event) -> None:
    """How long targets of the dead were without an owner."""
    while not ended.wait(0.1):
        try:
            with psycopg.connect(database, autocommit=True) as connection:
                while not ended.wait(0.1):
                    rows = connection.execute(
                        "SELECT s.target, s.over_at IS NOT NULL, p.since > now() - interval '1 h' AND"
                        " p.beat > now() - interval '2 s' FROM migrator.shards s"
                        " LEFT JOIN migrator.processes p ON p.id = s.holder"
                    ).fetchall()
                    alive = {target for target, over, lives in rows if over or lives}
                    now = time.monotonic()
                    for name, (at, targets) in list(_KILLED.items()):
                        if now - at < 2.5:
                            continue  # the last beat of the dead may be as young
                        found.takeovers += [now - at] * len(targets & alive)
                        _KILLED[name] = at, targets - alive
        except psycopg.Error:
            continue


def verdict(found: Outcome, targets: int, images: int) -> list[str]:
    """What is wrong with an outcome; empty when nothing is."""
    expected = {f"vm-{target:03}-{number:04}" for target in range(targets) for number in range(images)}
    wrong = []
    if doubled := {name: count for name, count in found.imports.items() if count != 1}:
        wrong.append(f"imported more than once: {doubled}")
    if lost := expected - set(found.imports):
        wrong.append(f"never imported: {len(lost)}, such as {min(lost)} ({found.faults.get(min(lost))})")
    done = {name for name, status in found.statuses.items() if status == "succeeded"}
    if differ := done ^ set(found.imports):
        wrong.append(f"the report and the ledger differ: {len(differ)}, such as {min(differ)}")
    if "Traceback" in found.logs:
        wrong.append("a traceback was shown")
    return wrong


def main() -> int:
    """One line for each plan."""
    given = [int(word) for word in sys.argv[1:]]
    seeds, targets, images, workers, most, every = (*given, *(10, 6, 60, 3, 10, int(EVERY))[len(given) :])
    failed, kills, freezes = 0, 0, 0
    takeovers: list[float] = []
    with cluster(durable=True) as server:
        for seed in range(seeds):
            _KILLED.clear()
            with tempfile.TemporaryDirectory() as folder:
                found = hosts(
                    Path(folder),
                    server,
                    seed=seed,
                    targets=targets,
                    images=images,
                    workers=workers,
                    kills=most,
                    every=every,
                )
            wrong = verdict(found, targets, images)
            failed += bool(wrong)
            if wrong:
                Path(f"hosts-{seed}.log").write_text(found.logs)
            kills, freezes = kills + found.kills, freezes + found.freezes
            takeovers += found.takeovers
            print(
                f"seed {seed}: {sum(found.imports.values())} imports of {targets * images} images,"
                f" {found.kills} kills,"
                f" {found.freezes} freezes, {found.crashes} crashes of the database, ends {found.ends},"
                f" {found.seconds:.0f} s: {'; '.join(wrong) or 'well'}",
                flush=True,
            )
    took = sorted(takeovers)
    said = f"takeover after {took[0]:.1f} to {took[-1]:.1f} s (stale {STALE:g} s)" if took else "no takeover"
    print(f"{seeds} plans, {kills} kills, {freezes} freezes: {failed} plans wrong; {said}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
