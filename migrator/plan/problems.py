"""What is wrong with a plan, said to the person who wrote it; pydantic's errors are said in the same way."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import Struct

from migrator.domain.sheets import column_of
from migrator.domain.text import did_you_mean, escaped, shown
from migrator.plan.lines import Lines, Where
from migrator.plan.wording import MISSING, SILENT, explained

Severity = Literal["error", "warning"]

MOST_NOTED = 100_000
"""Problems that are kept: more of them say nothing more, and would not fit into 300 MB."""

Faulty = defaultdict[int, set[str]]
"""Keys that were complained about, by position of the image."""

_ABSENT = object()


class Problem(Struct, frozen=True, kw_only=True):
    """One thing wrong with a plan, or one worth a second look."""

    path: str
    """The file, as it was named to us."""

    line: int | None
    """1 is the first; None where no line is to blame."""

    column: int | None = None
    """1 is the first; None where that is not known."""

    field: str
    """Which key: `images[3] "web-01".min_disk` (the first image is 0); empty for the whole file."""

    value: str
    """What is written there, shortened and in one line; empty where it says nothing, or must not be shown."""

    reason: str
    """What is wrong with it."""

    remedy: str
    """What to do about it; empty where the reason says it all."""

    severity: Severity = "error"

    @property
    def message(self) -> str:
        """What is wrong, with the value."""
        return escaped(f"{self.value} {self.reason}" if self.value else self.reason)

    def as_object(self) -> dict[str, object]:
        """The same for a machine."""
        return {
            "file": self.path,
            "line": self.line,
            "column": self.column,
            "path": escaped(self.field),
            "message": self.message,
            "remedy": escaped(self.remedy),
            "severity": self.severity,
        }

    def __str__(self) -> str:
        place = self.path if self.line is None else f"{self.path}:{self.line}"
        what = f"{self.value} {self.reason}" if self.value else self.reason
        text = ": ".join(part for part in (place, self.field, what) if part)
        return escaped(f"{text}; {self.remedy}" if self.remedy else text)


# --- Secrets --------------------------------------------------------------------------------------------

# fmt: off
_SECRETS = frozenset(
    {
        "ak", "sk", "accesskey", "accesskeyid", "secretkey", "secretaccesskey", "secret", "secrets",
        "clientsecret", "password", "passwd", "pwd", "passphrase", "token", "authtoken", "securitytoken",
        "sessiontoken", "xauthtoken", "privatekey", "apikey",
    }
)
# fmt: on
NO_SECRETS = (
    "looks like a secret, and a plan never holds one",
    'take it out, and change it if others could read this file; credentials = "env" reads it from outside',
)


def is_secret(key: str) -> bool:
    """Whether a key of this name would hold a secret."""
    return key.lower().replace("_", "").replace("-", "").replace(" ", "") in _SECRETS


def _hides_secret(key: object, value: object) -> bool:
    if isinstance(key, str) and is_secret(key):
        return True
    return isinstance(value, dict) and any(is_secret(inner) for inner in value)


# --- Collecting -----------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Noted:
    """A problem that has no line yet."""

    where: Where
    reason: str
    remedy: str
    value: str
    severity: Severity
    other: Where | None


class SourceCell(Struct, frozen=True, kw_only=True):
    """A row or a cell of a spreadsheet."""

    rank: int
    """Spreadsheets come in this order, after the plan itself."""

    path: str
    row: int
    """As a spreadsheet counts."""

    cell: str = ""
    """"C17"; empty for the whole row."""

    image: int | None = None
    """Position of the image that the row is, if it is one."""

    key: Where = ()
    """The image's key, as the row has it."""

    elsewhere: Where = ()
    """Where the plan itself may say it, because the row does not."""


def _nowhere(where: Where) -> SourceCell | None:
    return None


