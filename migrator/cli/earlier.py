"""Reports that know more than the journal beside them: it was put back from a copy, or is gone."""

from pathlib import Path

import structlog

from migrator.reports.earlier import HEAD, NotAReport, journal_progress, read_csv, read_json
from migrator.workflow.ledger import Ledger
from migrator.workflow.restore import LaterReport, is_behind

log = structlog.get_logger()


def later_report(folder: Path, plan: str, ledger: Ledger) -> LaterReport | None:
    """The report in `folder` that was written from a journal that had come further than `ledger`, if any."""
    report = _read(folder, plan, ledger)
    return report if report is not None and is_behind(ledger, report) else None


def _read(folder: Path, plan: str, ledger: Ledger) -> LaterReport | None:
    as_json, as_csv = folder / "report.json", folder / "report.csv"
    try:
        with as_json.open("rb") as stream:
            head = stream.read(HEAD)
            progress = journal_progress(head)
            if progress is not None and progress[0] == ledger.first_run and progress[1] <= ledger.events:
                return None  # as always, but after a copy was put back
            return read_json(head + stream.read(), plan)
    except FileNotFoundError:
        pass
    except (OSError, NotAReport) as error:
        log.warning("report.unreadable", file=str(as_json), reason=str(error))
    try:
        return read_csv(as_csv.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, NotAReport) as error:
        log.warning("report.unreadable", file=str(as_csv), reason=str(error))
        return None
