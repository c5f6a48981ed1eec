"""What arrives on the wire, what comes back, and how certain each failure leaves us; over real sockets."""

import asyncio
import errno
import gzip
import os
import socket
import ssl
import string
import traceback
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from migrator import __version__
from migrator.domain.errors import MigratorError, OutcomeUnknown, RetryableError, Unreachable, UsageError
from migrator.domain.http import Request, Response
from migrator.io.http import AioHttp, trusted

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request):
    return ("asyncio", {"use_uvloop": request.param})


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Script = Callable[["Wire", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Wire:
    """A server that does byte by byte what its script says, and keeps what it received."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.connections = 0
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._arrived = asyncio.Event()

    async def read(self, reader: asyncio.StreamReader) -> str:
        """One request; raises IncompleteReadError when the client hung up."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
        self.heads.append(head)
        self._arrived.set()
        self.bodies.append(await reader.readexactly(int(length[0].split(":")[1])) if length else b"")
        return head

    async def arrived(self, number: int) -> None:
        """Return when so many requests have arrived."""
        while len(self.heads) < number:
            self._arrived.clear()
            await self._arrived.wait()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await self.script(self, reader, writer)
        finally:
            writer.close()
            self._tasks.discard(task)

    @asynccontextmanager
    async def listening(self, tls: ssl.SSLContext | None = None):
        server = await asyncio.start_server(self, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await server.wait_closed()

    def url(self, path: str = "/", scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


def answering(answer: bytes) -> Wire:
    """Every request on every connection gets the same bytes."""

    async def script(wire, reader, writer):
        while True:
            await wire.read(reader)
            writer.write(answer)
            await writer.drain()

    return Wire(script)


def closing_after(answer: bytes) -> Wire:
    """The first request gets these bytes, and then the connection ends."""

    async def script(wire, reader, writer):
        await wire.read(reader)
        writer.write(answer)
        await writer.drain()

    return Wire(script)


async def get(http: AioHttp, url: str, **rest) -> Response:
    return await http.send(Request(method="GET", url=url, **rest))


async def failure(http: AioHttp, request: Request) -> MigratorError:
    with pytest.raises(MigratorError) as caught:
        await http.send(request)
    return caught.value


# --- What leaves ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query", "line"),
    [
        pytest.param("/v2/cloudimages", (), "/v2/cloudimages", id="plain"),
        pytest.param(
            "/v2/cloudimages",
            (("name", "web 01~sys"), ("tag", "mig_run=r-7")),
            "/v2/cloudimages?name=web%2001~sys&tag=mig_run%3Dr-7",
            id="the query of the documented signature vector",
        ),
        pytest.param(
            "/q",
            (("名", "镜像 +=~:/?&#%@!$'()*,;[]-_."),),
            "/q?%E5%90%8D=%E9%95%9C%E5%83%8F%20%2B%3D~%3A%2F%3F%26%23%25%40%21%24%27%28%29%2A%2C%3B%5B%5D-_.",
            id="every awkward character in a value",
        ),
        pytest.param(
            "/q", (("b", "2"), ("a", "1"), ("a", "")), "/q?b=2&a=1&a=", id="order and empty values kept"
        ),
        pytest.param("/桶/a b//c%41/./../d?e#f", (), "/%E6%A1%B6/a%20b//c%2541/./../d%3Fe%23f", id="path"),
        pytest.param("", (("a", "1"),), "/?a=1", id="no path"),
    ],
)
async def test_the_url_arrives_exactly_as_it_was_signed(path, query, line):
    async with answering(OK).listening() as wire, AioHttp() as http:
        await get(http, wire.url(path), query=query)

    assert wire.heads[0].split(" ")[1] == line


async def test_body_and_headers_arrive_untouched_and_only_the_expected_ones_are_added():
    async with answering(OK).listening() as wire, AioHttp() as http:
        headers = {
            "host": "ims.example.com",
            "X-Sdk-Date": "20261201T000000Z",
            "content-type": "application/json",
        }
        body = '{"name": "镜像"}'.encode()
        await http.send(Request(method="POST", url=wire.url("/a"), headers=headers, body=body))

    sent = sorted(line.lower() for line in wire.heads[0].split("\r\n")[1:] if line)
    assert sent == [
        "accept-encoding: identity",
        "accept: */*",
        f"content-length: {len(body)}",
        "content-type: application/json",
        "host: ims.example.com",
        f"user-agent: migrator/{__version__}",
        "x-sdk-date: 20261201t000000z",
    ]
    assert wire.bodies == [body]


async def test_an_empty_put_says_that_it_is_empty_and_nothing_gets_a_content_type_that_was_not_asked_for():
    async with answering(OK).listening() as wire, AioHttp() as http:
        await http.send(Request(method="PUT", url=wire.url("/token")))
        await http.send(Request(method="POST", url=wire.url("/token"), body=b"{}"))

    assert "content-length: 0" in wire.heads[0].lower()
    assert not any("content-type" in head.lower() for head in wire.heads)


async def test_cookies_are_not_kept():
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with answering(answer).listening() as wire, AioHttp() as http:
        await get(http, wire.url(host="localhost"))
        await get(http, wire.url(host="localhost"))

    assert not any("cookie" in head.lower() for head in wire.heads)


async def test_a_proxy_in_the_environment_is_not_asked(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with answering(OK).listening() as wire, AioHttp() as http:
        assert (await get(http, wire.url())).status == 200


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://ims.example.com/v2", id="plain http to a foreign host"),
        pytest.param("http://127.0.0.1@evil.example.com/", id="a user name that looks like a host"),
        pytest.param("https://user:secret@ims.example.com/", id="a password in the address"),
        pytest.param("http://127.0.0.1.example.com/", id="a name that begins like loopback"),
        pytest.param("http://2130706433/", id="an address in disguise"),
        pytest.param("http://169.254.169.254/", id="metadata, unless allowed"),
        pytest.param("http://evil.example.com\\@127.0.0.1/", id="backslash"),
        pytest.param("https://evil.example.com#@x/", id="fragment in the host"),
        pytest.param("https://ims.example.com?x=/", id="query in the host"),
        pytest.param("ftp://127.0.0.1/", id="another scheme"),
        pytest.param("https:///x", id="no host"),
        pytest.param("http://[]@/", id="brackets around nothing"),
        pytest.param("/x", id="no scheme"),
        pytest.param("", id="nothing"),
        pytest.param("https://ims.example.com:notaport/", id="no port number"),
    ],
)
async def test_what_must_not_leave_does_not(url):
    async with AioHttp() as http:
        assert isinstance(await failure(http, Request(method="GET", url=url)), UsageError)


async def test_a_host_that_was_allowed_explicitly_is_spoken_to_without_tls():
    async with AioHttp(allow_plain=frozenset({"0.0.0.0"}), connect_timeout=1) as http:
        async with answering(OK).listening() as wire:
            assert (await get(http, wire.url(host="0.0.0.0"))).status == 200
        assert isinstance(await failure(http, Request(method="GET", url="http://0.0.0.1/")), UsageError)


async def test_a_line_break_in_a_header_is_refused_before_anything_leaves():
    async with answering(OK).listening() as wire, AioHttp() as http:
        bad = Request(method="POST", url=wire.url(), headers={"X-Auth-Token": "secret-token\n"}, body=b"{}")
        error = await failure(http, bad)

    assert isinstance(error, UsageError)
    assert "X-Auth-Token" in str(error)
    assert "secret-token" not in str(error)
    assert wire.heads == []


# --- What comes back ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 301, 302, 307, 308, 400, 401, 404, 429, 500, 503])
async def test_any_status_is_an_answer_and_no_redirect_is_followed(status):
    head = f"HTTP/1.1 {status} X\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with answering(head.encode()).listening() as wire, AioHttp() as http:
        answer = await http.send(Request(method="POST", url=wire.url(), body=b"{}"))

    assert answer.status == status
    assert len(wire.heads) == 1


async def test_header_names_are_lower_case_repeated_ones_joined_and_bad_bytes_replaced():
    lines = [
        b"HTTP/1.1 200 OK",
        b"X-Request-ID: r1",
        b"X-A: 1",
        b"x-a: 2",
        b"X-Bad: caf\xe9",
        b"Content-Length: 0",
    ]
    async with answering(b"\r\n".join(lines) + b"\r\n\r\n").listening() as wire, AioHttp() as http:
        headers = (await get(http, wire.url())).headers

    assert type(headers) is dict
    assert headers == {"x-request-id": "r1", "x-a": "1, 2", "x-bad": "caf\ufffd", "content-length": "0"}


async def test_a_head_answer_tells_the_size_of_an_object_larger_than_any_answer_may_be():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 536870912000\r\n\r\n"
    async with answering(head).listening() as wire, AioHttp() as http:
        answer = await http.send(Request(method="HEAD", url=wire.url()))

    assert answer.headers["content-length"] == "536870912000"
    assert answer.body == b""


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"Content-Length: 10\r\n\r\n0123456789", id="length"),
        pytest.param(
            b"Transfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n", id="chunked"
        ),
        pytest.param(b"Connection: close\r\n\r\n0123456789", id="until the end"),
        pytest.param(
            b"Connection: close\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"0123456789"), id="gzip"
        ),
    ],
)
async def test_a_body_is_read_to_its_end_up_to_the_bound_and_not_beyond(answer):
    complete = b"HTTP/1.1 200 OK\r\n" + answer
    async with closing_after(complete).listening() as wire:
        async with AioHttp(max_bytes=10) as http:
            assert (await get(http, wire.url())).body == b"0123456789"
        async with AioHttp(max_bytes=9) as http:
            error = await failure(http, Request(method="POST", url=wire.url()))

    assert isinstance(error, OutcomeUnknown)
    assert error.fault.code == "MIG.too-large"


