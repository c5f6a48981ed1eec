"""What a journal's file says: its rows fetched as they were in one moment, and read when that moment is over.

A transaction that reads keeps the write-ahead log from starting over, and to read a hundred thousand rows
takes much longer than to fetch them. So whoever reads beside a run fetches first; then nothing is open.
"""

import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from migrator.domain import collector
from migrator.domain.image import Image
from migrator.domain.units import Moment
from migrator.journal.sqlite import database
from migrator.journal.sqlite.errors import damaged, explained, read_as_written
from migrator.journal.sqlite.rows import (
    PlannedRow,
    event_crc,
    event_of,
    image_crc,
    planned_of,
    read_state_row,
    state_crc,
    tail_crc,
)
from migrator.journal.sqlite.totals import Totals, read_totals
from migrator.workflow.events import Event, ImageEvent
from migrator.workflow.ledger import Ledger, Planned, after, fold
from migrator.workflow.states import State

_AT_ONCE = 1000

KeptEvent = tuple[Moment, int, str | None, str]
"""at, code of its kind, key of the image if it is about one, body."""

KeptTail = tuple[int, Moment, int, int | None, str, str | None]
"""A row of an event, and the key of the image that it is about, if any."""

KeptState = tuple[int, str, bytes | None]
"""Position and key of an image, and its state, if it ever began."""

Row = TypeVar("Row")


class Fetched(Generic[Row]):
    """KeptRows that are held until they are read, once: what is read is let go of."""

    def __init__(self, rows: sqlite3.Cursor) -> None:
        self._some: deque[list[Row]] = deque(batches(rows))

    def __iter__(self) -> Iterator[list[Row]]:
        while self._some:
            yield self._some.popleft()


def batches(rows: sqlite3.Cursor) -> Iterator[list[Row]]:
    """The same rows straight from the file, for whoever alone may write it."""
    while some := rows.fetchmany(_AT_ONCE):
        yield some


class KeptRows:
    """The questions to an open file; blocking, and for one thread. They raise what SQLite raises."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    def totals(self) -> Totals:
        """What the file says it holds. Raises JournalError where it does not say so."""
        with read_as_written(self.path):
            if (totals := read_totals(self.connection)) is None:
                raise damaged(self.path, "it does not say how much it holds")
            last = self.connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
            expect(self.path, "events", last, totals.events)
            return totals

    def general(self) -> sqlite3.Cursor:
        """Events that are about no image, by the index of just those."""
        return self.connection.execute(
            "SELECT at, kind, NULL, body FROM events WHERE image IS NULL ORDER BY seq"
        )

    def states(self) -> sqlite3.Cursor:
        """`KeptState` of every image."""
        return self.connection.execute(
            "SELECT position, key, state FROM images LEFT JOIN states USING (position) ORDER BY position"
        )

    def tail(self, settled: int) -> sqlite3.Cursor:
        """`KeptTail` of every event that the states do not know yet."""
        return self.connection.execute(
            "SELECT seq, at, kind, image, body, key FROM events LEFT JOIN images ON position = image"
            " WHERE seq > ? ORDER BY seq",
            [settled],
        )

    def planned(self) -> sqlite3.Cursor:
        """`PlannedRow` of every image."""
        return self.connection.execute(
            "SELECT position, key, body FROM images JOIN events ON seq = planned ORDER BY position"
        )

    def planned_one(self, key: str) -> sqlite3.Cursor:
        """`PlannedRow` of one image."""
        return self.connection.execute(
            "SELECT position, key, body FROM images JOIN events ON seq = planned WHERE key = ?", [key]
        )

    def event_row(self, number: int) -> tuple[object, ...] | None:
        """An event as it stands in the file, counted from 1; None where there is none."""
        row: tuple[object, ...] | None = self.connection.execute(
            "SELECT at, kind, image, body FROM events WHERE seq = ?", [number]
        ).fetchone()
        return row

    def last_at(self) -> Moment | None:
        """When the last event happened; None without any."""
        row = self.connection.execute("SELECT at FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        return None if row is None else float(row[0])

    def events(self, key: str | None) -> sqlite3.Cursor:
        """`KeptEvent` of every event, or of those of one image."""
        if key is not None:
            return self.connection.execute(
                "SELECT at, kind, :key, body FROM events"
                " WHERE image = (SELECT position FROM images WHERE key = :key) ORDER BY seq",
                {"key": key},
            )
        return self.connection.execute(
            "SELECT at, kind, key, body FROM events LEFT JOIN images ON position = image ORDER BY seq"
        )


@dataclass(slots=True, kw_only=True)
class Content:
    """All that makes a ledger, as it was in one moment; it can be read once."""

    path: Path
    totals: Totals
    general: Iterable[list[KeptEvent]]
    states: Iterable[list[KeptState]]
    tail: Iterable[list[KeptTail]]
    planned: Iterable[list[PlannedRow]] | None
    """None where nobody asks what the images are."""

    last_at: Moment | None

    @classmethod
    def fetched(cls, rows: KeptRows, *, images: bool = True) -> "Content":
        """Everything at once, so that nothing stays open; without `images`, nothing of what they are."""
        totals = rows.totals()
        with explained(rows.path), collector.paused():
            return cls(
                path=rows.path,
                totals=totals,
                general=Fetched(rows.general()),
                states=Fetched(rows.states()),
                tail=Fetched(rows.tail(totals.settled)),
                planned=Fetched(rows.planned()) if images else None,
                last_at=rows.last_at(),
            )

    def ledger(self, known: Mapping[str, Image]) -> Ledger:
        """Everything, folded. Raises JournalError where rows are not those that were written."""
        ledger = read_general(self.path, self.totals, self.general)
        ledger.states = read_states(self.path, self.totals, self.states)
        read_tail(self.path, self.totals, self.tail, ledger.states)
        if self.planned is not None:
            ledger.planned = read_planned(self.path, self.totals, self.planned, known)
        ledger.events, ledger.last_at = self.totals.events, self.last_at
        return ledger


def read_general(path: Path, totals: Totals, rows: Iterable[list[KeptEvent]]) -> Ledger:
    """A ledger of what is not about one image: runs, and what was learned."""
    with read_as_written(path):
        kept = [row for some in rows for row in some]
        expect(
            path, "events", sum(event_crc(at, code, body) for at, code, _, body in kept), totals.general_sum
        )
        return fold(event_of(*row) for row in kept)


def read_states(path: Path, totals: Totals, rows: Iterable[list[KeptState]]) -> dict[str, State]:
    """Every image's state as far as events are settled, in the order first seen."""
    states: dict[str, State] = {}
    count = sum_of_crcs = 0
    with read_as_written(path), collector.paused():
        for some in rows:
            for position, key, row in some:
                if row is None:
                    states[key] = State(key=key)
                else:
                    states[key] = read_state_row(key, row)
                    count += 1
                    sum_of_crcs += state_crc(position, row)
        expect(path, "images", len(states), totals.images)
        expect(path, "states", count, totals.states)
        expect(path, "states", sum_of_crcs, totals.states_sum)
    return states


