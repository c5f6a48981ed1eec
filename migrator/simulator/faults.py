"""Fault injection: what goes wrong on purpose, by dice, in bursts and under rate limits.

Texts: API gateway, "Error Codes" (0201, 0308, 0601, 0613) and the throttling sub-text of the developer guide;
the form of X-Apig-Ratelimit-Api is that of the gateway's own examples.
"""

import json
import math
import re
from random import Random

from msgspec.structs import replace

from migrator.domain.units import Moment
from migrator.simulator.settings import Odds, Settings
from migrator.simulator.wire import (
    Act,
    Call,
    Reply,
    gateway_error,
    html_page,
    iam_new_error,
    ims_error,
    obs_error,
    ok,
)

_UNITS = {"s": (1.0, "second"), "m": (60.0, "minute"), "h": (3600.0, "hour")}
_TITLES = {
    408: "Request Timeout",
    409: "Conflict",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Time-out",
}
_MESSAGE = re.compile(rb'"(?:error_msg|message|fail_reason)": ?"[^"\\]*')
_ORDER = (
    "error_before",
    "error_after",
    "reset_before",
    "reset_after",
    "hang_before",
    "hang_after",
    "truncate",
    "html",
    "throttle",
    "late",
    "foreign",
)


def echoed(call: Call, reply: Reply) -> Reply:
    """A refusal that repeats what it was asked with, as proxies and gateways do for the sake of support."""
    names = ("x-auth-token", "x-security-token", "authorization")
    said = " ".join(call.headers[name] for name in names if name in call.headers)
    if call.path.endswith("/auth/tokens"):
        said += call.body.decode("utf-8", "replace")
    if reply.status < 400 or not said or not reply.body.startswith(b"{"):
        return reply
    text = json.dumps(f" (you sent {said})", ensure_ascii=False)[1:-1].encode()
    return replace(reply, body=_MESSAGE.sub(lambda found: found[0] + text, reply.body, count=1))


