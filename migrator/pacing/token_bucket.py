"""Token bucket arithmetic: how many seconds until the next request may leave.

The law, which a property test holds: no window of any length ever holds more requests than
`burst + rate x length`, whatever the rate did in between, with `rate` the highest of that window.
"""

TICK = 0.001
"""Seconds; a wait is never shorter, because a clock may be too coarse to show that it is over."""


class TokenBucket:
    """Tokens drip in at `rate` a second up to `burst`; each request takes one."""

    __slots__ = ("_blocked_until", "_filled_at", "_rate", "_tokens", "burst")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self.burst = burst
        self._tokens = float(burst)
        self._filled_at = now
        self._blocked_until = now

    @property
    def rate(self) -> float:
        """Tokens a second, now."""
        return self._rate

    @property
    def blocked_until(self) -> float:
        """Nothing leaves before this moment."""
        return self._blocked_until

    def set_rate(self, rate: float, now: float) -> None:
        """Drip at another rate from `now` on; what has dripped so far stays."""
        self._fill(now)
        self._rate = rate

    def block(self, until: float) -> None:
        """Let nothing leave before `until`, because the service asked for silence."""
        self._blocked_until = max(self._blocked_until, until)

    def drain(self, now: float) -> None:
        """Forget saved tokens, so that a pause is not followed by a burst."""
        self._fill(now)
        self._tokens = min(self._tokens, 0.0)

    def wait(self, now: float) -> float:
        """Seconds until a request may leave; 0.0 means at once."""
        self._fill(now)
        dripping = 0.0 if self._tokens >= 1.0 else max((1.0 - self._tokens) / self._rate, TICK)
        blocked = max(self._blocked_until - now, TICK) if self._blocked_until > now else 0.0
        return max(dripping, blocked)

    def take(self, now: float) -> None:
        """Count one request that leaves now, even where `wait` would have said later."""
        self._fill(now)
        self._tokens -= 1.0

    def _fill(self, now: float) -> None:
        if now > self._filled_at:
            self._tokens = min(float(self.burst), self._tokens + (now - self._filled_at) * self._rate)
            self._filled_at = now
