"""How fast images finish: so far, and at best."""

import math
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct

from migrator.domain.plan import Plan
from migrator.domain.units import Moment
from migrator.reports.runs import RunLine


class TimeSlice(Struct, frozen=True, kw_only=True):
    """What finished in one stretch of time."""

    at: Moment
    """Where it begins."""

    succeeded: int
    """Succeeded or skipped."""

    failed: int


class Throughput(Struct, frozen=True, kw_only=True):
    """How fast images finish, well or badly."""

    per_hour: float | None
    """Finished in one hour of running; time between runs does not count. None before any run."""

    possible_per_hour: float | None
    """What every target's job limit (max_jobs), its submit rate and the times that its jobs took so far would
    allow, added up over the targets that have images. None before a job has ended well."""

    last_hour: int
    """Finished within the hour before `generated_at`."""

    running_seconds: float
    """Total time of all runs; of a killed one, until its last sign of life."""

    slice_seconds: float
    slices: tuple[TimeSlice, ...]
    """Without gaps from the first run (or finish) until now, at most about a hundred; empty before that."""


_WIDTHS = (60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
_MOST_SLICES = 96


def throughput(
    finished: Sequence[tuple[Moment, bool]], runs: Sequence[RunLine], now: Moment, possible: float | None
) -> Throughput:
    """From when each image finished, and whether well."""
    active = sum(run.seconds for run in runs)
    width, slices = _slices(finished, runs, now)
    return Throughput(
        per_hour=round(len(finished) * 3600 / active, 2) if active > 0 else None,
        possible_per_hour=possible,
        last_hour=sum(now - 3600 < moment <= now for moment, _ in finished),
        running_seconds=round(active, 3),
        slice_seconds=width,
        slices=slices,
    )


def _slices(
    finished: Sequence[tuple[Moment, bool]], runs: Sequence[RunLine], now: Moment
) -> tuple[float, tuple[TimeSlice, ...]]:
    moments = [run.began_at for run in runs] + [moment for moment, _ in finished]
    if not moments:
        return _WIDTHS[0], ()
    first, last = min(moments), max(now, *moments)
    width = next((width for width in _WIDTHS if (last - first) / width <= _MOST_SLICES), _WIDTHS[-1])
    while (last - first) / width > _MOST_SLICES:
        width *= 2
    start = math.floor(first / width)
    succeeded = [0] * (math.floor(last / width) - start + 1)
    failed = list(succeeded)
    for moment, success in finished:
        (succeeded if success else failed)[math.floor(moment / width) - start] += 1
    return width, tuple(
        TimeSlice(at=(start + index) * width, succeeded=good, failed=bad)
        for index, (good, bad) in enumerate(zip(succeeded, failed, strict=True))
    )


def possible_per_hour(
    targets: Collection[str], plan: Plan, job_seconds: Mapping[str, Sequence[float]]
) -> float | None:
    """Images in an hour, were the job limit of each of the `targets` always reached."""
    overall = [value for values in job_seconds.values() for value in values]
    per_second = 0.0
    for target in sorted(set(targets) & plan.targets.keys()):
        limits, times = plan.targets[target].limits, job_seconds.get(target) or overall
        if sum(times) <= 0:
            return None
        jobs = limits.max_jobs * len(times) / sum(times)
        per_second += min(jobs, limits.submit_rate.per_second)
    return round(per_second * 3600, 2) if per_second else None
