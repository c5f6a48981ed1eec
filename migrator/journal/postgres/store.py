"""The journal of one owner in PostgreSQL: its rows in and out.

One commit is one statement, and so one transaction: it counts the owner's generation up where everything is
as the owner left it, and writes the rows only then. What became of a commit whose answer was lost is told by
the generation: it is sent again only where it did not happen.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import psycopg

from migrator.domain import collector
from migrator.domain.errors import JournalError, JournalFenced, JournalWentBack
from migrator.domain.image import Image
from migrator.domain.units import Moment
from migrator.journal.codec import (
    image_text,
    read_event,
    read_image,
    read_state,
    state_text,
)
from migrator.journal.postgres.claim import Claim, claim, release
from migrator.journal.postgres.connection import Connection, Database
from migrator.journal.postgres.errors import (
    damaged,
    explained,
    journal_error,
    passing,
)
from migrator.journal.postgres.heartbeat import Heartbeat
from migrator.journal.store import Rows
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger, Planned, fold
from migrator.workflow.states import State

Answer = TypeVar("Answer")

PATIENCE = 120.0
"""Seconds for which a commit waits for a database that is away. Meanwhile nothing is acknowledged, and so
nothing is sent; then the process ends, and what it was told meanwhile is found out anew by the next one."""

_FENCES = {
    "plan": "UPDATE migrator.plans SET generation = generation + 1, appended = appended + %(count)s"
    " WHERE id = %(plan)s",
    "target": "UPDATE migrator.shards SET generation = generation + 1, appended = appended + %(count)s"
    " WHERE plan = %(plan)s AND target = %(target)s",
}

_COMMIT = """
WITH fence AS (
    {fence} AND holder = %(process)s AND epoch = %(epoch)s AND generation = %(generation)s
    RETURNING set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)
), events AS (
    INSERT INTO migrator.events (plan, target, at, kind, key, body)
    SELECT %(plan)s, coalesce(%(target)s, split_part(row.key, '/', 1)), row.at, row.kind, row.key, row.body
    FROM fence, unnest(%(ats)s::float8[], %(kinds)s::text[], %(keys)s::text[], %(bodies)s::text[])
        WITH ORDINALITY AS row (at, kind, key, body, number) ORDER BY row.number
)"""

_IMAGES = """, images AS (
    INSERT INTO migrator.images (plan, key, target, digest, image)
    SELECT %(plan)s, row.key, split_part(row.key, '/', 1), row.digest, row.image
    FROM fence, unnest(%(planned)s::text[], %(digests)s::bytea[], %(images)s::text[])
        WITH ORDINALITY AS row (key, digest, image, number) ORDER BY row.number
    ON CONFLICT (plan, key) DO UPDATE SET digest = excluded.digest, image = excluded.image
)"""

_STATES = """, states AS (
    INSERT INTO migrator.states (plan, key, phase, state)
    SELECT %(plan)s, row.key, row.phase, row.state
    FROM fence, unnest(%(moved)s::text[], %(phases)s::text[], %(states)s::text[]) AS row (key, phase, state)
    ON CONFLICT (plan, key) DO UPDATE SET phase = excluded.phase, state = excluded.state
)"""


class PostgresStore:
    """`journal.store.Store` of one owner; blocking, and for one thread but for `holds`."""

    def __init__(
        self,
        database: Database,
        name: str,
        held: Claim,
        connection: Connection,
        heartbeat: Heartbeat,
        *,
        on_fenced: Callable[[JournalError], None],
        on_close: Callable[[], None],
    ) -> None:
        self._database = database
        self._name = name
        self._held = held
        self._connection: Connection | None = connection
        self._heartbeat = heartbeat
        self._on_fenced = on_fenced
        self._on_close = on_close
        self._generation = held.generation
        self.patience = PATIENCE
        self._fence = _FENCES["plan" if held.target is None else "target"]

    @classmethod
    def open(
        cls,
        database: Database,
        name: str,
        plan: str,
        target: str | None,
        heartbeat: Heartbeat,
        *,
        on_fenced: Callable[[JournalError], None],
        on_close: Callable[[], None],
    ) -> "PostgresStore":
        """Claim a plan, or one target of it. Raises JournalLocked, JournalError."""
        with explained(name):
            connection = database.connect()
            try:
                held = claim(connection, name, plan, target, heartbeat.identity.id)
            except BaseException:
                connection.close()
                raise
        return cls(database, name, held, connection, heartbeat, on_fenced=on_fenced, on_close=on_close)

    @property
    def name(self) -> str:
        """`Store.name`."""
        return self._name

    @property
    def held(self) -> Claim:
        """What this store may write to."""
        return self._held

    def holds(self) -> bool:
        """`Store.holds`: while the last beat is younger than others wait for."""
        return self._heartbeat.holds()

    def load(self) -> Ledger:
        """`Store.load`."""
        return self._asking(lambda connection: read_ledger(connection, self._name, self._held))

    def planned(self, known: Mapping[str, Image]) -> dict[str, Planned]:
        """`Store.planned`."""
        return self._asking(lambda connection: read_planned(connection, self._held, known))

    def events(self, key: str | None) -> Sequence[Event]:
        """`Store.events`."""
        return self._asking(lambda connection: read_events(connection, self._held, key))

    def commit(self, rows: Rows) -> None:
        """`Store.commit`: again and again while the database is away, and never twice."""
        values, query = self._values(rows), self._query(rows)
        until, sent = time.monotonic() + self.patience, False
        while True:
            try:
                connection = self._connected()
                if sent and self._happened(connection):
                    return
                sent = True
                landed = connection.execute(query, values).fetchone()
                if landed == (1,):
                    self._generation += 1
                    return
                self._refuse(connection)
            except psycopg.Error as error:
                self._forget()
                if not passing(error) or time.monotonic() > until:
                    raise journal_error(self._name, error) from error
                time.sleep(0.2)

    def close(self) -> None:
        """`Store.close`: let go of what is owned, so that the next owner need not wait."""
        try:
            with self._connected() as connection:
                release(connection, self._held)
        except psycopg.Error:
            pass  # the next owner waits until this one counts as dead
        finally:
            self._connection = None
            self._on_close()

    def _query(self, rows: Rows) -> str:
        images, states = _IMAGES if rows.images else "", _STATES if rows.states else ""
        # The parts are constants; every value is a parameter.
        return "".join([_COMMIT.format(fence=self._fence), images, states, "SELECT count(*) FROM fence"])

    def _values(self, rows: Rows) -> dict[str, Any]:
        held = self._held
        ats, kinds, keys, bodies = zip(*rows.events, strict=True) if rows.events else ((), (), (), ())
        states = {key: state_text(state) for key, state in rows.states.items()}
        return {
            "plan": held.plan,
            "target": held.target,
            "process": held.process,
            "epoch": held.epoch,
            "generation": self._generation,
            "count": len(ats),
            "ats": [float(at) for at in ats],
            "kinds": list(kinds),
            "keys": list(keys),
            "bodies": list(bodies),
            "planned": list(rows.images),
            "digests": [event.digest.encode() for event in rows.images.values()],
            "images": [image_text(event.image) for event in rows.images.values()],
            "moved": list(states),
            "phases": [state.phase.value for state in rows.states.values()],
            "states": list(states.values()),
        }

    def _connected(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = self._database.connect()
        return self._connection

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _asking(self, question: Callable[[Connection], Answer]) -> Answer:
        with explained(self._name), collector.paused():
            connection = self._connected()
            with connection.transaction():
                return question(connection)

    def _standing(self, connection: Connection) -> tuple[bool, int] | None:
        """Whether this is still the owner, and the generation; None where nothing is known of it."""
        held = self._held
        if held.target is None:
            query, key = "SELECT holder, epoch, generation FROM migrator.plans WHERE id = %s", [held.plan]
        else:
            query = "SELECT holder, epoch, generation FROM migrator.shards WHERE plan = %s AND target = %s"
            key = [held.plan, held.target]  # type: ignore[list-item]
        row = connection.execute(query, key).fetchone()
        if row is None:
            return None
        return (row[0], row[1]) == (held.process, held.epoch), row[2]

    def _happened(self, connection: Connection) -> bool:
        """Whether the commit whose answer was lost was made after all."""
        found = self._standing(connection)
        if found is not None and found == (True, self._generation + 1):
            self._generation += 1
            return True
        return False

    def _refuse(self, connection: Connection) -> None:
        """Say why nothing was written: somebody else owns this, or the database went back in time."""
        found = self._standing(connection)
        error: JournalError
        if found is None or found[1] < self._generation:
            kept = 0 if found is None else found[1]
            error = JournalWentBack(
                f"{self._name}: the database holds {kept} commits of this journal, and acknowledged "
                f"{self._generation}: {self._generation - kept} are missing"
            )
        elif not found[0]:
            error = JournalFenced(f"{self._name}: another process has taken this over")
        else:
            error = damaged(
                self._name, f"commit {found[1]} is there, which this process, its only owner, never made"
            )
        if isinstance(error, JournalFenced):
            self._on_fenced(error)
        raise error


# --- Reading --------------------------------------------------------------------------------------------

_AT_ONCE = 2000


def read_ledger(connection: Connection, name: str, held: Claim) -> Ledger:
    """Everything that was committed about a plan, or one target of it, folded, but for `planned`."""
    ledger = general(connection, held)
    states: dict[str, State] = {}
    with connection.cursor(name="states") as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(
            "SELECT i.key, s.state FROM migrator.images i"
            " LEFT JOIN migrator.states s ON s.plan = i.plan AND s.key = i.key"
            " WHERE i.plan = %(plan)s AND (%(target)s::text IS NULL OR i.target = %(target)s)"
            " ORDER BY i.position",
            {"plan": held.plan, "target": held.target},
        )
        for key, text in cursor:
            states[key] = State(key=key) if text is None else read_state(text)
    ledger.states = states
    ledger.planned = {}
    ledger.events = appended(connection, held)
    ledger.last_at = last_at(connection, held)
    return ledger


def general(connection: Connection, held: Claim) -> Ledger:
    """A ledger of what is not about one image: runs, and what was learned."""
    rows = connection.execute(
        "SELECT kind, body FROM migrator.events WHERE plan = %(plan)s AND key IS NULL"
        " AND (%(target)s::text IS NULL OR target IS NULL OR target = %(target)s) ORDER BY seq",
        {"plan": held.plan, "target": held.target},
    ).fetchall()
    return fold(read_event(kind, body) for kind, body in rows)


def last_at(connection: Connection, held: Claim) -> Moment | None:
    """When the last event happened of a plan, or of one target of it; None without any."""
    row = connection.execute(
        "SELECT at FROM migrator.events WHERE plan = %(plan)s"
        " AND (%(target)s::text IS NULL OR target IS NULL OR target = %(target)s) ORDER BY seq DESC LIMIT 1",
        {"plan": held.plan, "target": held.target},
    ).fetchone()
    return None if row is None else float(row[0])


def appended(connection: Connection, held: Claim) -> int:
    """How many events there are of a plan, or of one target of it."""
    row = connection.execute(
        "SELECT (SELECT appended FROM migrator.plans WHERE id = %(plan)s)"
        " + coalesce((SELECT sum(appended) FROM migrator.shards WHERE plan = %(plan)s), 0)",
        {"plan": held.plan},
    ).fetchone()
    return 0 if row is None or row[0] is None else int(row[0])


def read_planned(connection: Connection, held: Claim, known: Mapping[str, Image]) -> dict[str, Planned]:
    """Every image as last planned, in the order first seen; those that equal a known one are that one."""
    planned: dict[str, Planned] = {}
    with connection.cursor(name="images") as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(
            "SELECT key, digest, image FROM migrator.images"
            " WHERE plan = %(plan)s AND (%(target)s::text IS NULL OR target = %(target)s) ORDER BY position",
            {"plan": held.plan, "target": held.target},
        )
        for key, digest, text in cursor:
            planned[key] = Planned(image=read_image(text, known.get(key)), digest=digest.decode())
    return planned


def read_events(connection: Connection, held: Claim, key: str | None) -> list[Event]:
    """Every event, or those of one image, oldest first."""
    with connection.cursor(name="events") as cursor:
        cursor.itersize = _AT_ONCE
        cursor.execute(
            "SELECT kind, body FROM migrator.events WHERE plan = %(plan)s"
            " AND (%(target)s::text IS NULL OR target IS NULL OR target = %(target)s)"
            " AND (%(key)s::text IS NULL OR key = %(key)s) ORDER BY seq",
            {"plan": held.plan, "target": held.target, "key": key},
        )
        return [read_event(kind, body) for kind, body in cursor]
