"""Everything that goes wrong on purpose, and that the ledger stays honest through all of it."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.simulator.settings import SCENARIOS, Odds, Settings, scenario
from migrator.simulator.simulator import Simulator
from migrator.simulator.wire import Act, Call, Reply
from tests.simulator.callers import NOON, Caller, error, wish


@pytest.mark.parametrize(
    ("mishap", "act", "taken"),
    [
        pytest.param("error_before", Act.NONE, False, id="5xx before acceptance"),
        pytest.param("error_after", Act.NONE, True, id="5xx after acceptance"),
        pytest.param("reset_before", Act.RESET, False, id="reset before"),
        pytest.param("reset_after", Act.RESET, True, id="reset after"),
        pytest.param("hang_before", Act.HANG, False, id="hang before"),
        pytest.param("hang_after", Act.HANG, True, id="hang after"),
        pytest.param("truncate", Act.TRUNCATE, True, id="truncated"),
        pytest.param("html", Act.NONE, False, id="a proxy's page"),
        pytest.param("throttle", Act.NONE, False, id="throttled"),
    ],
)
def test_a_mishap_is_delivered_and_the_ledger_knows_whether_the_import_was_taken_in(mishap, act, taken):
    caller = Caller(import_odds={mishap: 1.0})

    reply = caller.submit()

    assert reply.act is act
    assert ("web-01" in caller.simulator.accepted) is taken
    assert reply.status != 200 or act is not Act.NONE
    assert sum(caller.simulator.stats.import_refusals.values()) == (0 if taken else 1)


@pytest.mark.parametrize("status", [408, 409, 500, 502, 503, 504])
def test_any_status_may_be_asked_for(status):
    caller = Caller(import_odds=Odds(error_before=1.0, statuses=(status,)))

    assert caller.submit().status == status


def test_errors_come_as_pages_gateway_bodies_and_service_bodies():
    caller = Caller(import_odds={"error_before": 1.0, "statuses": [500]})
    bodies = [caller.submit().body for _ in range(60)]

    assert any(body.startswith(b"<html>") for body in bodies)
    assert any(b"APIGW.0601" in body for body in bodies)
    assert any(b"IMG.0061" in body for body in bodies)


def test_odds_are_kept_apart_by_kind_of_request():
    caller = Caller(poll_odds={"reset_before": 1.0})
    job_id = caller.job_id()

    assert caller.call("GET", f"/v1/cloudimages/job/{job_id}").act is Act.RESET
    assert caller.names() == ["web-01"]


def test_odds_are_about_what_they_say():
    odds = {"error_before": 0.1, "error_after": 0.1, "reset_after": 0.1, "hang_after": 0.1, "truncate": 0.1}
    caller = Caller(import_odds=odds, max_jobs=10_000, quota=-1)
    for number in range(2000):
        caller.submit(f"web-{number}")
    acts = caller.simulator.stats.acts

    assert all(140 < acts[act.value] < 260 for act in (Act.RESET, Act.HANG, Act.TRUNCATE))
    assert 1700 < len(caller.simulator.accepted) < 1900


def test_bursts_come_and_go_and_take_turns():
    caller = Caller(burst_every=20, burst_seconds=4, max_jobs=1000, quota=-1)
    seen = []
    for second in range(80):
        caller.now = NOON + second
        reply = caller.submit(f"web-{second}")
        seen.append("" if reply.status == 200 else error(reply))
        quota = caller.call("GET", "/v1/cloudimages/quota")
        assert (quota.status == 429) is (seen[-1] == "APIGW.0308")
    bursts = [seen[i] for i in range(1, 80) if seen[i] and not seen[i - 1]]

    assert 14 <= sum(map(bool, seen)) <= 18
    assert set(bursts) == {"APIGW.0308", "IMG.0060"}
    assert all(one != other for one, other in pairwise(bursts))


def test_a_rate_limit_refuses_what_exceeds_it_and_says_so():
    caller = Caller(rate_limits={"import": "3/m"}, retry_after=True, rate_headers=True)
    replies = [caller.submit(f"web-{number}") for number in range(5)]
    last = replies[-1]

    assert [reply.status for reply in replies] == [200, 200, 200, 429, 429]
    assert error(last) == "APIGW.0308"
    assert b"policy user over ratelimit,limit:3,time:1 minute" in last.body
    assert last.headers["Retry-After"] == "55"
    assert last.headers["X-Apig-Ratelimit-Api"] == "remain:0,limit:3,time:1 minute"
    assert replies[0].headers["X-Apig-Ratelimit-Api"] == "remain:2,limit:3,time:1 minute"
    assert caller.call("GET", "/v1/cloudimages/quota").status == 200
    caller.now += 55
    assert caller.submit("web-9").status == 200


def test_one_limit_may_stand_for_each_of_the_rest():
    caller = Caller(rate_limits={"import": "100/s", "*": "1/s"})

    assert caller.call("GET", "/v1/cloudimages/quota").status == 200
    assert caller.call("GET", "/v1/cloudimages/quota").status == 429
    assert caller.call("GET", "/v2/cloudimages").status == 200
    assert caller.submit().status == 200
    assert "Retry-After" not in caller.call("GET", "/v2/cloudimages").headers


def test_answers_take_as_long_as_the_settings_say():
    caller = Caller(latency=(0.1, 0.3))
    delays = [caller.submit(f"web-{number}").delay for number in range(40)]

    assert all(0.1 <= delay <= 0.3 for delay in delays)
    assert max(delays) - min(delays) > 0.1


def test_every_answer_of_the_gateway_names_its_request():
    caller = Caller(rate_limits={"import": "1/h"})
    caller.submit()

    refused = caller.submit()

    assert json.loads(refused.body)["request_id"] == refused.headers["X-Request-Id"]
    assert len(refused.headers["X-Request-Id"]) == 32


def test_chaos_is_exactly_as_bad_as_promised():
    chaos = scenario("chaos", seed=3)
    imports, polls = chaos.import_odds, chaos.poll_odds

    assert chaos.seed == 3
    assert (imports.error_before, imports.error_after) == (0.05, 0.05)
    assert (imports.reset_before, imports.reset_after) == (0.03, 0.03)
    assert imports.hang_before + imports.hang_after == 0.02
    assert imports.truncate == 0.01
    assert sum(v for v in polls.model_dump().values() if isinstance(v, float)) == pytest.approx(0.10)
    assert set(chaos.burst_kinds) == {"throttle", "flow"}
    assert chaos.burst_every
    assert chaos.token_dies_after is not None
    assert chaos.token_dies_after <= 5


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_scenario_throws_more_than_one_dice_can_show(name):
    fault_profile = SCENARIOS[name]
    for odds in (fault_profile.import_odds, fault_profile.poll_odds, fault_profile.other_odds):
        assert sum(v for v in odds.model_dump().values() if isinstance(v, float)) <= 1


def test_an_unknown_scenario_is_a_key_error():
    with pytest.raises(KeyError):
        scenario("sunshine")


# --- Laws ---

STEPS = st.lists(
    st.tuples(st.sampled_from(["import", "poll", "list", "quota"]), st.integers(0, 9), st.floats(0, 30)),
    max_size=40,
)
FAULT_PROFILES = st.builds(
    lambda seed, name: scenario(name, seed=seed).model_copy(update={"max_jobs": 4, "quota": 12}),
    st.integers(0, 2**32),
    st.sampled_from(sorted(SCENARIOS)),
)


def play(
    fault_profile: Settings, steps: list[tuple[str, int, float]]
) -> tuple[Simulator, list[Reply], list[str]]:
    """(simulator, every reply, the jobs that import replies named)."""
    caller = Caller()
    caller.simulator = Simulator(fault_profile, now=NOON)
    caller.token, _ = caller.simulator.guard.new_token("cn-north-4", "0123456789abcdef0123456789abcdef", NOON)
    jobs = ["x"]
    replies: list[Reply] = []
    for kind, number, seconds in steps:
        caller.now += seconds
        match kind:
            case "import":
                reply = caller.submit(f"web-{number}")
            case "poll":
                reply = caller.call("GET", f"/v1/cloudimages/job/{jobs[number % len(jobs)]}")
            case "list":
                reply = caller.call("GET", "/v2/cloudimages", ("name", f"web-{number}"))
            case _:
                reply = caller.call("GET", "/v1/cloudimages/quota")
        if kind == "import" and reply.status == 200 and reply.act is Act.NONE:
            jobs.append(json.loads(reply.body)["job_id"])
        replies.append(reply)
    return caller.simulator, replies, jobs[1:]


@settings(max_examples=40)
@given(FAULT_PROFILES, STEPS)
def test_the_same_seed_and_calls_give_the_same_answers(fault_profile, steps):
    assert play(fault_profile, steps)[1] == play(fault_profile, steps)[1]


@settings(max_examples=60)
@given(FAULT_PROFILES, STEPS)
def test_the_ledger_holds_every_import_that_was_taken_in_and_none_that_was_refused(fault_profile, steps):
    simulator, replies, named = play(fault_profile, steps)
    lines = [line for its in simulator.accepted.values() for line in its]
    started = [job_id for project in simulator.projects.values() for job_id in project.jobs]
    asked = sum(kind == "import" for kind, _, _ in steps)

    assert sorted(line.job_id for line in lines) == sorted(started) == sorted(simulator.answers)
    assert set(named) == {job_id for job_id, status in simulator.answers.items() if status == "200"}
    assert len(lines) + sum(simulator.stats.import_refusals.values()) == asked
    assert simulator.most_running <= 4
    for reply, (kind, _, _) in zip(replies, steps, strict=True):
        if kind == "import" and 400 <= reply.status < 500:
            assert reply.status in (400, 401, 408, 409, 429)


# --- Looking inside ---


def test_the_pages_under_sim_need_no_token_and_tell_everything():
    caller = Caller(import_odds={"error_after": 1.0}, job_spread="fixed", job_seconds=10)
    caller.submit("web-01", tags=["a.b"])
    caller.now += 5

    def page(name: str) -> Any:
        call = Call(method="GET", host="h", path=f"/_sim/{name}")
        return json.loads(caller.simulator.answer(call, caller.now).body)

    (line,) = page("ledger")["accepted"]["web-01"]
    assert line["tags"] == {"a": "b"}
    assert int(line["answer"]) >= 500
    assert page("jobs")["jobs"][0]["status"] == "RUNNING"
    assert page("images")["images"][0]["status"] == "saving"
    stats = page("stats")
    assert stats["requests"] == {"import": 1}
    assert stats["accepted"] == stats["most_running_jobs"] == 1
    assert stats["first_refused"][0]["kind"] == "import"
    assert page("settings")["import_odds"]["error_after"] == 1.0
    assert caller.call("GET", "/_sim/nothing").status == 404


def test_settings_can_be_changed_while_it_runs():
    caller = Caller()
    caller.submit("a")

    changed = caller.call("POST", "/_sim/settings", body={"import_odds": {"throttle": 1.0}, "quota": 1})
    wrong = caller.call("POST", "/_sim/settings", body={"quotas": 1})
    unknown = [
        {"no_odds": {"throttle": 1.0}},
        {"self": 1},
        {"import_odds": {"self": 1.0}},
        {"import_odds": 1},
    ]
    assert [caller.call("POST", "/_sim/settings", body=body).status for body in unknown] == [400] * 4

    assert (changed.status, wrong.status) == (200, 400)
    assert caller.submit("b").status == 429
    caller.call("POST", "/_sim/settings", body={"import_odds": {"throttle": 0.0}})
    assert error(caller.submit("b")) == "IMG.0015"


@pytest.mark.parametrize(
    "body",
    [
        {"no_odds": {"throttle": 1.0}},
        {"self": 1},
        {"import_odds": {"self": 1.0}},
        {"import_odds": 1},
        {"": 1},
    ],
)
def test_a_setting_that_is_not_is_refused_whatever_its_name(body):
    assert Caller().call("POST", "/_sim/settings", body=body).status == 400


def test_statistics_count_peaks_and_refusals():
    caller = Caller(max_jobs=2)
    for number in range(3):
        caller.submit(f"web-{number}")
    caller.now += 1
    caller.call("POST", "/v2/cloudimages/quickimport/action", body=wish("x", min_disk=0))
    stats = caller.simulator.stats

    assert stats.peak("import") == 3
    assert stats.peak("poll") == 0
    assert stats.import_refusals == {"IMG.0060": 1, "IMG.0055": 1}
