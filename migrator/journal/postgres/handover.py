"""Plans that were handed to workers, and how far each of their targets has come.

A plan is data here: its tables as one document, its images target by target, and no secret. Which targets
are finished stands in our own table; the queue only hands them out, and may be emptied at any time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from msgspec.json import decode

from migrator.domain.errors import JournalError, JournalLocked
from migrator.domain.image import Image
from migrator.domain.units import Moment
from migrator.journal.codec import event_text, images_text
from migrator.journal.postgres.claim import TELLER, Claim, lives
from migrator.journal.postgres.connection import Connection
from migrator.journal.postgres.heartbeat import CHANNEL
from migrator.workflow.events import Event, RunBegan, RunEnded
from migrator.workflow.target_counts import TargetCounts, WaveCount

CHUNK = 1000
"""Images in one row of a plan that was handed over."""

ALIVE = "p.beat > now() - make_interval(secs => p.stale)"
"""Whether the process p lives, as far as its beats tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """A plan for workers."""

    document: str
    """The plan without its images, and how it is to be run; JSON."""

    queues: Mapping[str, str]
    """By target: which credentials a worker needs for it."""

    images: Mapping[str, list[Image]]
    """By target, in the plan's order."""

    waves: Mapping[str, Mapping[str, WaveCount]]
    """By target and wave: how many images there are."""

    tells: bool = False
    """Whether the plan has receivers, whom one of the workers is to tell."""


def hand_over(connection: Connection, name: str, plan: str, given: HandOver, began: RunBegan) -> int:
    """Give a plan to the workers, new or in place of what they had of it; its revision.

    Raises JournalLocked while one process runs all of it, JournalError, psycopg.Error.
    """
    with connection.transaction():
        connection.execute(
            "INSERT INTO migrator.plans (name) VALUES (%s) ON CONFLICT (name) DO NOTHING", [plan]
        )
        plan_id, holder, run = _row(
            connection, "SELECT id, holder, run FROM migrator.plans WHERE name = %s FOR UPDATE", [plan]
        )
        for life in lives(connection, {holder}).values():
            if life.alive:
                raise JournalLocked(
                    f"{name}: the journal is held by {life.holder}, which runs all of the plan",
                    hint="Stop that run first (Ctrl-C, or `migrator stop PLAN`); then hand the plan over.",
                )
        if run is not None:
            _note(connection, plan_id, _replaced(run, began.at))
        _note(connection, plan_id, began)
        connection.execute("DELETE FROM migrator.handed WHERE plan = %s", [plan_id])
        _copy(connection, plan_id, given.images)
        (revision,) = _row(
            connection,
            "UPDATE migrator.plans SET revision = revision + 1, document = %s, run = %s, stopping = NULL,"
            " holder = NULL, epoch = epoch + CASE WHEN holder IS NULL THEN 0 ELSE 1 END"
            " WHERE id = %s RETURNING revision",
            [given.document, began.run, plan_id],
        )
        for target, queue in given.queues.items():
            counts = TargetCounts(waves=dict(given.waves.get(target, {}))).text()
            connection.execute(
                "INSERT INTO migrator.shards (plan, target, queue, counts) VALUES (%s, %s, %s, %s)"
                " ON CONFLICT (plan, target) DO UPDATE SET queue = excluded.queue, counts = excluded.counts,"
                " over_at = NULL, exit_code = NULL, reason = '', not_before = NULL, waits = ''",
                [plan_id, target, queue, counts],
            )
        connection.execute(
            "UPDATE migrator.shards SET over_at = now(), reason = 'the plan no longer has this target',"
            " counts = '{}' WHERE plan = %s AND NOT target = ANY(%s) AND target <> %s",
            [plan_id, list(given.queues), TELLER],
        )
        connection.execute(
            "UPDATE migrator.shards SET waits = '' WHERE plan = %s AND target = %s", [plan_id, TELLER]
        )
        if given.tells:
            # Over from the beginning: there is nothing to import for it, and no run waits for its end.
            connection.execute(
                "INSERT INTO migrator.shards (plan, target, over_at, waits) VALUES (%s, %s, now(), 'tells')"
                " ON CONFLICT (plan, target) DO UPDATE SET waits = excluded.waits",
                [plan_id, TELLER],
            )
        connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, plan])
    return int(revision)


def _replaced(run: str, at: Moment) -> RunEnded:
    return RunEnded(at=at, run=run, reason="the plan was handed over again", exit_code=7)


