"""How long the reports of a large plan take, and how much memory.

python -m tests.bench.bench_reports [IMAGES]
"""

import io
import random
import sys
import time
import tracemalloc
from typing import Any, cast

from migrator.core.summary import summary
from migrator.render import FORMATS
from tests.ledgers import latest, plan_for, random_ledger


class Sink(io.RawIOBase):
    """Counts bytes and forgets them, like a file."""

    size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.size += len(data)
        return len(data)


def main(images: int = 100_000) -> None:
    ledger = random_ledger(random.Random(1), images)
    plan, now = plan_for(), latest(ledger)

    began = time.perf_counter()
    told = summary(ledger, plan=plan, now=now)
    print(f"{images} images: summary {time.perf_counter() - began:.2f} s")
    together = 0.0
    for form, write in FORMATS.items():
        sink = Sink()
        began = time.perf_counter()
        write(told, cast("Any", sink))
        took = time.perf_counter() - began
        together += took
        print(f"  {form:5} {took:6.2f} s  {sink.size / 1e6:7.1f} MB")
    print(f"  all   {together:6.2f} s")

    del told
    tracemalloc.start()
    told = summary(ledger, plan=plan, now=now)
    for write in FORMATS.values():
        write(told, cast("Any", Sink()))
    print(f"  peak above the ledger: {tracemalloc.get_traced_memory()[1] / 1e6:.0f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
