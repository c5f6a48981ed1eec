"""Answers and journals at depth: `make depth`, or `python -m tests.depth [INPUTS] [SEED]`.

Documents are changed in their structure rather than as bytes, so that most of them get past the first parser.
Only the program's own errors may come out, and no input may take five seconds or a gigabyte. Each failure is
printed with the seed and number that make it again.
"""

import asyncio
import json
import random
import resource
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import fromstring

from migrator.domain.errors import CloudError, JournalError, MigratorError
from migrator.domain.http import Response
from migrator.domain.secrets import SECRETS
from migrator.workflow.ledger import Ledger
from tests.depth.mutation import as_bytes, mutated
from tests.depth.readers import READERS, XML
from tests.journal.test_damage import ledger_of, write_sound_journal

OWN = (CloudError, MigratorError)
SLOW = 5.0
MOST = 2**30
STATUSES = (200, 200, 200, 200, 201, 202, 204, 400, 401, 403, 404, 409, 429, 500, 503)
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"retry-after": "5"},
    {"x-apig-ratelimit-api": "remain:1,limit:2,time:1 minute"},
    {"x-subject-token": "T" * 200, "x-request-id": "r" * 40},
    {"content-length": "5", "x-obs-storage-class": "COLD", "date": "Thu, 01 Jan 2026 00:00:00 GMT"},
)
JOURNALS_EACH = 1000
"""One input in so many is a journal: it costs a hundred times as much as an answer."""


@dataclass(kw_only=True)
class Tally:
    """What became of all inputs."""

    inputs: Counter[str] = field(default_factory=Counter)
    parsed: int = 0
    """Inputs that got past the first parser."""

    slowest: tuple[float, str] = (0.0, "")
    failures: list[str] = field(default_factory=list)

    def timed(self, what: str, seconds: float) -> None:
        """One input took so long."""
        self.slowest = max(self.slowest, (seconds, what))
        if seconds > SLOW:
            self.failures.append(f"{what}: {seconds:.1f} s")

    def failed(self, what: str) -> None:
        """An error came out that is not the program's own."""
        self.failures.append(f"{what}\n{traceback.format_exc()}")


def answers(tally: Tally, rng: random.Random, what: str) -> None:
    """One changed answer through its reader."""
    reader = rng.choice(READERS)
    data = as_bytes(mutated(reader.document, rng), rng)
    status, headers = rng.choice(STATUSES), dict(rng.choice(HEADERS))
    tally.inputs[reader.name] += 1
    try:
        json.loads(data)
        tally.parsed += 1
    except (ValueError, RecursionError):
        pass
    began = time.perf_counter()
    try:
        reader.read(status, data, headers)
    except OWN + reader.own:
        pass
    except Exception:
        tally.failed(f"{what}: {reader.name}, status {status}: {data[:500]!r}")
    tally.timed(f"{what}: {reader.name}", time.perf_counter() - began)
    SECRETS.forget()  # a process has few, and a million of them would be all that this measures


def xml(tally: Tally, rng: random.Random, what: str) -> None:
    """One changed XML document through its reader."""
    name, text, read = rng.choice(XML)
    pieces = text.replace("<", "\0<").split("\0")
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(pieces))
        match rng.randrange(4):
            case 0:
                pieces[at] = rng.choice(pieces)
            case 1:
                pieces[at] += rng.choice(("-1", "x" * 2000, "&lt;", "é", "99999999999999999999", "\n"))
            case 2:
                pieces.insert(at, rng.choice(("<Key>k</Key>", "<Size>NaN</Size>", "<!-- c -->", "<a/>")))
            case _:
                pieces[at] = pieces[at].replace("true", "maybe").replace("5", "-5")
    data = "".join(pieces).encode()
    tally.inputs[name] += 1
    try:
        fromstring(data)
        tally.parsed += 1
    except Exception:
        pass
    began = time.perf_counter()
    try:
        read(Response(status=rng.choice((200, 200, 200, 403, 404)), body=data))
    except (CloudError, MigratorError):
        pass
    except Exception:
        tally.failed(f"{what}: {name}: {data[:500]!r}")
    tally.timed(f"{what}: {name}", time.perf_counter() - began)


