"""Objects and buckets, as the object storage's headers describe them."""

import pytest
from pydantic import SecretStr

from migrator.domain.cloud import Fault
from migrator.domain.credentials import Keys
from migrator.domain.disk_header import ByteRange
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
    range_request,
    read_bucket,
    read_object,
    read_range,
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


# --- A few bytes of an object ---------------------------------------------------------------------------

HEAD = ByteRange(0, 9)
TAIL = ByteRange(None, 4)


@pytest.mark.parametrize(
    ("wanted", "header", "count"),
    [
        pytest.param(ByteRange(0, 65535), "bytes=0-65535", 65536, id="the first"),
        pytest.param(ByteRange(196608, 200703), "bytes=196608-200703", 4096, id="in the middle"),
        pytest.param(ByteRange(None, 512), "bytes=-512", 512, id="the last"),
    ],
)
def test_a_range_is_asked_for_as_http_writes_it_and_no_more_is_read(wanted, header, count):
    request = range_request(ENDPOINT, "mig", "a/b.raw", wanted)

    assert (request.method, request.headers) == ("GET", {"Range": header})
    assert request.url == object_request(ENDPOINT, "mig", "a/b.raw").url
    assert request.wanted_bytes == count


@pytest.mark.parametrize(
    ("wanted", "response", "bytes_"),
    [
        pytest.param(
            HEAD, answer(206, b"0123456789", content_range="bytes 0-9/5368709120"), b"0123456789", id="all"
        ),
        pytest.param(HEAD, answer(206, b"012", content_range="bytes 0-2/3"), b"012", id="a shorter object"),
        pytest.param(HEAD, answer(206, b"012", content_range="Bytes 0-2/*"), b"012", id="of unknown size"),
        pytest.param(TAIL, answer(206, b"6789", content_range="bytes 6-9/10"), b"6789", id="the end"),
        pytest.param(TAIL, answer(206, b"89", content_range="bytes 0-1/2"), b"89", id="a short object's end"),
        pytest.param(HEAD, answer(416, b"<Error/>", content_range="bytes */0"), b"", id="nothing there"),
        pytest.param(
            HEAD, answer(200, b"0123456789", content_length="5368709120"), b"0123456789", id="no ranges known"
        ),
        pytest.param(HEAD, answer(200, b"012", content_length="3"), b"012", id="no ranges, a short object"),
        pytest.param(TAIL, answer(200, b"123", content_length="3"), b"123", id="its end"),
        pytest.param(
            ByteRange(1, 3),
            answer(200, b"012", content_length="3"),
            b"12",
            id="its middle, as far as it goes",
        ),
    ],
)
def test_the_bytes_that_were_asked_for_are_read_off_each_answer(wanted, response, bytes_):
    assert read_range(response, wanted) == bytes_


@pytest.mark.parametrize(
    ("wanted", "response"),
    [
        pytest.param(HEAD, answer(206, b"0123"), id="a piece that does not say which"),
        pytest.param(HEAD, answer(206, b"0123", content_range="bytes 6-9/10"), id="another piece"),
        pytest.param(HEAD, answer(206, b"0" * 11, content_range="bytes 0-10/99"), id="too much"),
        pytest.param(HEAD, answer(206, b"0123", content_range="bytes 0-9/99"), id="not what it says"),
        pytest.param(HEAD, answer(206, b"0123", content_range="items 0-3/99"), id="no bytes"),
        pytest.param(TAIL, answer(206, b"0123", content_range="bytes 0-3/10"), id="not the end"),
        pytest.param(
            TAIL, answer(200, b"0123", content_length="99"), id="a whole object in place of its end"
        ),
        pytest.param(ByteRange(5, 8), answer(200, b"0123", content_length="99"), id="or of its middle"),
    ],
)
def test_other_bytes_are_never_taken_for_those(wanted, response):
    with pytest.raises(RejectedError):
        read_range(response, wanted)


@pytest.mark.parametrize(
    ("response", "kind", "status"),
    [
        pytest.param(answer(403), RejectedError, 403, id="no right, or archived"),
        pytest.param(answer(404), RejectedError, 404, id="gone meanwhile"),
        pytest.param(answer(301), RejectedError, 301, id="elsewhere"),
        pytest.param(answer(400, b"<Error/>"), RejectedError, 400, id="a customer's key is missing"),
        pytest.param(answer(503), RetryableError, 503, id="slow down"),
        pytest.param(answer(500), RetryableError, 500, id="500"),
    ],
)
def test_a_refused_piece_says_why(response, kind, status):
    with pytest.raises(kind) as caught:
        read_range(response, HEAD)

    assert caught.value.fault.status == status


async def test_a_piece_is_signed_like_the_object_and_the_range_is_no_part_of_it():
    http = ScriptedHttp(answer(206, b"6789", content_range="bytes 6-9/10"))
    obs = Obs(http, ObsSigner(fixed(KEYS), FakeClock()), ENDPOINT)

    assert await obs.read("mig", "a b.raw", first=None, last=4) == b"6789"
    sent = http.sent[0]
    resource = canonical_resource("mig", "a b.raw")
    expected = sign_obs("GET", resource, {"Date": sent.headers["Date"]}, ak=KEYS.ak, sk="not-a-secret")
    assert sent.headers["Authorization"] == expected
    assert (sent.headers["Range"], sent.wanted_bytes) == ("bytes=-4", 4)
