"""What changed from one report to a later one, from the two documents alone.

The rules:

1. A report is believed only as far as it was checked: `read` takes the members that are compared, and says
   what is wrong with a document that lacks one.
2. Each image stands under one heading at most, of how it stands now: done, recovered, failed, no longer
   done, or under those of the plan, new or gone. Its move there is counted; its duration is compared apart.
3. An image that left the plan stays in reports, marked; for a comparison it is gone.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from migrator.reports.glossary import DONE, statuses_of
from migrator.reports.untrusted import one_line
from migrator.workflow.states import Phase

FORMAT, VERSION = "migrator.report", 1

_DONE = statuses_of(DONE)

MORE = 0.5
"""A duration changed when it did so by more than this fraction of what it was …"""

LEAST = 60.0
"""… and by more than so many seconds."""


class NotAReport(ValueError):
    """A document that is no report, or one that is too new; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedImage:
    """One image, as a report tells it."""

    status: Phase
    seconds: float | None
    code: str
    """Of its error; empty without one."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedReport:
    """What is compared of a report."""

    plan: str
    generated_at: datetime
    images: Mapping[str, ReportedImage]
    """By key, those that are in the plan, in its order."""

    @property
    def statuses(self) -> Counter[Phase]:
        return Counter(image.status for image in self.images.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class DurationChange:
    """An image that took another time than before."""

    key: str
    before: float
    """Seconds."""

    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What changed. Keys are in the order of the later plan; those that are gone, in that of the earlier."""

    old: ComparedReport
    new: ComparedReport
    done: tuple[str, ...]
    """Succeeded, or found to be there, since; those that had failed are not among them."""

    recovered: tuple[str, ...]
    """Failed before, done now."""

    failed: tuple[str, ...]
    """Failed since."""

    undone: tuple[str, ...]
    """Done before and no longer: somebody asked for them again."""

    added: tuple[str, ...]
    """New in the plan."""

    gone: tuple[str, ...]
    """No longer in the plan."""

    slower: tuple[DurationChange, ...]
    """Those that lost most first."""

    faster: tuple[DurationChange, ...]
    """Those that won most first."""

    moves: Mapping[tuple[Phase, Phase], int] = field(default_factory=dict)
    """Of the images in both plans: status before and after, and how many; the most frequent first."""

    @property
    def empty(self) -> bool:
        """Nothing changed but, perhaps, the time."""
        return not (self.moves or self.added or self.gone or self.slower or self.faster)


def difference(old: ComparedReport, new: ComparedReport) -> Difference:
    """What changed from `old` to `new`."""
    groups: dict[str, list[str]] = {"done": [], "recovered": [], "failed": [], "undone": []}
    moves: Counter[tuple[Phase, Phase]] = Counter()
    durations = []
    for key, after in new.images.items():
        before = old.images.get(key)
        if before is None:
            continue
        if before.status is not after.status:
            moves[before.status, after.status] += 1
            if (group := _group(before.status, after.status)) is not None:
                groups[group].append(key)
        if before.seconds is None or after.seconds is None:
            continue
        if abs(after.seconds - before.seconds) > max(LEAST, MORE * before.seconds):
            durations.append(DurationChange(key=key, before=before.seconds, after=after.seconds))
    durations.sort(key=lambda change: change.before - change.after)
    return Difference(
        old=old,
        new=new,
        **{group: tuple(keys) for group, keys in groups.items()},
        added=tuple(key for key in new.images if key not in old.images),
        gone=tuple(key for key in old.images if key not in new.images),
        slower=tuple(change for change in durations if change.after > change.before),
        faster=tuple(change for change in reversed(durations) if change.after < change.before),
        moves=dict(
            sorted(moves.items(), key=lambda move: (-move[1], _ORDER[move[0][0]], _ORDER[move[0][1]]))
        ),
    )


_ORDER = {phase: index for index, phase in enumerate(Phase)}


def _group(before: Phase, after: Phase) -> str | None:
    if after in _DONE:
        return "recovered" if before is Phase.FAILED else None if before in _DONE else "done"
    if after is Phase.FAILED:
        return "failed"
    return "undone" if before in _DONE else None


# --- Reading --------------------------------------------------------------------------------------------


def read(document: object) -> ComparedReport:
    """The report that `document`, a JSON value, holds. Raises NotAReport with what is wrong with it."""
    if not isinstance(document, dict) or not isinstance(schema := document.get("schema"), str):
        raise NotAReport("this is no migrator report: it has no member `schema`")
    name, _, version = schema.partition("/")
    if name != FORMAT or not re.fullmatch("[1-9][0-9]{0,5}", version):
        raise NotAReport(f"this is no migrator report: its schema is {one_line(schema)[:60]!r}")
    if int(version) > VERSION:
        raise NotAReport(f"this report was written by a newer version: its schema is {schema[:60]!r}")
    try:
        return _read(document)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        wrong = f"it has no member {error}" if isinstance(error, KeyError) else one_line(str(error))[:200]
        raise NotAReport(f"this report is damaged: {wrong}") from None


def _read(document: dict[str, Any]) -> ComparedReport:
    images: dict[str, ReportedImage] = {}
    keys: set[str] = set()
    for image in _typed(document["images"], list, "images"):
        key = _typed(image["key"], str, "key")
        if key in keys:
            raise ValueError(f"it lists {key!r} twice")
        keys.add(key)
        seconds, error = image["seconds"], image["error"]
        if seconds is not None and not math.isfinite(_typed(seconds, (int, float), "seconds")):
            raise ValueError(f"{key!r} took {seconds} seconds")
        reported = ReportedImage(
            status=Phase(image["status"]),
            seconds=seconds,
            code="" if error is None else one_line(_typed(error["code"], str, "code")),
            message="" if error is None else one_line(_typed(error["message"], str, "message")),
        )
        if not _typed(image["removed"], bool, "removed"):
            images[key] = reported
    generated_at = datetime.fromisoformat(_typed(document["generated_at"], str, "generated_at"))
    if generated_at.tzinfo is None:
        raise ValueError("generated_at has no zone")
    name = one_line(_typed(document["plan"]["name"], str, "name"))
    return ComparedReport(plan=name, generated_at=generated_at, images=images)


def _typed(value: Any, kind: type | tuple[type, ...], member: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"its member {member!r} is {type(value).__name__}")
    return value
