"""Webhooks: what is sent, how it is signed, what an answer means, and what never shows."""

import re
import ssl
from pathlib import Path

import pytest
import trustme
from pydantic import SecretBytes

from migrator.domain.notify import Level, Message, Sent
from migrator.domain.secrets import SECRETS
from migrator.io.http import AioHttp
from migrator.io.webhook import Webhook, read_address, read_secret, secret_parts, signature, verdict
from tests.io.test_http import answering

pytestmark = pytest.mark.anyio

MESSAGE = Message(id="id-1", level=Level.INFO, title="p: test", text="t", body=b'{"id":"id-1"}')
KEY = "a-signing-secret-of-ours"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def sent(url: str, *, secret: str | None = KEY, now: float = 1_900_000_000.9, **http) -> Sent:
    options = {"connect_timeout": 1.0, "request_timeout": 2.0, "max_requests": 1} | http
    async with AioHttp(**options) as client:
        key = None if secret is None else read_secret(secret)
        return await Webhook(client, read_address(url), key, lambda: now)(MESSAGE)


# --- What is sent ---------------------------------------------------------------------------------------


async def test_it_is_one_post_of_the_body_with_the_headers_of_standard_webhooks():
    async with answering(NO_CONTENT).listening() as wire:
        done = await sent(wire.url("/hook/T1?sig=%2Fa%3D1&x="))

    assert done == Sent()
    assert wire.bodies == [MESSAGE.body]
    first, *lines = wire.heads[0].splitlines()
    headers = dict(line.lower().split(": ", 1) for line in lines if line)
    assert first == "POST /hook/T1?sig=%2Fa%3D1&x= HTTP/1.1"
    assert headers["content-type"] == "application/json"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("id-1", "1900000000")
    assert f"webhook-signature: {signature(KEY.encode(), 'id-1', 1_900_000_000, MESSAGE.body)}" in [
        line[:17].lower() + line[17:] for line in lines
    ]


async def test_without_a_secret_nothing_is_signed():
    async with answering(NO_CONTENT).listening() as wire:
        await sent(wire.url("/"), secret=None)

    assert "webhook-signature" not in wire.heads[0].lower()


def test_the_signature_is_the_one_that_the_authors_of_the_standard_compute():
    """The key, message and signature of their libraries' own tests."""
    secret = read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").get_secret_value()

    found = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')

    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_example_of_the_manual_takes_what_is_ours_and_refuses_the_rest():
    page = (Path(__file__).parent.parent.parent / "docs/notify.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    scope: dict[str, object] = {}
    exec(code, scope)
    genuine = scope["genuine"]
    assert callable(genuine)
    assert len(code.strip().splitlines()) <= 13

    import time

    now = int(time.time())
    headers = {"webhook-id": "i", "webhook-timestamp": str(now)}
    headers["webhook-signature"] = signature(KEY.encode(), "i", now, b"body")
    assert genuine(headers, b"body", KEY)
    assert not genuine(headers, b"another", KEY)
    assert not genuine(headers, b"body", "another-secret-of-ours")
    assert not genuine(headers | {"webhook-id": "j"}, b"body", KEY)
    old = now - 400
    replayed = {"webhook-id": "i", "webhook-timestamp": str(old)}
    replayed["webhook-signature"] = signature(KEY.encode(), "i", old, b"body")
    assert not genuine(replayed, b"body", KEY)


# --- What an answer means -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "failure", "refused"),
    [
        (200, "", False),
        (204, "", False),
        (301, "it redirects (HTTP 301), which is not followed: set the address it leads to", False),
        (400, "it answers HTTP 400", True),
        (401, "it answers HTTP 401", True),
        (408, "it answers HTTP 408", False),
        (410, "it answers HTTP 410", True),
        (429, "it answers HTTP 429", False),
        (500, "it answers HTTP 500", True),
        (503, "it answers HTTP 503", False),
    ],
)
def test_what_a_status_means(status, failure, refused):
    assert verdict(status) == Sent(failure=failure, refused=refused)