async def test_an_answer_without_end_is_cut_off_at_the_bound():
    async def script(wire, reader, writer):
        await wire.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with Wire(script).listening() as wire, AioHttp(max_bytes=1_000_000) as http:
        error = await failure(http, Request(method="GET", url=wire.url()))

    assert isinstance(error, OutcomeUnknown)
    assert error.fault.code == "MIG.too-large"


@pytest.mark.parametrize("max_bytes", [1_000_000, 10], ids=["below the bound", "above it"])
async def test_a_request_that_wants_few_bytes_gets_those_of_an_object_of_a_terabyte(max_bytes):
    sent = 0

    async def script(wire, reader, writer):
        nonlocal sent
        await wire.read(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % 10**12)
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            sent += 65536

    async with Wire(script).listening() as wire, AioHttp(max_bytes=max_bytes) as http:
        found = await http.send(Request(method="GET", url=wire.url(), wanted_bytes=100_000))
        again = await http.send(Request(method="GET", url=wire.url(), wanted_bytes=3))

    assert (found.body, again.body) == (b"x" * 100_000, b"xxx")
    assert wire.connections == 2  # what was not read to its end cannot be used again
    assert sent < 64 * 2**20  # what the kernel takes in while nobody reads


@pytest.mark.parametrize("wanted", [10, 11, 1000])
async def test_an_answer_that_is_shorter_than_what_is_wanted_keeps_its_connection(wanted):
    async with (
        answering(
            b"HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\n\r\n0123456789"
        ).listening() as wire,
        AioHttp() as http,
    ):
        for _ in range(2):
            found = await http.send(Request(method="GET", url=wire.url(), wanted_bytes=wanted))
            assert found.body == b"0123456789"

    assert wire.connections == 1


