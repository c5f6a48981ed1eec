"""The commands. Their bodies import what they need, so that `--help` is there at once."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from migrator.cli import completion, many_hosts
from migrator.cli.arguments import REPORTS, JournalUrl, PlanPath, ReportsDir, duration, selection
from migrator.cli.command_line import Commands, RehearsableCommand
from migrator.cli.common import Console, command, plural, run_async, run_virtually
from migrator.cli.notify_command import notify
from migrator.cli.options import Options, ProblemFormat, ReportFormat
from migrator.cli.schemas import schema
from migrator.cli.serve import serve
from migrator.domain.sheets import Hidden

lasting_command = partial(command, lasting=True)


app = typer.Typer(
    name="migrator",
    cls=Commands,
    help="Bulk import of disk images into Huawei Cloud: paced, resumable, and never twice.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        from migrator import __version__

        typer.echo(f"migrator {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Bulk import of disk images into Huawei Cloud: paced, resumable, and never twice."""


@app.command()
@command
def init(
    *,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The plan to write.")] = Path("plan.toml"),
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="A list of disks (.csv, .xlsx), or an RVTools export or its folder.",
        ),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option("--encoding", metavar="NAME", help="Of a CSV file, such as windows-1252.")
    ] = None,
    hidden: Annotated[
        Hidden | None, typer.Option("--hidden", help="What becomes of hidden rows and columns of a workbook.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="An example with every key there is.")] = False,
    console: Console,
) -> int:
    """Write a commented plan to start from."""
    from migrator.cli.new_plan import full_example, write_new
    from migrator.domain.errors import UsageError
    from migrator.plan import STARTER

    files, notes = {path: STARTER.encode()}, list[str]()
    if full and source is not None:
        raise UsageError("--full and --from do not go together", hint="Take one of them out.")
    if full:
        files = full_example(path)
        notes = [f"wrote {beside}, which the plan reads" for beside in files if beside != path]
    elif source is not None:
        from migrator.cli.scaffold import scaffold
        from migrator.domain.sheets import How

        begun = scaffold(source, path, How(encoding=encoding, hidden=hidden))
        files, notes = {path: begun.text.encode()}, begun.notes
    write_new(files)
    for note in notes:
        console.say(note)
    console.say(f"wrote {path}; edit it, then: migrator validate {path}")
    return 0


@app.command()
@command
def validate(
    *,
    plan: PlanPath,
    form: Annotated[
        ProblemFormat, typer.Option("--format", help="For a person, or as annotations of GitHub Actions.")
    ] = ProblemFormat.TEXT,
    console: Console,
) -> int:
    """Check a plan offline: every problem with file and line."""
    from migrator.cli.annotations import annotated
    from migrator.cli.notifying import obstacles
    from migrator.cli.wiring import late_windows, load
    from migrator.cli.work import undecided

    with annotated(form, console) as annotate:
        found, warnings = load(plan)
        annotate(warnings.problems)
    now = [*late_windows(found), *obstacles(found)]
    said = [*warnings.lines, *now]
    for warning in said:
        console.warn(warning)
    for sentence in undecided(found.images):
        console.say(sentence)
    if console.json:
        listed = [*(one.as_object() for one in warnings.problems), *now]
        console.object({"valid": True, "images": len(found.images), "warnings": listed})
    else:
        late = len(said) - len(warnings.lines)
        count = f", {plural(warnings.count + late, 'warning')}" if said else ""
        images, targets = plural(len(found.images), "image"), plural(len(found.targets), "target")
        console.say(f"{plan}: {images} for {targets}{count}; valid")
    return 0


@app.command()
@command
def preflight(
    *,
    plan: PlanPath,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="As for a run with that limit.")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Failed images as well.")] = False,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Ask for every file by itself; a request for each.")
    ] = False,
    reports_dir: ReportsDir = REPORTS,
    journal: JournalUrl = None,
    console: Console,
) -> int:
    """Check a plan online before the start, changing nothing."""
    from migrator.cli.preflight import preflight as check
    from migrator.cli.wiring import load

    found, warnings = load(plan)
    if warnings:
        console.say(f"the plan itself has {plural(warnings.count, 'warning')}: migrator validate {plan}")
    options = Options(reports_dir=reports_dir, journal=journal, limit=limit, retry_failed=retry_failed)
    return run_async(check, found, options, console, thorough)


