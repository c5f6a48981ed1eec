"""What PostgreSQL and libpq say, as a JournalError that says where, what, and what now."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors

from migrator.domain.errors import JournalError
from migrator.domain.secrets import SECRETS
from migrator.workflow.transitions import ImpossibleTransition

KEPT = "what was acknowledged is kept."


def damaged(name: str, what: str) -> JournalError:
    return JournalError(
        f"{name}: the journal is damaged: {what}",
        hint="Nothing was changed. Restore the database from a backup; images that the cloud has already are "
        "found by their marker and adopted, not imported again.",
    )


def passing(error: psycopg.Error) -> bool:
    """Whether trying again in a while may help: no connection, a restart, a failover under way."""
    if isinstance(error, (errors.DiskFull, errors.InsufficientPrivilege)):
        return False
    return isinstance(
        error,
        (
            psycopg.OperationalError,
            errors.ReadOnlySqlTransaction,
            errors.SerializationFailure,
            errors.DeadlockDetected,
        ),
    )


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what PostgreSQL and the codec raise into a JournalError that names the place."""
    try:
        yield
    except psycopg.Error as error:
        raise journal_error(name, error) from error
    except (ValueError, KeyError, TypeError, AttributeError, ImpossibleTransition) as error:
        raise damaged(name, f"{type(error).__name__}: {error}") from error


def journal_error(name: str, error: psycopg.Error) -> JournalError:
    """What `error` means for people."""
    said = " ".join(SECRETS.masked(str(error)).split()) or type(error).__name__
    match error:
        case psycopg.OperationalError() if error.sqlstate is None and "does not exist" in said:
            # What keeps a connection from being made comes without a code (libpq), in the server's language.
            return JournalError(
                f"{name}: there is no such database or user: {said}",
                hint="Correct the name in the address; or create it: createdb NAME, createuser NAME.",
            )
        case psycopg.OperationalError() if error.sqlstate is None and (
            "authentication failed" in said or "no password supplied" in said or "pg_hba.conf" in said
        ):
            return JournalError(
                f"{name}: the database does not let this user in: {said}",
                hint="Check the user, the password in ~/.pgpass (PGPASSFILE) or the service file, and what "
                "pg_hba.conf of the server admits.",
            )
        case errors.DiskFull() | errors.ProgramLimitExceeded():
            return JournalError(
                f"{name}: no room left to write the journal: {said}",
                hint=f"Make room for the database, then run again; {KEPT}",
            )
        case errors.InsufficientPrivilege():
            return JournalError(
                f"{name}: this user may not do that: {said}",
                hint="The user needs CREATE on the database the first time, and afterwards ALL on the schema "
                "migrator and what is in it; see docs/scale-out.md.",
            )
        case errors.ReadOnlySqlTransaction():
            return JournalError(
                f"{name}: the database takes no writes: {said}",
                hint="This is a standby, or was made read-only: name the primary "
                f"(target_session_attrs=read-write finds it among several hosts), then run again; {KEPT}",
            )
        case psycopg.OperationalError():
            return JournalError(
                f"{name}: the database cannot be reached: {said}",
                hint=f"Check address, network and server, then run again; {KEPT}",
            )
        case _:
            return JournalError(
                f"{name}: the journal cannot be read or written: {said}",
                hint=f"Look into the log of the database, then run again; {KEPT}",
            )
