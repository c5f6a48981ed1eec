"""`migrator notify`, as the command line has it."""

from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.common import Console, command, run_async


@command
def notify(
    *,
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="A TOML plan.")],
    test: Annotated[
        bool, typer.Option("--test", help="Send one test to each receiver, and say what came of it.")
    ] = False,
    console: Console,
) -> int:
    """Show who is told of what, or send each a test."""
    from functools import partial

    from migrator.cli.notifying import notify as show
    from migrator.cli.wiring import load

    return run_async(partial(show, test=test), load(plan)[0], console)
