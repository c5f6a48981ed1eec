"""A journal in PostgreSQL as `status` and `report` read it, whether or not somebody writes it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from migrator.domain import collector
from migrator.domain.errors import JournalMissing
from migrator.domain.image import Image
from migrator.domain.units import Moment
from migrator.journal.codec import read_event, read_image, read_state
from migrator.journal.port import MOST_TROUBLED, NO_IMAGES, Followed, Holder, JournalCounts
from migrator.journal.postgres import schema, store
from migrator.journal.postgres.claim import NOBODY, TELLER, Claim, lives
from migrator.journal.postgres.connection import Connection, Database
from migrator.journal.postgres.errors import damaged, explained
from migrator.journal.postgres.handover import unattended
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger, Planned, fold
from migrator.workflow.plan_facts import Provenance
from migrator.workflow.states import Phase

Answer = TypeVar("Answer")


class PostgresReader:
    """`port.JournalReader`; nothing stays open between two questions."""

    def __init__(self, database: Database, name: str, plan: str) -> None:
        self._database = database
        self._name = name
        self._plan = plan

    async def ledger(self, known: Mapping[str, Image] = NO_IMAGES) -> Ledger:
        """`JournalReader.ledger`."""
        return await asyncio.to_thread(self._snapshot, lambda one, held: self._ledger(one, held, known))

    async def events(self, key: str | None = None) -> Sequence[Event]:
        """`JournalReader.events`."""
        return await asyncio.to_thread(self._snapshot, lambda one, held: store.read_events(one, held, key))

    async def followed(self, before: Followed | None = None) -> Followed:
        """`JournalReader.followed`."""
        return await asyncio.to_thread(self._snapshot, lambda one, held: self._followed(one, held, before))

    async def holder(self) -> Holder | None:
        """`JournalReader.holder`: of the plan, or of its targets."""
        return await asyncio.to_thread(self._holder)

    async def counts(self, above: int, now: Moment) -> JournalCounts | None:
        """`JournalReader.counts`."""
        return await asyncio.to_thread(self._snapshot, lambda one, held: counted(one, held, above, now))

    async def came_from(self) -> Provenance | None:
        """`JournalReader.came_from`."""
        return await asyncio.to_thread(self._snapshot, _came_from)

    async def unattended(self) -> list[str]:
        """`JournalReader.unattended`."""
        return await asyncio.to_thread(self._unattended)

    async def check(self) -> None:
        """`JournalReader.check`."""
        await asyncio.to_thread(self._snapshot, self._check)

    async def exists(self) -> bool:
        """Whether a journal was ever opened here."""
        return await asyncio.to_thread(self._exists)

    def _snapshot(self, question: Callable[[Connection, Claim], Answer]) -> Answer:
        with explained(self._name), self._database.connect() as connection, collector.paused():
            plan = plan_id(connection, self._name, self._plan)
            if plan is None:
                raise JournalMissing(f"{self._name}: nothing has run yet")
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                everything = Claim(plan=plan, target=None, process=NOBODY, epoch=0, generation=0)
                return question(connection, everything)

    def _ledger(self, connection: Connection, held: Claim, known: Mapping[str, Image]) -> Ledger:
        ledger = store.read_ledger(connection, self._name, held)
        ledger.planned = store.read_planned(connection, held, known)
        return ledger

    def _followed(self, connection: Connection, held: Claim, before: Followed | None) -> Followed:
        if before is not None and isinstance(before.mark, Mark) and before.mark.plan == held.plan:
            mark, rows = events_since(connection, before.mark)
            late = any(general and seq <= before.mark.last for seq, general, _, _ in rows)
            total = before.ledger.events + len(rows)
            if not late and total == store.appended(connection, held):
                for _, _, kind, body in rows:
                    before.ledger.apply(read_event(kind, body))
                return Followed(ledger=before.ledger, mark=mark)
        known = {} if before is None else {key: one.image for key, one in before.ledger.planned.items()}
        ledger = self._ledger(connection, held, known)
        return Followed(ledger=ledger, mark=mark_of(connection, held.plan))

    def _exists(self) -> bool:
        with explained(self._name), self._database.connect() as connection:
            return plan_id(connection, self._name, self._plan) is not None

    def _holder(self) -> Holder | None:
        with explained(self._name), self._database.connect() as connection:
            plan = plan_id(connection, self._name, self._plan)
            if plan is None:
                return None
            rows = connection.execute(
                "SELECT holder FROM migrator.plans WHERE id = %(plan)s UNION ALL"
                " SELECT holder FROM migrator.shards WHERE plan = %(plan)s AND target <> %(teller)s",
                {"plan": plan, "teller": TELLER},
            ).fetchall()
            alive = [life for life in lives(connection, {row[0] for row in rows}).values() if life.alive]
        if not alive:
            return None
        first, *others = sorted(alive, key=lambda life: (life.since, life.name))
        return first.holder if not others else Holder(names=tuple(life.holder.name for life in alive))

    def _unattended(self) -> list[str]:
        with explained(self._name), self._database.connect() as connection:
            plan = plan_id(connection, self._name, self._plan)
            return [] if plan is None else unattended(connection, plan)

    def _check(self, connection: Connection, held: Claim) -> None:
        folded, kept = fold(store.read_events(connection, held, None)), self._ledger(connection, held, {})
        for key in folded.states | kept.states:
            planned: tuple[Planned | None, Planned | None] = folded.planned.get(key), kept.planned.get(key)
            if folded.states.get(key) != kept.states.get(key) or planned[0] != planned[1]:
                raise damaged(self._name, f"the events of {key} do not add up to its state")
        if folded.events != kept.events:
            raise damaged(self._name, f"{kept.events} events were written, and {folded.events} are there")
        if _orders(folded) != _orders(kept):
            raise damaged(self._name, "the images are not in the order in which they were planned")


def _came_from(connection: Connection, held: Claim) -> Provenance | None:
    ledger = store.general(connection, held)
    ledger.events = store.appended(connection, held)
    return ledger.came_from


_ENDS = (
    "ImageVerified",
    "MigrationFailed",
    "JobFailed",
    "AttemptRejected",
    "VerificationFailed",
    "ImageSkipped",
)
"""Events with which an image comes to its end."""

_LATEST = 300_000
"""Events among which those of the last hour are looked for."""


def counted(connection: Connection, held: Claim, above: int, now: Moment) -> JournalCounts | None:
    """A plan's images by target and phase, and those that need a look. Raises psycopg.Error."""
    enough = connection.execute(
        "SELECT count(*) FROM (SELECT FROM migrator.images WHERE plan = %s LIMIT %s) AS first",
        [held.plan, above + 1],
    ).fetchone()
    if enough is None or enough[0] <= above:
        return None
    targets: dict[str, dict[Phase, int]] = {}
    for target, phase, count in connection.execute(
        "SELECT split_part(key, '/', 1), phase, count(*) FROM migrator.states WHERE plan = %s GROUP BY 1, 2",
        [held.plan],
    ):
        targets.setdefault(target, {})[Phase(phase)] = count
    for target, count in connection.execute(
        "SELECT target, count(*) FROM migrator.images WHERE plan = %s GROUP BY 1", [held.plan]
    ):
        of_target = targets.setdefault(target, {})
        # One that never began has no row of its own.
        fresh = count - sum(of_target.values())
        of_target[Phase.PENDING] = of_target.get(Phase.PENDING, 0) + fresh
    troubled = connection.execute(
        "SELECT i.image, i.digest, s.state FROM migrator.states s JOIN migrator.images i"
        " ON i.plan = s.plan AND i.key = s.key WHERE s.plan = %s AND s.phase IN ('failed', 'in_doubt')"
        " LIMIT %s",
        [held.plan, MOST_TROUBLED],
    ).fetchall()
    latest = connection.execute(
        "SELECT coalesce(max(seq), 0) FROM migrator.events WHERE plan = %s", [held.plan]
    ).fetchone()
    # Told as a number, it is looked up in the index; as a subquery all events would be read.
    ended = connection.execute(
        "SELECT count(*) FROM migrator.events WHERE plan = %s AND seq > %s AND kind = ANY(%s) AND at > %s",
        [held.plan, (latest[0] if latest else 0) - _LATEST, list(_ENDS), now - 3600],
    ).fetchone()
    return JournalCounts(
        targets=targets,
        runs=store.general(connection, held).runs,
        troubled=[
            (Planned(image=read_image(image), digest=digest.decode()), read_state(state))
            for image, digest, state in troubled
        ],
        last_hour=0 if ended is None else int(ended[0]),
    )


