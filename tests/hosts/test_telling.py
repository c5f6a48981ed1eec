"""Receivers of a plan that workers carry out: one of them tells, whoever dies. Real processes, database."""

import signal
from collections import Counter
from pathlib import Path

from migrator.workflow.events import NotificationDelivered, NotificationOwed
from tests.cli.conftest import ended, wait_until
from tests.hosts.team import Team
from tests.journal.conftest import NEEDS_POSTGRES

pytestmark = NEEDS_POSTGRES

OPS = '[[notify]]\nname = "ops"\non = {on}\nurl_env = "OPS_URL"\nsecret_env = "OPS_KEY"\n'
WAVES = '[[waves]]\nname = "pilot"\n[[waves]]\nname = "rest"\n'


def plan_of(team: Team, targets: str = "ab", on: str = '["begin", "wave", "end"]') -> Path:
    """One that tells; with waves where that is told."""
    rows = {"a": 'wave = "pilot"', "b": 'wave = "rest"'} if "wave" in on else {}
    plan = team.plan(targets, 3, "", **rows)
    plan.write_text(plan.read_text() + (WAVES if rows else "") + OPS.format(on=on))
    return plan


def teller(team: Team) -> object:
    return team.owners().get("")


def all_told(team: Team) -> bool:
    return team.ask("SELECT waits FROM migrator.shards WHERE target = ''") == [("",)]


def test_one_worker_tells_of_what_all_of_them_do_and_each_thing_once(team, receiver):
    team = team()
    plan = plan_of(team)
    for name in ("w1", "w2"):
        team.worker(name, "--lanes", "1", **receiver.env)

    team.hand_over(plan)
    team.wait()
    wait_until(lambda: all_told(team))

    assert receiver.told == ["begin", "wave", "wave", "end"]
    begin, pilot, rest, end = receiver.took
    assert begin["text"] == "The run began: 6 of 6 images to do."
    assert [(one["wave"], one["counts"]["succeeded"]) for one in (pilot, rest)] == [("pilot", 3), ("rest", 3)]
    assert (end["exit_code"], end["counts"]["succeeded"]) == (0, 6)
    events = team.desk.events("fleet")
    owed = [event.id for event in events if isinstance(event, NotificationOwed)]
    delivered = [event.id for event in events if isinstance(event, NotificationDelivered)]
    assert sorted(owed) == sorted(delivered) == sorted({one["id"] for one in receiver.took})
    assert "" not in team.owners()


def test_when_the_worker_that_tells_is_killed_another_one_tells_the_rest(team, receiver):
    team = team(job_seconds=600.0)
    plan = plan_of(team, on='["begin", "end"]')
    receiver.answers.clear()
    team.hand_over(plan)
    first = team.worker("w1", **receiver.env)
    wait_until(lambda: len(receiver.arrived) == 1)
    assert teller(team) == "w1"

    first.kill()
    ended(first)
    receiver.took.clear()
    receiver.answers.set()
    team.worker("w2", **receiver.env)
    team.desk.finish_jobs()
    team.wait()
    wait_until(lambda: all_told(team))

    begun = receiver.arrived[0]
    assert begun in [one["id"] for one in receiver.took]
    assert Counter(one["event"] for one in receiver.took if one["id"] != begun) == {"end": 1}
    assert len({one["id"] for one in receiver.took}) == 2


def test_a_worker_that_stood_still_tells_no_more_when_it_goes_on(team, receiver):
    team = team(job_seconds=600.0)
    plan = plan_of(team, on='["begin", "end"]')
    team.hand_over(plan)
    frozen = team.worker("w1", **receiver.env)
    wait_until(lambda: receiver.told == ["begin"])
    team.worker("w2", **receiver.env)

    frozen.send_signal(signal.SIGSTOP)
    wait_until(lambda: teller(team) == "w2")
    frozen.send_signal(signal.SIGCONT)
    team.desk.finish_jobs()
    team.wait()
    wait_until(lambda: all_told(team))

    assert receiver.told == ["begin", "end"]


def test_a_worker_that_lacks_an_address_leaves_it_to_one_that_has_it(team, receiver):
    team = team()
    plan = plan_of(team, on='["end"]')
    poor = team.worker("w1")
    team.hand_over(plan)
    team.wait()
    assert (teller(team), receiver.took) == (None, [])
    said = " ".join(team.desk("status", plan).out.split())
    assert "nobody is told: no worker has all that the receivers of [[notify]] need" in said

    team.worker("w2", **receiver.env)
    wait_until(lambda: all_told(team))

    assert receiver.told == ["end"]
    poor.send_signal(signal.SIGTERM)
    assert "fleet: ops will not be notified: OPS_URL is not set" in ended(poor).err


def test_a_receiver_that_is_down_keeps_nobody_from_the_plan_and_is_told_when_it_is_back(team, receiver):
    team = team()
    plan = plan_of(team, on='["end"]')
    receiver.status = 503
    team.worker("w1", **receiver.env)
    team.hand_over(plan)
    team.wait()
    wait_until(lambda: len(receiver.arrived) >= 2)
    assert teller(team) == "w1"

    again = team.desk("run", plan, **receiver.env)
    assert again.code == 0, again.err
    receiver.status = 204
    last = team.desk("run", plan, **receiver.env)

    assert last.code == 0
    assert receiver.arrived[0] in [one["id"] for one in receiver.took]
    assert team.desk.duplicates == 0
    assert not [one for one in team.desk.ledger("fleet").notifications.values() if not one.done]


def test_a_plan_that_is_handed_over_anew_is_told_of_as_it_is_now(team, receiver):
    team = team(job_seconds=600.0)
    plan = plan_of(team, "a", on='["begin", "end"]')
    team.hand_over(plan)
    team.worker("w1", **receiver.env)
    wait_until(lambda: receiver.told == ["begin"])

    plan.write_text(plan.read_text().replace('on = ["begin", "end"]', 'on = ["end"]'))
    team.hand_over(plan)
    team.desk.finish_jobs()
    team.wait()
    wait_until(lambda: all_told(team))

    assert receiver.told == ["begin", "end"]


def test_a_plan_that_was_stopped_is_nobodys_once_all_of_its_end_was_told(team, receiver):
    """The last event of a plan that drains comes just before its last target is let go of."""
    team = team(job_seconds=2.0)
    plan = plan_of(team)
    team.hand_over(plan)
    team.worker("w1", "--lanes", "1", **receiver.env)
    wait_until(lambda: teller(team) == "w1" and len(team.desk.accepted) == 3)

    team.desk("stop", plan)
    wait_until(lambda: team.owners() == {})

    assert receiver.told == ["begin", "wave"]
    assert receiver.took[1]["wave"] == "pilot"
