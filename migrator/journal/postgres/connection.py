"""The address of a database, and connections to it.

No state of a session is relied on, so that a pooler which gives each transaction another connection may stand
between (PgBouncer, "pool_mode = transaction"): no prepared statements, no session settings, no session locks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from os import environ
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from migrator.domain.errors import JournalError
from migrator.domain.secrets import SECRETS

Connection = psycopg.Connection[tuple[Any, ...]]

_WAYS = {
    "connect_timeout": "10",
    # A peer that is gone is noticed within half a minute, also while nothing is sent.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "application_name": "migrator",
}


@dataclass(frozen=True, slots=True)
class Database:
    """A database as libpq is to find it: what an address leaves open comes from PGHOST, PGSERVICE, PGPASSFILE
    and their like (PostgreSQL manual, "libpq", "Environment Variables")."""

    conninfo: str = field(repr=False)
    """May hold a password."""

    name: str
    """What messages call it: host and database, without anything secret."""

    @classmethod
    def at(cls, url: str) -> "Database":
        """The database that a URL names. Raises JournalError for one that libpq cannot read."""
        try:
            said = conninfo_to_dict(url)
        except psycopg.Error as error:
            raise JournalError(
                f"the address of the journal cannot be read: {SECRETS.masked(str(error).strip())}",
                hint="Write it as postgresql://USER@HOST:5432/DATABASE; the password goes into ~/.pgpass "
                "(PGPASSFILE) or a service file (PGSERVICE).",
            ) from None
        SECRETS.register(str(said.get("password") or ""))
        host = str(said.get("host") or said.get("hostaddr") or environ.get("PGHOST") or "")
        asked = said | {name: value for name, value in _WAYS.items() if name not in said}
        named = "sslmode" in said or "service" in said or environ.keys() & {"PGSSLMODE", "PGSERVICE"}
        if not named and _elsewhere(host):
            asked["sslmode"] = "require"
        service = said.get("service") or environ.get("PGSERVICE")
        base = said.get("dbname") or environ.get("PGDATABASE")
        where = host or (f"service {service}" if service else "this machine")
        port = f":{said['port']}" if said.get("port") else ""
        return cls(_conninfo(asked), f"PostgreSQL {where}{port}{f'/{base}' if base else ''}")

    def connect(self) -> Connection:
        """A connection on which each statement is a transaction. Raises psycopg.Error."""
        return psycopg.connect(self.conninfo, autocommit=True, prepare_threshold=None)


def _conninfo(values: Mapping[str, object]) -> str:
    """Values as libpq reads them: quoted, with quotes and backslashes escaped ("Connection Strings")."""
    quoted = ((name, str(value).replace("\\", "\\\\").replace("'", "\\'")) for name, value in values.items())
    return " ".join(f"{name}='{value}'" for name, value in quoted)


def _elsewhere(host: str) -> bool:
    """Whether a host is another machine; one host of several is enough."""
    for one in host.split(","):
        if not one or one.startswith(("/", "@")) or one == "localhost":
            continue
        try:
            if ip_address(one).is_loopback:
                continue
        except ValueError:
            pass
        return True
    return False
