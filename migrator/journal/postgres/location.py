"""Where a plan's journal lies in a database, and its two doors."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from migrator.domain.errors import JournalError
from migrator.journal.group_commit import GroupCommit
from migrator.journal.postgres.claim import Claim
from migrator.journal.postgres.connection import Database
from migrator.journal.postgres.errors import explained
from migrator.journal.postgres.heartbeat import Elapsed, Heartbeat, Identity, registered
from migrator.journal.postgres.reader import PostgresReader
from migrator.journal.postgres.store import PostgresStore


def elapsed() -> float:
    """Seconds that only grow; on Linux also while the machine is suspended."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresLocation:
    """`port.JournalLocation` of one plan, or of one target of it, in a database."""

    database: Database
    plan: str
    target: str | None = None
    """None: all of it."""

    heartbeat: Heartbeat | None = None
    """Of this process, where it owns more than this; None: one for this alone."""

    elapsed: Elapsed = elapsed
    on_claimed: Callable[[Claim], None] = lambda held: None
    """Called in the writing thread with what this process owns from now on."""

    on_fenced: Callable[[JournalError], None] = lambda error: None
    """Called in the writing thread, before anybody learns it, when this process owns nothing any more."""

    def __str__(self) -> str:
        target = "" if self.target is None else f", target {self.target}"
        return f"{self.database.name}, plan {self.plan}{target}"

    async def exists(self) -> bool:
        """`JournalLocation.exists`."""
        return await self.read().exists()

    async def open(self, *, version: str) -> GroupCommit:
        """`JournalLocation.open`."""
        return await GroupCommit.open(lambda: self._open(version))

    def read(self) -> PostgresReader:
        """`JournalLocation.read`."""
        return PostgresReader(self.database, str(self), self.plan)

    def _open(self, version: str) -> PostgresStore:
        heartbeat, own = self.heartbeat, False
        if heartbeat is None:
            own = True
            heartbeat = Heartbeat(
                self.database, Identity(name=socket.gethostname(), version=version), self.elapsed
            )
            with explained(str(self)):
                registered(self.database, heartbeat)
        try:
            store = PostgresStore.open(
                self.database,
                str(self),
                self.plan,
                self.target,
                heartbeat,
                on_fenced=self.on_fenced,
                on_close=heartbeat.stop if own else lambda: None,
            )
            self.on_claimed(store.held)
            return store
        except BaseException:
            if own:
                heartbeat.stop()
            raise
