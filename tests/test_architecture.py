"""Who may import whom: the table of ARCHITECTURE.md, held against every import of every module."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "migrator"

EVERYONE = frozenset(
    {"engine", "edges", "clouds", "render", "simulator", "ports", "core", "model", "errors", "collector"}
)

MAY_IMPORT: dict[str, frozenset[str]] = {
    "__main__": frozenset({"cli"}),
    "cli": EVERYONE,
    "engine": frozenset({"ports", "core", "model", "errors"}),
    "edges": frozenset({"ports", "core", "model", "errors", "collector"}),
    "clouds": frozenset({"ports", "core", "model", "errors"}),
    "render": frozenset({"core", "model", "errors"}),
    "simulator": frozenset({"model", "errors", "clouds.codes"}),
    "ports": frozenset({"core", "model", "errors"}),
    "core": frozenset({"model", "errors", "collector"}),
    "errors": frozenset({"model"}),
    "model": frozenset(),
    "collector": frozenset(),
    "__init__": frozenset(),
}
"""By room: the rooms (or single modules) that it may import beside itself. The version is everybody's."""

NEVER: dict[str, frozenset[str]] = {
    "clouds": frozenset({"aiohttp"}),
    "core": frozenset({"asyncio", "anyio", "aiohttp", "sqlite3", "time", "os", "pathlib"}),
}
"""By room: packages from outside that would let the world in."""

STRANGERS = frozenset({"edges"})
"""Rooms whose files (or folders) do not import each other either."""


