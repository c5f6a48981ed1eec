"""What a plan file is called, read without its images: a large one takes seconds to read whole."""

import re
from pathlib import Path
from typing import NamedTuple

import tomli

from migrator.domain.errors import MigratorError
from migrator.domain.text import SLUG
from migrator.domain.zone import Zone, zone
from migrator.io.files import read_plan_bytes
from migrator.io.machine_zone import machine_zone

_NAME = re.compile(SLUG).fullmatch
_FIRST_LIST = re.compile(r"^[ \t]*\[\[", re.MULTILINE)


class PlanHead(NamedTuple):
    """What there is to know of a plan before its images."""

    name: str
    zone: Zone
    """Of its times."""


def plan_head(path: Path) -> PlanHead | None:
    """What comes before the images; None where anything is unclear: the whole plan says what is wrong."""
    try:
        text = read_plan_bytes(str(path)).decode()
        # Images and waves are lists of tables, and come last. Where this cuts a text in two, it is no TOML.
        first = _FIRST_LIST.search(text)
        table = tomli.loads(text[: first.start()] if first else text).get("plan")
        name, named = (table["name"], table.get("timezone")) if isinstance(table, dict) else (None, None)
        known = machine_zone() if named is None else zone(named)
    except (tomli.TOMLDecodeError, UnicodeDecodeError, MigratorError, ValueError, KeyError, TypeError):
        return None
    # It becomes a path: what a plan may not be called leads nowhere.
    return PlanHead(name, known) if isinstance(name, str) and _NAME(name) else None
