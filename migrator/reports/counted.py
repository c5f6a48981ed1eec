"""Where a very large plan stands, from counts alone: nobody waits half a minute for a status."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from migrator.domain.cloud import Fault
from migrator.domain.units import Moment
from migrator.domain.zone import Zone
from migrator.reports.causes import Cause, CauseKind, causes
from migrator.reports.estimate import Estimate
from migrator.reports.runs import RunState, run_lines
from migrator.reports.tally import Tally, tallies
from migrator.reports.terminal import LATEST, Failure, LiveStatus, stands
from migrator.reports.throughput import Throughput
from migrator.reports.waits import held
from migrator.workflow.ledger import Planned, Run
from migrator.workflow.states import Phase, State


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedStatus:
    """What `status` shows of it."""

    live: LiveStatus
    said: str
    """How the latest run stands."""

    state: RunState | None
    failures: tuple[Cause, ...]


def counted_status(
    name: str,
    targets: Mapping[str, Mapping[Phase, int]],
    runs: Sequence[Run],
    troubled: Sequence[tuple[Planned, State]],
    last_hour: int,
    *,
    now: Moment,
    zone: Zone,
    holder: str | None,
    waits: Sequence[str] = (),
) -> CountedStatus:
    """`targets` are images by target and phase, `troubled` those that failed or are in doubt, or some of
    them, `last_hour` how many came to their end within the hour before `now`."""
    by_target = {target: [counts.get(phase, 0) for phase in Phase] for target, counts in targets.items()}
    totals = Tally(counts=tuple(sum(column) for column in zip(*by_target.values(), strict=True)))
    lines = run_lines(runs, troubled, now, holder is not None)
    said = stands(lines, totals, now, zone, holder)
    failed = [
        (CauseKind.FAILED, state.fault or Fault(message=""), item, state)
        for item, state in troubled
        if state.phase is Phase.FAILED
    ]
    latest = sorted(failed, key=lambda one: one[3].finished_at or 0.0, reverse=True)[:LATEST]
    held_ones = sum(state.held for _, state in troubled)
    pace, eta = _pace(runs, last_hour, totals.unfinished, now, at_work=holder is not None)
    sentences = [*waits, *([held(held_ones)] if held_ones else [])]
    return CountedStatus(
        live=LiveStatus(
            name=name,
            now=now,
            run=said,
            totals=totals,
            held=held_ones,
            targets=tuple(tallies(by_target).items()),
            throughput=pace,
            eta=eta,
            waits=tuple(sentences),
            zone=zone,
            failures=tuple(Failure(key=state.key, fault=fault) for _, fault, _, state in latest),
        ),
        said=said,
        state=lines[-1].state if lines else None,
        failures=causes(failed),
    )


def _pace(
    runs: Sequence[Run], last_hour: int, left: int, now: Moment, *, at_work: bool
) -> tuple[Throughput, Estimate]:
    """How fast images ended within the last hour, and when the rest would at that pace."""
    began = runs[-1].began_at if runs else now
    seconds = min(max(now - began, 0.0), 3600.0)
    per_hour = round(last_hour * 3600 / seconds, 2) if seconds >= 1.0 and at_work else None
    pace = Throughput(
        per_hour=per_hour,
        possible_per_hour=None,
        last_hour=last_hour,
        running_seconds=seconds,
        slice_seconds=60.0,
        slices=(),
    )
    if not left:
        return pace, Estimate(range=None, seconds=0.0, images=0, left_out=0)
    if not per_hour:
        return pace, Estimate(
            range=None, seconds=None, images=left, left_out=0, reason="no image is done yet"
        )
    return pace, Estimate(range=None, seconds=round(left * 3600 / per_hour, 1), images=left, left_out=0)
