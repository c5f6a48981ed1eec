"""`status` of a large plan: from counts, without reading plan and images."""

from collections.abc import Sequence

from msgspec.structs import replace

from migrator.cli.common import Console
from migrator.cli.journals import journal_of
from migrator.cli.options import Options
from migrator.cli.plan_head import PlanHead
from migrator.domain.errors import JournalMissing
from migrator.io.clock import SystemClock
from migrator.io.console import STDOUT
from migrator.journal.port import held_by
from migrator.reports import terminal
from migrator.reports.causes import Cause
from migrator.reports.counted import CountedStatus, counted_status
from migrator.reports.glossary import FAILED, STATUSES
from migrator.reports.styled import painted
from migrator.reports.tally import Tally
from migrator.reports.terminal import LiveStatus
from migrator.reports.untrusted import spelled_out

LARGE = 20_000
"""Images above which a status is made of counts, in place of every image."""


async def counted(head: PlanHead, options: Options, console: Console) -> int | None:
    """Print where a large plan stands, from counts and without its images; None where it is not large."""
    reader = journal_of(head.name, options).read()
    now = SystemClock().now()
    try:
        found = await reader.counts(LARGE, now)
    except JournalMissing:
        return None
    if found is None:
        return None
    unattended = await reader.unattended()
    holder = held_by(await reader.holder(), unattended)
    shown = counted_status(
        head.name,
        found.targets,
        found.runs,
        found.troubled,
        found.last_hour,
        now=now,
        zone=head.zone,
        holder=holder,
        waits=unattended,
    )
    if console.json:
        console.object(_counted_object(shown, holder))
    else:
        print_lines(shown.live, shown.live.totals, shown.failures, console)
    return 0


def _counted_object(shown: CountedStatus, holder: str | None) -> dict[str, object]:
    live = shown.live
    return {
        "plan": live.name,
        "images": live.totals.images,
        "totals": {phase.value: count for phase, count in live.totals.by_status.items()},
        "run": None if shown.state is None else shown.state.value,
        "said": shown.said,
        "holder": holder,
        "new_in_plan": None,
        "per_hour": None if live.throughput is None else live.throughput.per_hour,
        "eta_seconds": None if live.eta is None else live.eta.seconds,
        "waits": list(live.waits),
    }


def print_lines(shown: LiveStatus, totals: Tally, failures: Sequence[Cause], console: Console) -> None:
    """Where a plan stands, line by line."""
    # A reader that is no terminal has all the room there is.
    width = STDOUT.size()[0] if STDOUT.isatty() else 1000
    lines = terminal.view(replace(shown, failures=()), width=width, encoding=STDOUT.encoding)
    for line in painted(lines, colored=console.colored_on(STDOUT)):
        console.drawn(line)
    for phase, count in totals.by_status.items():
        if count:
            console.out(f"{STATUSES[phase].word:<14}{count:>8}")
    console.out(f"{'all':<14}{totals.images:>8}")
    for cause in failures:
        console.out(
            spelled_out(f"{FAILED.word}: {cause.count} x {cause.code} {cause.message}", STDOUT.encoding)
        )
        if cause.remedy:
            console.out(spelled_out(f"        {cause.remedy}", STDOUT.encoding))
