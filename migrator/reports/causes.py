"""Why images stand still: their faults, grouped by what is the same about them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from migrator.domain.cloud import Fault
from migrator.domain.units import Moment
from migrator.reports.untrusted import plain
from migrator.workflow.ledger import Planned
from migrator.workflow.states import State

OVERDUE = Fault(
    code="MIG.overdue",
    message="its job takes longer than the plan allows, and goes on in the cloud",
    remedy="Run again: it is picked up where it stands, and nothing is sent twice.",
)
"""What is said of an overdue image, about which the service itself says nothing."""


class CauseKind(StrEnum):
    """Why images are not on their way."""

    FAILED = "failed"
    HELD = "held"
    """In doubt, and a person has to decide."""
    HALTED = "halted"
    """Nothing more is submitted to the target in this run."""
    OVERDUE = "overdue"
    IN_DOUBT = "in_doubt"
    """Being looked up."""
    RETRYING = "retrying"
    """Refused for now; submitted again after a pause."""


class Cause(Struct, frozen=True, kw_only=True):
    """Images that stand still for one reason."""

    kind: CauseKind
    code: str
    message: str
    """Their common message; where messages differ only in ids, numbers and names, those are replaced."""

    remedy: str
    count: int
    keys: tuple[str, ...]
    """In the plan's order."""

    first_at: Moment | None
    last_at: Moment | None
    """When the first and the last of them stopped, as far as the ledger says."""

    owners: Mapping[str, int]
    """How many of them by the label `owner` ("" for none), most first."""

    request_id: str
    """Of the first that has one, for the vendor's support; empty if none has."""


_VARIABLE = re.compile(
    r"(?P<code>\b[A-Z]{2,}\.\d{3,}\b)"
    r"|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    r"|\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b"
    r"|(?P<number>\d+(?:[.,]\d+)*)"
)


def normalised(message: str, names: Iterable[str] = ()) -> str:
    """The message with "…" for what differs from image to image: its own `names`, ids and numbers."""
    for name in names:
        # A short name would be found inside ordinary words.
        if len(name) > 3 and name in message:
            message = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", message)
    return _VARIABLE.sub(lambda found: found[0] if found["code"] else "…", message)


def causes(members: Iterable[tuple[CauseKind, Fault, Planned, State]]) -> tuple[Cause, ...]:
    """The members grouped by reason, code and normalised message, the largest group first."""
    groups: dict[tuple[CauseKind, str, str], list[tuple[Fault, Planned, State]]] = {}
    for kind, raw, item, state in members:
        fault, image = plain(raw), item.image
        message = normalised(fault.message, (image.image_url, image.name))
        groups.setdefault((kind, fault.code, message), []).append((fault, item, state))
    found = [_cause(kind, code, message, group) for (kind, code, message), group in groups.items()]
    return tuple(sorted(found, key=lambda cause: (-cause.count, cause.kind, cause.code, cause.message)))


def _cause(kind: CauseKind, code: str, message: str, group: Sequence[tuple[Fault, Planned, State]]) -> Cause:
    first = group[0][0].message
    same = all(fault.message == first for fault, _, _ in group)
    moments = [moment for _, _, state in group if (moment := _stopped_at(state)) is not None]
    owners = Counter(item.image.labels.get("owner", "") for _, item, _ in group)
    return Cause(
        kind=kind,
        code=code,
        message=first if same else message,
        remedy=next((fault.remedy for fault, _, _ in group if fault.remedy), ""),
        count=len(group),
        keys=tuple(state.key for _, _, state in group),
        first_at=min(moments, default=None),
        last_at=max(moments, default=None),
        owners=dict(sorted(owners.items(), key=lambda pair: (-pair[1], pair[0]))),
        request_id=next((fault.request_id for fault, _, _ in group if fault.request_id), ""),
    )


def _stopped_at(state: State) -> Moment | None:
    if state.finished_at is not None:
        return state.finished_at
    if not state.attempts:
        return None
    last = state.attempts[-1]
    return last.began_at if last.ended_at is None else last.ended_at
