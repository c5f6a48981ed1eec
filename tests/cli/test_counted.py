"""`status` of a large plan in files: from counts, which say what every image would, and without the plan."""

from pathlib import Path

import pytest

from migrator.cli.plan_head import plan_head


def test_a_status_made_of_counts_says_what_one_made_of_all_images_says(desk, monkeypatch):
    one = desk(fates={"web-02": "IMG.0057"})
    plan = one.plan(6)
    one("run", plan, "--limit", "4")
    whole, said = one("status", plan, "--json").objects[0], one("status", plan).out

    monkeypatch.setattr("migrator.cli.counted.LARGE", 0)
    counted, lines = one("status", plan, "--json").objects[0], one("status", plan).out

    assert whole["totals"]["failed"] == 1
    same = ("plan", "images", "totals", "run", "said", "holder")
    assert [counted[key] for key in same] == [whole[key] for key in same]
    assert counted["new_in_plan"] is None
    failures = [line for line in said.splitlines() if "IMG.0057" in line]
    assert failures
    assert [line for line in lines.splitlines() if "IMG.0057" in line] == failures


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[plan]\nname = "dc-east"\n[[images]]\nname = "a"\n', "dc-east"),
        ('[[images]]\nname = "a"\n[plan]\nname = "dc-east"\n', None),
        ('[plan]\nname = "dc-east"\ndescription = """\n[[images]]\n"""\n', None),
        ('[plan]\nname = "../elsewhere"\n', None),
        ('[plan]\nname = "dc-east"\ntimezone = "Nowhere/Land"\n', None),
        ("[plan]\n", None),
        ("no TOML", None),
    ],
    ids=["usual", "images first", "a text that is cut", "a path", "no such zone", "no name", "no plan"],
)
def test_what_a_plan_is_called_is_known_without_its_images_or_not_at_all(
    tmp_path: Path, text: str, name: str | None
):
    path = tmp_path / "plan.toml"
    path.write_text(text)

    found = plan_head(path)

    assert (found.name if found else None) == name