@dataclass(slots=True, kw_only=True)
class ProblemCollector:
    """The problems of one plan while it is being read; they get their lines at the end, if there are any."""

    noted: list[_Noted] = field(default_factory=list)
    failed: bool = False
    """There is at least one error."""

    unnoted: Counter[Severity] = field(default_factory=Counter)
    """Problems beyond the first MOST_NOTED, which are counted only."""

    @property
    def count(self) -> int:
        return len(self.noted) + self.unnoted.total()

    def error(
        self,
        where: Where,
        reason: str,
        remedy: str = "",
        *,
        value: object = _ABSENT,
        other: Where | None = None,
    ) -> None:
        """Note an error; `other` is a second place, named at the end of the reason with its line."""
        self.failed = True
        self._add(where, reason, remedy, value, "error", other)

    def warning(
        self,
        where: Where,
        reason: str,
        remedy: str = "",
        *,
        value: object = _ABSENT,
        other: Where | None = None,
    ) -> None:
        """Note something worth a second look."""
        self._add(where, reason, remedy, value, "warning", other)

    def _add(
        self, where: Where, reason: str, remedy: str, value: object, severity: Severity, other: Where | None
    ) -> None:
        if len(self.noted) >= MOST_NOTED:
            self.unnoted[severity] += 1
            return
        text = "" if value is _ABSENT or isinstance(value, dict | list) else shown(value)
        self.noted.append(
            _Noted(where=where, reason=reason, remedy=remedy, value=text, severity=severity, other=other)
        )

    def refused(self, errors: Sequence[Mapping[str, Any]], where: Where, keys: Sequence[str]) -> None:
        """Note pydantic's errors about the table at `where`, whose keys are `keys`."""
        for error in errors:
            loc = tuple(error["loc"])
            self.refuse(error, (*where, *loc), keys if len(loc) <= 1 else ())

    def refuse(self, error: Mapping[str, Any], where: Where, keys: Sequence[str]) -> None:
        """Note one of pydantic's errors; `keys` are those that the key at fault could have been."""
        value = error["input"]
        if where and where[-1] == "[key]":  # the key of a free table, such as labels
            where = where[:-1]
        key = where[-1]
        match error["type"]:
            case "missing":
                self.error(where, "is missing", MISSING.get(str(key), ""))
            case "extra_forbidden":
                if _hides_secret(key, value):
                    self.error(where, *NO_SECRETS)
                else:
                    table = _name_of(where[:-1]) or "a plan"
                    remedy = did_you_mean(key, keys) or f"the keys are {', '.join(keys)}"
                    self.error(where, f"is not a key of {table}", remedy)
            case _:
                reason, remedy = explained(error, where)
                self.error(where, reason, remedy, value=_ABSENT if key in SILENT else value)

    def problems(
        self,
        path: str,
        text: str,
        names: Mapping[int, object],
        place_of: Callable[[Where], SourceCell | None] = _nowhere,
    ) -> list[Problem]:
        """Every problem with its line, in the order of the plan and then of each spreadsheet.

        `names` are those of the images; `place_of` says where in a spreadsheet something location.
        """
        if not self.noted:
            return []
        lines = Lines(text)
        found: list[tuple[int, int, Problem]] = []
        for noted in self.noted:
            location = _located(noted.where, path, lines, names, place_of)
            reason = noted.reason
            if noted.other is not None:
                other = _located(noted.other, path, lines, names, place_of)
                reason += " " + other.field
                if other.path != path:
                    reason += f" ({other.path}:{other.line})"
                elif other.line is not None:
                    reason += f" (line {other.line})"
            problem = Problem(
                path=location.path,
                line=location.line,
                column=location.column,
                field=location.field,
                value=noted.value,
                reason=reason,
                remedy=noted.remedy,
                severity=noted.severity,
            )
            found.append((location.rank, location.line or 0, problem))
        found.sort(key=lambda item: item[:2])
        # What many images inherit stands in one place, and is said once.
        return list(dict.fromkeys(problem for _, _, problem in found))


class _Location(Struct, frozen=True, kw_only=True):
    """Where something is written, as people are told."""

    rank: int
    path: str
    line: int | None
    field: str
    column: int | None = None


def _located(
    where: Where,
    path: str,
    lines: Lines,
    names: Mapping[int, object],
    place_of: Callable[[Where], SourceCell | None],
) -> _Location:
    place = place_of(where)
    if place is None or (place.elsewhere and lines.has(place.elsewhere)):
        where = written_at(place.elsewhere if place else where, lines)
        return _Location(
            rank=0,
            path=path,
            line=lines.line(where),
            column=lines.column(where),
            field=field_name(where, names),
        )
    name = names.get(place.image) if place.image is not None else None
    field = ".".join(filter(None, (shown(name) if name else "", field_name(place.key, {}))))
    if place.cell:
        field = f"{field} ({place.cell})" if field else place.cell
    column = column_of(place.cell) if place.cell else None
    return _Location(rank=place.rank, path=place.path, line=place.row, column=column, field=field)


def written_at(where: Where, lines: Lines) -> Where:
    """Where the key is really written: an image's may stand in [defaults], and its address as an object."""
    if len(where) < 3 or where[0] != "images" or lines.has(where[:3]):
        return where
    if where[2] == "image_url" and lines.has((*where[:2], "object")):
        return (*where[:2], "object")
    return ("defaults", *where[2:]) if lines.has(("defaults", where[2])) else where


def field_name(where: Where, names: Mapping[int, object]) -> str:
    """The key as people read it: `targets.north.region`, `images[3] "web-01".min_disk`."""
    text = ""
    for position, part in enumerate(where):
        if isinstance(part, int):
            text += f"[{part}]"
            if position == 1 and where[0] == "images" and isinstance(name := names.get(part), str):
                text += f" {shown(name)}"
        else:
            plain = part.isascii() and part.replace("_", "").replace("-", "").isalnum()
            text += ("." if text else "") + (part if plain else shown(part))
    return text


def _name_of(where: Where) -> str:
    if not where:
        return ""
    if len(where) == 2 and where[0] in _LISTS:
        return _LISTS[str(where[0])]
    return f"[{field_name(where, {})}]"


def unknown_name(where: Where, name: str, known: Collection[str], found: ProblemCollector) -> None:
    """Note the name of a target or a wave that the plan does not have."""
    kind = str(where[-1])
    if known:
        listed = ", ".join(list(known)[:10])
        every = f"the {kind}s are {listed}{', ...' if len(known) > 10 else ''}"
        remedy = did_you_mean(name, known) or every
    else:
        remedy = "there are no [[waves]]: add one with this name, or take the key out"
    found.error(where, f"is not a {kind} of this plan", remedy, value=name)


_LISTS = {
    "images": "an image",
    "inventory": "an inventory",
    "waves": "a wave",
    "notify": "a receiver of notifications",
}
"""What one table of a list is called."""
