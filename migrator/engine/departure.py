"""The one line from which a request leaves that cannot be repeated at will: an import, a share, a copy."""

from collections.abc import Callable

from migrator.domain.cloud import Fault
from migrator.domain.errors import Unreachable
from migrator.domain.ports import Clock
from migrator.engine.ports import Submission

MAY_WAIT = 60.0
"""Seconds after which a signed request does not leave any more. A gateway refuses an old signature by itself,
but not an old token, and a process may have been stopped for an hour between the two."""

LEASE = Fault(
    code="MIG.lease",
    message="not sent: whether this process still owns the target is not certain",
    remedy="Nothing to do: it goes on once the database answers again, or another process takes over.",
)


class Departure:
    """Lets requests leave, or says that they surely did not."""

    def __init__(self, clock: Clock, holds: Callable[[], bool]) -> None:
        """`holds` says whether what this process knows is still its own to act upon."""
        self._clock = clock
        self._holds = holds

    async def send(self, request: Submission, *, prepared: float) -> str:
        """Send `request`, whose signing began at the tick `prepared`, and return the job id.

        Its intent is durable by now. Raises Unreachable where it did not leave, and what
        `Submission.send` raises.
        """
        waited = self._clock.monotonic() - prepared
        if waited > MAY_WAIT:
            raise Unreachable(_late(waited))
        if not self._holds():
            raise Unreachable(LEASE)
        return await request.send()


def _late(waited: float) -> Fault:
    return Fault(
        code="MIG.late",
        message=f"not sent: {waited:.0f} s went by after it was signed",
        remedy="Nothing to do: it is signed anew.",
    )
