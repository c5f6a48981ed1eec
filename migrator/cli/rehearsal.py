"""`migrator run PLAN --simulate`: a plan run on a stand-in cloud in this process, at speed; what it shows.

The rules:

1. Nothing is read but the plan: no credentials, no journal, no proxy, none of the environment.
2. Nothing is sent but to 127.0.0.1, and nothing is left behind but in a folder that somebody named; there the
   rehearsal has a name of its own, so that no real run takes its journal for its own.
3. Everything is as the plan says, rates, limits and policy, but for three things: every object is there and
   fits on its disk, the windows of waves are open, and requests that hang are given up on by real seconds.
4. What it shows is of the run; preflight came before, and is told apart.
"""

import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import exp
from pathlib import Path

from migrator.cli.app import WEATHERS
from migrator.cli.common import Look, plural
from migrator.cli.parts import clock_for, open_clouds, plan_folder
from migrator.cli.preflight import TOLD_OFFLINE, ask_all, ledger_ahead
from migrator.cli.session import Options, check_keys, choose, run
from migrator.core.checks import Finding, Severity
from migrator.core.floor import TYPICAL, floors
from migrator.core.headline import span
from migrator.core.ledger import Ledger
from migrator.core.plan import at_endpoint
from migrator.core.reconcile import listed
from migrator.core.summary import Summary, summary
from migrator.edges.clock import REHEARSAL
from migrator.edges.journal import Journal
from migrator.engine.preflight import Seen
from migrator.errors import UsageError
from migrator.model import Image, ImageType, Plan, Target
from migrator.render.findings import as_json, as_text
from migrator.simulator.inspection import Stats
from migrator.simulator.server import Running, serve
from migrator.simulator.settings import SCENARIOS, Bucket, Object, Settings

REAL_SECONDS = 22.0
"""How long a rehearsal is meant to take."""

SECONDS_PER_IMAGE = 0.03
"""Real seconds that each image may need of this machine, which plays both sides."""

FASTEST = 600.0
"""Simulated seconds in a real one, at most: beyond it a real millisecond would be felt."""

PATIENCE = 2.0
"""Real seconds after which a request that hangs is given up on at the earliest, however fast time runs."""

WINDOW = 60
"""Simulated seconds over which a peak rate is measured: a single one is too short for this machine."""

_GB = 2**30
_LEFT_OUT = frozenset({"import", "token", "metadata", "object", "bucket", "projects"})
"""Requests that do not count against query_rate."""

_OVER = (130, 143, 129)
"""Exit codes of a rehearsal that somebody ended."""


async def rehearse(
    plan: Plan, warnings: list[str], options: Options, look: Look, weather: str, keep: Path | None
) -> int:
    """Run the plan on a stand-in cloud, say what is to be expected, and return the exit code of that run.

    `warnings` are those of reading the plan. `keep` is where the reports of the rehearsal stay; None leaves
    nothing. Of `options`, folder and environment are not looked at. Raises UsageError for another weather.
    """
    if weather not in WEATHERS:
        raise UsageError(
            f"--simulate {weather!r}: there is no such weather", hint=f"There are: {', '.join(WEATHERS)}."
        )
    check_keys(plan, options)
    if any(wave.not_before is not None or wave.not_after is not None for wave in plan.waves):
        look.say("the windows of waves (not_before, not_after) are ignored in a rehearsal")
    settings = settings_for(plan, weather)
    with ExitStack() as stack:
        if keep is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="migrator-rehearsal-")))
        else:
            folder = keep
        named = plan.model_copy(update={"name": f"{plan.name[:36]}-rehearsal-{_stamp()}"})
        alone = replace(options, path=None, reports_dir=folder, environ={})
        ledger, meant = await ledger_ahead(named, alone)
        keys = choose(named, ledger, options.limit, meant).keys
        simulated = expected_seconds(plan, ledger, keys, settings)
        speed = speed_for(simulated, len(keys))
        look.say(
            f"rehearsing {plan.name} in {weather} weather, {speed:.0f} times as fast: "
            f"{plural(len(keys), 'image')}, about {span(simulated / speed)}; nothing leaves this machine"
        )
        async with serve(settings, speed=speed, anchor=time.time()) as running:
            outcome = await _play(_redirected(named, running), alone, settings, running, look)
        if outcome.exit_code in _OVER:
            look.say("the rehearsal was interrupted, so it says nothing; no trace of it is in the cloud")
            if look.json:
                look.object({"plan": plan.name, "reason": outcome.reason, "exit_code": outcome.exit_code})
            return outcome.exit_code
        told = {"plan": plan.name, "weather": weather, "speed": speed, "warnings": warnings}
        kept = plan_folder(folder, named) if keep is not None and outcome.facts is not None else None
        _tell(outcome, told, kept, settings, running, look)
    return outcome.exit_code