async def test_a_piece_that_is_cut_short_is_no_answer():
    cut = closing_after(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\n\r\n0123")
    async with cut.listening() as wire, AioHttp() as http:
        error = await failure(http, Request(method="GET", url=wire.url(), wanted_bytes=10))

    assert isinstance(error, OutcomeUnknown)
    assert error.fault.code == "MIG.truncated"


async def test_a_small_answer_that_unpacks_to_a_huge_one_is_cut_off_too():
    bomb = gzip.compress(b"\0" * 50_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with answering(head + bomb).listening() as wire, AioHttp(max_bytes=1_000_000) as http:
        error = await failure(http, Request(method="GET", url=wire.url()))

    assert isinstance(error, OutcomeUnknown)


# --- Connections ----------------------------------------------------------------------------------------


async def test_requests_one_after_another_share_one_connection():
    async with answering(OK).listening() as wire, AioHttp(max_requests=8) as http:
        for _ in range(20):
            await get(http, wire.url())

    assert (wire.connections, len(wire.heads)) == (1, 20)


async def test_no_more_requests_are_in_flight_than_allowed_and_waiting_is_no_timeout():
    gate = asyncio.Event()

    async def script(wire, reader, writer):
        while True:
            await wire.read(reader)
            await gate.wait()
            writer.write(OK)

    wire = Wire(script)
    async with wire.listening(), AioHttp(max_requests=3, connect_timeout=0.05, request_timeout=30) as http:
        tasks = [asyncio.create_task(get(http, wire.url())) for _ in range(30)]
        await wire.arrived(3)
        done, _ = await asyncio.wait(tasks, timeout=0.1)  # longer than the connect timeout
        assert (done, len(wire.heads)) == (set(), 3)
        gate.set()
        answers = await asyncio.gather(*tasks)

    assert [answer.body for answer in answers] == [b"ok"] * 30
    assert len(wire.heads) == 30
    assert wire.connections <= 3


async def test_a_cancelled_request_gives_its_place_back():
    async def script(wire, reader, writer):
        await wire.read(reader)
        if wire.connections > 1:
            writer.write(OK)
        await reader.read()

    wire = Wire(script)
    async with wire.listening(), AioHttp(max_requests=1) as http:
        stuck = asyncio.create_task(get(http, wire.url()))
        await wire.arrived(1)
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
        assert (await get(http, wire.url())).body == b"ok"


async def test_a_request_that_is_cancelled_while_it_waits_or_when_its_turn_comes_takes_no_place_along():
    gate = asyncio.Event()

    async def script(wire, reader, writer):
        while True:
            await wire.read(reader)
            await gate.wait()
            writer.write(OK)

    wire = Wire(script)
    async with wire.listening(), AioHttp(max_requests=1) as http:

        async def first_then_cancel() -> None:
            await get(http, wire.url("/first"))
            is_next.cancel()  # a slot is free for it, and it has not noticed yet

        first = asyncio.create_task(first_then_cancel())
        await wire.arrived(1)
        waits = asyncio.create_task(get(http, wire.url("/waits")))
        is_next = asyncio.create_task(get(http, wire.url("/next")))
        await asyncio.sleep(0)
        waits.cancel()
        gate.set()
        await asyncio.gather(first, waits, is_next, return_exceptions=True)
        assert waits.cancelled()
        assert is_next.cancelled()

        async with asyncio.timeout(5):
            answers = await asyncio.gather(*(get(http, wire.url("/then")) for _ in range(5)))

    assert [answer.body for answer in answers] == [b"ok"] * 5
    assert "/next" not in "".join(wire.heads)


async def test_a_client_that_was_closed_says_so():
    async with AioHttp() as http:
        pass
    with pytest.raises(RuntimeError, match="inside"):
        await get(http, "http://127.0.0.1/")


@pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE"])
async def test_a_request_on_a_connection_that_dies_under_it_is_sent_once(method):
    """aiohttp alone would repeat all but the POST on a new connection."""

    async def script(wire, reader, writer):
        await wire.read(reader)
        writer.write(OK)
        await wire.read(reader)  # the second request of this connection is read, and then it is closed

    async with Wire(script).listening() as wire, AioHttp() as http:
        await get(http, wire.url("/first"))
        error = await failure(http, Request(method=method, url=wire.url("/second"), body=b"{}"))

    assert isinstance(error, OutcomeUnknown)
    assert error.fault.code == "MIG.reset"
    assert [head.split(" ")[1] for head in wire.heads] == ["/first", "/second"]


# --- Surely never left ----------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_a_refused_connection_never_left():
    async with AioHttp() as http:
        error = await failure(
            http, Request(method="POST", url=f"http://127.0.0.1:{closed_port()}/", body=b"{}")
        )

    assert isinstance(error, Unreachable)
    assert error.fault.code == "MIG.refused"
    assert "127.0.0.1" in error.fault.message
    assert error.fault.remedy


async def test_a_name_that_does_not_resolve_never_left(monkeypatch):
    async def nobody(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with AioHttp() as http:
        monkeypatch.setattr(asyncio.get_running_loop().__class__, "getaddrinfo", nobody, raising=True)
        error = await failure(http, Request(method="POST", url="https://ims.cn-nroth-4.example.com/"))

    assert isinstance(error, Unreachable)
    assert error.fault.code == "MIG.dns"
    assert "ims.cn-nroth-4.example.com" in error.fault.message


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EHOSTUNREACH, "MIG.unreachable"),
        (errno.ENETUNREACH, "MIG.unreachable"),
        (errno.ETIMEDOUT, "MIG.connect-timeout"),
        (errno.EMFILE, "MIG.connect"),
    ],
)
async def test_a_connection_that_the_system_denies_never_left(number, code, monkeypatch):
    async def denied(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(type(asyncio.get_running_loop()), "sock_connect", denied)
    async with AioHttp() as http:
        error = await failure(http, Request(method="POST", url="http://127.0.0.1:1/", body=b"{}"))

    assert isinstance(error, Unreachable)
    assert error.fault.code == code


async def test_a_name_look_up_that_hangs_never_left(monkeypatch):
    async def hang(*args, **kwargs):
        await asyncio.Event().wait()

    monkeypatch.setattr(type(asyncio.get_running_loop()), "getaddrinfo", hang)
    async with AioHttp(connect_timeout=0.05) as http:
        error = await failure(http, Request(method="POST", url="https://ims.example.com/", body=b"{}"))

    assert isinstance(error, Unreachable)
    assert error.fault.code == "MIG.connect-timeout"


@pytest.mark.parametrize("timeouts", [(0.05, 60.0), (60.0, 0.3)], ids=["connect", "total is shorter still"])
async def test_a_tls_handshake_that_hangs_never_left(timeouts):
    async def script(wire, reader, writer):
        await reader.read()

    connect, total = timeouts
    async with (
        Wire(script).listening() as wire,
        AioHttp(connect_timeout=connect, request_timeout=total) as http,
    ):
        error = await failure(http, Request(method="POST", url=wire.url(scheme="https"), body=b"{}"))

    assert isinstance(error, Unreachable)
    assert error.fault.code == "MIG.connect-timeout"


@pytest.mark.parametrize(
    ("answer", "code"),
    [(b"", "MIG.connect"), (b"HTTP/1.1 400 This is not TLS\r\n\r\n", "MIG.tls-handshake")],
    ids=["hangs up", "speaks plain http"],
)
async def test_a_server_without_tls_never_got_the_request(answer, code):
    async def script(wire, reader, writer):
        await reader.read(100)
        writer.write(answer)

    async with Wire(script).listening() as wire, AioHttp() as http:
        error = await failure(http, Request(method="POST", url=wire.url(scheme="https"), body=b"secret-body"))

    assert isinstance(error, Unreachable)
    assert error.fault.code == code


# --- TLS ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


def server_tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority, tmp_path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.mark.parametrize("name", ["MIGRATOR_CA_FILE", "SSL_CERT_FILE"])
async def test_a_certificate_of_a_named_authority_is_trusted(authority, ca_file, name):
    tls = server_tls(authority.issue_cert("127.0.0.1"))
    async with answering(OK).listening(tls) as wire, AioHttp(tls=trusted({name: ca_file})) as http:
        assert (await get(http, wire.url(scheme="https"))).body == b"ok"


@pytest.mark.parametrize("own", ["MIGRATOR_CA_FILE", "SSL_CERT_FILE"])
async def test_both_files_of_certificates_count_beside_each_other(authority, ca_file, tmp_path, own):
    other = trustme.CA()
    other.cert_pem.write_to_path(str(tmp_path / "other.pem"))
    environ = dict.fromkeys(("MIGRATOR_CA_FILE", "SSL_CERT_FILE"), str(tmp_path / "other.pem"))
    tls = trusted(environ | {own: ca_file})
    async with (
        answering(OK).listening(server_tls(authority.issue_cert("127.0.0.1"))) as mine,
        answering(OK).listening(server_tls(other.issue_cert("127.0.0.1"))) as theirs,
        AioHttp(tls=tls) as http,
    ):
        assert (await get(http, mine.url(scheme="https"))).body == b"ok"
        assert (await get(http, theirs.url(scheme="https"))).body == b"ok"


def test_a_named_file_is_trusted_beside_the_systems_own(ca_file):
    context = trusted({"MIGRATOR_CA_FILE": ca_file})

    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    system = ssl.create_default_context().cert_store_stats()["x509_ca"]
    assert context.cert_store_stats()["x509_ca"] == system + 1
    assert trusted({}) is True
    assert trusted({"MIGRATOR_CA_FILE": "", "SSL_CERT_FILE": ""}) is True


@pytest.mark.parametrize(
    ("names", "days", "known"),
    [
        pytest.param(("127.0.0.1",), 30, False, id="unknown authority"),
        pytest.param(("other.example.com",), 30, True, id="another host's"),
        pytest.param(("127.0.0.1",), -1, True, id="expired"),
    ],
)
async def test_a_certificate_that_cannot_be_trusted_is_told_from_other_failures(
    authority, ca_file, names, days, known
):
    expires = datetime.now(UTC) + timedelta(days=days)
    tls = server_tls(authority.issue_cert(*names, not_before=expires - timedelta(days=60), not_after=expires))
    async with (
        answering(OK).listening(tls) as wire,
        AioHttp(tls=trusted({"MIGRATOR_CA_FILE": ca_file} if known else {})) as http,
    ):
        error = await failure(http, Request(method="POST", url=wire.url(scheme="https"), body=b"{}"))

    assert isinstance(error, Unreachable)
    assert error.fault.code == "MIG.tls"
    assert "MIGRATOR_CA_FILE" in error.fault.remedy
    assert wire.heads == []


@pytest.mark.parametrize("name", ["MIGRATOR_CA_FILE", "SSL_CERT_FILE"])
@pytest.mark.parametrize("content", [None, b"", b"not a certificate", b"\xff\0", "folder"])
def test_a_file_of_certificates_that_cannot_be_read_is_named_with_its_variable(tmp_path, name, content):
    path = tmp_path / "ca.pem"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    for value in (str(path), f"{path}\0"):
        with pytest.raises(UsageError, match=f"^{name}: cannot read certificates from .*ca\\.pem") as caught:
            trusted({name: value})
        assert caught.value.exit_code == 2
        assert name in caught.value.hint


# --- Through a proxy ------------------------------------------------------------------------------------


def tunnel(answer: bytes = b"HTTP/1.1 200 Connected\r\n\r\n") -> Wire:
    """A proxy that answers CONNECT so, and then passes bytes on."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()

    async def script(wire, reader, writer):
        head = await wire.read(reader)
        writer.write(answer)
        if b" 200 " not in answer:
            return
        port = int(head.split(" ")[1].rpartition(":")[2])  # every name is this machine's
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer))
        finally:
            inner_writer.close()

    return Wire(script)


PASSWORD = "kX9fQ2Lm7Rt4"


def through(proxy: Wire, login: str = "") -> Callable[[URL], URL]:
    return lambda url: URL(f"http://{login}127.0.0.1:{proxy.port}")


def tells_no_password(error: MigratorError) -> bool:
    """Whether neither what is said nor what is shown of how it came about holds the password, in any form."""
    told = "".join([*traceback.format_exception(error), str(error), repr(getattr(error, "fault", ""))])
    cause: BaseException | None = error
    while cause is not None:
        told += f"{cause!r}{cause.args!r}"
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return PASSWORD not in told and b64encode(f"someone:{PASSWORD}".encode()).decode() not in told


async def test_https_goes_through_the_proxy_and_plain_http_does_not(authority, ca_file):
    tls = server_tls(authority.issue_cert("ims.example.com"))
    async with (
        answering(OK).listening(tls) as secure,
        answering(OK).listening() as plain,
        tunnel().listening() as proxy,
        AioHttp(tls=trusted({"MIGRATOR_CA_FILE": ca_file}), proxy=through(proxy)) as http,
    ):
        assert (await get(http, secure.url("/a", scheme="https", host="ims.example.com"))).body == b"ok"
        assert (await get(http, plain.url("/b"))).body == b"ok"

    heads = [head.split("\r\n")[0] for head in proxy.heads]
    assert heads == [f"CONNECT ims.example.com:{secure.port} HTTP/1.1"]
    assert "proxy-authorization" not in f"{proxy.heads[0]}{secure.heads[0]}".lower()


@pytest.mark.parametrize(
    ("login", "meant"),
    [
        pytest.param("someone:secret@", "someone:secret", id="plain"),
        pytest.param("some%40one:s%C3%A9%2F%40%3A%25@", "some@one:sé/@:%", id="percent-encoded"),
        pytest.param("someone:se@cret@", "someone:se@cret", id="an at sign that nobody encoded"),
        pytest.param("someone@", "someone:", id="no password"),
    ],
)
async def test_the_proxy_alone_is_told_who_we_are(authority, ca_file, login, meant):
    tls = server_tls(authority.issue_cert("ims.example.com"))
    async with (
        answering(OK).listening(tls) as secure,
        tunnel().listening() as proxy,
        AioHttp(tls=trusted({"MIGRATOR_CA_FILE": ca_file}), proxy=through(proxy, login)) as http,
    ):
        assert (await get(http, secure.url("/a", scheme="https", host="ims.example.com"))).body == b"ok"

    assert f"Proxy-Authorization: Basic {b64encode(meant.encode()).decode()}\r\n" in proxy.heads[0]
    assert "proxy-authorization" not in secure.heads[0].lower()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n", id="wants a password"),
        pytest.param(b"HTTP/1.1 502 Bad gateway\r\nContent-Length: 0\r\n\r\n", id="cannot reach it"),
        pytest.param(b"", id="hangs up"),
        pytest.param(b"nonsense\r\n\r\n", id="does not speak HTTP"),
    ],
)
async def test_a_proxy_that_does_not_let_us_through_means_that_nothing_left(answer):
    async with (
        tunnel(answer).listening() as proxy,
        AioHttp(proxy=through(proxy, f"someone:{PASSWORD}@")) as http,
    ):
        error = await failure(http, Request(method="POST", url="https://ims.example.com/", body=b"{}"))

    assert isinstance(error, Unreachable)
    assert error.fault.code == "MIG.proxy"
    assert tells_no_password(error)


@pytest.mark.parametrize("host", ["127.0.0.1", "proxy.invalid"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_is_not_there_means_that_nothing_left(host, scheme):
    proxy = URL(f"{scheme}://someone:{PASSWORD}@{host}:{closed_port()}")
    async with AioHttp(proxy=lambda url: proxy) as http:
        error = await failure(http, Request(method="POST", url="https://ims.example.com/", body=b"{}"))

    assert isinstance(error, Unreachable)
    assert error.fault.code == "MIG.proxy"
    assert tells_no_password(error)


async def test_a_proxy_that_speaks_no_tls_means_that_nothing_left():
    async def script(wire, reader, writer):
        writer.write(b"HTTP/1.1 400 Bad request\r\n\r\n")

    async with Wire(script).listening() as wire:
        proxy = URL(wire.url(scheme="https")).with_user("someone").with_password(PASSWORD)
        async with AioHttp(proxy=lambda url: proxy) as http:
            error = await failure(http, Request(method="POST", url="https://ims.example.com/", body=b"{}"))

    assert isinstance(error, Unreachable)
    assert tells_no_password(error)


# --- May have arrived -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param(b"", id="no byte"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", id="half a head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234", id="half a body"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="only promises"),
    ],
)
async def test_an_answer_that_does_not_come_in_time_leaves_the_outcome_unknown(begun):
    async def script(wire, reader, writer):
        await wire.read(reader)
        writer.write(begun)
        await reader.read()

    async with Wire(script).listening() as wire, AioHttp(request_timeout=0.1) as http:
        error = await failure(http, Request(method="POST", url=wire.url(), body=b"{}"))

    assert isinstance(error, OutcomeUnknown)
    assert error.fault.code == "MIG.timeout"
    assert len(wire.heads) == 1


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        pytest.param(b"", {"MIG.reset"}, id="hangs up"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", {"MIG.reset"}, id="half a head"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234", {"MIG.truncated"}, id="half a body"
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n",
            {"MIG.truncated"},
            id="a chunk is missing",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n0123\r\n",
            {"MIG.truncated", "MIG.unreadable"},
            id="a chunk of no size",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nzzzz",
            {"MIG.truncated", "MIG.unreadable"},
            id="not what it says it is",
        ),
        pytest.param(b"SSH-2.0-OpenSSH_9.6\r\n\r\n", {"MIG.unreadable"}, id="another protocol"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", {"MIG.unreadable"}, id="impossible length"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, {"MIG.unreadable"}, id="a head without end"),
    ],
)
async def test_an_answer_that_ends_early_or_is_damaged_leaves_the_outcome_unknown(answer, codes):
    async with closing_after(answer).listening() as wire, AioHttp() as http:
        error = await failure(http, Request(method="POST", url=wire.url(), body=b"{}"))

    assert isinstance(error, OutcomeUnknown)
    assert error.fault.code in codes
    assert "127.0.0.1" in error.fault.message
    assert error.fault.remedy
    assert len(wire.heads) == 1


async def test_a_reset_after_the_request_leaves_the_outcome_unknown():
    async def script(wire, reader, writer):
        await wire.read(reader)
        writer.transport.abort()

    async with Wire(script).listening() as wire, AioHttp() as http:
        error = await failure(http, Request(method="POST", url=wire.url(), body=b"{}"))

    assert isinstance(error, OutcomeUnknown)
    assert error.fault.code == "MIG.reset"


async def test_a_good_answer_follows_a_bad_one():
    async def script(wire, reader, writer):
        bad = wire.connections < 4
        while True:
            await wire.read(reader)
            writer.write(b"\x00\xff nonsense" if bad else OK)

    async with Wire(script).listening() as wire, AioHttp(max_requests=1) as http:
        for _ in range(3):
            assert isinstance(await failure(http, Request(method="GET", url=wire.url())), OutcomeUnknown)
        for _ in range(3):
            assert (await get(http, wire.url())).body == b"ok"

    assert wire.connections == 4


# --- Whatever comes -------------------------------------------------------------------------------------

_NEARLY_HTTP = st.lists(
    st.sampled_from(
        [
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n",
            b"HTTP/1.0 999 \r\n",
            b"HTTP/1.1 204 No\r\n",
            b"Content-Length: 3\r\n",
            b"Content-Length: 99999999999999999999\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Content-Encoding: gzip\r\n",
            b"Content-Encoding: br\r\n",
            b"Content-Encoding: deflate\r\n",
            b"Connection: upgrade\r\nUpgrade: websocket\r\n",
            b"Location: http://[\r\n",
            b"Set-Cookie: \xff;;=\r\n",
            b"X: \x00\r\n",
            b": \r\n",
            b"\r\n",
            b"3\r\nabc\r\n",
            b"0\r\n\r\n",
            b"ffffffffffffffffffff\r\n",
            b"\x1f\x8b\x08\x00",
        ]
    )
    | st.binary(max_size=30),
    max_size=12,
).map(b"".join)


@contextmanager
def one_loop(script: Script):
    """A client and a server for many examples: (runner, http, wire)."""
    with asyncio.Runner() as runner:
        wire, http = Wire(script), AioHttp(request_timeout=5)
        complaints: list[object] = []
        runner.get_loop().set_exception_handler(lambda loop, context: complaints.append(context))
        listening = wire.listening()
        runner.run(http.__aenter__())
        runner.run(listening.__aenter__())
        try:
            yield runner, http, wire
        finally:
            runner.run(http.__aexit__(None, None, None))
            runner.run(listening.__aexit__(None, None, None))
        assert complaints == []


@pytest.mark.hypothesis
def test_whatever_a_server_answers_only_our_own_errors_come_out():
    answer, outcomes = [b""], set()

    async def script(wire, reader, writer):
        await wire.read(reader)
        writer.write(answer[0])

    with one_loop(script) as (runner, http, wire):

        @settings(max_examples=200)
        @given(_NEARLY_HTTP, st.sampled_from(["POST", "HEAD"]))
        def run(given_answer: bytes, method: str) -> None:
            answer[0], before = given_answer, len(wire.heads)
            try:
                runner.run(http.send(Request(method=method, url=wire.url(), body=b"{}")))
                outcomes.add("answer")
            except OutcomeUnknown as error:
                outcomes.add(error.fault.code)
            assert len(wire.heads) <= before + 1

        run()

    assert outcomes <= {"answer", "MIG.reset", "MIG.truncated", "MIG.unreadable"}


@pytest.mark.hypothesis
def test_whatever_the_path_and_the_query_they_decode_to_what_was_asked():
    async def script(wire, reader, writer):
        while True:
            await wire.read(reader)
            writer.write(OK)

    with one_loop(script) as (runner, http, wire):

        @settings(max_examples=200)
        @given(
            st.text(max_size=20), st.lists(st.tuples(st.text(max_size=9), st.text(max_size=9)), max_size=3)
        )
        def run(path: str, query: list[tuple[str, str]]) -> None:
            request = Request(method="GET", url=wire.url(f"/{path}"), query=tuple(query))
            runner.run(http.send(request))
            sent_path, _, sent_query = wire.heads[-1].split(" ")[1].partition("?")
            assert unquote(sent_path, errors="strict") == f"/{path}"
            pairs = [pair.partition("=") for pair in sent_query.split("&")] if query else []
            assert [(unquote(name), unquote(value)) for name, _, value in pairs] == query
            assert set(sent_path + sent_query) <= set(f"{string.ascii_letters}{string.digits}-_.~%/=&")

        run()


@pytest.mark.hypothesis
def test_whatever_the_host_only_our_own_errors_come_out():
    async def script(wire, reader, writer):
        await wire.read(reader)
        writer.write(OK)

    with one_loop(script) as (runner, http, _):

        @settings(max_examples=300)
        @given(st.text(max_size=20) | st.text(alphabet="htps:/@[]1270.?#%\\ ", max_size=20))
        def run(rest: str) -> None:
            with suppress(UsageError, RetryableError, OutcomeUnknown):
                runner.run(http.send(Request(method="GET", url=f"http://{rest}")))

        run()


def test_a_lone_surrogate_is_refused_before_anything_leaves():
    async def ask() -> None:
        async with AioHttp() as http:
            await failure(http, Request(method="GET", url="http://127.0.0.1:1/\ud800"))
            await failure(http, Request(method="GET", url="http://127.0.0.1:1/", query=(("a", "\udfff"),)))

    asyncio.run(ask())
