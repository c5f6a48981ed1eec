"""How close a run comes to the fastest that the cloud allows: `python -m tests.bench.bench_pace`.

Virtual time, the real engine and client, the simulator in process: the figures are exact and do not depend on
the machine. Each is a ratio, or a count, against a schedule or a loop computed from the very same jobs.
"""

import heapq
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import anyio
import structlog

from migrator.domain.plan import Limits, Plan, Policy, Polling
from migrator.domain.units import Rate, Threshold
from migrator.simulator.settings import Odds, Settings
from migrator.workflow.events import AttemptBegan, JobAccepted, JobFailed, JobSucceeded
from tests.conftest import JumpingLoop
from tests.rehearsal import Rehearsal, a_plan

IMAGES = 400
SLOTS = 40
MEAN = 600.0
_WIDTHS = (11, 10, 12, 9, 9, 4)
CALM = Settings(job_seconds=MEAN, job_spread="exponential", latency=(0.05, 0.15), seed=1)
KINDS = ("import", "poll", "list")
SEEDS = range(1, 9)
"""Dice move single figures by a tenth and more."""

FAULTS: dict[str, Any] = {
    "import_odds": Odds(
        error_before=0.05, error_after=0.05, reset_before=0.03, reset_after=0.03, truncate=0.01
    ),
    "poll_odds": Odds(error_before=0.08, reset_before=0.02),
    "other_odds": Odds(error_before=0.03),
    "burst_every": 300.0,
    "burst_seconds": 5.0,
}
LIMITS = Limits(
    max_jobs=SLOTS,
    submit_rate=Rate(count=10, unit="s"),
    submit_burst=SLOTS,
    query_rate=Rate(count=10, unit="s"),
)
ONE = Rate(count=1, unit="s")
SIXTY = Rate(count=60, unit="m")
RATES: list[tuple[str, Rate, Rate, dict[str, object]]] = [
    ("known: 1/s in plan and service", ONE, ONE, {}),
    ("known: 60/m in plan and service", SIXTY, SIXTY, {}),
    ("unknown: 2/s in plan, service 1/s", Rate(count=2, unit="s"), ONE, {}),
    ("unknown: 5/s in plan, service 60/m", Rate(count=5, unit="s"), SIXTY, {}),
    ("unknown: the same, with Retry-After", Rate(count=5, unit="s"), SIXTY, {"retry_after": True}),
    ("unknown: the same, told in headers", Rate(count=5, unit="s"), SIXTY, {"rate_headers": True}),
]
"""Name, the plan's submit rate, the service's limit, and how the service speaks of it."""

POLLING = Polling(first=10.0, min_interval=2.0, max_interval=300.0)
PATIENT = Policy(max_failures=Threshold(count=IMAGES))


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, measured by the simulator's own books."""

    makespan: float
    perfect: float
    """Seconds that a first-come schedule of the same jobs on the same slots takes, with no delay at all."""

    polls: float
    """Job queries for each job."""

    queries: float
    """Job queries and lists for each job."""

    notice: float
    """Mean seconds from a job's end to the moment when the program knew it."""

    duplicates: int
    refused: float
    """Refused requests as a fraction of all."""

    kinds: dict[str, float]
    """Requests for each image, by kind."""

    rehearsal: Rehearsal = field(repr=False)

    @property
    def ratio(self) -> float:
        return self.perfect / self.makespan


def plan_of(limits: Limits) -> Plan:
    """400 images of one target."""
    return a_plan(IMAGES, limits=limits, polling=POLLING, policy=PATIENT)


