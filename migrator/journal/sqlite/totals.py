"""How much a journal holds, kept in the same transaction as its rows.

A file can be sound in its structure and wrong in what it says: a row deleted by hand, a block that a disk
gave back from another place. So each row of `images` and `states` bears the CRC-32 of its text, and one row
of `totals` their counts and sums. The sums do not depend on the order, so that a commit has to look only at
the rows that it replaces, and a reader only at the rows that it reads anyway.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from zlib import crc32

from msgspec import Struct
from msgspec.structs import astuple

SCHEMA = """
CREATE TABLE totals (
    events INTEGER NOT NULL, general_sum INTEGER NOT NULL,
    images INTEGER NOT NULL, images_sum INTEGER NOT NULL,
    states INTEGER NOT NULL, states_sum INTEGER NOT NULL
);
INSERT INTO totals VALUES (0, 0, 0, 0, 0, 0);
"""


class Totals(Struct, frozen=True):
    """Counts of rows, and sums of their CRC-32s; `general_sum` is of the events that are about no image."""

    events: int = 0
    general_sum: int = 0
    images: int = 0
    images_sum: int = 0
    states: int = 0
    states_sum: int = 0


def row_crc(*texts: str) -> int:
    """The CRC-32 of a row's texts."""
    return crc32("\0".join(texts).encode("utf-8", "surrogatepass"))


def read_totals(connection: sqlite3.Connection) -> Totals | None:
    """What the journal says it holds; None when it says nothing, or more than one thing."""
    rows = connection.execute("SELECT * FROM totals LIMIT 2").fetchall()
    return Totals(*rows[0]) if len(rows) == 1 else None


def write_totals(connection: sqlite3.Connection, totals: Totals) -> None:
    columns = ", ".join(f"{name} = ?" for name in Totals.__struct_fields__)
    connection.execute(f"UPDATE totals SET {columns}", astuple(totals))  # noqa: S608 - the names are ours


def replaced(connection: sqlite3.Connection, table: str, keys: Sequence[str]) -> tuple[int, int]:
    """(how many rows have these keys, the sum of their CRC-32s): what new rows will take the place of."""
    marks = ", ".join("?" * len(keys))
    sql = f"SELECT count(*), coalesce(sum(crc), 0) FROM {table} WHERE key IN ({marks})"  # noqa: S608 - ours too
    count, sum_of_crcs = connection.execute(sql, keys).fetchone()
    return count, sum_of_crcs


def general_sum(rows: Iterable[tuple[str, str]]) -> int:
    """Of (kind, body) of events that are about no image."""
    return sum(row_crc(kind, body) for kind, body in rows)
