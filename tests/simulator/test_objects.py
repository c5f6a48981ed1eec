"""The object storage's answers, and which requests it does not believe."""

import base64
import hmac
from email.utils import formatdate
from typing import Any

import pytest

from migrator.simulator.settings import BucketSettings, ObjectSettings, Settings
from migrator.simulator.signature import obs_text
from migrator.simulator.simulator import Simulator
from migrator.simulator.wire import Call, Reply
from tests.simulator.callers import NOON

KEY = "images/web-01.zvhd2"
GIB = 2**30


def ask(
    simulator: Simulator,
    method: str = "HEAD",
    *,
    bucket: str = "mig-bucket",
    key: str = KEY,
    query: tuple[tuple[str, str], ...] = (),
    access: str = "",
    secret: str = "",
    skew: float = 0.0,
    host: str = "127.0.0.1",
    path: str = "",
    resource: str = "",
    **more: str,
) -> Reply:
    """A question signed with the default key, path style unless the host says otherwise.

    `path` is what is sent and `resource` what is signed, where these are not as bucket and key say.
    """
    settings = simulator.settings
    headers = {
        "date": formatdate(NOON + skew, usegmt=True),
        **{k.replace("_", "-"): v for k, v in more.items()},
    }
    resource = resource or (f"/{bucket}/{key}" if key else f"/{bucket}")
    call = Call(method=method, host=host, path=resource, query=query, headers=headers)
    text = obs_text(call, resource)
    made = hmac.digest((secret or settings.secret_key).encode(), text.encode(), "sha1")
    headers["authorization"] = f"OBS {access or settings.access_key}:{base64.b64encode(made).decode()}"
    path = path or (f"/{key}" if host.startswith(f"{bucket}.obs.") else resource)
    sent = Call(method=method, host=host, path=path, query=query, headers=headers)
    return simulator.answer(sent, NOON)


def simulator(**settings) -> Simulator:
    return Simulator(Settings(**settings), now=NOON)


def test_an_object_that_nobody_listed_exists_with_a_size_of_its_own():
    one, other = (ask(simulator(), key=key).headers for key in ("a.zvhd2", "b.zvhd2"))

    assert 4 * GIB <= int(one["Content-Length"]) <= 38 * GIB
    assert one["Content-Length"] != other["Content-Length"]
    assert ask(simulator(), key="a.zvhd2").headers["Content-Length"] == one["Content-Length"]
    assert int(ask(simulator(), key="a.mf").headers["Content-Length"]) < GIB
    assert "x-obs-storage-class" not in one


def test_sizes_lie_where_the_settings_say():
    sizes = [
        int(ask(simulator(object_gb=(10, 500), seed=seed)).headers["Content-Length"]) for seed in range(50)
    ]

    assert min(sizes) >= 10 * GIB
    assert 200 * GIB < max(sizes) <= 500 * GIB


@pytest.mark.parametrize(
    ("listed", "header", "value"),
    [
        (ObjectSettings(size=7), "Content-Length", "7"),
        (ObjectSettings(storage_class="WARM"), "x-obs-storage-class", "WARM"),
        (ObjectSettings(sse="kms"), "x-obs-server-side-encryption", "kms"),
        (
            ObjectSettings(sse="customer", sse_told=True),
            "x-obs-server-side-encryption-customer-algorithm",
            "AES256",
        ),
    ],
)
def test_a_listed_object_is_as_listed(listed, header, value):
    assert ask(simulator(objects={f"mig-bucket:{KEY}": listed})).headers[header] == value


def test_a_bare_head_of_an_object_under_a_customers_key_is_a_bad_request_without_a_word():
    store = simulator(objects={f"mig-bucket:{KEY}": ObjectSettings(sse="customer", size=7)})
    with_key: Any = {
        "x_obs_server_side_encryption_customer_algorithm": "AES256",
        "x_obs_server_side_encryption_customer_key": "AAAA",
    }

    refused, shown = ask(store), ask(store, **with_key)

    assert (refused.status, refused.body) == (400, b"")
    assert "Content-Length" not in refused.headers
    assert b"<Code>InvalidRequest</Code>" in ask(store, "GET").body
    assert (shown.status, shown.headers["Content-Length"]) == (200, "7")
    assert shown.headers["x-obs-server-side-encryption-customer-algorithm"] == "AES256"


@pytest.mark.parametrize("name", ["192.168.1.1", "no", "Capitals", "two..dots"])
def test_a_bucket_of_an_impossible_name_is_refused(name):
    reply = ask(simulator(), "GET", bucket=name)

    assert reply.status == 400
    assert b"<Code>InvalidBucketName</Code>" in reply.body


def test_without_a_bucket_all_that_are_known_are_listed():
    settings: Any = {
        "objects": {"web-disks:a.zvhd2": ObjectSettings()},
        "buckets": {"empty": BucketSettings(), "gone": BucketSettings(missing=True)},
    }
    store = simulator(**settings)

    body = ask(store, "GET", bucket="", key="").body

    assert b"<Name>empty</Name>" in body
    assert b"<Name>web-disks</Name>" in body
    assert b"gone" not in body