# --- The stage ------------------------------------------------------------------------------------------


def settings_for(plan: Plan, weather: str) -> Settings:
    """A cloud in which all that a plan counts on is there: regions and projects, buckets and objects.

    Each object is smaller than its disk, and each bucket lies where the first image that names it goes to. A
    job lasts TYPICAL seconds on average in calm weather, and as much longer in another as the scenario says.
    """
    base = SCENARIOS[weather]
    regions: dict[str, str] = {}
    for number, target in enumerate(plan.targets.values(), 1):
        regions.setdefault(target.region, target.project_id or f"{number:032x}")
    buckets: dict[str, Bucket] = {}
    objects: dict[str, Object] = {}
    for image in plan.images:
        bucket, _, key = image.image_url.partition(":")
        buckets.setdefault(bucket, Bucket(region=plan.targets[image.target].region))
        size = _size(image)
        earlier = objects.get(image.image_url)
        objects[image.image_url] = Object(size=min(size, earlier.size) if earlier else size)
        if key.lower().endswith(".raw"):
            objects[f"{image.image_url[:-4]}.mf"] = Object(size=100_000)
    return base.model_copy(
        update={
            "any_project": True,
            "regions": regions,
            "buckets": buckets,
            "objects": objects,
            "quota": max(base.quota, 2 * len(plan.images)),
            "job_seconds": base.job_seconds * TYPICAL / SCENARIOS["calm"].job_seconds,
        }
    )


def _size(image: Image) -> int:
    """Half of the disk; a data disk may be as small as one GB, and so may its file."""
    least = 1 if image.type is ImageType.DATA else 2
    return max(image.min_disk, least) * _GB // 2


def expected_seconds(plan: Plan, ledger: Ledger, keys: list[str], settings: Settings) -> float:
    """Simulated seconds that the rehearsal takes, roughly: the plan's floor, and the longest job after it."""
    floor = max((floor.seconds for floor in floors(plan, ledger, keys, time.time())), default=0.0)
    sigma = settings.job_sigma
    tail = settings.job_seconds * (exp(2.0 * sigma - sigma**2 / 2) - 1)
    return floor * settings.job_seconds / TYPICAL + tail if keys else 0.0


def speed_for(simulated: float, images: int) -> float:
    """How fast time runs, so that it takes REAL_SECONDS, and longer where this machine could not keep up."""
    real = max(REAL_SECONDS, images * SECONDS_PER_IMAGE)
    return min(max(simulated / real, 1.0), FASTEST)


def _redirected(plan: Plan, running: Running) -> Plan:
    """The plan as it is played: every service on this machine, other credentials, and windows open."""

    def at_speed(target: Target) -> Target:
        timeout = target.limits.request_timeout
        shorter = min(timeout, max(timeout / running.speed, PATIENCE))
        limits = target.limits.model_copy(update={"request_timeout": shorter})
        return target.model_copy(update={"credentials": "env", "limits": limits})

    waves = tuple(replace(wave, not_before=None, not_after=None) for wave in plan.waves)
    targets = {name: at_speed(target) for name, target in plan.targets.items()}
    return at_endpoint(plan.model_copy(update={"targets": targets, "waves": waves}), running.url)