def _orders(ledger: Ledger) -> dict[str, list[str]]:
    """The keys of each target in their order: targets commit side by side, so between them there is none."""
    orders: dict[str, list[str]] = {}
    for key, one in ledger.planned.items():
        orders.setdefault(one.image.target, []).append(key)
    return orders


OVERLAP = 5000
"""Numbers below the last one that are looked at again: targets commit side by side, so an event may appear
after others with higher numbers. One that appears later still is missed by the count, and all is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Which events of a plan are known."""

    plan: int
    last: int
    """The highest number."""

    latest: frozenset[int]
    """Those within the overlap."""


def mark_of(connection: Connection, plan: int) -> Mark:
    """That of all events. Raises psycopg.Error."""
    row = connection.execute(
        "SELECT coalesce(max(seq), 0) FROM migrator.events WHERE plan = %s", [plan]
    ).fetchone()
    last = 0 if row is None else int(row[0])
    rows = connection.execute(
        "SELECT seq FROM migrator.events WHERE plan = %s AND seq > %s", [plan, last - OVERLAP]
    )
    return Mark(plan=plan, last=last, latest=frozenset(seq for (seq,) in rows.fetchall()))


def events_since(connection: Connection, mark: Mark) -> tuple[Mark, list[tuple[int, bool, str, str]]]:
    """(number, whether it is about no image, kind, body) of each event that is not known; and the mark then.

    Raises psycopg.Error.
    """
    rows = [
        row
        for row in connection.execute(
            "SELECT seq, key IS NULL, kind, body FROM migrator.events WHERE plan = %s AND seq > %s"
            " ORDER BY seq",
            [mark.plan, mark.last - OVERLAP],
        ).fetchall()
        if row[0] not in mark.latest
    ]
    last = max(mark.last, rows[-1][0]) if rows else mark.last
    latest = frozenset(seq for seq in (*mark.latest, *(row[0] for row in rows)) if seq > last - OVERLAP)
    return Mark(plan=mark.plan, last=last, latest=latest), rows


