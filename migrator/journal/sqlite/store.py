"""The one who writes the journal's file: its rows in, all of a commit or none."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from migrator.domain.errors import JournalError
from migrator.domain.image import Image
from migrator.journal.lock import Lock, inode, lock_path
from migrator.journal.sqlite import database, earlier, wal
from migrator.journal.sqlite.content import (
    KeptRows,
    KeptTail,
    batches,
    check_quickly,
    read_events,
    read_general,
    read_planned,
    read_states,
    read_tail,
)
from migrator.journal.sqlite.database import ROWS_AT_ONCE, connect
from migrator.journal.sqlite.errors import explained
from migrator.journal.sqlite.kinds import CODES, PLANNED
from migrator.journal.sqlite.rows import (
    TailRow,
    body_of,
    event_crc,
    image_crc,
    state_crc,
    state_row,
    tail_crc,
)
from migrator.journal.sqlite.totals import SETTLED_EVERY, Totals, write_totals
from migrator.journal.store import Rows
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger, Planned
from migrator.workflow.states import State

_EVENTS = "INSERT INTO events (seq, at, kind, image, body) VALUES {rows}"
_IMAGES = (
    "INSERT INTO images (position, key, planned) VALUES {rows}"
    " ON CONFLICT (position) DO UPDATE SET planned = excluded.planned"
)
_STATES = "INSERT OR REPLACE INTO states (position, state) VALUES {rows}"
_POSITIONS = "SELECT key, position FROM images WHERE key IN ({marks})"
_PLANNED = "SELECT position, key, body FROM images JOIN events ON seq = planned WHERE key IN ({marks})"
_SETTLED = "SELECT position, state FROM states WHERE position IN ({marks})"


@dataclass(slots=True, kw_only=True)
class Change:
    """What one commit writes, as rows."""

    events: list[TailRow]
    images: list[tuple[int, str, int]]
    states: list[tuple[int, bytes]]
    totals: Totals
    positions: dict[str, int]
    """Of every image that it is about."""


class WritableSqliteStore:
    """The file of the one who holds the lock: `journal.store.Store`; blocking, and for one thread."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, lock: Lock, warn: wal.Warn = wal.nobody
    ) -> None:
        self.path = path
        self.connection = connection
        self.lock = lock
        self._warn = warn
        self._rows = KeptRows(path, connection)
        self._totals = self._rows.totals()
        self._positions: dict[str, int] = {}
        """Of images on their way; others are looked up when something happens to them."""

        self._ahead: dict[str, State] = {}
        """States that the rows of `states` do not know yet."""

        self._broken = False

        self._wal, self._wal_limit = str(database.beside(path, "-wal")), wal.WalLimit()
        self._files = {
            str(path): inode(path),
            self._wal: inode(self._wal),
            str(lock.path): lock.inode,
        }
        """Looked at after each commit, so by names that need no more work."""

    @classmethod
    def open(cls, path: Path, *, version: str, warn: wal.Warn = wal.nobody) -> "WritableSqliteStore":
        """Lock the journal at `path` for one writer; a new one is made where there is none.

        One of an earlier version becomes one of this.

        Raises JournalLocked, JournalTooNew, JournalError.
        """
        with explained(path):
            database.make_folder(path.parent)
            lock = Lock.acquire(lock_path(path), version=version)
        try:
            with explained(path):
                if not path.exists():
                    database.refuse_lone_wal(path)
                    database.create(path, version)
                with database.snapshot(path):  # a file that is not ours is left exactly as it is
                    pass
                connection = connect(path, "rw")
            try:
                with explained(path):
                    database.prepare(path, connection)
                    if earlier.is_earlier(connection):
                        earlier.upgrade(path, connection)
                    return cls(path, connection, lock, warn)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lock.release()
            raise

    @property
    def name(self) -> str:
        """`Store.name`."""
        return str(self.path)

    def load(self) -> Ledger:
        """`Store.load`; whether the file is sound is found out meanwhile, in a second thread."""
        with ThreadPoolExecutor(1, thread_name_prefix="journal-check") as beside:
            sound = beside.submit(check_quickly, self.path)
            try:
                with explained(self.path):
                    ledger = read_general(self.path, self._totals, batches(self._rows.general()))
                    ledger.states = read_states(self.path, self._totals, batches(self._rows.states()))
                    tail: Iterator[list[KeptTail]] = batches(self._rows.tail(self._totals.settled))
                    self._ahead = read_tail(self.path, self._totals, tail, ledger.states)
                    ledger.last_at = self._rows.last_at()
                ledger.events = self._totals.events
            finally:
                sound.result()  # what is wrong with the file itself says more than what is wrong with a row
        return ledger

    def planned(self, known: Mapping[str, Image]) -> dict[str, Planned]:
        """`Store.planned`."""
        with explained(self.path):
            return read_planned(self.path, self._totals, batches(self._rows.planned()), known)

    def events(self, key: str | None = None) -> list[Event]:
        """`Store.events`."""
        with explained(self.path):
            return list(read_events(self.path, batches(self._rows.events(key))))

    def commit(self, rows: Rows) -> None:
        """`Store.commit`: one transaction with one sync."""
        late = self._totals.events + len(rows.events) - self._totals.settled
        self._write(rows, settle=late >= SETTLED_EVERY)

    def _write(self, rows: Rows, *, settle: bool) -> None:
        with explained(self.path):
            try:
                self.connection.execute("BEGIN IMMEDIATE")
                change = self._change(rows, settle=settle)
                self._insert(_EVENTS, change.events, 5)
                self._insert(_IMAGES, change.images, 3)
                self._insert(_STATES, change.states, 2)
                write_totals(self.connection, change.totals)
                self.connection.execute("COMMIT")
            except BaseException:
                self._broken = True
                self._roll_back()
                raise
            self._totals = change.totals
            self._remember(rows, change.positions, settled=settle)
            self._expect_files()
            self._limit_wal()

    def holds(self) -> bool:
        """`Store.holds`: the lock ends with this process and no sooner."""
        return True

    def close(self) -> None:
        """Settle, copy the WAL into the database as far as readers allow, and let go of the lock."""
        try:
            # All of it is durable already; a reader or a full disk must not hold up the way out.
            self.connection.execute("PRAGMA busy_timeout = 200")
            if self._ahead and not self._broken:
                self._write(Rows(), settle=True)
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except (sqlite3.Error, JournalError):
            pass
        finally:
            try:
                self.connection.close()
            finally:
                self.lock.release()

    def _change(self, rows: Rows, *, settle: bool) -> Change:
        """The rows of a commit, and what the journal holds after it."""
        before = self._totals
        positions = self._positions_of({key for _, _, key, _ in rows.events if key is not None})
        planned: dict[str, tuple[int, str]] = {}
        events: list[TailRow] = []
        added = general_sum = 0
        for seq, (at, kind, key, text) in enumerate(rows.events, before.events + 1):
            at, code, body, position = float(at), CODES[kind], body_of(text, key), None
            if key is None:
                general_sum += event_crc(at, code, body)
            else:
                if code == PLANNED:
                    planned[key] = seq, body
                    if key not in positions:
                        added += 1
                        positions[key] = before.images + added
                position = positions[key]
            events.append((seq, at, code, position, body))
        images_sum = sum(image_crc(positions[key], key, body) for key, (_, body) in planned.items())
        if added < len(planned):
            images_sum -= sum(image_crc(*row) for row in self._asked(_PLANNED, planned))
        totals = replace(
            before,
            events=before.events + len(events),
            general_sum=before.general_sum + general_sum,
            images=before.images + added,
            images_sum=before.images_sum + images_sum,
            tail_crc=tail_crc(events, before.tail_crc),
        )
        states: list[tuple[int, bytes]] = []
        if settle:
            ahead = self._ahead | rows.states
            positions |= self._positions_of(ahead.keys() - positions.keys())
            states = sorted((positions[key], state_row(state)) for key, state in ahead.items())
            totals = self._settled(totals, states)
        images = [(positions[key], key, seq) for key, (seq, _) in planned.items()]
        return Change(events=events, images=images, states=states, totals=totals, positions=positions)

    def _settled(self, totals: Totals, states: Sequence[tuple[int, bytes]]) -> Totals:
        """The totals when these rows take the place of those that are there."""
        old = self._asked(_SETTLED, [position for position, _ in states])
        return replace(
            totals,
            states=totals.states + len(states) - len(old),
            states_sum=totals.states_sum
            + sum(state_crc(*row) for row in states)
            - sum(state_crc(*row) for row in old),
            settled=totals.events,
            tail_crc=0,
        )

    def _positions_of(self, keys: AbstractSet[str]) -> dict[str, int]:
        """The positions of these images, of those that were ever planned."""
        known = self._positions
        found = {key: known[key] for key in keys if key in known}
        if len(found) < len(keys) and self._totals.images:
            found.update(self._asked(_POSITIONS, keys - found.keys()))
        return found

    def _asked(self, sql: str, values: Iterable[object]) -> list[Any]:
        found: list[Any] = []
        wanted = list(values)
        for start in range(0, len(wanted), ROWS_AT_ONCE):
            some = wanted[start : start + ROWS_AT_ONCE]
            found += self.connection.execute(sql.format(marks=", ".join("?" * len(some))), some)
        return found

    def _remember(self, rows: Rows, positions: Mapping[str, int], *, settled: bool) -> None:
        if settled:
            self._ahead = {}
            self._positions = {}
            return
        self._ahead |= rows.states
        for key in rows.states:
            self._positions[key] = positions[key]

    def _insert(self, statement: str, rows: Sequence[Sequence[object]], width: int) -> None:
        # One statement for many rows: sqlite3 lets go of the interpreter lock at each statement, and a busy
        # event loop may keep it for milliseconds each time.
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            sql = _for_rows(statement, len(some), width)
            self.connection.execute(sql, list(chain.from_iterable(some)))

    def _roll_back(self) -> None:
        try:
            self.connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # some errors roll back by themselves

    def _limit_wal(self) -> None:
        size = os.stat(self._wal).st_size  # noqa: PTH116 - after each commit
        if (wait := self._wal_limit.wait(size)) is None:
            return
        restarted = wal.restart(self.connection, wait)
        if self._wal_limit.tried(size, restarted=restarted):
            self._warn(
                f"{self._wal}: {size // 2**20} MB and growing, because a process has kept on reading"
                f" {self.path.name} for long: end it (`fuser {self.path}` names who has the file open;"
                " a database browser, a backup?)"
            )

    def _expect_files(self) -> None:
        # Unlinked files go on taking writes, which then vanish with the process.
        for path, expected in self._files.items():
            if inode(path) != expected:
                raise JournalError(
                    f"{path}: removed or replaced while the journal was open; the last events may be lost",
                    hint="Put the folder back as it was, if you can, and run again. Images that the cloud has"
                    " already are found by their marker and adopted, not imported again.",
                )


@cache
def _for_rows(statement: str, count: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return statement.format(rows=", ".join([row] * count))
