"""How long jobs take, what queries answer about them, and how they end."""

import statistics
from typing import Any

import pytest

from migrator.simulator.wire import message_of
from tests.simulator.callers import PROJECT, Caller, error


def test_a_job_runs_then_succeeds_and_its_image_turns_active():
    caller = Caller(job_spread="fixed", job_seconds=100)
    job_id = caller.job_id()
    caller.now += 40
    running = caller.job(job_id)

    assert (running["status"], running["end_time"]) == ("RUNNING", "")
    assert running["entities"]["process_percent"] == 0.4
    assert running["entities"]["image_name"] == "web-01"
    assert caller.get("/v2/cloudimages")["images"][0]["status"] == "saving"
    caller.now += 60
    done = caller.job(job_id)
    assert done["status"] == "SUCCESS"
    assert done["begin_time"] == "2025-01-02T12:04:05.000Z"
    assert done["end_time"] == "2025-01-02T12:05:45.000Z"
    (image,) = caller.get("/v2/cloudimages")["images"]
    assert image["status"] == "active"
    assert image["id"] == done["entities"]["image_id"]


def test_both_job_queries_answer_alike():
    caller = Caller()
    job_id = caller.job_id()

    assert caller.get(f"/v1/{PROJECT}/jobs/{job_id}") == caller.job(job_id)


@pytest.mark.parametrize(
    ("switch", "path"),
    [("progress_path", "/v1/cloudimages/job/x"), ("status_path", f"/v1/{PROJECT}/jobs/x")],
)
def test_either_query_can_be_switched_off(switch, path):
    reply = Caller(**{switch: False}).call("GET", path)

    assert (reply.status, error(reply)) == (404, "APIGW.0101")


def test_an_unknown_job_is_a_failed_query():
    reply = Caller().call("GET", "/v1/cloudimages/job/x")

    assert (reply.status, error(reply)) == (400, "IMG.0023")


@pytest.mark.parametrize(
    ("mode", "percentages"),
    [
        pytest.param("linear", [0.1, 0.3, 0.6, 0.9], id="linear"),
        pytest.param("stuck", [0.1, 0.2, 0.2, 0.2], id="stuck"),
        pytest.param("coarse", [0.0, 0.25, 0.5, 0.75], id="coarse"),
        pytest.param("missing", [None] * 4, id="missing"),
    ],
)
def test_progress_is_told_in_several_ways(mode, percentages):
    caller = Caller(job_spread="fixed", job_seconds=10, progress=mode)
    job_id = caller.job_id()
    start, shown = caller.now, []
    for second in (1, 3, 6, 9):
        caller.now = start + second
        shown.append(caller.job(job_id)["entities"].get("process_percent"))

    assert shown == percentages


def test_a_full_queue_leaves_a_job_in_init_until_it_is_its_turn():
    caller = Caller(at_job_limit="queue", max_jobs=2, job_spread="fixed", job_seconds=10)
    jobs = [caller.job_id(f"web-{number}") for number in range(5)]

    assert [caller.job(job)["status"] for job in jobs] == ["RUNNING", "RUNNING", "INIT", "INIT", "INIT"]
    assert caller.job(jobs[2])["entities"] == {}
    caller.now += 10
    assert [caller.job(job)["status"] for job in jobs] == ["SUCCESS"] * 2 + ["RUNNING"] * 2 + ["INIT"]
    caller.now += 20
    assert {caller.job(job)["status"] for job in jobs} == {"SUCCESS"}
    assert caller.simulator.most_running == 2


@pytest.mark.parametrize(
    ("place", "top", "entities", "sub"),
    [
        pytest.param("top", ("IMG.0057", "why"), {}, {}, id="on top"),
        pytest.param("entities", (None, None), {"error_code": "IMG.0057", "error": "why"}, {}, id="entities"),
        pytest.param("error", (None, None), {"error": "IMG.0057: why"}, {}, id="in a text"),
        pytest.param(
            "addition",
            (None, None),
            {"addition_error_code": "IMG.0057", "addition_error_msg": "why"},
            {},
            id="in addition",
        ),
        pytest.param(
            "sub_job", (None, None), {}, {"error_code": "IMG.0057", "fail_reason": "why"}, id="a sub job"
        ),
        pytest.param(
            "generic",
            ("IMG.0061", "generic"),
            {},
            {"error_code": "IMG.0057", "fail_reason": "why"},
            id="under a generic one",
        ),
    ],
)
def test_a_failed_job_tells_its_code_in_one_of_the_documented_shapes(place, top, entities, sub):
    caller = Caller(fates={"web-01": "IMG.0057"}, fail_places=[place])
    job_id = caller.job_id()
    caller.now += 3600

    body = caller.job(job_id)

    def short(value: Any) -> Any:
        texts = {message_of("IMG.0057"): "why", message_of("IMG.0061"): "generic"}
        for text, word in texts.items():
            value = value.replace(text, word) if isinstance(value, str) else value
        return value

    told = {name: short(value) for name, value in body["entities"].items() if "error" in name}
    subs = body["entities"].get("sub_jobs_result", [{}])
    assert body["status"] == "FAIL"
    assert (body["error_code"], short(body["fail_reason"])) == top
    assert told == entities
    assert "fail_reason" not in body["entities"]
    assert {name: short(subs[0].get(name)) for name in sub} == sub
    assert bool(subs[0]) is bool(sub)