async def test_a_redirect_is_not_followed():
    async with answering(NO_CONTENT).listening() as elsewhere:
        there = f"HTTP/1.1 307 Moved\r\nLocation: {elsewhere.url('/')}\r\nContent-Length: 0\r\n\r\n".encode()
        async with answering(there).listening() as wire:
            done = await sent(wire.url("/"))

    assert "redirects (HTTP 307)" in done.failure
    assert elsewhere.heads == []


async def test_of_an_endless_answer_nothing_is_kept_and_nothing_is_said():
    endless = b"HTTP/1.1 500 No\r\n\r\n" + b"swordfish " * 200_000
    async with answering(endless).listening() as wire:
        done = await sent(wire.url("/"))

    assert done == Sent(failure="it answers HTTP 500", refused=True)


async def test_a_receiver_that_is_not_there_is_told_without_its_host():
    async with answering(NO_CONTENT).listening() as wire:
        url = wire.url("/hook")

    assert await sent(url) == Sent(failure="connection refused")


async def test_a_certificate_that_nobody_vouches_for_is_refused():
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with answering(NO_CONTENT).listening(tls=context) as wire:
        done = await sent(wire.url("/", scheme="https"))

    assert "its certificate is not trusted" in done.failure
    assert wire.heads == []


# --- Addresses and secrets ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not an address"),
        ("hooks.example/x", "is not an address of the form"),
        ("http://hooks.example/x", "would send everything unencrypted"),
        ("http://127.0.0.1.example/x", "would send everything unencrypted"),
        ("ftp://127.0.0.1/x", "is not an address of the form"),
        ("https://user:swordfish@hooks.example/x", "holds a user or a password"),
        ("https://hooks.example:99999/", "is not an address"),
        ("https://hooks.example/a%2Fb", "holds %2F in its path"),
        ("https://hooks.example/a\nb", "a control character"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_and_not_repeated(text, said):
    with pytest.raises(ValueError, match=said) as raised:
        read_address(text)

    assert "hooks" not in str(raised.value)
    assert "swordfish" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://hooks.example", "https://hooks.example/"),
        ("https://hooks.example:443/a%20b", "https://hooks.example/a b"),
        ("http://localhost:8080/x", "http://localhost:8080/x"),
        ("http://[::1]:9/x", "http://[::1]:9/x"),
    ],
)
def test_an_address_is_read_into_what_is_sent(text, url):
    address = read_address(text)

    assert address.url.get_secret_value() == url
    assert "hooks" not in repr(address)


@pytest.mark.parametrize("text", ["brief", "whsec_no base64 here", "whsec_YWJj"])
def test_a_secret_that_is_none_is_refused_and_not_repeated(text):
    with pytest.raises(ValueError, match=r"is too short|no Base64 follows") as raised:
        read_secret(text)

    assert text not in str(raised.value)


def test_a_secret_does_not_show():
    assert isinstance(key := read_secret(KEY), SecretBytes)
    assert KEY not in repr(key)
    assert SECRETS.masked(f"said {KEY}") == "said ***"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX", ["X" * 24]),
        ("https://a.example/x?sv=1.0&sig=Abc_123-xyzABCDEFG0987", ["Abc_123-xyzABCDEFG0987"]),
        ("mailto://user:Passw0rd!xyz@mail.example", ["Passw0rd!xyz"]),
        ("tgram://123456789:AAEabcdefghij_klmno9/42", ["AAEabcdefghij_klmno9"]),
        ("https://smn.cn-north-4.myhuaweicloud.com/v2/0123456789abcdef0123456789abcdef/topics", []),
        ("https://a.example/9c2f1f5c-6e38-4f3a-9d7a-0e6b1f0c2d11/notifications", []),
    ],
)
def test_tokens_of_an_address_are_secret_and_ids_of_the_cloud_are_not(text, parts):
    """An id that is masked in the answers of the cloud would be missing there."""
    assert list(secret_parts(text)) == parts
