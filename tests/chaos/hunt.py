"""Runs under every fault profile that lists can make, on virtual time:
`python -m tests.chaos.hunt [FIRST LAST]`.

Each seed draws how soon imports and their tags show, how long jobs take, what goes wrong and when the program
is killed. The simulator's own books are the judge: no name may have two images that did not fail.
"""

import asyncio
import logging
import random
import sys
from collections import Counter
from dataclasses import dataclass, field

import anyio
import structlog

from migrator.domain.plan import Limits, Plan, Policy, Polling
from migrator.domain.units import Rate, Threshold
from migrator.simulator.settings import Odds, Settings
from migrator.simulator.wire import Call
from migrator.workflow.states import Phase
from migrator.workflow.verdict import Ending
from tests.conftest import JumpingLoop
from tests.rehearsal import Rehearsal, a_plan

LOST = Odds(
    error_before=0.05, error_after=0.05, reset_before=0.03, reset_after=0.03, hang_after=0.02, late=0.03
)
LATE = 300.0
"""Seconds within which the service takes in a request that it did not answer."""

PATIENT = Policy(max_failures=Threshold(count=1000), late=LATE)
QUICK = Limits(
    submit_rate=Rate(count=2, unit="s"), query_rate=Rate(count=20, unit="s"), query_burst=5, max_jobs=40
)


def fault_profile(dice: random.Random, seed: int) -> Settings:
    """How lists lag, how jobs go, and what gets lost."""
    return Settings(
        seed=seed,
        listed=dice.choice(["at_once", "later", "later", "at_end"]),
        listed_after=dice.choice([2.0, 10.0, 30.0, 90.0]),
        tagged=dice.choice(["at_once", "at_once", "later", "at_end"]),
        tagged_after=dice.choice([2.0, 20.0, 60.0, 200.0]),
        lag_spread=dice.choice(["fixed", "exponential"]),
        data_origin=dice.choice([True, False]),
        job_spread=dice.choice(["fixed", "lognormal", "exponential"]),
        job_seconds=dice.choice([20.0, 120.0, 600.0]),
        progress=dice.choice(["linear", "linear", "missing", "stuck"]),
        at_job_limit=dice.choice(["refuse", "refuse", "queue"]),
        fail=dice.choice([0.0, 0.0, 0.05]),
        import_odds=LOST,
        late_seconds=LATE,
        poll_odds=Odds(error_before=0.05, reset_before=0.02, foreign=0.02),
        other_odds=Odds(error_before=0.03),
    )


def plan_for(dice: random.Random) -> Plan:
    limits = QUICK.model_copy(update={"max_jobs": dice.choice([5, 20, 40])})
    return a_plan(60, limits=limits, policy=PATIENT, polling=Polling(sweep=dice.random() < 0.7))


def drawn(seed: int) -> tuple[Rehearsal, random.Random]:
    """The plan and its fault profile, and the dice that go on from there."""
    dice = random.Random(seed)
    settings = fault_profile(dice, seed)
    return Rehearsal(plan_for(dice), settings, seed=seed), dice


@dataclass(kw_only=True)
class Hunted:
    """What became of one plan, killed as often as the dice said."""

    images: int
    kills: int = 0
    freezes: int = 0
    clock_steps: int = 0
    duplicates: list[str] = field(default_factory=list)
    falsely_done: list[str] = field(default_factory=list)
    falsely_failed: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        return [*self.duplicates, *self.falsely_done, *self.falsely_failed, *self.other]


async def disturbed(rehearsal: Rehearsal, dice: random.Random, found: Hunted) -> None:
    """Freeze the program and set its wall clock, a few times: each step makes every doubt begin anew."""
    for _ in range(dice.randrange(7)):
        await anyio.sleep(dice.expovariate(1 / 200.0))
        if dice.random() < 0.5:
            found.clock_steps += 1
            rehearsal.own_clock.offset = dice.choice([-600.0, -60.0, 0.0, 60.0, 600.0])
        else:
            found.freezes += 1
            loop = asyncio.get_running_loop()
            assert isinstance(loop, JumpingLoop)
            loop.selector.elapsed += dice.choice([5.0, 60.0, 1800.0])


async def hunted(seed: int) -> Hunted:
    """One plan's life, from its first run to its end."""
    rehearsal, dice = drawn(seed)
    settings = rehearsal.settings
    found = Hunted(images=len(rehearsal.plan.images))
    async with anyio.create_task_group() as group:
        group.start_soon(disturbed, rehearsal, random.Random(f"{seed}-disturbed"), found)
        for _ in range(dice.randrange(5)):
            with anyio.move_on_after(dice.uniform(1.0, 2 * settings.job_seconds)) as life:
                await rehearsal.run()
            found.kills += life.cancelled_caught
            await anyio.sleep(dice.choice([0.5, 5.0, 60.0, 600.0]))
            rehearsal.journal = rehearsal.journal.reopened()
        ending = await rehearsal.run()
        group.cancel_scope.cancel()
    await anyio.sleep(LATE + 1.0)
    rehearsal.simulator.answer(
        Call(method="GET", host="h", path="/_sim/stats", headers={}), rehearsal.clock.now()
    )
    judge(rehearsal, found, ending)
    return found


def judge(rehearsal: Rehearsal, found: Hunted, ending: Ending) -> None:
    """Compare the simulator's books with what the program says."""
    records = rehearsal.simulator.project(rehearsal.settings.regions["cn-north-4"]).records
    made = Counter(record.name for record in records if "." not in record.job.fate)
    unlucky = {record.name for record in records if "." in record.job.fate}
    by_phase: dict[Phase, set[str]] = {phase: set() for phase in Phase}
    for state in rehearsal.ledger.states.values():
        by_phase[state.phase].add(state.key.partition("/")[2])
    found.duplicates += [f"{name}: {count} images" for name, count in made.items() if count > 1]
    for name in sorted(by_phase[Phase.SUCCEEDED] - made.keys()):
        found.falsely_done.append(f"{name}: reported done, and there is no image")
    for name in sorted(by_phase[Phase.FAILED] & made.keys() - unlucky):
        found.falsely_failed.append(f"{name}: reported failed, and there is an image")
    if ending.exit_code not in (0, 3, 7):
        found.other.append(f"exit code {ending.exit_code}: {ending.reason}")


async def main() -> int:
    """One line for each seed that went wrong."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    first, last = map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (0, 340)
    every = []
    for seed in range(first, last):
        every.append(found := await hunted(seed))
        if found.wrong:
            print(f"seed {seed}: {'; '.join(found.wrong)}", flush=True)
    lives = {
        "images": sum(one.images for one in every),
        "kills": sum(one.kills for one in every),
        "freezes": sum(one.freezes for one in every),
        "clock steps": sum(one.clock_steps for one in every),
        "duplicates": sum(len(one.duplicates) for one in every),
        "falsely done": sum(len(one.falsely_done) for one in every),
        "falsely failed": sum(len(one.falsely_failed) for one in every),
        "plans wrong": sum(bool(one.wrong) for one in every),
    }
    print(f"{len(every)} plans: " + ", ".join(f"{count:,} {what}" for what, count in lives.items()))
    return int(any(one.wrong for one in every))


if __name__ == "__main__":
    sys.exit(anyio.run(main, backend_options={"loop_factory": JumpingLoop}))