@app.command(cls=RehearsableCommand)
@lasting_command
def run(
    *,
    ctx: typer.Context,
    plan: PlanPath,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent; send nothing.")
    ] = False,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="EXPR",
            autocompletion=completion.conditions,
            help="""Only these, as in 'name~"web-*" and wave==pilot'.""",
        ),
    ] = None,
    wave: Annotated[
        str | None,
        typer.Option(
            "--wave", metavar="NAME", autocompletion=completion.waves, help="Only images of this wave."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, metavar="N", help="At most so many new imports.")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Failed images as well.")] = False,
    again: Annotated[
        list[str] | None,
        typer.Option(
            "--again",
            metavar="KEY",
            autocompletion=completion.keys,
            help="Import TARGET/NAME again, whatever became of it.",
        ),
    ] = None,
    max_duration: Annotated[
        str | None, typer.Option("--max-duration", metavar="4h", help="Stop after so long; run again later.")
    ] = None,
    drain: Annotated[
        bool, typer.Option("--drain", help="On a signal, wait for running jobs instead of stopping.")
    ] = False,
    no_preflight: Annotated[bool, typer.Option("--no-preflight", help="Start without preflight.")] = False,
    metrics_file: Annotated[
        Path | None,
        typer.Option("--metrics-file", metavar="FILE", help="Write metrics there, for Prometheus."),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Hand the plan to the workers of --journal, and return.")
    ] = False,
    fault_profile: Annotated[
        str | None,
        typer.Option(
            "--simulate",
            metavar="[calm|busy|storm]",
            autocompletion=completion.fault_profiles,
            help="Rehearse on a stand-in cloud, at speed; windows of waves are ignored.",
        ),
    ] = None,
    reports_dir: ReportsDir = REPORTS,
    journal: JournalUrl = None,
    console: Console,
) -> int:
    """Start or resume a plan; live progress, reports at the end."""
    from migrator.cli.session import run as run_session
    from migrator.cli.wiring import load
    from migrator.domain.errors import UsageError

    if dry_run + detach + (fault_profile is not None) > 1:
        raise UsageError("--dry-run, --detach and --simulate are different things", hint="Use one of them.")
    if detach:
        from migrator.journal.stores import expect_postgres

        expect_postgres()
    found, warnings = load(plan)
    for warning in warnings.lines:
        console.warn(warning)
    options = Options(
        path=plan,
        reports_dir=reports_dir,
        journal=journal,
        limit=limit,
        only=selection("--only", only),
        wave=wave,
        retry_failed=retry_failed,
        again=frozenset(again or ()),
        max_duration=duration("--max-duration", max_duration),
        drain=drain,
        preflight=not no_preflight,
        metrics_file=metrics_file,
    )
    if detach:
        from migrator.cli.handing_over import detach as hand_over

        return run_async(hand_over, found, options, console)
    if dry_run:
        from migrator.cli.dry_run import dry_run as show_imports

        return run_async(show_imports, found, options, console)
    if fault_profile is not None:
        from migrator.cli.rehearsal import rehearse
        from migrator.cli.rehearsal_output import show

        # A folder from the environment is the one of real runs.
        source = ctx.get_parameter_source("reports_dir")
        named = source is not None and source.name == "COMMANDLINE"
        keep = reports_dir if named else None
        rehearsal = run_virtually(rehearse, found, options, console, fault_profile, keep)
        show(rehearsal, warnings, console)
        return rehearsal.exit_code
    return run_async(run_session, found, options, console)


@app.command()
@command
def status(
    *,
    plan: PlanPath,
    watch: Annotated[
        bool, typer.Option("--watch", help="Print it again every two seconds, until Ctrl-C.")
    ] = False,
    reports_dir: ReportsDir = REPORTS,
    journal: JournalUrl = None,
    console: Console,
) -> int:
    """Where a plan stands, also while it runs."""
    from migrator.cli.counted import counted
    from migrator.cli.plan_head import plan_head

    options = Options(reports_dir=reports_dir, journal=journal)
    if not watch and (head := plan_head(plan)) is not None:
        code = run_async(counted, head, options, console)
        if code is not None:
            return code
    from migrator.cli.status import status as where_it_stands
    from migrator.cli.wiring import load

    return run_async(partial(where_it_stands, watch=watch), load(plan)[0], options, console)


