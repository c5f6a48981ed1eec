"""When the rest will be done, played through with what limits it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from migrator.domain.plan import Limits, Plan
from migrator.domain.units import Moment
from migrator.pacing.estimate import makespan, sample
from migrator.reports.counts import ImageCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When the rest will be done.

    Every target's remaining jobs are played through with its job limit (max_jobs), its submit rate and the
    times that its jobs took so far; not extrapolated from a percentage.
    """

    at: Moment | None
    """None when it is unknown, when nothing is left, or when no run is at work."""

    seconds: float | None
    """The same as time from now, whether or not a run is at work; 0 when nothing is left, None if unknown."""

    images: int
    """Unfinished images that the estimate covers."""

    left_out: int
    """Unfinished images that it cannot cover: overdue, held for a person, or of a target that stopped."""


def estimate(
    counts: ImageCounts,
    plan: Plan,
    job_seconds: Mapping[str, Sequence[float]],
    now: Moment,
    *,
    at_work: bool,
) -> Estimate:
    """Of what `counts` has left; `job_seconds` is what the jobs of each target took so far."""
    targets = sorted(counts.pending.keys() | counts.started.keys())
    images = sum(counts.pending.values()) + sum(len(started) for started in counts.started.values())
    overall = [value for values in job_seconds.values() for value in values]
    longest: float | None = 0.0
    for target in targets:
        limits = plan.targets[target].limits if target in plan.targets else Limits()
        times = sample(job_seconds.get(target) or overall)
        job_limit = limits.max_jobs - counts.stuck[target]
        if not times or (counts.pending[target] and job_limit <= 0):
            longest = None
            break
        rest = makespan(
            pending=counts.pending[target],
            elapsed=[max(now - started_at, 0.0) for started_at in counts.started[target]],
            window=job_limit,
            interval=1 / limits.submit_rate.per_second,
            times=times,
        )
        longest = max(longest or 0.0, rest)
    seconds = None if longest is None else round(longest, 3)
    if images == 0 and counts.left_out:
        seconds = None
    at = now + seconds if seconds is not None and images and at_work else None
    return Estimate(at=at, seconds=seconds, images=images, left_out=counts.left_out)