def plan_id(connection: Connection, name: str, plan: str) -> int | None:
    """The number of a plan in its database; None where nothing of it has run. Raises JournalError."""
    if not schema.found(connection, name):
        return None
    row = connection.execute("SELECT id FROM migrator.plans WHERE name = %s", [plan]).fetchone()
    return None if row is None else int(row[0])


def plan_marks(database: Database) -> dict[str, str]:
    """For every plan of a database a text that changes whenever something of it did. Raises JournalError."""
    with explained(database.name), database.connect() as connection:
        if not schema.found(connection, database.name):
            return {}
        rows = connection.execute(
            "SELECT p.name, p.generation, p.appended, p.revision, p.stopping,"
            " (SELECT sum(s.generation) FROM migrator.shards s WHERE s.plan = p.id),"
            " (SELECT count(*) FROM migrator.shards s WHERE s.plan = p.id AND s.over_at IS NOT NULL),"
            " (SELECT string_agg(o.name, ' ' ORDER BY o.name) FROM migrator.processes o"
            "  WHERE o.beat > now() - make_interval(secs => o.stale) AND (o.id = p.holder OR o.id IN"
            "   (SELECT s.holder FROM migrator.shards s WHERE s.plan = p.id)))"
            " FROM migrator.plans p ORDER BY p.name"
        ).fetchall()
    return {name: " ".join(map(str, marks)) for name, *marks in rows}
