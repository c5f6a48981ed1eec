"""The pages of the manual that are written from tables of the program.

    python -m tests.manual      writes them again

`tests/test_manual.py` holds that nobody forgot to.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from migrator.domain.image import ImageType
from migrator.ims.fields import FIELDS, Field
from migrator.plan.forms import IMAGE_KEYS
from tests.manual_columns import column_manual

DOCS = Path(__file__).parent.parent / "docs"


def plan_keys() -> str:
    """Every key that an image may have in a plan."""
    rows = "".join(f"| {' | '.join(map(_escaped, _row(field)))} |\n" for field in FIELDS)
    return f"""\
# Keys of an image

What an image may say in `[[images]]`, in `[defaults]` and as a column of an inventory. `plans/full.toml`
shows all of it in use, and `migrator schema` lets editors complete and check it. "Sent as" is the name in the
request to the image service; what is never sent is for this program alone.

| Key | Holds | Meaning | Example | Disks | Needed | In `[defaults]` | Column of an inventory | Sent as |
|---|---|---|---|---|---|---|---|---|
{rows}"""


def _row(field: Field) -> list[str]:
    kinds = [kind.value for kind in ImageType if kind in field.kinds]
    default = "" if field.default is None else f", then {_toml(field.default)}"
    return [
        f"`{field.key}`",
        _holds(TypeAdapter(IMAGE_KEYS[field.key]).json_schema()),
        field.meaning,
        f"`{_toml(field.example)}`",
        "all" if len(kinds) == len(ImageType) else ", ".join(kinds),
        "yes" if field.required else f"no{default}",
        "no" if field.own else "yes",
        f"`{field.column}.NAME`" if field.column else f"`{field.key}`",
        f"`{field.sent.name}`"
        if field.sent
        else f"with `{field.resolved}`"
        if field.resolved
        else "never sent",
    ]


def _holds(schema: dict[str, Any]) -> str:
    """A rule in a few words; what else a pattern asks for is said by whoever refuses a value."""
    match schema:
        case {"enum": [*words, last]}:
            return f"{', '.join(map(_toml, words))} or {_toml(last)}"
        case {"type": "integer", "minimum": least, "maximum": most}:
            return f"whole number, {least} to {most}"
        case {"type": "array", "maxItems": most}:
            return f"list of at most {most} texts"
        case {"type": "object", "maxProperties": most}:
            return f"table of at most {most} texts"
        case {"type": "string", "maxLength": most}:
            return f"text, {schema.get('minLength', 0)} to {most} characters"
        case _:
            return {"string": "text", "integer": "whole number", "boolean": "true or false"}[schema["type"]]


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(part)}' for key, part in value.items())} }}"
    return json.dumps(value, ensure_ascii=False)


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|").replace("<", "&lt;").replace(">", "&gt;")


PAGES = {"plan-keys.md": plan_keys, "report-columns.md": column_manual}
"""By file in `docs/`: who writes it."""


if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
