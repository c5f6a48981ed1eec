"""A PostgreSQL of the tests' own: a cluster in a temporary folder, started once and stopped at the end."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
"""Where Debian keeps the programs of the server, oldest first; psql alone is on the PATH."""


def missing() -> str:
    """Why there can be no cluster; empty where there can."""
    return "" if _program("initdb") else "no PostgreSQL server: apt-get install postgresql"


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([*map(str, reversed(PROGRAMS)), os.environ["PATH"]]))


@dataclass(slots=True)
class Cluster:
    """One server, which can be stopped, killed and started again."""

    folder: Path
    settings: dict[str, str]

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str = "postgres") -> str:
        """Over a socket in the cluster's folder."""
        return f"postgresql:///{database}?host={self.folder}&user=tests"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        said = " ".join(f"-c {name}={value}" for name, value in self.settings.items())
        self._ctl("start", "-w", "-l", str(self.folder / "log"), "-o", f"-k {self.folder} {said}")

    def stop(self, mode: str = "fast") -> None:
        """Stop it in one of the three ways: "smart", "fast", "immediate" (a crash)."""
        self._ctl("stop", "-w", "-m", mode)

    def create(self, database: str) -> str:
        """A new empty database; its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        return self.url(database)

    def _ctl(self, *words: str) -> None:
        run("pg_ctl", "-D", str(self.data), *words)


def run(program: str, *words: str) -> None:
    """One of the server's programs, as a user who may (they refuse root)."""
    found = _program(program)
    assert found is not None, missing()
    user = _nobody() if os.geteuid() == 0 else None
    done = subprocess.run(
        [found, *words],
        user=user,
        group=None if user is None else pwd.getpwuid(user).pw_gid,
        extra_groups=None if user is None else [],
        cwd="/",
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if "start" not in words else subprocess.DEVNULL,
        stderr=subprocess.STDOUT if "start" not in words else subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == 0, f"{program} {' '.join(words)}: {done.stdout!r}"


def _nobody() -> int:
    return pwd.getpwnam("nobody").pw_uid


@contextmanager
def cluster(*, durable: bool = False, **settings: str) -> Iterator[Cluster]:
    """A server for as long as the block lasts; without `durable`, one that a power cut would harm."""
    # Not below the tests' own folders: a socket's path may have a hundred characters.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, _nobody(), -1)
        run("initdb", "-D", str(folder / "data"), "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync")
        basic = {"listen_addresses": "''", "max_connections": "200"}
        if not durable:
            basic |= {"fsync": "off", "full_page_writes": "off"}
        one = Cluster(folder, basic | settings)
        one.start()
        try:
            yield one
        finally:
            if (one.data / "postmaster.pid").exists():
                one.stop("immediate")
    finally:
        for _ in range(50):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
            time.sleep(0.1)
