"""Runs under every fault profile that lists can make, on virtual time:
`python -m tests.chaos.hunt [FIRST LAST]`.

Each seed draws how soon imports and their tags show, how long jobs take, what goes wrong and when the program
is killed. The simulator's own books are the judge: no name may have two images that did not fail.
"""

import logging
import random
import sys
from collections import Counter

import anyio
import structlog

from migrator.domain.plan import Limits, Plan, Policy, Polling
from migrator.domain.units import Rate, Threshold
from migrator.simulator.settings import Odds, Settings
from migrator.workflow.states import Phase
from tests.conftest import JumpingLoop
from tests.rehearsal import Rehearsal, a_plan

LOST = Odds(error_before=0.05, error_after=0.05, reset_before=0.03, reset_after=0.03, hang_after=0.02)
PATIENT = Policy(max_failures=Threshold(count=1000))
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
        poll_odds=Odds(error_before=0.05, reset_before=0.02),
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


async def hunted(seed: int) -> list[str]:
    """What is wrong at the end of one plan's life, killed as often as the dice say; empty when nothing is."""
    rehearsal, dice = drawn(seed)
    settings = rehearsal.settings
    for _ in range(dice.randrange(5)):
        with anyio.move_on_after(dice.uniform(1.0, 2 * settings.job_seconds)):
            await rehearsal.run()
        await anyio.sleep(dice.choice([0.5, 5.0, 60.0, 600.0]))
        rehearsal.journal = rehearsal.journal.reopened()
    ending = await rehearsal.run()

    records = rehearsal.simulator.project(settings.regions["cn-north-4"]).records
    made = Counter(record.name for record in records if "." not in record.job.fate)
    states = rehearsal.ledger.states.values()
    done = {state.key.partition("/")[2] for state in states if state.phase is Phase.SUCCEEDED}
    return [
        *(f"{name}: {count} images" for name, count in made.items() if count > 1),
        *(f"{name}: reported done, and there is no image" for name in sorted(done - made.keys())),
        *(f"exit code {ending.exit_code}: {ending.reason}" for _ in range(ending.exit_code not in (0, 3))),
    ]


async def main() -> int:
    """One line for each seed that went wrong."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    first, last = map(int, sys.argv[1:3]) if len(sys.argv) > 2 else (0, 200)
    wrong = 0
    for seed in range(first, last):
        found = await hunted(seed)
        wrong += bool(found)
        if found:
            print(f"seed {seed}: {'; '.join(found)}", flush=True)
    print(f"{last - first} runs, {wrong} of them wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(anyio.run(main, backend_options={"loop_factory": JumpingLoop}))
