"""`migrator report`: every report anew, or those that were asked for, in the plan's folder or elsewhere."""

import time
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from migrator.cli.common import Console, plural
from migrator.cli.earlier import later_report
from migrator.cli.journals import plan_folder, reader_of
from migrator.cli.options import Options
from migrator.cli.reporting import WRITERS, write_reports
from migrator.cli.service import service_seen
from migrator.cli.wiring import zone_of
from migrator.domain.errors import ReportError, UsageError
from migrator.domain.plan import Plan
from migrator.io.atomic_write import write_atomically
from migrator.io.console import STDOUT
from migrator.journal.port import JournalReader, at_work
from migrator.reports.formats import FORMATS, IDS
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


async def report(
    plan: Plan, options: Options, console: Console, *, formats: Sequence[str] = (), output: str | None = None
) -> int:
    """Write the reports named by `formats`, every usual one where none is named; to a file or to stdout ("-")
    where `output` says so."""
    check_output(formats, output)
    reader = await reader_of(plan, options)
    ledger = await reader.ledger(listed(plan))
    folder = plan_folder(options.reports_dir, plan.name)
    if await is_behind(plan, folder, ledger, reader):
        raise ReportError(
            f"{folder}: the journal is older than the report beside it, which would be overwritten",
            hint="Put the newer journal back, or go on with this one: `migrator run` takes what the report "
            "knows into the journal first. To have it overwritten all the same, move the reports away.",
        )
    seen, running, now = service_seen(folder), await at_work(reader), time.time()
    chosen = tuple(dict.fromkeys(formats)) or tuple(FORMATS)
    if output is None:
        written = await write_reports(
            plan, ledger, folder, now, running=running, formats=chosen, service=seen
        )
        for path in written.paths:
            console.out(str(path))
    else:
        _put(
            summary(ledger, plan=plan, now=now, running=running, service=seen, zone=zone_of(plan)),
            chosen[0],
            output,
            console,
        )
    if IDS.keys() & set(chosen):
        _say_ids(summary(ledger, plan=plan, now=now, running=running, zone=zone_of(plan)), console)
    return 0


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
