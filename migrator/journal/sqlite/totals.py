"""How much a journal holds, kept in the same transaction as its rows.

A file can be sound in its structure and wrong in what it says: a row deleted by hand, a block that a disk
gave back from another place. So one row of `totals` bears the counts of `images` and `states`, and the sums
of their CRC-32s, each taken with the row's place (`rows`). The sums do not depend on the order, so that a
commit has to look only at the rows that it replaces, and a reader only at the rows that it reads anyway. Of
old events just the count is known here: `check` folds them, and compares what becomes of them.
"""

import sqlite3

from msgspec import Struct
from msgspec.structs import astuple

SCHEMA = (
    """CREATE TABLE totals (
        events INTEGER NOT NULL, general_sum INTEGER NOT NULL,
        images INTEGER NOT NULL, images_sum INTEGER NOT NULL,
        states INTEGER NOT NULL, states_sum INTEGER NOT NULL,
        settled INTEGER NOT NULL, tail_crc INTEGER NOT NULL
    )""",
    "INSERT INTO totals VALUES (0, 0, 0, 0, 0, 0, 0, 0)",
)


SETTLED_EVERY = 4096
"""Events until the rows of `states` follow. Mostly an image goes its whole way within so many, and its row is
written once; to fold them takes whoever reads a few hundredths of a second."""


class Totals(Struct, frozen=True):
    """Counts of rows, and sums of their CRC-32s."""

    events: int = 0
    general_sum: int = 0
    """Of the events that are about no image."""

    images: int = 0
    images_sum: int = 0
    states: int = 0
    states_sum: int = 0
    settled: int = 0
    """How many events the rows of `states` are made of: the oldest. Whoever reads folds the later ones."""

    tail_crc: int = 0
    """The CRC-32 of those later ones, in their order."""


def read_totals(connection: sqlite3.Connection) -> Totals | None:
    """What the journal says it holds; None when it says nothing, or more than one thing."""
    rows = connection.execute("SELECT * FROM totals LIMIT 2").fetchall()
    return Totals(*rows[0]) if len(rows) == 1 else None


def write_totals(connection: sqlite3.Connection, totals: Totals) -> None:
    columns = ", ".join(f"{name} = ?" for name in Totals.__struct_fields__)
    connection.execute(f"UPDATE totals SET {columns}", astuple(totals))  # noqa: S608 - the names are ours
