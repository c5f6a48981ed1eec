"""The signatures equal published vectors and the vendor's own code; nothing secret is shown."""

from types import SimpleNamespace

import pytest
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer as VendorSigner
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from migrator.domain.credentials import Keys
from migrator.domain.http import Request
from migrator.ims.signing import (
    KeySigner,
    ObsSigner,
    canonical_request,
    canonical_resource,
    encoded_path,
    sign,
    sign_obs,
)
from tests.fakes import FakeClock
from tests.ims.scripted import fixed

AK, SK = "AKEXAMPLE0000000TEST", "sk-example-not-a-real-secret-0000000000"
KEYS = Keys(ak=AK, sk=SecretStr(SK))
HOST = "ims.cn-north-4.myhuaweicloud.com"
COMMON = {
    "X-Sdk-Date": "20250102T030405Z",
    "X-Project-Id": "0123456789abcdef0123456789abcdef",
    "Host": HOST,
}
IMPORT = Request(
    method="POST",
    url=f"https://{HOST}/v2/cloudimages/quickimport/action",
    headers={**COMMON, "Content-Type": "application/json"},
    body=(
        '{"name":"web-01-sys","os_version":"CentOS 7.6 64bit","image_url":"mig-bucket:images/web-01.zvhd2",'
        '"min_disk":40,"type":"ECS","description":"迁移测试"}'
    ).encode(),
)
LIST = Request(
    method="GET",
    url=f"https://{HOST}/v2/cloudimages",
    query=(("name", "web 01~sys"), ("tag", "mig_run=r-7"), ("__imagetype", "private"), ("limit", "50")),
    headers=COMMON,
)
JOB = Request(
    method="GET",
    url=f"https://{HOST}/v1/cloudimages/job/ff8080817d1f0f43017d1f5a9c3b0001",
    headers={**COMMON, "X-Security-Token": "fake-security-token"},
)


@pytest.mark.parametrize(
    ("request_", "headers", "signature"),
    [
        pytest.param(
            IMPORT,
            "content-type;host;x-project-id;x-sdk-date",
            "b150c227fd22fd1ea0771ecaa1447e7f562464ee8853c1ab7e94d44819a4b8f1",
            id="an import",
        ),
        pytest.param(
            LIST,
            "host;x-project-id;x-sdk-date",
            "da1ca379c4682bca04d2a5f78f51804831cdda8923fcb5d76c9bb47830e19bfc",
            id="a list",
        ),
        pytest.param(
            JOB,
            "host;x-project-id;x-sdk-date;x-security-token",
            "049092a8111e84428dd7b683465eb4b3e71a346953aca329bf92cc6c7267dbe6",
            id="temporary keys",
        ),
    ],
)
def test_a_request_signature_equals_the_published_one(request_, headers, signature):
    shown = f"SDK-HMAC-SHA256 Access={AK}, SignedHeaders={headers}, Signature={signature}"

    assert sign(request_, ak=AK, sk=SK) == shown


def test_only_the_signed_form_of_a_path_ends_with_a_slash():
    canonical, signed = canonical_request(IMPORT)

    assert canonical.split("\n")[1] == "/v2/cloudimages/quickimport/action/"
    assert not IMPORT.url.endswith("/")
    assert signed == "content-type;host;x-project-id;x-sdk-date"


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
NAMES = st.from_regex(r"X-[A-Za-z_]{1,10}", fullmatch=True).filter(
    lambda name: not name.lower().startswith("x-sdk")
)


@given(
    method=st.sampled_from(["GET", "POST", "delete"]),
    segments=st.lists(TEXT.map(lambda text: text.replace("/", "")), max_size=4),
    query=st.lists(st.tuples(TEXT, TEXT), max_size=5),
    extra=st.dictionaries(
        NAMES, st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=9)
    ),
    body=st.binary(max_size=40),
    key=st.tuples(st.text(st.characters(codec="ascii"), min_size=1), TEXT.filter(bool)),
)
def test_any_request_is_signed_as_the_vendors_own_code_signs_it(method, segments, query, extra, body, key):
    names = {name.lower(): name for name in extra}
    headers = {**{name: extra[name] for name in names.values()}, **COMMON}
    headers = {**headers, "Content-Type": "application/json"}
    path = "/" + "/".join(segments)
    request = Request(
        method=method, url=f"https://{HOST}{path}", query=tuple(query), headers=headers, body=body
    )
    theirs = SdkRequest(
        method=method,
        schema="https",
        host=HOST,
        resource_path=encoded_path(path),  # theirs decodes the path first, ours is decoded already
        query_params=list(query),
        header_params=dict(headers),
        body=body,
    )

    VendorSigner(SimpleNamespace(ak=key[0], sk=key[1])).sign(theirs)

    assert sign(request, ak=key[0], sk=key[1]) == theirs.header_params["Authorization"]


