"""What SQLite, the disk and the codec raise, as a JournalError that says where, what, and what now."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from migrator.domain.errors import JournalError
from migrator.workflow.transitions import ImpossibleTransition


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
        raise _journal_error(path, error) from error
    except OSError as error:
        raise JournalError(
            f"{error.filename or path}: {error.strerror or error}",
            hint="Check the folder, its permissions and the disk, then run again; what was acknowledged is"
            " kept.",
        ) from error
    except (ValueError, KeyError, ImpossibleTransition) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error


@contextmanager
def read_as_written(path: Path) -> Iterator[None]:
    """The same for rows that are read: a damaged one may hold a number where a text was written."""
    with explained(path):
        try:
            yield
        except (TypeError, AttributeError) as error:
            raise damaged(path, f"{type(error).__name__}: {error}") from error


def _journal_error(path: Path, error: sqlite3.Error) -> JournalError:
    name = getattr(error, "sqlite_errorname", type(error).__name__)
    detail = f"{error} ({name})"
    kept = "what was acknowledged is kept."
    match primary_code(error):
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


def primary_code(error: sqlite3.Error) -> int:
    """The primary result code (sqlite.org, "Result and Error Codes"); 0 for errors of the Python module."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
