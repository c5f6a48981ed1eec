"""The commands. Their bodies import what they need, so that `--help` is there at once."""

from functools import partial
from pathlib import Path

import click

from migrator import __version__
from migrator.cli import completion, many_hosts
from migrator.cli.arguments import (
    FILE,
    OneOf,
    duration,
    journal_url,
    option,
    plan_path,
    reports_dir,
    retry_failed,
    selection,
)
from migrator.cli.command_line import Commands, RehearsableCommand
from migrator.cli.common import Console, command, lasting_command, plural, run_async, run_virtually
from migrator.cli.notify_command import notify
from migrator.cli.options import Options, ProblemFormat, ReportFormat
from migrator.cli.schemas import schema
from migrator.cli.serve import serve
from migrator.cli.shells import install_completion, show_completion
from migrator.domain.sheets import Hidden


@click.group(
    cls=Commands,
    name="migrator",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(
    __version__,
    "--version",
    message="%(prog)s %(version)s",
    prog_name="migrator",
    help="Show the version and exit.",
)
@install_completion
@show_completion
def app() -> None:
    """Bulk import of disk images into Huawei Cloud: paced, resumable, and never twice."""


@app.command()
@click.argument(
    "path",
    type=FILE,
    default=Path("plan.toml"),
    metavar="[PATH]",
    help="The plan to write; plan.toml if not given.",
)
@option(
    "source",
    "--from",
    type=FILE,
    metavar="FILE",
    help="A list of disks (.csv, .xlsx), or an RVTools export or its folder.",
)
@option("--encoding", metavar="NAME", help="Of a CSV file, such as windows-1252.")
@option("--hidden", type=OneOf(Hidden), help="What becomes of hidden rows and columns of a workbook.")
@option("--full", is_flag=True, help="An example with every key there is.")
@command
def init(
    *,
    path: Path,
    source: Path | None,
    encoding: str | None,
    hidden: Hidden | None,
    full: bool,
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
@plan_path
@option(
    "form",
    "--format",
    type=OneOf(ProblemFormat),
    default=ProblemFormat.TEXT,
    help="For a person, or as annotations of GitHub Actions.",
)
@command
def validate(*, plan: Path, form: ProblemFormat, console: Console) -> int:
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
@plan_path
@option("--limit", type=click.IntRange(min=1), metavar="N", help="As for a run with that limit.")
@retry_failed
@option("--thorough", is_flag=True, help="Ask for every file by itself; a request for each.")
@reports_dir
@journal_url
@command
def preflight(
    *,
    plan: Path,
    limit: int | None,
    retry_failed: bool,
    thorough: bool,
    reports_dir: Path,
    journal: str | None,
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
@plan_path
@option("--dry-run", is_flag=True, help="Show what would be sent; send nothing.")
@option(
    "--only",
    metavar="EXPR",
    shell_complete=completion.conditions,
    help="""Only these, as in 'name~"web-*" and wave==pilot'.""",
)
@option("--wave", metavar="NAME", shell_complete=completion.waves, help="Only images of this wave.")
@option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many new imports.")
@retry_failed
@option(
    "--again",
    multiple=True,
    metavar="KEY",
    shell_complete=completion.keys,
    help="Import TARGET/NAME again, whatever became of it.",
)
@option("--max-duration", metavar="4h", help="Stop after so long; run again later.")
@option("--drain", is_flag=True, help="On a signal, wait for running jobs instead of stopping.")
@option("--no-preflight", is_flag=True, help="Start without preflight.")
@option("--metrics-file", type=FILE, metavar="FILE", help="Write metrics there, for Prometheus.")
@option("--detach", is_flag=True, help="Hand the plan to the workers of --journal, and return.")
@option(
    "fault_profile",
    "--simulate",
    metavar="[calm|busy|storm]",
    shell_complete=completion.fault_profiles,
    help="Rehearse on a stand-in cloud, at speed; windows of waves are ignored.",
)
@reports_dir
@journal_url
@lasting_command
def run(
    *,
    plan: Path,
    dry_run: bool,
    only: str | None,
    wave: str | None,
    limit: int | None,
    retry_failed: bool,
    again: tuple[str, ...],
    max_duration: str | None,
    drain: bool,
    no_preflight: bool,
    metrics_file: Path | None,
    detach: bool,
    fault_profile: str | None,
    reports_dir: Path,
    journal: str | None,
    console: Console,
) -> int:
    """Start or resume a plan; live progress, reports at the end."""
    from migrator.cli.plan_read import read_to_go_on, read_whole
    from migrator.cli.session import run as run_session
    from migrator.domain.errors import UsageError

    if dry_run + detach + (fault_profile is not None) > 1:
        raise UsageError("--dry-run, --detach and --simulate are different things", hint="Use one of them.")
    if detach:
        from migrator.journal.stores import expect_postgres

        expect_postgres()
    if dry_run or detach or fault_profile is not None or only is not None or again:
        read = read_whole(plan)  # these look at images before a journal is opened, if ever one is
    else:
        read = read_to_go_on(plan, Options(reports_dir=reports_dir, journal=journal))
    found, warnings = read.plan, read.warnings
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
        again=frozenset(again),
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

        return show_imports(found, options, console)
    if fault_profile is not None:
        from migrator.cli.rehearsal import rehearse
        from migrator.cli.rehearsal_output import show

        # A folder from the environment is the one of real runs.
        source = click.get_current_context().get_parameter_source("reports_dir")
        named = source is not None and source.name == "COMMANDLINE"
        keep = reports_dir if named else None
        rehearsal = run_virtually(rehearse, found, options, console, fault_profile, keep)
        show(rehearsal, warnings, console)
        return rehearsal.exit_code
    return run_async(run_session, found, options, console, None, read)


@app.command()
@plan_path
@option("--watch", is_flag=True, help="Print it again every two seconds, until Ctrl-C.")
@reports_dir
@journal_url
@command
def status(*, plan: Path, watch: bool, reports_dir: Path, journal: str | None, console: Console) -> int:
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


app.add_command(many_hosts.worker)
app.add_command(many_hosts.stop)


@app.command()
@plan_path
@option(
    "form", "--format", type=OneOf(ReportFormat), multiple=True, help="Only this one; repeat it for more."
)
@option("--output", "-o", metavar="FILE", help="Where to, for one; - is stdout.")
@reports_dir
@journal_url
@command
def report(
    *,
    plan: Path,
    form: tuple[ReportFormat, ...],
    output: str | None,
    reports_dir: Path,
    journal: str | None,
    console: Console,
) -> int:
    """Rebuild reports, or ids for other tools; no network."""
    from migrator.cli.report import report as written_anew
    from migrator.cli.wiring import load

    options = Options(reports_dir=reports_dir, journal=journal)
    return written_anew(load(plan)[0], options, console, formats=form, output=output)


@app.command()
@click.argument("old", type=FILE, metavar="OLD.json", help="The earlier report.json.")
@click.argument("new", type=FILE, metavar="NEW.json", help="The later one.")
@command
def diff(*, old: Path, new: Path, console: Console) -> int:
    """Show what changed between two reports."""
    from migrator.cli.diff import diff as compare

    return compare(old, new, console)


@app.command()
@plan_path
@option("--delete", is_flag=True, help="Delete what is left over; asks once, with the list.")
@option("--yes", is_flag=True, help="Do not ask.")
@reports_dir
@journal_url
@command
def reconcile(
    *, plan: Path, delete: bool, yes: bool, reports_dir: Path, journal: str | None, console: Console
) -> int:
    """Find images that nobody owns, and lost ones."""
    from migrator.cli.reconcile import reconcile as find_leftovers
    from migrator.cli.wiring import load

    options = Options(reports_dir=reports_dir, journal=journal)
    return find_leftovers(load(plan)[0], options, console, delete=delete, yes=yes)


@app.command()
@option(
    "--scenario",
    default="calm",
    metavar="NAME",
    shell_complete=completion.scenarios,
    help="calm, busy, storm, demo or chaos.",
)
@option("--seed", type=int, default=0, metavar="N", help="The same seed, the same faults.")
@option("--port", type=click.IntRange(min=0, max=65535), default=0, metavar="N", help="0 takes a free one.")
@option(
    "--speed",
    type=click.FloatRange(min=0.01),
    default=1.0,
    metavar="X",
    help="Simulated seconds in a real one.",
)
@option(
    "--quota", type=click.IntRange(min=0), metavar="N", help="Private images that a project may have; 50."
)
@option(
    "as_seen", "--as", type=FILE, metavar="FILE", help="Behave as the service of a service.json was seen to."
)
@option("--region", multiple=True, metavar="NAME", help="At an address of its own; repeat it.")
@command
def simulate(
    *,
    scenario: str,
    seed: int,
    port: int,
    speed: float,
    quota: int | None,
    as_seen: Path | None,
    region: tuple[str, ...],
    console: Console,
) -> int:
    """Serve a stand-in cloud on 127.0.0.1, to rehearse."""
    from migrator.cli import serving

    stand_in = serving.StandInOptions(scenario, seed, port, speed, quota, as_seen, region)
    return run_async(serving.simulate, stand_in, console)


@app.command()
@plan_path
@reports_dir
@journal_url
@command
def doctor(*, plan: Path, reports_dir: Path, journal: str | None, console: Console) -> int:
    """Ask which beliefs about the service hold; changes nothing."""
    from migrator.cli.doctor import doctor as examine
    from migrator.cli.wiring import load

    options = Options(reports_dir=reports_dir, journal=journal)
    return run_async(examine, load(plan)[0], options, console)


@app.command()
@option("--seed", type=int, default=1, metavar="N", help="The same seed, the same faults.")
@reports_dir
@lasting_command
def demo(*, seed: int, reports_dir: Path, console: Console) -> int:
    """See a small plan run against the stand-in cloud."""
    from migrator.cli.demo import demo as show

    return run_async(show, seed, reports_dir, console)


app.add_command(schema)
app.add_command(notify)
app.add_command(serve)
app.add_command(many_hosts.journal)
