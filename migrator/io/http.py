"""One aiohttp client: connections kept alive, answers bounded, and every failure sorted by certainty.

The rules:

1. Whatever fails before a connection is ours never left: Unreachable.
2. Whatever fails afterwards may have arrived: OutcomeUnknown.
3. One call is one request: nothing is sent twice, and a redirect is an answer like any other.
4. The URL leaves exactly as it was signed: RFC 3986 encoding of everything but `A-Za-z0-9-_.~`.
5. A secret travels over TLS only; plain HTTP is for this very machine and what was explicitly allowed.
"""

import asyncio
import errno
import math
import re
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Mapping
from functools import lru_cache
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from migrator import __version__
from migrator.domain.cloud import Fault
from migrator.domain.errors import OutcomeUnknown, RetryableError, Unreachable, UsageError
from migrator.domain.http import Request, Response
from migrator.domain.secrets import SECRETS
from migrator.domain.text import escaped

_REACH = "Check the endpoint in the plan, and that no firewall stands between this machine and it."
_SAFE = "Nothing to do: what may have arrived is looked up before anything is sent again."

_QUESTIONS = frozenset({"GET", "HEAD"})
_PLAIN = re.compile(r"/[A-Za-z0-9\-._~/]*", re.ASCII).fullmatch
_NO_TYPE = ("Content-Type",)
"""aiohttp would call a body without a type a file, and a signature may cover the type."""


_Through = tuple[URL | None, dict[str, str] | None]
"""A proxy, and the headers that are for it alone."""


