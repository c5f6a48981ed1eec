"""One remedy for a line that is not TOML: what somebody meant, told from what stands there."""

import re

USUAL = "text stands in quotes, each key on its own line, and no key or table comes twice"

_SPACES = {
    "\u00a0": "a no-break space",
    "\u2007": "a figure space",
    "\u202f": "a narrow no-break space",
    "\u200b": "a zero-width space",
    "\u200c": "a zero-width character",
    "\u200d": "a zero-width character",
    "\u2060": "a zero-width character",
    "\ufeff": "a zero-width space",
    "\u3000": "an ideographic space",
}
_CURLY = str.maketrans(dict.fromkeys("“”„‟«»＂", '"') | dict.fromkeys("‘’‚‛＇", "'"))
_VALUE = r"^\s*[\w.\"'-]+\s*=\s*"
_UNITS = re.compile(_VALUE + r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-z%/][\w/%]*)\s*(?:#.*)?$")
_ZEROS = re.compile(_VALUE + r"(?P<number>[+-]?0+\d+)\s*(?:#.*)?$")
_COLON = re.compile(r"^\s*(?P<key>[\w.\"'-]+)\s*:\s*(?P<value>\S.*)$")
_BARE = re.compile(_VALUE + r"(?P<word>[A-Za-z][^\"'#=\[\]{}]*?)\s*(?:#.*)?$")
_DATE = re.compile(_VALUE + r"(?P<date>\d{4}-\d{2}-\d{2}\S*)")
_PYTHON = {"true": "true", "false": "false", "none": "", "null": "", "yes": "true", "no": "false"}
_SIZED = frozenset({"gb", "gib", "mb", "mib", "tb", "tib", "g", "m", "t"})


def remedy(text: str, line: int | None, message: str) -> str:
    """What to do about `message`, which the parser says of `line` (the first is 1) of a plan."""
    if (other := _another_format(text)) is not None:
        return other
    lines = text.split("\n")
    if line is None or not 0 < line <= len(lines):
        return USUAL
    return next((found for look in _LOOKS if (found := look(lines[line - 1], message))), USUAL)


def _another_format(text: str) -> str | None:
    """The remedy for a whole file in another language; None for one that may be TOML."""
    begins = text.lstrip()
    if begins.startswith("{"):
        return "this is JSON, and a plan is TOML: `migrator init PATH` writes one to start from"
    first = next((line for line in begins.split("\n") if line.strip() and not line.startswith("#")), "")
    if first.strip() == "---" or re.match(r"^(plan|images|targets|defaults|limits)\s*:\s*$", first):
        return "this is YAML, and a plan is TOML: `migrator init PATH` writes one to start from"
    return None


def _space(line: str, _message: str) -> str | None:
    for character, name in _SPACES.items():
        if character in line:
            at = line.index(character) + 1
            return f"column {at} holds {name} (U+{ord(character):04X}), perhaps pasted: type a plain space"
    return None


def _curly(line: str, _message: str) -> str | None:
    straight = line.translate(_CURLY)
    return None if straight == line else f"use straight quotes: {straight.strip()}"


def _backslash(line: str, message: str) -> str | None:
    if "\\" not in line or ("Unescaped" not in message and "Invalid hex value" not in message):
        return None
    found = re.search(r'"([^"]*)"?', line)
    if found is None:
        return None
    return f"text with a backslash stands in single quotes: '{found[1]}'"


def _colon(line: str, _message: str) -> str | None:
    found = _COLON.match(line)
    return f'use "=" and not ":": {found["key"]} = {found["value"].strip()}' if found else None


def _unit(line: str, _message: str) -> str | None:
    found = _UNITS.match(line)
    if found is None:
        return None
    if found["unit"].lower() in _SIZED:
        return f"write the number alone, {found['number']}; sizes of disks are in GB"
    return f'a value with a unit stands in quotes: "{found["number"]}{found["unit"]}"'


def _zeros(line: str, _message: str) -> str | None:
    found = _ZEROS.match(line)
    if found is None:
        return None
    return (
        f'a number does not begin with 0: write {int(found["number"])}, or "{found["number"]}" if it is text'
    )


def _date(line: str, message: str) -> str | None:
    found = _DATE.match(line)
    if found is None or "date" not in message.lower():
        return None
    return f"there is no moment {found['date']}: is the day in the calendar, and the hour below 24?"


def _bare(line: str, _message: str) -> str | None:
    found = _BARE.match(line)
    if found is None:
        return None
    word = found["word"]
    known = _PYTHON.get(word.lower())
    if known:
        return f"write {known}, in small letters"
    if known == "":
        return "leave the line out: a key without a value is not written"
    return f'text stands in quotes: "{word}"'


_LOOKS = (_space, _curly, _backslash, _date, _colon, _zeros, _unit, _bare)
"""In this order; the first that knows what is wrong says it."""
