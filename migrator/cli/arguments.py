"""Arguments and options that several commands have, and how they are read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from migrator.workflow.selection import Selection

PlanPath = Annotated[Path, typer.Argument(metavar="PLAN", help="A TOML plan.")]
ReportsDir = Annotated[
    Path,
    typer.Option(
        "--reports-dir",
        envvar="MIGRATOR_REPORTS_DIR",
        metavar="DIR",
        help="Where each plan has a folder for its reports.",
    ),
]
REPORTS = Path("reports")
JournalUrl = Annotated[
    str | None,
    typer.Option(
        "--journal",
        envvar="MIGRATOR_JOURNAL",
        metavar="URL",
        show_envvar=True,
        help="Keep the journal in PostgreSQL: postgresql://USER@HOST/DATABASE.",
    ),
]


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