app.command()(many_hosts.worker)
app.command()(many_hosts.stop)
app.add_typer(many_hosts.journal_app, name="journal")


@app.command()
@command
def report(
    *,
    plan: PlanPath,
    form: Annotated[
        list[ReportFormat] | None, typer.Option("--format", help="Only this one; repeat it for more.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Where to, for one; - is stdout.")
    ] = None,
    reports_dir: ReportsDir = REPORTS,
    journal: JournalUrl = None,
    console: Console,
) -> int:
    """Rebuild reports, or ids for other tools; no network."""
    from migrator.cli.report import report as written_anew
    from migrator.cli.wiring import load

    options = Options(reports_dir=reports_dir, journal=journal)
    write = partial(written_anew, formats=form or (), output=output)
    return run_async(write, load(plan)[0], options, console)


@app.command()
@command
def diff(
    *,
    old: Annotated[Path, typer.Argument(metavar="OLD.json", help="The earlier report.json.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.json", help="The later one.")],
    console: Console,
) -> int:
    """Show what changed between two reports."""
    from migrator.cli.diff import diff as compare

    return compare(old, new, console)


@app.command()
@command
def reconcile(
    *,
    plan: PlanPath,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete what is left over; asks once, with the list.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    reports_dir: ReportsDir = REPORTS,
    journal: JournalUrl = None,
    console: Console,
) -> int:
    """Find images that nobody owns, and lost ones."""
    from migrator.cli.reconcile import reconcile as find_leftovers
    from migrator.cli.wiring import load

    options = Options(reports_dir=reports_dir, journal=journal)
    return find_leftovers(load(plan)[0], options, console, delete=delete, yes=yes)


@app.command()
@command
def simulate(
    *,
    scenario: Annotated[
        str,
        typer.Option(
            "--scenario",
            metavar="NAME",
            autocompletion=completion.scenarios,
            help="calm, busy, storm, demo or chaos.",
        ),
    ] = "calm",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed, the same faults.")] = 0,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="N", help="0 takes a free one.")
    ] = 0,
    speed: Annotated[
        float, typer.Option("--speed", min=0.01, metavar="X", help="Simulated seconds in a real one.")
    ] = 1.0,
    quota: Annotated[
        int | None,
        typer.Option("--quota", min=0, metavar="N", help="Private images that a project may have; 50."),
    ] = None,
    as_seen: Annotated[
        Path | None,
        typer.Option("--as", metavar="FILE", help="Behave as the service of a service.json was seen to."),
    ] = None,
    region: Annotated[
        list[str] | None,
        typer.Option("--region", metavar="NAME", help="At an address of its own; repeat it."),
    ] = None,
    console: Console,
) -> int:
    """Serve a stand-in cloud on 127.0.0.1, to rehearse."""
    from migrator.cli import serving

    stand_in = serving.StandInOptions(scenario, seed, port, speed, quota, as_seen, tuple(region or ()))
    return run_async(serving.simulate, stand_in, console)


@app.command()
@command
def doctor(
    *,
    plan: PlanPath,
    reports_dir: ReportsDir = REPORTS,
    journal: JournalUrl = None,
    console: Console,
) -> int:
    """Ask which beliefs about the service hold; changes nothing."""
    from migrator.cli.doctor import doctor as examine
    from migrator.cli.wiring import load

    options = Options(reports_dir=reports_dir, journal=journal)
    return run_async(examine, load(plan)[0], options, console)


@app.command()
@lasting_command
def demo(
    *,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="The same seed, the same faults.")] = 1,
    reports_dir: ReportsDir = REPORTS,
    console: Console,
) -> int:
    """See a small plan run against the stand-in cloud."""
    from migrator.cli.demo import demo as show

    return run_async(show, seed, reports_dir, console)


app.command()(schema)
app.command()(notify)
app.command()(serve)
