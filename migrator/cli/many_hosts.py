"""The commands for plans whose journal lies in a database, and for moving a journal there and back."""

from functools import partial
from typing import Annotated

import typer

from migrator.cli.arguments import JournalUrl, PlanPath, duration
from migrator.cli.common import Console, command, run_async
from migrator.cli.options import Options

lasting_command = partial(command, lasting=True)


@lasting_command
def worker(
    *,
    journal: JournalUrl = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="What people call it; else host and number.")
    ] = None,
    at_once: Annotated[
        int, typer.Option("--lanes", min=1, max=1000, metavar="N", help="Targets at once.")
    ] = 10,
    stale: Annotated[
        str,
        typer.Option("--stale", metavar="30s", help="Silence after which others take over what it holds."),
    ] = "30s",
    console: Console,
) -> int:
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


@command
def stop(*, plan: PlanPath, journal: JournalUrl = None, console: Console) -> int:
    """Ask everybody who works on a plan to drain."""
    from migrator.cli.wiring import load
    from migrator.journal.stores import expect_postgres

    expect_postgres()
    from migrator.cli.handing_over import stop_plan

    return run_async(stop_plan, load(plan)[0], Options(journal=journal), console)


journal_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Move a plan's journal.")


@journal_app.command("copy")
@command
def journal_copy(
    *,
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="A plan's folder, such as reports/wave-1, or a database.")
    ],
    target: Annotated[str, typer.Argument(metavar="TO", help="A folder or postgresql://USER@HOST/DATABASE.")],
    plan: Annotated[
        str | None, typer.Option("--plan", metavar="NAME", help="The plan's name; else the folder's.")
    ] = None,
    console: Console,
) -> int:
    """Copy a journal elsewhere, verified event by event."""
    from migrator.cli.journal_copy import copy

    return run_async(copy, source, target, plan, console)
