"""Nothing twice, nothing lost, nothing falsely done: the simulator's own ledger is the judge."""

import anyio
import pytest

from migrator.domain.plan import Limits, MarkerKind, Policy, Polling
from migrator.domain.units import Rate, Threshold
from migrator.journal.memory import MemoryJournal
from migrator.simulator import jobs
from migrator.simulator.settings import Odds, Settings
from migrator.workflow.events import ImageFound, VisibilityLearned
from migrator.workflow.states import Outcome, Phase
from migrator.workflow.verdict import StopReason
from migrator.workflow.visibility_delay import ListedBy
from tests.rehearsal import Rehearsal, a_plan

pytestmark = pytest.mark.anyio

FAST = Limits(
    max_jobs=40,
    submit_rate=Rate(count=2, unit="s"),
    query_rate=Rate(count=20, unit="s"),
    query_burst=5,
)
LOST = Odds(error_before=0.05, error_after=0.05, reset_before=0.03, reset_after=0.03, hang_after=0.02)
PATIENT = Policy(max_failures=Threshold(count=1000))


@pytest.mark.parametrize(
    "lag",
    [
        pytest.param({}, id="at once"),
        pytest.param({"listed": "later", "listed_after": 25.0}, id="25 s late"),
        pytest.param({"listed": "later", "listed_after": 90.0}, id="90 s late"),
        pytest.param({"listed": "at_end"}, id="only when finished"),
        pytest.param({"tagged": "later", "tagged_after": 45.0}, id="tags 45 s late"),
        pytest.param({"tagged": "at_end"}, id="tags at the end"),
        pytest.param({"tagged": "at_end", "data_origin": False}, id="tags at the end, no origin"),
        pytest.param(
            {"listed": "later", "listed_after": 20.0, "lag_spread": "exponential"},
            id="some soon, some very late",
        ),
        pytest.param(
            {"tagged": "later", "tagged_after": 40.0, "lag_spread": "exponential", "data_origin": False},
            id="tags some soon, some very late, no origin",
        ),
        pytest.param({"listed": "at_end", "tagged": "later", "tagged_after": 60.0}, id="late in every way"),
    ],
)
@pytest.mark.parametrize("spread", ["lognormal", "exponential"])
async def test_however_lists_lag_a_lost_answer_imports_nothing_twice(lag, spread):
    settings = Settings(job_seconds=300.0, job_spread=spread, import_odds=LOST, seed=11, **lag)
    rehearsal = Rehearsal(a_plan(150, limits=FAST, policy=PATIENT), settings)

    ending = await rehearsal.run()

    assert ending.exit_code == 0, ending
    assert rehearsal.imports == {image.name: 1 for image in rehearsal.plan.images}


@pytest.mark.parametrize("late", [90.0, 400.0])
@pytest.mark.parametrize("sweep", [True, False])
async def test_lists_that_become_slow_in_the_middle_of_a_run_import_nothing_twice(late, sweep, monkeypatch):
    monkeypatch.setattr(jobs, "_lag", lambda settings, dice: late if anyio.current_time() > 700.0 else 1.0)
    slower = {"listed": "later", "listed_after": 1.0, "data_origin": False}
    settings = Settings(job_seconds=600.0, import_odds=LOST, seed=2, **slower)
    plan = a_plan(200, limits=FAST, policy=PATIENT, polling=Polling(sweep=sweep))
    rehearsal = Rehearsal(plan, settings)

    ending = await rehearsal.run()

    assert ending.exit_code == 0, ending
    assert rehearsal.imports == {image.name: 1 for image in plan.images}


async def test_what_was_learned_of_lists_is_journalled_and_the_next_run_knows_it():
    settings = Settings(job_seconds=300.0, seed=3)
    rehearsal = Rehearsal(a_plan(30, limits=FAST), settings)

    await rehearsal.run()

    learned = rehearsal.ledger.learned["north", ListedBy.TAG]
    assert learned.listed is True
    assert any(isinstance(fact, VisibilityLearned) for fact in rehearsal.journal.facts)
    assert (await rehearsal.journal.reopened().ledger()).learned["north", ListedBy.TAG] == learned


async def test_a_fixed_settle_time_that_is_too_short_may_duplicate_and_says_so():
    settings = Settings(job_seconds=300.0, listed="at_end", import_odds=Odds(error_after=0.5), seed=5)
    policy = PATIENT.model_copy(update={"settle": 5.0})
    rehearsal = Rehearsal(a_plan(20, limits=FAST, policy=policy), settings)

    await rehearsal.run()

    doubled = {name for name, count in rehearsal.imports.items() if count > 1}
    lost = {
        state.key.partition("/")[2]
        for state in rehearsal.ledger.states.values()
        if any(attempt.outcome is Outcome.NOT_FOUND for attempt in state.attempts)
    }
    assert doubled
    assert doubled <= lost