@pytest.mark.parametrize("sent", ["/mig-bucket", "/mig-bucket/"])
@pytest.mark.parametrize("signed", ["/mig-bucket", "/mig-bucket/"])
def test_a_lone_bucket_may_be_signed_with_its_slash_or_without(sent, signed):
    assert ask(simulator(), "GET", bucket="", key="", path=sent, resource=signed).status == 200


def test_a_slash_at_the_end_of_a_key_counts():
    sent, signed = "/mig-bucket/folder/", "/mig-bucket/folder"

    assert ask(simulator(), path=sent, resource=sent).status == 200
    assert ask(simulator(), path=sent, resource=signed).status == 403


@pytest.mark.parametrize(
    ("settings", "status", "code"),
    [
        ({"objects": {f"mig-bucket:{KEY}": ObjectSettings(missing=True)}}, 404, "NoSuchKey"),
        ({"objects": {f"mig-bucket:{KEY}": ObjectSettings(forbidden=True)}}, 403, "AccessDenied"),
        ({"buckets": {"mig-bucket": BucketSettings(missing=True)}}, 404, "NoSuchBucket"),
        ({"buckets": {"mig-bucket": BucketSettings(forbidden=True)}}, 403, "AccessDenied"),
        ({"any_object": False}, 404, "NoSuchBucket"),
        ({"any_object": False, "objects": {"mig-bucket:other": ObjectSettings()}}, 404, "NoSuchKey"),
    ],
)
def test_what_is_not_there_has_a_status_for_head_and_a_reason_for_get(settings, status, code):
    store = simulator(**settings)
    head, get = ask(store, "HEAD"), ask(store, "GET")

    assert (head.status, head.body) == (status, b"")
    assert get.status == status
    assert f"<Code>{code}</Code>".encode() in get.body


def test_a_bucket_tells_its_region_and_class():
    store = simulator(buckets={"mig-bucket": BucketSettings(region="cn-east-3", storage_class="COLD")})

    head = ask(store, key="").headers

    assert (head["x-obs-bucket-location"], head["x-obs-storage-class"]) == ("cn-east-3", "COLD")
    assert b">cn-east-3</Location>" in ask(store, "GET", key="", query=(("location", ""),)).body
    assert "x-obs-fs-file-interface" not in head


def test_a_parallel_file_system_says_that_it_is_one():
    store = simulator(buckets={"mig-bucket": BucketSettings(parallel_file_system=True)})

    assert ask(store, key="").headers["x-obs-fs-file-interface"] == "Enabled"


def test_a_virtual_host_names_bucket_and_region():
    host = "mig-bucket.obs.cn-east-3.myhuaweicloud.com"

    assert ask(simulator(), host=host).status == 200
    assert ask(simulator(), host=host, key="").headers["x-obs-bucket-location"] == "cn-east-3"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        pytest.param({"secret": "wrong"}, "SignatureDoesNotMatch", id="another secret"),
        pytest.param({"access": "NOBODY"}, "InvalidAccessKeyId", id="an unknown key"),
        pytest.param({"skew": 901.0}, "RequestTimeTooSkewed", id="a clock ahead"),
        pytest.param({"skew": -901.0}, "RequestTimeTooSkewed", id="a clock behind"),
        pytest.param({"x_obs_security_token": "made-up"}, "AccessDenied", id="a token that is none"),
    ],
)
def test_a_request_that_is_not_believed_says_why(wrong, code):
    reply = ask(simulator(), "GET", **wrong)

    assert reply.status == 403
    assert f"<Code>{code}</Code>".encode() in reply.body


def test_a_request_without_any_signature_is_refused():
    call = Call(method="HEAD", host="127.0.0.1", path="/mig-bucket/a.zvhd2")

    assert simulator().answer(call, NOON).status == 403


def test_a_temporary_key_works_with_its_token_until_it_dies():
    store = simulator()
    key = store.guard.new_key(NOON, 900)
    mine: Any = {"access": key.access, "secret": key.secret}

    assert ask(store, **mine).status == 403
    assert ask(store, **mine, x_obs_security_token=key.security_token).status == 200
    store.guard.expire_all()
    assert ask(store, **mine, x_obs_security_token=key.security_token).status == 403


def test_nothing_can_be_written_or_read_from_here():
    assert ask(simulator(), "PUT").status == 405
    assert ask(simulator(), "GET").status == 405


def test_faults_speak_the_storages_language():
    busy = simulator(other_odds={"throttle": 1.0})
    broken = simulator(other_odds={"error_before": 1.0, "statuses": [500]})

    assert (ask(busy).status, ask(busy).code) == (503, "SlowDown")
    assert (ask(broken).status, ask(broken).body) == (500, b"")
