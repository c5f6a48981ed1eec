"""One HTTP request and its answer, as values."""

from msgspec import Struct


class Request(Struct, frozen=True, kw_only=True):
    """One HTTP request, ready but for its signature."""

    method: str
    url: str
    """Scheme, host and decoded path; without a query."""

    query: tuple[tuple[str, str], ...] = ()
    headers: dict[str, str] = {}
    """Never shown: once signed, they carry a token or a signature."""

    body: bytes = b""
    """Never shown: a login carries a password."""

    wanted_bytes: int | None = None
    """Of the answer's body: what comes after them is not read, however large it is. None: all of it."""

    def __repr__(self) -> str:
        return f"Request(method={self.method!r}, url={self.url!r}, query={self.query!r})"


class Response(Struct, frozen=True, kw_only=True):
    """One HTTP answer, read to its end, or as far as the request wanted."""

    status: int
    headers: dict[str, str] = {}
    """Names in lower case. Never shown: the answer to a login carries a token."""

    body: bytes = b""
    """Never shown: it may be a piece of somebody's disk."""

    def __repr__(self) -> str:
        return f"Response(status={self.status!r})"
