"""Findings on a plain terminal, and for a program."""

from migrator.preflight import Finding, Item
from migrator.reports.findings import as_json, as_text, tally

MANY = Finding(
    code="PF062",
    target="north",
    items=tuple(Item(key=f"north/web-{number:03}", says="min_disk 40, file 80 GB") for number in range(400)),
)
ONE = Finding(code="PF010", target="north", says="48 of 50 used, 10 to do: 2 fit")
FINE = Finding(code="PF021", target="north", items=(Item(key="north/db", says="i-1 (active)"),))
LONG = Finding(
    code="PF096",
    items=(Item(key="north/web", says=" ".join(["words"] * 40) + " and\x1b[31m\u2028red"),),
)


def test_lines_fit_80_columns_and_hold_no_control_characters():
    lines = list(as_text([MANY, ONE, FINE, LONG]))

    assert max(map(len, lines)) <= 80
    assert all(line.isprintable() for line in lines)


def test_a_finding_about_many_shows_three_and_counts_the_rest():
    lines = list(as_text([MANY]))

    assert lines[0] == "error PF062: min_disk is smaller than the file (400 images)"
    assert [line.strip().split(":")[0] for line in lines[1:4]] == [
        "north/web-000",
        "north/web-001",
        "north/web-002",
    ]
    assert lines[4] == "    and 397 more (--json lists all of them)"
    assert lines[5].startswith("    fix: Raise min_disk")


def test_a_finding_about_a_target_names_it_and_one_without_remedy_has_no_fix():
    assert next(as_text([ONE])).startswith("error PF010: north: the quota")
    assert list(as_text([FINE])) == [
        "info PF021: the image is there already and is ours",
        "    north/db: i-1 (active)",
    ]


def test_without_a_width_each_thing_is_one_line():
    assert len(list(as_text([LONG], width=None))) == 3


def test_json_has_every_item():
    shown = as_json("dc", [MANY, ONE], images=400, exit_code=4)

    assert (shown["errors"], shown["warnings"], shown["exit_code"]) == (2, 0, 4)
    assert len(shown["findings"][0]["items"]) == 400
    assert shown["findings"][1] == {
        "code": "PF010",
        "severity": "error",
        "title": "the quota of private images has no room for all",
        "target": "north",
        "says": "48 of 50 used, 10 to do: 2 fit",
        "items": [],
        "remedy": "Have the quota raised or delete images; or import some with --limit.",
    }


def test_a_tally_counts_what_matters():
    assert tally([MANY, ONE, LONG, FINE]) == "2 errors, 1 warning"
    assert tally([FINE]) == ""
