"""The tables of journals in PostgreSQL: how they are made, and recognised as ours."""

from migrator.domain.errors import JournalError, JournalTooNew
from migrator.journal.postgres.connection import Connection

VERSION = 1
"""Goes up whenever an older program would misread newer tables, or write what a newer one would not."""

_LOCK = 0x4D494752
"""Of the advisory lock under which tables are made: "MIGR"."""

TABLES = f"""
CREATE SCHEMA IF NOT EXISTS migrator;
CREATE TABLE migrator.meta (version int NOT NULL);

-- One row for each life of a process: whether it lives is told by its beats alone.
CREATE TABLE migrator.processes (
    id uuid PRIMARY KEY, name text NOT NULL, host text NOT NULL, pid int NOT NULL, version text NOT NULL,
    machine text NOT NULL, began text NOT NULL, since timestamptz NOT NULL DEFAULT now(),
    beat timestamptz NOT NULL DEFAULT now(), stale float8 NOT NULL, queues text[]
) WITH (fillfactor = 50);

-- `holder` owns the whole plan: one process that imports all of it. Otherwise targets are owned one by one.
CREATE TABLE migrator.plans (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE,
    holder uuid, epoch bigint NOT NULL DEFAULT 0, generation bigint NOT NULL DEFAULT 0,
    appended bigint NOT NULL DEFAULT 0,
    revision int NOT NULL DEFAULT 0, document text, run text, stopping text
) WITH (fillfactor = 50);
CREATE TABLE migrator.shards (
    plan bigint NOT NULL REFERENCES migrator.plans, target text NOT NULL,
    holder uuid, epoch bigint NOT NULL DEFAULT 0, generation bigint NOT NULL DEFAULT 0,
    appended bigint NOT NULL DEFAULT 0,
    revision int NOT NULL DEFAULT 0, queue text NOT NULL DEFAULT '', counts text NOT NULL DEFAULT '{{}}',
    not_before timestamptz, waits text NOT NULL DEFAULT '',
    over_at timestamptz, exit_code int, reason text NOT NULL DEFAULT '',
    PRIMARY KEY (plan, target)
) WITH (fillfactor = 50);
CREATE TABLE migrator.handed (
    plan bigint NOT NULL REFERENCES migrator.plans, target text NOT NULL, chunk int NOT NULL,
    images text NOT NULL, PRIMARY KEY (plan, target, chunk)
);

CREATE TABLE migrator.events (
    seq bigint GENERATED ALWAYS AS IDENTITY, plan bigint NOT NULL, target text,
    at float8 NOT NULL, kind text NOT NULL, key text, body text NOT NULL, PRIMARY KEY (plan, seq)
);
CREATE INDEX events_about_no_image ON migrator.events (plan, seq) WHERE key IS NULL;
CREATE FUNCTION migrator.events_stay() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'events are never changed or deleted'; END $$;
CREATE TRIGGER events_stay BEFORE UPDATE OR DELETE ON migrator.events
    FOR EACH ROW EXECUTE FUNCTION migrator.events_stay();
CREATE TABLE migrator.images (
    position bigint GENERATED ALWAYS AS IDENTITY, plan bigint NOT NULL, key text NOT NULL,
    target text NOT NULL, digest bytea NOT NULL, image text NOT NULL, PRIMARY KEY (plan, key)
);
CREATE TABLE migrator.states (
    plan bigint NOT NULL, key text NOT NULL, phase text NOT NULL, state text NOT NULL,
    PRIMARY KEY (plan, key)
) WITH (fillfactor = 70);
-- So that counting a million images by target is planned for some targets, and not for a million.
CREATE STATISTICS migrator.states_by_target ON (split_part(key, '/', 1)) FROM migrator.states;

INSERT INTO migrator.meta VALUES ({VERSION})
"""


def found(connection: Connection, name: str) -> bool:
    """Whether there are journals in this database, of a version that we can read.

    Raises JournalTooNew, and JournalError for a schema that is not ours.
    """
    there, ours = connection.execute(
        "SELECT to_regnamespace('migrator') IS NOT NULL, to_regclass('migrator.meta') IS NOT NULL"
    ).fetchone() or (False, False)
    if not ours:
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'migrator'").fetchone()
        if there and tables != (0,):
            raise JournalError(
                f"{name}: the schema migrator is there, and is not ours",
                hint="It was left as it is. Name another database.",
            )
        return False
    row = connection.execute("SELECT version FROM migrator.meta").fetchone()
    version = 0 if row is None else row[0]
    if version > VERSION:
        raise JournalTooNew(f"{name}: journals of version {version}; this program knows {VERSION}")
    if version != VERSION:
        raise JournalError(
            f"{name}: journals of version {version} never were",
            hint="Restore the database from a backup, or name another one.",
        )
    return True


def prepare(connection: Connection, name: str) -> None:
    """Make the tables where there are none; processes that meet here wait for each other."""
    if found(connection, name):
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        if not found(connection, name):
            connection.execute(TABLES)


def risks(connection: Connection) -> list[str]:
    """What of this server may lose events that were acknowledged; a sentence each. Raises psycopg.Error."""
    settings = connection.execute(
        "SELECT current_setting('fsync'), current_setting('synchronous_standby_names'),"
        " (SELECT count(*) FROM pg_stat_replication)"
    ).fetchone()
    fsync, synchronous, standbys = settings or ("on", "", 0)
    found = []
    if fsync == "off":
        found.append("the database does not sync to its disk (fsync = off): a power cut loses events")
    if standbys and not synchronous:
        found.append(
            "standbys follow the database without being waited for (synchronous_standby_names is empty): "
            "promoting one may lose events; that is noticed, but not prevented"
        )
    return found
