"""The commands that need no cloud: status, report, dry run and demo."""

import json
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from types import MappingProxyType

import anyio
from msgspec import structs

from migrator.cli.common import Console, plural
from migrator.cli.journals import end_at_once, expect_url, journal_of, ledger_ahead
from migrator.cli.options import Options
from migrator.cli.report import is_behind
from migrator.cli.report import report as write_anew
from migrator.cli.reporting import snapshot
from migrator.cli.session import run
from migrator.cli.wiring import plan_folder, zone_of
from migrator.cli.work import check_keys, choose, edited, undecided
from migrator.domain.errors import JournalMissing, UsageError
from migrator.domain.image import Image
from migrator.domain.plan import MarkerKind, Plan
from migrator.domain.units import span
from migrator.domain.zone import Zone
from migrator.ims.dry_run import DryCloud
from migrator.ims.methods import method_for, method_of, wish_of
from migrator.io.clock import SystemClock
from migrator.io.console import STDOUT
from migrator.journal.port import JournalReader
from migrator.journal.stores import journal_in
from migrator.pacing.floor import Floor, floors
from migrator.plan import at_endpoint, parse_plan
from migrator.reports import terminal
from migrator.reports.causes import Cause
from migrator.reports.counted import CountedStatus, counted_status
from migrator.reports.glossary import FAILED, STATUSES
from migrator.reports.machines import MachineState
from migrator.reports.styled import painted
from migrator.reports.summary import Summary, summary
from migrator.reports.tally import Tally
from migrator.reports.terminal import LiveStatus
from migrator.reports.untrusted import spelled_out
from migrator.simulator.server import serve
from migrator.simulator.settings import scenario as settings_of
from migrator.workflow.events import ImagePlanned
from migrator.workflow.resume import listed, marker, planned, startup_events
from migrator.workflow.states import Phase


async def _reader(plan: Plan, options: Options) -> JournalReader:
    """The journal of a plan. Raises UsageError when it never ran."""
    location = journal_of(plan, options)
    if not await location.exists():
        raise UsageError(
            f"{location}: nothing has run yet",
            hint="Start with `migrator run PLAN`, or name its --reports-dir.",
        )
    return location.read()


WATCH_EVERY = 2.0
"""Seconds between two readings of `status --watch`."""


async def status(plan: Plan, options: Options, console: Console, *, watch: bool = False) -> int:
    """Print where a plan stands; with `watch` again and again, until Ctrl-C."""
    standing = await _standing(plan, options)
    if not watch:
        _print_standing(standing, console)
        return 0
    images = listed(plan)
    async with anyio.create_task_group() as group:
        with anyio.open_signal_receiver(signal.SIGINT) as signals:

            async def end() -> None:
                async for _ in signals:
                    group.cancel_scope.cancel()

            group.start_soon(end)
            while True:
                _print_watched(standing, console)
                await anyio.sleep(WATCH_EVERY)
                standing = await _standing(plan, options, images)
    if STDOUT.moving and not console.json:
        STDOUT.line("")
    return 0


LARGE = 20_000
"""Images above which a status is made of counts, where the journal's store can count."""


async def counted(name: str, options: Options, console: Console, zone: Zone) -> int | None:
    """Print where a large plan stands, from counts and without its images; None where it is not large."""
    if options.journal is None:
        return None
    reader = journal_in(expect_url(options.journal), name, end_at_once).read()
    now = SystemClock().now()
    try:
        found = await reader.counts(LARGE, now)
    except JournalMissing:
        return None
    if found is None:
        return None
    holder, unattended = await reader.holder(), await reader.unattended()
    held_by = str(holder) if holder else ("workers, none of them at work now" if unattended else None)
    shown = counted_status(
        name,
        found.targets,
        found.runs,
        found.troubled,
        found.last_hour,
        now=now,
        zone=zone,
        holder=held_by,
        waits=unattended,
    )
    if console.json:
        console.object(_counted_object(shown, held_by))
    else:
        _print_lines(shown.live, shown.live.totals, shown.failures, console)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """What one reading of a journal finds."""

    summary: Summary
    said: str
    holder: str | None
    fresh: int
    """Images of the plan that the journal does not hold."""

    unattended: list[str]
    """What was handed to workers and nobody works on, and why."""

    edited: list[str]
    """What is to be said of images that were edited after their import."""

    @property
    def waits(self) -> list[str]:
        fresh = [f"{plural(self.fresh, 'image')} new in the plan since the last run"] if self.fresh else []
        return [*self.unattended, *self.edited, *fresh]


async def _standing(
    plan: Plan, options: Options, known: Mapping[str, Image] = MappingProxyType({})
) -> _Standing:
    reader = await _reader(plan, options)
    # A run may begin or end while its journal is read: one that has not said its end held the lock before
    # or holds it now, or else it was killed.
    before, ledger = await reader.holder(), await reader.ledger(known or listed(plan))
    read = snapshot(ledger)
    found = await reader.holder()
    if ledger.runs and ledger.runs[-1].ended_at is None:
        found = found or before
    unattended = await reader.unattended()
    holder = None if found is None else str(found)
    if holder is None and unattended:
        holder = "workers, none of them at work now"
    now = SystemClock().now()
    fresh = 0
    for event in list(startup_events(planned(plan, ledger.planned), ledger, now)):
        # The other startup events are about what a run will do, and none may begin.
        if isinstance(event, ImagePlanned) and event.key not in ledger.states:
            ledger.apply(event)
            fresh += 1
    facts = summary(ledger, plan=plan, now=now, running=holder is not None, zone=zone_of(plan))
    said = terminal.standing(facts, holder)
    if holder is None and await is_behind(plan, plan_folder(options.reports_dir, plan), read, reader):
        said += "; the journal is older than the report beside it, which the next run takes in first"
    return _Standing(
        summary=facts,
        said=said,
        holder=holder,
        fresh=fresh,
        unattended=list(unattended),
        edited=edited(ledger),
    )


