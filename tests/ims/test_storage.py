"""Objects and buckets, as the object storage's headers describe them."""

import pytest
from pydantic import SecretStr

from migrator.domain.cloud import Fault
from migrator.domain.credentials import Keys
from migrator.domain.errors import (
    CredentialsError,
    OutcomeUnknown,
    RejectedError,
    RetryableError,
    TargetHaltedError,
)
from migrator.ims.signing import ObsSigner, canonical_resource, sign_obs
from migrator.ims.storage import (
    BucketInfo,
    ObjectInfo,
    Obs,
    bucket_request,
    bucket_url,
    object_request,
    read_bucket,
    read_object,
)
from tests.fakes import FakeClock
from tests.ims.scripted import ScriptedHttp, answer, fixed

pytestmark = pytest.mark.anyio

ENDPOINT = "https://obs.cn-north-4.myhuaweicloud.com"
KEYS = Keys(ak="AKEXAMPLE0000000TEST", sk=SecretStr("not-a-secret"))
LOST = OutcomeUnknown(Fault(code="MIG.timeout", message="no answer within 60 s"))


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        pytest.param(ENDPOINT, "https://mig.obs.cn-north-4.myhuaweicloud.com", id="a real one"),
        pytest.param("http://127.0.0.1:8080", "http://127.0.0.1:8080/mig", id="an address"),
        pytest.param("http://[::1]:8080/", "http://[::1]:8080/mig", id="an IPv6 address"),
        pytest.param("http://localhost:8080", "http://localhost:8080/mig", id="this machine"),
    ],
)
def test_a_bucket_stands_before_the_host_unless_that_is_an_address(endpoint, url):
    assert bucket_url(endpoint, "mig") == url
    assert object_request(endpoint, "mig", "a/b.raw").url == f"{url}/a/b.raw"
    assert bucket_request(endpoint, "mig").url == f"{url}/"


def test_an_object_without_a_class_header_is_standard():
    response = answer(
        200, content_length="5368709120", etag='"abc-3"', last_modified="Thu, 02 Jan 2025 03:04:05 GMT"
    )

    assert read_object(response) == ObjectInfo(
        size=5368709120, storage_class="STANDARD", etag="abc-3", modified_at=1735787045.0
    )


@pytest.mark.parametrize(
    ("header", "field", "value"),
    [
        pytest.param({"x_obs_storage_class": "WARM"}, "storage_class", "WARM", id="warm"),
        pytest.param({"x_obs_storage_class": "deep_archive"}, "storage_class", "DEEP_ARCHIVE", id="deep"),
        pytest.param({"x_obs_server_side_encryption": "kms"}, "encryption", "kms", id="kms"),
        pytest.param(
            {"x_obs_server_side_encryption_customer_algorithm": "AES256"},
            "encryption",
            "customer",
            id="SSE-C",
        ),
        pytest.param({"last_modified": "yesterday"}, "modified_at", None, id="an odd date"),
    ],
)
def test_what_an_object_is_stands_in_its_headers(header, field, value):
    info = read_object(answer(200, content_length="1", **header))

    assert getattr(info, field) == value


def test_a_bucket_tells_its_region_class_and_kind():
    response = answer(
        200,
        x_obs_bucket_location="cn-north-4",
        x_obs_storage_class="STANDARD",
        x_obs_fs_file_interface="Enabled",
    )

    assert read_bucket(response) == BucketInfo(region="cn-north-4", file_system=True)
    assert read_bucket(answer(200)) == BucketInfo(region="")


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        pytest.param(answer(403), RejectedError, id="no right, or a wrong signature"),
        pytest.param(answer(301), RejectedError, id="elsewhere"),
        pytest.param(answer(503), RetryableError, id="slow down"),
        pytest.param(answer(500), RetryableError, id="500"),
        pytest.param(answer(429), RetryableError, id="429"),
    ],
)
@pytest.mark.parametrize("read", [read_object, read_bucket])
def test_only_a_404_says_that_there_is_nothing(read, response, kind):
    assert read(answer(404)) is None
    with pytest.raises(kind):
        read(response)


@pytest.mark.parametrize("size", ["", "-1", "many"])
def test_an_object_without_a_size_is_not_taken_for_an_empty_one(size):
    with pytest.raises(RejectedError):
        read_object(answer(200, content_length=size))


async def test_a_question_is_signed_for_its_object_whatever_the_url_looks_like():
    for endpoint in (ENDPOINT, "http://127.0.0.1:8080"):
        http = ScriptedHttp(answer(200, content_length="7"))
        obs = Obs(http, ObsSigner(fixed(KEYS), FakeClock()), endpoint)

        assert await obs.object("mig", "a b.raw") == ObjectInfo(size=7)
        sent = http.sent[0]
        expected = sign_obs(
            "HEAD",
            canonical_resource("mig", "a b.raw"),
            {"Date": sent.headers["Date"]},
            ak=KEYS.ak,
            sk="not-a-secret",
        )
        assert sent.headers["Authorization"] == expected


async def test_a_refusal_is_signed_again_once_with_other_keys_and_never_with_the_same():
    ring = [KEYS, KEYS, Keys(ak="OTHER", sk=SecretStr("x")), Keys(ak="OTHER", sk=SecretStr("x"))]

    async def source() -> Keys:
        return ring.pop(0)

    http = ScriptedHttp(answer(403), answer(403), answer(200))
    obs = Obs(http, ObsSigner(source, FakeClock()), ENDPOINT)

    with pytest.raises(RejectedError):
        await obs.bucket("mig")
    assert len(http.sent) == 1
    ring[:0] = [KEYS]
    assert await obs.bucket("mig") == BucketInfo(region="")
    assert len(http.sent) == 3


async def test_a_question_without_an_answer_is_asked_again_later_and_without_keys_not_at_all():
    async def none() -> Keys:
        raise CredentialsError("no keys")

    with pytest.raises(RetryableError):
        await Obs(ScriptedHttp(LOST), ObsSigner(fixed(KEYS), FakeClock()), ENDPOINT).bucket("mig")
    with pytest.raises(TargetHaltedError):
        await Obs(ScriptedHttp(), ObsSigner(none, FakeClock()), ENDPOINT).bucket("mig")
