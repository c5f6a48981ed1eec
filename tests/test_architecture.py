"""The map's rules, held against the code: who may import whom, no circles, small pieces, plain names."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "migrator"

MAY_IMPORT: dict[str, frozenset[str]] = {
    "__main__": frozenset({"cli"}),
    "cli": frozenset(
        {
            "serving",
            "engine",
            "simulator",
            "reports",
            "journal.port",
            "journal.stores",
            "journal.codec",
            "journal.postgres",
            "io",
            "preflight",
            "pacing",
            "workflow",
            "plan",
            "ims",
            "domain",
        }
    ),
    "serving": frozenset(
        {"reports", "journal.port", "journal.stores", "journal.postgres", "workflow", "domain"}
    ),
    "engine": frozenset({"journal.port", "preflight", "pacing", "workflow", "domain"}),
    "simulator": frozenset({"ims.error_codes", "domain.units"}),
    "reports": frozenset({"preflight", "pacing", "workflow", "domain"}),
    "journal": frozenset({"workflow", "domain"}),
    "io": frozenset({"domain"}),
    "preflight": frozenset({"workflow", "ims.methods", "ims.os_versions", "domain"}),
    "pacing": frozenset({"workflow", "domain"}),
    "workflow": frozenset({"ims.fields", "domain"}),
    "plan": frozenset({"ims.clouds", "ims.fields", "ims.methods", "ims.os_versions", "domain"}),
    "ims": frozenset({"domain"}),
    "domain": frozenset(),
    "__init__": frozenset(),
}
"""By room, the highest first: what it may import beside itself, rooms or parts of one.

A room imports only what stands below it. The version (`migrator/__init__.py`) is everybody's.
"""

STRANGERS = frozenset({"io"})
"""Rooms whose files do not import each other either."""

WORLD = frozenset(
    {
        "aiohttp",
        "anyio",
        "asyncio",
        "multiprocessing",
        "os",
        "pathlib",
        "select",
        "shutil",
        "signal",
        "socket",
        "sqlite3",
        "ssl",
        "subprocess",
        "tempfile",
        "threading",
        "time",
    }
)
"""Packages through which clocks, files, sockets, threads and other tasks come in."""

PURE = frozenset(
    {"domain", "ims", "plan", "workflow", "pacing", "preflight", "reports", "engine", "simulator"}
)
"""Rooms that import nothing of the world, but for what `OPENINGS` lists."""

OPENINGS: dict[str, frozenset[str]] = {
    "domain.ports": frozenset({"anyio"}),  # the type of an event, in the promise of Clock.wait
    "ims.identity": frozenset({"anyio"}),  # a lock: however many tasks need a new token, one asks for it
    "engine": frozenset({"anyio"}),  # the task group of a run
    "simulator.server": frozenset({"aiohttp", "asyncio", "ssl", "time"}),  # the only real socket there
    "simulator.validate": frozenset({"pathlib"}),  # reads the list of operating systems beside it
}
"""By room or module."""


# --- Imports --------------------------------------------------------------------------------------------


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


def within(name: str, place: str) -> bool:
    """Whether a dotted name is a place, or lies in it."""
    return name == place or name.startswith(f"{place}.")


def trespasses(source: str, module: str) -> list[str]:
    """What `module` (dotted, "….__init__" for a package) imports although the table says no."""
    inside = module.removeprefix("migrator.")
    room, *inner = inside.split(".")
    opened = {package for place, some in OPENINGS.items() if within(inside, place) for package in some}
    found = []
    for line, name in imports(source, module):
        top, *rest = name.split(".")
        if top != "migrator":
            wrong = room in PURE and top in WORLD - opened
        elif not rest or rest[0] == "__version__":
            wrong = False
        elif rest[0] == room:
            wrong = room in STRANGERS and bool(inner) and rest[1:2] != inner[:1]
        else:
            wrong = not any(within(name, f"migrator.{place}") for place in MAY_IMPORT[room])
        if wrong:
            found.append(f"{module}:{line} imports {name}")
    return found


@cache
def sources() -> dict[str, str]:
    """What stands in each module, by its dotted name."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text("utf-8")
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.parent.name != "html"  # what a build made of a template
    }


