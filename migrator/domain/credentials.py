"""What a request is signed with. Secrets never print."""

from dataclasses import dataclass, field

from pydantic import (
    SecretStr,
)

from migrator.domain.units import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """An access key, to sign requests with."""

    ak: str = field(repr=False)
    sk: SecretStr
    security_token: SecretStr | None = None
    """Goes with temporary keys."""

    expires_at: Moment | None = None
    """When temporary keys stop working; None for lasting ones, and where nobody said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """An IAM user, to fetch tokens with."""

    user: str
    password: SecretStr
    domain: str
    """Name of the account that the user belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyToken:
    """A token that somebody else fetched; it cannot be renewed."""

    token: SecretStr
