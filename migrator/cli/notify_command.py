"""`migrator notify`, as the command line has it."""

from pathlib import Path

import click

from migrator.cli.arguments import option, plan_path
from migrator.cli.common import Console, command, run_async


@click.command()
@plan_path
@option("--test", is_flag=True, help="Send one test to each receiver, and say what came of it.")
@command
def notify(*, plan: Path, test: bool, console: Console) -> int:
    """Show who is told of what, or send each a test."""
    from functools import partial

    from migrator.cli.notifying import notify as show
    from migrator.cli.wiring import load

    return run_async(partial(show, test=test), load(plan)[0], console)
