"""Nothing is reported done that is not, and nothing failed that is well."""

from typing import Any

import pytest

from tests.adversary.server import Answer, Asked, Job, refusal

SPEED = 120.0


def made(it: Any, **about: Any) -> None:
    """Let the first import's job, or its image, be like this."""

    def script(asked: Asked) -> Answer | None:
        if asked.number != 0:
            return None
        job: Job = it.cloud.accept(asked.body, **about)
        return Answer(body={"job_id": job.id})

    it.cloud.on("import", script)


@pytest.mark.parametrize(
    ("image", "asked", "says"),
    [
        pytest.param({"status": None}, "", "status", id="no status"),
        pytest.param({"status": ""}, "", "status", id="an empty status"),
        pytest.param({"status": "killed"}, "", "status", id="killed"),
        pytest.param({"__os_version": "Other Linux(64 bit)"}, "", "os_version", id="another system"),
        pytest.param({"min_disk": 41}, "", "min_disk", id="another disk"),
        pytest.param(
            {"enterprise_project_id": "11111111-2222-3333-4444-555555555555"},
            'enterprise_project_id = "0"',
            "enterprise_project_id",
            id="another enterprise project",
        ),
        pytest.param(
            {"__data_origin": "file,bucket:other.zvhd2"}, "", "bucket:other.zvhd2", id="another file"
        ),
        pytest.param({"__description": "theirs"}, 'description = "ours"', "description", id="another text"),
        pytest.param({"__description": None}, 'description = "ours"', "description", id="no text"),
        pytest.param({"tags": []}, "", "tag", id="no tags"),
        pytest.param({}, 'hw_firmware_type = "uefi"', "hw_firmware_type", id="uefi asked and bios made"),
        pytest.param({"__image_size": "0"}, "", "size", id="nothing in it"),
    ],
)
def test_a_success_whose_image_is_not_as_asked_is_a_failure(battle, image, asked, says):
    it = battle(speed=600.0)
    if "uefi" in asked:
        image = {"hw_firmware_type": None}
    made(it, image=image)
    it.plan(1, image=asked)

    outcome = it.run()

    found = outcome.images["vm-001"]
    assert found["status"] == "failed", outcome.err
    assert says in found["error"]["message"]
    assert outcome.code == 3
    assert it.cloud.accepted == {"vm-001": 1}, "no failure is repeated unasked"


@pytest.mark.parametrize(
    ("image", "asked", "key"),
    [
        pytest.param({"__data_origin": None}, "", "image_url", id="no file told"),
        pytest.param({"__os_version": None}, "", "os_version", id="no system told"),
        pytest.param(
            {"__support_arm": None}, 'architecture = "arm"', "architecture", id="no architecture told"
        ),
    ],
)
def test_what_the_service_does_not_tell_is_no_failure_and_is_listed(battle, image, asked, key):
    it = battle(speed=SPEED)
    made(it, image=image)
    it.plan(1, image=asked)

    outcome = it.run()

    found = outcome.images["vm-001"]
    assert (found["status"], outcome.code) == ("succeeded", 0), outcome.err
    assert key in found["not_compared"]


@pytest.mark.parametrize("image", [{"enterprise_project_id": None}, {"hw_firmware_type": None}])
def test_an_absent_attribute_means_what_the_manual_says(battle, image):
    it = battle(speed=SPEED)
    made(it, image=image)
    it.plan(1, image='enterprise_project_id = "0"\nhw_firmware_type = "bios"')

    assert it.run().statuses == {"vm-001": "succeeded"}


@pytest.mark.parametrize(
    ("image", "status"), [({}, "succeeded"), (None, "failed")], ids=["with an image", "without one"]
)
def test_a_job_that_ends_in_a_state_that_no_manual_lists_is_judged_by_its_image(battle, image, status):
    it = battle(speed=600.0)
    ended = {"status": "FINISHED_ODDLY", "end_time": "2026-01-01T00:00:00.000Z", "fail_reason": "who knows"}

    def script(asked: Asked) -> Answer:
        job = it.cloud.accept(asked.body)
        job.says = ended
        if image is None:
            job.state = "FINISHED_ODDLY"
        return Answer(body={"job_id": job.id})

    it.cloud.on("import", script)
    it.plan(1)

    outcome = it.run()

    assert outcome.statuses == {"vm-001": status}, outcome.err
    assert "FINISHED_ODDLY" in outcome.err
    if status == "failed":
        assert "FINISHED_ODDLY" in outcome.images["vm-001"]["error"]["message"]


@pytest.mark.parametrize(
    ("says", "code", "words"),
    [
        pytest.param(
            {
                "error_code": "IMG.0061",
                "fail_reason": "Unknown system error.",
                "entities": {"error_code": "IMG.0057", "error": "the file is damaged"},
            },
            "IMG.0057",
            "the file is damaged",
            id="a generic code on top",
        ),
        pytest.param(
            {"error_code": 57, "fail_reason": "the file is damaged"},
            None,
            "the file is damaged",
            id="a number",
        ),
        pytest.param(
            {"entities": {"sub_jobs_result": [{"error_code": "IMG.0057", "fail_reason": "deep down"}]}},
            "IMG.0057",
            "deep down",
            id="in a sub job",
        ),
    ],
)
def test_a_failure_is_told_by_its_most_specific_reason(battle, says, code, words):
    it = battle(speed=SPEED)
    made(it, state="FAIL", says={"status": "FAIL"} | says)
    it.plan(1)

    error = it.run().images["vm-001"]["error"]

    assert words in error["message"]
    assert "no reason" not in error["message"]
    assert code is None or error["code"] == code
    assert error["remedy"]


def test_a_quota_of_minus_one_has_no_limit(battle):
    it = battle(speed=SPEED)
    row = {"type": "image", "used": 70, "quota": -1, "min": 0, "max": -1}
    it.cloud.on("quota", lambda asked: Answer(body={"quotas": {"resources": [row]}}))
    plan = it.plan(2)

    outcome = it.command("preflight", str(plan), "--json")

    assert "quota" not in outcome.out.lower().replace("quota_api", "")


def test_a_job_that_the_service_forgot_is_judged_by_its_image(battle):
    it = battle(speed=SPEED)
    it.cloud.on("job", lambda asked: refusal(400, "IMG.0031", "The resource ID in the request is incorrect."))
    it.plan(2)

    outcome = it.run()

    assert set(outcome.statuses.values()) == {"succeeded"}, outcome.err
    assert it.cloud.accepted == {"vm-001": 1, "vm-002": 1}