class AioHttp:
    """ports.Http over one aiohttp session; open it with `async with`, inside the running loop."""

    def __init__(
        self,
        *,
        max_requests: int = 16,
        connect_timeout: float = 10.0,
        request_timeout: float = 60.0,
        max_bytes: int = 8 * 1024 * 1024,
        tls: ssl.SSLContext | bool = True,
        proxy: Callable[[URL], URL | None] = lambda url: None,
        allow_plain: frozenset[str] = frozenset(),
    ) -> None:
        """`max_requests` in flight, others wait; timeouts in seconds; `max_bytes` of one answer's body.

        `connect_timeout` covers name look-up, TCP and TLS, and is at most half of `request_timeout`, which
        covers the whole request, waiting for a turn excepted. `tls` is what `trusted` gave. `proxy` says
        which one stands between us and a service, with its credentials; it is asked about https only, and
        the environment is not. `allow_plain` names hosts that may be spoken to without TLS.
        """
        # Both clocks must never strike together: the connect timeout is the one that knows nothing was sent.
        self._timeout = aiohttp.ClientTimeout(
            total=request_timeout,
            connect=min(connect_timeout, request_timeout / 2),
            ceil_threshold=math.inf,
        )
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self._allow_plain = frozenset(host.lower() for host in allow_plain)
        self._proxy = proxy
        self._tls = tls
        self._address = lru_cache(maxsize=1024)(self._encoded)  # a job is asked about again and again
        self._origin = lru_cache(maxsize=64)(self._admit)
        self._busy = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = _Connector(
            limit=self._max_requests,
            ssl=self._tls,
            ttl_dns_cache=60,
            # Not aiodns, even where it is installed: /etc/hosts and nsswitch.conf are to be honoured.
            resolver=aiohttp.ThreadedResolver(),
        )
        session = aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            # Answers are small: packing them would cost more than it saves.
            headers={"User-Agent": f"migrator/{__version__}", "Accept-Encoding": "identity"},
        )
        # aiohttp would repeat a GET, PUT or DELETE whose connection broke: behind the throttle's back.
        session._retry_connection = False
        self._session = session
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, request: Request) -> Response:
        """The answer, whatever its status; read to its end, or as far as the request wants it.

        Raises Unreachable and OutcomeUnknown as ports.Http says, the fault's code naming the kind: "MIG.dns",
        "MIG.refused", "MIG.unreachable", "MIG.connect-timeout", "MIG.tls" (the certificate: no retry helps),
        "MIG.tls-handshake", "MIG.proxy", "MIG.connect" (never left); "MIG.timeout", "MIG.reset",
        "MIG.truncated", "MIG.too-large", "MIG.unreadable" (may have arrived). Raises UsageError for a
        request that must not leave: no URL, plain HTTP to a foreign host, a line break in a header.
        """
        if self._session is None:
            raise RuntimeError("AioHttp.send belongs inside `async with AioHttp(...)`")
        url, (proxy, proxy_headers) = self._address(request.url, request.query)
        if self._busy < self._max_requests:
            self._busy += 1
        else:
            await self._wait_for_slot()
        try:
            answer = await self._session.request(
                request.method,
                url,
                headers=request.headers,
                data=request.body or None,
                # Only where it matters: aiohttp takes its time over this argument.
                skip_auto_headers=None if request.method in _QUESTIONS else _NO_TYPE,
                allow_redirects=False,
                proxy=proxy,
                proxy_headers=proxy_headers,
            )
            try:
                headers = _headers(answer)
                if request.method == "HEAD":  # the length is that of what a GET would bring
                    body = b""
                elif request.wanted_bytes is not None:
                    body = await _first_bytes(answer, request.wanted_bytes)
                elif (
                    "content-length" in headers
                    and "content-encoding" not in headers
                    and int(headers["content-length"]) <= self._max_bytes
                ):
                    content = answer.content
                    # Mostly all of it came with the headers.
                    body = content.read_nowait() if content.is_eof() else await answer.read()
                else:
                    body = await self._measured(answer, url)
            finally:
                answer.release()  # keeps the connection if all of the answer was read, and else closes it
            return Response(status=answer.status, headers=headers, body=body)
        except (RetryableError, OutcomeUnknown, UsageError):
            raise
        except aiohttp.ConnectionTimeoutError as error:
            raise Unreachable(unreached(error, url.host or "")) from error
        except Exception as error:
            if isinstance(error, (ValueError, TypeError)):
                _check_headers(request)  # aiohttp builds the head before it writes: nothing has left
            raise OutcomeUnknown(unanswered(error, url.host or "", self._timeout.total)) from error
        finally:
            self._release_slot()

    async def _wait_for_slot(self) -> None:
        # Not the connector's own queue: its waiting would count as connecting, and run into the timeouts.
        waiter = asyncio.get_running_loop().create_future()
        self._queue.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._release_slot()
            raise

    def _release_slot(self) -> None:
        while self._queue:
            waiter = self._queue.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._busy -= 1

    async def _measured(self, answer: aiohttp.ClientResponse, url: URL) -> bytes:
        chunks, total = [], 0
        async for chunk in answer.content.iter_any():
            total += len(chunk)
            if total > self._max_bytes:
                raise OutcomeUnknown(
                    Fault(
                        code="MIG.too-large",
                        message=f"{url.host}: the answer is larger than {self._max_bytes} bytes",
                        remedy=f"{_SAFE} If it happens again, something else answers in the service's place.",
                    )
                )
            chunks.append(chunk)
        return b"".join(chunks)

    def _encoded(self, asked: str, query: tuple[tuple[str, str], ...]) -> tuple[URL, _Through]:
        """The URL as it leaves, and what it leaves through."""
        cut = asked.find("/", len("https://"))
        origin, path = (asked, "/") if cut < 0 else (asked[:cut], asked[cut:])
        base, through = self._origin(origin)
        if not query and _PLAIN(path):
            return base.with_path(path, encoded=True), through
        try:
            text = str(base) + quote(path, safe="/")
            if query:
                text += "?" + "&".join(
                    [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query]
                )
        except UnicodeEncodeError as error:
            raise UsageError(f"{asked!r} cannot be written as UTF-8") from error
        return URL(text, encoded=True), through

    def _admit(self, origin: str) -> tuple[URL, _Through]:
        try:
            url = URL(origin)
            base = url.origin()
        except (ValueError, IndexError) as error:  # yarl trips over "http://[]@" with an IndexError
            raise UsageError(f"{origin!r} is not a base URL", hint=_ENDPOINT) from error
        host = (url.host or "").rstrip(".")
        # What yarl would leave out, such as a user name, is a way to disguise the host: let nothing go.
        if (
            url.scheme not in ("https", "http")
            or url.raw_user is not None
            or str(url) not in (str(base), f"{base}/")
        ):
            raise UsageError(f"{origin!r} is not a base URL", hint=_ENDPOINT)
        if url.scheme == "http" and not (_is_loopback(host) or host in self._allow_plain):
            raise UsageError(f"{origin!r} would carry secrets unencrypted", hint=_ENDPOINT)
        proxy = self._proxy(base) if url.scheme == "https" else None
        return base, (None, None) if proxy is None else _without_password(proxy)


