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

from migrator.cli.wiring import load
from migrator.domain.errors import PlanError
from migrator.domain.sheets import How, Sheet, Unreadable
from migrator.ims.fields import FIELDS
from migrator.io.spreadsheets import rows_of
from migrator.plan import STARTER, parse_plan, plan_schema

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "plans").glob("*.toml"))
BROKEN = sorted((ROOT / "tests" / "plans").glob("*.toml"))
BROKEN_LISTS = sorted((ROOT / "tests" / "plans" / "inventories").glob("*.toml"))

PROMISE = re.compile(r"  #(?P<kind>[!?]) (?P<text>.*?)(?=  #[!?] |$)")
"""At the end of a line of a broken plan: `#!` an error or `#?` a warning about just that line."""

PROMISE_ELSEWHERE = re.compile(r"#(?P<kind>[!?])(?P<line>\d+|[!?]|disks\.csv:\d+) (?P<text>.*)$")
"""On a line of its own: `#!!` an error of the whole file, `#!7` one of a line without room for a comment,
`#!disks.csv:3` one of a row of the spreadsheet."""

LISTS = {
    "<keys of defaults>": ", ".join(field.key for field in FIELDS if not field.own),
    "<keys of one cell>": ", ".join(field.key for field in FIELDS if field.column is None),
}
"""What a promise need not repeat."""

CELLS = re.compile(r"^#\|(?: (.*))?$", re.MULTILINE)
"""One line of the spreadsheet disks.csv, which a broken plan has inside."""

BEYOND_SCHEMA = {
    # What only several tables together, the real world, or more than a pattern can tell.
    "a-key-of-many-bytes-in-few-characters",
    "a-machine-in-two-waves",
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
    listed = "\n".join(CELLS.findall(data.decode(errors="replace"))).encode()

    def open_sheet(file: str, how: How) -> Sheet:
        if file.removeprefix("./") != "disks.csv":
            raise Unreadable("is not there", f"looked for {file}; paths are relative to the plan")
        rows = rows_of(listed, path="disks.csv", how=how)
        return Sheet(path="disks.csv", identity="/disks.csv", rows=rows)

    try:
        _, warnings = parse_plan(data, path=name, open_sheet=open_sheet)
    except PlanError as error:
        return "!", error.problems
    assert all(problem.severity == "warning" for problem in warnings)
    return "?", [str(problem) for problem in warnings]


def promised(text: str, name: str) -> Iterator[tuple[str, str]]:
    for short, whole in LISTS.items():
        text = text.replace(short, whole)
    for number, line in enumerate(text.splitlines(), 1):
        if found := PROMISE_ELSEWHERE.match(line):
            line = found["line"]
            place = f"{name}:{line}" if line.isdigit() else line if ":" in line else name
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


@pytest.mark.parametrize("path", BROKEN + BROKEN_LISTS, ids=lambda path: path.stem)
def test_a_broken_plan_names_every_problem_with_its_line_and_nothing_else(path):
    data = path.read_bytes()

    kind, said = problems(data, path.name)

    expected = list(promised(data.decode(), path.name))
    assert expected, "a broken plan says what is to be said about it"
    assert sorted(said) == sorted(text for _, text in expected)
    assert {kind} == {kind for kind, _ in expected}


def test_there_are_broken_plans_for_every_kind_of_mistake():
    assert len(BROKEN) >= 80
    assert len(BROKEN_LISTS) >= 60


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_a_plan(path):
    plan, warnings = load(path)

    assert plan.images
    assert [warning for warning in warnings.lines if " is Windows" not in warning] == []


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
        # A workbook has no encoding: that line is commented out there.
        "InventoryTable": {"encoding", *(key for table in plan["inventory"] for key in table)},
        "WaveTable": {key for wave in plan["waves"] for key in wave},
        "NotifyTable": {key for table in plan["notify"] for key in table},
        # Written another way there, or out of place: the comments say why.
        "DefaultsTable": {
            *plan["defaults"],
            "tags",
            "license_type",
            "is_config",
            "cmk_id",
            "min_ram",
            "max_ram",
            "share_with",
            "copy_to",
        },
        "ImageTable": {key for image in plan["images"] for key in image},
    }

    assert shown == {name: set(table["properties"]) for name, table in tables_of(plan_schema()).items()}


def tables_of(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every table of a plan, by name."""
    return {
        "PlanFile": schema,
        **{name: table for name, table in schema["$defs"].items() if "properties" in table},
    }


def test_the_full_example_takes_more_images_from_its_workbook():
    plan, _ = load(ROOT / "plans" / "full.toml")

    listed = {image.name: image for image in plan.images if image.name.startswith("mail-")}
    assert listed.keys() == {"mail-01", "mail-02", "mail-03"}
    assert listed["mail-02"].image_url == "mig-bucket-2:images/mail-02.zvhd2"
    assert listed["mail-03"].os_version == "CentOS 7.6 64bit"
    assert {image.wave for image in listed.values()} == {"rest"}


def test_the_thousand_are_a_thousand_in_three_waves():
    plan, warnings = load(ROOT / "plans" / "thousand.toml")

    assert not warnings
    assert len({image.key for image in plan.images}) == 1000
    assert [wave.name for wave in plan.waves] == ["pilot", "main", "office"]
    assert {image.wave for image in plan.images} == {"pilot", "main", "office"}
    assert plan.images[0].labels == {"owner": "li.wei", "rack": "A01", "app": "Shop"}


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
