"""Every benchmark, one after the other, and one table of what they say.

    python -m tests.bench.run_all [NAME ...]

A benchmark is `bench_NAME.py` beside this file; each line that it prints is one row, `what: result`. Numbers
depend on the machine, ratios hardly: compare ratios. Nothing fails because it is slow.
"""

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
THERE = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
COLUMNS = re.compile(r" {2,}")
"""What stands between the columns of a benchmark that prints a table of its own."""

SHOWN = ("aiohttp", "msgspec", "pydantic", "tomli", "uvloop")


def machine() -> str:
    """What it was measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and (found := re.search(r"model name\s*: (.+)", cpuinfo.read_text())):
        model = found[1]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f"{os.getloadavg()[0]:.1f}"
    return f"{model}, {cores} cores, load {load} at the start; {platform.system()} {platform.machine()}"


def versions() -> str:
    installed = {dist.metadata["Name"]: dist.version for dist in importlib.metadata.distributions()}
    others = [f"{name} {installed[name]}" for name in SHOWN if name in installed]
    return ", ".join([f"Python {platform.python_version()}", *others])


def rows(text: str) -> list[tuple[str, str]]:
    """Each line as (what, result); a line that names nothing belongs to the one above it."""
    found: list[tuple[str, str]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        what, colon, result = line.partition(": ")
        found.append((what, result) if colon else ("", line))
    return found


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in THERE]
    if unknown:
        print(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(THERE)}", file=sys.stderr)
        return 2
    print(f"{machine()}\n{versions()}\n\n| bench | what | result |\n|---|---|---|")
    broken = 0
    for name in names:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", f"tests.bench.bench_{name}"],
            capture_output=True,
            text=True,
        )
        for what, result in rows(done.stdout):
            print(f"| {name} | {what} | {COLUMNS.sub(' · ', result)} |")
        if "Traceback" in done.stderr or not done.stdout:
            broken += 1
            print(f"| {name} | broken | exit code {done.returncode} |")
            print(done.stderr, file=sys.stderr)
        print(f"{name} took {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
        sys.stdout.flush()
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:] or THERE))
