"""Journals of earlier versions: read as they are, and made ones of this version when a run opens them.

They said everything twice: each event with its time and key in its JSON, each image beside the event that
planned it, each state with all its names. So a ledger is folded of the events alone here, and compared with
the rest: whoever reads such a file checks the whole of it. That takes seconds for 100,000 images, until the
next run has upgraded the file.

    1   did not say how much it holds
    2   had totals: counts of its rows, and sums of their CRC-32s
    3   may hold events of notifications
"""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from zlib import crc32

from migrator.domain import collector
from migrator.domain.image import Image
from migrator.domain.units import Moment
from migrator.journal.codec import event_text, read_event, read_image, read_state
from migrator.journal.sqlite import database
from migrator.journal.sqlite.content import batches, expect, expect_same
from migrator.journal.sqlite.errors import damaged, explained, read_as_written
from migrator.journal.sqlite.kinds import CODES
from migrator.journal.sqlite.rows import body_of, event_crc, image_crc, state_crc, state_row
from migrator.journal.sqlite.totals import Totals, read_totals, write_totals
from migrator.workflow.events import Event, ImageEvent, ImagePlanned
from migrator.workflow.ledger import Ledger, Planned, fold
from migrator.workflow.states import State

WITHOUT_TOTALS = 1

LATEST = 3
"""The last version whose rows are as they are described here."""


def is_earlier(connection: sqlite3.Connection) -> bool:
    """Whether an open file, which is surely a journal, is of one of these versions."""
    return database.version_of(connection) <= LATEST


@dataclass(slots=True)
class EarlierRows:
    """The open file; blocking, and for one thread. Whatever SQLite raises leaves as JournalError."""

    path: Path
    connection: sqlite3.Connection

    def ledger(self, known: Mapping[str, Image]) -> Ledger:
        """Everything, folded; images that equal a known one are that one."""
        ledger = self.checked()
        for key, planned in ledger.planned.items():
            if (image := known.get(key)) == planned.image and image is not None:
                ledger.planned[key] = Planned(image=image, digest=planned.digest)
        return ledger

    def checked(self) -> Ledger:
        """The ledger of its events. Raises JournalError where anything else in the file says otherwise."""
        with read_as_written(self.path), collector.paused():
            database.expect_sound(self.path, self.connection, "quick_check")
            kept = self._kept()
            folded = fold(self.events(None))
            expect_same(self.path, folded, kept)
            return folded

    def events(self, key: str | None) -> Iterator[Event]:
        """Every event, or those of one image, oldest first."""
        with read_as_written(self.path):
            rows = self.connection.execute(
                "SELECT kind, body FROM events WHERE :key IS NULL OR key = :key ORDER BY seq", {"key": key}
            )
            for kind, body in rows:
                yield read_event(kind, body)

    def _kept(self) -> Ledger:
        """What its tables of current states say."""
        kept, found = Ledger(), {"images": [0, 0], "states": [0, 0]}
        for key, digest, text in self.connection.execute(
            "SELECT key, digest, image FROM images ORDER BY position"
        ):
            kept.planned[key] = Planned(image=read_image(text), digest=digest)
            kept.states[key] = State(key=key)
            found["images"][0] += 1
            found["images"][1] += row_crc(key, digest, text)
        for key, text in self.connection.execute("SELECT key, state FROM states"):
            kept.states[key] = read_state(text)
            found["states"][0] += 1
            found["states"][1] += row_crc(key, text)
        if database.version_of(self.connection) > WITHOUT_TOTALS:
            self._expect_totals(found)
        return kept

    def _expect_totals(self, found: Mapping[str, list[int]]) -> None:
        if (totals := read_totals(self.connection)) is None:
            raise damaged(self.path, "it does not say how much it holds")
        last, count = self.connection.execute("SELECT coalesce(max(seq), 0), count(*) FROM events").fetchone()
        general = self.connection.execute("SELECT kind, body FROM events WHERE key IS NULL")
        expect(self.path, "events", last, totals.events)
        expect(self.path, "events", count, totals.events)
        expect(self.path, "events", sum(row_crc(kind, body) for kind, body in general), totals.general_sum)
        expect(self.path, "images", found["images"][0], totals.images)
        expect(self.path, "images", found["images"][1], totals.images_sum)
        expect(self.path, "states", found["states"][0], totals.states)
        expect(self.path, "states", found["states"][1], totals.states_sum)


def row_crc(*texts: str) -> int:
    """The CRC-32 of a row's texts, as these versions took it."""
    return crc32("\0".join(texts).encode("utf-8", "surrogatepass"))


# --- The upgrade ----------------------------------------------------------------------------------------

_SET_ASIDE = """
DROP TABLE IF EXISTS totals;
DROP INDEX IF EXISTS events_about_no_image;
DROP TRIGGER IF EXISTS events_stay_as_they_are;
DROP TRIGGER IF EXISTS events_stay;
ALTER TABLE events RENAME TO earlier_events;
DROP TABLE images;
DROP TABLE states;
"""


def upgrade(path: Path, connection: sqlite3.Connection) -> None:
    """Make the file one of this version, whole or not at all; its rows are checked before.

    Raises JournalError, and leaves the file as it is then.
    """
    with explained(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = database.version_of(connection)
            ledger = EarlierRows(path, connection).checked()
            for statement in [*_SET_ASIDE.split(";"), *database.TABLES]:
                connection.execute(statement)
            with read_as_written(path), collector.paused():
                _write(connection, ledger)
            connection.execute("DROP TABLE earlier_events")
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('upgraded_from', ?)", [str(version)])
            connection.execute(f"PRAGMA user_version = {database.VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _write(connection: sqlite3.Connection, ledger: Ledger) -> None:
    positions = {key: position for position, key in enumerate(ledger.planned, 1)}
    planned: dict[str, tuple[int, str]] = {}
    general_sum = count = 0
    rows = connection.execute("SELECT kind, body FROM earlier_events ORDER BY seq")
    some: list[tuple[str, str]]
    for some in cast("Iterator[list[tuple[str, str]]]", batches(rows)):
        new: list[tuple[int, Moment, int, int | None, str]] = []
        for kind, text in some:
            count += 1
            event, text = event_text(read_event(kind, text))  # as it would be written now
            key = event.key if isinstance(event, ImageEvent) else None
            at, code, body = float(event.at), CODES[kind], body_of(text, key)
            new.append((count, at, code, None if key is None else positions[key], body))
            if isinstance(event, ImagePlanned):
                planned[event.key] = count, body
            if key is None:
                general_sum += event_crc(at, code, body)
        connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", new)
    images = [(positions[key], key, *planned[key]) for key in ledger.planned]
    states = [
        (positions[key], state_row(state)) for key, state in ledger.states.items() if state != State(key=key)
    ]
    connection.executemany("INSERT INTO images VALUES (?, ?, ?)", [row[:3] for row in images])
    connection.executemany("INSERT INTO states VALUES (?, ?)", states)
    write_totals(
        connection,
        Totals(
            events=count,
            general_sum=general_sum,
            images=len(images),
            images_sum=sum(image_crc(position, key, body) for position, key, _, body in images),
            states=len(states),
            states_sum=sum(state_crc(*row) for row in states),
            settled=count,
        ),
    )
