"""The template of the page as Jinja2 makes Python of it: when the program is built, or else in each process.

hatch_build.py reads this file by itself, so nothing is imported here but the standard library and Jinja2.
What was made at a build is used only where this process would make the very same: of this template, by this
Jinja2, with these settings.
"""

import hashlib
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment, Template

TEMPLATE = "migrator/reports/formats/html/report.html.j2"
"""Where it lies."""

MODULE = "migrator.reports.formats.html.compiled"
"""What a build makes of it, not in git."""

FILTERS = ("fragment", "iso", "label", "line", "segments", "span")
"""Filters of ours: Jinja2 refuses a template that has others."""


def environment(filters: Mapping[str, Callable[..., Any]]) -> "Environment":
    """What the page is made in. `filters` are those of FILTERS."""
    import jinja2

    made = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.filters |= {name: filters[name] for name in FILTERS}
    return made


def digest(inside: "Environment", source: str) -> str:
    """Of all that decides what Jinja2 makes of the template `source` in an environment: SHA-256 in hex."""
    settings = {name: value for name, value in vars(inside).items() if isinstance(value, str | bool | None)}
    names = (
        inside.undefined.__name__,
        sorted(inside.extensions),
        sorted(inside.filters),
        sorted(inside.tests),
    )
    facts = (version("jinja2"), sorted(settings.items()), names, source)
    return hashlib.sha256(repr(facts).encode("utf-8", "surrogatepass")).hexdigest()


def compiled(source: str) -> str:
    """A Python module of the template `source`, which says what it was made of."""
    inside = environment(dict.fromkeys(FILTERS, _absent))
    made = inside.compile(source, raw=True, defer_init=True)
    return f"# Made of report.html.j2 by hatch_build.py.\nMADE_OF = {digest(inside, source)!r}\n{made}\n"


def template(inside: "Environment", source: str) -> "Template":
    """The template `source` in an environment that `environment` made."""
    import jinja2

    try:
        built = vars(import_module(MODULE))
    except ImportError:  # a checkout that was not built, or made for a Jinja2 that has other names
        built = {}
    if built.get("MADE_OF") != digest(inside, source):
        return inside.from_string(source)
    return jinja2.Template.from_module_dict(inside, built, inside.make_globals(None))


def _absent(*_: object) -> None:
    """Stands for a filter while a template is compiled: what it makes of a constant is left to the page."""
    raise LookupError
