"""How long a plan of 100,000 images takes to read, and how much memory, next to bare TOML parsers.

    python -m tests.bench.bench_plan [IMAGES]

Each reading has a process of its own, because a peak of memory is the peak of a process.
"""

import gc
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import tomli

from migrator.cli.wiring import sheets_beside
from migrator.plan import parse_plan

IMAGES = 100_000
ROUNDS = 5
READINGS = ("tomli", "tomli without gc", "tomllib", "parse_plan", "inventory")

HEAD = """\
[plan]
name = "dc-east"

[targets.north]
region = "cn-north-4"

[defaults]
bucket = "migration-bucket"
os_version = "CentOS 7.6 64bit"

"""
INVENTORY = """\
[[inventory]]
file = "images.csv"
"""
IMAGE = """\
[[images]]
name = "web-{number:06}"
object = "images/row-{row:03}/web-{number:06}.zvhd2"
min_disk = {disk}
priority = {priority}
description = "Rack {rack} in row {row:03}, moved from the east data centre"
labels = {{ owner = "li.wei", rack = "{rack}", app = "Shop" }}

"""


def write(path: Path, images: int) -> None:
    """A plan as a script would write it; image by image, because a child begins with its parent's peak."""
    with path.open("w", encoding="utf-8") as file:
        file.write(HEAD)
        for number in range(images):
            rack = f"{'ABCDEF'[number % 6]}{number % 97:02}"
            row, disk, priority = number // 1000, 40 + number % 200, number % 10
            file.write(IMAGE.format(number=number, row=row, disk=disk, priority=priority, rack=rack))


def read(what: str, path: Path) -> None:
    """Print the seconds that one reading took, and the peak of this process before and after it, in MB."""
    data = path.read_bytes()
    if what == "tomli without gc":  # parse_plan does the same
        gc.disable()
    before = peak()
    began = time.perf_counter()
    kept: object
    if what == "parse_plan":
        kept = parse_plan(data, path="plan.toml")
    elif what == "inventory":
        plan = (HEAD + INVENTORY).encode()
        kept = parse_plan(plan, path="plan.toml", open_sheet=sheets_beside(path.parent))
    else:
        kept = (tomllib if what == "tomllib" else tomli).loads(data.decode())
    print(time.perf_counter() - began, before, peak())
    del kept


def write_list(path: Path, images: int) -> None:
    """The same images as the rows of a spreadsheet."""
    with path.open("w", encoding="utf-8") as file:
        file.write("name,object,min_disk,priority,description,label.owner,label.rack,label.app\n")
        for number in range(images):
            rack = f"{'ABCDEF'[number % 6]}{number % 97:02}"
            row = number // 1000
            file.write(f"web-{number:06},images/row-{row:03}/web-{number:06}.zvhd2,{40 + number % 200},")
            file.write(f"{number % 10},Rack {rack} in row {row:03},li.wei,{rack},Shop\n")


def peak() -> float:
    """The most memory that this process ever had resident, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kilobytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def main(images: int = IMAGES) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.toml"
        write(path, images)
        write_list(path.with_name("images.csv"), images)
        took: dict[str, list[list[float]]] = {what: [] for what in READINGS}
        for _ in range(ROUNDS):
            for what, rows in took.items():
                command = [sys.executable, "-m", "tests.bench.bench_plan", "--read", what, str(path)]
                answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
                rows.append([float(number) for number in answer.split()])
        print(f"the plan: {images} images, {path.stat().st_size / 1e6:.1f} MB")
    for what, rows in took.items():
        seconds, before, after = (statistics.median(column) for column in zip(*rows, strict=True))
        # Readings of one round are neighbours in time, so whatever else the machine did hit both.
        ratio = statistics.median(row[0] / bare[0] for row, bare in zip(rows, took["tomli"], strict=True))
        told = f"{seconds:.2f} s, fastest {min(row[0] for row in rows):.2f} s, ratio to tomli {ratio:.2f}"
        print(f"{what}: {told}; peak {after:.0f} MB, {before:.0f} MB of it before it began")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        read(sys.argv[2], Path(sys.argv[3]))
    else:
        main(*map(int, sys.argv[1:]))