def module_of(name: str, modules: Iterable[str]) -> str | None:
    """The file that an imported name comes from: it may be a module, or something that one defines."""
    known, parts = set(modules), name.split(".")
    places = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    files = (file for place in places for file in (place, f"{place}.__init__"))
    return next((file for file in files if file in known), None)


def arrows(code: Mapping[str, str]) -> dict[str, set[str]]:
    """By file: the files of ours that it imports, at its top, inside a function, or for the types alone."""
    found: dict[str, set[str]] = {}
    for module, source in code.items():
        names = (name for _, name in imports(source, module) if within(name, "migrator"))
        found[module] = {file for name in names if (file := module_of(name, code))} - {module}
    return found


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Files that import each other in a circle, each circle in the order of its arrows."""
    found: list[list[str]] = []
    done: set[str] = set()

    def follow(path: list[str]) -> None:
        for file in sorted(graph[path[-1]]):
            if file in path:
                found.append([*path[path.index(file) :], file])
            elif file not in done:
                follow([*path, file])
        done.add(path[-1])

    for start in graph:
        if start not in done:
            follow([start])
    return found


def test_nobody_imports_what_the_table_does_not_allow():
    found = [wrong for module, source in sources().items() for wrong in trespasses(source, module)]

    assert found == []


def test_the_table_allows_nothing_that_nobody_needs():
    used: dict[str, set[str]] = {room: set() for room in MAY_IMPORT}
    opened: dict[str, set[str]] = {place: set() for place in OPENINGS}
    for module, source in sources().items():
        inside = module.removeprefix("migrator.")
        names = {name for _, name in imports(source, module)}
        allowed = MAY_IMPORT[inside.split(".")[0]]
        used[inside.split(".")[0]] |= {
            place for place in allowed for name in names if within(name, f"migrator.{place}")
        }
        for place in OPENINGS:
            if within(inside, place):
                opened[place] |= {name.split(".")[0] for name in names} & OPENINGS[place]

    assert used == MAY_IMPORT
    assert opened == OPENINGS


def test_no_file_imports_in_a_circle():
    assert [" → ".join(circle) for circle in circles(arrows(sources()))] == []


def test_no_arrow_of_the_table_points_upwards():
    rooms = list(MAY_IMPORT)
    upwards = [
        f"{room} → {place}"
        for room, places in MAY_IMPORT.items()
        for place in places
        if rooms.index(place.split(".")[0]) <= rooms.index(room)
    ]

    assert upwards == []


def test_every_module_lives_in_a_room_of_the_table():
    assert {module.split(".")[1] for module in sources()} == set(MAY_IMPORT)


def drawn(title: str) -> dict[str, frozenset[str]]:
    """The rows "place → names" under a heading of the map; a line without an arrow goes on with the last."""
    section = (ROOT / "ARCHITECTURE.md").read_text("utf-8").partition(f"# {title}\n")[2]
    found: dict[str, frozenset[str]] = {}
    place = ""
    for line in re.findall(r"^    (.+)$", section.partition("\n#")[0], re.MULTILINE):
        left, arrow, right = line.rpartition("→")
        place = left.strip() if arrow else place
        names = re.split(r" {2,}", right.strip())[0]  # what stands further to the right is a remark
        listed = {name.strip() for name in names.split(",")} - {"", "nobody"}
        found[place] = found.get(place, frozenset()) | listed
    return found


def test_the_map_in_architecture_md_is_this_table():
    rooms = {room: places for room, places in MAY_IMPORT.items() if not room.startswith("__")}

    assert drawn("Who may import whom") == rooms
    assert list(drawn("Who may import whom")) == list(rooms)
    assert drawn("Who lets the world in") == OPENINGS


FORBIDDEN = [
    ("pacing.token_bucket", "import time", "pacing reads a clock"),
    ("pacing.token_bucket", "import os.path", "a part of a banned package"),
    ("pacing.token_bucket", "from asyncio import sleep", "from a banned package"),
    ("plan.forms", "from pathlib import Path", "a plan opens files"),
    ("plan.__init__", "import anyio", "a package's own file"),
    ("preflight.table", "import socket", "preflight's judgement asks by itself"),
    ("workflow.ledger", "def f():\n    import sqlite3", "inside a function"),
    ("workflow.ledger", "if TYPE_CHECKING:\n    import aiohttp", "for the types only"),
    ("workflow.ledger", "import math, time", "second in its line"),
    ("workflow.ledger", "import importlib\nimportlib.import_module('os')", "by its name"),
    ("workflow.ledger", "__import__('os')", "by its name, bare"),
    ("workflow.ledger", "from migrator.pacing.retry import pause", "an arrow upwards"),
    ("workflow.ledger", "from migrator import engine", "a module from the package"),
    ("workflow.ledger", "import migrator.engine.driver as d", "under another name"),
    ("workflow.ledger", "from ..io import clock", "a relative import"),
    ("journal.sqlite.__init__", "from ...io import clock", "relative from a package"),
    ("workflow.ledger", "from .. import engine", "relative, the room itself"),
    ("workflow.ledger", "from migrator.ims.client import Ims", "a table's neighbour"),
    ("ims.client", "import aiohttp", "a client with a socket of its own"),
    ("ims.client", "from migrator.io.http import AioHttp", "a client picks its HTTP"),
    ("engine.engine", "from migrator.ims.client import Ims", "the engine picks a cloud"),
    ("engine.engine", "from migrator.io.clock import SystemClock", "the engine picks a clock"),
    ("engine.engine", "from migrator.journal.sqlite.store import SqliteStore", "the engine picks a store"),
    ("engine.engine", "from migrator.journal import stores", "the engine picks among the stores"),
    ("engine.engine", "import time", "the engine reads a clock"),
    ("cli.session", "from migrator.journal.sqlite.location import SqliteLocation", "cli picks a store"),
    ("io.http", "from migrator.io.clock import SystemClock", "file to file"),
    ("io.http", "from migrator.io import clock", "file to file, as a module"),
    ("io.http", "from . import clock", "file to file, relative"),
    ("io.http", "from migrator.ims.exchange import ask", "HTTP knows a service"),
    ("reports.formats.as_csv", "from migrator.engine.ports import Cloud", "a report asks the cloud"),
    ("reports.formats.as_csv", "import tempfile", "a report writes its file"),
    ("simulator.server", "from migrator.pacing.token_bucket import TokenBucket", "a shared mistake"),
    ("simulator.server", "from migrator.ims import answers", "another file of the service"),
    ("simulator.server", "from migrator.ims import *", "all of them"),
    ("simulator.server", "import migrator.ims", "the room"),
    ("simulator.simulator", "import asyncio", "the pure half of the stand-in"),
    ("simulator.server", "import sqlite3", "the server, but not by this door"),
    ("ims.signing", "import anyio", "a neighbour's door"),
    ("domain.ports", "from migrator.io.http import AioHttp", "a port knows who fits"),
    ("domain.image", "from migrator.ims.fields import FIELDS", "a value knows the service"),
    ("engine.engine", "from migrator.cli import app", "somebody imports cli"),
    ("io.log", "import migrator.cli", "somebody imports cli as a whole"),
]

ALLOWED = [
    ("workflow.ledger", "from migrator.workflow.events import Event", "in the same room"),
    ("workflow.ledger", "from .events import Event", "in the same room, relative"),
    ("plan.__init__", "from .forms import Form", "a package and its files"),
    ("journal.sqlite.store", "from ..store import Rows", "up, but not out"),
    ("workflow.ledger", "import timeit, osmium", "a name that only begins alike"),
    ("workflow.verify", "from migrator.ims.fields import FIELDS", "the table"),
    ("preflight.files", "from migrator.ims.methods.quick_import import QUICK_IMPORT", "a folder's file"),
    ("io.http", "from migrator import __version__", "the version"),
    ("simulator.server", "from migrator.ims.error_codes import CODES", "the codes"),
    ("simulator.server", "from migrator.ims import error_codes", "the codes' module"),
    ("simulator.server", "import aiohttp", "the one file with a socket"),
    ("domain.errors", "from migrator.domain.cloud import Fault", "errors carry faults"),
    ("engine.handlers.poll", "import anyio", "any file of a room that may"),
    ("journal.writer", "import threading", "a room that touches the world"),
    ("cli.app", "from migrator.io.http import AioHttp", "cli builds the clients"),
    ("__main__", "from migrator.cli.app import main", "the front door"),
]


@pytest.mark.parametrize(("module", "source"), [pytest.param(*row[:2], id=row[2]) for row in FORBIDDEN])
def test_a_forbidden_import_is_found(module, source):
    assert len(trespasses(source, f"migrator.{module}")) == 1


@pytest.mark.parametrize(("module", "source"), [pytest.param(*row[:2], id=row[2]) for row in ALLOWED])
def test_an_allowed_import_is_not_found(module, source):
    assert trespasses(source, f"migrator.{module}") == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        pytest.param({"a": "import migrator.b", "b": "import migrator.a"}, ["a", "b", "a"], id="of two"),
        pytest.param(
            {"a": "from migrator import b", "b": "from .c import x", "c": "from migrator.a import y"},
            ["a", "b", "c", "a"],
            id="of three, in every spelling",
        ),
        pytest.param(
            {"a": "import migrator.b", "b": "if TYPE_CHECKING:\n    from migrator.a import A"},
            ["a", "b", "a"],
            id="for the types alone",
        ),
        pytest.param(
            {"a": "import migrator.b", "b": "def late():\n    import migrator.a"}, ["a", "b", "a"], id="late"
        ),
        pytest.param(
            {"p.__init__": "from migrator.p.x import X", "p.x": "from migrator.p import Y"},
            ["p.__init__", "p.x", "p.__init__"],
            id="of a package and its file",
        ),
        pytest.param(
            {"a": "import migrator.b", "b": "import migrator.c", "c": "import migrator.b"},
            ["b", "c", "b"],
            id="that does not begin at the start",
        ),
        pytest.param(
            {"a": "import migrator.b, migrator.c", "b": "import migrator.c", "c": ""},
            None,
            id="none: two ways",
        ),
        pytest.param({"a": "from migrator.a import itself"}, None, id="none: a name of its own"),
    ],
)
def test_a_circle_of_files_is_found_and_named(code, found):
    graph = arrows({f"migrator.{module}": source for module, source in code.items()})

    names = [[file.removeprefix("migrator.") for file in circle] for circle in circles(graph)]

    assert names == ([] if found is None else [found])


# --- Sizes ----------------------------------------------------------------------------------------------

LONGEST_FUNCTION = 60
LONGEST_FILE = 450

LONG_FUNCTIONS = {
    "migrator.cli.app.run": "half of it is the table of its options",
    "migrator.simulator.simulator.Simulator._route": "a flat match, one case for each call",
    "migrator.io.http.unreached": "a flat match of what keeps a connection from being made",
    "migrator.workflow.transitions.advance": "a flat match, one case for each event",
}
"""Functions of more lines that are a flat match or a table."""

LONG_FILES = {
    "migrator.ims.error_codes": "data: a row for each code",
    "migrator.ims.fields": "data: a row for each key of an image",
    "migrator.reports.columns": "data: a row for each column",
}
"""Files of more lines that are data."""


NAMED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def lengths(source: str) -> Iterator[tuple[str, int]]:
    """Each function's name and how many lines it has; "Class.method" for methods."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
        for part in ast.iter_child_nodes(node):
            name = f"{prefix}{part.name}" if isinstance(part, NAMED) else ""
            if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
                yield name, (part.end_lineno or 0) - part.lineno + 1
            yield from walk(part, f"{name}." if name else prefix)

    yield from walk(ast.parse(source), "")