_ENDPOINT = 'Write the endpoint as "https://host"; http:// is only for a simulator on this machine.'


class _Connector(aiohttp.TCPConnector):
    """Connections; a failure to make one is ours to name, since only here it is certain that nothing left."""

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:
        # The method that aiohttp's reference for BaseConnector names for overriding.
        try:
            return await super()._create_connection(req, traces, timeout)
        except aiohttp.InvalidURL as error:
            raise UsageError(f"{req.url.host!r} is not a host", hint=_ENDPOINT) from error
        except aiohttp.ClientResponseError as error:
            # A proxy's. The request to it, and with it the password, is in what the error shows of itself.
            raise Unreachable(unreached(error, req.url.host or "", proxied=True)) from None
        except Exception as error:
            raise Unreachable(unreached(error, req.url.host or "", proxied=bool(req.proxy))) from error


async def _first_bytes(answer: aiohttp.ClientResponse, wanted: int) -> bytes:
    """The first `wanted` bytes of a body; a few more may be under way when the connection is closed."""
    chunks, missing = [], wanted
    while missing > 0 and (chunk := await answer.content.read(missing)):
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)


# --- Naming what went wrong -----------------------------------------------------------------------------


def unreached(error: Exception, host: str, *, proxied: bool = False) -> Fault:
    """Why there was no connection to `host`."""
    if (
        isinstance(error, aiohttp.ClientProxyConnectionError)
        or (
            # The only answer that is read before there is a connection is the proxy's, to CONNECT.
            proxied and isinstance(error, (aiohttp.ClientResponseError, aiohttp.ServerDisconnectedError))
        )
        or (
            # And the only name that is looked up is the proxy's: ours is for the proxy to resolve.
            proxied and isinstance(error, aiohttp.ClientConnectorDNSError)
        )
    ):
        reason = "it hung up"
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            reason = f"its name cannot be resolved: {error.strerror}"
        elif isinstance(error, aiohttp.ClientProxyConnectionError):
            reason = error.strerror or "no connection"
        elif isinstance(error, aiohttp.ClientResponseError):
            reason = f"HTTP {error.status}"
        return Fault(
            code="MIG.proxy",
            message=f"{host}: the proxy does not let us through ({reason})",
            remedy="Check HTTPS_PROXY (or ALL_PROXY), and that the proxy is allowed to reach this host; what "
            "needs no proxy belongs into NO_PROXY.",
        )
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        reason = escaped(SECRETS.masked(getattr(cause, "verify_message", "") or str(cause)))
        return Fault(
            code="MIG.tls",
            message=f"{host}: its certificate is not trusted ({reason})",
            remedy="Check the endpoint and this machine's clock; behind a proxy that opens TLS, point "
            "MIGRATOR_CA_FILE to a PEM file with its CA certificate (SSL_CERT_FILE stands for all others).",
        )
    if isinstance(error, (aiohttp.ClientConnectorSSLError, ssl.SSLError)):
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        return Fault(
            code="MIG.tls-handshake",
            message=f"{host}: no TLS connection ({reason})",
            remedy="Check that the endpoint speaks https, and that no firewall interferes with TLS.",
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Fault(
            code="MIG.dns",
            message=f"{error.host}: the name cannot be resolved ({error.strerror})",
            remedy="Check the region or endpoint in the plan, and that this machine can resolve names.",
        )
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, TimeoutError) or number == errno.ETIMEDOUT:
        return Fault(
            code="MIG.connect-timeout",
            message=f"{host}: no connection in time",
            remedy=f"{_REACH} A proxy is named with HTTPS_PROXY.",
        )
    if number == errno.ECONNREFUSED:
        return Fault(code="MIG.refused", message=f"{host}: connection refused", remedy=_REACH)
    if number in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN):
        return Fault(code="MIG.unreachable", message=f"{host}: no route to this host", remedy=_REACH)
    reason = getattr(error, "strerror", None) or type(error).__name__
    return Fault(code="MIG.connect", message=f"{host}: no connection ({reason})", remedy=_REACH)


