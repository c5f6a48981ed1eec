"""Many problems of one kind are some of them and a count; of different kinds, none is lost."""

from migrator.plan.grouping import grouped
from migrator.plan.problems import Problem


def problem(line: int, field: str, reason: str, path: str = "plan.toml") -> Problem:
    return Problem(path=path, line=line, field=field, value="", reason=reason, remedy="")


def test_ten_of_a_kind_are_all_told():
    found = grouped(problem(n, f"images[{n}].name", "is missing") for n in range(10))

    assert found.count == len(found.lines) == 10


def test_of_more_the_first_three_are_told_and_the_lines_of_the_others():
    found = grouped(problem(n, f'images[{n}] "web-{n}".name', "is missing") for n in [*range(1, 12), 20])

    assert found.count == 12
    assert found.lines[2:] == [
        'plan.toml:3: images[3] "web-3".name: is missing',
        "plan.toml: and 9 more like this in lines 4 to 11, 20: name: is missing",
    ]


def test_two_faults_in_every_row_are_told_one_after_the_other():
    rows = range(2, 302)
    found = grouped(
        problem(row, f'"web-{row}".{key} (C{row})', reason, "disks.csv")
        for row in rows
        for key, reason in (("object", "is no image"), ("min_disk", "must be a whole number"))
    )

    assert [line.partition(": ")[2] for line in found.lines] == [
        *(f'"web-{row}".object (C{row}): is no image' for row in (2, 3, 4)),
        "and 297 more like this in lines 5 to 301: object: is no image",
        *(f'"web-{row}".min_disk (C{row}): must be a whole number' for row in (2, 3, 4)),
        "and 297 more like this in lines 5 to 301: min_disk: must be a whole number",
    ]


def test_what_differs_in_names_and_numbers_only_is_of_one_kind():
    found = grouped(
        problem(n, f"images[{n}].name", f'is the same as that of "web-{n}" (line {n})') for n in range(100)
    )

    assert len(found.lines) == 4
    said = "plan.toml: and 97 more like this in lines 3 to 99: name: is the same as that of"
    assert found.lines[-1].startswith(said)


def test_a_cell_of_a_spreadsheet_is_of_the_kind_of_its_key():
    found = grouped(problem(n, f'"web-{n}".min_disk (C{n})', "is missing", "disks.csv") for n in range(100))

    assert len(found.lines) == 4
    assert found.lines[-1] == "disks.csv: and 97 more like this in lines 3 to 99: min_disk: is missing"


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
