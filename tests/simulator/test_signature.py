"""The stand-in's own signatures, against published vectors and against the vendor's signers."""

import hmac
import json
from hashlib import sha256

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from migrator.simulator.signature import (
    ALGORITHM,
    Claim,
    ObsClaim,
    canonical_request,
    claim,
    genuine,
    obs_claim,
    obs_genuine,
    signed_at,
)
from migrator.simulator.wire import Call

AK = "AKEXAMPLE0000000TEST"
SK = "sk-example-not-a-real-secret-0000000000"
HOST = "ims.cn-north-4.myhuaweicloud.com"
HEADERS = {
    "host": HOST,
    "x-sdk-date": "20250102T030405Z",
    "x-project-id": "0123456789abcdef0123456789abcdef",
}
BODY = (
    '{"name":"web-01-sys","os_version":"CentOS 7.6 64bit","image_url":"mig-bucket:images/web-01.zvhd2",'
    '"min_disk":40,"type":"ECS","description":"迁移测试"}'
).encode()

V1 = Call(
    method="POST",
    host=HOST,
    path="/v2/cloudimages/quickimport/action",
    headers={**HEADERS, "content-type": "application/json"},
    body=BODY,
)
V2 = Call(
    method="GET",
    host=HOST,
    path="/v2/cloudimages",
    query=(("name", "web 01~sys"), ("tag", "mig_run=r-7"), ("__imagetype", "private"), ("limit", "50")),
    headers=HEADERS,
)
V3 = Call(
    method="GET",
    host=HOST,
    path="/v1/cloudimages/job/ff8080817d1f0f43017d1f5a9c3b0001",
    headers={**HEADERS, "x-security-token": "fake-security-token"},
)
VECTORS = [
    pytest.param(
        V1, "b150c227fd22fd1ea0771ecaa1447e7f562464ee8853c1ab7e94d44819a4b8f1", id="a body in UTF-8"
    ),
    pytest.param(V2, "da1ca379c4682bca04d2a5f78f51804831cdda8923fcb5d76c9bb47830e19bfc", id="a query"),
    pytest.param(
        V3, "049092a8111e84428dd7b683465eb4b3e71a346953aca329bf92cc6c7267dbe6", id="a security token"
    ),
]


def authorization(call: Call, signature: str) -> str:
    return (
        f"SDK-HMAC-SHA256 Access={AK}, SignedHeaders={';'.join(sorted(call.headers))}, Signature={signature}"
    )


def accepts(call: Call, header: str, secret: str = SK) -> bool:
    said = claim(header)
    return said is not None and genuine(call, said, secret)


@pytest.mark.parametrize(("call", "signature"), VECTORS)
def test_a_published_vector_is_genuine(call, signature):
    assert accepts(call, authorization(call, signature))


@pytest.mark.parametrize(("call", "signature"), VECTORS)
def test_one_wrong_digit_or_another_secret_is_not(call, signature):
    wrong = ("0" if signature[0] != "0" else "1") + signature[1:]

    assert not accepts(call, authorization(call, wrong))
    assert not accepts(call, authorization(call, signature), SK + "x")


def test_a_changed_body_header_or_query_is_not_genuine():
    signature = "b150c227fd22fd1ea0771ecaa1447e7f562464ee8853c1ab7e94d44819a4b8f1"
    header = authorization(V1, signature)

    assert not accepts(replace(V1, body=BODY + b" "), header)
    assert not accepts(replace(V1, headers={**V1.headers, "x-project-id": "f" * 32}), header)
    assert not accepts(replace(V1, query=(("a", "b"),)), header)


@pytest.mark.parametrize(
    ("signed", "right"),
    [
        pytest.param(["host"], False, id="no date"),
        pytest.param(["x-sdk-date"], True, id="a date alone"),
        pytest.param(["host", "x-sdk-date"], True, id="host and date"),
        pytest.param(["x-sdk-date", "x-never-sent"], False, id="what did not arrive"),
    ],
)
def test_a_signature_must_cover_its_date_and_nothing_that_did_not_arrive(signed, right):
    canonical = canonical_request(V2.method, V2.path, V2.query, V2.headers, signed, b"")
    text = f"{ALGORITHM}\n{HEADERS['x-sdk-date']}\n{sha256(canonical.encode()).hexdigest()}"
    made = hmac.digest(SK.encode(), text.encode(), "sha256").hex()

    assert genuine(V2, Claim(AK, tuple(signed), made), SK) is right


@pytest.mark.parametrize("header", ["", "Basic abc", "SDK-HMAC-SHA256", "SDK-HMAC-SHA256 Access=x", "=,=,="])
def test_what_is_not_a_claim_is_none(header):
    assert claim(header) is None


def test_a_date_that_cannot_be_read_is_none():
    assert signed_at(Call(method="GET", host="h", path="/", headers={"x-sdk-date": "yesterday"})) is None


TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="/\x00", exclude_categories=("Cs", "Cc")), min_size=1
)


@given(
    segments=st.lists(TEXT, min_size=1, max_size=4),
    query=st.dictionaries(TEXT, TEXT, max_size=4),
    fields=st.dictionaries(TEXT, TEXT, max_size=3),
)
def test_the_vendors_signer_is_always_believed(segments, query, fields):
    body = json.dumps(fields, ensure_ascii=False).encode()
    request = SdkRequest(
        method="POST",
        schema="https",
        host=HOST,
        resource_path="/" + "/".join(segments),
        query_params=list(query.items()),
        header_params={"Content-Type": "application/json", "Host": HOST},
        body=body.decode(),
    )
    Signer(BasicCredentials(AK, SK)).sign(request)
    headers = {name.lower(): value for name, value in request.header_params.items()}
    call = Call(
        method="POST",
        host=HOST,
        path="/" + "/".join(segments),
        query=tuple(query.items()),
        headers=headers,
        body=body,
    )

    assert accepts(call, headers["authorization"])


def test_the_canonical_path_ends_with_a_slash_and_an_empty_line_closes_the_headers():
    text = canonical_request("GET", "/v2/cloudimages", V2.query, HEADERS, HEADERS, b"")

    assert text.split("\n") == [
        "GET",
        "/v2/cloudimages/",
        "__imagetype=private&limit=50&name=web%2001~sys&tag=mig_run%3Dr-7",
        f"host:{HOST}",
        "x-project-id:0123456789abcdef0123456789abcdef",
        "x-sdk-date:20250102T030405Z",
        "",
        "host;x-project-id;x-sdk-date",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ]


def test_the_published_object_storage_vectors_are_genuine():
    plain = {"date": "Thu, 02 Jan 2025 03:04:05 GMT"}
    path = "/mig-bucket/images/web-01.zvhd2"
    call = Call(method="HEAD", host="obs", path=path, headers=plain)
    temporary = Call(
        method="HEAD", host="obs", path=path, headers={**plain, "x-obs-security-token": "fake-security-token"}
    )

    def said(signature: str) -> ObsClaim:
        found = obs_claim(f"OBS {AK}:{signature}")
        assert found is not None
        return found

    assert obs_genuine(call, path, said("uYm/MmapTT+qPsQ3nsX5Albeim8="), SK)
    assert obs_genuine(temporary, path, said("GpJUp3Bvd5KLUT3aOHIujyoL/EI="), SK)
    assert not obs_genuine(temporary, path, said("uYm/MmapTT+qPsQ3nsX5Albeim8="), SK)
