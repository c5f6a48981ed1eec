"""Plans that are handed over, and the workers that carry them out: real processes, a real database."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from migrator.cli.handing_over import document, queue_of, read_document
from migrator.cli.options import Options
from migrator.cli.wiring import load
from migrator.domain.errors import UsageError
from migrator.workflow.events import RunBegan, RunEnded
from tests.cli.conftest import ended, wait_until
from tests.hosts.team import Team
from tests.journal.conftest import NEEDS_POSTGRES

pytestmark = NEEDS_POSTGRES

ROOT = Path(__file__).parents[2]


def test_a_plan_that_was_handed_over_is_carried_out_and_its_run_ends_with_the_last_target(team):
    team = team()
    plan = team.plan("abc")
    assert "no worker is there" in _status(team, plan, before=lambda: team.hand_over(plan))

    worker = team.worker("w1")
    team.wait()

    assert sorted(team.desk.accepted) == sorted(
        f"{target}-{number}" for target in "abc" for number in range(3)
    )
    assert team.desk.duplicates == 0
    events = team.desk.events("fleet")
    assert [type(event) for event in events if isinstance(event, (RunBegan, RunEnded))] == [
        RunBegan,
        RunEnded,
    ]
    (end,) = (event for event in events if isinstance(event, RunEnded))
    assert (end.reason, end.exit_code) == ("all images succeeded", 0)
    assert "9/9 done" in team.desk("status", plan).out
    assert team.desk("report", plan).code == 0
    report = json.loads((team.desk.reports / "fleet" / "report.json").read_text())
    assert {image["status"] for image in report["images"]} == {"succeeded"}
    worker.send_signal(signal.SIGTERM)
    assert ended(worker).code == 0


def _status(team: Team, plan: Path, before: Callable[[], None]) -> str:
    before()
    return " ".join(team.desk("status", plan).out.split())


def test_what_a_killed_worker_held_is_taken_over_and_nothing_is_imported_twice(team):
    team = team(job_seconds=4.0)
    plan = team.plan("abcd", each=4)
    team.hand_over(plan)
    first = team.worker("w1")
    team.desk.wait_for_imports(4)
    team.worker("w2")

    first.kill()
    team.wait()

    assert set(team.desk.accepted.values()) == {1}
    assert len(team.desk.accepted) == 16
    assert {name for _, name in team.ask("SELECT 1, reason FROM migrator.shards")} == {"all images succeeded"}


def test_a_worker_that_is_told_to_end_hands_its_targets_on_at_once(team):
    team = team(job_seconds=600.0)
    plan = team.plan("ab")
    team.hand_over(plan)
    first = team.worker("w1", "--stale", "60s")  # far from looking dead
    team.desk.wait_for_imports(6)
    team.worker("w2")

    first.send_signal(signal.SIGTERM)
    left = ended(first)

    assert left.code == 0
    assert "let go of everything" in left.err
    wait_until(lambda: set(team.owners().values()) == {"w2"})
    team.desk.finish_jobs()
    team.wait()
    assert set(team.desk.accepted.values()) == {1}


def test_a_worker_that_was_stopped_for_long_ends_with_70_when_it_goes_on(team):
    team = team(job_seconds=600.0)
    plan = team.plan("ab")
    team.hand_over(plan)
    frozen = team.worker("w1")
    team.desk.wait_for_imports(6)
    team.worker("w2")

    frozen.send_signal(signal.SIGSTOP)
    wait_until(lambda: set(team.owners().values()) == {"w2"})
    frozen.send_signal(signal.SIGCONT)

    left = ended(frozen)
    assert left.code == 70
    assert "another process has taken this over" in left.err
    team.desk.finish_jobs()
    team.wait()
    assert set(team.desk.accepted.values()) == {1}


def test_waves_open_by_what_happens_on_all_targets(team):
    """The images of the second wave lie on another target, of another worker."""
    team = team(job_seconds=2.0)
    plan = team.plan("ab", a='wave = "pilot"', b='wave = "rest"')
    plan.write_text(plan.read_text() + '[[waves]]\nname = "pilot"\n[[waves]]\nname = "rest"\n')
    team.worker("w1", "--lanes", "1")
    team.worker("w2", "--lanes", "1")
    team.hand_over(plan)

    wait_until(lambda: team.ask("SELECT waits FROM migrator.shards WHERE waits <> ''") != [])
    waits = " ".join(team.desk("status", plan).out.split())
    team.wait()

    order = list(team.desk.accepted)
    assert {name[0] for name in order[:3]} == {"a"}
    assert {name[0] for name in order[3:]} == {"b"}
    assert "wave rest waits for wave pilot" in waits


def test_stop_lets_everybody_drain_and_a_plan_that_is_handed_over_again_goes_on(team):
    team = team(job_seconds=1.5)
    plan = team.plan("a", each=6, more="")
    plan.write_text(
        plan.read_text().replace('submit_rate = "50/s"\nsubmit_burst = 10', 'submit_rate = "1/s"')
    )
    team.hand_over(plan)
    team.worker("w1")
    team.desk.wait_for_imports(2)

    assert "nothing new is submitted" in team.desk("stop", plan).err
    wait_until(lambda: team.owners() == {})
    submitted = dict(team.desk.accepted)
    assert len(submitted) < 6
    assert {phase.value for phase in team.desk.phases("fleet")} == {"pending", "succeeded"}
    assert "stopped (by" in team.desk("status", plan).out

    team.hand_over(plan)
    team.wait()
    assert set(team.desk.accepted.values()) == {1}
    assert len(team.desk.accepted) == 6


def test_a_plan_that_is_edited_while_it_runs_goes_on_as_edited(team):
    team = team(job_seconds=2.0)
    plan = team.plan("a")
    team.hand_over(plan)
    team.worker("w1")
    team.desk.wait_for_imports(3)

    plan.write_text(plan.read_text() + '[[images]]\nname = "late"\ntarget = "a"\nobject = "late.zvhd2"\n')
    team.hand_over(plan)
    wait_until(lambda: "late" in team.desk.accepted)
    team.wait()

    assert set(team.desk.accepted.values()) == {1}
    ends = [event.reason for event in team.desk.events("fleet") if isinstance(event, RunEnded)]
    assert ends == ["the plan was handed over again", "all images succeeded"]


def test_a_target_whose_credentials_nobody_has_is_said_and_the_others_go_on(team):
    team = team()
    plan = team.plan("ab")
    plan.write_text(plan.read_text().replace("[targets.b]\n", '[targets.b]\ncredentials = "env:EAST"\n'))
    team.hand_over(plan)
    worker = team.worker("w1")
    wait_until(lambda: len(team.desk.accepted) == 3 and team.owners() == {})

    said = " ".join(team.desk("status", plan).out.split())
    assert "target b: no worker has its credentials (env:EAST): start one where they are" in said

    team.worker("w2", EAST_AK="CANARYACCESSKEY00001", EAST_SK="canary-secret-key-0000000000000000000001")
    team.wait()
    assert len(team.desk.accepted) == 6
    worker.send_signal(signal.SIGTERM)
    assert "no credentials here for env:EAST" in ended(worker).err


def test_the_queue_may_be_emptied_at_any_time(team):
    team = team(job_seconds=1.0)
    plan = team.plan("abc")
    team.hand_over(plan)
    team.worker("w1", "--lanes", "1")
    team.desk.wait_for_imports(3)

    team.ask("DELETE FROM procrastinate_jobs")
    team.wait()

    assert set(team.desk.accepted.values()) == {1}
    assert len(team.desk.accepted) == 9


def test_a_run_of_one_process_and_workers_keep_out_of_each_others_way(team):
    team = team(job_seconds=3.0)
    plan = team.plan("a")
    team.hand_over(plan)
    team.worker("w1")
    team.desk.wait_for_imports(3)

    refused = team.desk("run", plan)

    assert refused.code == 8
    assert "held by w1, process" in refused.err
    team.wait()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "PLAN", "--detach", "--limit", "3"], "--limit and --detach do not go together"),
        (["run", "PLAN", "--detach", "--max-duration", "1h"], "--max-duration and --detach"),
        (["run", "PLAN", "--detach", "--dry-run"], "are different things"),
        (["worker", "--stale", "1s"], "would count as dead"),
        (["stop", "PLAN"], "nothing has run yet"),
    ],
)
def test_what_does_not_go_together_is_said(team, arguments, said):
    team = team()
    plan = team.plan("a")

    done = team.desk(*[plan if word == "PLAN" else word for word in arguments])

    assert done.code in (1, 2)
    assert said in done.err


def test_without_a_database_there_is_nothing_to_hand_over_to(desk):
    one = desk()
    plan = one.plan(1)
    for arguments in (("run", plan, "--detach"), ("worker",), ("stop", plan)):
        done = one(*arguments)
        assert done.code == 2
        assert "MIGRATOR_JOURNAL" in done.err


# --- A plan as data -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["full", "demo"])
def test_every_setting_of_a_plan_survives_being_handed_over(name):
    plan, _ = load(ROOT / "plans" / f"{name}.toml")
    options = Options(wave=None, again=frozenset({plan.images[0].key}), retry_failed=True, preflight=False)

    again, how = read_document(document(plan, options), list(plan.images))

    assert again == plan
    assert (how.again, how.retry_failed, how.preflight) == (options.again, True, False)
    # Whose value a webhook's signature is made with is a variable of the environment; its name is no secret.
    named = document(plan, options).replace("OPS_WEBHOOK_SECRET", "").replace("secret_env", "")
    assert "secret" not in named.lower()


def test_what_a_newer_program_handed_over_is_refused_with_its_version():
    plan, _ = load(ROOT / "plans" / "demo.toml")
    text = document(plan, Options()).replace('\\"owner\\"', '\\"from_the_future\\"')

    with pytest.raises(UsageError, match="handed over by migrator"):
        read_document(text, [])


def test_a_target_needs_the_credentials_of_those_that_get_its_copies():
    plan, _ = load(ROOT / "plans" / "full.toml")
    images = [image for image in plan.images if image.target == "north"]

    assert any(image.copy_to for image in images)
    assert queue_of(plan, "north", images) == "env profile:south"
    assert queue_of(plan, "north", []) == "env"