def _note(connection: Connection, plan_id: int, event: Event) -> None:
    """An event about no image, of a plan whose row is locked."""
    kept, text = event_text(event)
    connection.execute(
        "INSERT INTO migrator.events (plan, at, kind, body) VALUES (%s, %s, %s, %s)",
        [plan_id, float(kept.at), type(kept).__name__, text],
    )
    connection.execute("UPDATE migrator.plans SET appended = appended + 1 WHERE id = %s", [plan_id])


def _copy(connection: Connection, plan_id: int, images: Mapping[str, list[Image]]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY migrator.handed (plan, target, chunk, images) FROM STDIN") as copy,
    ):
        for target, of_target in images.items():
            for number, some in enumerate(_chunks(of_target)):
                copy.write_row((plan_id, target, number, images_text(some)))


def _chunks(images: Iterable[Image]) -> Iterable[list[Image]]:
    rest = iter(images)
    while some := list(islice(rest, CHUNK)):
        yield some


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What a worker needs for one target of a plan."""

    document: str
    revision: int
    began: bool
    """Whether somebody began with this revision of it already."""

    images: list[Image]
    counts: TargetCounts
    """As the last owner left them."""

    others: list[TargetCounts]
    """Of the plan's other targets."""


def handed(connection: Connection, plan: str, target: str) -> Handed | None:
    """One target of a plan that is to be worked on; None where nothing is. Raises psycopg.Error."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        row = connection.execute(
            "SELECT p.id, p.document, p.revision, s.revision, s.counts FROM migrator.plans p"
            " JOIN migrator.shards s ON s.plan = p.id WHERE p.name = %s AND s.target = %s"
            " AND p.document IS NOT NULL AND p.stopping IS NULL AND s.over_at IS NULL",
            [plan, target],
        ).fetchone()
        if row is None:
            return None
        plan_id, document, revision, begun, counts = row
        images = images_of(connection, plan_id, target)
        others = connection.execute(
            "SELECT counts FROM migrator.shards WHERE plan = %s AND target <> %s", [plan_id, target]
        ).fetchall()
    return Handed(
        document=document,
        revision=revision,
        began=begun == revision,
        images=images,
        counts=TargetCounts.read(counts),
        others=[TargetCounts.read(text) for (text,) in others],
    )


def images_of(connection: Connection, plan_id: int, target: str | None) -> list[Image]:
    """Those of one target that were handed over, or of all of them. Raises psycopg.Error."""
    images: list[Image] = []
    for (text,) in connection.execute(
        "SELECT images FROM migrator.handed WHERE plan = %(plan)s"
        " AND (%(target)s::text IS NULL OR target = %(target)s) ORDER BY target, chunk",
        {"plan": plan_id, "target": target},
    ):
        images += decode(text, type=list[Image])
    return images


def strangers(connection: Connection, plan: str, keys: list[str]) -> tuple[int, str] | None:
    """How many images the journal of a plan holds, and one of them, where `keys` names none of them.

    Raises psycopg.Error.
    """
    row = connection.execute(
        "SELECT count(*), min(i.key), bool_or(i.key = ANY(%s)) FROM migrator.images i"
        " JOIN migrator.plans p ON p.id = i.plan LEFT JOIN migrator.states s"
        " ON s.plan = i.plan AND s.key = i.key"
        " WHERE p.name = %s AND coalesce(s.phase, '') <> 'cancelled'",
        [keys, plan],
    ).fetchone()
    return None if row is None or row[0] == 0 or row[2] or not keys else (row[0], row[1])


# --- While it is worked on ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What everybody who works on a plan goes by."""

    revision: int
    stopping: str | None
    counts: Mapping[str, TargetCounts]
    """By target."""

    owners: Mapping[str, tuple[UUID | None, int]]
    """By target: the process that owns it, and the epoch."""


def standings(connection: Connection, plans: Iterable[int]) -> dict[int, Standing]:
    """How these plans stand, by number. Raises psycopg.Error."""
    rows = connection.execute(
        "SELECT p.id, p.revision, p.stopping, s.target, s.counts, s.holder, s.epoch FROM migrator.plans p"
        " LEFT JOIN migrator.shards s ON s.plan = p.id WHERE p.id = ANY(%s)",
        [list(plans)],
    ).fetchall()
    counts: dict[int, dict[str, TargetCounts]] = {}
    owners: dict[int, dict[str, tuple[UUID | None, int]]] = {}
    said: dict[int, tuple[int, str | None]] = {}
    for plan, revision, stopping, target, text, holder, epoch in rows:
        said[plan] = revision, stopping
        of_plan, owned = counts.setdefault(plan, {}), owners.setdefault(plan, {})
        if target is not None:
            of_plan[target], owned[target] = TargetCounts.read(text), (holder, epoch)
    return {
        plan: Standing(revision=revision, stopping=stopping, counts=counts[plan], owners=owners[plan])
        for plan, (revision, stopping) in said.items()
    }


