"""The journal's SQLite file: its tables, its promises to the disk, and its troubles in plain words.

What the promises rest on, all from sqlite.org:

* WAL mode with `synchronous=FULL` syncs the WAL after each commit, so a commit survives a power cut
  ("PRAGMA synchronous"; "Write-Ahead Logging").
* Readers do not block the writer, nor it them ("Write-Ahead Logging").
* `-wal` and `-shm` take the permissions of the database file ("Temporary Files", and `findCreateFileMode` in
  os_unix.c); so 0600 on one is 0600 on all.
* Closing any descriptor of a database file drops this process's locks on it ("How To Corrupt An SQLite
  Database File", 2.2), so nothing here opens the file by itself while SQLite may have it open.
* A file without pages makes SQLite delete a WAL beside it, and one with pages makes it replay the WAL
  ("How To Corrupt An SQLite Database File", 1.4); so a WAL that lost its database is left alone, and said.
"""

import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache
from itertools import chain
from pathlib import Path

from migrator import collector
from migrator.core.ledger import Ledger, Planned, fold
from migrator.core.lifecycle import Event, ImpossibleMove, State
from migrator.edges.journal.codec import image_text, images_text, read_event, read_image, read_state
from migrator.edges.journal.lock import Lock, inode
from migrator.errors import JournalError, JournalMissing, JournalTooNew
from migrator.model import Image

VERSION = 1
"""`user_version` of the file. It goes up whenever an older program would misread a newer file."""

APPLICATION_ID = 0x4D494752
"""`application_id` of the file: "MIGR" (sqlite.org, "PRAGMA application_id")."""

SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, key TEXT, body TEXT NOT NULL
);
CREATE INDEX events_about_no_image ON events (seq) WHERE key IS NULL;
CREATE TRIGGER events_stay_as_they_are BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER events_stay BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;
CREATE TABLE images (
    position INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, image TEXT NOT NULL
);
CREATE TABLE states (key TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""
# An index of events by key would make each commit touch one more page for each image in it; the rare reader
# of one image's events can walk the table.

EventRow = tuple[float, str, str | None, str]
"""at, kind, key, body."""

_EVENTS = "INSERT INTO events (at, kind, key, body) VALUES {rows}"
_IMAGES = (
    "INSERT INTO images (key, digest, image) VALUES {rows}"
    " ON CONFLICT (key) DO UPDATE SET digest = excluded.digest, image = excluded.image"
)
_STATES = "INSERT OR REPLACE INTO states (key, state) VALUES {rows}"

_ROWS_AT_ONCE = 100
"""Rows in one statement; the most values in one of them, 400, is well below SQLite's old limit of 999."""

_CHECKPOINT_PAGES = 1000
_WAL_LEFT = 16 * 2**20
"""Bytes that a WAL keeps on disk after it was copied into the database."""


class Store:
    """The open file; blocking, and for one thread. Whatever SQLite raises leaves as JournalError."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self.connection = connection

    def states(self) -> dict[str, State]:
        """Every image's state, in the order first seen."""
        with explained(self.path), collector.paused():
            rows = self.connection.execute(
                "SELECT images.key, state FROM images LEFT JOIN states USING (key) ORDER BY position"
            )
            states = (State(key=key) if text is None else read_state(text) for key, text in rows)
            return {state.key: state for state in states}

    def planned(self, known: Mapping[str, Image]) -> dict[str, Planned]:
        """Every image as last planned, in the order first seen; those that equal a known one are that one."""
        with explained(self.path), collector.paused():
            rows = self.connection.execute("SELECT key, digest, image FROM images ORDER BY position")
            planned: dict[str, Planned] = {}
            while some := rows.fetchmany(1000):
                planned |= _planned(known, some)
            return planned

    def beside_images(self) -> Ledger:
        """A ledger of what is not about one image: runs, and what was learned."""
        with explained(self.path):
            rows = self.connection.execute(
                "SELECT kind, body FROM events WHERE key IS NULL ORDER BY seq"  # by the index of just those
            )
            return fold(read_event(kind, body) for kind, body in rows)

    def ledger(self, known: Mapping[str, Image]) -> Ledger:
        """All of the above, from the tables of current states."""
        ledger = self.beside_images()
        ledger.planned, ledger.states = self.planned(known), self.states()
        return ledger

    def events(self, key: str | None = None) -> list[Event]:
        """Every event, or those of one image, oldest first."""
        with explained(self.path):
            rows = self.connection.execute(
                "SELECT kind, body FROM events WHERE :key IS NULL OR key = :key ORDER BY seq", {"key": key}
            )
            return [read_event(kind, body) for kind, body in rows]

    def check_quickly(self) -> None:
        """Raise JournalError unless the file is sound in its structure. Any thread may call it."""
        with explained(self.path), closing(connect(self.path, "ro")) as connection:
            _expect_sound(self.path, connection, "quick_check")

    def check(self) -> None:
        """Raise JournalError unless the file is sound and its events, folded, equal its current states."""
        with explained(self.path):
            _expect_sound(self.path, self.connection, "integrity_check")
        told, kept = fold(self.events()), self.ledger({})
        for key in told.states | kept.states:
            if told.states.get(key) != kept.states.get(key) or told.planned.get(key) != kept.planned.get(key):
                raise damaged(self.path, f"the events of {key} do not add up to its state")
        if list(told.planned) != list(kept.planned):
            raise damaged(self.path, "the images are not in the order in which they were planned")

    def close(self) -> None:
        self.connection.close()


class WritableStore(Store):
    """The file of the one who holds the lock."""

    def __init__(self, path: Path, connection: sqlite3.Connection, lock: Lock) -> None:
        super().__init__(path, connection)
        self.lock = lock
        self.commits = 0
        """How often it was synced for new rows."""

        self._files = {path: inode(path), (wal := _beside(path, "-wal")): inode(wal), lock.path: lock.inode}

    @classmethod
    def open(cls, path: Path, *, version: str) -> "WritableStore":
        """Lock the journal at `path` for one writer; a new one is made where there is none.

        Raises JournalLocked, JournalTooNew, JournalError.
        """
        with explained(path):
            _make_folder(path.parent)
            lock = Lock.acquire(path.with_suffix(".lock"), version=version)
        try:
            with explained(path):
                if not path.exists():
                    _refuse_lone_wal(path)
                    _create(path, version)
                with reading(path):  # a file that is not ours is left exactly as it is
                    pass
                connection = connect(path, "rw")
            try:
                with explained(path):
                    _prepare(path, connection)
                    return cls(path, connection, lock)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lock.release()
            raise

    def write(
        self, events: Sequence[EventRow], images: Mapping[str, tuple[str, str]], states: Mapping[str, str]
    ) -> None:
        """Make the rows durable, all or none, in one transaction with one sync.

        `images` are (digest, image) by key, `states` are states by key. After a JournalError the caller must
        not write again: nobody knows what the disk kept.
        """
        with explained(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                self._insert(_EVENTS, events, 4)
                self._insert(_IMAGES, [(key, *image) for key, image in images.items()], 3)
                self._insert(_STATES, list(states.items()), 2)
                self.connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            self.commits += 1
            self._expect_files()

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

    def _insert(self, statement: str, rows: Sequence[Sequence[object]], width: int) -> None:
        # One statement for many rows: sqlite3 lets go of the interpreter lock at each statement, and a busy
        # event loop may keep it for milliseconds each time.
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[start : start + _ROWS_AT_ONCE]
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
def reading(path: Path) -> Iterator[Store]:
    """A consistent view of the journal at `path`, also while another process writes. No lock is taken.

    Raises JournalMissing where there is none, JournalTooNew, JournalError.
    """
    with explained(path):
        if not path.exists():
            _refuse_lone_wal(path)
            raise JournalMissing(f"{path}: no such file; nothing has run yet")
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder, where the journal should be", str(path))
        try:
            connection = _snapshot(path)
        except sqlite3.OperationalError as error:
            if _kind(error) not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
                raise
        else:
            with closing(connection):
                yield Store(path, connection)
            return
    # Without the right to write beside it, SQLite cannot read a WAL that has no index yet: read a copy.
    with tempfile.TemporaryDirectory() as folder:
        with explained(path):
            copy = _copy(path, Path(folder))
            connection = _snapshot(copy)
        with closing(connection):
            yield Store(path, connection)


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A bare connection; `mode` is "ro", "rw" or "rwc" (sqlite.org, "Uniform Resource Identifiers")."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=5.0,
        cached_statements=3 * _ROWS_AT_ONCE + 20,
    )


def damaged(path: Path, what: str) -> JournalError:
    return JournalError(
        f"{path}: the journal is damaged: {what}",
        hint="Nothing was changed. Put back a good copy, with its -wal file if there is one. Without one,"
        " move the file away, -wal and -shm with it, and run again: images that the cloud has already are"
        " found by their marker and adopted, not imported again.",
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite, the disk and the codec raise into a JournalError that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise _in_words(path, error) from error
    except OSError as error:
        raise JournalError(
            f"{error.filename or path}: {error.strerror or error}",
            hint="Check the folder, its permissions and the disk, then run again; what was acknowledged is"
            " kept.",
        ) from error
    except (ValueError, KeyError, ImpossibleMove) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error


def _in_words(path: Path, error: sqlite3.Error) -> JournalError:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    detail = f"{error} ({name})"
    kept = "what was acknowledged is kept."
    match _kind(error):
        case sqlite3.SQLITE_FULL:
            return JournalError(
                f"{path}: no room left to write the journal: {detail}",
                hint=f"Make room on this disk, or lift the quota, then run again; {kept}",
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
            return JournalError(
                f"{path}: the journal cannot be opened for this: {detail}",
                hint=f"Check the permissions of the file and of its folder, then run again; {kept}",
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return damaged(path, detail)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return JournalError(
                f"{path}: another program keeps the journal locked: {detail}",
                hint=f"Close what has the file open (a database browser?), then run again; {kept}",
            )
        case _:
            return JournalError(
                f"{path}: the journal cannot be read or written: {detail}",
                hint=f"Check the disk (a full one, a lost mount?), then run again; {kept}",
            )


def _kind(error: sqlite3.Error) -> int:
    """The primary result code (sqlite.org, "Result and Error Codes"); 0 for errors of the Python module."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _planned(known: Mapping[str, Image], rows: Sequence[tuple[str, str, str]]) -> dict[str, Planned]:
    images = [image for key, _, _ in rows if (image := known.get(key)) is not None]
    # Mostly a plan is as it was: then one comparison tells it of many.
    if len(images) < len(rows) or images_text(images) != f"[{','.join([text for _, _, text in rows])}]":
        images = [_image(known.get(key), text) for key, _, text in rows]
    return {row[0]: Planned(image=image, digest=row[1]) for row, image in zip(rows, images, strict=True)}


def _image(known: Image | None, text: str) -> Image:
    return known if known is not None and image_text(known) == text else read_image(text)


def _snapshot(path: Path) -> sqlite3.Connection:
    """A read-only connection inside a transaction, to a file that is surely a journal we can read."""
    connection = connect(path, "ro")
    try:
        connection.execute("BEGIN")
        _expect_ours(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _expect_ours(path: Path, connection: sqlite3.Connection) -> None:
    ask: Callable[[str], int] = lambda pragma: connection.execute(f"PRAGMA {pragma}").fetchone()[0]  # noqa: E731
    if ask("page_count") == 0:
        raise damaged(path, "the file is empty")
    if ask("application_id") != APPLICATION_ID:
        raise JournalError(
            f"{path}: a database, but not a journal of migrator",
            hint="It was left as it is. Move it away, or choose another folder with `--reports-dir DIR`.",
        )
    found = ask("user_version")
    if found > VERSION:
        raise JournalTooNew(f"{path}: a journal of version {found}; this program knows {VERSION}")
    if found < VERSION:
        raise damaged(path, f"version {found} never was")


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise JournalError(
            f"{path}: this file system cannot hold a write-ahead log (journal mode stays {mode!r})",
            hint="Keep the journal on a local disk: `--reports-dir DIR`.",
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LEFT}")
    _expect_ours(path, connection)


def _expect_sound(path: Path, connection: sqlite3.Connection, pragma: str) -> None:
    found = " ".join(row[0] for row in connection.execute(f"PRAGMA {pragma}(1)"))
    if found != "ok":
        raise damaged(path, " ".join(found.split()))


def _create(path: Path, version: str) -> None:
    """Make an empty journal beside its place and move it there, so that none is ever half made."""
    new = _beside(path, ".new")
    for leftover in (new, _beside(new, "-journal"), _beside(new, "-wal"), _beside(new, "-shm")):
        leftover.unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with closing(connect(new, "rw")) as connection:
        connection.executescript(f"PRAGMA synchronous = FULL; BEGIN; {SCHEMA}; COMMIT;")
        connection.execute("INSERT INTO meta VALUES ('created_by', ?)", [f"migrator {version}"])
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
    new.rename(path)
    _sync_folder(path.parent)


def _make_folder(folder: Path) -> None:
    """Make the folder and those above it, each durable in the one above."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _refuse_lone_wal(path: Path) -> None:
    wal = _beside(path, "-wal")
    if wal.exists() and wal.stat().st_size:
        raise JournalError(
            f"{path}: gone, but {wal.name} beside it still holds events",
            hint=f"Put {path.name} back. To start anew instead, move {wal.name} away too.",
        )


def _copy(path: Path, folder: Path) -> Path:
    """A copy of database and WAL that no writer changed meanwhile."""
    wal = _beside(path, "-wal")
    for _ in range(5):
        before = _marks(path, wal)
        shutil.copyfile(path, folder / path.name)
        (folder / wal.name).unlink(missing_ok=True)
        if wal.exists():
            shutil.copyfile(wal, folder / wal.name)
        if _marks(path, wal) == before:
            return folder / path.name
    raise JournalError(
        f"{path}: it changes while it is read", hint="Read it as the user who runs the migration."
    )


def _marks(*paths: Path) -> list[tuple[int, int] | None]:
    found = (path.stat() if path.exists() else None for path in paths)
    return [None if mark is None else (mark.st_mtime_ns, mark.st_size) for mark in found]


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


@cache
def _for_rows(statement: str, count: int, width: int) -> str:
    row = f"({', '.join('?' * width)})"
    return statement.format(rows=", ".join([row] * count))
