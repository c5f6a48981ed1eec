"""The journal's SQLite file: how it is made, opened, and recognised as ours.

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
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from migrator.domain.errors import JournalError, JournalMissing, JournalTooNew
from migrator.journal.sqlite import totals
from migrator.journal.sqlite.errors import damaged, explained, primary_code
from migrator.journal.sqlite.kinds import KINDS

VERSION = 4
"""`user_version` of the file. It goes up whenever an older program would misread a newer file, or write one
that a newer program would take for damaged. Files of the versions before are for `earlier`."""

APPLICATION_ID = 0x4D494752
"""`application_id` of the file: "MIGR" (sqlite.org, "PRAGMA application_id")."""

_KINDS = ", ".join(f"({code}, '{name}')" for code, name in KINDS.items())

TABLES = (
    """CREATE TABLE events (
        seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind INTEGER NOT NULL, image INTEGER, body TEXT NOT NULL
    )""",
    "CREATE INDEX events_about_no_image ON events (seq) WHERE image IS NULL",
    """CREATE TRIGGER events_stay_as_they_are BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'events are never changed'); END""",
    """CREATE TRIGGER events_stay BEFORE DELETE ON events
        BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END""",
    "CREATE TABLE images (position INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, planned INTEGER NOT NULL)",
    "CREATE TABLE states (position INTEGER PRIMARY KEY, state BLOB NOT NULL)",
    *totals.SCHEMA,
    # For people with sqlite3 alone; no program of ours reads them.
    "CREATE TABLE kinds (code INTEGER PRIMARY KEY, name TEXT NOT NULL)",
    f"INSERT INTO kinds VALUES {_KINDS}",  # noqa: S608 - a table of this program
    """CREATE VIEW history AS
        SELECT seq, strftime('%Y-%m-%d %H:%M:%f', at, 'unixepoch') AS at, name AS kind, key, body
        FROM events LEFT JOIN kinds ON code = kind LEFT JOIN images ON position = image""",
)
"""Each a statement. `rows` says what stands in the columns: an event's `image`, and a state's `position`, is
the position of its image; an image's `planned` is the number of the event that planned it last."""
# An index of events by image would make each commit touch one more page for each image in it; the rare reader
# of one image's events can walk the table.

_CHECKPOINT_PAGES = 1000
_WAL_LEFT = 16 * 2**20
"""Bytes that a WAL keeps on disk after it was copied into the database."""

ROWS_AT_ONCE = 50
"""Rows in one statement. Every number of them is a statement that SQLite keeps ready, and each of its rows
takes memory: of up to a hundred rows these would be 10 MB of a large run."""


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A bare connection; `mode` is "ro", "rw" or "rwc" (sqlite.org, "Uniform Resource Identifiers")."""
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        timeout=5.0,
        cached_statements=3 * ROWS_AT_ONCE + 20,
    )


@contextmanager
def snapshot(path: Path) -> Iterator[sqlite3.Connection]:
    """A consistent view of the journal at `path`, also while another process writes. No lock is taken.

    Raises JournalMissing where there is none, JournalTooNew, JournalError.
    """
    with explained(path):
        if not path.exists():
            refuse_lone_wal(path)
            raise JournalMissing(f"{path}: no such file; nothing has run yet")
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "a folder, where the journal should be", str(path))
        try:
            connection = _read_transaction(path)
        except sqlite3.OperationalError as error:
            if primary_code(error) not in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY}:
                raise
        else:
            with closing(connection):
                yield connection
            return
    # Without the right to write beside it, SQLite cannot read a WAL that has no index yet: read a copy.
    with tempfile.TemporaryDirectory() as folder:
        with explained(path):
            copy = _copy(path, Path(folder))
            connection = _read_transaction(copy)
        with closing(connection):
            yield connection


def _read_transaction(path: Path) -> sqlite3.Connection:
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
    found = version_of(connection)
    if found > VERSION:
        raise JournalTooNew(f"{path}: a journal of version {found}; this program knows {VERSION}")
    if found < 1:
        raise damaged(path, f"version {found} never was")


def prepare(path: Path, connection: sqlite3.Connection) -> None:
    mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        raise JournalError(
            f"{path}: this file system cannot hold a write-ahead log (journal mode stays {mode!r})",
            hint="Keep the journal on a local disk: `--reports-dir DIR`.",
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LEFT}")
    connection.execute("PRAGMA secure_delete = OFF")  # an upgrade need not overwrite what it drops
    _expect_ours(path, connection)


def version_of(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def expect_sound(path: Path, connection: sqlite3.Connection, pragma: str) -> None:
    found = " ".join(row[0] for row in connection.execute(f"PRAGMA {pragma}(1)"))
    if found != "ok":
        raise damaged(path, " ".join(found.split()))


def create(path: Path, version: str) -> None:
    """Make an empty journal beside its place and move it there, so that none is ever half made."""
    new = beside(path, ".new")
    for leftover in (new, beside(new, "-journal"), beside(new, "-wal"), beside(new, "-shm")):
        leftover.unlink(missing_ok=True)
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    with closing(connect(new, "rw")) as connection:
        for statement in (
            "PRAGMA synchronous = FULL",
            "BEGIN",
            "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
            *TABLES,
            f"PRAGMA application_id = {APPLICATION_ID}",
            f"PRAGMA user_version = {VERSION}",
        ):
            connection.execute(statement)
        connection.execute("INSERT INTO meta VALUES ('created_by', ?)", [f"migrator {version}"])
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
    new.rename(path)
    _sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make the folder and those above it, each durable in the one above."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def refuse_lone_wal(path: Path) -> None:
    wal = beside(path, "-wal")
    if wal.exists() and wal.stat().st_size:
        raise JournalError(
            f"{path}: gone, but {wal.name} beside it still holds events",
            hint=f"Put {path.name} back. To start anew instead, move {wal.name} away too.",
        )


def _copy(path: Path, folder: Path) -> Path:
    """A copy of database and WAL that no writer changed meanwhile."""
    wal = beside(path, "-wal")
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


def beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
