"""The journal in one SQLite file: its rows in and out."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import cache
from itertools import chain
from pathlib import Path

from migrator.domain import collector
from migrator.domain.errors import JournalError
from migrator.domain.image import Image
from migrator.domain.units import Moment
from migrator.journal.codec import image_text, images_text, read_event, read_image, read_state, state_text
from migrator.journal.lock import Lock, inode, lock_path
from migrator.journal.port import MOST_TROUBLED, TROUBLED, JournalCounts
from migrator.journal.sqlite import database
from migrator.journal.sqlite.database import ROWS_AT_ONCE, connect
from migrator.journal.sqlite.errors import damaged, explained, read_as_written
from migrator.journal.sqlite.totals import (
    Totals,
    general_sum,
    read_totals,
    replaced,
    row_crc,
    write_totals,
)
from migrator.journal.store import EventRow, Rows
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger, Planned, fold
from migrator.workflow.states import Phase, State

_EVENTS = "INSERT INTO events (at, kind, key, body) VALUES {rows}"
_IMAGES = (
    "INSERT INTO images (key, digest, image, crc) VALUES {rows}"
    " ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, image = excluded.image, crc = excluded.crc"
)
_STATES = "INSERT OR REPLACE INTO states (key, state, crc) VALUES {rows}"


class SqliteStore:
    """The open file; blocking, and for one thread. Whatever SQLite raises leaves as JournalError."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    def totals(self) -> Totals | None:
        """What the file says it holds; None where it is of the version before, and says nothing."""
        with read_as_written(self.path):
            if not database.has_totals(self.connection):
                return None
            if (totals := read_totals(self.connection)) is None:
                raise damaged(self.path, "it does not say how much it holds")
            self._expect("events", self._last_event(), totals.events)
            return totals

    def states(self, totals: Totals | None) -> dict[str, State]:
        """Every image's state, in the order first seen. Raises JournalError where rows do not add up."""
        with read_as_written(self.path), collector.paused():
            rows = self.connection.execute(
                "SELECT images.key, state FROM images LEFT JOIN states USING (key) ORDER BY position"
            )
            states: dict[str, State] = {}
            count = sum_of_crcs = 0
            for key, text in rows:
                if text is None:
                    states[key] = State(key=key)
                else:
                    states[key] = read_state(text)
                    count += 1
                    sum_of_crcs += row_crc(key, text)
            if totals is not None:
                self._expect("images", len(states), totals.images)
                self._expect("states", count, totals.states)
                self._expect("states", sum_of_crcs, totals.states_sum)
            return states

    def planned(self, known: Mapping[str, Image], totals: Totals | None) -> dict[str, Planned]:
        """Every image as last planned, in the order first seen; those that equal a known one are that one."""
        with read_as_written(self.path), collector.paused():
            rows = self.connection.execute("SELECT key, digest, image FROM images ORDER BY position")
            planned: dict[str, Planned] = {}
            sum_of_crcs = 0
            while some := rows.fetchmany(1000):
                planned |= _planned(known, some)
                sum_of_crcs += sum(row_crc(*row) for row in some)
            if totals is not None:
                self._expect("images", len(planned), totals.images)
                self._expect("images", sum_of_crcs, totals.images_sum)
            return planned

    def without_images(self, totals: Totals | None) -> Ledger:
        """A ledger of what is not about one image: runs, and what was learned."""
        with read_as_written(self.path):
            rows = self.connection.execute(
                "SELECT kind, body FROM events WHERE key IS NULL ORDER BY seq"  # by the index of just those
            ).fetchall()
            if totals is not None:
                self._expect("events", general_sum(rows), totals.general_sum)
            return fold(read_event(kind, body) for kind, body in rows)

    def ledger(self, known: Mapping[str, Image]) -> Ledger:
        """All of the above, from the tables of current states."""
        totals = self.totals()
        if totals is None:
            self.check()
        ledger = self.without_images(totals)
        ledger.planned, ledger.states = self.planned(known, totals), self.states(totals)
        ledger.events = self._last_event() if totals is None else totals.events
        ledger.last_at = self.last_at()
        return ledger

    def counts(self, above: int, now: Moment) -> JournalCounts | None:
        """How many of its images stand where, if there are more than `above`: images themselves are read only
        where somebody wants to know why."""
        with read_as_written(self.path):
            if self.connection.execute("SELECT count(*) FROM images").fetchone()[0] <= above:
                return None
        totals = self.totals()
        states, runs = self.states(totals), self.without_images(totals).runs
        targets: defaultdict[str, Counter[Phase]] = defaultdict(Counter)
        for key, state in states.items():
            targets[key.partition("/")[0]][state.phase] += 1
        ill = [state for state in states.values() if state.phase in TROUBLED][:MOST_TROUBLED]
        return JournalCounts(
            targets=targets,
            runs=runs,
            troubled=[(self._planned_one(state.key), state) for state in ill],
            last_hour=sum(
                state.finished_at is not None and state.finished_at > now - 3600 for state in states.values()
            ),
        )

    def _planned_one(self, key: str) -> Planned:
        with read_as_written(self.path):
            digest, image = self.connection.execute(
                "SELECT digest, image FROM images WHERE key = ?", [key]
            ).fetchone()
            return Planned(image=read_image(image), digest=digest)

    def events(self, key: str | None = None) -> list[Event]:
        """Every event, or those of one image, oldest first."""
        with read_as_written(self.path):
            rows = self.connection.execute(
                "SELECT kind, body FROM events WHERE :key IS NULL OR key = :key ORDER BY seq", {"key": key}
            )
            return [read_event(kind, body) for kind, body in rows]

    def event_row(self, number: int) -> tuple[str, str] | None:
        """(kind, body) of an event, counted from 1; None where there is none."""
        with read_as_written(self.path):
            row: tuple[str, str] | None = self.connection.execute(
                "SELECT kind, body FROM events WHERE seq = ?", [number]
            ).fetchone()
            return row

    def since(self, count: int, last: object) -> list[tuple[str, str]] | None:
        """(kind, body) of the events after so many; None unless those are there, and `last` is their last."""
        totals = self.totals()
        if totals is None or totals.events < count or self.event_row(count) != last:
            return None
        with read_as_written(self.path):
            rows = self.connection.execute(
                "SELECT kind, body FROM events WHERE seq > ? ORDER BY seq", [count]
            ).fetchall()
        self._expect("events", count + len(rows), totals.events)
        return rows

    def moved_on(self, ledger: Ledger, rows: Sequence[tuple[str, str]]) -> Ledger:
        """The same ledger with these events applied to it."""
        with read_as_written(self.path):
            for kind, body in rows:
                ledger.apply(read_event(kind, body))
        return ledger

    def check_quickly(self) -> None:
        """Raise JournalError unless the file is sound in its structure. Any thread may call it."""
        with explained(self.path), closing(connect(self.path, "ro")) as connection:
            database.expect_sound(self.path, connection, "quick_check")
            if (totals := read_totals(connection)) is not None:
                count = connection.execute("SELECT count(*) FROM events").fetchone()[0]
                self._expect("events", count, totals.events)

    def check(self) -> None:
        """Raise JournalError unless the file is sound and its events, folded, equal its current states."""
        with explained(self.path):
            database.expect_sound(self.path, self.connection, "integrity_check")
            folded = fold(self.events())
        totals, kept = self.totals(), Ledger()
        kept.planned, kept.states = self.planned({}, totals), self.states(totals)
        for key in folded.states | kept.states:
            same_state = folded.states.get(key) == kept.states.get(key)
            if not same_state or folded.planned.get(key) != kept.planned.get(key):
                raise damaged(self.path, f"the events of {key} do not add up to its state")
        if list(folded.planned) != list(kept.planned):
            raise damaged(self.path, "the images are not in the order in which they were planned")

    def close(self) -> None:
        self.connection.close()

    def last_at(self) -> Moment | None:
        """When the last event happened; None without any."""
        row = self.connection.execute("SELECT at FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        return None if row is None else float(row[0])

    def _last_event(self) -> int:
        last: int = self.connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0]
        return last

    def _expect(self, table: str, found: int, written: int) -> None:
        if found != written:
            raise damaged(self.path, f"its {table} are not those that were written")