def test_no_function_is_longer_than_a_screen_unless_it_is_a_flat_match_or_a_table():
    found = {
        f"{module}.{name}": length
        for module, source in sources().items()
        for name, length in lengths(source)
        if length > LONGEST_FUNCTION
    }

    assert set(found) == set(LONG_FUNCTIONS), found


def test_no_file_is_longer_than_it_can_be_read_in_one_go_unless_it_is_data():
    long = {module: source.count("\n") for module, source in sources().items()}
    found = {module: length for module, length in long.items() if length > LONGEST_FILE}

    assert set(found) == set(LONG_FILES), found


def test_every_function_is_measured_wherever_it_stands():
    source = (
        "class A:\n    async def b(self):\n        pass\n\n\nif True:\n    def c():\n        def d(): pass\n"
    )

    assert dict(lengths(source)) == {"A.b": 2, "c": 2, "c.d": 1}


# --- Names ----------------------------------------------------------------------------------------------

RETIRED_NAMES = {
    "AttemptAbsent": "AttemptNotFound",
    "AttemptLost": "AttemptUnknown",
    "AttemptRefused": "AttemptThrottled or AttemptRetryable",
    "Halted": "TargetHaltedError",
    "Look": "Console",
    "Pace": "AdaptiveRateLimiter",
    "Place": "a name of preflight's",
    "Portion": "Threshold",
    "Refused": "RejectedError",
    "Rest": "Idle",
    "Scout": "a name of preflight's",
    "Seen": "a name of preflight's",
    "Share": "Threshold",
    "Turn": "WorkItem",
    "Turns": "Driver and the handlers",
    "Unavailable": "RetryableError",
    "Window": "JobLimit",
    "first_words": "startup_events",
    "meant_by": "selected",
    "words_of": "startup_events",
}
"""Names that this code once had for what the field calls otherwise, and what to say."""

