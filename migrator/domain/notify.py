"""Who is told what of a plan: receivers as the plan names them, and one message on its way to one of them."""

from dataclasses import dataclass
from enum import StrEnum


class NotifyOn(StrEnum):
    """What somebody may want to be told of. A new one needs a new journal version."""

    BEGIN = "begin"
    """A run began."""
    WAVE = "wave"
    """Every image of a wave is finished."""
    FAILED_THRESHOLD = "failed-threshold"
    """Too many images failed, so that nothing more is submitted (`policy.max_failures`)."""
    STALLED = "stalled"
    """Nothing came further for a while, although it should have."""
    HELD = "held"
    """Images wait for a person's decision."""
    END = "end"
    """A run ended by its own will."""


STALLED_AFTER = 1800.0
"""Seconds without progress after which a run counts as stalled, where the plan does not say."""

SEND_TIMEOUT = 30.0
"""Seconds for one delivery, where the plan does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Somebody who is told: by a webhook, a command, or through Apprise. Addresses are secrets, so the plan
    names variables of the environment that hold them."""

    name: str
    """What the journal calls it; unique in the plan."""

    on: tuple[NotifyOn, ...]
    after: float = STALLED_AFTER
    """Seconds without progress before it is told that a run is stalled."""

    url_env: str | None = None
    """Variable with the address of a webhook."""

    secret_env: str | None = None
    """Variable with what its requests are signed with; None for unsigned ones."""

    exec: tuple[str, ...] = ()
    """A command and its arguments."""

    apprise_env: str | None = None
    """Variable with addresses as Apprise writes them."""

    timeout: float = SEND_TIMEOUT
    """Seconds for one delivery."""


class Level(StrEnum):
    """How bad it is."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One notification, ready to be sent."""

    id: str
    """The same however often it is sent."""

    level: Level
    title: str
    text: str
    """A few sentences for a person."""

    body: bytes
    """All of it as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came of one try to deliver a message."""

    failure: str = ""
    """Why it was not delivered; empty when it was. Never holds an address or what the receiver wrote."""

    refused: bool = False
    """The receiver is there and does not take this message, so that others may fare better."""

    hopeless: bool = False
    """No further try of this process can fare better, such as without an address."""

    @property
    def delivered(self) -> bool:
        return not self.failure
