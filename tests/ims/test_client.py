"""What we say to the image service, and what each of its answers makes us believe."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from migrator.domain.cloud import CloudImage, Fault, ImageQuery, JobStatus, Quota, RateHint
from migrator.domain.credentials import Keys
from migrator.domain.errors import (
    CloudError,
    CredentialsError,
    CredentialsRenewed,
    NameTaken,
    OutcomeUnknown,
    RejectedError,
    RetryableError,
    TargetHaltedError,
)
from migrator.domain.http import Response
from migrator.domain.image import Image, ImageType, Marker
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import JobApi, Target
from migrator.domain.secrets import SECRETS
from migrator.ims.client import (
    Ims,
    os_versions_request,
    quota_request,
    read_os_versions,
    read_quota,
    read_submit,
    submit_body,
    submit_request,
)
from migrator.ims.images import delete_request, images_request, read_delete, read_images
from migrator.ims.jobs import progress_request, read_job, status_request
from migrator.ims.signing import KeySigner
from tests.fakes import FakeClock, submitted
from tests.ims.scripted import CountingSigner, ScriptedHttp, answer

ENDPOINT = "https://ims.cn-north-4.myhuaweicloud.com"
PROJECT = "0123456789abcdef0123456789abcdef"
JOB = "ff80808295a1b2c30195a1f0d4c60123"
IMAGE_ID = "498cc67e-1111-4222-8333-32bcece2d7ec"
MARKER = Marker(plan="dc.east", item="abc")
SYSTEM = Image(
    name="web-01",
    target="north",
    source=ObjectRef.parse("mig-bucket:images/web-01.zvhd2"),
    min_disk=60,
    os_version="CentOS 7.6 64bit",
)
LOST = OutcomeUnknown(Fault(code="MIG.timeout", message="no answer within 60 s"))


def target(job_api: JobApi = JobApi.AUTO) -> Target:
    return Target(
        name="north",
        region="cn-north-4",
        ims_endpoint=ENDPOINT,
        iam_endpoint="https://iam.cn-north-4.myhuaweicloud.com",
        obs_endpoint="https://obs.cn-north-4.myhuaweicloud.com",
        job_api=job_api,
    )


def error(code: str, message: str = "") -> dict[str, object]:
    return {"error": {"code": code, "message": message}}


# --- Import ---------------------------------------------------------------------------------------------


def test_a_system_disk_sends_what_the_plan_sets_and_nothing_else():
    assert submit_body(SYSTEM, None) == {
        "name": "web-01",
        "os_version": "CentOS 7.6 64bit",
        "image_url": "mig-bucket:images/web-01.zvhd2",
        "min_disk": 60,
        "type": "ECS",
    }


def test_a_system_disk_sends_every_field_that_the_plan_sets():
    image = Image(
        name="web-01",
        target="north",
        source=ObjectRef.parse("b:k.raw"),
        min_disk=60,
        type=ImageType.BMS,
        os_version="Windows Server 2019 Standard 64bit",
        architecture="x86",
        hw_firmware_type="uefi",
        license_type="byol",
        enterprise_project_id="0",
        description="",
        image_tags={"app": "shop"},
    )

    assert submit_body(image, MARKER) == {
        "name": "web-01",
        "description": "",
        "os_version": "Windows Server 2019 Standard 64bit",
        "image_url": "b:k.raw",
        "min_disk": 60,
        "type": "BMS",
        "architecture": "x86",
        "hw_firmware_type": "uefi",
        "license_type": "byol",
        "enterprise_project_id": "0",
        "image_tags": [
            {"key": "app", "value": "shop"},
            {"key": "migrator_plan", "value": "dc.east"},
            {"key": "migrator_item", "value": "abc"},
        ],
    }


def test_a_data_disk_names_its_os_type_and_none_of_a_system_disks_fields():
    data = Image(
        name="d",
        target="north",
        source=ObjectRef.parse("b:k.raw"),
        min_disk=500,
        type=ImageType.DATA,
        os_version="CentOS 7.6 64bit",
        architecture="arm",
    )

    assert submit_body(data, None) == {
        "name": "d",
        "os_type": "Linux",
        "image_url": "b:k.raw",
        "min_disk": 500,
        "type": "DataImage",
    }


def test_the_marker_takes_the_form_in_which_the_image_writes_its_tags():
    image = Image(
        name="w", target="north", source=ObjectRef.parse("b:k.raw"), min_disk=60, tags=("app.shop",)
    )

    body = submit_body(image, MARKER)

    assert body["tags"] == ["app.shop", "migrator_plan.dc.east", "migrator_item.abc"]
    assert "image_tags" not in body


def test_an_import_is_one_post_whose_body_is_json_in_utf8():
    image = Image(name="迁移", target="north", source=ObjectRef.parse("b:k.raw"), min_disk=60)

    request = submit_request(ENDPOINT, image, None)

    assert (request.method, request.url) == ("POST", f"{ENDPOINT}/v2/cloudimages/quickimport/action")
    assert request.headers == {"Content-Type": "application/json"}
    assert "迁移".encode() in request.body
    assert json.loads(request.body) == submit_body(image, None)


def test_an_accepted_import_gives_its_job_id():
    assert read_submit(answer(200, {"job_id": JOB})) == JOB
    assert read_submit(answer(202, {"job_id": JOB, "more": 1})) == JOB


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        pytest.param(answer(429), RetryableError, id="429"),
        pytest.param(answer(400, error("IMG.0060")), RetryableError, id="flow control, as a 400"),
        pytest.param(
            answer(200, {"error_code": "APIGW.0308", "error_msg": ""}), RetryableError, id="as a 200"
        ),
        pytest.param(answer(400, error("IMG.0036")), RetryableError, id="a passing refusal"),
        pytest.param(answer(500), OutcomeUnknown, id="500"),
        pytest.param(answer(502, b"<html>"), OutcomeUnknown, id="a proxy's 502"),
        pytest.param(answer(503), OutcomeUnknown, id="503"),
        pytest.param(answer(504), OutcomeUnknown, id="504"),
        pytest.param(answer(408), OutcomeUnknown, id="408"),
        pytest.param(answer(409), OutcomeUnknown, id="409"),
        pytest.param(answer(400, error("IMG.0061")), OutcomeUnknown, id="unknown system error"),
        pytest.param(answer(200), OutcomeUnknown, id="an empty 200"),
        pytest.param(answer(200, b'{"job_id": "ff80'), OutcomeUnknown, id="a 200 cut short"),
        pytest.param(answer(200, {"job_id": None}), OutcomeUnknown, id="no job id"),
        pytest.param(answer(200, {"job_id": ""}), OutcomeUnknown, id="an empty job id"),
        pytest.param(answer(200, {"job_id": "../x"}), OutcomeUnknown, id="no id that a path may hold"),
        pytest.param(answer(200, [JOB]), OutcomeUnknown, id="a list"),
        pytest.param(answer(204), OutcomeUnknown, id="204"),
        pytest.param(answer(302, location="https://x"), TargetHaltedError, id="a redirection"),
        pytest.param(answer(401), TargetHaltedError, id="401"),
        pytest.param(answer(403), TargetHaltedError, id="403"),
        pytest.param(answer(404), TargetHaltedError, id="no such path: wrong for everybody"),
        pytest.param(answer(400, error("IMG.0015")), TargetHaltedError, id="quota"),
        pytest.param(answer(400, error("IMG.0067")), TargetHaltedError, id="wrong project"),
        pytest.param(answer(400, error("IMG.0009")), NameTaken, id="the name exists"),
        pytest.param(answer(409, error("IMG.0009")), NameTaken, id="the name exists, as a 409"),
        pytest.param(answer(400, error("IMG.0057")), RejectedError, id="no such file"),
        pytest.param(answer(400, error("IMG.4711")), RejectedError, id="a code nobody documented"),
        pytest.param(answer(400), RejectedError, id="400"),
        pytest.param(answer(413), RejectedError, id="413"),
    ],
)
def test_an_answer_to_an_import_is_sorted_by_certainty(response, kind):
    with pytest.raises(CloudError) as caught:
        read_submit(response)

    assert type(caught.value) is kind
    assert caught.value.fault.remedy


def test_a_used_up_quota_is_told_apart_from_missing_rights():
    for code, quota in (("IMG.0015", True), ("IMG.0161", False)):
        with pytest.raises(TargetHaltedError) as caught:
            read_submit(answer(400, error(code)))
        assert caught.value.quota is quota


@given(st.binary(max_size=200))
def test_whatever_a_200_holds_it_is_a_job_id_or_nobody_knows(body):
    try:
        assert read_submit(Response(status=200, body=body))
    except (OutcomeUnknown, RetryableError):
        pass


# --- Jobs -----------------------------------------------------------------------------------------------


def job(status: object = "RUNNING", **more: object) -> dict[str, object]:
    return {
        "job_id": JOB,
        "job_type": "imsImportImageJob",
        "begin_time": "2025-01-02T03:05:11.204Z",
        "end_time": "",
        "status": status,
        "error_code": None,
        "fail_reason": None,
        **more,
    }


def test_the_two_job_calls_have_their_own_paths():
    assert progress_request(ENDPOINT, JOB).url == f"{ENDPOINT}/v1/cloudimages/job/{JOB}"
    assert status_request(ENDPOINT, PROJECT, JOB).url == f"{ENDPOINT}/v1/{PROJECT}/jobs/{JOB}"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a?b", "a b", "ü", "x" * 200, "-x"])
def test_what_is_not_an_id_gets_into_no_path(name):
    with pytest.raises(RejectedError):
        progress_request(ENDPOINT, name)
    with pytest.raises(RejectedError):
        delete_request(ENDPOINT, name)


def test_a_running_job_tells_how_far_it_is():
    entities = {"image_name": "w", "process_percent": 0.4, "image_id": IMAGE_ID, "subJobId": "x"}

    report = read_job(answer(200, job(entities=entities)), JOB)

    assert report == JobStatus(job_id=JOB, status="RUNNING", progress=0.4, image_id=IMAGE_ID)


def test_a_finished_job_gives_its_image():
    entities = {"process_percent": 1, "current_task": "", "image_id": IMAGE_ID}
    finished = job("SUCCESS", end_time="04-Jun-2015 18:11:06:586", entities=entities)

    report = read_job(answer(200, finished), JOB)

    assert (report.status, report.progress, report.image_id) == ("SUCCESS", 1.0, IMAGE_ID)
    assert report.end_at == 1433441466.586


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("success", "SUCCESS"),
        ("Fail", "FAIL"),
        ("init", "INIT"),
        ("PAUSED", "PAUSED"),
        (" RUNNING ", "RUNNING"),
    ],
)
def test_a_status_is_read_in_any_case_and_unknown_ones_are_passed_on(status, expected):
    assert read_job(answer(200, job(status)), JOB).status == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(0.4, 0.4, id="a fraction"),
        pytest.param(1, 1.0, id="an integer"),
        pytest.param("0.25", 0.25, id="text"),
        pytest.param(40, 0.4, id="a percentage"),
        pytest.param(250, 1.0, id="too much"),
        pytest.param(-1, None, id="negative"),
        pytest.param(None, None, id="null"),
        pytest.param("", None, id="empty"),
        pytest.param("n/a", None, id="words"),
        pytest.param(True, None, id="a boolean"),
        pytest.param(float("nan"), None, id="not a number"),
        pytest.param([1], None, id="a list"),
    ],
)
def test_progress_is_read_from_whatever_stands_there(value, expected):
    assert read_job(answer(200, job(entities={"process_percent": value})), JOB).progress == expected


@pytest.mark.parametrize(
    "entities",
    [
        pytest.param({"image_id": IMAGE_ID}, id="at the top"),
        pytest.param(
            {"sub_jobs_result": [{"status": "SUCCESS", "entities": {"image_id": IMAGE_ID}}]}, id="sub job"
        ),
        pytest.param(
            {"image_id": "", "sub_jobs_result": [{}, {"entities": {"image_id": IMAGE_ID}}]}, id="second"
        ),
        pytest.param({"results": [{"image_id": IMAGE_ID, "status": "success"}]}, id="results"),
    ],
)
def test_the_image_is_found_wherever_the_job_names_it(entities):
    assert read_job(answer(200, job("SUCCESS", entities=entities)), JOB).image_id == IMAGE_ID


@pytest.mark.parametrize(
    "entities", [None, {}, [], "", {"sub_jobs_result": None}, {"sub_jobs_result": [None]}]
)
def test_a_job_may_have_no_entities_yet(entities):
    assert read_job(answer(200, job("INIT", entities=entities)), JOB).image_id is None


@pytest.mark.parametrize(
    "failed",
    [
        pytest.param(job("FAIL", error_code="IMG.0057", fail_reason="not found"), id="top level"),
        pytest.param(
            job("FAIL", entities={"error_code": "IMG.0057", "fail_reason": "not found"}), id="entities"
        ),
        pytest.param(
            job(
                "FAIL",
                error_code="",
                fail_reason="null",
                entities={"error_code": "IMG.0057", "error": "not found"},
            ),
            id="entities.error",
        ),
        pytest.param(
            job("FAIL", entities={"addition_error_code": "IMG.0057", "addition_error_msg": "not found"}),
            id="additional",
        ),
        pytest.param(
            job("FAIL", entities={"error": {"code": "IMG.0057", "message": "not found"}}),
            id="an error object",
        ),
        pytest.param(
            job(
                "FAIL",
                entities={
                    "sub_jobs_result": [
                        {"status": "SUCCESS", "error_code": None},
                        {"status": "FAIL", "error_code": "IMG.0057", "fail_reason": "not found"},
                    ]
                },
            ),
            id="a sub job",
        ),
        pytest.param(
            job(
                "FAIL",
                entities={
                    "sub_jobs_result": [{"entities": {"error_code": "IMG.0057", "error": "not found"}}]
                },
            ),
            id="a sub job's entities",
        ),
        pytest.param(
            job("FAIL", error_code="IMG.0057", fail_reason="IMG.0057: not found"), id="its code twice"
        ),
        pytest.param(
            job("FAIL", fail_reason="not found", entities={"sub_jobs_result": [{"error_code": "IMG.0057"}]}),
            id="text here, code there",
        ),
    ],
)
def test_why_a_job_failed_is_found_wherever_the_service_hid_it(failed):
    fault = read_job(answer(200, failed, x_request_id="req-1"), JOB).fault

    assert fault is not None
    assert (fault.code, fault.message, fault.request_id) == ("IMG.0057", "not found", "req-1")
    assert "upload" in fault.remedy


def test_a_code_that_only_the_text_names_is_found():
    fault = read_job(answer(200, job("FAIL", fail_reason="Task failed: IMG.0158 bitmap")), JOB).fault

    assert fault is not None
    assert fault.code == "IMG.0158"


def test_a_failure_without_a_reason_still_says_what_to_do():
    fault = read_job(answer(200, job("FAIL")), JOB).fault

    assert fault == Fault(
        message="the job failed and gave no reason",
        remedy="Run again with --retry-failed; if it fails again, ask the vendor's support about this job.",
        status=200,
    )


def test_a_job_that_runs_has_no_fault_whatever_it_mentions():
    assert read_job(answer(200, job("RUNNING", error_code="IMG.0057")), JOB).fault is None


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        pytest.param(answer(500), RetryableError, id="500"),
        pytest.param(answer(504), RetryableError, id="504"),
        pytest.param(answer(409), RetryableError, id="409"),
        pytest.param(answer(429), RetryableError, id="429"),
        pytest.param(answer(400, error("IMG.0023")), RetryableError, id="exception during task query"),
        pytest.param(answer(200), RetryableError, id="empty"),
        pytest.param(answer(200, job("")), RetryableError, id="no status"),
        pytest.param(answer(200, job(None)), RetryableError, id="null status"),
        pytest.param(answer(200, b"[[["), RetryableError, id="no JSON"),
        pytest.param(answer(404), RejectedError, id="404: no such job"),
        pytest.param(answer(404, error("IMG.0144")), RejectedError, id="404 with a code"),
        pytest.param(answer(400, error("IMG.0031")), RejectedError, id="no such resource"),
        pytest.param(
            answer(404, {"error_code": "APIGW.0101", "error_msg": ""}), TargetHaltedError, id="no such API"
        ),
        pytest.param(answer(401), TargetHaltedError, id="401"),
    ],
)
def test_a_poll_that_fails_never_says_that_the_import_did(response, kind):
    with pytest.raises(CloudError) as caught:
        read_job(response, JOB)

    assert type(caught.value) is kind


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just(IMAGE_ID),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "status", "entities", "sub_jobs_result", "results", "error", "error_code", "fail_reason",
                    "process_percent", "image_id", "images", "id", "tags", "key", "value", "__image_size",
                    "min_disk", "created_at", "page_info", "next_marker", "quotas", "resources", "type",
                    "used", "quota", "version_list", "os_version", "__support_arm", "name", "code", "message",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)  # fmt: skip
ANSWERS = st.builds(
    Response,
    status=st.sampled_from([200, 200, 200, 204, 400, 404, 500]),
    body=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()),
)


@given(ANSWERS)
def test_whatever_the_service_says_to_a_question_it_is_a_value_or_one_of_our_errors(response):
    readers = (
        lambda: read_job(response, JOB),
        lambda: read_images(response, ImageQuery()),
        lambda: read_quota(response),
        lambda: read_os_versions(response),
        lambda: read_delete(response),
    )
    for read in readers:
        try:
            read()
        except (RetryableError, RejectedError, TargetHaltedError):
            pass


# --- Images ---------------------------------------------------------------------------------------------

LISTED = {
    "id": IMAGE_ID,
    "name": "mig-web01-sys",
    "status": "active",
    "min_disk": 60,
    "tags": ["mig_run=r-20250102-7"],
    "created_at": "2025-01-02T03:05:12Z",
    "enterprise_project_id": "0",
    "virtual_env_type": "FusionCompute",
    "__image_size": "5368709120",
    "__data_origin": "file,mig-bucket:images/web01-sys.zvhd2",
    "__os_type": "Linux",
    "__os_version": "CentOS 7.6 64bit",
    "hw_firmware_type": "bios",
}


def test_a_list_asks_for_private_images_of_all_projects_oldest_first():
    request = images_request(ENDPOINT, ImageQuery())

    assert request.url == f"{ENDPOINT}/v2/cloudimages"
    assert dict(request.query) == {
        "__imagetype": "private",
        "enterprise_project_id": "all_granted_eps",
        "limit": "500",
        "sort_key": "created_at",
        "sort_dir": "asc",
    }


def test_every_filter_of_a_query_is_sent():
    query = ImageQuery(id="i", name="a b", tag=("k", "v.w"), created_since=1735787111.9)

    pairs = dict(images_request(ENDPOINT, query, after="last").query)

    assert pairs["id"] == "i"
    assert pairs["name"] == "a b"
    assert pairs["tag"] == "k=v.w"
    assert pairs["created_at"] == "gte:2025-01-02T03:05:11Z"
    assert pairs["marker"] == "last"


def test_an_image_is_read_with_all_that_matters():
    page = read_images(answer(200, {"images": [LISTED]}), ImageQuery())

    assert page.images == (
        CloudImage(
            id=IMAGE_ID,
            name="mig-web01-sys",
            status="active",
            tags={"mig_run": "r-20250102-7"},
            os_version="CentOS 7.6 64bit",
            os_type="Linux",
            min_disk=60,
            size=5368709120,
            hw_firmware_type="bios",
            virtual_env_type="FusionCompute",
            enterprise_project_id="0",
            created_at=1735787112.0,
            data_origin="file,mig-bucket:images/web01-sys.zvhd2",
        ),
    )


def test_a_list_that_comes_again_is_read_with_what_is_secret_by_then():
    told = {**LISTED, "__description": "the word is canary-secret-0001"}
    page = answer(200, {"images": [told]})
    assert read_images(page, ImageQuery()).images[0].description == "the word is canary-secret-0001"

    SECRETS.register("canary-secret-0001")

    assert read_images(page, ImageQuery()).images[0].description == "the word is ***"
    further = answer(200, {"images": [told, LISTED]})
    assert read_images(further, ImageQuery()).images[0].description == "the word is ***"


def test_two_lists_that_differ_in_one_image_are_two():
    first, second = ({"images": [LISTED, {**LISTED, "id": "b", "status": status}]} for status in ("a", "b"))

    pages = [read_images(answer(200, body), ImageQuery()) for body in (first, second, first)]

    assert [page.images[1].status for page in pages] == ["a", "b", "a"]


def image_with(**more: object) -> CloudImage:
    return read_images(answer(200, {"images": [{**LISTED, **more}]}), ImageQuery()).images[0]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        pytest.param(["a=b", "c=d.e"], {"a": "b", "c": "d.e"}, id="with an equals sign"),
        pytest.param(["a.b", "c.d.e"], {"a": "b", "c": "d.e"}, id="with a dot"),
        pytest.param(["a.b=c"], {"a": "b=c"}, id="with a dot, and a sign in the value"),
        pytest.param([{"key": "a", "value": "b"}, {"key": "c"}], {"a": "b", "c": ""}, id="objects"),
        pytest.param(["plain", ""], {"plain": "", "": ""}, id="without a value"),
        pytest.param(["a=b\nc"], {"a": "b\nc"}, id="with a line break"),
        pytest.param([None, 7, {"key": 3}], {}, id="nonsense"),
        pytest.param(None, {}, id="none"),
    ],
)
def test_tags_are_read_in_every_form_in_which_they_may_come_back(tags, expected):
    assert image_with(tags=tags).tags == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"__support_arm": "true"}, "arm", id="arm"),
        pytest.param({"__support_arm": True}, "arm", id="arm, as a boolean"),
        pytest.param({"__support_arm": "false"}, "x86", id="x86"),
        pytest.param({"architecture": "ARM"}, "arm", id="named"),
        pytest.param({}, None, id="the service does not say"),
    ],
)
def test_an_architecture_is_only_what_the_service_says(fields, expected):
    assert image_with(**fields).architecture == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [("5368709120", 5368709120), (7, 7), ("", None), (None, None), ("big", None), ("-1", None)],
)
def test_a_size_is_bytes_in_text_or_unknown(size, expected):
    assert image_with(__image_size=size).size == expected


def test_a_list_goes_on_after_its_last_image_until_a_page_is_empty():
    full = read_images(answer(200, {"images": [LISTED, {**LISTED, "id": "last"}]}), ImageQuery())
    empty = read_images(answer(200, {"images": []}), ImageQuery(), after="last")

    assert full.next == "last"
    assert empty.next is None


def test_a_service_that_ignores_the_marker_does_not_keep_us_for_ever():
    assert read_images(answer(200, {"images": [LISTED]}), ImageQuery(), after=IMAGE_ID).next is None


def test_a_list_by_id_has_no_second_page():
    assert read_images(answer(200, {"images": [LISTED]}), ImageQuery(id=IMAGE_ID)).next is None


@pytest.mark.parametrize(("marker", "expected"), [("m2", "m2"), (None, None), ("", None)])
def test_a_service_that_names_its_next_page_is_believed(marker, expected):
    body = {"images": [LISTED], "page_info": {"next_marker": marker}}

    assert read_images(answer(200, body), ImageQuery()).next == expected


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no list"),
        pytest.param({"images": None}, id="null"),
        pytest.param({"images": {"id": "x"}}, id="an object"),
        pytest.param({"images": [LISTED, None]}, id="an entry that is nothing"),
        pytest.param({"images": [LISTED, {"name": "x"}]}, id="an entry without id"),
        pytest.param([LISTED], id="a bare list"),
    ],
)
def test_a_list_that_cannot_be_read_to_its_end_never_says_that_an_image_is_absent(body):
    with pytest.raises(RetryableError):
        read_images(answer(200, body), ImageQuery())


def test_a_list_whose_last_image_was_deleted_meanwhile_is_read_again():
    gone = answer(400, error("IMG.0144"))

    with pytest.raises(RetryableError):
        read_images(gone, ImageQuery(), after=IMAGE_ID)
    with pytest.raises(RejectedError):
        read_images(gone, ImageQuery())


@pytest.mark.parametrize(
    "response",
    [answer(204), answer(200), answer(404), answer(400, error("IMG.0086")), answer(404, error("IMG.0144"))],
)
def test_deleting_what_is_gone_is_no_error(response):
    read_delete(response)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        pytest.param(answer(400, error("IMG.0090")), RetryableError, id="being created"),
        pytest.param(answer(400, error("IMG.0091")), RejectedError, id="protected"),
        pytest.param(
            answer(404, {"error_code": "APIGW.0101", "error_msg": ""}), TargetHaltedError, id="no such API"
        ),
        pytest.param(answer(500), RetryableError, id="500"),
    ],
)
def test_an_image_that_cannot_be_deleted_says_why(response, kind):
    with pytest.raises(kind):
        read_delete(response)


def test_the_quota_is_that_of_private_images():
    resources = [
        {"type": "image_shared", "used": 1, "quota": 2},
        {"type": "image", "used": 12, "quota": 50, "min": 1, "max": 1000},
    ]

    assert quota_request(ENDPOINT).url == f"{ENDPOINT}/v1/cloudimages/quota"
    assert read_quota(answer(200, {"quotas": {"resources": resources}})) == Quota(used=12, limit=50)
    with pytest.raises(RetryableError):
        read_quota(answer(200, {"quotas": {"resources": resources[:1]}}))


def test_the_operating_systems_are_those_of_every_platform():
    body = [
        {"platform": "CentOS", "version_list": [{"os_version": "CentOS 7.6 64bit", "os_bit": 64}]},
        {"platform": "Other", "version_list": [{"os_version": "Other(32 bit)"}, {"os_version": None}, None]},
        None,
    ]

    assert read_os_versions(answer(200, body)) == {"CentOS 7.6 64bit", "Other(32 bit)"}
    assert os_versions_request(ENDPOINT, "arm").query == (("tag", "arm"),)
    assert os_versions_request(ENDPOINT).query == ()


# --- The service of one target ----------------------------------------------------------------------------

pytestmark = pytest.mark.anyio
NO_API = answer(404, {"error_code": "APIGW.0101", "error_msg": "The API does not exist"})


async def test_every_request_names_its_project_and_is_signed():
    http = ScriptedHttp(answer(200, {"job_id": JOB}))
    ims = Ims(http, CountingSigner(), target(), PROJECT)

    assert await submitted(ims, SYSTEM, MARKER) == JOB
    assert http.sent[0].headers == {
        "Content-Type": "application/json",
        "X-Project-Id": PROJECT,
        "X-Auth-Token": "token-number-1",
    }


async def test_an_import_without_an_answer_may_have_happened_and_is_sent_once():
    http = ScriptedHttp(LOST)

    with pytest.raises(OutcomeUnknown):
        await submitted(Ims(http, CountingSigner(), target(), PROJECT), SYSTEM, MARKER)

    assert len(http.sent) == 1


async def test_an_import_with_an_expired_token_is_not_sent_again_as_another_request():
    http = ScriptedHttp(answer(401))

    with pytest.raises(CredentialsRenewed):
        await submitted(Ims(http, CountingSigner(renewals=9), target(), PROJECT), SYSTEM, MARKER)

    assert len(http.sent) == 1


async def test_a_question_with_an_expired_token_is_asked_again_once_with_a_fresh_one():
    http = ScriptedHttp(answer(401), answer(401))

    with pytest.raises(TargetHaltedError):
        await Ims(http, CountingSigner(renewals=9), target(), PROJECT).quota()

    assert len(http.sent) == 2


async def test_what_is_sent_are_the_bytes_that_were_signed_and_their_date_is_told():
    clock, http = FakeClock(), ScriptedHttp(answer(200, {"job_id": JOB}))
    keys = Keys(ak="AK", sk=SecretStr("SK"))

    async def source() -> Keys:
        return keys

    request = await Ims(http, KeySigner(source, clock), target(), PROJECT).prepare(SYSTEM, MARKER)
    date = clock.now()
    await clock.sleep(600.0)
    await request.send()

    assert request.signed_at == int(date)
    sent = http.sent[0].headers["X-Sdk-Date"]
    assert sent == datetime.fromtimestamp(int(date), UTC).strftime("%Y%m%dT%H%M%SZ")


async def test_a_token_has_no_date():
    request = await Ims(ScriptedHttp(), CountingSigner(), target(), PROJECT).prepare(SYSTEM, MARKER)

    assert request.signed_at is None


async def test_an_import_refused_for_its_signature_is_not_sent_again():
    http = ScriptedHttp(answer(401, {"error_code": "APIGW.0301", "error_msg": "verify aksk signature fail"}))

    with pytest.raises(TargetHaltedError):
        await submitted(Ims(http, CountingSigner(), target(), PROJECT), SYSTEM, MARKER)

    assert len(http.sent) == 1


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("job", [JOB]), ("images", [ImageQuery()]), ("quota", []), ("delete", [IMAGE_ID]), ("os_versions", [])],
)
async def test_a_question_without_an_answer_is_asked_again_later(name, arguments):
    ims = Ims(ScriptedHttp(LOST), CountingSigner(), target(), PROJECT)

    with pytest.raises(RetryableError):
        await getattr(ims, name)(*arguments)


async def test_where_the_progress_call_is_missing_the_status_call_is_asked_and_remembered():
    http = ScriptedHttp(NO_API, answer(200, job()), answer(200, job()))
    ims = Ims(http, CountingSigner(), target(), PROJECT)

    await ims.job(JOB)
    await ims.job(JOB)

    paths = [sent.url.removeprefix(ENDPOINT) for sent in http.sent]
    assert paths == [f"/v1/cloudimages/job/{JOB}", f"/v1/{PROJECT}/jobs/{JOB}", f"/v1/{PROJECT}/jobs/{JOB}"]


async def test_a_job_that_both_calls_deny_is_unknown_and_the_progress_call_stays():
    http = ScriptedHttp(answer(404), answer(404), answer(200, job()))
    ims = Ims(http, CountingSigner(), target(), PROJECT)

    with pytest.raises(RejectedError):
        await ims.job(JOB)
    await ims.job(JOB)

    assert http.sent[2].url.endswith(f"/v1/cloudimages/job/{JOB}")


async def test_a_job_that_the_service_itself_denies_is_not_asked_for_elsewhere():
    http = ScriptedHttp(answer(404, error("IMG.0144")))

    with pytest.raises(RejectedError):
        await Ims(http, CountingSigner(), target(), PROJECT).job(JOB)


@pytest.mark.parametrize(
    ("api", "path"),
    [(JobApi.PROGRESS, f"/v1/cloudimages/job/{JOB}"), (JobApi.STATUS, f"/v1/{PROJECT}/jobs/{JOB}")],
)
async def test_a_plan_that_names_the_job_call_gets_that_one_only(api, path):
    http = ScriptedHttp(NO_API)

    with pytest.raises(TargetHaltedError):
        await Ims(http, CountingSigner(), target(api), PROJECT).job(JOB)

    assert [sent.url.removeprefix(ENDPOINT) for sent in http.sent] == [path]


async def test_a_project_that_cannot_be_found_stops_the_target_before_anything_is_sent():
    async def nowhere() -> str:
        raise CredentialsError("these credentials see no project in region cn-north-4")

    http = ScriptedHttp()

    with pytest.raises(TargetHaltedError, match="no project"):
        await submitted(Ims(http, CountingSigner(), target(), nowhere), SYSTEM, MARKER)
    assert http.sent == []


async def test_a_project_whose_look_up_got_no_answer_leaves_nothing_in_doubt():
    async def silent() -> str:
        raise LOST

    with pytest.raises(RetryableError):
        await submitted(Ims(ScriptedHttp(), CountingSigner(), target(), silent), SYSTEM, MARKER)


async def test_what_the_service_says_about_its_rates_is_passed_on():
    hints: list[tuple[RateHint, bool]] = []
    rate = "remain:9,limit:10,time:1 minute"
    http = ScriptedHttp(
        answer(200, {"job_id": JOB}, x_apig_ratelimit_api=rate), answer(429, x_apig_ratelimit_api=rate)
    )
    ims = Ims(http, CountingSigner(), target(), PROJECT)
    ims.listen(lambda hint, of_submissions: hints.append((hint, of_submissions)))

    await submitted(ims, SYSTEM, MARKER)
    with pytest.raises(RetryableError):
        await ims.quota()

    said = RateHint(limit=10, period=60.0, remain=9)
    assert hints == [(said, True), (said, False)]