class Ring:
    """A source of keys that somebody may exchange."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys

    async def __call__(self) -> Keys:
        return self.keys


@pytest.mark.anyio
async def test_a_signed_request_bears_host_date_and_what_a_plain_signature_would_say():
    signer = KeySigner(fixed(KEYS), FakeClock())

    signed = await signer.sign(
        Request(method="GET", url=f"https://{HOST}:8443/v1/x", headers={"X-Project-Id": "p"})
    )

    assert signed.headers["Host"] == f"{HOST}:8443"
    assert signed.headers["X-Sdk-Date"] == "20300317T174640Z"
    bare = {name: value for name, value in signed.headers.items() if name != "Authorization"}
    again = Request(method="GET", url=signed.url, headers=bare)
    assert signed.headers["Authorization"] == sign(again, ak=AK, sk=SK)


@pytest.mark.anyio
async def test_a_refused_request_is_signed_again_only_with_other_keys():
    ring = Ring(KEYS)
    signer = KeySigner(ring, FakeClock())
    refused = await signer.sign(JOB)

    assert not await signer.renew(refused)
    ring.keys = Keys(ak=AK, sk=SecretStr(SK))
    assert not await signer.renew(refused)
    for other in (
        Keys(ak="AKOTHER", sk=SecretStr(SK)),
        Keys(ak=AK, sk=SecretStr("corrected")),
        Keys(ak=AK, sk=SecretStr(SK), security_token=SecretStr("fresh")),
    ):
        ring.keys = other
        assert await signer.renew(refused)


@pytest.mark.anyio
async def test_keys_that_lose_their_security_token_no_longer_send_one():
    ring = Ring(Keys(ak=AK, sk=SecretStr(SK), security_token=SecretStr("temporary")))
    signer = KeySigner(ring, FakeClock())
    first = await signer.sign(LIST)
    ring.keys = KEYS

    second = await signer.sign(first)

    assert first.headers["X-Security-Token"] == "temporary"
    assert "X-Security-Token" not in second.headers


OBS_DATE = {"Date": "Thu, 02 Jan 2025 03:04:05 GMT"}
RESOURCE = canonical_resource("mig-bucket", "images/web-01.zvhd2")


@pytest.mark.parametrize(
    ("headers", "signature"),
    [
        pytest.param(OBS_DATE, "uYm/MmapTT+qPsQ3nsX5Albeim8=", id="lasting keys"),
        pytest.param(
            {**OBS_DATE, "x-obs-security-token": "fake-security-token"},
            "GpJUp3Bvd5KLUT3aOHIujyoL/EI=",
            id="temporary keys",
        ),
    ],
)
def test_an_obs_signature_equals_the_published_one(headers, signature):
    assert sign_obs("HEAD", RESOURCE, headers, ak=AK, sk=SK) == f"OBS {AK}:{signature}"


def test_an_obs_resource_is_encoded_and_names_only_subresources():
    assert canonical_resource("b", "") == "/b/"
    assert canonical_resource("b", "f 1/ü.raw") == "/b/f%201/%C3%BC.raw"
    assert canonical_resource("b", "", [("prefix", "x"), ("location", "")]) == "/b/?location"
    assert canonical_resource("b", "k", [("versionId", "7")]) == "/b/k?versionId=7"


@pytest.mark.anyio
async def test_an_obs_request_refused_is_signed_again_only_with_other_keys():
    ring = Ring(KEYS)
    signer = ObsSigner(ring, FakeClock())
    request = Request(method="HEAD", url="https://mig-bucket.obs.example/images/web-01.zvhd2")
    refused = await signer.sign(request, RESOURCE)

    assert refused.headers["Date"] == "Sun, 17 Mar 2030 17:46:40 GMT"
    assert not await signer.renew(refused, RESOURCE)
    ring.keys = Keys(ak=AK, sk=SecretStr("corrected"))
    assert await signer.renew(refused, RESOURCE)


@pytest.mark.anyio
async def test_nothing_secret_is_shown_when_a_request_is():
    signed = await KeySigner(fixed(KEYS), FakeClock()).sign(IMPORT)

    assert signed.headers["Authorization"].rpartition("=")[2] not in repr(signed)
    assert SK not in repr(KEYS)
    assert AK not in repr(KEYS)
