"""Whether estimates hold: `python -m tests.bench.bench_estimate [SEEDS] [KIND]`.

Virtual time, the real engine and client, the simulator in process. Each run is played to its end; then its
journal is read as it was after a fifth of the time, and what the report would have said is held against how
it ended. "Held" is how often the range held the end, "near" how often its middle was within a fifth of what
was left, "none" how often there was no estimate, which counts as neither.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from statistics import median
from typing import NamedTuple

import anyio
import structlog
from msgspec import structs

from migrator.domain.plan import Limits, Plan, Policy, Wave
from migrator.domain.units import Rate, Threshold
from migrator.reports.summary import summary
from migrator.simulator.settings import SCENARIOS, Settings
from migrator.workflow.ledger import fold
from tests.conftest import JumpingLoop
from tests.fakes import FakeClock
from tests.rehearsal import Rehearsal, a_plan

IMAGES = 1000
SHARES = (0.1, 0.2, 0.4, 0.6, 0.8)
"""Of a run's time, after which it is asked when the rest will be done."""

NEAR = 0.2
PATIENT = Policy(max_failures=Threshold(count=IMAGES))
HOUR = 3600.0


class Said(NamedTuple):
    """One estimate against what became of it."""

    share: float
    given: bool
    held: bool
    near: bool
    width: float
    """Of the range, as a fraction of what was left."""

    error: float
    """Of the middle, as a fraction of what was left; positive where it was too late."""

    reason: str


def plain(**tables: object) -> Plan:
    return a_plan(IMAGES, policy=PATIENT, **tables)


def _waved(plan: Plan, waves: tuple[Wave, ...]) -> Plan:
    share = len(plan.images) // len(waves)
    images = tuple(
        structs.replace(image, wave=waves[min(place // share, len(waves) - 1)].name)
        for place, image in enumerate(plan.images)
    )
    return plan.model_copy(update={"images": images, "waves": waves})


def in_waves() -> Plan:
    """A pilot, then two waves: one may begin when most of the one before is there, one when all of it is."""
    most = Threshold(fraction=0.9)
    waves = (Wave(name="pilot", proceed=most), Wave(name="first"), Wave(name="second"), Wave(name="rest"))
    return _waved(plain(), waves)


def in_windows() -> Plan:
    """Two nights: the second one opens long after the first wave is done."""
    start = FakeClock.START
    waves = (
        Wave(name="tonight", not_before=start + 600, not_after=start + 8 * HOUR),
        Wave(name="tomorrow", not_before=start + 6 * HOUR),
    )
    return _waved(plain(), waves)


KINDS: dict[str, tuple[Callable[[], Plan], Settings]] = {
    "calm": (plain, SCENARIOS["calm"]),
    "busy": (plain, SCENARIOS["busy"]),
    "storm": (plain, SCENARIOS["storm"]),
    "waves": (in_waves, SCENARIOS["busy"]),
    "windows": (in_windows, SCENARIOS["busy"].model_copy(update={"job_seconds": 600.0})),
    "hidden limits": (
        lambda: plain(limits=Limits(max_jobs=100)),
        SCENARIOS["calm"].model_copy(
            update={
                "max_jobs": 25,
                "job_seconds": 300.0,
                "job_by_size": True,
                "rate_limits": {"import": Rate(count=20, unit="m")},
            }
        ),
    ),
}


async def told(kind: str, seed: int) -> list[Said]:
    """One run, and what its estimates were worth."""
    make, settings = KINDS[kind]
    rehearsal = Rehearsal(make(), settings.model_copy(update={"seed": seed}), seed=seed)
    await rehearsal.run()
    facts = rehearsal.journal.facts
    finished = [state.finished_at for state in rehearsal.ledger.states.values() if state.finished_at]
    began, end = facts[0].at, max(finished)
    found = []
    for share in SHARES:
        now = began + share * (end - began)
        ledger = fold(fact for fact in facts if fact.at <= now)
        eta = summary(ledger, plan=rehearsal.plan, now=now, running=True).eta
        left = end - now
        if eta.range is None:
            found.append(Said(share, False, False, False, 0.0, 0.0, eta.reason))
            continue
        error = (eta.range.at - end) / left
        held = eta.range.earliest <= end <= eta.range.latest
        width = (eta.range.latest - eta.range.earliest) / left
        found.append(Said(share, True, held, abs(error) <= NEAR, width, error, ""))
    return found


def _one(job: tuple[str, int]) -> list[Said]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return anyio.run(told, *job, backend_options={"loop_factory": JumpingLoop})


def rows(kind: str, said: list[list[Said]]) -> Iterator[str]:
    for place, share in enumerate(SHARES):
        column = [one[place] for one in said]
        given = [one for one in column if one.given]
        yield (
            f"{kind:<16}{share:>6.0%}"
            f"{sum(one.held for one in column) / len(column):>8.0%}"
            f"{sum(one.near for one in column) / len(column):>8.0%}"
            f"{1 - len(given) / len(column):>8.0%}"
            f"{median(one.width for one in given) if given else 0:>8.2f}"
            f"{median(one.error for one in given) if given else 0:>+9.2f}"
        )


def main() -> None:
    """Print the table, or the rows of one kind."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    print(f"{'weather':<16}{'after':>6}{'held':>8}{'near':>8}{'none':>8}{'width':>8}{'middle':>9}")
    with ProcessPoolExecutor() as pool:
        for kind in KINDS:
            if wanted in kind:
                said = list(pool.map(_one, [(kind, seed) for seed in range(1, seeds + 1)]))
                print("\n".join(rows(kind, said)), flush=True)


if __name__ == "__main__":
    main()