async def run(plan: Plan, settings: Settings) -> Run:
    """Run a plan to its end and take its measure."""
    rehearsal = Rehearsal(plan, settings)
    ending = await rehearsal.run()
    assert ending.exit_code == 0, ending
    simulator, facts = rehearsal.simulator, rehearsal.journal.facts
    jobs = [record.job for record in simulator.project(settings.regions["cn-north-4"]).records]
    order = sorted(jobs, key=lambda job: job.accepted)
    noticed = {fact.key: fact.at for fact in facts if isinstance(fact, (JobSucceeded, JobFailed))}
    by_name = {
        record.job.id: record.name for record in simulator.project(settings.regions["cn-north-4"]).records
    }
    known = {fact.key: fact.job_id for fact in facts if isinstance(fact, JobAccepted)}
    ends = {job.id: job.ends for job in jobs}
    delays = [
        noticed[key] - ends[job_id] for key, job_id in known.items() if job_id in ends and key in noticed
    ]
    began = min(fact.at for fact in facts if isinstance(fact, AttemptBegan))
    stats = simulator.stats
    asked = sum(stats.requests.values())
    return Run(
        makespan=max(noticed.values()) - began,
        perfect=first_come((job.ends - job.starts for job in order), min(SLOTS, settings.max_jobs)),
        polls=stats.requests["poll"] / len(jobs),
        queries=(stats.requests["poll"] + stats.requests["list"]) / len(jobs),
        notice=sum(delays) / len(delays),
        duplicates=len(by_name) - len(set(by_name.values())),
        refused=(stats.statuses[429] + stats.codes["IMG.0060"]) / asked,
        kinds=kinds_of(stats.requests, len(plan.images)),
        rehearsal=rehearsal,
    )


def kinds_of(requests: Mapping[str, int], images: int) -> dict[str, float]:
    """Requests for each image: imports, polls, lists (which read images back as well), all others."""
    shown = {kind: requests.get(kind, 0) / images for kind in KINDS}
    return shown | {"other": sum(requests.values()) / images - sum(shown.values())}


async def throughput(limits: Limits, settings: Settings) -> tuple[float, float]:
    """(imports a second from the first to the last, refused requests as a fraction of all)."""
    rehearsal = Rehearsal(a_plan(IMAGES, limits=limits, policy=PATIENT), settings)
    ending = await rehearsal.run()
    assert ending.exit_code == 0, ending
    moments = [fact.at for fact in rehearsal.journal.facts if isinstance(fact, JobAccepted)]
    stats = rehearsal.simulator.stats
    refused = stats.statuses[429] / sum(stats.requests.values())
    return (len(moments) - 1) / (max(moments) - min(moments)), refused


