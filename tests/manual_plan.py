"""The manual's page about the tables of a plan, made from its schema; `tests/manual.py` writes it."""

import json
from collections.abc import Iterator
from typing import Any

from migrator.plan import plan_schema

_ELSEWHERE = {"images", "defaults"}
"""Tables whose keys have a page of their own."""


_PLAIN = {"string": "text", "boolean": "true or false", "integer": "whole number", "object": "table"}


def plan_tables() -> str:
    """Every table of a plan but those of images, as Markdown."""
    schema = plan_schema()
    tables = {name: table for name, table in schema["properties"].items() if name not in _ELSEWHERE}
    parts = "\n".join(part for name, table in tables.items() for part in _table(name, table, schema["$defs"]))
    return f"""\
# Tables of a plan

Made from the schema of plans (`migrator schema`): what a plan may say beside its images, whose keys are
[a page of their own](plan-keys.md). Durations are written `250ms`, `90s`, `1h30m`; rates `2/s`, `60/m`,
`500/h`. [What to change when](tuning.md).

{parts}"""


def _table(name: str, table: dict[str, Any], known: dict[str, Any]) -> Iterator[str]:
    for reference in dict.fromkeys(_references(table)):
        shape = known[reference]
        says = shape.get("description") or table.get("description", "")
        required = shape.get("required", ())
        rows = "".join(
            f"| {' | '.join(map(_escaped, _row(key, value, key in required, known)))} |\n"
            for key, value in shape["properties"].items()
        )
        yield (
            f"## {_heading(name, table)}\n\n{says}\n\n"
            f"| key | holds | when absent | meaning |\n|---|---|---|---|\n{rows}"
        )


def _heading(name: str, table: dict[str, Any]) -> str:
    if table.get("type") == "array":
        return f"`[[{name}]]`"
    return f"`[{name}.NAME]`" if "patternProperties" in table else f"`[{name}]`"


def _references(part: Any) -> Iterator[str]:
    """The tables that a part of the schema is made of."""
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"].removeprefix("#/$defs/")
        for inside in part.values():
            yield from _references(inside)
    elif isinstance(part, list):
        for inside in part:
            yield from _references(inside)


def _row(key: str, value: dict[str, Any], required: bool, known: dict[str, Any]) -> tuple[str, ...]:
    default = f"`{json.dumps(value['default'], ensure_ascii=False)}`" if "default" in value else ""
    absent = "needed" if required else default
    return f"`{key}`", _holds(value, known), absent, value.get("description", "")


def _holds(value: dict[str, Any], known: dict[str, Any]) -> str:
    """A rule in a few words; what else a pattern asks for is said by whoever refuses a value."""
    match value:
        case {"$ref": str(reference)}:
            shape = known[reference.removeprefix("#/$defs/")]
            return _holds(shape, known) if "enum" in shape else "table"
        case {"anyOf": [*shapes]}:
            return " or ".join(_holds(shape, known) for shape in shapes)
        case {"enum": [*words]}:
            return ", ".join(f"`{json.dumps(word, ensure_ascii=False)}`" for word in words)
        case {"format": "date-time"}:
            return "moment with a zone"
        case {"pattern": str(pattern)} if pattern.startswith(r"^(\d+(\.\d+)?(ms|"):
            return "duration"
        case {"pattern": str(pattern)} if pattern.endswith("/(s|m|h)$"):
            return "rate"
        case {"type": "string", "examples": [str(example), *_]}:
            return f"text, as in `{json.dumps(example, ensure_ascii=False)}`"
        case {"type": "integer", "minimum": least, "maximum": most}:
            return f"whole number, {least} to {most}"
        case {"type": "integer", "minimum": least}:
            return f"whole number from {least}"
        case {"type": "array"}:
            return "list"
        case _:
            return _PLAIN.get(value.get("type", ""), "value")


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|").replace("<", "&lt;").replace(">", "&gt;")
