"""Many problems of one kind are some of them and a count; of different kinds, none is lost."""

from migrator.plan.grouping import grouped
from migrator.plan.problems import Problem


def problem(line: int, field: str, reason: str, path: str = "plan.toml") -> Problem:
    return Problem(path=path, line=line, field=field, value="", reason=reason, remedy="")


def test_ten_of_a_kind_are_all_told():
    found = grouped(problem(n, f"images[{n}].name", "is missing") for n in range(10))

    assert found.count == len(found.lines) == 10


def test_the_others_are_counted_after_the_tenth():
    found = grouped(problem(n, f'images[{n}] "web-{n}".name', "is missing") for n in range(1, 13))

    assert found.count == 12
    assert found.lines[9:] == [
        'plan.toml:10: images[10] "web-10".name: is missing',
        "plan.toml: and 2 more like this: name: is missing",
    ]


def test_what_differs_in_names_and_numbers_only_is_of_one_kind():
    found = grouped(
        problem(n, f"images[{n}].name", f'is the same as that of "web-{n}" (line {n})') for n in range(100)
    )

    assert len(found.lines) == 11
    assert found.lines[-1].startswith("plan.toml: and 90 more like this: name: is the same as that of")


def test_a_cell_of_a_spreadsheet_is_of_the_kind_of_its_key():
    found = grouped(problem(n, f'"web-{n}".min_disk (C{n})', "is missing", "disks.csv") for n in range(100))

    assert len(found.lines) == 11
    assert found.lines[-1] == "disks.csv: and 90 more like this: min_disk: is missing"


def test_other_keys_files_and_reasons_are_other_kinds():
    many = [problem(n, f"images[{n}].name", "is missing") for n in range(1000)]
    others = [
        problem(1, "images[3].min_disk", "is missing"),
        problem(1, "images[3].name", "is too long"),
        problem(1, "images[3].name", "is missing", "other.csv"),
    ]

    found = grouped([*many, *others])

    assert found.count == 1003
    assert found.lines[-3:] == [str(one) for one in others]


def test_without_problems_it_is_nothing():
    assert not grouped([])


def test_problems_that_were_only_counted_are_counted():
    found = grouped([problem(1, "images[0].name", "is missing")], 1234)

    assert found.count == 1235
    assert found.lines[1:] == ["and 1,234 problems more, which were only counted"]
