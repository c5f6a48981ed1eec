"""The commands for plans whose journal lies in a database, and for moving a journal there and back."""

from pathlib import Path

import click

from migrator.cli.arguments import duration, journal_url, option, plan_path
from migrator.cli.common import Console, command, lasting_command, run_async
from migrator.cli.options import Options


@click.command()
@journal_url
@option("--name", metavar="NAME", help="What people call it; else host and number.")
@option(
    "at_once",
    "--lanes",
    type=click.IntRange(min=1, max=1000),
    default=10,
    metavar="N",
    help="Targets at once.",
)
@option("--stale", default="30s", metavar="30s", help="Silence after which others take over what it holds.")
@lasting_command
def worker(*, journal: str | None, name: str | None, at_once: int, stale: str, console: Console) -> int:
    """Take targets of plans that were handed over, with others."""
    from migrator.domain.errors import UsageError
    from migrator.journal.stores import expect_postgres

    expect_postgres()
    if not journal:
        raise UsageError(
            "a worker needs the database where plans were handed over",
            hint="Name it: --journal postgresql://USER@HOST/DATABASE, or MIGRATOR_JOURNAL.",
        )
    seconds = duration("--stale", stale) or 0.0
    if seconds < 3.0:
        raise UsageError(
            f"--stale is {stale!r}: a worker that is busy for a moment would count as dead",
            hint="Use at least 3s; 30s is the usual.",
        )
    from migrator.cli.worker import WorkerOptions, work

    options = WorkerOptions(journal=journal, name=name, at_once=at_once, stale=seconds)
    return run_async(work, options, console)


@click.command()
@plan_path
@journal_url
@command
def stop(*, plan: Path, journal: str | None, console: Console) -> int:
    """Ask everybody who works on a plan to drain."""
    from migrator.cli.wiring import load
    from migrator.journal.stores import expect_postgres

    expect_postgres()
    from migrator.cli.handing_over import stop_plan

    return run_async(stop_plan, load(plan)[0], Options(journal=journal), console)


@click.group(no_args_is_help=True)
def journal() -> None:
    """Move a plan's journal."""


@journal.command("copy")
@click.argument("source", metavar="FROM", help="A plan's folder, such as reports/wave-1, or a database.")
@click.argument("target", metavar="TO", help="A folder or postgresql://USER@HOST/DATABASE.")
@option("--plan", metavar="NAME", help="The plan's name; else the folder's.")
@command
def journal_copy(*, source: str, target: str, plan: str | None, console: Console) -> int:
    """Copy a journal elsewhere, verified event by event."""
    from migrator.cli.journal_copy import copy

    return run_async(copy, source, target, plan, console)
