"""What a cell may hold, and how its XML says it."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape

from migrator.domain.units import Moment
from migrator.domain.zone import Zone
from migrator.reports.columns import Kind
from migrator.reports.glossary import STATUSES
from migrator.reports.times import minutes
from migrator.reports.untrusted import one_line

_LONGEST = 16_383
"""Characters in one cell: half of what Excel takes (32,767), because it counts an emoji twice."""

_NO_CHARACTERS = re.compile("[\ufffe\uffff]")
_ESCAPE = re.compile("_(?=x[0-9a-fA-F]{4}_)")
"""What Excel would read as the code of a character (ECMA-376 part 1, 22.9.2.19)."""


def text(untrusted: str | None) -> str:
    """What a cell may hold: one line of characters that XML allows, no longer than Excel takes."""
    if not untrusted:
        return ""
    line = untrusted if untrusted.isprintable() else _NO_CHARACTERS.sub("", one_line(untrusted))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def serial(moment: Moment, zone: Zone) -> float:
    """The moment as Excel counts: days since 1899-12-30 on the clocks of the zone, to the millisecond."""
    return _days(moment + zone.offset(moment))


def _days(seconds: float) -> float:
    return round(seconds * 1000) / 86_400_000 + 25_569


def _text_cell(untrusted: str | None) -> str:
    """The rest of a cell after its position and format, as XML."""
    shown = text(untrusted)
    if not shown:
        return "/>"
    if "_x" in shown:
        shown = _ESCAPE.sub("_x005F_", shown)
    if "&" in shown or "<" in shown or ">" in shown:  # few have one, and looking takes half as long
        shown = escape(shown)
    return f' t="inlineStr"><is><t xml:space="preserve">{shown}</t></is></c>'


_name_cell = lru_cache(maxsize=4096)(_text_cell)
"""The same for text that many images share."""


def _number_cell(number: float) -> str:
    return f"><v>{number!r}</v></c>"


def _minutes_cell(seconds: float) -> str:
    return _number_cell(minutes(seconds))


def moment_cell(zone: Zone) -> Callable[[Moment], str]:
    """How moments are written."""
    # Clocks change at whole minutes, and most images come in crowds.
    ahead = lru_cache(maxsize=4096)(lambda minute: zone.offset(minute * 60.0))
    return lambda moment: f"><v>{_days(moment + ahead(moment // 60))!r}</v></c>"


def _count_cell(members: Sequence[object]) -> str:
    return _number_cell(len(members))


def label_cell(label: str) -> Callable[[Mapping[str, str]], str]:
    """How the column of one label is written."""
    return lambda labels: _name_cell(labels.get(label))


EMPTY = "/>"

WRITE: dict[Kind, Callable[[Any], str]] = {
    Kind.TEXT: _text_cell,
    Kind.NAME: _name_cell,
    Kind.CHOICE: _name_cell,
    Kind.STATUS: {phase: _text_cell(status.word) for phase, status in STATUSES.items()}.__getitem__,
    Kind.NUMBER: _number_cell,
    Kind.DECIMAL: _number_cell,
    Kind.MINUTES: _minutes_cell,
    Kind.FRACTION: _number_cell,
    Kind.YES_NO: (_text_cell("no"), _text_cell("yes")).__getitem__,
    Kind.ATTEMPTS: _count_cell,
}
"""How each kind of value is written, after a cell's position and format; moments by `moment_cell`."""
