"""How long to wait after a failure, and when to stop trying."""

import random
from dataclasses import dataclass
from math import inf

from migrator.domain.cloud import Fault
from migrator.domain.plan import Retry
from migrator.workflow.states import Attempt, Outcome

_HELD_AGAINST = frozenset({Outcome.RETRYABLE, Outcome.NOT_FOUND})
"""Outcomes that use up an image's attempts. A throttle answer does not: it is about everybody's pace."""


def backoff(policy: Retry, attempt: int, rng: random.Random) -> float:
    """Seconds to wait after failed attempt number `attempt` (the first is 1): full jitter."""
    return rng.uniform(0, min(policy.cap, policy.base * 2.0 ** min(attempt - 1, 62)))


def pause(policy: Retry, attempt: int, rng: random.Random, retry_after: float | None = None) -> float:
    """Seconds until the next try: the backoff, or what the service asked for if that is longer."""
    return max(backoff(policy, attempt, rng), retry_after or 0.0)


def failures(attempts: tuple[Attempt, ...]) -> int:
    """How many of the latest attempts in a row count against the image."""
    count = 0
    for attempt in reversed(attempts):
        if attempt.outcome in _HELD_AGAINST:
            count += 1
        elif attempt.outcome is not Outcome.THROTTLED:
            break
    return count


def exhausted(policy: Retry, attempts: tuple[Attempt, ...], retried_for: float) -> str | None:
    """Why an image is not submitted again, or None while it may be.

    `retried_for` is counted from the first refusal in the row. Looking for an attempt that is in doubt may
    take longer than any budget, and is no retrying; throttled attempts are no failures.
    """
    tried = failures(attempts)
    if tried >= policy.max_attempts:
        return f"{tried} attempts in a row failed (retry.max_attempts = {policy.max_attempts})"
    if retried_for > policy.budget:
        return f"it was retried for longer than retry.budget allows ({policy.budget:g} s)"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long somebody goes on asking a service that gives no answer."""

    tries: float = inf
    """Tries in a row after which it is given up."""

    seconds: float = inf
    """Seconds without an answer after which it is given up."""

    wait: float = inf
    """Seconds beyond which one pause is too long, whoever asks for it."""


NEVER_BETTER = frozenset({"MIG.tls"})
"""Faults that no patience would help: a certificate is trusted or it is not."""


def gives_up(
    patience: Patience, fault: Fault, *, tries: int = 0, seconds: float = 0.0, wait: float = 0.0
) -> bool:
    """Whether to stop asking after `tries` in a row and `seconds` without an answer, the last one `fault`.

    `wait` is the pause until the next try.
    """
    return (
        fault.code in NEVER_BETTER
        or tries >= patience.tries
        or seconds > patience.seconds
        or wait > patience.wait
    )