def first_come(seconds: Iterator[float], slots: int) -> float:
    """Makespan of jobs that start in this order, each as soon as a slot is free."""
    free = [0.0] * slots
    for duration in seconds:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def fixed_loop(rehearsal: Rehearsal, every: float) -> tuple[float, float]:
    """(polls for each job, mean notice) of a loop that asks about every job each `every` seconds."""
    records = rehearsal.simulator.project(rehearsal.settings.regions["cn-north-4"]).records
    spans = [record.job.ends - record.job.accepted for record in records]
    polls = [int(span // every) + 1 for span in spans]
    late = [count * every - span for count, span in zip(polls, spans, strict=True)]
    return sum(polls) / len(polls), sum(late) / len(late)


def kinds_row(runs: list[Run]) -> str:
    """One line more: all requests for each image, by kind."""
    means = {kind: fmean(one.kinds[kind] for one in runs) for kind in (*KINDS, "other")}
    by_kind = ", ".join(f"{kind} {mean:.2f}" for kind, mean in means.items())
    return f"  requests for each image: {sum(means.values()):.2f} ({by_kind})"


def row(
    name: str,
    runs: list[Run],
    *,
    ratio: Callable[[Iterable[float]], float] = fmean,
    others: Callable[[Iterable[float]], float] = fmean,
) -> str:
    """One line of the table: what becomes of the figures of `runs`, and all their duplicates."""
    figures = [
        f"{ratio(one.ratio for one in runs):.4f}",
        f"{others(one.polls for one in runs):.1f}",
        f"{others(one.queries for one in runs):.1f}",
        f"{others(one.notice for one in runs):.2f}",
        f"{others(one.refused for one in runs):.2%}",
        str(sum(one.duplicates for one in runs)),
    ]
    return f"{name:<42}" + "".join(f"{what:>{width}}" for what, width in zip(figures, _WIDTHS, strict=True))


async def show_rates(wanted: str) -> None:
    """How much of the allowed rate is used, known or not."""
    print(f"{'rates':<42}{'of the limit':>13}{'refused':>13}")
    for name, plan_rate, limit, more in RATES:
        if wanted in name:
            limits = LIMITS.model_copy(update={"submit_rate": plan_rate, "submit_burst": 1})
            quick = {"job_seconds": 20.0, "job_spread": "fixed", "rate_limits": {"import": limit}, **more}
            reached, refused = await throughput(limits, CALM.model_copy(update=quick))
            print(f"{name:<42}{reached / limit.per_second:>13.3f}{refused:>13.2%}", flush=True)


async def main() -> None:
    """Print the table, or the rows whose names hold the first argument."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    plan = plan_of(LIMITS)
    heads = ("of perfect", "polls/job", "queries/job", "notice s", "refused", "dup")
    print(f"{'case':<42}" + "".join(f"{head:>{width}}" for head, width in zip(heads, _WIDTHS, strict=True)))

    async def show(
        name: str, settings: Settings, shown: Plan = plan, *, seeds: Iterable[int] = (CALM.seed,)
    ) -> list[Run]:
        if wanted not in name:
            return []
        runs = [await run(shown, settings.model_copy(update={"seed": seed})) for seed in seeds]
        print(row(name, runs), flush=True)
        if len(runs) > 1:
            print(row("  the worst of each", runs, ratio=min, others=max))
            print(kinds_row(runs), flush=True)
        return runs

    calm = await show(f"calm, progress linear: mean of {len(SEEDS)} seeds", CALM, seeds=SEEDS)
    if calm:
        loops = [fixed_loop(measured.rehearsal, 10.0) for measured in calm]
        polls, late = (fmean(values) for values in zip(*loops, strict=True))
        print(f"{'  a fixed 10 s loop on the same jobs':<53}{polls:>10.1f}{polls:>12.1f}{late:>9.2f}")
    await show(f"faults: mean of {len(SEEDS)} seeds", CALM.model_copy(update=FAULTS), seeds=SEEDS)
    accepted_late = FAULTS | {"import_odds": FAULTS["import_odds"].model_copy(update={"late": 0.02})}
    for minutes in (1, 15):
        # The service accepts up to a minute late; what the plan allows for is the difference.
        policy = PATIENT.model_copy(update={"late": 60.0 * minutes})
        await show(
            f"faults, late up to 60 s; policy.late {minutes} min",
            CALM.model_copy(update=accepted_late),
            plan.model_copy(update={"policy": policy}),
            seeds=SEEDS,
        )
    trusting = plan.model_copy(update={"policy": PATIENT.model_copy(update={"verify": False})})
    for progress in ("stuck", "missing", "coarse"):
        await show(f"progress {progress}, lists show it", CALM.model_copy(update={"progress": progress}))
        blind = {"progress": progress, "listed": "later", "listed_after": 1e6}
        await show(f"progress {progress}, lists show nothing", CALM.model_copy(update=blind), trusting)
    await show(
        "the service queues beyond 37", CALM.model_copy(update={"at_job_limit": "queue", "max_jobs": 37})
    )
    # The plan allows more than the service runs: a few jobs wait there, or are refused.
    beyond = plan_of(LIMITS.model_copy(update={"max_jobs": SLOTS + 4}))
    for behaviour in ("queue", "refuse"):
        limited = CALM.model_copy(update={"at_job_limit": behaviour, "max_jobs": SLOTS})
        await show(f"the service {behaviour}s beyond {SLOTS}, plan {SLOTS + 4}", limited, beyond, seeds=SEEDS)
    await show_rates(wanted)
    await show("the service refuses beyond 30", CALM.model_copy(update={"max_jobs": 30}))


if __name__ == "__main__":
    sys.exit(anyio.run(main, backend_options={"loop_factory": JumpingLoop}))