class FaultInjector:
    """The dice that every request throws once, and the clocks of bursts and rate limits."""

    def __init__(self, settings: Settings, start: Moment) -> None:
        self.settings = settings
        self._start = start
        # The text is part of the seed: with another, every recorded figure would be one of other dice.
        self._dice = Random(f"{settings.seed}:weather")  # noqa: S311
        self._phase = Random(f"{settings.seed}:bursts").uniform(0.0, settings.burst_every)  # noqa: S311
        self._windows: dict[str, tuple[int, int]] = {}

    def delay(self) -> float:
        """Seconds that this request takes."""
        least, most = self.settings.latency
        return self._dice.uniform(least, most) if most > 0 else 0.0

    def fault(self, kind: str) -> str:
        """Which of the fields of Odds befalls this request; empty for none. One throw of the dice."""
        odds = self._odds(kind)
        if not odds.any:
            return ""
        throw = self._dice.random()
        for name in _ORDER:
            throw -= getattr(odds, name)
            if throw < 0:
                return name
        return ""

    def _odds(self, kind: str) -> Odds:
        if kind in ("import", "share", "copy"):
            return self.settings.import_odds
        return self.settings.poll_odds if kind == "poll" else self.settings.other_odds

    def instead(self, fault: str, kind: str) -> Reply | None:
        """The reply to a request that never reached the service; None when it did."""
        match fault:
            case "error_before":
                return self._error(kind)
            case "reset_before":
                return Reply(status=0, act=Act.RESET)
            case "hang_before":
                return Reply(status=0, act=Act.HANG)
            case "html":
                return html_page(502, _TITLES[502])
            case "throttle":
                return self.throttled(kind)
            case "late":
                if self._dice.random() < 0.5:
                    return gateway_error("APIGW.0201", status=504, message="Backend timeout")
                return Reply(status=0, act=Act.RESET)
        return None

    def late_by(self) -> float:
        """Seconds until an import is taken in after all."""
        return self._dice.uniform(0.0, self.settings.late_seconds)

    def another(self, count: int) -> int:
        """Which of so many other jobs an answer is about."""
        return self._dice.randrange(count)

    def spoiled(self, fault: str, kind: str, reply: Reply) -> Reply:
        """What the client gets of `reply`, which the service has already acted upon."""
        match fault:
            case "error_after":
                return self._error(kind)
            case "reset_after":
                return replace(reply, act=Act.RESET)
            case "hang_after":
                return replace(reply, act=Act.HANG)
            case "truncate":
                return replace(reply, act=Act.TRUNCATE)
        return reply

    def _error(self, kind: str) -> Reply:
        status = self._dice.choice(self._odds(kind).statuses)
        shape = self._dice.random()
        if kind in ("object", "bucket"):
            return obs_error(status, "ServiceUnavailable", "Reduce your request rate.", method="HEAD")
        if shape < 0.3 and status >= 500:
            return html_page(status, _TITLES.get(status, "Error"))
        match status:
            case 500:
                return (
                    replace(ims_error("IMG.0061"), status=500) if shape > 0.6 else gateway_error("APIGW.0601")
                )
            case 503:
                return gateway_error("APIGW.0613")
            case 502:
                return gateway_error("APIGW.0201", status=502, message="Backend unavailable")
            case 504:
                return gateway_error("APIGW.0201", status=504, message="Backend timeout")
        return ok({"error_msg": _TITLES.get(status, "Error"), "request_id": ""}, status)

    # --- Throttling ---

    def burst(self, kind: str, now: Moment) -> Reply | None:
        """The refusal of a burst that is on right now."""
        every = self.settings.burst_every
        if every <= 0 or kind in ("object", "bucket", "metadata", "token", "projects"):
            return None
        since = now - self._start + self._phase
        if since % every >= self.settings.burst_seconds:
            return None
        kinds = self.settings.burst_kinds
        if kinds[math.floor(since / every) % len(kinds)] == "throttle":
            return self.throttled(kind)
        return ims_error("IMG.0060") if kind == "import" else None

    def throttled(self, kind: str, text: str = "", seconds: float = 1.0) -> Reply:
        """A 429 in the shape of whichever service is asked."""
        if kind in ("object", "bucket"):
            return obs_error(503, "SlowDown", "Please reduce your request rate.", method="HEAD")
        if kind in ("token", "projects"):
            reply = iam_new_error("IAM.0012", text)
        else:
            reply = gateway_error("APIGW.0308", text)
        if self.settings.retry_after:
            reply = replace(reply, headers={**reply.headers, "Retry-After": str(max(1, math.ceil(seconds)))})
        return reply

    def limited(self, kind: str, now: Moment) -> tuple[Reply | None, dict[str, str]]:
        """(the refusal when a rate limit is used up, headers for the answer); counts this request."""
        limit = self.settings.rate_limits.get(kind) or self.settings.rate_limits.get("*")
        if limit is None:
            return None, {}
        length, unit = _UNITS[limit.unit]
        window = math.floor(now / length)
        last, count = self._windows.get(kind, (window, 0))
        count = count + 1 if last == window else 1
        self._windows[kind] = (window, count)
        left = max(0, math.floor(limit.count) - count)
        said = f"remain:{left},limit:{limit.count:g},time:1 {unit}"
        headers = {"X-Apig-Ratelimit-Api": said} if self.settings.rate_headers else {}
        if count <= limit.count:
            return None, headers
        wait = (window + 1) * length - now
        if kind in ("token", "projects"):
            text = f"The request is too frequent. Threshold: {limit.count:g} times per {length:g} seconds"
        else:
            text = f"policy user over ratelimit,limit:{limit.count:g},time:1 {unit}"
        reply = self.throttled(kind, text, wait)
        return replace(reply, headers={**reply.headers, **headers}), headers
