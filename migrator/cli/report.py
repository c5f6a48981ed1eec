"""`migrator report`: every report anew, or those that were asked for, in the plan's folder or elsewhere."""

import time
from collections.abc import Collection, Sequence
from io import BytesIO
from pathlib import Path

from migrator.cli.common import Console, plural, run_async
from migrator.cli.earlier import later_report
from migrator.cli.journals import plan_folder, reader_of
from migrator.cli.options import Options
from migrator.cli.reporting import WRITERS, as_report_error, write_of
from migrator.cli.service import service_seen
from migrator.cli.side_by_side import worthwhile, written_side_by_side
from migrator.cli.wiring import zone_of
from migrator.domain.errors import ReportError, UsageError
from migrator.domain.plan import Plan
from migrator.io.atomic_write import write_atomically
from migrator.io.console import STDOUT
from migrator.journal.port import JournalReader, at_work
from migrator.reports.formats import FILES, FORMATS, IDS
from migrator.reports.ids import image_ids, left_out
from migrator.reports.summary import Summary, summary
from migrator.workflow.ledger import Ledger
from migrator.workflow.resume import listed

STDOUT_NAME = "-"
BINARY = frozenset({"xlsx"})


def check_output(formats: Sequence[str], output: str | None) -> None:
    """Raise UsageError where formats and output do not go together."""
    if output is None:
        return
    if len(formats) != 1:
        raise UsageError(
            "--output takes one report, and several would be written",
            hint="Add one --format; without --output they are files in the plan's folder.",
        )
    if output == STDOUT_NAME and formats[0] in BINARY and STDOUT.isatty():
        raise UsageError(
            f"a terminal cannot show {formats[0]}", hint="Name a file: --output FILE, or send it to one."
        )


def report(
    plan: Plan, options: Options, console: Console, *, formats: Sequence[str] = (), output: str | None = None
) -> int:
    """Write the reports named by `formats`, every usual one where none is named; to a file or to stdout ("-")
    where `output` says so."""
    check_output(formats, output)
    folder = plan_folder(options.reports_dir, plan.name)
    ledger, running = run_async(_ledger, plan, options, folder)
    with as_report_error("the reports cannot be made"):
        seen, zone = service_seen(folder), zone_of(plan)
        facts = summary(ledger, plan=plan, now=time.time(), running=running, service=seen, zone=zone)
    chosen = tuple(dict.fromkeys(formats)) or tuple(FORMATS)
    if output is None:
        for form in _written(facts, folder, chosen):
            console.out(str(folder / FILES[form]))
    else:
        _put(facts, chosen[0], output, console)
    if IDS.keys() & set(chosen):
        _say_ids(facts, console)
    return 0


async def _ledger(plan: Plan, options: Options, folder: Path) -> tuple[Ledger, bool]:
    """What the journal holds, and whether a run goes on. Raises ReportError where a report knows more."""
    reader = await reader_of(plan, options)
    ledger = await reader.ledger(listed(plan))
    if await is_behind(plan, folder, ledger, reader):
        raise ReportError(
            f"{folder}: the journal is older than the report beside it, which would be overwritten",
            hint="Put the newer journal back, or go on with this one: `migrator run` takes what the report "
            "knows into the journal first. To have it overwritten all the same, move the reports away, "
            "and run.json with them.",
        )
    return ledger, await at_work(reader)


def _written(facts: Summary, folder: Path, formats: Sequence[str]) -> Sequence[str]:
    """Write these reports; those that were written. Raises ReportError."""

    def write(some: Collection[str]) -> Sequence[str]:
        return tuple(write_of(lambda: facts, folder, some).spent)

    if worthwhile(formats, facts.totals.images):
        return written_side_by_side(formats, write)
    return write(formats)


def _put(facts: Summary, form: str, output: str, console: Console) -> None:
    if output == STDOUT_NAME:
        content = BytesIO()
        WRITERS[form](facts, content)
        STDOUT.write_bytes(content.getvalue())
        return
    path = Path(output)
    write_atomically(path, lambda stream: WRITERS[form](facts, stream))
    console.out(str(path))


def _say_ids(facts: Summary, console: Console) -> None:
    found = image_ids(facts)
    copies = sum(one.is_copy for one in found)
    more = f" and {copies:,} {'copy' if copies == 1 else 'copies'}" if copies else ""
    console.say(f"{plural(len(found) - copies, 'image')}{more} handed on")
    if missing := left_out(facts.images):
        console.warn(f"left out: {missing}")


async def is_behind(plan: Plan, folder: Path, ledger: Ledger, reader: JournalReader) -> bool:
    """Whether the journal is older than a report; a run that goes on may have written both since."""
    if later_report(folder, plan.name, ledger) is None:
        return False
    return later_report(folder, plan.name, await reader.ledger(listed(plan))) is not None
