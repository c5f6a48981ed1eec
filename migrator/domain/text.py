"""Text that people read: values as a plan writes them, on one line, and the closest of some known names."""

import json
import re
from collections.abc import Iterable
from functools import lru_cache

UNPRINTABLE = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""The inside of a character class: C0, DEL and C1, the two Unicode line ends, and what reverses the text
around it in a terminal or a report."""

SLUG = "[a-z0-9][a-z0-9._-]{0,62}"
"""Pattern of a name that is also the name of a folder, and part of keys."""

_WIDEST = 80
_LONGEST_NAME = 128


def escaped(text: str) -> str:
    """`text` with whatever could break a line or a terminal written as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""Control characters, line separators, and what turns the direction of a line (CVE-2021-42574)."""


def visible(text: str) -> str:
    """`text` on one line: everything that moves a cursor or hides something becomes an escape as in JSON."""
    return _UNSAFE.sub(_as_in_json, text)


def _as_in_json(found: re.Match[str]) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(found[0]) or f"\\u{ord(found[0]):04x}"


def shown(value: object) -> str:
    """A text, number, date or time as the plan writes it, shortened."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            text = value if len(value) <= _WIDEST else value[: _WIDEST - 1] + "…"
            return escaped(json.dumps(text, ensure_ascii=False))
        case int() if abs(value) >= 10**20:
            return "a number of more than 20 digits"
        case int() | float():
            return str(value)
        case _:
            return escaped(str(value))  # a date or a time


@lru_cache(maxsize=4096)
def _closest(name: str, known: tuple[str, ...]) -> str | None:
    if len(name) > _LONGEST_NAME:
        return None
    import difflib  # only for a word that nobody knows

    by_folded = {one.lower(): one for one in known}
    close = difflib.get_close_matches(name.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[close[0]] if close else None


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """A question that names the closest of `known`, or nothing when none is close."""
    closest = _closest(name, tuple(known)) if isinstance(name, str) else None
    return f"did you mean {shown(closest)}?" if closest is not None else ""


_STRETCHES = 8


def stretches(numbers: Iterable[int]) -> str:
    """Numbers, ascending, as a person lists them: "4 to 6, 9"; the first few of many."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number <= found[-1][1] + 1:
            found[-1][1] = max(number, found[-1][1])
        else:
            found.append([number, number])
    shown = [str(first) if first == last else f"{first} to {last}" for first, last in found[:_STRETCHES]]
    return ", ".join(shown + (["and more"] if len(found) > _STRETCHES else []))
