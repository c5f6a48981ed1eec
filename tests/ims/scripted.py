"""An Http that plays back answers, a signer that counts, and short ways to write both."""

import json
from collections.abc import Awaitable, Callable

import anyio.lowlevel
from msgspec.structs import replace

from migrator.domain.credentials import Keys
from migrator.domain.http import Request, Response


def answer(status: int, body: object = b"", **headers: str) -> Response:
    """An answer with a JSON body, or bytes as they are; `retry_after="3"` is the header retry-after."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(
        status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=raw
    )


class ScriptedHttp:
    """Plays one line of its script for each request and remembers the requests."""

    def __init__(self, *script: Response | Exception | Callable[[Request], Response]) -> None:
        self.script = list(script)
        self.sent: list[Request] = []

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        await anyio.lowlevel.checkpoint()
        line = self.script.pop(0)
        if isinstance(line, Exception):
            raise line
        return line if isinstance(line, Response) else line(request)


class CountingSigner:
    """Signs with the number of the credentials it has; each renewal that it may make gives it the next."""

    def __init__(self, renewals: int = 0) -> None:
        self.renewals = renewals
        self.number = 1
        self.renewed: list[Request] = []

    async def sign(self, request: Request) -> Request:
        return replace(request, headers={**request.headers, "X-Auth-Token": f"token-number-{self.number}"})

    async def renew(self, rejected: Request) -> bool:
        self.renewed.append(rejected)
        if not self.renewals:
            return False
        self.renewals -= 1
        self.number += 1
        return True


def fixed(keys: Keys) -> Callable[[], Awaitable[Keys]]:
    """A source that always has these keys."""

    async def source() -> Keys:
        return keys

    return source
