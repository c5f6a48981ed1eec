"""The manual and the map say what the program does and what is there, no more and no less."""

import ast
import inspect
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from migrator.cli.app import app
from migrator.cli.common import explain
from migrator.domain.cloud import Fault
from migrator.domain.errors import MigratorError, TargetHaltedError
from migrator.reports.formats import FORMATS
from migrator.simulator.settings import SCENARIOS
from migrator.workflow import verdict

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAP = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
MANUAL = "\n".join([README, *(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("docs/*.md")))])
"""What a user reads: README and every page of docs/."""

PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "reports/*.md", "tests/*.md", "tests/bench/*.md")
    for path in ROOT.glob(pattern)
)
BUILT = ROOT / "migrator/reports/formats/html/compiled.py"
SOURCES = sorted(set((ROOT / "migrator").rglob("*.py")) - {BUILT})

# --- Reading Markdown -----------------------------------------------------------------------------------


def section(text: str, title: str) -> str:
    """What stands under a heading, to the next one of its kind."""
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def doc(name: str) -> str:
    """A page of the manual."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def table(text: str, first: str) -> list[list[str]]:
    """The rows of the table whose first column is headed `first`."""
    lines = iter(text.splitlines())
    assert any(line.startswith(f"| {first} |") for line in lines), f"there is no table of {first}"
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows[1:]


def code(cell: str) -> list[str]:
    """What is in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def slug(title: str) -> str:
    """How a heading is linked to."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


# --- Commands -------------------------------------------------------------------------------------------


def subcommands() -> dict[str, Any]:
    """Every command by what is typed after the program's name; those of a group with the group's name."""
    found: dict[str, Any] = {}
    for name, command in app.commands.items():
        inside = getattr(command, "commands", None)
        found |= {name: command} if inside is None else {f"{name} {sub}": one for sub, one in inside.items()}
    return found


def commands() -> dict[str, Any]:
    return {"migrator": app, **subcommands()}


def options_of(command: Any) -> dict[str, str]:
    """The names of each option ("-q --quiet"), and the variable that sets it."""
    options = [param for param in command.params if param.param_type_name == "option"]
    return {" ".join(sorted(option.opts)): option.envvar or "" for option in options}


def documented_options() -> dict[str, dict[str, str]]:
    """The same, as the manual has it, by command."""
    found: dict[str, dict[str, str]] = {name: {} for name in commands()}
    for names, where, _, variable in table(section(doc("commands.md"), "Options"), "option"):
        opts = " ".join(sorted(name.split()[0] for name in code(names)))
        of = subcommands() if where == "every command" else where.split(", ")
        for command in of:
            found[command][opts] = "".join(code(variable))
    return found


def test_the_manual_lists_every_command_with_its_arguments_and_no_other():
    written = [code(row[0])[0] for row in table(section(doc("commands.md"), "Commands"), "command")]
    real = []
    for name, command in subcommands().items():
        arguments = [param for param in command.params if param.param_type_name == "argument"]
        words = [argument.metavar for argument in arguments]
        real.append(" ".join(["migrator", name, *words]))

    assert written == real


@pytest.mark.parametrize("name", commands())
def test_the_manual_lists_every_option_of_a_command_and_no_other(name):
    assert documented_options()[name] == options_of(commands()[name])


def test_help_itself_shows_the_option_that_the_manual_lists(capsys):
    for name, command in subcommands().items():
        with pytest.raises(SystemExit):
            app([*name.split(), "--help"], prog_name="migrator")
        shown = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", capsys.readouterr().out)) - {"--help"}
        assert {long for names in options_of(command) for long in names.split() if long[:2] == "--"} == shown


def command_lines() -> Iterator[str]:
    """Every call of the program that the manual shows, in blocks of code and in sentences."""
    blocks = re.findall(r"```\w*\n(.*?)```", MANUAL, flags=re.DOTALL)
    for line in "\n".join(blocks).splitlines():
        for call in re.split(r"&+|;|\$ ", line):
            call = call.split("#")[0].split(">")[0].strip().removeprefix(".venv/bin/")
            if call.startswith("migrator "):
                yield call
    prose = re.sub(r"```.*?```", "", MANUAL, flags=re.DOTALL)
    for call in code(
        "\n".join(line for line in prose.splitlines() if not line.startswith(("| `migrator", "| `PF")))
    ):
        if call.startswith("migrator "):
            yield call


@pytest.mark.parametrize("line", sorted(set(command_lines())))
def test_every_call_in_the_manual_is_one_that_the_program_accepts(line):
    _, name, *arguments = shlex.split(line)
    if name not in subcommands():
        name, arguments = f"{name} {arguments[0]}", arguments[1:]

    subcommands()[name].make_context(name, arguments)


def test_the_manual_names_every_variable_of_our_own_and_no_other():
    source = "".join(path.read_text(encoding="utf-8") for path in SOURCES)

    documented = MANUAL + (ROOT / "tests/README.md").read_text(encoding="utf-8")  # one is for rehearsals only

    assert set(re.findall(r"MIGRATOR_[A-Z_]+", documented)) == set(re.findall(r"MIGRATOR_[A-Z_]+", source))


def test_the_manual_names_every_variable_that_credentials_are_read_from_and_no_other():
    source = (ROOT / "migrator/io/credentials.py").read_text(encoding="utf-8")
    names = re.compile(r"\b(?:HUAWEICLOUD_SDK|HW)_[A-Z_]*[A-Z]\b")

    assert set(names.findall(doc("credentials.md"))) == set(names.findall(source))


def test_the_manual_names_every_report_and_no_other():
    assert set(re.findall(r"`report\.(\w+)`", doc("reports.md"))) == set(FORMATS)


def test_the_manual_lists_every_fault_profile_and_no_other():
    assert {code(row[0])[0] for row in table(doc("rehearsing.md"), "profile")} == set(SCENARIOS)


def test_the_index_of_the_manual_leads_to_every_page_and_the_readme_to_the_index():
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}

    assert set(re.findall(r"\]\(([\w-]+\.md)\)", doc("README.md"))) == pages
    assert "](docs/README.md)" in README


# --- Exit codes -----------------------------------------------------------------------------------------


def error_codes() -> set[int]:
    """Of the error tree: of each class, and of those that decide when they are raised."""
    tree = [MigratorError]
    for kind in tree:
        tree += kind.__subclasses__()
    halts = {TargetHaltedError(Fault(message="m"), quota=quota).exit_code for quota in (True, False)}
    return {kind.exit_code for kind in tree} | halts


def written_codes(source: str) -> set[int]:
    """Of the endings that a file spells out: `exit_code=5`, and what a command returns."""
    numbers = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.keyword) and node.arg == "exit_code":
            numbers |= {part.value for part in ast.walk(node) if isinstance(part, ast.Constant)}
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Constant):
            numbers.add(node.value.value)
    return {number for number in numbers if type(number) is int}


def test_the_manual_lists_every_exit_code_and_no_other():
    written = [int(row[0]) for row in table(section(doc("commands.md"), "Exit codes"), "code")]
    signals = set(verdict._SIGNALS.values())
    endings = written_codes(inspect.getsource(verdict.ending))
    explained = written_codes(inspect.getsource(explain))

    assert written == sorted(error_codes() | signals | endings | explained)


# --- Links and files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page):
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"https?://|mailto:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in headings(target)):
            broken.append(link)

    assert broken == []


def headings(path: Path) -> set[str]:
    return {slug(title) for title in re.findall(r"(?m)^#+ (.+)$", path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_is_there(page):
    """A name that begins with one of our folders; what `migrator` makes itself is not there yet."""
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:migrator|plans|tests|reports|docs|requirements)/[\w./-]*)(?:::[^`]*)?`", text)

    assert [name for name in named if not (ROOT / name).exists()] == []


# --- Dependencies ---------------------------------------------------------------------------------------


def test_the_map_gives_a_reason_for_every_dependency_and_no_other():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [re.split(r"[<>=~!;\[ ]", requirement)[0] for requirement in project["dependencies"]]

    assert sorted(row[0] for row in table(section(MAP, "Decisions"), "package")) == sorted(needed)


# --- The map --------------------------------------------------------------------------------------------


def map_lines() -> Iterator[tuple[int, str]]:
    for line in section(MAP, "The rooms").splitlines():
        if line.startswith("    "):
            yield (len(line) - len(line.lstrip())) // 2 - 2, line.strip()


def mapped() -> set[str]:
    """The paths that the map shows; names stand before its descriptions, folders before what is in them."""
    folders: list[str] = []
    paths = set()
    for depth, line in map_lines():
        names = re.match(r"(?:[\w.]+(?:/|\.\w+)(?:\s+|$))+", line)
        assert names is not None, f"the map does not say where this is: {line}"
        for name in names[0].split():
            path = "".join([*folders[:depth], name])
            paths.add(path)
            if name.endswith("/"):
                folders[depth:] = [name]
    return paths


def test_every_module_is_on_the_map_and_everything_on_the_map_is_there():
    modules = {path.relative_to(ROOT).as_posix() for path in SOURCES}
    rooms = {path.removesuffix("__init__.py") for path in modules if path.endswith("/__init__.py")}
    rooms.discard("migrator/")
    plain = {path for path in modules if path.removesuffix("__init__.py") not in rooms}
    shown = mapped()

    assert (rooms | plain) - shown == set(), "not on the map"
    assert {path for path in shown if not (ROOT / path).exists()} == set(), "on the map, but not there"


# --- Contributing ---------------------------------------------------------------------------------------


def test_contributing_and_the_hooks_of_git_name_the_four_checks_that_make_test_runs():
    make = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(PYTEST)", "-m pytest")
    checks = set(re.findall(r"^\t\$\(PY\) -m ([a-z]+(?: format --check| check)?)", make, re.MULTILINE))
    hooks = re.findall(
        r"^ +entry: \.venv/bin/python -m ([a-z]+(?: format --check| check)?)",
        (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    written = re.findall(
        r"^\.venv/bin/python -m ([a-z]+(?: format --check| check)?)", contributing, re.MULTILINE
    )

    four = {"ruff format --check", "ruff check", "mypy", "pytest"}
    assert four <= checks
    assert set(hooks) == four
    assert set(written) == four


def test_the_tests_that_a_hook_of_git_runs_are_there():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")

    assert [name for name in re.findall(r"\btests/[\w/.]+", hooks) if not (ROOT / name).exists()] == []
