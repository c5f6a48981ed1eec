"""The S3-like signature of version 4, against the examples that its authors publish."""

import hmac
from email.utils import formatdate
from hashlib import sha256
from typing import Any

import pytest
from msgspec.structs import replace

from migrator.simulator.aws4 import (
    ALGORITHM,
    Aws4Claim,
    aws4_claim,
    aws4_genuine,
    aws4_signed_at,
    canonical_request,
    signing_key,
)
from migrator.simulator.settings import Settings
from migrator.simulator.simulator import Simulator
from migrator.simulator.wire import Call, Reply
from tests.simulator.callers import NOON

AK, SK = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EMPTY = sha256(b"").hexdigest()
BODY = b"Welcome to Amazon S3."


def example(method: str, path: str, *query: tuple[str, str], body: bytes = b"", **more: str) -> Call:
    host = "examplebucket.s3.amazonaws.com"
    headers = {
        "host": host,
        "x-amz-date": "20130524T000000Z",
        "x-amz-content-sha256": sha256(body).hexdigest(),
    }
    headers.update({name.replace("_", "-"): value for name, value in more.items()})
    return Call(method=method, host=host, path=path, query=query, headers=headers, body=body)


def header(call: Call, signature: str, service: str = "s3") -> str:
    names = ";".join(sorted(call.headers))
    scope = f"20130524/us-east-1/{service}/aws4_request"
    return f"{ALGORITHM} Credential={AK}/{scope},SignedHeaders={names},Signature={signature}"


GET = example("GET", "/test.txt", range="bytes=0-9")
PUT = example(
    "PUT",
    "/test$file.text",
    body=BODY,
    date="Fri, 24 May 2013 00:00:00 GMT",
    x_amz_storage_class="REDUCED_REDUNDANCY",
)
PUBLISHED = [
    pytest.param(GET, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", id="an object"),
    pytest.param(PUT, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd", id="a body"),
    pytest.param(
        example("GET", "/", ("lifecycle", "")),
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        id="a question without a value",
    ),
    pytest.param(
        example("GET", "/", ("prefix", "J"), ("max-keys", "2")),
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        id="a query in another order",
    ),
]


def accepts(call: Call, authorization: str, secret: str = SK) -> bool:
    said = aws4_claim(authorization)
    return said is not None and aws4_genuine(call, said, secret)


@pytest.mark.parametrize(("call", "signature"), PUBLISHED)
def test_a_published_example_is_genuine(call, signature):
    assert accepts(call, header(call, signature))


@pytest.mark.parametrize(("call", "signature"), PUBLISHED)
def test_another_secret_path_query_header_or_method_is_not(call, signature):
    said = header(call, signature)

    assert not accepts(call, said, SK + "x")
    assert not accepts(replace(call, path="/other"), said)
    assert not accepts(replace(call, query=(*call.query, ("acl", ""))), said)
    assert not accepts(replace(call, headers={**call.headers, "host": "elsewhere"}), said)
    assert not accepts(replace(call, method="HEAD"), said)


def test_a_body_that_is_not_the_one_signed_is_not_genuine():
    signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"

    assert not accepts(replace(PUT, body=b"Welcome to Amazon S4."), header(PUT, signature))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AWS AK:signature",
        f"{ALGORITHM} Credential={AK}/20130524/us-east-1/s3/aws4_request,SignedHeaders=host",
        f"{ALGORITHM} Credential={AK}/20130524/s3/aws4_request,SignedHeaders=host,Signature=0",
        f"{ALGORITHM} Credential={AK}/20130524/us-east-1/s3/aws5_request,SignedHeaders=host,Signature=0",
    ],
)
def test_what_is_not_a_claim_is_none(text):
    assert aws4_claim(text) is None


# --- Against the object storage ---


def signed(
    simulator: Simulator,
    *,
    covered: tuple[str, ...] | None = None,
    secret: str = "",
    service: str = "s3",
    day: str = "20250102",
    payload: str = EMPTY,
    path: str = "/mig-bucket/images/web 01~x.zvhd2",
    **more: str,
) -> Reply:
    """A HEAD signed with the default key; of all headers, or those `covered`."""
    settings = simulator.settings
    headers = {
        "host": "127.0.0.1",
        "x-amz-date": "20250102T120405Z",
        "x-amz-content-sha256": payload,
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    call = Call(method="HEAD", host="127.0.0.1", path=path, headers=headers)
    names = tuple(sorted(headers)) if covered is None else covered
    said = Aws4Claim(settings.access_key, day, "cn-north-4", service, names, "")
    canonical = canonical_request(call, names, payload).encode()
    text = f"{ALGORITHM}\n{headers['x-amz-date']}\n{said.scope}\n{sha256(canonical).hexdigest()}"
    made = hmac.digest(signing_key(secret or settings.secret_key, said), text.encode(), "sha256").hex()
    headers["authorization"] = (
        f"{ALGORITHM} Credential={settings.access_key}/{said.scope}, "
        f"SignedHeaders={';'.join(names)}, Signature={made}"
    )
    return simulator.answer(call, NOON)


def simulator(**settings: Any) -> Simulator:
    return Simulator(Settings(**settings), now=NOON)


def test_a_signature_of_version_four_is_let_in_and_answered_in_its_own_dialect():
    cold = {"mig-bucket:images/a.zvhd2": {"storage_class": "COLD", "size": 7}}

    reply = signed(simulator(objects=cold), path="/mig-bucket/images/a.zvhd2")

    assert (reply.status, reply.headers["Content-Length"]) == (200, "7")
    assert reply.headers["x-amz-storage-class"] == "COLD"
    assert signed(simulator(), payload="UNSIGNED-PAYLOAD").status == 200
    assert signed(simulator(), path="/mig-bucket").headers["x-amz-bucket-region"] == "cn-north-4"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"secret": "wrong"}, id="another secret"),
        pytest.param({"service": "ec2"}, id="another service"),
        pytest.param({"day": "20250101"}, id="a key of yesterday"),
        pytest.param({"payload": sha256(b"x").hexdigest()}, id="the hash of another body"),
        pytest.param({"covered": ("x-amz-content-sha256", "x-amz-date")}, id="the host left out"),
        pytest.param({"covered": ("host", "x-amz-date")}, id="a header of its own left out"),
        pytest.param({"x_amz_date": "20250102T114900Z"}, id="a clock behind"),
        pytest.param({"x_amz_date": "20250102T121910Z"}, id="a clock ahead"),
        pytest.param({"x_amz_security_token": "made-up"}, id="a token that is none"),
    ],
)
def test_a_signature_of_version_four_that_is_not_right_is_refused(wrong):
    assert signed(simulator(), **wrong).status == 403


def test_the_date_may_stand_in_the_header_that_all_of_http_has():
    call = Call(method="GET", host="h", path="/", headers={"date": formatdate(NOON, usegmt=True)})

    assert aws4_signed_at(call) == NOON
    assert aws4_signed_at(replace(call, headers={})) is None
    assert aws4_signed_at(replace(call, headers={"x-amz-date": "yesterday"})) is None
