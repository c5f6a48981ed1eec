"""Every property test with fresh seeds, round after round until the time is up: `make fuzz MINUTES=30`.

A round is one process that runs all of them with one seed; as many rounds run side by side as there are
cores. What a seed finds it finds again: the command is printed with each failure, and once more at the end.
"""

import argparse
import os
import random
import re
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

ROOT = Path(__file__).resolve().parent.parent
LONGEST_ROUND = 3600.0
"""Seconds after which a round is taken to hang, which is a failure too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What became of one round."""

    seed: int
    failed: bool
    passed: int
    """Tests that passed, by pytest's own count."""
    seconds: float
    output: str


def command(seed: int) -> list[str]:
    """The command that runs, and runs again, the round of a seed."""
    return [
        *(sys.executable, "-m", "pytest", "-m", "hypothesis", "-q", "--tb=short", "--timeout=1200"),
        *("-p", "no:xdist", "--hypothesis-profile=fuzz", f"--hypothesis-seed={seed}"),
    ]


def play(seed: int) -> Round:
    """Run one round to its end."""
    began = time.monotonic()
    try:
        done = subprocess.run(
            command(seed),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LONGEST_ROUND,
            check=False,
        )
        code, output = done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as hung:
        code, output = -1, (hung.stdout or b"").decode(errors="replace") + "\nthe round did not end"
    counted = re.findall(r"(\d+) passed", output)
    passed = int(counted[-1]) if counted else 0
    # A round in which nothing ran has found nothing out.
    failed = code != 0 or passed == 0
    return Round(seed=seed, failed=failed, passed=passed, seconds=time.monotonic() - began, output=output)


def main() -> int:
    """Rounds until the time is up; 1 if any of them found something."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.fuzz")
    parser.add_argument("--minutes", type=float, default=30.0, help="no round begins after so long")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="rounds side by side")
    asked = parser.parse_args()
    ends = time.monotonic() + 60 * asked.minutes
    rounds: list[Round] = []
    telling = Lock()

    def lane() -> None:
        while time.monotonic() < ends:
            seed = random.SystemRandom().randrange(2**32)
            done = play(seed)
            with telling:
                rounds.append(done)
                verdict = "FAILED" if done.failed else "passed"
                print(f"seed {seed}: {verdict}, {done.passed} tests passed, {done.seconds:.0f} s", flush=True)
                if done.failed:
                    print(done.output)
                    print(f"to replay: {shlex.join(command(seed))}", flush=True)

    print(
        f"Property tests with fresh seeds for {asked.minutes:g} min, {asked.jobs} rounds at a time.",
        flush=True,
    )
    with ThreadPoolExecutor(asked.jobs) as pool:
        for lane_done in [pool.submit(lane) for _ in range(asked.jobs)]:
            lane_done.result()
    failures = [done for done in rounds if done.failed]
    print(
        f"{len(rounds)} rounds, {sum(done.passed for done in rounds)} tests passed,"
        f" {len(failures)} rounds failed"
    )
    for done in failures:
        print(f"to replay: {shlex.join(command(done.seed))}")
    return 1 if failures or not rounds else 0


if __name__ == "__main__":
    sys.exit(main())
