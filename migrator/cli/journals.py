"""Where a plan's journal lies, and the ways to open it: locked for a run, or only read."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import anyio

from migrator import __version__
from migrator.cli.options import Options
from migrator.domain.errors import JournalError, UsageError
from migrator.domain.plan import Plan
from migrator.domain.secrets import SECRETS
from migrator.journal.port import Journal, JournalLocation, JournalReader
from migrator.journal.stores import SCHEMES, journal_at, journal_in


def plan_folder(reports_dir: Path, name: str) -> Path:
    """Where the journal and the reports of the plan `name` lie."""
    return reports_dir / name


def journal_of(name: str, options: Options) -> JournalLocation:
    """Where a plan's journal is kept, whether or not it is there yet. Raises JournalError, UsageError."""
    url = options.journal
    if not url:
        return journal_at(plan_folder(options.reports_dir, name), warn=say)
    return journal_in(expect_url(url), name, end_at_once)


def say(sentence: str) -> None:
    """Log what a journal has to say while a run goes on; from any thread."""
    import structlog  # which commands that only look need not wait for

    structlog.get_logger().warning("journal.in_use", reason=sentence)


def expect_url(url: str) -> str:
    """The address of a database, if it is one. Raises UsageError, also for a password in the command line."""
    if not url.startswith(SCHEMES):
        raise UsageError(
            f"the journal is to be kept at {url!r}, which is no address of a database",
            hint="Write --journal postgresql://USER@HOST/DATABASE; a folder is named with --reports-dir.",
        )
    if _password(url) and any(url in word for word in sys.argv):
        raise UsageError(
            "--journal holds a password, which every user of this machine can read in the list of processes",
            hint="Put it into ~/.pgpass (PGPASSFILE), a service file (PGSERVICE), or the whole address into "
            "MIGRATOR_JOURNAL.",
        )
    return url


def _password(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.password) or "password=" in parts.query
    except ValueError:
        return True


def end_at_once(error: JournalError) -> None:
    """End this process where it stands: another one goes on with what this one held.

    Whatever it did on its way out could only be about what it no longer owns.
    """
    said = f"error: {error}\n{error.hint}\n"
    with suppress(OSError):
        os.write(2, SECRETS.masked(said).encode())
    os._exit(error.exit_code)


async def reader_of(plan: Plan, options: Options) -> JournalReader:
    """The journal of a plan. Raises UsageError when it never ran."""
    location = journal_of(plan.name, options)
    if not await location.exists():
        raise UsageError(
            f"{location}: nothing has run yet",
            hint="Start with `migrator run PLAN`, or name its --reports-dir.",
        )
    return location.read()


@asynccontextmanager
async def open_journal(location: JournalLocation) -> AsyncIterator[Journal]:
    """A journal, locked until the block is left, whatever happens in it. Raises JournalError."""
    journal = await location.open(version=__version__)
    try:
        yield journal
    finally:
        with anyio.CancelScope(shield=True):
            await journal.close()
