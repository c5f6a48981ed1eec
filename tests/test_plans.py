"""The example plans work and show every key; the broken ones say what is wrong, and where, as promised."""

import json
import re
from collections.abc import Iterator
from datetime import date, time
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomli

from migrator.core.plan import STARTER, parse_plan, plan_schema
from migrator.errors import PlanError

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "plans").glob("*.toml"))
BROKEN = sorted((ROOT / "tests" / "plans").glob("*.toml"))

PROMISE = re.compile(r"  #(?P<kind>[!?]) (?P<text>.*?)(?=  #[!?] |$)")
"""At the end of a line of a broken plan: `#!` an error or `#?` a warning about just that line."""

PROMISE_ELSEWHERE = re.compile(r"#(?P<kind>[!?])(?P<line>\d+|[!?]) (?P<text>.*)$")
"""On a line of its own: `#!!` an error of the whole file, `#!7` one of a line without room for a comment."""

BEYOND_SCHEMA = {
    # What only several tables together, the real world, or more than a pattern can tell.
    "a-key-of-many-bytes-in-few-characters",
    "a-mistyped-region",
    "a-system-disk-with-the-keys-of-a-data-disk",
    "a-wave-that-can-never-be-followed",
    "a-wave-where-there-are-none",
    "an-unknown-region-without-its-endpoints",
    "arm-that-boots-with-the-bios-of-the-defaults",
    "names-twice-in-one-target",
    "polling-from-large-to-small",
    "tags-of-the-program-s-own",
    "too-many-tags-beside-the-marker",
    "waves-that-end-before-they-begin",
    "waves-that-nobody-named",
}
"""Broken plans that the schema alone lets pass."""


def problems(data: bytes, name: str) -> tuple[str, list[str]]:
    """What `parse_plan` says: "!" with errors, or "?" with warnings."""
    try:
        _, warnings = parse_plan(data, path=name)
    except PlanError as error:
        return "!", error.problems
    assert all(problem.severity == "warning" for problem in warnings)
    return "?", [str(problem) for problem in warnings]


def promised(text: str, name: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if found := PROMISE_ELSEWHERE.match(line):
            place = f"{name}:{found['line']}" if found["line"].isdigit() else name
            yield found["kind"], f"{place}: {found['text']}"
        for found in PROMISE.finditer(line):
            yield found["kind"], f"{name}:{number}: {found['text']}"


def schema_errors(table: dict[str, Any]) -> list[str]:
    """What an editor says about a plan; to it, a date or a time is a text of that format."""
    formats = jsonschema.Draft202012Validator.FORMAT_CHECKER
    validator = jsonschema.Draft202012Validator(plan_schema(), format_checker=formats)
    return [error.message for error in validator.iter_errors(as_json(table))]


def as_json(value: Any) -> Any:
    match value:
        case dict():
            return {key: as_json(part) for key, part in value.items()}
        case list():
            return [as_json(part) for part in value]
        case date() | time():
            return value.isoformat()
        case _:
            return value


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_broken_plan_names_every_problem_with_its_line_and_nothing_else(path):
    data = path.read_bytes()

    kind, said = problems(data, path.name)

    expected = list(promised(data.decode(), path.name))
    assert expected, "a broken plan says what is to be said about it"
    assert sorted(said) == sorted(text for _, text in expected)
    assert {kind} == {kind for kind, _ in expected}


def test_there_are_broken_plans_for_every_kind_of_mistake():
    assert len(BROKEN) >= 80


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_a_plan(path):
    plan, warnings = parse_plan(path.read_bytes(), path=path.name)

    assert plan.images
    assert [warning.field for warning in warnings if not warning.reason.startswith("is Windows")] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_agrees_with_the_schema(path):
    assert schema_errors(tomli.loads(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "path", [path for path in BROKEN if not path.stem.startswith("syntax-")], ids=lambda path: path.stem
)
def test_the_schema_refuses_a_broken_plan_too_where_it_can_know(path):
    text = path.read_text(encoding="utf-8")
    table = tomli.loads(text)
    if any(kind == "?" for kind, _ in promised(text, path.name)) or path.stem in BEYOND_SCHEMA:
        assert schema_errors(table) == []
    else:
        assert schema_errors(table) != []


def test_the_published_schema_is_the_one_we_print():
    published = (ROOT / "plans" / "plan.schema.json").read_text(encoding="utf-8")

    assert published == json.dumps(plan_schema(), indent=2, ensure_ascii=False) + "\n", (
        "print it again: migrator schema > plans/plan.schema.json"
    )


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(plan_schema())


def test_every_key_of_the_schema_is_described():
    for table in tables_of(plan_schema()).values():
        for key, value in table["properties"].items():
            described = value if "description" in value else plan_schema()["$defs"][value["$ref"][8:]]
            assert described["description"], key


def test_the_full_example_shows_every_key():
    plan = tomli.loads((ROOT / "plans" / "full.toml").read_text(encoding="utf-8"))
    shown = {
        "PlanFile": set(plan),
        "PlanTable": set(plan["plan"]),
        "TargetTable": {key for target in plan["targets"].values() for key in target},
        "Limits": set(plan["limits"]),
        "Retry": set(plan["retry"]),
        "Polling": set(plan["polling"]),
        "Policy": set(plan["policy"]),
        "WaveTable": {key for wave in plan["waves"] for key in wave},
        # Written another way there, or out of place: the comments say why.
        "DefaultsTable": {*plan["defaults"], "tags", "license_type"},
        "ImageTable": {key for image in plan["images"] for key in image},
    }

    assert shown == {name: set(table["properties"]) for name, table in tables_of(plan_schema()).items()}


def tables_of(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every table of a plan, by name."""
    return {
        "PlanFile": schema,
        **{name: table for name, table in schema["$defs"].items() if "properties" in table},
    }


def test_the_demo_plan_is_shipped_with_the_program():
    shipped = files("migrator").joinpath("data/demo.toml").read_bytes()

    assert shipped == (ROOT / "plans" / "demo.toml").read_bytes()


def test_the_demo_plan_is_a_small_data_centre_without_a_word_of_warning():
    plan, warnings = parse_plan((ROOT / "plans" / "demo.toml").read_bytes(), path="demo.toml")

    assert (plan.name, len(plan.images), list(plan.targets)) == ("demo", 60, ["north"])
    assert warnings == []
    assert {image.type.value for image in plan.images} == {"ECS", "BMS", "DataImage"}
    assert all({"owner", "rack", "app"} <= image.labels.keys() for image in plan.images)


def test_the_plan_to_start_from_is_valid_before_anybody_changed_it():
    plan, warnings = parse_plan(STARTER.encode(), path="plan.toml")

    assert warnings == []
    assert [image.key for image in plan.images] == ["north/web-01", "north/web-01-data"]
    assert schema_errors(tomli.loads(STARTER)) == []
