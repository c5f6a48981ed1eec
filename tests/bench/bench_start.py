"""How long the program takes to say anything, next to a Python that does nothing.

    python -m tests.bench.bench_start [ROUNDS]

The commands take turns, so that whatever else the machine does hits them alike.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

SCRIPT = Path(sys.executable).with_name("migrator")
"""What an operator types; `python -m migrator` where it is not installed."""

PROGRAM = [str(SCRIPT)] if SCRIPT.exists() else [sys.executable, "-m", "migrator"]
BARE = "python -c pass"
COMMANDS = {
    BARE: [sys.executable, "-c", "pass"],
    "migrator --version": [*PROGRAM, "--version"],
    "migrator --help": [*PROGRAM, "--help"],
    "migrator run --help": [*PROGRAM, "run", "--help"],
}


def seconds(command: list[str]) -> float:
    """From start to exit. Raises CalledProcessError for a command that fails: that one would be fast."""
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def main(rounds: int = 20) -> None:
    for command in COMMANDS.values():
        seconds(command)  # the first one writes byte code and warms the disk's cache
    took: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            took[name].append(seconds(command))
    for name, times in took.items():
        middle = statistics.median(times) * 1000
        # Those of one round are neighbours in time, so whatever else the machine did hit both.
        ratio = statistics.median(one / bare for one, bare in zip(times, took[BARE], strict=True))
        print(f"{name}: {middle:.0f} ms, fastest {min(times) * 1000:.0f} ms, ratio to nothing {ratio:.1f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