def read_tail(
    path: Path, totals: Totals, rows: Iterable[list[KeptTail]], states: dict[str, State]
) -> dict[str, State]:
    """Let `states` take in the events that are not settled yet; those that changed."""
    moved: dict[str, State] = {}
    count = crc = 0
    with read_as_written(path):
        for some in rows:
            count += len(some)
            crc = tail_crc((row[:5] for row in some), crc)
            for _, at, code, _, body, key in some:
                event = event_of(at, code, key, body)
                if isinstance(event, ImageEvent):
                    before = states[event.key]
                    if (state := after(before, event)) != before:
                        moved[event.key] = states[event.key] = state
        expect(path, "events", count, totals.events - totals.settled)
        expect(path, "events", crc, totals.tail_crc)
    return moved


def read_more(path: Path, totals: Totals, rows: Iterable[list[KeptTail]], ledger: Ledger) -> None:
    """Let `ledger` take in the events that came after those that it knows."""
    with read_as_written(path), collector.paused():
        for some in rows:
            for _, at, code, _, body, key in some:
                ledger.apply(event_of(at, code, key, body))
        expect(path, "events", ledger.events, totals.events)


def read_planned(
    path: Path, totals: Totals, rows: Iterable[list[PlannedRow]], known: Mapping[str, Image]
) -> dict[str, Planned]:
    """Every image as last planned, in the order first seen; those that equal a known one are that one."""
    planned: dict[str, Planned] = {}
    sum_of_crcs = 0
    with read_as_written(path), collector.paused():
        for some in rows:
            planned |= planned_of(known, some)
            sum_of_crcs += sum(image_crc(*row) for row in some)
        expect(path, "images", len(planned), totals.images)
        expect(path, "images", sum_of_crcs, totals.images_sum)
    return planned


def read_events(path: Path, rows: Iterable[list[KeptEvent]]) -> Iterator[Event]:
    """Events again, oldest first."""
    with read_as_written(path):
        for some in rows:
            for row in some:
                yield event_of(*row)


def check_quickly(path: Path) -> None:
    """Raise JournalError unless the file is sound in its structure. Any thread may call it."""
    with explained(path), closing(database.connect(path, "ro")) as connection:
        database.expect_sound(path, connection, "quick_check")
        count = connection.execute("SELECT count(*) FROM events").fetchone()[0]
        expect(path, "events", count, KeptRows(path, connection).totals().events)


def expect_same(path: Path, folded: Ledger, kept: Ledger) -> None:
    """Raise JournalError unless events, folded, equal the current states that are kept of them."""
    for key in folded.states | kept.states:
        same_state = folded.states.get(key) == kept.states.get(key)
        if not same_state or folded.planned.get(key) != kept.planned.get(key):
            raise damaged(path, f"the events of {key} do not add up to its state")
    if list(folded.planned) != list(kept.planned):
        raise damaged(path, "the images are not in the order in which they were planned")


def expect(path: Path, table: str, found: int, written: int) -> None:
    """Raise JournalError unless `found` is what the totals say of a table."""
    if found != written:
        raise damaged(path, f"its {table} are not those that were written")