_MINE = " WHERE plan = %s AND target = %s AND holder = %s AND epoch = %s"


def _key(held: Claim) -> list[Any]:
    return [held.plan, held.target, held.process, held.epoch]


def publish(connection: Connection, held: Claim, counts: TargetCounts) -> None:
    """Tell the others how far this target has come, if it is still ours."""
    connection.execute(f"UPDATE migrator.shards SET counts = %s{_MINE}", [counts.text(), *_key(held)])


def begun(connection: Connection, held: Claim, revision: int) -> None:
    """This revision of the target was begun: what it asks for only once was done."""
    connection.execute(f"UPDATE migrator.shards SET revision = %s{_MINE}", [revision, *_key(held)])


def postpone(connection: Connection, held: Claim, waits: str, seconds: float) -> None:
    """Let nobody take this target for a while; `waits` says why."""
    connection.execute(
        "UPDATE migrator.shards SET not_before = now() + make_interval(secs => %s), waits = %s" + _MINE,
        [seconds, waits, *_key(held)],
    )


def finish(
    connection: Connection, held: Claim, revision: int, at: Moment, *, reason: str, exit_code: int
) -> RunEnded | None:
    """This target is over; with the last of them the run is, and how that ended is recorded and returned.

    Nothing, where the plan was handed over anew meanwhile, or the target belongs to somebody else by now.
    Raises psycopg.Error.
    """
    with connection.transaction():
        now, run = _row(
            connection, "SELECT revision, run FROM migrator.plans WHERE id = %s FOR UPDATE", [held.plan]
        )
        if now != revision:
            return None
        done = connection.execute(
            "UPDATE migrator.shards SET over_at = now(), exit_code = %s, reason = %s, waits = '',"
            f" not_before = NULL{_MINE}",
            [exit_code, reason, *_key(held)],
        )
        left = _row(
            connection,
            "SELECT count(*) FROM migrator.shards WHERE plan = %s AND over_at IS NULL",
            [held.plan],
        )
        if done.rowcount == 0 or left != (0,) or run is None:
            return None
        ends = connection.execute(
            "SELECT target, exit_code, reason FROM migrator.shards"
            " WHERE plan = %s AND exit_code IS NOT NULL ORDER BY target",
            [held.plan],
        ).fetchall()
        ended = _ended(run, at, ends)
        _note(connection, held.plan, ended)
        connection.execute("UPDATE migrator.plans SET run = NULL WHERE id = %s", [held.plan])
        connection.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    return ended


_WORST = (6, 4, 7, 5, 3)
"""Exit codes, the most urgent first."""


def _ended(run: str, at: Moment, ends: list[tuple[str, int, str]]) -> RunEnded:
    """How a run ended whose targets ended so: what is the same of all is said once."""
    code = next((code for code in _WORST if any(end[1] == code for end in ends)), 0)
    of_code = [(target, reason) for target, found, reason in ends if found == code]
    reasons = {reason for _, reason in of_code}
    if len(reasons) == 1 and len(of_code) == len(ends):
        said = reasons.pop()
    else:
        said = "; ".join(f"{target}: {reason}" for target, reason in of_code[:3])
        said += f"; and {len(of_code) - 3} more targets" if len(of_code) > 3 else ""
    return RunEnded(at=at, run=run, reason=said, exit_code=code)


# --- Handing out ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A target that nobody works on, though there is something to do."""

    plan: str
    target: str
    queue: str


def due(connection: Connection) -> list[Due]:
    """Every target that may be handed out now. Raises psycopg.Error."""
    rows = connection.execute(
        "SELECT plan.name, s.target, s.queue FROM migrator.shards s JOIN migrator.plans plan"
        " ON plan.id = s.plan WHERE plan.document IS NOT NULL AND plan.stopping IS NULL"
        " AND s.over_at IS NULL AND (s.not_before IS NULL OR s.not_before <= now())"
        " AND NOT EXISTS (SELECT FROM migrator.processes p"
        f" WHERE p.id IN (s.holder, plan.holder) AND {ALIVE}) ORDER BY plan.id, s.target"
    ).fetchall()
    return [Due(plan=plan, target=target, queue=queue) for plan, target, queue in rows]