def _print_standing(standing: _Standing, console: Console) -> None:
    facts = standing.summary
    if console.json:
        console.object(_status_object(standing))
        return
    shown = terminal.live_status(facts, run=standing.said, waits=standing.waits)
    _print_lines(shown, facts.totals, facts.failures, console)


def _print_lines(shown: LiveStatus, totals: Tally, failures: Sequence[Cause], console: Console) -> None:
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


def _print_watched(standing: _Standing, console: Console) -> None:
    if console.json:
        console.object(_status_object(standing))
        return
    shown = terminal.live_status(standing.summary, run=standing.said, waits=standing.waits)
    columns, rows = STDOUT.size()
    moving = STDOUT.moving
    drawn = terminal.view(
        shown,
        width=columns - 1 if moving else 1000,
        height=max(rows - 1, 1) if moving else None,
        encoding=STDOUT.encoding,
    )
    text = "\n".join(painted(drawn, colored=console.colored_on(STDOUT)))
    if moving:
        # The screen anew: whatever became of its size meanwhile, nothing old stays.
        STDOUT.write("\x1b[H\x1b[2J" + text)
        STDOUT.flush()
    else:
        STDOUT.line(text)


def _status_object(standing: _Standing) -> dict[str, object]:
    facts = standing.summary
    totals = {phase.value: count for phase, count in facts.totals.by_status.items()}
    return {
        "plan": facts.plan.name,
        "images": facts.totals.images,
        "totals": totals,
        "machines": {state.value: facts.machines.count(state) for state in MachineState},
        "run": facts.runs[-1].state.value if facts.runs else None,
        "said": standing.said,
        "holder": standing.holder,
        "new_in_plan": standing.fresh,
        "per_hour": facts.throughput.per_hour,
        "eta_seconds": facts.eta.seconds,
        "waits": [*standing.waits, *facts.waits],
    }


async def report(
    plan: Plan, options: Options, console: Console, *, formats: Sequence[str] = (), output: str | None = None
) -> int:
    """Write every report anew, or those named; to a file or to stdout ("-") where `output` says so."""
    reader = await _reader(plan, options)
    return await write_anew(plan, reader, options.reports_dir, console, formats=formats, output=output)


async def dry_run(plan: Plan, options: Options, console: Console) -> int:
    """Show every import that a run would ask for, in order; the journal is only read."""
    check_keys(plan, options)
    ledger, selected = await ledger_ahead(plan, options)
    chosen = choose(plan, ledger, options.limit, selected).keys
    keys = [key for key in chosen if ledger.states[key].phase is Phase.PENDING]
    cloud = DryCloud()
    marked = plan.policy.marker is MarkerKind.TAG
    for key in keys:
        image, state = ledger.planned[key].image, ledger.states[key]
        if image.undecided and state.method:
            image = structs.replace(image, method=state.method)
        cloud.submit(image, marker(plan.name, key) if marked else None)
        method = method_of(image)
        url = f"{plan.targets[image.target].ims_endpoint}{method.path}"
        if console.json:
            said = {"import": method.key, "decided": method_for(wish_of(image)).method is not None}
            console.object({"key": key, "method": "POST", "url": url, **said, "body": cloud.bodies[-1]})
        else:
            console.out(f"POST {url}")
            console.out(f"  {json.dumps(cloud.bodies[-1], ensure_ascii=False)}")
    for sentence in undecided(ledger.planned[key].image for key in keys if not ledger.states[key].method):
        console.say(sentence)
    for floor in floors(plan, ledger, chosen, time.time()):
        console.say(_at_best(floor, plan))
    console.say(f"{plural(len(keys), 'import')} would be submitted; nothing was sent")
    return 0


def _at_best(floor: Floor, plan: Plan) -> str:
    limits = plan.targets[floor.target].limits
    after = f" after {floor.running} under way" if floor.running else ""
    how = "as so far" if floor.learned else "assumed"
    return (
        f"{floor.target}: {plural(floor.images, 'import')}{after}, {limits.max_jobs} at once and "
        f"{limits.submit_rate}: {span(floor.seconds)} at best, if one takes {span(floor.typical)} ({how})"
    )


async def demo(seed: int, reports_dir: Path, console: Console) -> int:
    """Import the shipped plan against a simulator of its own."""
    data = resources.files("migrator").joinpath("data/demo.toml").read_bytes()
    plan, _ = parse_plan(data, path="demo.toml")
    settings = settings_of("demo", seed=seed)
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(SystemClock().now()))
    async with serve(settings) as running:
        named = plan.model_copy(update={"name": f"demo-{stamp}"})
        console.say("a simulated cloud throttles some requests and lets some imports fail; nothing is real")
        environ = {"HUAWEICLOUD_SDK_AK": settings.access_key, "HUAWEICLOUD_SDK_SK": settings.secret_key}
        options = Options(reports_dir=reports_dir, environ=environ)
        code = await run(at_endpoint(named, running.url), options, console)
    if code in (0, 3) and not console.json:
        page = plan_folder(reports_dir, named) / "report.html"
        console.say(f"next: open {page} in a browser; {called(sys.argv[0])} init begins a plan of your own")
    # Some imports fail so that there is something to see; a machine gets the code that its last line tells.
    return 0 if code == 3 and not console.json else code


def called(program: str) -> str:
    """What to type for the program that was started as `program`: its name, where a shell finds that."""
    found = shutil.which("migrator") is not None
    return shlex.quote(program) if not found and Path(program).name == "migrator" else "migrator"
