"""Who owns a plan, or one target of it: one process at a time.

A claim counts the epoch up, in the same transaction that writes the new owner down. Whatever an owner writes
asks for its own epoch, so that nothing of an earlier owner lands after a claim.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from migrator.domain.errors import JournalLocked
from migrator.journal.port import Holder
from migrator.journal.postgres.connection import Connection
from migrator.journal.postgres.heartbeat import began, machine

TELLER = ""
"""The name under which somebody owns that the receivers of a plan are told; no target is called so."""

NOBODY = UUID(int=0)
"""The process of a claim that only reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one process owns: a whole plan, or one target."""

    plan: int
    target: str | None
    """None: all of it."""

    process: UUID
    epoch: int
    generation: int
    """Commits that were ever made by owners of it; each commit counts it up."""


_LIFE = """
SELECT id, name, host, pid, version, machine, began, since,
       extract(epoch FROM now() - beat)::float8 AS quiet, stale
FROM migrator.processes WHERE id = ANY(%s)
"""


@dataclass(frozen=True, slots=True)
class Life:
    """What is known of the process behind an owner."""

    id: UUID
    name: str
    host: str
    pid: int
    version: str
    machine: str
    began: str
    since: datetime
    quiet: float
    """Seconds since its last beat, by the clock of the database."""

    stale: float

    @property
    def alive(self) -> bool:
        """Whether it may still be at work: it beat lately, and is not known to be dead."""
        return self.quiet < self.stale and not self._died_here()

    def _died_here(self) -> bool:
        """Dead without doubt: it ran on this machine, and does no longer."""
        return bool(self.machine) and self.machine == machine() and began(self.pid) != self.began

    @property
    def holder(self) -> Holder:
        """As messages tell it."""
        return Holder(
            pid=self.pid,
            host=self.host,
            since=self.since.astimezone(UTC).isoformat(timespec="seconds"),
            version=self.version,
            name=self.name,
        )


def lives(connection: Connection, ids: set[UUID | None]) -> dict[UUID, Life]:
    """What is known of these processes; nothing of one that went away in good order."""
    asked = [one for one in ids if one is not None]
    if not asked:
        return {}
    rows = connection.execute(_LIFE, [asked]).fetchall()
    return {row[0]: Life(*row) for row in rows}


def claim(connection: Connection, name: str, plan: str, target: str | None, process: UUID) -> Claim:
    """Take a plan, or one target of it, from nobody or from a process that is dead.

    Raises JournalLocked, with who owns it; psycopg.Error.
    """
    with connection.transaction():
        connection.execute(
            "INSERT INTO migrator.plans (name) VALUES (%s) ON CONFLICT (name) DO NOTHING", [plan]
        )
        plan_id, holder = _one(
            connection, "SELECT id, holder FROM migrator.plans WHERE name = %s FOR UPDATE", [plan]
        )
        _expect_free(connection, name, {holder})
        if target is None:
            # Who tells of a run that is over is in nobody's way: it is fenced, and the new owner tells.
            owners = connection.execute(
                "SELECT holder FROM migrator.shards WHERE plan = %s AND target <> %s", [plan_id, TELLER]
            )
            _expect_free(connection, name, {owner for (owner,) in owners.fetchall()})
            connection.execute(
                "UPDATE migrator.shards SET holder = NULL, epoch = epoch + 1 WHERE plan = %s", [plan_id]
            )
            epoch, generation = _one(
                connection,
                "UPDATE migrator.plans SET holder = %s, epoch = epoch + 1 WHERE id = %s"
                " RETURNING epoch, generation",
                [process, plan_id],
            )
        else:
            if holder is not None:
                connection.execute(
                    "UPDATE migrator.plans SET holder = NULL, epoch = epoch + 1 WHERE id = %s", [plan_id]
                )
            connection.execute(
                "INSERT INTO migrator.shards (plan, target) VALUES (%s, %s) ON CONFLICT DO NOTHING",
                [plan_id, target],
            )
            shard = [plan_id, target]
            (owner,) = _one(
                connection,
                "SELECT holder FROM migrator.shards WHERE plan = %s AND target = %s FOR UPDATE",
                shard,
            )
            _expect_free(connection, name, {owner})
            epoch, generation = _one(
                connection,
                "UPDATE migrator.shards SET holder = %s, epoch = epoch + 1"
                " WHERE plan = %s AND target = %s RETURNING epoch, generation",
                [process, *shard],
            )
    return Claim(plan=plan_id, target=target, process=process, epoch=epoch, generation=generation)


def release(connection: Connection, held: Claim) -> None:
    """Let go of it, if it is still ours. Raises psycopg.Error."""
    table, key = ("plans", "id") if held.target is None else ("shards", "plan")
    of_target = "" if held.target is None else " AND target = %(target)s"
    connection.execute(
        f"UPDATE migrator.{table} SET holder = NULL WHERE {key} = %(plan)s{of_target}"
        " AND holder = %(process)s AND epoch = %(epoch)s",
        {"plan": held.plan, "target": held.target, "process": held.process, "epoch": held.epoch},
    )


def _expect_free(connection: Connection, name: str, owners: set[UUID | None]) -> None:
    for life in lives(connection, owners).values():
        if life.alive:
            raise JournalLocked(
                f"{name}: the journal is held by {life.holder}",
                hint="Wait for that run to end, or stop it: `migrator stop PLAN`. If its machine is gone, "
                f"run again in {max(life.stale - life.quiet, 0.0):.0f} s: then it counts as dead "
                "(`migrator status PLAN` may be used meanwhile).",
            )


def _one(connection: Connection, query: str, values: list[Any]) -> tuple[Any, ...]:
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return row
