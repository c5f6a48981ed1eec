"""How long to wait after a failure, and when to stop trying."""

import random

from migrator.core.lifecycle import Attempt, Outcome
from migrator.model import Moment, Retry

_HELD_AGAINST = frozenset({Outcome.REFUSED, Outcome.LOST})
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


def exhausted(policy: Retry, attempts: tuple[Attempt, ...], now: Moment) -> str | None:
    """Why an image is not submitted again, or None while it may be.

    The budget counts from the first refusal in the row. Looking for a lost attempt may take longer than any
    budget, and is no retrying; throttled attempts are no failures.
    """
    tried = failures(attempts)
    if tried >= policy.max_attempts:
        return f"{tried} attempts in a row failed (retry.max_attempts = {policy.max_attempts})"
    held_against = [a for a in attempts if a.outcome in _HELD_AGAINST][-tried:] if tried else []
    refused = [a for a in held_against if a.outcome is Outcome.REFUSED]
    if refused and now - refused[0].began_at > policy.budget:
        return f"it was retried for longer than retry.budget allows ({policy.budget:g} s)"
    return None