def test_failures_go_through_every_shape_in_turn():
    caller = Caller(fail=0.5, max_jobs=1000, quota=-1)
    for number in range(40):
        caller.job_id(f"web-{number}")
    (project,) = caller.simulator.projects.values()

    places = [job.fail_place for job in project.jobs.values() if job.fails]

    assert len(places) > 10
    assert places == (["top", "entities", "error", "addition", "sub_job", "generic"] * 8)[: len(places)]


@pytest.mark.parametrize(("leaves", "listed"), [(0.0, []), (1.0, ["killed"])])
def test_a_failed_job_may_leave_a_killed_image_behind(leaves, listed):
    caller = Caller(fates={"web-01": "IMG.0057"}, fail_leaves_killed=leaves)
    job_id = caller.job_id()
    caller.now += 3600

    assert [image["status"] for image in caller.get("/v2/cloudimages")["images"]] == listed
    assert ("image_id" in caller.job(job_id)["entities"]) is bool(listed)


@pytest.mark.parametrize(
    ("fate", "statuses"), [("missing", []), ("killed", ["killed"]), ("different", ["active"])]
)
def test_success_may_be_a_lie(fate, statuses):
    caller = Caller(fates={"web-01": fate})
    job_id = caller.job_id()
    caller.now += 3600
    images = caller.get("/v2/cloudimages")["images"]

    assert caller.job(job_id)["status"] == "SUCCESS"
    assert [image["status"] for image in images] == statuses
    if fate == "different":
        honest = Caller()
        honest.job_id()
        honest.now += 3600
        (asked,) = honest.get("/v2/cloudimages")["images"]
        changed = {name for name, value in asked.items() if images[0].get(name) != value}
        assert changed - {"id", "file", "self", "updated_at", "active_at"}


def test_fractions_of_jobs_fail_and_lie():
    caller = Caller(fail=0.2, lie=0.1, max_jobs=10_000, quota=-1)
    fates = []
    for number in range(1000):
        caller.job_id(f"web-{number}")
    for project in caller.simulator.projects.values():
        fates = [job.fate for job in project.jobs.values()]

    assert 150 < sum("." in fate for fate in fates) < 250
    assert 50 < sum(fate in ("missing", "killed", "different") for fate in fates) < 110


@pytest.mark.parametrize("spread", ["fixed", "uniform", "lognormal", "exponential"])
def test_every_spread_of_durations_has_the_mean_that_was_asked_for(spread):
    caller = Caller(job_spread=spread, job_seconds=100, max_jobs=10_000, quota=-1)
    for number in range(1500):
        caller.job_id(f"web-{number}")
    (project,) = caller.simulator.projects.values()

    mean = statistics.fmean(job.ends - job.starts for job in project.jobs.values())

    assert mean == pytest.approx(100, rel=0.1)


def test_a_larger_object_takes_longer_when_duration_follows_size():
    objects = {"bkt:small.zvhd2": {"size": 2**30}, "bkt:large.zvhd2": {"size": 30 * 2**30}}
    caller = Caller(objects=objects, job_by_size=True, job_spread="fixed", object_gb=(10, 20))
    caller.job_id("small", image_url="bkt:small.zvhd2")
    caller.job_id("large", image_url="bkt:large.zvhd2")
    (project,) = caller.simulator.projects.values()

    assert [job.ends - job.starts for job in project.jobs.values()] == [pytest.approx(8), pytest.approx(240)]


def test_what_becomes_of_a_job_does_not_depend_on_the_order_of_submission():
    there, back = Caller(fail=0.5, max_jobs=1000), Caller(fail=0.5, max_jobs=1000)
    names = [f"web-{number}" for number in range(50)]
    for name in names:
        there.job_id(name)
    for name in reversed(names):
        back.job_id(name)

    def fates(caller: Caller) -> dict[str, tuple[str, float]]:
        (project,) = caller.simulator.projects.values()
        return {job.record.name: (job.fate, job.ends) for job in project.jobs.values()}

    assert fates(there) == fates(back)


def test_failed_and_vanished_images_give_their_quota_back():
    caller = Caller(fates={"fails": "IMG.0014", "vanishes": "missing"}, quota_used=5)
    for name in ("fails", "vanishes", "stays"):
        caller.job_id(name)
    used = [caller.get("/v1/cloudimages/quota")["quotas"]["resources"][0]["used"]]
    caller.now += 3600
    used.append(caller.get("/v1/cloudimages/quota")["quotas"]["resources"][0]["used"])

    assert used == [8, 6]


def test_running_imports_may_count_for_the_quota_only_when_they_are_done():
    caller = Caller(quota_counts_running=False)
    caller.job_id()
    assert caller.get("/v1/cloudimages/quota")["quotas"]["resources"][0]["used"] == 0
    caller.now += 3600

    assert caller.get("/v1/cloudimages/quota")["quotas"]["resources"][0]["used"] == 1
