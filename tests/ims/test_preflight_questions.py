"""The questions that only preflight asks: the time, projects, lists of a bucket, uploads that broke off."""

import pytest
from pydantic import SecretStr

from migrator.domain.cloud import Fault, ObjectInfo, ObjectPage, Project
from migrator.domain.credentials import Keys
from migrator.domain.errors import OutcomeUnknown, RejectedError, RetryableError, TargetHaltedError
from migrator.domain.plan import Target
from migrator.ims.client import Ims, read_date
from migrator.ims.identity import Projects, read_projects
from migrator.ims.signing import ObsSigner, canonical_resource, sign_obs
from migrator.ims.storage import Obs, list_request, read_list, read_uploads, uploads_request
from tests.fakes import FakeClock
from tests.ims.scripted import CountingSigner, ScriptedHttp, answer, fixed

pytestmark = pytest.mark.anyio

ENDPOINT = "https://obs.cn-north-4.myhuaweicloud.com"
KEYS = Keys(ak="AKEXAMPLE0000000TEST", sk=SecretStr("not-a-secret"))
TARGET = Target(
    name="north",
    region="cn-north-4",
    ims_endpoint="https://ims.example",
    iam_endpoint="https://iam.example",
    obs_endpoint=ENDPOINT,
)


def entry(key: str, size: object = 7, kind: str = "STANDARD") -> str:
    return f"<Contents><Key>{key}</Key><Size>{size}</Size><StorageClass>{kind}</StorageClass></Contents>"


def listing(*entries: str, more: str = "false", last: str = "") -> bytes:
    head = f"<IsTruncated>{more}</IsTruncated>{last}"
    return f"<ListBucketResult xmlns='x'><Name>mig</Name>{head}{''.join(entries)}</ListBucketResult>".encode()


# --- Lists of a bucket ----------------------------------------------------------------------------------


def test_a_list_shows_sizes_and_classes_and_does_not_know_encryption():
    page = read_list(answer(200, listing(entry("a/b.raw"), entry("c &amp; d.raw", 0, "GLACIER"))))

    assert page == ObjectPage(
        objects={
            "a/b.raw": ObjectInfo(size=7, encryption=None),
            "c & d.raw": ObjectInfo(size=0, storage_class="COLD", encryption=None),
        }
    )


@pytest.mark.parametrize(
    ("body", "after"),
    [
        pytest.param(listing(entry("a"), entry("b")), None, id="all of it"),
        pytest.param(listing(entry("a"), entry("b"), more="true"), "b", id="more after the last key"),
        pytest.param(
            listing(entry("a"), more="true", last="<NextMarker>a/z</NextMarker>"), "a/z", id="it says where"
        ),
        pytest.param(listing(more="true"), None, id="nothing to go on from"),
    ],
)
def test_a_list_says_where_the_next_page_begins(body, after):
    assert read_list(answer(200, body)).next == after


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>Welcome</html>", id="a web page"),
        pytest.param(listing(entry("a", "")), id="no size"),
        pytest.param(listing(entry("")), id="no key"),
        pytest.param(listing(entry("a", -1)), id="an impossible size"),
    ],
)
def test_a_list_that_cannot_be_read_claims_nothing(body):
    with pytest.raises(RetryableError):
        read_list(answer(200, body))


@pytest.mark.parametrize("read", [read_list, read_uploads])
def test_a_list_that_may_not_be_seen_is_refused(read):
    with pytest.raises(RejectedError):
        read(answer(403))
    with pytest.raises(RetryableError):
        read(answer(503))


def test_uploads_that_were_not_completed_are_told_by_key():
    body = b"<ListMultipartUploadsResult><Upload><Key>a</Key></Upload><Upload><Key>b</Key></Upload></x>"

    assert read_uploads(answer(200, body)) == {"a", "b"}
    assert read_uploads(answer(200)) == frozenset()


async def test_only_what_is_a_subresource_is_signed():
    http = ScriptedHttp(answer(200, listing()), answer(200))
    obs = Obs(http, ObsSigner(fixed(KEYS), FakeClock()), ENDPOINT)

    await obs.objects("mig", after="a/b")
    await obs.uploads("mig", "a/")

    for sent, resource in zip(
        http.sent, ["/mig/", canonical_resource("mig", "", [("uploads", "")])], strict=True
    ):
        dated = {"Date": sent.headers["Date"]}
        assert sent.headers["Authorization"] == sign_obs(
            "GET", resource, dated, ak=KEYS.ak, sk="not-a-secret"
        )
    assert canonical_resource("mig", "", http.sent[1].query) == "/mig/?uploads"
    assert http.sent[0].query == list_request(ENDPOINT, "mig", "a/b").query
    assert dict(uploads_request(ENDPOINT, "mig", "a/").query)["prefix"] == "a/"


# --- Time and projects ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "moment"),
    [("Thu, 02 Jan 2025 03:04:05 GMT", 1735787045.0), ("yesterday", None), ("", None)],
)
def test_an_answer_tells_the_time_by_its_date(date, moment):
    assert read_date(answer(404, date=date)) == moment


async def test_the_time_is_asked_for_without_credentials_whatever_the_answer():
    http = ScriptedHttp(
        answer(401, date="Thu, 02 Jan 2025 03:04:05 GMT"),
        OutcomeUnknown(Fault(code="MIG.timeout", message="no answer")),
    )
    signer = CountingSigner()
    ims = Ims(http, signer, TARGET, "p")

    assert await ims.date() == 1735787045.0
    with pytest.raises(RetryableError):
        await ims.date()
    assert http.sent[0].headers == {}
    assert signer.renewed == []


async def test_projects_are_listed_with_what_is_known_of_them():
    rows = [{"id": "p", "name": "cn-north-4"}, {"id": "q", "name": "cn-north-4_x", "enabled": False}]
    http = ScriptedHttp(answer(200, {"projects": rows}))

    assert await Projects(http, CountingSigner(), "https://iam.example/").projects() == (
        Project(id="p", name="cn-north-4"),
        Project(id="q", name="cn-north-4_x", enabled=False),
    )
    assert http.sent[0].url == "https://iam.example/v3/auth/projects"


def test_projects_that_cannot_be_seen_are_not_taken_for_none():
    with pytest.raises(RetryableError):
        read_projects(answer(200, {"projects": None}))
    with pytest.raises(TargetHaltedError):
        read_projects(answer(403, {"error_code": "IAM.0003", "error_msg": "no"}))