def queues(connection: Connection) -> list[str]:
    """Which credentials there is work for. Raises psycopg.Error."""
    rows = connection.execute(
        "SELECT DISTINCT s.queue FROM migrator.shards s JOIN migrator.plans p ON p.id = s.plan"
        " WHERE s.over_at IS NULL AND p.document IS NOT NULL ORDER BY 1"
    )
    return [queue for (queue,) in rows.fetchall() if queue]


def stop(connection: Connection, name: str, plan: str, why: str) -> bool:
    """Ask everybody who works on a plan to submit nothing more; whether anybody was there to be asked.

    Raises JournalError for a plan that is not there, psycopg.Error.
    """
    with connection.transaction():
        row = connection.execute(
            "UPDATE migrator.plans SET stopping = %s WHERE name = %s RETURNING id, holder", [why, plan]
        ).fetchone()
        if row is None:
            raise JournalError(f"{name}: nothing has run yet", hint="Nothing is to be stopped.")
        owners = connection.execute(
            "SELECT holder FROM migrator.shards WHERE plan = %s AND target <> %s", [row[0], TELLER]
        ).fetchall()
        alive = lives(connection, {row[1], *(owner for (owner,) in owners)}).values()
        connection.execute("SELECT pg_notify(%s, %s)", [CHANNEL, plan])
    return any(life.alive for life in alive)


# --- For people -----------------------------------------------------------------------------------------


def unattended(connection: Connection, plan_id: int) -> list[str]:
    """What nobody works on, and why: one sentence for each reason. Raises psycopg.Error."""
    rows = connection.execute(
        "SELECT s.target, s.queue, s.waits, s.not_before, plan.stopping FROM migrator.shards s"
        " JOIN migrator.plans plan ON plan.id = s.plan"
        " WHERE s.plan = %s AND s.over_at IS NULL AND plan.document IS NOT NULL AND NOT EXISTS"
        f" (SELECT FROM migrator.processes p WHERE p.id IN (s.holder, plan.holder) AND {ALIVE})"
        " ORDER BY s.target",
        [plan_id],
    ).fetchall()
    workers = connection.execute(
        f"SELECT p.name, p.queues FROM migrator.processes p WHERE p.queues IS NOT NULL AND {ALIVE}"
    ).fetchall()
    served = {queue for _, has in workers for queue in has}
    by_reason: dict[str, list[str]] = {}
    for target, queue, waits, not_before, stopping in rows:
        reason = _why(queue, waits, not_before, stopping, served, bool(workers))
        by_reason.setdefault(reason, []).append(target)
    said = [f"{_named(targets)}: {reason}" for reason, targets in by_reason.items()]
    return said + ([_UNTOLD] if workers and _untold(connection, plan_id) else [])


_UNTOLD = "nobody is told: no worker has all that the receivers of [[notify]] need; start one that has"


def _untold(connection: Connection, plan_id: int) -> bool:
    """Whether receivers of a plan are to be told, and nobody does that."""
    found = connection.execute(
        "SELECT FROM migrator.shards s JOIN migrator.plans plan ON plan.id = s.plan WHERE s.plan = %s"
        " AND s.target = %s AND s.waits <> '' AND plan.stopping IS NULL AND NOT EXISTS"
        f" (SELECT FROM migrator.processes p WHERE p.id IN (s.holder, plan.holder) AND {ALIVE})",
        [plan_id, TELLER],
    ).fetchone()
    return found is not None


def _why(
    queue: str, waits: str, not_before: datetime | None, stopping: str | None, served: set[str], any_: bool
) -> str:
    if stopping is not None:
        return f"stopped ({stopping}); `migrator run PLAN --detach` goes on"
    if waits and not_before is not None:
        return waits
    if not any_:
        return "no worker is there: start one with `migrator worker`"
    if queue not in served:
        return f"no worker has its credentials ({queue}): start one where they are"
    return "waits for a worker that has room for one more"


def _named(targets: list[str]) -> str:
    shown = ", ".join(targets[:3]) + (f" and {len(targets) - 3} more" if len(targets) > 3 else "")
    return f"target {shown}" if len(targets) == 1 else f"targets {shown}"


def _row(connection: Connection, query: str, values: list[Any]) -> tuple[Any, ...]:
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return row
