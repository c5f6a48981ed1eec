"""What services really said, by public reports, is read for what it means."""

import json
from pathlib import Path

import pytest
from msgspec.json import encode

from migrator.domain.cloud import ImageQuery
from migrator.domain.errors import RetryableError
from migrator.domain.http import Response
from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.ims.client import UNLIMITED, read_quota
from migrator.ims.images import read_images
from migrator.ims.jobs import read_job
from migrator.workflow.lookup import is_unlisted, unlisted_state
from migrator.workflow.verify import mismatches

CASES = Path(__file__).parent.parent / "cases/answers"


def case(name: str) -> Response:
    told = json.loads((CASES / f"{name}.json").read_bytes())
    if set(told) == {"status", "body"}:
        return Response(status=told["status"], body=encode(told["body"]))
    return Response(status=200, body=encode(told))


def test_of_a_generic_code_and_a_specific_one_the_specific_leads_and_both_are_kept():
    fault = read_job(case("job-generic-over-specific"), "J").fault

    assert fault is not None
    assert fault.code == "IMG.0057"
    assert fault.message == "image file not found; also IMG.0061: sub job fail"


def test_a_job_in_a_state_that_no_manual_lists_keeps_its_state_code_and_reason():
    job = read_job(case("job-state-not-listed"), "J")

    assert is_unlisted(job)
    assert job.end_at is not None
    text = str(unlisted_state(job))
    assert text == (
        "IMG.1099: the job ended in the state CANCELED, which no manual lists: "
        "IMG.1099: ClientError: Unsupported kernel version"
    )


def test_a_quota_of_minus_one_is_no_quota():
    assert read_quota(case("quota-unlimited")).limit == UNLIMITED


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        pytest.param({}, True, id="nothing asked for"),
        pytest.param({"hw_firmware_type": "bios", "enterprise_project_id": "0"}, True, id="as absent means"),
        pytest.param({"hw_firmware_type": "uefi"}, False, id="another firmware"),
        pytest.param({"enterprise_project_id": "7a0e"}, False, id="another enterprise project"),
    ],
)
def test_an_attribute_that_is_left_out_has_its_documented_meaning(asked, same):
    (found,) = read_images(case("image-without-attributes"), ImageQuery(id="a")).images
    image = Image(
        name="w",
        target="north",
        source=ObjectRef.parse("b:w.zvhd2"),
        min_disk=40,
        os_version="CentOS 7.6 64bit",
        **asked,
    )

    assert (mismatches(image, None, found) == []) is same


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"job_id": "other", "status": "FAIL"}, id="another job's failure"),
        pytest.param({"job_id": "other", "status": "SUCCESS"}, id="its success"),
    ],
)
def test_an_answer_about_another_job_is_asked_for_again_and_never_believed(body):
    with pytest.raises(RetryableError, match="another one"):
        read_job(Response(status=200, body=encode(body)), "J")


def test_a_code_that_is_a_number_is_a_code():
    body = {"job_id": "J", "status": "FAIL", "error_code": 1099}

    fault = read_job(Response(status=200, body=encode(body)), "J").fault

    assert fault is not None
    assert fault.code == "1099"
