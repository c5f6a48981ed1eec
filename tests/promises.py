"""What others build on, and may not break before version 2: names and schemas, as the program now has them.

    python -m tests.promises    writes tests/kept/promises.json again: at a release, for what is new

docs/upgrades.md says it in words; `tests/test_promises.py` holds the program to what is kept.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from migrator.cli.app import app
from migrator.cli.schemas import SCHEMAS, schema_of
from migrator.reports.formats import FORMATS, IDS
from migrator.reports.metrics import METRICS

KEPT = Path(__file__).parent / "kept" / "promises.json"

COMMANDS = Path(__file__).parents[1] / "docs" / "commands.md"
"""Has every exit code; `tests/test_readme.py` compares."""

READ = {"plan"}
"""Schemas of what the program reads; of all others it is the writer."""

Schema = dict[str, Any]


def promised() -> dict[str, Any]:
    """What the program has now."""
    return {
        "commands": {name: sorted(options) for name, options in _commands()},
        "exit codes": re.findall(r"(?m)^\| (\d+) \|", COMMANDS.read_text(encoding="utf-8")),
        "formats": sorted([*FORMATS, *IDS]),
        "metrics": {row.name: [row.kind, *sorted(row.labels)] for row in METRICS},
        "schemas": {name: schema_of(name) for name in SCHEMAS},
    }


def _commands() -> Iterator[tuple[str, list[str]]]:
    for name, command in app.commands.items():
        for inner, one in getattr(command, "commands", {"": command}).items():
            words = [word for param in one.params for word in param.opts if word.startswith("-")]
            yield f"{name} {inner}".strip(), words


def broken(kept: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Each promise of `kept` that does not hold, by its name."""
    said = [f"{kind}: {name} is gone" for kind in kept for name in kept[kind] if name not in now[kind]]
    for name, options in kept["commands"].items():
        missing = set(options) - set(now["commands"].get(name, options))
        said += [f"{name} {option} is gone" for option in sorted(missing)]
    for name, shape in kept["metrics"].items():
        if now["metrics"].get(name, shape) != shape:
            said.append(f"{name} has other labels, or is of another kind")
    for name, schema in kept["schemas"].items():
        if name in now["schemas"]:
            new = now["schemas"][name]
            said += _differences(name, (schema, schema), (new, new), reads=name in READ)
    return said


def _differences(
    path: str, old: tuple[Schema, Schema], new: tuple[Schema, Schema], *, reads: bool, depth: int = 0
) -> Iterator[str]:
    """What of one part, a pair of itself and its document, no longer fits those who built on it.

    Of what is written nothing goes, is left out, or becomes of another type; of what is read nothing is
    refused that was taken.
    """
    (before, old_root), (after, new_root) = _followed(*old), _followed(*new)
    if depth > 12:
        return  # schemas that hold themselves
    narrow, wide = (before, after) if reads else (after, before)
    if "type" in wide and not _types(narrow) <= _types(wide):
        yield f"{path}: was {sorted(_types(before))}, is {sorted(_types(after))}"
    if before.get("const") != after.get("const") and not reads:
        yield f"{path}: was {before.get('const')!r}, is {after.get('const')!r}"
    if reads and "enum" in after and not set(before.get("enum", ["anything"])) <= set(after["enum"]):
        yield f"{path}: takes less than {before.get('enum', 'anything')}"
    needed = (after, before) if reads else (before, after)
    for name in sorted(set(needed[0].get("required", [])) - set(needed[1].get("required", []))):
        yield f"{path}.{name}: " + ("has to be there now" if reads else "may be missing now")
    inner = {name: after.get("properties", {}).get(name) for name in before.get("properties", {})}
    for name, member in inner.items():
        if member is None:
            yield f"{path}.{name}: is gone"
        else:
            pair = (before["properties"][name], old_root), (member, new_root)
            yield from _differences(f"{path}.{name}", *pair, reads=reads, depth=depth + 1)
    for key in ("items", "additionalProperties"):
        if isinstance(before.get(key), dict) and isinstance(after.get(key), dict):
            pair = (before[key], old_root), (after[key], new_root)
            yield from _differences(f"{path}[]", *pair, reads=reads, depth=depth + 1)
    for name in sorted(before.get("$defs", {}).keys() & after.get("$defs", {}).keys()):
        pair = (before["$defs"][name], old_root), (after["$defs"][name], new_root)
        yield from _differences(f"{path}#{name}", *pair, reads=reads, depth=depth + 1)


def _followed(part: Schema, root: Schema) -> tuple[Schema, Schema]:
    """The part that a reference leads to."""
    while "$ref" in part:
        part = root["$defs"][part["$ref"].rsplit("/", 1)[1]]
    return part, root


def _types(part: Schema) -> set[str]:
    found = part.get("type", [])
    return {found} if isinstance(found, str) else set(found)


if __name__ == "__main__":
    KEPT.write_text(
        json.dumps(promised(), indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8"
    )