# --- The play -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """How it ended."""

    exit_code: int
    reason: str
    seen: Seen | None = None
    """What preflight found; None where nobody looked."""

    facts: Summary | None = None
    """What became of the images; None where nothing began."""

    seconds: float | None = None
    """Simulated seconds from the first line of the run to its last; None where nothing began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Still(Look):
    """Shows how far it is, and says nothing: its advice would be about a run that never was."""

    def say(self, text: str) -> None:
        """Nothing."""


async def _play(plan: Plan, options: Options, settings: Settings, running: Running, look: Look) -> _Outcome:
    environ = {
        "HUAWEICLOUD_SDK_AK": settings.access_key,
        "HUAWEICLOUD_SDK_SK": settings.secret_key,
        REHEARSAL: f"{running.speed}@{running.anchor}",
    }
    still = _Still(quiet=look.quiet, color=look.color)
    seen = None
    if options.preflight:
        clock = clock_for(plan, environ)
        ledger, meant = await ledger_ahead(plan, options)
        keys = choose(plan, ledger, options.limit, meant).keys
        async with open_clouds(plan, clock, environ) as parts:
            seen = await ask_all(plan, ledger, keys, parts, clock, still, command=False)
        if seen.exit_code:
            return _Outcome(exit_code=seen.exit_code, reason="preflight would refuse the run", seen=seen)
    now = running.now()
    running.simulator.stats = Stats(began_at=now, last_at=now)
    code = await run(plan, replace(options, preflight=False, environ=environ), still)
    path = plan_folder(options.reports_dir, plan) / "journal.db"
    ledger = await Journal.read(path).ledger(listed(plan))
    last = ledger.runs[-1]
    return _Outcome(
        exit_code=code,
        reason=last.reason or "",
        seen=seen,
        facts=summary(ledger, plan=plan, now=running.now()),
        seconds=max((last.ended_at or running.now()) - last.began_at, 0.0),
    )


# --- The review -----------------------------------------------------------------------------------------


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


def _tell(
    outcome: _Outcome,
    told: dict[str, object],
    kept: Path | None,
    settings: Settings,
    running: Running,
    look: Look,
) -> None:
    stats = running.simulator.stats
    imports = peak([stats.seconds.get("import", {})])
    queries = peak([counts for kind, counts in stats.seconds.items() if kind not in _LEFT_OUT])
    findings = _worth_telling(outcome.seen)
    if look.json:
        images = outcome.seen.images if outcome.seen else 0
        look.object(
            {
                **told,
                "job_seconds": settings.job_seconds,
                "expected_seconds": None if outcome.seconds is None else round(outcome.seconds),
                "totals": _totals(outcome.facts),
                "peak_imports_per_second": round(imports, 2),
                "peak_queries_per_second": round(queries, 2),
                "peak_window_seconds": WINDOW,
                "most_jobs": running.simulator.most_running,
                "requests": dict(stats.requests),
                "refused": dict(stats.codes),
                "lost": dict(stats.acts),
                "preflight": None
                if outcome.seen is None
                else as_json(str(told["plan"]), findings, images=images, exit_code=outcome.seen.exit_code),
                "failures": _failures(outcome.facts),
                "reason": outcome.reason,
                "exit_code": outcome.exit_code,
                "reports": None if kept is None else str(kept),
            }
        )
        return
    for line in as_text(finding for finding in findings if finding.code not in TOLD_OFFLINE):
        look.out(line)
    if outcome.facts is not None and outcome.seconds is not None:
        until = " until it stops" if outcome.facts.totals.unfinished else ""
        assumed = f"if one import takes {span(settings.job_seconds)} on average (assumed)"
        look.out(f"{'takes':<14}{span(outcome.seconds)}{until}, {assumed}")
        look.out(f"{'peak':<14}{imports:.2g} imports/s, {queries:.2g} queries/s in the busiest minute")
        look.out(f"{'most jobs':<14}{running.simulator.most_running} at once")
        look.out(f"{'refused':<14}{_refused(stats)}")
        totals = _totals(outcome.facts)
        look.out(f"{'images':<14}{', '.join(f'{n} {name}' for name, n in totals.items() if n) or 'none'}")
        for cause in outcome.facts.failures:
            look.out(f"{'fails':<14}{cause.count} x {cause.code} {cause.message}")
            if cause.remedy:
                look.out(f"{'':<14}{cause.remedy}")
    warnings = told["warnings"]
    if isinstance(warnings, list) and warnings:
        look.out(f"{'warnings':<14}{len(warnings)} about the plan itself, said above")
    look.out(f"{'would end':<14}{outcome.reason} (exit code {outcome.exit_code})")
    if kept is not None:
        look.say(f"reports of the rehearsal: {kept}")


def _worth_telling(seen: Seen | None) -> list[Finding]:
    return [] if seen is None else [one for one in seen.findings if one.severity is not Severity.INFO]


def _totals(facts: Summary | None) -> dict[str, int]:
    return {} if facts is None else {phase.value: count for phase, count in facts.totals.by_status.items()}


def _failures(facts: Summary | None) -> list[dict[str, object]]:
    return [
        {"code": cause.code, "message": cause.message, "remedy": cause.remedy, "count": cause.count}
        for cause in (facts.failures if facts else ())
    ]


def _refused(stats: Stats) -> str:
    """Requests of any kind that were answered with an error, or not at all, by code."""
    counts = Counter(stats.codes) + Counter(stats.acts)
    if not counts:
        return f"none of {sum(stats.requests.values()):,} requests"
    most = ", ".join(f"{count} x {code}" for code, count in counts.most_common(5))
    return f"{sum(counts.values()):,} of {sum(stats.requests.values()):,} requests ({most})"


def _stamp() -> str:
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime())
