"""`migrator run PLAN --simulate`: a plan run on a stand-in cloud in this process; what it measures.

The rules:

1. Nothing is read but the plan: no credentials, no journal, no proxy, none of the environment.
2. Nothing is sent at all, and nothing is left behind but reports in a folder that somebody named; there the
   rehearsal has a name of its own.
3. Everything is as the plan says, rates, limits and policy, but for three things: every object is there and
   fits on its disk, the windows of waves are open, and the quota holds the plan; where the default one would
   not, that is said.
4. Time is simulated: it passes when nothing is left to do, so that no figure depends on this machine. Each
   region is a cloud of its own.
5. What is measured is the run; preflight came before, and its requests do not count.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from migrator.cli.ahead import ledger_ahead
from migrator.cli.common import Console, plural
from migrator.cli.journals import plan_folder
from migrator.cli.options import FAULT_PROFILES, Options
from migrator.cli.preflight import run_preflight
from migrator.cli.session import run
from migrator.cli.stand_in import ADDRESS, StandIn
from migrator.cli.wiring import Surroundings, open_clouds, zone_of
from migrator.cli.work import check_keys, choose, decided_offline
from migrator.domain.errors import UsageError
from migrator.domain.image import Image, ImageType
from migrator.domain.plan import Plan, Target
from migrator.engine.preflight import PreflightResult
from migrator.ims.methods import companion_of, method_of
from migrator.io.virtual_time import VirtualClock
from migrator.journal.stores import journal_in_memory
from migrator.pacing.floor import TYPICAL
from migrator.plan import at_endpoint
from migrator.reports.summary import Summary, summary
from migrator.simulator.settings import SCENARIOS, BucketSettings, ObjectSettings, Settings
from migrator.workflow.resume import listed

DEFAULT_QUOTA = Settings().quota
"""Private images that a project may have unless somebody had its quota raised."""

WINDOW = 60
"""Simulated seconds over which a peak rate is measured: a single one is too short for this machine."""

_GB = 2**30
_NOT_QUERIES = frozenset({"import", "token", "metadata", "object", "bucket", "projects"})
"""Requests that do not count against query_rate."""

_INTERRUPTED = (130, 143, 129)
"""Exit codes of a rehearsal that a signal ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a rehearsal measured."""

    plan: str
    """The plan's name."""

    fault_profile: str
    speed: float
    """Simulated seconds in a real one, as it came out."""

    job_seconds: float
    """How long one import was assumed to take on average."""

    exit_code: int
    reason: str
    """How the run ended, or why it would not begin."""

    over_quota: Mapping[str, int] = field(default_factory=dict)
    """Images to do of each target whose project would not hold them by its default quota, DEFAULT_QUOTA."""

    preflight: PreflightResult | None = None
    """None where there was none."""

    summary: Summary | None = None
    """What became of the images; None where nothing began."""

    seconds: float | None = None
    """Simulated seconds from the first line of the run to its last; None where nothing began."""

    peak_imports: float = 0.0
    """Import requests per second in the busiest WINDOW."""

    peak_queries: float = 0.0
    """Requests that count against query_rate, per second in the busiest WINDOW."""

    most_jobs: int = 0
    """Jobs of one project that ran at once."""

    requests: Mapping[str, int]
    """By kind."""

    error_codes: Mapping[str, int]
    """Requests that were answered with an error, by its code."""

    undelivered: Mapping[str, int]
    """Requests that got no complete answer, by what happened to it."""

    reports: Path | None = None
    """The folder with the reports of the rehearsal, where they stay."""

    @property
    def interrupted(self) -> bool:
        """Whether a signal ended it, so that its figures say nothing."""
        return self.exit_code in _INTERRUPTED


