"""Journals that older versions wrote are read, reported and gone on with: docs/upgrades.md says so.

`tests/journal/keep.py` made them. Each knows ten images: five were imported, one failed, two have a job that
goes on (of which the cloud of these tests knows nothing), two never began.
"""

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from migrator.journal.postgres import schema
from migrator.journal.sqlite import database, earlier
from migrator.workflow.ledger import fold
from migrator.workflow.states import Phase
from tests.cli.conftest import Desk
from tests.journal.conftest import NEEDS_POSTGRES, server
from tests.journal.keep import plan_text
from tests.postgres import Cluster

__all__ = ["server"]

KEPT = Path(__file__).parents[1] / "journal" / "kept"
VERSIONS = range(earlier.WITHOUT_TOTALS, database.VERSION + 1)

WRITTEN = Counter({Phase.SUCCEEDED: 5, Phase.FAILED: 1, Phase.RUNNING: 2, Phase.PENDING: 2})
LEFT = {"web-09": 1, "web-10": 1}

RUN = ("--max-duration", "3s")
"""Jobs that no cloud knows any more would be looked for much longer."""


def expect_gone_on_with(at: Desk) -> None:
    """What never began was imported, once; what was done stays done; what has a job is not sent again."""
    assert at.accepted == LEFT
    phases = at.ledger("kept").states
    assert Counter(phases[f"north/web-{number:02}"].phase for number in (1, 2, 4, 5, 6, 9, 10)) == Counter(
        {Phase.SUCCEEDED: 7}
    )
    assert phases["north/web-03"].phase is Phase.FAILED


def of_today(url: str, count: int = 10) -> str:
    """The plan of then, with room beside the two jobs that go on."""
    return plan_text(url, count).replace("max_jobs = 2", "max_jobs = 10")


def put(desk: Desk, kept: str, count: int = 10) -> str:
    """The plan, and one of the journals where its own would be."""
    plan = desk.folder / "kept.toml"
    plan.write_text(of_today(desk.url, count), encoding="utf-8")
    folder = desk.reports / "kept"
    folder.mkdir(parents=True)
    shutil.copyfile(KEPT / kept, folder / "journal.db")
    return str(plan)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_journal_of_each_version_that_ever_was_is_reported_as_it_was_written(
    version: int, desk: Callable[..., Desk]
) -> None:
    at = desk()
    plan = put(at, f"sqlite-{version}.db")
    before = (at.reports / "kept/journal.db").read_bytes()

    assert at("status", plan).code == 0
    assert at("report", plan).code == 0

    assert Counter(at.phases("kept")) == WRITTEN
    assert fold(at.events("kept")).states == at.ledger("kept").states  # each event is still one
    report = json.loads((at.reports / "kept/report.json").read_text(encoding="utf-8"))
    assert report["totals"]["images"] == 10
    assert (at.reports / "kept/journal.db").read_bytes() == before  # who only reads upgrades nothing


@pytest.mark.parametrize("version", VERSIONS)
def test_a_journal_of_each_version_is_gone_on_with_and_nothing_done_is_done_again(
    version: int, desk: Callable[..., Desk]
) -> None:
    at = desk()
    plan = put(at, f"sqlite-{version}.db")

    at("run", plan, *RUN)

    expect_gone_on_with(at)
    with sqlite3.connect(at.reports / "kept/journal.db") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (database.VERSION,)
    connection.close()


def test_there_is_a_journal_of_every_version() -> None:
    kept = {path.name for path in KEPT.iterdir()}

    assert {f"sqlite-{version}.db" for version in VERSIONS} <= kept
    assert {f"postgres-{version}.sql" for version in range(1, schema.VERSION + 1)} <= kept


@NEEDS_POSTGRES
@pytest.mark.parametrize("version", range(1, schema.VERSION + 1))
def test_journals_of_each_version_in_a_database_are_gone_on_with(
    version: int, desk: Callable[..., Desk], server: Cluster
) -> None:
    at = desk()
    at.env["MIGRATOR_JOURNAL"] = server.create(f"kept{version}")
    with psycopg.connect(at.env["MIGRATOR_JOURNAL"]) as connection:
        connection.execute((KEPT / f"postgres-{version}.sql").read_bytes())
    plan = at.folder / "kept.toml"
    plan.write_text(of_today(at.url), encoding="utf-8")

    assert at("status", plan).code == 0
    assert Counter(at.phases("kept")) == WRITTEN
    at("run", plan, *RUN)

    expect_gone_on_with(at)


def test_a_journal_of_a_version_to_come_is_refused_with_what_to_do_and_left_as_it_is(
    desk: Callable[..., Desk],
) -> None:
    at = desk()
    plan = put(at, f"sqlite-{database.VERSION}.db")
    place = at.reports / "kept/journal.db"
    with sqlite3.connect(place) as connection:
        connection.execute(f"PRAGMA user_version = {database.VERSION + 1}")
    connection.close()
    before = place.read_bytes()

    for command in ("run", "status", "report"):
        refused = at(command, plan)
        assert f"a journal of version {database.VERSION + 1}" in refused.err
        assert "Upgrade migrator" in refused.err
        assert "Traceback" not in refused.err

    assert at.accepted == {}
    assert place.read_bytes() == before


def test_a_report_that_1_0_wrote_is_compared_with_one_of_today(desk: Callable[..., Desk]) -> None:
    at = desk()
    plan = put(at, f"sqlite-{database.VERSION}.db")
    at("run", plan, *RUN)

    done = at("diff", KEPT / "report-1.json", at.reports / "kept/report.json")

    assert done.code == 0, done.err
    assert "web-09" in done.out
