"""Whatever the service says, however long it is silent and whoever does not read: the run goes on."""

import json
import os
import subprocess
import time

import pytest

from tests.adversary.server import Answer, Asked, refusal

SPEED = 120.0


def test_pages_that_lead_in_a_circle_end_the_list(battle):
    """Pages A, B, A, B, ...: each says that there is more, and none after the second brings anything new."""
    it = battle(speed=SPEED)

    def script(asked: Asked) -> Answer | None:
        if "id" in asked.query or "name" in asked.query:
            return None
        images = it.cloud.listed({})
        if len(images) < 2:
            return None
        turn = asked.query.get("marker") == images[0]["id"]
        return Answer(body={"images": [images[1] if turn else images[0]]})

    it.cloud.on("list", script)
    it.plan(6)

    outcome = it.run()

    assert set(outcome.statuses.values()) == {"succeeded"}, outcome.err
    assert it.cloud.count("list") < 200


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X-Apig-Ratelimit-Api": "limit:1,time:999999 day"}, id="one request in 999,999 days"),
        pytest.param({"X-Apig-Ratelimit-User": "limit:0,time:1 minute"}, id="none at all"),
        pytest.param({"Retry-After": "1000000000"}, id="after thirty years"),
        pytest.param({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, id="at the end of time"),
    ],
)
@pytest.mark.parametrize("kind", ["import", "job"])
def test_no_header_stalls_a_run(battle, headers, kind):
    it = battle(speed=200.0)  # a start and an end of seconds must not count for the hour

    def script(asked: Asked) -> Answer | None:
        if asked.number == 1:
            return refusal(429, "APIGW.0308", "The throttling threshold has been reached.", **headers)
        return None

    it.cloud.on(kind, script)
    it.plan(4)
    began = it.cloud.now()

    outcome = it.run()

    assert outcome.code == 0, outcome.err
    assert it.cloud.now() - began < 3600.0, "ten minutes are the most that anybody may ask for"


def test_one_hung_job_does_not_hold_the_others(battle):
    """The service allows one job, once; that job hangs; the others are let in one by one all the same."""
    it = battle(speed=1200.0, job_seconds=30.0)

    def script(asked: Asked) -> Answer | None:
        if asked.number == 0:
            job = it.cloud.accept(asked.body)
            job.ends += 5 * 3600.0
            return Answer(body={"job_id": job.id})
        if asked.number < 12:
            return refusal(
                400, "IMG.0060", "The number of image tasks being processed has reached the limit."
            )
        return None

    it.cloud.on("import", script)
    it.plan(20, limits="max_jobs = 40", polling='deadline = "1h"')

    outcome = it.run()

    assert outcome.code == 7, outcome.err
    statuses = outcome.statuses
    assert statuses.pop("vm-001") == "overdue"
    assert set(statuses.values()) == {"succeeded"}


def test_a_pipe_that_nobody_reads_stops_nothing(battle):
    it = battle(speed=600.0)
    it.plan(600, limits="max_jobs = 1000")
    reading, writing = os.pipe()
    process = it.start("--json", stdout=writing, stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        end = time.monotonic() + 60.0
        while len(it.cloud.accepted) < 600:
            assert time.monotonic() < end, "the run stands still"
            time.sleep(0.05)
        with os.fdopen(reading, encoding="utf-8") as stream:
            last = json.loads(list(stream)[-1])
    finally:
        process.wait(60)
    assert last["exit_code"] == process.returncode == 0


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(status=503, raw=b"<html><body>maintenance</body></html>"), id="a page"),
        pytest.param(Answer(raw=b"\xff\xfe\x00"), id="noise"),
        pytest.param(Answer(body=[1, 2, 3]), id="a list"),
        pytest.param(Answer(body={"status": {"a": 1}}), id="another shape"),
        pytest.param(Answer(drop=True), id="nothing"),
        pytest.param(Answer(raw=b"[" * 100_000), id="very deep"),
    ],
)
def test_answers_to_questions_that_cannot_be_read_are_asked_for_again(battle, answer):
    it = battle(speed=SPEED)
    it.cloud.on("job", lambda asked: answer if asked.number % 2 == 0 else None)
    it.plan(3)

    outcome = it.run()

    assert set(outcome.statuses.values()) == {"succeeded"}, outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("kind", ["list", "job"])
def test_a_question_that_is_refused_now_and_then_ends_no_run(battle, kind):
    """Status 403 with a code that nobody knows, to a question: it says nothing about any image."""
    it = battle(speed=SPEED)
    it.cloud.on(kind, lambda asked: refusal(403, "IMG.0000", "odd") if asked.number % 3 == 2 else None)
    it.cloud.on("import", lambda asked: Answer(drop=True) if asked.number == 2 else None)
    it.plan(12, policy='late = "1m"')

    outcome = it.run()

    assert set(outcome.statuses.values()) == {"succeeded"}, outcome.err
    assert set(it.cloud.accepted.values()) == {1}


def test_a_question_that_is_refused_for_good_ends_the_run_in_good_order(battle):
    it = battle(speed=1200.0)
    it.cloud.on("list", lambda asked: refusal(403, "IMG.0000", "something odd") if asked.number > 1 else None)
    it.plan(3)

    outcome = it.run()

    assert outcome.code == 7, outcome.err
    assert "something odd" in outcome.err
    assert set(outcome.statuses.values()) == {"verifying"}, "the report is of the end, not of the beginning"