async def rehearse(
    plan: Plan, options: Options, console: Console, fault_profile: str, keep: Path | None
) -> Rehearsal:
    """Run the plan on a stand-in cloud, and measure it; `console` shows how far it is.

    `keep` is where the reports of the rehearsal stay; None leaves nothing. Folder and environment of
    `options` are not used. Raises UsageError for a fault profile that does not exist.
    """
    if fault_profile not in FAULT_PROFILES:
        raise UsageError(
            f"--simulate {fault_profile!r}: there is no such fault profile",
            hint=f"There are: {', '.join(FAULT_PROFILES)}.",
        )
    check_keys(plan, options)
    if any(wave.not_before is not None or wave.not_after is not None for wave in plan.waves):
        console.say("the windows of waves (not_before, not_after) are ignored in a rehearsal")
    settings = settings_for(plan, fault_profile)
    named = plan.model_copy(update={"name": f"{plan.name[:36]}-rehearsal-{_stamp()}"})
    folder = keep or Path()
    isolated = replace(options, path=None, reports_dir=folder, journal=None, environ={})
    ledger, selected = await ledger_ahead(named, isolated)
    keys = choose(named, ledger, options.limit, selected).keys
    console.say(
        f"rehearsing {plan.name} under fault profile {fault_profile}: {plural(len(keys), 'image')} in "
        "simulated time; nothing leaves this machine"
    )
    clock = VirtualClock(time.time())
    cloud = StandIn(settings, (target.region for target in plan.targets.values()), clock)
    began = time.monotonic()
    outcome = await _carry_out(
        _redirected(named), isolated, settings, cloud, console, reports=keep is not None
    )
    speed = clock.monotonic() / max(time.monotonic() - began, 1e-3)
    return Rehearsal(
        plan=plan.name,
        fault_profile=fault_profile,
        speed=speed,
        job_seconds=settings.job_seconds,
        over_quota=over_quota(plan, keys),
        exit_code=outcome.exit_code,
        reason=outcome.reason,
        preflight=outcome.preflight,
        summary=outcome.summary,
        seconds=outcome.seconds,
        peak_imports=peak([counts for kind, counts in cloud.seconds() if kind == "import"]),
        peak_queries=peak([counts for kind, counts in cloud.seconds() if kind not in _NOT_QUERIES]),
        most_jobs=cloud.most_running,
        requests=dict(cloud.requests),
        error_codes=dict(cloud.codes),
        undelivered=dict(cloud.acts),
        reports=plan_folder(folder, named.name) if keep is not None and outcome.summary is not None else None,
    )


# --- The cloud and the plan -----------------------------------------------------------------------------


def settings_for(plan: Plan, fault_profile: str) -> Settings:
    """A cloud in which all that a plan counts on is there: regions and projects, buckets and objects.

    Each object is smaller than its disk, and each bucket lies where the first image that names it goes to. A
    job lasts TYPICAL seconds on average in "calm", and as much longer in another fault profile as that says.
    """
    base = SCENARIOS[fault_profile]
    regions, projects = _projects(list(plan.targets.values()))
    buckets: dict[str, BucketSettings] = {}
    objects: dict[str, ObjectSettings] = {}
    for image in plan.images:
        buckets.setdefault(image.source.bucket, BucketSettings(region=plan.targets[image.target].region))
        size = _size(image)
        earlier = objects.get(image.image_url)
        objects[image.image_url] = ObjectSettings(size=min(size, earlier.size) if earlier else size)
        if (companion := companion_of(image)) is not None:
            objects[str(companion)] = ObjectSettings(size=100_000)
    return base.model_copy(
        update={
            "any_project": True,
            "regions": regions,
            "projects": projects,
            "buckets": buckets,
            "objects": objects,
            "quota": max(base.quota, 2 * len(plan.images)),
            "job_seconds": base.job_seconds * TYPICAL / SCENARIOS["calm"].job_seconds,
        }
    )


def over_quota(plan: Plan, keys: Iterable[str]) -> dict[str, int]:
    """Images to do of each target that the default quota of its project would not hold.

    Targets of one project share its quota, so each of them is named with what they need together.
    """
    chosen = set(keys)
    wanted: Counter[tuple[str, str | None]] = Counter()
    for image in plan.images:
        if image.key in chosen:
            wanted[_project(plan.targets[image.target])] += 1
    counts = {name: wanted[_project(target)] for name, target in plan.targets.items()}
    return {name: count for name, count in counts.items() if count > DEFAULT_QUOTA}