@pytest.mark.parametrize("seed", range(3))
async def test_a_storm_of_every_fault_ends_with_exactly_one_image_each(seed):
    odds = LOST.model_copy(update={"truncate": 0.01, "html": 0.01, "throttle": 0.02, "hang_before": 0.01})
    settings = Settings(
        seed=seed,
        job_seconds=200.0,
        import_odds=odds,
        poll_odds=Odds(error_before=0.05, reset_before=0.03, html=0.02),
        other_odds=Odds(error_before=0.05),
        burst_every=90.0,
        burst_seconds=8.0,
        latency=(0.02, 0.4),
    )
    rehearsal = Rehearsal(a_plan(300, limits=FAST, policy=PATIENT), settings, seed=seed)

    ending = await rehearsal.run()

    assert ending.exit_code == 0, ending
    assert rehearsal.imports == {image.name: 1 for image in rehearsal.plan.images}
    assert rehearsal.simulator.most_running <= 40


async def test_nothing_is_reported_done_that_is_not():
    settings = Settings(job_seconds=60.0, lie=0.3, fail=0.2, fail_leaves_killed=0.5, seed=2)
    rehearsal = Rehearsal(a_plan(120, limits=FAST, policy=PATIENT), settings)

    ending = await rehearsal.run()

    assert ending.exit_code == 3
    now = rehearsal.clock.now()
    records = rehearsal.simulator.project(settings.regions["cn-north-4"]).records
    good = {record.name for record in records if record.status(now) == "active" and record.job.fate == "ok"}
    done = {s.key.partition("/")[2] for s in rehearsal.ledger.states.values() if s.phase is Phase.SUCCEEDED}
    assert done == good


async def test_a_storm_of_doubts_costs_a_handful_of_lists():
    settings = Settings(job_seconds=600.0, import_odds=Odds(error_after=1.0), seed=1)
    limits = FAST.model_copy(update={"submit_rate": Rate(count=50, unit="s"), "submit_burst": 40})
    rehearsal = Rehearsal(a_plan(40, limits=limits, policy=PATIENT), settings)
    keys = await rehearsal.open()
    await rehearsal.engine.run(keys)

    assert rehearsal.imports == {image.name: 1 for image in rehearsal.plan.images}
    adopted_by = max(fact.at for fact in rehearsal.journal.facts if isinstance(fact, ImageFound))
    seconds = rehearsal.simulator.stats.seconds["list"]
    assert sum(count for second, count in seconds.items() if second <= adopted_by) <= 20


async def test_without_markers_names_and_sources_keep_an_import_from_happening_twice():
    settings = Settings(job_seconds=120.0, import_odds=LOST, seed=4)
    policy = PATIENT.model_copy(update={"marker": MarkerKind.NONE})
    rehearsal = Rehearsal(a_plan(100, limits=FAST, policy=policy), settings)

    ending = await rehearsal.run()

    assert ending.exit_code == 0
    assert set(rehearsal.imports.values()) == {1}


async def test_a_journal_deleted_in_the_middle_of_a_run_duplicates_nothing():
    settings = Settings(job_seconds=200.0, import_odds=LOST, seed=6)
    rehearsal = Rehearsal(a_plan(100, limits=FAST, policy=PATIENT), settings)
    keys = await rehearsal.open()
    async with anyio.create_task_group() as group:
        group.start_soon(rehearsal.engine.run, keys)
        await anyio.sleep(120.0)
        rehearsal.engine.stop(StopReason.INTERRUPT)
    rehearsal.journal = MemoryJournal()

    ending = await rehearsal.run()

    assert ending.exit_code == 0
    assert rehearsal.imports == {image.name: 1 for image in rehearsal.plan.images}


async def test_another_machine_with_a_journal_of_its_own_imports_nothing_that_is_there():
    settings = Settings(job_seconds=120.0, import_odds=LOST, seed=8)
    here = Rehearsal(a_plan(60, limits=FAST, policy=PATIENT), settings)
    await here.run()
    there = Rehearsal(here.plan, settings)
    there.simulator, there.http = here.simulator, here.http

    ending = await there.run()

    assert ending.exit_code == 0
    assert here.imports == {image.name: 1 for image in here.plan.images}


async def test_another_machine_that_starts_in_the_middle_follows_what_already_runs():
    settings = Settings(job_seconds=300.0, seed=9)
    here = Rehearsal(a_plan(30, limits=FAST, policy=PATIENT), settings)
    there = Rehearsal(here.plan, settings)
    there.simulator, there.http = here.simulator, here.http
    keys = await here.open()
    async with anyio.create_task_group() as group:
        group.start_soon(here.engine.run, keys)
        await anyio.sleep(60.0)
        await there.run()

    assert here.imports == {image.name: 1 for image in here.plan.images}
