"""Arguments and options that several commands have, and how they are read."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from migrator.workflow.selection import Selection

option = partial(click.option, show_default=True, show_envvar=True)
"""An option whose help says what holds without it, and which variable stands in for it."""


class _File(click.ParamType[Path]):
    """A path, whatever lies there; click's own looks, and whoever opens it knows better what to say."""

    name = "path"

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        return Path(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


FILE = _File()

plan_path = click.argument("plan", type=FILE, metavar="PLAN", help="A TOML plan.")
reports_dir = option(
    "--reports-dir",
    type=FILE,
    default=Path("reports"),
    envvar="MIGRATOR_REPORTS_DIR",
    metavar="DIR",
    help="Where each plan has a folder for its reports.",
)
journal_url = option(
    "--journal",
    envvar="MIGRATOR_JOURNAL",
    metavar="URL",
    help="Keep the journal in PostgreSQL: postgresql://USER@HOST/DATABASE.",
)
retry_failed = option("--retry-failed", is_flag=True, help="Failed images as well.")


class OneOf(click.Choice[StrEnum]):
    """A member of an enumeration, by its value; click alone would ask for its name."""

    def normalize_choice(self, choice: object, ctx: click.Context | None) -> str:
        return str(choice)


def selection(option: str, text: str | None) -> "Selection | None":
    from migrator.domain.errors import UsageError
    from migrator.workflow.selection import selector

    try:
        return None if text is None else selector(text)
    except UsageError as error:
        raise UsageError(f"{option}, {error}", hint=error.hint) from None


def duration(option: str, text: str | None) -> float | None:
    from migrator.domain.errors import UsageError
    from migrator.domain.units import seconds

    try:
        return None if text is None else seconds(text)
    except ValueError as error:
        raise UsageError(f"{option} is {text!r}: {error}") from None