def _project(target: Target) -> tuple[str, str | None]:
    return target.region, target.project_id


def _size(image: Image) -> int:
    """Half of the disk, as far as its import takes that; a data disk may be as small as one GB, and so may
    its file."""
    least = 1 if image.type is ImageType.DATA else 2
    return min(max(image.min_disk, least) * _GB // 2, method_of(image).sure_bytes)


def _projects(targets: Sequence[Target]) -> tuple[dict[str, str], dict[str, str]]:
    """The project that each region's name stands for, and those besides that targets name, by id."""
    regions: dict[str, str] = {}
    named = {target.project_id: target.region for target in targets if target.project_id}
    for number, region in enumerate(dict.fromkeys(target.region for target in targets), 1):
        regions[region] = f"{number:032x}"
    return regions, named


def _redirected(plan: Plan) -> Plan:
    """The plan as it is rehearsed: every service in this process, other credentials, and windows open."""
    waves = tuple(replace(wave, not_before=None, not_after=None) for wave in plan.waves)
    targets = {
        name: target.model_copy(update={"credentials": "env"}) for name, target in plan.targets.items()
    }
    return at_endpoint(plan.model_copy(update={"targets": targets, "waves": waves}), ADDRESS)


# --- The run --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """How the run ended; fields as those of Rehearsal."""

    exit_code: int
    reason: str
    preflight: PreflightResult | None = None
    summary: Summary | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _ProgressOnly(Console):
    """Shows how far it is, and says nothing: its advice would be about a run that never was."""

    def say(self, text: str, *, label: str = "", colour: str = "") -> None:
        """Nothing."""


async def _carry_out(
    plan: Plan, options: Options, settings: Settings, cloud: StandIn, console: Console, *, reports: bool
) -> _Outcome:
    environ = {"HUAWEICLOUD_SDK_AK": settings.access_key, "HUAWEICLOUD_SDK_SK": settings.secret_key}
    silent = _ProgressOnly(quiet=console.quiet, color=console.color)
    clock, preflight = cloud.clock, None
    if options.preflight:
        ledger, selected = await ledger_ahead(plan, options)
        keys = choose(plan, ledger, options.limit, selected).keys
        async with open_clouds(plan, clock, environ, cloud.http) as services:
            preflight = await run_preflight(plan, ledger, keys, services, clock, silent, wall=clock)
        if preflight.exit_code:
            return _Outcome(
                exit_code=preflight.exit_code, reason="preflight would refuse the run", preflight=preflight
            )
    cloud.forget_requests()
    journal = journal_in_memory()
    there = Surroundings(
        clock=clock,
        road=cloud.http,
        journal=journal,
        reports=reports,
        decided=preflight.decided if preflight else decided_offline(plan.images),
    )
    code = await run(plan, replace(options, preflight=False, environ=environ), silent, there)
    ledger = await journal.read().ledger(listed(plan))
    last = ledger.runs[-1]
    return _Outcome(
        exit_code=code,
        reason=last.reason or "",
        preflight=preflight,
        summary=summary(ledger, plan=plan, now=clock.now(), zone=zone_of(plan)),
        seconds=max((last.ended_at or clock.now()) - last.began_at, 0.0),
    )


def peak(seconds: Iterable[Mapping[int, int]], window: int = WINDOW) -> float:
    """The most per second in any `window` seconds in a row, of counts by second."""
    total: Counter[int] = Counter()
    for counts in seconds:
        total.update(counts)
    most = inside = 0
    ordered = sorted(total)
    oldest = 0
    for second in ordered:
        inside += total[second]
        while ordered[oldest] <= second - window:
            inside -= total[ordered[oldest]]
            oldest += 1
        most = max(most, inside)
    return most / window


def _stamp() -> str:
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime())