def imports(source: str, module: str) -> Iterator[tuple[int, str]]:
    """(line, full dotted name) of all that `source` imports, wherever in it, relative names resolved."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=origin, names=names, level=level):
                # A package's own name stands for its __init__, so `module` ends in it for packages.
                base = module.split(".")[: -level or None] if level else []
                prefix = ".".join([*base, *([origin] if origin else [])])
                yield from ((node.lineno, f"{prefix}.{alias.name}") for alias in names)
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module"), args=[ast.Constant(value=str(name)), *_]
            ):
                yield node.lineno, name
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_]):
                yield node.lineno, name


def trespasses(source: str, module: str) -> list[str]:
    """What `module` (dotted, "….__init__" for a package) imports although the table says no."""
    room, *inner = module.removeprefix("migrator.").split(".")
    found = []
    for line, name in imports(source, module):
        top, *rest = name.split(".")
        if top != "migrator":
            wrong = top in NEVER.get(room, ())
        elif not rest or rest[0] == "__version__":
            wrong = False
        elif rest[0] == room:
            wrong = room in STRANGERS and bool(inner) and rest[1:2] != inner[:1]
        else:
            allowed = MAY_IMPORT[room]
            wrong = not any(
                name == f"migrator.{one}" or name.startswith(f"migrator.{one}.") for one in allowed
            )
        if wrong:
            found.append(f"{module}:{line} imports {name}")
    return found


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


def test_nobody_imports_what_the_table_does_not_allow():
    found = [wrong for module, path in modules() for wrong in trespasses(path.read_text("utf-8"), module)]

    assert found == []


def test_every_module_lives_in_a_room_of_the_table():
    rooms = {module.split(".")[1] for module, _ in modules()}

    assert rooms <= set(MAY_IMPORT)
    assert rooms >= {
        "cli",
        "engine",
        "edges",
        "clouds",
        "render",
        "simulator",
        "core",
        "ports",
        "model",
        "errors",
    }


def test_the_map_in_architecture_md_is_this_table():
    section = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition("## Who may import whom\n")[2]
    table = section.partition("\n## ")[0]
    rows = re.findall(r"^    (\w+) +→ +(.+?)(?: {2,}(.+)| and nobody.*)?$", table, re.MULTILINE)
    meaning = {"everyone": EVERYONE, "nobody": frozenset[str]()}
    drawn = {room: meaning.get(may) or frozenset(may.split(", ")) - {"nobody"} for room, may, _ in rows}
    never = {room: set(re.findall(r"\w+", remark.partition(":")[0])) - {"never"} for room, _, remark in rows}

    assert drawn == {room: may for room, may in MAY_IMPORT.items() if not room.startswith("__")}
    for room, packages in NEVER.items():
        assert never[room] == packages


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param("migrator.core.bucket", "import time", id="core reads a clock"),
        pytest.param("migrator.core.bucket", "import os.path", id="a part of a banned package"),
        pytest.param("migrator.core.bucket", "from asyncio import sleep", id="from a banned package"),
        pytest.param("migrator.core.plan.forms", "from pathlib import Path", id="deep inside core"),
        pytest.param("migrator.core.plan.__init__", "import anyio", id="a package's own file"),
        pytest.param("migrator.core.bucket", "def f():\n    import sqlite3", id="inside a function"),
        pytest.param(
            "migrator.core.bucket", "if TYPE_CHECKING:\n    import aiohttp", id="for the types only"
        ),
        pytest.param("migrator.core.bucket", "import math, time", id="second in its line"),
        pytest.param(
            "migrator.core.bucket", "import importlib\nimportlib.import_module('os')", id="by its name"
        ),
        pytest.param("migrator.core.bucket", "__import__('os')", id="by its name, bare"),
        pytest.param("migrator.core.ledger", "from migrator.ports import Clock", id="core asks the world"),
        pytest.param("migrator.core.ledger", "from migrator import ports", id="a module from the package"),
        pytest.param("migrator.core.ledger", "import migrator.engine.run as r", id="under another name"),
        pytest.param("migrator.core.ledger", "from ..edges import clock", id="a relative import"),
        pytest.param(
            "migrator.core.plan.__init__", "from ...edges import clock", id="relative from a package"
        ),
        pytest.param("migrator.core.ledger", "from .. import engine", id="relative, the room itself"),
        pytest.param("migrator.clouds.ims", "import aiohttp", id="a cloud with a client of its own"),
        pytest.param(
            "migrator.clouds.ims", "from migrator.edges.http import AioHttp", id="a cloud picks its edge"
        ),
        pytest.param(
            "migrator.engine.run", "from migrator.clouds.ims import Ims", id="the engine picks a cloud"
        ),
        pytest.param(
            "migrator.engine.run", "from migrator.edges.clock import SystemClock", id="… or a clock"
        ),
        pytest.param(
            "migrator.edges.http", "from migrator.edges.clock import SystemClock", id="edge to edge"
        ),
        pytest.param(
            "migrator.edges.http", "from migrator.edges import clock", id="edge to edge, as a module"
        ),
        pytest.param("migrator.edges.http", "from . import clock", id="edge to edge, relative"),
        pytest.param(
            "migrator.edges.http", "from .journal.store import Store", id="edge into an edge's folder"
        ),
        pytest.param(
            "migrator.edges.journal.store", "from migrator.edges.http import AioHttp", id="and out of it"
        ),
        pytest.param(
            "migrator.render.as_csv", "from migrator.ports import Clock", id="render asks the world"
        ),
        pytest.param(
            "migrator.simulator.server", "from migrator.core.bucket import Bucket", id="a shared mistake"
        ),
        pytest.param("migrator.simulator.server", "from migrator.clouds import ims", id="another cloud file"),
        pytest.param("migrator.simulator.server", "from migrator.clouds import *", id="all of them"),
        pytest.param("migrator.simulator.server", "import migrator.clouds", id="the room"),
        pytest.param(
            "migrator.ports", "from migrator.edges.http import AioHttp", id="a socket knows its plug"
        ),
        pytest.param("migrator.model", "from migrator.errors import UsageError", id="the nouns know errors"),
        pytest.param("migrator.engine.run", "from migrator.cli import app", id="somebody imports cli"),
        pytest.param("migrator.edges.log", "import migrator.cli", id="somebody imports cli whole"),
    ],
)
def test_a_forbidden_import_is_found(module, source):
    assert len(trespasses(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        pytest.param(
            "migrator.core.ledger", "from migrator.core.lifecycle import Event", id="in the same room"
        ),
        pytest.param("migrator.core.ledger", "from .lifecycle import Event", id="in the same room, relative"),
        pytest.param("migrator.core.plan.__init__", "from .forms import Form", id="a package and its files"),
        pytest.param("migrator.core.plan.forms", "from ..ledger import Ledger", id="up, but not out"),
        pytest.param("migrator.core.ledger", "import timeit, osmium", id="a name that only begins alike"),
        pytest.param(
            "migrator.edges.journal.store", "from migrator.edges.journal.codec import x", id="one edge"
        ),
        pytest.param("migrator.edges.journal.store", "from .codec import x", id="one edge, relative"),
        pytest.param("migrator.edges.http", "from migrator import __version__", id="the version"),
        pytest.param("migrator.simulator.server", "from migrator.clouds.codes import CODES", id="the codes"),
        pytest.param(
            "migrator.simulator.server", "from migrator.clouds import codes", id="the codes' module"
        ),
        pytest.param("migrator.errors", "from migrator.model import Fault", id="errors carry faults"),
        pytest.param(
            "migrator.cli.app", "from migrator.edges.http import AioHttp", id="cli builds the parts"
        ),
        pytest.param("migrator.__main__", "from migrator.cli.app import main", id="the front door"),
    ],
)
def test_an_allowed_import_is_not_found(module, source):
    assert trespasses(source, module) == []


# --- Mappings as keyword arguments ----------------------------------------------------------------------

SPREAD = {
    ("migrator.cli.common", "Look"): "the common options, by the names of their own table",
    ("migrator.cli.common", "function"): "a command's parameters, by the names of its own signature",
    ("migrator.clouds.codes", "_row"): "members of a row, written in the same file",
    ("migrator.clouds.codes", "replace"): "members of a row, written in the same file",
    ("migrator.core.diff", "Difference"): "groups of keys, by the names of their own table",
    ("migrator.core.plan.__init__", "Plan"): "keys of [plan] that the schema let through",
    ("migrator.core.plan.images", "Image"): "keys of an image that the schema let through",
    ("migrator.core.plan.targets", "Target"): "the three endpoints",
}
"""Who spreads a mapping into keyword arguments of what, and why its names can be none from outside.

A name from outside may be one that the function has given to a parameter of its own, `self` first of all.
"""


def spreads(source: str) -> Iterator[tuple[int, str]]:
    """(line, callee) of each call with `**mapping`; names that are written down in the call are our own."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        for word in node.keywords:
            written = isinstance(word.value, ast.Dict) and None not in word.value.keys
            if word.arg is None and not written:
                yield node.lineno, ast.unparse(node.func)


def test_no_mapping_with_names_from_outside_becomes_keyword_arguments():
    positional_only = {  # its parameters cannot be meant by a name
        ("migrator.edges.log", "getattr(self, name)"),
    }
    found = {
        (module, callee): f"{module}:{line}"
        for module, path in modules()
        for line, callee in spreads(path.read_text("utf-8"))
    }

    assert set(found) - positional_only == set(SPREAD), found


def test_a_mapping_that_is_spread_is_seen():
    source = "f(**x)\ng(a=1, **{'for': 1})\nh(**{**x, 'a': 1})\ni(*x)\n{**x}\n"

    assert list(spreads(source)) == [(1, "f"), (3, "h")]
