"""Spreadsheets as inventories: what rows become, where values come from, and that no row is lost or bent.

What is said about broken ones, word for word, is in tests/plans/inventories and tests/test_plans.py.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.domain.errors import PlanError
from migrator.domain.image import Image, ImageType
from migrator.domain.plan import Plan
from migrator.domain.sheets import MOST_IMAGES, Broken, Cell, Row, Sheet, Unreadable, letters, text_of
from migrator.plan import parse_plan
from migrator.plan.forms import IMAGE_KEYS
from migrator.plan.headings import understood

HEAD = """\
[plan]
name = "dc-east"
[targets.north]
region = "cn-north-4"
[defaults]
bucket = "mig-bucket"
os_version = "CentOS 7.6 64bit"
min_disk = 40
"""
LIST = '[[inventory]]\nfile = "disks.csv"\n'
WEB = ("name", "object")


def parsed(rows: Iterable[Sequence[Cell]], text: str = HEAD + LIST) -> Plan:
    """The plan with these rows as its spreadsheet; it is expected to be without fault and without warning."""
    plan, warnings = parse_plan(text.encode(), path="plan.toml", open_sheet=opened(rows))
    assert [str(warning) for warning in warnings] == []
    return plan


def opened(rows: Iterable[Sequence[Cell]]):
    return lambda file, how: Sheet(path=file, identity=file, rows=iter(enumerate(rows, 1)))


def errors(rows: Iterable[Sequence[Cell]], text: str = HEAD + LIST) -> list[str]:
    try:
        parse_plan(text.encode(), path="plan.toml", open_sheet=opened(rows))
    except PlanError as error:
        return error.problems
    return []


def image(**cells: Cell) -> Image:
    """The image of one row; `label_x` stands for label.x."""
    table = {"name": "web-01", "object": "web-01.zvhd2", **cells}
    heading = [key.replace("label_", "label.").replace("tag_", "tag.") for key in table]
    return parsed([heading, list(table.values())]).images[0]


# --- From rows to images --------------------------------------------------------------------------------


def test_a_row_becomes_the_image_that_a_table_would():
    table = '[[images]]\nname = "web-01"\nobject = "a/web-01.zvhd2"\nmin_disk = 60\npriority = 3\n'
    more = 'labels = { owner = "li.wei" }\nimage_tags = { app = "shop" }\n'
    by_hand, _ = parse_plan((HEAD + table + more).encode(), path="plan.toml")

    heading = ["name", "object", "min_disk", "priority", "label.owner", "tag.app"]
    listed = parsed([heading, ["web-01", "a/web-01.zvhd2", "60", "3", "li.wei", "shop"]])

    assert listed == by_hand


def test_every_key_of_an_image_has_a_heading_but_for_the_tables():
    for key in set(IMAGE_KEYS) - {"tags", "image_tags", "labels"}:
        column = understood(key)
        assert column is not None
        assert column.where == (key,)


@pytest.mark.parametrize(
    ("heading", "where"),
    [
        ("Min Disk", ("min_disk",)),
        ("  MIN-DISK ", ("min_disk",)),
        ("min\ndisk", ("min_disk",)),
        ("OsVersion", ("os_version",)),
        ("label.owner", ("labels", "owner")),
        ("Labels. Owner ", ("labels", "Owner")),
        ("label: 机柜", ("labels", "机柜")),
        ("tag.cost.center", ("image_tags", "cost.center")),
        ("Image Tags.app", ("image_tags", "app")),
        ("label.", None),
        ("label", None),
        ("disk", None),
        ("", None),
    ],
)
def test_a_heading_is_understood_whatever_its_capitals_and_spaces(heading, where):
    column = understood(heading)

    assert (column.where if column else None) == where


def test_images_of_the_plan_come_first_and_then_every_list_in_its_order():
    text = (
        HEAD
        + '[[inventory]]\nfile = "b.csv"\n'
        + '[[images]]\nname = "x"\nobject = "x.raw"\n[[inventory]]\nfile = "a.csv"\n'
    )
    rows = {"b.csv": [WEB, ("b2", "b2.raw"), ("b1", "b1.raw")], "a.csv": [WEB, ("a1", "a1.raw")]}

    plan, _ = parse_plan(
        text.encode(),
        path="plan.toml",
        open_sheet=lambda file, how: Sheet(path=file, identity=file, rows=iter(enumerate(rows[file], 1))),
    )

    assert [image.name for image in plan.images] == ["x", "b2", "b1", "a1"]


def test_empty_rows_and_blank_cells_are_passed_over():
    rows: list[list[Cell]] = [
        [],
        ["", " "],
        ["name", "object", "min_disk"],
        [],
        ["a", "a.raw", " "],
        ["", None, ""],
        ["b", "b.raw"],
    ]

    assert [(image.name, image.min_disk) for image in parsed(rows).images] == [("a", 40), ("b", 40)]


def test_what_a_list_says_for_all_its_rows_gives_way_to_a_row_and_wins_over_the_defaults():
    text = (
        HEAD
        + 'target = "south"\n[targets.south]\nregion = "cn-south-1"\n'
        + '[[waves]]\nname = "pilot"\n[[waves]]\nname = "rest"\n'
        + LIST
        + 'target = "north"\nwave = "pilot"\n'
    )

    plan = parsed(
        [("name", "object", "target", "wave"), ("a", "a.raw"), ("b", "b.raw", "south", "rest")], text
    )

    assert [(image.target, image.wave) for image in plan.images] == [("north", "pilot"), ("south", "rest")]


def test_the_opener_is_given_file_and_sheet_as_the_plan_writes_them():
    asked = []

    def open_sheet(file, how):
        asked.append((file, how.sheet))
        return opened([WEB, (f"a{len(asked)}", f"a{len(asked)}.raw")])(file + str(how.sheet), how)

    text = HEAD + '[[inventory]]\nfile = "../x.XLSX"\nsheet = "Disks 1"\n[[inventory]]\nfile = "../x.XLSX"\n'
    parse_plan(text.encode(), path="plan.toml", open_sheet=open_sheet)

    assert asked == [("../x.XLSX", "Disks 1"), ("../x.XLSX", None)]


def test_two_sheets_of_one_workbook_are_two_lists_and_one_sheet_twice_is_an_error():
    def open_sheet(file, how):
        rows = [WEB, (f"in-{how.sheet}", f"{how.sheet}.raw")]
        return Sheet(path=file, identity="the same", rows=iter(enumerate(rows, 1)))

    def read(*sheets: str) -> list[str]:
        lists = "".join(f'[[inventory]]\nfile = "x.xlsx"\nsheet = "{sheet}"\n' for sheet in sheets)
        plan, _ = parse_plan((HEAD + lists).encode(), path="plan.toml", open_sheet=open_sheet)
        return [image.name for image in plan.images]

    assert read("A", "B") == ["in-A", "in-B"]
    with pytest.raises(PlanError, match="is read twice"):
        read("A", "a")


def test_without_an_opener_a_list_is_an_error_of_its_line():
    with pytest.raises(PlanError) as caught:
        parse_plan((HEAD + LIST).encode(), path="plan.toml")

    assert caught.value.problems == [
        'plan.toml:10: inventory[0].file: "disks.csv" cannot be read from here; list the disks as [[images]]'
    ]


# --- Cells ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", [60, 60.0, "60", " 60 ", "60.0", "60.", "+60", "060"])
def test_a_whole_number_is_one_however_the_spreadsheet_keeps_it(cell):
    assert image(min_disk=cell).min_disk == 60


@pytest.mark.parametrize("cell", [40.5, "40.5", True, "4O", "1e2", "sixty", date(2026, 1, 1), timedelta(1)])
def test_anything_else_is_none(cell):
    (said,) = errors([(*WEB, "min_disk"), ("web-01", "a.raw", cell)])

    assert said.startswith('disks.csv:2: "web-01".min_disk (C2): ')
    assert "must be a whole number" in said


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (1001, "1001"),
        (1001.0, "1001"),
        (7.6, "7.6"),
        (True, "TRUE"),
        (" shop ", "shop"),
        (date(2026, 12, 1), "2026-12-01"),
        (datetime(2026, 12, 1), "2026-12-01"),  # noqa: DTZ001 - spreadsheets know no zones
        (datetime(2026, 12, 1, 20, 30), "2026-12-01T20:30:00"),  # noqa: DTZ001
        (time(7, 5), "07:05:00"),
        (timedelta(hours=30), "1 day, 6:00:00"),
    ],
)
def test_a_label_is_what_the_spreadsheet_shows(cell, text):
    assert image(label_x=cell).labels == {"x": text}


def test_a_name_may_be_a_number():
    assert image(name=1001.0).name == "1001"


@pytest.mark.parametrize("key", ["name", "bucket", "os_version"])
def test_a_name_that_became_a_date_is_not_taken_for_one(key):
    table: dict[str, Cell] = {"name": "web-01", "object": "a.raw", key: date(2026, 1, 2)}

    (said,) = [
        said for said in errors([list(table), list(table.values())]) if "became" in said or "become" in said
    ]

    assert '"2026-01-02" has become a date in the spreadsheet; format its column as text' in said


def test_a_cell_without_a_value_is_told_once_and_by_its_place():
    broken = Broken("shows #N/A, an error of the spreadsheet")
    rows = [(*WEB, "min_disk", "type"), ("web-01", broken, 40), (broken, "b.raw", broken), ("c", "c.raw", 0)]

    assert errors(rows) == [
        f'disks.csv:2: "web-01".object (B2): {broken}; put the value itself there, and save the file again',
        f"disks.csv:3: name (A3): {broken}; put the value itself there, and save the file again",
        f"disks.csv:3: min_disk (C3): {broken}; put the value itself there, and save the file again",
        'disks.csv:4: "c".min_disk (C4): 0 must be at least 1',
    ]


def test_a_heading_without_a_value_is_told():
    assert errors([("name", Broken("shows #REF!")), ("web-01", "a.raw")]) == [
        "disks.csv:1: B1: shows #REF!; put the heading itself there, and save the file again"
    ]


def test_a_data_disk_may_stand_in_the_same_list():
    rows = [("name", "object", "type", "os_type", "os_version"), ("a", "a.raw", "DataImage", "Linux", "")]

    found = parsed(rows).images[0]

    assert (found.type, found.os_type, found.os_version) == (ImageType.DATA, "Linux", None)


def test_no_secret_is_repeated_in_what_is_said_about_it():
    said = errors([(*WEB, "password"), ("web-01", "a.raw", "hunter2")])

    assert len(said) == 1
    assert "hunter2" not in said[0]


# --- Files that end badly -------------------------------------------------------------------------------


def test_rows_before_a_break_are_checked_all_the_same():
    def rows() -> Iterator[Row]:
        yield 1, WEB
        yield 2, ("web 01 ", "a.qcow2")
        raise Unreadable("breaks off", "save it again", row=3)

    with pytest.raises(PlanError) as caught:
        parse_plan(
            (HEAD + LIST).encode(),
            path="plan.toml",
            open_sheet=lambda file, how: Sheet(path=file, identity=file, rows=rows()),
        )

    assert [said.split(": ")[:2] for said in caught.value.problems] == [
        ["disks.csv:2", '"web 01".object (B2)'],
        ["disks.csv:3", "breaks off; save it again"],
    ]


def test_a_plan_takes_no_more_rows_than_a_sheet_can_have(monkeypatch):
    monkeypatch.setattr("migrator.plan.inventory.MOST_IMAGES", 3)
    rows = [WEB, *((f"web-{n}", f"{n}.raw") for n in range(4))]

    assert errors(rows) == ["disks.csv:5: takes the plan beyond 3 images; split it into several plans"]
    assert errors(rows[:-1]) == []
    assert MOST_IMAGES == 1_000_000


# --- Whatever is in the cells ---------------------------------------------------------------------------

_CELLS: st.SearchStrategy[Cell] = (
    st.none()
    | st.text(max_size=6)
    | st.sampled_from(
        ["web-01", "a.raw", "DataImage", "Linux", "40", "40.0", "north", "b:c.raw", "arm", "bios"]
    )
    | st.integers()
    | st.floats()
    | st.booleans()
    | st.dates()
    | st.datetimes()
    | st.times()
    | st.timedeltas()
    | st.just(Broken("shows #N/A"))
)
_HEADINGS: st.SearchStrategy[Cell] = (
    st.sampled_from(
        [*IMAGE_KEYS, "label.a", "label.b", "tag.a", "tag.migrator_item", "Min Disk", "", "password"]
    )
    | _CELLS
)


@given(
    st.lists(_HEADINGS, max_size=8),
    st.lists(st.lists(_CELLS, max_size=9), max_size=4),
    st.booleans(),
)
@settings(max_examples=300)
def test_any_cells_are_a_plan_or_a_plan_error(heading, rows, sound):
    if sound:
        heading = ["name", "object", *heading]
        rows = [[f"web-{n}", f"{n}.raw", *cells] for n, cells in enumerate(rows)]

    said = errors([heading, *rows])

    assert all(text.startswith(("plan.toml:", "disks.csv:")) and text.isprintable() for text in said)


@given(st.integers(0, 20_000))
def test_columns_are_counted_as_a_spreadsheet_does(column):
    name = letters(column)

    number = 0
    for letter in name:
        number = number * 26 + ord(letter) - ord("A") + 1
    assert number - 1 == column


@given(_CELLS)
def test_any_cell_has_a_text(cell):
    assert isinstance(text_of(cell), str)


# --- A large list ---------------------------------------------------------------------------------------


def large(rows: int) -> list[list[Cell]]:
    """A list as CSV gives it, all text."""
    heading = "name object os_version min_disk type priority label.owner label.rack"
    table: list[list[Cell]] = [[*heading.split()]]
    for n in range(rows):
        name = f"web-{n:06}"
        disk = [name, f"a/{name}.zvhd2", "CentOS 7.6 64bit", "60"]
        table.append([*disk, "ECS", str(n % 10), "li.wei", f"A{n % 50}"])
    return table


def test_texts_that_many_rows_share_are_kept_once():
    images = parsed(large(50)).images

    assert len({id(image.os_version) for image in images}) == 1
    assert len({id(image.labels["owner"]) for image in images}) == 1
