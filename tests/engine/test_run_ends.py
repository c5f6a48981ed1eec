"""Every run comes to an end, or goes on importing: nothing may wait for what will never be."""

import pytest
from msgspec import structs

from migrator.domain.plan import Limits, Plan, Policy, Polling, Wave
from migrator.domain.units import Threshold
from migrator.simulator.settings import SCENARIOS, Odds, Settings
from migrator.workflow.states import Phase
from tests.rehearsal import Rehearsal, a_plan

pytestmark = pytest.mark.anyio

PATIENT = Policy(max_failures=Threshold(count=1000))
SILENT = Settings(import_odds=Odds(hang_before=1.0), listed="at_end", tagged="at_end", job_seconds=600.0)
"""No import is ever answered, none is accepted, and nothing that runs could teach how soon lists show one."""

DAY = 86_400.0


def in_two_waves(plan: Plan, first: int) -> Plan:
    images = tuple(
        structs.replace(image, wave="a" if place < first else "b") for place, image in enumerate(plan.images)
    )
    return plan.model_copy(update={"images": images, "waves": (Wave(name="a"), Wave(name="b"))})


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        pytest.param(
            a_plan(10, limits=Limits(max_jobs=3), policy=PATIENT),
            "3 held for a person, which leave no room for the others; 10 images are not finished",
            id="all slots in doubt",
        ),
        pytest.param(
            in_two_waves(a_plan(10, policy=PATIENT), 2),
            "wave b waits for wave a; 10 images are not finished",
            id="a wave in doubt, and another behind it",
        ),
    ],
)
async def test_where_nothing_can_tell_any_more_images_are_held_and_the_run_ends(plan, reason):
    rehearsal = Rehearsal(plan, SILENT)

    ending = await rehearsal.run()

    assert ending.reason.startswith(reason)
    assert ending.exit_code == 7
    assert rehearsal.clock.now() - rehearsal.clock.START < 2 * 3600.0


async def test_overdue_jobs_in_every_slot_end_the_run():
    plan = a_plan(10, limits=Limits(max_jobs=3), policy=PATIENT, polling=Polling(deadline=600.0))
    rehearsal = Rehearsal(plan, Settings(job_seconds=DAY, job_spread="fixed"))

    ending = await rehearsal.run()

    assert ending.exit_code == 7
    assert ending.reason.startswith("3 overdue, which leave no room for the others; 10 images")
    assert rehearsal.clock.now() - rehearsal.clock.START < DAY


async def test_a_burst_of_refusals_at_the_start_and_doubts_after_it_do_not_stop_the_run():
    """Refusals narrowed the job limit to one; the attempts after it were in doubt, held it, and could only be
    resolved by jobs that had no slot."""
    settings = SCENARIOS["storm"].model_copy(update={"seed": 15})
    rehearsal = Rehearsal(a_plan(60, policy=PATIENT), settings, seed=15)

    ending = await rehearsal.run()

    assert ending.exit_code in (0, 3)
    assert {state.phase for state in rehearsal.ledger.states.values()} <= {Phase.SUCCEEDED, Phase.FAILED}
    assert rehearsal.clock.now() - rehearsal.clock.START < 4 * 3600.0
