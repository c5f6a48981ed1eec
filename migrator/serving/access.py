"""Who may look: this machine alone, or whoever has the token."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

from migrator.domain.errors import UsageError
from migrator.domain.secrets import SECRETS

COOKIE = "migrator"

LEAST = 16
"""Characters of a token."""


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_token(path: Path) -> str:
    """The token in a file. Raises UsageError for one that others can read, or that is too short."""
    try:
        token = path.read_text("utf-8").strip()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--token-file {path}: cannot be read: {error}") from None
    SECRETS.register(token)
    if mode & 0o077:
        raise UsageError(
            f"--token-file {path}: others can read it", hint=f"chmod 600 {path}, and choose another token."
        )
    if len(token) < LEAST or not token.isprintable():
        raise UsageError(
            f"--token-file {path}: a token of fewer than {LEAST} characters is guessed",
            hint=f"Make one: openssl rand -hex 24 > {path}",
        )
    return token


@dataclass(frozen=True, slots=True)
class Door:
    """Decides by what a request brings along."""

    token: str | None
    """None: nobody needs one, and only this machine is answered."""

    @property
    def cookie(self) -> str:
        """What a browser keeps in place of the token."""
        return hmac.digest((self.token or "").encode(), b"migrator serve", sha256).hex()

    def lets_in(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        """Whether a request with these may be answered."""
        if self.token is None:
            return True
        kind, _, given = headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.is_token(given):
            return True
        return hmac.compare_digest(_bytes(cookies.get(COOKIE, "")), self.cookie.encode())

    def is_token(self, given: str) -> bool:
        """Whether this is the token."""
        return self.token is not None and hmac.compare_digest(_bytes(given.strip()), _bytes(self.token))

    def knows(self, host: str) -> bool:
        """Whether a request may be meant for us by its Host header.

        A page of another site can have its own name resolve to this machine, and read what we answer (DNS
        rebinding); so without a token only the names of this machine are answered.
        """
        if self.token is not None:
            return True
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        return is_loopback(name)


def _bytes(text: str) -> bytes:
    """Headers may hold any bytes, which aiohttp hands over as surrogates."""
    return text.encode("utf-8", "surrogateescape")
