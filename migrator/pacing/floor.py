"""How long a run takes at best: its jobs played through at the plan's limits, with nothing going wrong."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from migrator.domain.plan import Plan
from migrator.domain.units import Moment
from migrator.pacing.estimate import makespan, sample
from migrator.workflow.ledger import Ledger
from migrator.workflow.states import IN_CLOUD, Phase

TYPICAL = 600.0
"""Seconds that a job is taken to last while none was seen; published samples show 2 to 40 minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """One target: it cannot be done sooner than this."""

    target: str
    images: int
    """To be submitted."""

    running: int
    """Under way already, in slots that the others have to wait for."""

    seconds: float
    """From now to the last job's end."""

    typical: float
    """Seconds of a middling job."""

    learned: bool
    """Known from earlier jobs of this plan; otherwise TYPICAL was assumed."""


def floors(plan: Plan, ledger: Ledger, keys: Iterable[str], now: Moment) -> list[Floor]:
    """The floor of each target that `keys` are for, in the order in which they come up."""
    pending: Counter[str] = Counter()
    begun: dict[str, list[float]] = defaultdict(list)
    for key in keys:
        state, target = ledger.states[key], ledger.planned[key].image.target
        pending[target] += state.phase is Phase.PENDING
        if state.phase in IN_CLOUD:
            since = state.submitted_at or (state.attempts[-1].began_at if state.attempts else now)
            begun[target].append(max(now - since, 0.0))
    measured = _durations(ledger)
    overall = [seconds for durations in measured.values() for seconds in durations]
    found = []
    for target, count in pending.items():
        limits = plan.targets[target].limits
        times = sample(measured.get(target) or overall or [TYPICAL])
        seconds = makespan(
            pending=count,
            elapsed=begun[target],
            window=limits.max_jobs,
            interval=1 / limits.submit_rate.per_second,
            times=times,
        )
        found.append(
            Floor(
                target=target,
                images=count,
                running=len(begun[target]),
                seconds=seconds,
                typical=times[len(times) // 2],
                learned=bool(overall),
            )
        )
    return found


def _durations(ledger: Ledger) -> dict[str, list[float]]:
    """Seconds from acceptance to its end of each job that ended well, by target."""
    found: dict[str, list[float]] = defaultdict(list)
    for key, state in ledger.states.items():
        ended = state.job_ended_at or state.finished_at
        if state.phase is Phase.SUCCEEDED and state.submitted_at is not None and ended is not None:
            found[ledger.planned[key].image.target].append(max(ended - state.submitted_at, 0.0))
    return found
