"""The life sign of this process, and the lease that it gives.

The database judges by its own clock whether a process lives: by the beats that it received. This process
judges by its own, counted from before a beat was sent, and gives up earlier than others may take over. The
clock goes on while a machine is suspended (clock_gettime(2), CLOCK_BOOTTIME).

An owner is one life of a process, not a name: a worker that is started again under its old name must not keep
alive what it owned before.
"""

import os
import select
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

from migrator.journal.postgres import schema
from migrator.journal.postgres.connection import Connection, Database

BEAT, STALE = 5.0, 30.0
"""Seconds between two beats, and after the last of them until a process counts as dead."""

SURE = 0.8
"""Which part of `STALE` a process trusts its last beat."""

Elapsed = Callable[[], float]
"""Seconds that only grow, also while the machine is suspended."""

CHANNEL = "migrator"
"""On which a database is told that a plan was stopped, or handed over anew."""


def machine() -> str:
    """What tells this machine, since it was started, from every other; containers of one are machines of
    their own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def began(pid: int) -> str | None:
    """When a process of this machine began, in ticks since the start of it; None where there is none.

    (proc(5), /proc/PID/stat, field 22; the name in field 2 may hold spaces and parentheses.)
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else fields[19]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One life of a process."""

    name: str
    """For people."""

    version: str
    id: UUID = field(default_factory=uuid4)
    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)


Pulse = Callable[[Connection], None]
"""Done after each beat, on its connection; in the heartbeat's thread."""


class Heartbeat:
    """Beats in a thread of its own, so that a busy loop does not look dead."""

    def __init__(
        self,
        database: Database,
        identity: Identity,
        elapsed: Elapsed,
        *,
        stale: float = STALE,
        queues: Callable[[], list[str] | None] = lambda: None,
    ) -> None:
        """`queues` are what a worker takes targets from."""
        self.database = database
        self.identity = identity
        self.stale = stale
        self.beats = 0
        self.failures = 0
        """Beats in a row that did not arrive."""

        self._elapsed = elapsed
        self._queues = queues
        self._until = -inf
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._pulses: list[Pulse] = []

    def holds(self) -> bool:
        """Whether this process certainly counts as alive; any thread may ask."""
        return self._elapsed() < self._until

    def start(self, connection: Connection) -> None:
        """Register this process, and begin to beat. Raises psycopg.Error."""
        sent, who = self._elapsed(), self.identity
        connection.execute(
            "INSERT INTO migrator.processes (id, name, host, pid, version, machine, began, stale, queues)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                who.id,
                who.name,
                who.host,
                who.pid,
                who.version,
                machine(),
                began(who.pid) or "",
                self.stale,
                self._queues(),
            ],
        )
        self._until = sent + SURE * self.stale
        self._woken, self._waking = socket.socketpair()
        self._thread = threading.Thread(target=self._work, name="heartbeat", daemon=True)
        self._thread.start()

    def also(self, pulse: Pulse) -> None:
        """Do this after each beat."""
        self._pulses.append(pulse)

    def no_more(self, pulse: Pulse) -> None:
        """Do it no longer."""
        self._pulses.remove(pulse)

    def stop(self) -> None:
        """Beat no more. What is owned is let go of by those who claimed it."""
        self._until = -inf
        if self._stop.is_set():
            return
        self._stop.set()
        if self._thread is not None:
            self._woken.send(b".")
            self._thread.join(timeout=15.0)
            self._woken.close()
            self._waking.close()

    def _work(self) -> None:
        every = min(BEAT, self.stale / 6)
        while not self._stop.is_set():
            try:
                with self.database.connect() as connection:
                    self._listen(connection)
                    while not self._stop.is_set():
                        self._beat(connection)
                        # Whatever somebody tells meanwhile makes the next beat come at once.
                        self._wait(connection, every)
                    connection.execute("DELETE FROM migrator.processes WHERE id = %s", [self.identity.id])
            except psycopg.Error:
                self.failures += 1
                self._stop.wait(min(every, 1.0))

    def _listen(self, connection: Connection) -> None:
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))

    def _wait(self, connection: Connection, seconds: float) -> None:
        select.select([connection.fileno(), self._waking.fileno()], [], [], seconds)
        for _ in connection.notifies(timeout=0):
            pass

    def _beat(self, connection: Connection) -> None:
        sent = self._elapsed()
        found = connection.execute(
            "UPDATE migrator.processes SET beat = now(), queues = %s WHERE id = %s",
            [self._queues(), self.identity.id],
        )
        # A row that is gone was lost with what a standby never got: then nothing is owned any more.
        self._until = sent + SURE * self.stale if found.rowcount else -inf
        self.beats += 1
        self.failures = 0
        for pulse in list(self._pulses):
            pulse(connection)


def registered(database: Database, heartbeat: Heartbeat) -> None:
    """Make the tables where there are none, and begin to beat. Raises JournalError and psycopg.Error."""
    with database.connect() as connection:
        schema.prepare(connection, database.name)
        heartbeat.start(connection)
