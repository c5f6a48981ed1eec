"""Reports that know more than the journal beside them: it was put back from a copy, or is gone."""

from collections.abc import Callable
from pathlib import Path

import structlog

from migrator.io.atomic_write import write_atomically
from migrator.reports.earlier import (
    HEAD,
    RUN_FILE,
    NotAReport,
    journal_progress,
    read_begun,
    read_csv,
    read_json,
    write_begun,
)
from migrator.workflow.ledger import Ledger
from migrator.workflow.restore import LaterReport, is_behind, together

log = structlog.get_logger()


def say_begun(folder: Path, plan: str, ledger: Ledger) -> None:
    """Write run.json: whatever is submitted from now on, a file says that a run had begun.

    Raises ReportError and OSError.
    """
    run = ledger.runs[-1]
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(
        folder / RUN_FILE, write_begun(plan, run.run, run.began_at, ledger.first_run, ledger.events)
    )


def later_report(folder: Path, plan: str, ledger: Ledger) -> LaterReport | None:
    """What the files in `folder` know that were written when the journal had come further than `ledger`."""
    begun = _read(folder / RUN_FILE, lambda data: read_begun(data, plan))
    found = (_report(folder, plan, ledger), begun)
    return together([one for one in found if one is not None and is_behind(ledger, one)])


def _report(folder: Path, plan: str, ledger: Ledger) -> LaterReport | None:
    path = folder / "report.json"
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except OSError:
        head = b""  # said below, where it is read as a whole
    progress = journal_progress(head)
    if progress is not None and progress[0] == ledger.first_run and progress[1] <= ledger.events:
        return None  # as always, but after a copy was put back
    return _read(path, lambda data: read_json(data, plan)) or _read(folder / "report.csv", read_csv)


def _read(path: Path, read: Callable[[bytes], LaterReport]) -> LaterReport | None:
    try:
        return read(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, NotAReport) as error:
        log.warning("report.unreadable", file=str(path), reason=str(error))
        return None
