"""How long the reports of a large plan take, next to the bare encoder of each format, and how much memory.

    python -m tests.bench.bench_reports [IMAGES]

The bare encoders are given rows that are ready to be written: json.dumps the parsed document, csv.writer the
parsed lines, zlib the parts of the workbook. So a ratio of one would mean that making the rows costs nothing.
"""

import csv
import io
import json
import random
import statistics
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any, cast
from zipfile import ZipFile

from migrator.reports.formats import FORMATS
from migrator.reports.summary import Summary, summary
from tests.ledgers import latest, plan_for, random_ledger

ROUNDS = 5


class Sink(io.RawIOBase):
    """Counts bytes and forgets them, like a file."""

    size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.size += len(data)
        return len(data)


class Nowhere:
    """Takes text."""

    def write(self, text: str) -> int:
        return len(text)


def written(facts: Summary, form: str) -> bytes:
    stream = io.BytesIO()
    FORMATS[form](facts, stream)
    return stream.getvalue()


def bare(facts: Summary) -> dict[str, Callable[[], object]]:
    """What each format could at best be as fast as."""
    document = json.loads(written(facts, "json"))
    lines = list(csv.reader(io.StringIO(written(facts, "csv").decode("utf-8-sig"), newline="")))
    with ZipFile(io.BytesIO(written(facts, "xlsx"))) as archive:
        parts = [archive.read(name) for name in archive.namelist()]
    return {
        "json": lambda: json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(),
        "csv": lambda: csv.writer(Nowhere(), lineterminator="\r\n").writerows(lines),
        "xlsx": lambda: [zlib.compress(part, 2) for part in parts],
    }


def seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def main(images: int = 100_000) -> None:
    ledger = random_ledger(random.Random(1), images)
    plan, now = plan_for(), latest(ledger)
    facts = summary(ledger, plan=plan, now=now)
    bounds = bare(facts)
    ours: dict[str, list[float]] = {form: [] for form in ("summary", *FORMATS)}
    ratios: dict[str, list[float]] = {form: [] for form in bounds}
    sizes: dict[str, int] = {}
    for _ in range(ROUNDS):
        ours["summary"].append(seconds(lambda: summary(ledger, plan=plan, now=now)))
        for form, write in FORMATS.items():
            sink = Sink()
            ours[form].append(seconds(lambda write=write, sink=sink: write(facts, cast("Any", sink))))  # type: ignore[misc]
            sizes[form] = sink.size
            if form in bounds:
                ratios[form].append(ours[form][-1] / seconds(bounds[form]))
    for form, times in ours.items():
        line = f"{form} of {images:,} images: {statistics.median(times):.2f} s, fastest {min(times):.2f} s"
        if form in sizes:
            line += f", {sizes[form] / 1e6:.1f} MB"
        if form in ratios:
            line += f", ratio to the bare encoder {statistics.median(ratios[form]):.2f}"
        print(line)
    together = sum(statistics.median(ours[form]) for form in ("summary", "json", "csv"))
    print(f"summary, JSON and CSV together: {together:.2f} s")

    del facts, bounds
    tracemalloc.start()
    facts = summary(ledger, plan=plan, now=now)
    for form, write in FORMATS.items():
        tracemalloc.reset_peak()
        write(facts, cast("Any", Sink()))
        print(f"{form} and summary above the ledger: peak {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