def unanswered(error: Exception, host: str, timeout: float | None) -> Fault:
    """Why a request that may have arrived at `host` has no usable answer."""
    if isinstance(error, TimeoutError):
        code, what = "MIG.timeout", f"no answer within {timeout:g} s"
    elif isinstance(error, aiohttp.ClientPayloadError):
        code, what = "MIG.truncated", "the answer was cut short or damaged"
    elif isinstance(error, (aiohttp.ServerDisconnectedError, OSError)):
        code, what = "MIG.reset", "the connection was closed before the answer"
    else:
        code, what = "MIG.unreadable", f"the answer is not HTTP ({type(error).__name__})"
    return Fault(code=code, message=f"{host}: {what}", remedy=_SAFE)


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    headers = {name.lower(): value for name, value in answer.headers.items()}
    if len(headers) != len(answer.headers):  # RFC 9110 section 5.2: repeated lines are one list
        headers = {name: ", ".join(answer.headers.getall(name)) for name in headers}
    if not "".join(headers.values()).isascii():
        # aiohttp smuggles bytes that are not UTF-8 through as surrogates, which no file could hold later.
        headers = {
            name: value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            for name, value in headers.items()
        }
    return headers


def _check_headers(request: Request) -> None:
    for name, value in request.headers.items():
        if not f"{name}{value}".isprintable():
            raise UsageError(
                f"the header {name!r} holds a line break or another control character",
                hint="Check the credentials for a line break at their end; nothing was sent.",
            )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _without_password(proxy: URL) -> _Through:
    """The address alone, for errors may name it, and what tells the proxy who we are."""
    if proxy.user is None and proxy.password is None:
        return proxy, None
    SECRETS.register(proxy.password, proxy.raw_password)
    login = f"{proxy.user or ''}:{proxy.password or ''}"
    words = {"Proxy-Authorization": f"Basic {b64encode(login.encode()).decode()}"}
    return proxy.with_user(None), words


def trusted(environ: Mapping[str, str]) -> ssl.SSLContext | bool:
    """Whose certificates count: those of the system's store, or of SSL_CERT_FILE in its place, and beside
    them those of MIGRATOR_CA_FILE (both PEM). Raises UsageError, which names the variable.
    """
    named = {name: environ[name] for name in ("SSL_CERT_FILE", "MIGRATOR_CA_FILE") if environ.get(name)}
    if not named:
        return True  # aiohttp's own: verified too, and loading the system's store again would take its time
    context = ssl.create_default_context()  # OpenSSL reads SSL_CERT_FILE, but is silent where it cannot
    context.set_alpn_protocols(("http/1.1",))
    for name, path in named.items():
        try:
            context.load_verify_locations(cafile=path)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{name}: cannot read certificates from {path!r}: {error}",
                hint=f"It has to be a PEM file; correct {name}, or unset it.",
            ) from error
    return context