class WritableSqliteStore(SqliteStore):
    """The file of the one who holds the lock: `journal.store.Store`."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: Lock) -> None:
        super().__init__(path, connection)
        self.lock = lock
        self._totals = self.totals() or Totals()
        self._files = {
            path: inode(path),
            (wal := database.beside(path, "-wal")): inode(wal),
            lock.path: lock.inode,
        }

    @classmethod
    def open(cls, path: Path, *, version: str) -> "WritableSqliteStore":
        """Lock the journal at `path` for one writer; a new one is made where there is none.

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
                    if not database.has_totals(connection):
                        SqliteStore(path, connection).check()
                        database.add_totals(connection)
                    database.upgrade(connection)
                    return cls(path, connection, lock)
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
            sound = beside.submit(self.check_quickly)
            try:
                ledger = self.without_images(self._totals)
                ledger.states = self.states(self._totals)
                ledger.events = self._totals.events
                ledger.last_at = self.last_at()
            finally:
                sound.result()  # what is wrong with the file itself says more than what is wrong with a row
        return ledger

    def planned(self, known: Mapping[str, Image], totals: Totals | None = None) -> dict[str, Planned]:
        """`Store.planned`."""
        return super().planned(known, totals or self._totals)

    def commit(self, rows: Rows) -> None:
        """`Store.commit`: one transaction with one sync."""
        images = [(key, *image, row_crc(key, *image)) for key, image in rows.images.items()]
        states = [(key, text := state_text(state), row_crc(key, text)) for key, state in rows.states.items()]
        with explained(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                totals = self._totals_after(rows.events, images, states)
                self._insert(_EVENTS, rows.events, 4)
                self._insert(_IMAGES, images, 4)
                self._insert(_STATES, states, 3)
                write_totals(self.connection, totals)
                self.connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            self._totals = totals
            self._expect_files()

    def holds(self) -> bool:
        """`Store.holds`: the lock ends with this process and no sooner."""
        return True

    def close(self) -> None:
        """Copy the WAL into the database as far as readers allow, and let go of the lock."""
        try:
            # All of it is durable already; a reader or a full disk must not hold up the way out.
            self.connection.execute("PRAGMA busy_timeout = 200")
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except sqlite3.Error:
            pass
        finally:
            try:
                self.connection.close()
            finally:
                self.lock.release()

    def _totals_after(
        self,
        events: Sequence[EventRow],
        images: Sequence[tuple[str, str, str, int]],
        states: Sequence[tuple[str, str, int]],
    ) -> Totals:
        before = self._totals
        old_images, old_images_sum = self._replaced("images", images)
        old_states, old_states_sum = self._replaced("states", states)
        return Totals(
            events=before.events + len(events),
            general_sum=before.general_sum
            + general_sum((kind, body) for _, kind, key, body in events if key is None),
            images=before.images + len(images) - old_images,
            images_sum=before.images_sum + sum(row[-1] for row in images) - old_images_sum,
            states=before.states + len(states) - old_states,
            states_sum=before.states_sum + sum(row[-1] for row in states) - old_states_sum,
        )

    def _replaced(self, table: str, rows: Sequence[tuple[str, *tuple[object, ...]]]) -> tuple[int, int]:
        count = sum_of_crcs = 0
        for start in range(0, len(rows), ROWS_AT_ONCE):
            keys = [row[0] for row in rows[start : start + ROWS_AT_ONCE]]
            some, some_sum = replaced(self.connection, table, keys)
            count, sum_of_crcs = count + some, sum_of_crcs + some_sum
        return count, sum_of_crcs

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

    def _expect_files(self) -> None:
        # Unlinked files go on taking writes, which then vanish with the process.
        for path, expected in self._files.items():
            if inode(path) != expected:
                raise JournalError(
                    f"{path}: removed or replaced while the journal was open; the last events may be lost",
                    hint="Put the folder back as it was, if you can, and run again. Images that the cloud has"
                    " already are found by their marker and adopted, not imported again.",
                )


@contextmanager
def reading(path: Path) -> Iterator[SqliteStore]:
    """The journal at `path` as it is at this moment, also while another process writes. No lock is taken.

    Raises JournalMissing where there is none, JournalTooNew, JournalError.
    """
    with database.snapshot(path) as connection:
        yield SqliteStore(path, connection)


def _planned(known: Mapping[str, Image], rows: Sequence[tuple[str, str, str]]) -> dict[str, Planned]:
    images = [image for key, _, _ in rows if (image := known.get(key)) is not None]
    # Mostly a plan is as it was: then one comparison tells it of many.
    if len(images) < len(rows) or images_text(images) != f"[{','.join([text for _, _, text in rows])}]":
        images = [_image(known.get(key), text) for key, _, text in rows]
    return {row[0]: Planned(image=image, digest=row[1]) for row, image in zip(rows, images, strict=True)}


def _image(known: Image | None, text: str) -> Image:
    return known if known is not None and image_text(known) == text else read_image(text)


@cache
def _for_rows(statement: str, count: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return statement.format(rows=", ".join([row] * count))
