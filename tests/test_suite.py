"""What the other tests, and the files that pin what they run on, have to keep to."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))


def wanted(*extras: str, groups: tuple[str, ...] = ("build",)) -> list[Requirement]:
    """What pyproject.toml asks for by name: to run, for these extras, and of these groups."""
    project = PYPROJECT["project"]
    lines = list(project["dependencies"])
    for group in groups:
        lines += PYPROJECT["dependency-groups"][group]
    for extra in extras:
        lines = lines + project["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def pins(lock: str) -> dict[str, str]:
    """Package to version, of a file in requirements/."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((ROOT / "tests").rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def test_a_plain_run_of_the_tests_draws_the_same_examples_each_time_and_holds_no_watch(request):
    if request.config.getoption("--hypothesis-profile"):
        pytest.skip("another profile was asked for")
    used = settings.default
    assert used is not None
    assert (used.derandomize, used.deadline, used.database) == (True, None, None)


def test_no_test_takes_back_what_the_profiles_of_hypothesis_say():
    named = {
        (str(path), keyword.arg)
        for path, tree in modules()
        if path.name != "conftest.py"
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "settings"
        for keyword in call.keywords
    }

    assert {argument for _, argument in named} == {"max_examples"}, named


def test_make_fuzz_finds_the_properties_that_are_inside_of_tests_too():
    unmarked = [
        f"{path}::{test.name}"
        for path, tree in modules()
        for test in tree.body
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_")
        if any(
            ast.unparse(mark).startswith("given(")
            for inner in ast.walk(test)
            if isinstance(inner, ast.FunctionDef) and inner is not test
            for mark in inner.decorator_list
        )
        if "pytest.mark.hypothesis" not in map(ast.unparse, test.decorator_list)
    ]

    assert unmarked == []


@pytest.mark.parametrize(
    ("lock", "extras", "groups"),
    [
        ("run.txt", (), ()),
        ("container.txt", ("postgres", "fast"), ()),
        ("dev.txt", ("dev",), ("build",)),
        ("oldest.txt", ("dev", "fast"), ("build",)),
    ],
)
def test_each_package_that_pyproject_names_is_pinned_to_a_version_that_it_allows(lock, extras, groups):
    pinned = pins(lock)

    assert [
        str(want)
        for want in wanted(*extras, groups=groups)
        if not want.specifier.contains(pinned.get(canonicalize_name(want.name), "0"), prereleases=True)
    ] == []


def test_the_oldest_packages_are_those_that_pyproject_begins_with():
    pinned = pins("oldest.txt")
    lower = {want: bound.version for want in wanted("dev", "fast") for bound in want.specifier}

    assert [
        f"{want} is {pinned[canonicalize_name(want.name)]}"
        for want, bound in lower.items()
        if not f"{pinned[canonicalize_name(want.name)]}.".startswith(f"{bound}.")
    ] == []


@pytest.mark.parametrize("lock", ["run.txt", "container.txt", "build.txt"])
def test_what_is_developed_with_is_what_is_shipped_with(lock):
    assert pins(lock).items() <= pins("dev.txt").items()


@pytest.mark.parametrize("lock", ["run.txt", "container.txt"])
def test_nobody_who_runs_the_program_installs_what_builds_it(lock):
    assert {"hatchling", "plotly", "narwhals"} & set(pins(lock)) == set()


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_pinned_package_has_hashes_and_no_address(lock):
    text = lock.read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z0-9-]+==)", text)[1:]

    assert len(entries) == len(pins(lock.name)) > 8
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.findall(r"^-.*|\S*(?:://|/tmp|/home)\S*", text, re.MULTILINE) == []


def test_pyproject_holds_no_settings_for_files_that_are_gone():
    rules = PYPROJECT["tool"]["ruff"]["lint"]["per-file-ignores"]
    assert [pattern for pattern in rules if not any(ROOT.glob(pattern))] == []


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "migrator" / "py.typed").is_file()