RETIRED_WORDS = {
    "agenda": "scheduler",
    "beginning": "scaffold",
    "complained": "on_throttled",
    "crowd": "group commit",
    "crowded": "job limit reached",
    "heard": "on_…",
    "homeless": "orphaned",
    "lane": "target worker",
    "lanes": "target workers",
    "meant": "selected",
    "saw": "on_…",
    "shelf": "matches",
    "shelve": "match",
    "weather": "fault profile",
}
"""The same of words, wherever in a name they stand."""


def names(source: str) -> Iterator[tuple[int, str]]:
    """(line, name) of whatever a file names: classes, functions, arguments, variables, attributes."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                yield node.lineno, node.name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.alias(asname=str(name)):
                yield node.lineno, name


def retired(name: str) -> str | None:
    """What to say instead of a name, if it is one of those above."""
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)
    instead = (RETIRED_WORDS[word.lower()] for word in words if word.lower() in RETIRED_WORDS)
    return RETIRED_NAMES.get(name) or next(instead, None)


def test_no_retired_name_comes_back():
    found = [
        f"{module}:{line} {name}: say {instead}"
        for module, source in sources().items()
        for line, name in [*names(source), *((0, word) for word in module.split("."))]
        if (instead := retired(name)) is not None
    ]

    assert found == []


@pytest.mark.parametrize(
    "source",
    [
        "class Turn: ...",
        "class AttemptLost: ...",
        "def first_words(): ...",
        "def f(lane): ...",
        "async def next_in_lane(): ...",
        "homeless = 1",
        "self.agenda = 1",
        "x = self.weather",
        "for shelf in shelves: ...",
        "class FairWeather: ...",
        "LANES = 1",
        "import a as crowd",
    ],
)
def test_a_retired_name_is_found(source):
    assert [name for _, name in names(source) if retired(name)]


@pytest.mark.parametrize("name", ["look_up", "Return", "turned", "plane", "meantime", "window", "crowdfund"])
def test_a_name_that_only_resembles_one_is_not_found(name):
    assert retired(name) is None


# --- Mappings as keyword arguments ----------------------------------------------------------------------

SPREAD = {
    ("migrator.cli.common", "Console"): "the common options, by the names of their own table",
    ("migrator.cli.common", "function"): "a command's parameters, by the names of its own signature",
    ("migrator.ims.error_codes", "_row"): "members of a row, written in the same file",
    ("migrator.ims.error_codes", "replace"): "members of a row, written in the same file",
    ("migrator.plan.__init__", "Plan"): "keys of [plan] that the schema let through",
    ("migrator.plan.images", "Image"): "keys of an image that the schema let through",
    ("migrator.plan.targets", "Target"): "the three endpoints",
    ("migrator.reports.diff", "Difference"): "groups of keys, by the names of their own table",
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
        ("migrator.io.log.__init__", "getattr(self, name)"),
    }
    found = {
        (module, callee): f"{module}:{line}"
        for module, source in sources().items()
        for line, callee in spreads(source)
    }

    assert set(found) - positional_only == set(SPREAD), found


def test_a_mapping_that_is_spread_is_seen():
    source = "f(**x)\ng(a=1, **{'for': 1})\nh(**{**x, 'a': 1})\ni(*x)\n{**x}\n"

    assert list(spreads(source)) == [(1, "f"), (3, "h")]
