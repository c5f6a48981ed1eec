"""The JSON Schema of what `migrator run --json` writes: one object a line."""

from inspect import cleandoc
from typing import Any

from msgspec.json import schema_components

from migrator.workflow.events import EVENTS

_TEXT = {"type": "string"}
_CODE = {"type": "integer", "description": "What the shell gets."}
_OTHERS: dict[str, dict[str, Any]] = {
    "Preflight": {
        "description": "What preflight found before the start; only where it found something.",
        "properties": {"preflight": {"type": "object"}},
        "required": ["preflight"],
    },
    "LeftOut": {
        "description": "Stands for lines that were left out here, because nobody read them in time; the "
        "journal has their events.",
        "properties": {"left_out": {"type": "integer", "description": "How many."}},
        "required": ["left_out"],
    },
    "Ending": {
        "description": "The last line of a run that came to an end.",
        "properties": {
            "reason": _TEXT,
            "exit_code": _CODE,
            "reports": {"type": "array", "items": _TEXT, "description": "Paths of the files."},
        },
        "required": ["reason", "exit_code", "reports"],
    },
    "Error": {
        "description": "The last line of a run that could not go on.",
        "properties": {
            "error": _TEXT,
            "hint": _TEXT,
            "exit_code": _CODE,
            "problems": {"type": "array", "items": _TEXT, "description": "Of a plan that is not valid."},
        },
        "required": ["error", "hint", "exit_code"],
    },
}
"""Lines that are no events of the journal."""


def events_schema() -> dict[str, Any]:
    """JSON Schema of one line.

    A line about an event names its kind under `event`; a field that holds its default is left out. Later
    versions may add fields and kinds of events, so a reader should pass over what it does not know.
    """
    found, definitions = schema_components(EVENTS, ref_template="#/$defs/{name}")
    lines = list(found)
    for shape in definitions.values():
        if "description" in shape:
            shape["description"] = cleandoc(shape["description"])
    for kind in EVENTS:
        name = kind.__name__
        shape = definitions[name]
        shape["properties"] = {"event": {"const": name}} | shape["properties"]
        shape["required"] = ["event", *shape["required"]]
    for name, shape in _OTHERS.items():
        lines.append({"$ref": f"#/$defs/{name}"})
        definitions[name] = {"title": name, "type": "object"} | shape
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of migrator run --json",
        "oneOf": lines,
        "$defs": definitions,
    }
