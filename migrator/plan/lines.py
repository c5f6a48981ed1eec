"""Where in the text of a TOML file a key stands. Only asked when there is something to complain about.

tomli says where a syntax error is, but nothing about the keys of a file that it could read. So this reads the
text again: table headers in one sweep, and the keys of a table when somebody asks about that table. It trusts
the text to be valid TOML; on anything odd it answers with the nearest place that it knows.
"""

import re
from collections.abc import Iterator

Where = tuple[str | int, ...]
"""The way to a value: table names, keys, and positions in lists, from 0."""

_STRINGS = (
    r'"""(?:[^\\"]|\\.|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)
_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_KEY = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = rf"^[ \t]*(?P<open>\[\[?)[ \t]*(?P<key>{_KEY})[ \t]*\]\]?[ \t]*\r?(?:#.*)?$"

_HEADERS = re.compile(_HEADER, re.MULTILINE)
_HEADERS_BETWEEN_STRINGS = re.compile(rf"(?:{_HEADER})|(?s:{_STRINGS})|#[^\n]*", re.MULTILINE)
_PARTS = re.compile(_PART)
_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_ASSIGNED = re.compile(rf"(?P<key>{_KEY})[ \t]*=[ \t]*")
_STRING = re.compile(rf"(?s:{_STRINGS})")
_SCALAR = re.compile(r"[^,\]\}\n#]*")
_ESCAPE = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([btnfre"\\]))')
_DEEPEST = 50


class Lines:
    """Line numbers of one file."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._sections: dict[Where, list[tuple[int, int]]] = {}
        """Beginning and end of what each header is followed by."""
        self._offsets: dict[Where, int] = {}
        self._read: set[Where] = set()
        self._marks: list[tuple[int, int]] = [(0, 1)]
        """Offsets and their line numbers, ascending, one for each header."""
        self._find_headers()

    def has(self, where: Where) -> bool:
        """Whether exactly this key, table or entry is written in the file."""
        self._read_on_the_way(where)
        return where in self._offsets

    def line(self, where: Where) -> int | None:
        """The line of a key, or else of the closest table around it; 1 is the first line."""
        offset = self._offset(where)
        return None if offset is None else self._number(offset)

    def column(self, where: Where) -> int | None:
        """Its place in that line; 1 is the first."""
        offset = self._offset(where)
        return None if offset is None else offset - self._text.rfind("\n", 0, offset)

    def _offset(self, where: Where) -> int | None:
        self._read_on_the_way(where)
        for length in range(len(where), 0, -1):
            if (offset := self._offsets.get(where[:length])) is not None:
                return offset
        return None

    def _number(self, offset: int) -> int:
        low, high = 0, len(self._marks)
        while high - low > 1:
            middle = (low + high) // 2
            if self._marks[middle][0] <= offset:
                low = middle
            else:
                high = middle
        start, number = self._marks[low]
        return number + self._text.count("\n", start, offset)

    def _find_headers(self) -> None:
        text = self._text
        long_strings = '"""' in text or "'''" in text  # only then can a header's look-alike hide in a string
        tables: dict[Where, int] = {}
        here: Where = ()
        began = 0
        for found in (_HEADERS_BETWEEN_STRINGS if long_strings else _HEADERS).finditer(text):
            if found["key"] is None:
                continue
            self._sections.setdefault(here, []).append((began, found.start()))
            parts = _parts(found["key"])
            here = ()
            for position, part in enumerate(parts):
                here = (*here, part)
                if position == len(parts) - 1 and found["open"] == "[[":
                    tables[here] = tables.get(here, -1) + 1
                    self._offsets.setdefault(here, found.start("open"))
                if here in tables:
                    here = (*here, tables[here])
                self._offsets.setdefault(here, found.start("open"))
            last, number = self._marks[-1]
            self._marks.append((found.start("open"), number + text.count("\n", last, found.start("open"))))
            began = found.end()
        self._sections.setdefault(here, []).append((began, len(text)))

    def _read_on_the_way(self, where: Where) -> None:
        for length in range(len(where) + 1):
            part = where[:length]
            if part in self._sections and part not in self._read:
                self._read.add(part)
                for start, end in self._sections[part]:
                    for found, offset in _keys(self._text, start, end, part):
                        self._offsets.setdefault(found, offset)


def _parts(key: str) -> tuple[str, ...]:
    return tuple(_plain(part) for part in _PARTS.findall(key))


def _plain(part: str) -> str:
    if part[0] == "'":
        return part[1:-1]
    if part[0] == '"':
        return _ESCAPE.sub(_unescaped, part[1:-1])
    return part


def _unescaped(found: re.Match[str]) -> str:
    code = found[1] or found[2]
    if code:
        return chr(min(int(code, 16), 0x10FFFF))
    return {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}.get(found[3], found[3])


def _keys(text: str, start: int, end: int, where: Where) -> Iterator[tuple[Where, int]]:
    """Every key between two offsets, with what stands inside its value."""
    position = start
    while True:
        position = _after(_SPACE, text, position, end)
        assigned = _ASSIGNED.match(text, position, end)
        if assigned is None:
            return
        found: list[tuple[Where, int]] = []
        position = _key_and_value(text, assigned, end, where, found, 0)
        yield from found


def _key_and_value(
    text: str, assigned: re.Match[str], end: int, where: Where, found: list[tuple[Where, int]], depth: int
) -> int:
    for part in _parts(assigned["key"]):
        where = (*where, part)
        found.append((where, assigned.start()))
    return _value(text, assigned.end(), end, where, found, depth)


def _value(
    text: str, position: int, end: int, where: Where, found: list[tuple[Where, int]], depth: int
) -> int:
    """Note what stands inside the value that begins at `position`, and return where it ends."""
    if depth > _DEEPEST or position >= end:
        return end
    if text[position] not in "[{":
        string = _STRING.match(text, position, end)
        return string.end() if string else _after(_SCALAR, text, position, end)
    closing = "]" if text[position] == "[" else "}"
    position += 1
    index = 0
    while True:
        position = _after(_SPACE, text, position, end)
        if position >= end:
            return end
        if text[position] == closing:
            return position + 1
        if text[position] == ",":
            position += 1
            continue
        before = position
        if closing == "]":
            found.append(((*where, index), position))
            position = _value(text, position, end, (*where, index), found, depth + 1)
            index += 1
        else:
            assigned = _ASSIGNED.match(text, position, end)
            if assigned is None:
                return end
            position = _key_and_value(text, assigned, end, where, found, depth + 1)
        if position <= before:
            return end


def _after(pattern: re.Pattern[str], text: str, position: int, end: int) -> int:
    found = pattern.match(text, position, end)
    return found.end() if found else position
