"""Workers and a database, for one test."""

import subprocess
from itertools import count
from pathlib import Path

import psycopg

from tests.cli.conftest import Desk, wait_until

NAMES = count(1)


class Team:
    """A desk, a database, and workers."""

    def __init__(self, desk: Desk, url: str) -> None:
        self.desk = desk
        self.url = url
        desk.env["MIGRATOR_JOURNAL"] = url

    def plan(self, targets: str = "ab", each: int = 3, more: str = "", **rows: str) -> Path:
        """A plan of `each` images for each target, named by a letter; `rows` go to the images of a target."""
        tables = "".join(self.desk.table(target) for target in targets)
        images = "".join(
            f'[[images]]\nname = "{target}-{number}"\ntarget = "{target}"\n'
            f'object = "{target}-{number}.zvhd2"\n{rows.get(target, "")}\n'
            for target in targets
            for number in range(each)
        )
        path = self.desk.folder / "fleet.toml"
        path.write_text(
            f'[plan]\nname = "fleet"\n{tables}'
            '[limits]\nsubmit_rate = "50/s"\nsubmit_burst = 10\nquery_rate = "100/s"\nquery_burst = 20\n'
            '[retry]\nbase = "20ms"\ncap = "100ms"\n'
            '[polling]\nfirst = "100ms"\nmin_interval = "100ms"\nmax_interval = "200ms"\n'
            f'[policy]\nsettle = "1s"\nlate = "1s"\n{more}\n'
            '[defaults]\nbucket = "bucket"\nos_version = "CentOS 7.6 64bit"\nmin_disk = 40\n'
            f"{images}"
        )
        return path

    def worker(self, name: str, *options: str, **env: str) -> subprocess.Popen[str]:
        """Start one, and return when it beats."""
        child = self.desk.start("worker", "--name", name, "--stale", "3s", *options, **env)  # type: ignore[arg-type]
        wait_until(lambda: (name,) in self.ask("SELECT name FROM migrator.processes"))
        return child

    def hand_over(self, plan: Path, *options: str) -> None:
        done = self.desk("run", plan, "--detach", *options)
        assert done.code == 0, done.err

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """Rows of the database; none where there are no tables yet."""
        try:
            with psycopg.connect(self.url, autocommit=True) as connection:
                cursor = connection.execute(query)
                return cursor.fetchall() if cursor.description else []
        except psycopg.errors.UndefinedTable:
            return []

    def over(self) -> bool:
        return self.ask("SELECT count(*) FROM migrator.shards WHERE over_at IS NULL") == [(0,)]

    def wait(self) -> None:
        """Return when every target is over."""
        wait_until(self.over, seconds=40.0)

    def owners(self) -> dict[object, object]:
        """Who holds each target."""
        rows = self.ask(
            "SELECT s.target, p.name FROM migrator.shards s JOIN migrator.processes p ON p.id = s.holder"
        )
        return {row[0]: row[1] for row in rows}
