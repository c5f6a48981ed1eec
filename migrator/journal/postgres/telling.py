"""What is told of a plan that workers carry out: by whom, and every event of all its targets as it comes.

Who tells owns a place beside the plan's targets, under a name that no target has. So it is claimed, fenced
and taken over as a target is, and what was owed and delivered stands in a journal of its own among theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from migrator.domain.image import Image
from migrator.journal.codec import read_event
from migrator.journal.port import NO_IMAGES
from migrator.journal.postgres import store
from migrator.journal.postgres.claim import NOBODY, TELLER, Claim
from migrator.journal.postgres.connection import Connection
from migrator.journal.postgres.handover import ALIVE, images_of
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger

_WORKED_ON = (
    "EXISTS (SELECT FROM migrator.shards o JOIN migrator.processes p ON p.id = o.holder"
    f" WHERE o.plan = plan.id AND o.target <> '{TELLER}' AND {ALIVE})"
)
"""Whether anybody works on a target of the plan."""

_GOES_ON = f"s.waits <> '' AND plan.document IS NOT NULL AND (plan.stopping IS NULL OR {_WORKED_ON})"
"""Whether there is something to tell, or may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """A plan that nobody tells of."""

    plan: str
    revision: int


def untold(connection: Connection) -> list[Untold]:
    """Plans with receivers that nobody tells. Raises psycopg.Error."""
    rows = connection.execute(
        "SELECT plan.name, plan.revision FROM migrator.shards s JOIN migrator.plans plan ON plan.id = s.plan"
        f" WHERE s.target = '{TELLER}' AND {_GOES_ON} AND NOT EXISTS (SELECT FROM migrator.processes p"
        f" WHERE p.id IN (s.holder, plan.holder) AND {ALIVE}) ORDER BY plan.id"
    ).fetchall()
    return [Untold(plan=plan, revision=revision) for plan, revision in rows]


def goes_on(connection: Connection, held: Claim, revision: int) -> bool | None:
    """Whether there is more to tell of this revision of the plan; None where another process tells by now.

    Raises psycopg.Error.
    """
    found = connection.execute(
        f"SELECT plan.revision = %s AND {_GOES_ON} FROM migrator.shards s JOIN migrator.plans plan"
        " ON plan.id = s.plan WHERE s.plan = %s AND s.target = %s AND s.holder = %s AND s.epoch = %s",
        [revision, held.plan, held.target, held.process, held.epoch],
    ).fetchone()
    return None if found is None else bool(found[0])


def told(connection: Connection, held: Claim, revision: int) -> None:
    """Everything was told of this revision of the plan. Raises psycopg.Error."""
    connection.execute(
        "UPDATE migrator.shards SET waits = '' WHERE plan = %s AND target = %s AND holder = %s AND epoch = %s"
        " AND %s = (SELECT revision FROM migrator.plans WHERE id = %s)",
        [held.plan, held.target, held.process, held.epoch, revision, held.plan],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToTell:
    """A plan as it was handed over, for who tells of it."""

    document: str
    revision: int
    images: list[Image]
    begun: frozenset[str]
    """Targets that somebody began with this revision."""


def document_of(connection: Connection, plan: str) -> str | None:
    """A plan that was handed over, without its images. Raises psycopg.Error."""
    row = connection.execute("SELECT document FROM migrator.plans WHERE name = %s", [plan]).fetchone()
    return None if row is None else row[0]


def to_tell(connection: Connection, plan: str) -> ToTell | None:
    """All of a plan that was handed over; None where none was. Raises psycopg.Error."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = connection.execute(
            "SELECT id, document, revision FROM migrator.plans WHERE name = %s AND document IS NOT NULL",
            [plan],
        ).fetchone()
        if row is None:
            return None
        plan_id, document, revision = row
        images = images_of(connection, plan_id, None)
        begun = connection.execute(
            "SELECT target FROM migrator.shards WHERE plan = %s AND revision = %s", [plan_id, revision]
        ).fetchall()
    return ToTell(
        document=document,
        revision=revision,
        images=images,
        begun=frozenset(target for (target,) in begun),
    )


class Tail:
    """Every event of a plan once, each target's in the order in which they were committed.

    Numbers of events grow within a target, whose commits come one after the other; those of another target
    may be seen later and have smaller numbers. So it is counted for each of them how far it was read.
    """

    def __init__(self, name: str, plan: int) -> None:
        self._name = name
        self._plan = plan
        self._counts: dict[str | None, int] = {}
        self._last: dict[str | None, int] = {}
        """By target; None: events about the plan as a whole."""

    def begin(self, connection: Connection, known: Mapping[str, Image] = NO_IMAGES) -> Ledger:
        """Everything so far. Raises JournalError, psycopg.Error."""
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            # Of all targets: a claim on what is only read.
            everything = Claim(plan=self._plan, target=None, process=NOBODY, epoch=0, generation=0)
            ledger = store.read_ledger(connection, self._name, everything)
            ledger.planned = store.read_planned(connection, everything, known)
            rows = connection.execute(
                "SELECT target, max(seq) FROM migrator.events WHERE plan = %s GROUP BY target", [self._plan]
            ).fetchall()
            self._last = {target: int(last) for target, last in rows}
            self._counts = self._counted(connection)
        return ledger

    def more(self, connection: Connection) -> list[Event]:
        """What came since; nothing of what was told. Raises psycopg.Error."""
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            counts = self._counted(connection)
            changed = [
                target
                for target, count in counts.items()
                if count != self._counts.get(target) and target != TELLER
            ]
            if not changed:
                return []
            rows = connection.execute(
                "SELECT seq, target, kind, body FROM migrator.events WHERE plan = %s AND seq > %s"
                " AND (target = ANY(%s) OR target IS NULL) ORDER BY seq",
                [self._plan, min(self._last.get(target, 0) for target in changed), changed],
            ).fetchall()
        found = []
        for seq, target, kind, body in rows:
            if seq > self._last.get(target, 0):
                self._last[target] = seq
                found.append(read_event(kind, body))
        self._counts = counts
        return found

    def _counted(self, connection: Connection) -> dict[str | None, int]:
        rows = connection.execute(
            "SELECT target, appended FROM migrator.shards WHERE plan = %(plan)s"
            " UNION ALL SELECT NULL, appended FROM migrator.plans WHERE id = %(plan)s",
            {"plan": self._plan},
        ).fetchall()
        return dict(rows)
