"""Whatever becomes of a request or an answer, no image is imported twice: the adversary's bill says so."""

import signal
import time

import pytest

from tests.adversary.server import Adversary, Answer, Asked, refusal

SPEED = 600.0
"""Simulated seconds in a real one: a quarter of an hour takes one and a half."""


def once(names: int) -> dict[str, int]:
    return {f"vm-{number:03}": 1 for number in range(1, names + 1)}


def late(cloud: Adversary, answer: Answer, *, after: float, which: int = 1) -> None:
    """Answer one import with nothing that tells, and accept it `after` seconds later."""

    def script(asked: Asked) -> Answer | None:
        if asked.number != which:
            return None
        cloud.accept(asked.body, after=after)
        return answer

    cloud.on("import", script)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refusal(504, "APIGW.0201", "Backend timeout."), id="504"),
        pytest.param(refusal(408, "", "Request Timeout"), id="408"),
        pytest.param(refusal(425, "", "Too Early"), id="425"),
        pytest.param(refusal(499, "", "Client Closed Request"), id="499"),
        pytest.param(Answer(drop=True), id="no answer"),
        pytest.param(Answer(raw=b'{"job_i'), id="half an answer"),
        pytest.param(Answer(body={"job_id": ""}), id="no job id"),
        pytest.param(Answer(status=409, body={"error": {"code": "IMG.0009", "message": "exists"}}), id="409"),
    ],
)
@pytest.mark.parametrize("after", [0.0, 800.0])
def test_a_request_that_was_accepted_although_nobody_said_so_is_not_sent_again(battle, answer, after):
    it = battle(speed=SPEED)
    late(it.cloud, answer, after=after)
    it.plan(4)

    outcome = it.run()

    assert it.cloud.accepted == once(4)
    assert outcome.code == 0, outcome.err
    assert set(outcome.statuses.values()) == {"succeeded"}


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_final_answer_ends_late_acceptance_at_once_and_what_lists_hide_is_still_waited_for(battle, status):
    """Jobs of two hours that no list shows until they end, and one answer that was lost after acceptance."""
    it = battle(speed=3000.0, job_seconds=7200.0)
    it.cloud.lists_hide = True
    late(it.cloud, refusal(status, "APIGW.0202", "Backend error."), after=0.0)
    it.plan(6, polling='deadline = "6h"')

    outcome = it.run()

    assert outcome.code == 0, outcome.err
    assert it.cloud.accepted == once(6)


def test_what_was_never_accepted_is_sent_again_in_the_end(battle):
    it = battle(speed=SPEED)
    it.cloud.on("import", lambda asked: Answer(drop=True) if asked.number in (1, 2) else None)
    it.plan(12)

    outcome = it.run()

    assert outcome.code == 0, outcome.err
    assert it.cloud.accepted == once(12)
    assert it.cloud.count("import") == 14


@pytest.mark.parametrize("state", ["FAIL", "SUCCESS"])
def test_an_answer_about_another_job_is_never_believed(battle, state):
    it = battle(speed=60.0, job_seconds=120.0)
    foreign: list[str] = []

    def script(asked: Asked) -> Answer | None:
        own = asked.path.rsplit("/", 1)[1]
        others = [job for job in it.cloud.jobs if job != own]
        if asked.number < 3 and others:
            foreign.append(own)
            body = {"job_id": others[0], "status": state, "entities": {"image_id": "x"}, "fail_reason": "bad"}
            return Answer(body=body)
        return None

    it.cloud.on("job", script)
    it.plan(3)

    outcome = it.run()

    assert foreign
    assert outcome.code == 0, outcome.err
    assert set(outcome.statuses.values()) == {"succeeded"}
    assert it.cloud.accepted == once(3)


def test_an_import_that_is_answered_with_another_images_job_is_looked_up(battle):
    it = battle(speed=SPEED)

    def script(asked: Asked) -> Answer | None:
        if asked.number != 1:
            return None
        first = next(iter(it.cloud.jobs))
        it.cloud.accept(asked.body)
        return Answer(body={"job_id": first})

    it.cloud.on("import", script)
    it.plan(3, limits="max_requests = 2")

    outcome = it.run()

    assert it.cloud.accepted == once(3)
    assert outcome.code == 0, outcome.err
    ids = [image["image_id"] for image in outcome.images.values()]
    assert len(set(ids)) == 3


def test_a_killed_leftover_of_the_first_attempt_does_not_end_the_doubt_of_the_second(battle):
    """The first attempt fails and leaves a dead image; the second is accepted late, and nobody says so."""
    it = battle(speed=SPEED)

    def script(asked: Asked) -> Answer | None:
        if asked.number == 0:
            job = it.cloud.accept(asked.body, state="FAIL", image={"status": "killed"})
            job.says = {"error_code": "IMG.0057", "fail_reason": "the file is damaged"}
            return Answer(body={"job_id": job.id})
        it.cloud.accept(asked.body, after=400.0)
        return refusal(504, "APIGW.0201", "Backend timeout.")

    it.cloud.on("import", script)
    it.plan(1)
    assert it.run().code == 3

    outcome = it.run("--retry-failed")

    assert it.cloud.count("import") == 2
    assert it.cloud.accepted == {"vm-001": 2}, "one failed, and one more because a person asked for it"
    assert outcome.code == 0, outcome.err
    assert outcome.images["vm-001"]["image_id"] == list(it.cloud.jobs.values())[1].image_id


def test_a_proxy_that_repeats_a_request_makes_two_images_and_both_are_reported(battle):
    it = battle(speed=60.0)

    def script(asked: Asked) -> Answer | None:
        if asked.number != 1:
            return None
        it.cloud.accept(asked.body)
        it.cloud.accept(asked.body)
        return refusal(502, "", "Bad Gateway")

    it.cloud.on("import", script)
    it.plan(2)

    outcome = it.run()

    assert outcome.code == 0, outcome.err
    assert it.cloud.count("import") == 2, "the program sent one for each image"
    twice = next(name for name, count in it.cloud.accepted.items() if count == 2)
    both = {job.image_id for job in it.cloud.jobs.values() if job.name == twice}
    image = outcome.images[twice]
    assert {image["image_id"], *image["other_images"].split()} == both


@pytest.mark.parametrize("after", [0.0, 300.0])
def test_a_run_that_is_killed_with_requests_on_their_way_looks_first(battle, after):
    it = battle(speed=SPEED)

    def script(asked: Asked) -> Answer | None:
        if asked.number == 1:
            it.cloud.accept(asked.body, after=after)
            process.kill()
            return Answer(drop=True)
        return None

    it.cloud.on("import", script)
    it.plan(12, limits="max_requests = 2")
    process = it.start()
    process.communicate()

    outcome = it.run()

    assert it.cloud.accepted == once(12)
    assert outcome.code == 0, outcome.err


def test_a_frozen_run_that_wakes_up_later_imports_nothing_twice(battle):
    """The process stands still for half an hour while a request is on its way."""
    it = battle(speed=SPEED)

    def script(asked: Asked) -> Answer | None:
        if asked.number == 1:
            process.send_signal(signal.SIGSTOP)
            it.cloud.accept(asked.body, after=100.0)
            return Answer(drop=True)
        return None

    it.cloud.on("import", script)
    it.plan(3, limits="max_requests = 2")
    process = it.start()
    end = time.monotonic() + 30.0
    while it.cloud.count("import") < 2:
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(1800.0 / SPEED)
    process.send_signal(signal.SIGCONT)

    outcome = it.finish(process)

    assert it.cloud.accepted == once(3)
    assert outcome.code == 0, outcome.err