def damaged_journal(tally: Tally, rng: random.Random, what: str, sound: Path, right: Ledger) -> None:
    """One journal with damaged bytes or rows: it says the same, or is named."""
    tally.inputs["journal"] += 1
    with tempfile.TemporaryDirectory() as place:
        folder = Path(shutil.copytree(sound, Path(place) / "plan"))
        path = folder / "journal.db"
        if rng.random() < 0.5:
            _change_rows(path, rng)
            tally.parsed += 1
        else:
            data = bytearray(path.read_bytes())
            for _ in range(rng.randint(1, 3)):
                at = rng.randrange(len(data))
                data[at : at + rng.randint(1, 40)] = rng.randbytes(rng.randint(1, 40))
            path.write_bytes(data)
        began = time.perf_counter()
        try:
            ledger = ledger_of(folder, writing=rng.random() < 0.5)
        except JournalError:
            pass
        except Exception:
            tally.failed(f"{what}: journal")
        else:
            if (ledger.states, ledger.planned, ledger.runs) != (right.states, right.planned, right.runs):
                tally.failures.append(f"{what}: a journal that says something else, in silence")
        tally.timed(f"{what}: journal", time.perf_counter() - began)


def _change_rows(path: Path, rng: random.Random) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("DROP TRIGGER events_stay; DROP TRIGGER events_stay_as_they_are;")
        table, column = rng.choice(
            (
                ("states", "state"),
                ("states", "position"),
                ("images", "key"),
                ("images", "planned"),
                ("totals", "events"),
                ("totals", "settled"),
            )
        )
        value = rng.choice(("x", "", "{}", 5, None, b"\xff", "[]"))
        some = "" if table == "totals" else f"WHERE position = {rng.randint(1, 120)}"
        kind = rng.randrange(3)
        try:
            if kind == 0:
                connection.execute(f"DELETE FROM {table} {some}")
            elif kind == 1:
                connection.execute(f"UPDATE OR REPLACE {table} SET {column} = ? {some}", [value])
            else:
                connection.execute("DELETE FROM events WHERE seq = ?", [rng.randint(1, 300)])
            connection.commit()
        except sqlite3.IntegrityError:
            connection.rollback()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def main(inputs: int, seed: int) -> int:
    """Try so many inputs, and print what became of them; 1 if any failed."""
    tally, began = Tally(), time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        sound = Path(place) / "sound"
        asyncio.run(write_sound_journal(sound))
        right = ledger_of(sound, writing=False)
        for number in range(inputs):
            rng = random.Random(f"{seed}-{number}")
            what = f"seed {seed}, number {number}"
            if number % JOURNALS_EACH == 0:
                damaged_journal(tally, rng, what, sound, right)
            elif number % 10 == 1:
                xml(tally, rng, what)
            else:
                answers(tally, rng, what)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if peak > MOST:
        tally.failures.append(f"{peak:,} bytes at the most")
    total = tally.inputs.total()
    print(", ".join(f"{name}: {count:,}" for name, count in sorted(tally.inputs.items())))
    seconds, slowest = tally.slowest
    print(
        f"{total:,} inputs, {tally.parsed / total:.0%} past the first parser, {len(tally.failures)} failures"
    )
    print(f"the slowest {seconds:.3f} s ({slowest}), {peak / 2**20:.0f} MiB at the most")
    print(f"{time.monotonic() - began:.0f} s in all")
    for failure in tally.failures[:20]:
        print(failure)
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(
        main(
            int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, int(sys.argv[2]) if len(sys.argv) > 2 else 1
        )
    )
