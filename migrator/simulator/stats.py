"""Counters of everything that the stand-in was asked, and how it answered."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from migrator.domain.units import Moment
from migrator.simulator.wire import Act, Reply, stamp

FIRST = 20
"""How many of the first refusals are kept."""


@dataclass(slots=True, kw_only=True)
class Stats:
    """Counters of everything that was asked and how it was answered."""

    began_at: Moment
    last_at: Moment
    requests: Counter[str] = field(default_factory=Counter)
    """By kind: "import", "poll", "list", "tags", "token", "object", ..."""

    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    """Error codes sent, whoever made them up."""

    acts: Counter[str] = field(default_factory=Counter)
    """Answers that were not delivered as they should be."""

    import_refusals: Counter[str] = field(default_factory=Counter)
    """Imports that were not taken in, by code or mishap."""

    first_refused: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    """Requests in each simulated second, by kind."""

    connections: int = 0
    """Opened so far; counted by the server."""

    def count(self, kind: str, now: Moment, reply: Reply, *, accepted: bool) -> None:
        """Take one answered call in."""
        self.last_at = now
        self.requests[kind] += 1
        self.seconds[kind][int(now)] += 1
        if reply.act is not Act.NONE:
            self.acts[reply.act.value] += 1
        if reply.status:
            self.statuses[reply.status] += 1
        if reply.code:
            self.codes[reply.code] += 1
        if kind == "import" and not accepted:
            self.import_refusals[reply.code or reply.act.value] += 1
        if (reply.code or reply.act is not Act.NONE) and len(self.first_refused) < FIRST:
            what = reply.code or reply.act.value
            self.first_refused.append({"at": stamp(now, 3), "kind": kind, "what": what})

    def peak(self, kind: str) -> int:
        """Most requests of one kind in one simulated second."""
        return max(self.seconds[kind].values(), default=0) if kind in self.seconds else 0
