"""What is said without being asked for: the zone, edited images, selectors and windows that lead nowhere."""

import json

import pytest

from tests.cli.conftest import Desk

CLOSED = '[[waves]]\nname = "night"\nnot_after = 2026-01-01T06:00:00+08:00\n'


def in_waves(desk: Desk, waves: str, count: int = 2):
    """A plan whose images all belong to the wave "night"."""
    path = desk.plan(count)
    text = path.read_text().replace('name = "web-', 'wave = "night"\nname = "web-')
    path.write_text(text + waves)
    return path


def with_zone(path, zone: str):
    path.write_text(path.read_text().replace("[plan]\n", f'[plan]\ntimezone = "{zone}"\n', 1))
    return path


# --- The zone -------------------------------------------------------------------------------------------


def test_every_report_and_status_tell_the_time_in_the_zone_of_the_plan(desk):
    it = desk()
    path = with_zone(it.plan(1), "Asia/Kolkata")

    it("run", path)

    said = it("status", path).out
    markdown = next(it.folder.rglob("report.md")).read_text()
    page = next(it.folder.rglob("report.html")).read_text()
    assert "Asia/Kolkata" in said
    assert "As of" in markdown
    assert "Asia/Kolkata" in markdown
    assert '<span class="zone">Asia/Kolkata</span>' in page
    assert "UTC" not in said
    assert json.loads(next(it.folder.rglob("report.json")).read_text())["generated_at"].endswith("Z")


def test_without_one_it_is_the_machine_s(desk):
    it = desk()
    path = it.plan(1)
    it("run", path)

    assert "America/New_York" in it.spawn("status", path, TZ="America/New_York").out
    assert "UTC+05:45" in it.spawn("status", path, TZ="<+0545>-5:45").out
    assert "UTC" in it.spawn("status", path, TZ="UTC").out


@pytest.mark.parametrize(
    ("zone", "remedy"),
    [
        ("Asia/Shangai", 'did you mean "Asia/Shanghai"?'),
        ("Sternstadt", 'write an IANA name, such as "Asia/Shanghai" or "UTC"'),
    ],
)
def test_a_zone_that_nobody_knows_is_a_problem_of_the_plan(desk, zone, remedy):
    it = desk()

    result = it("validate", with_zone(it.plan(1), zone))

    assert result.code == 2
    assert "plan.timezone" in result.err
    assert remedy in result.err


# --- Windows --------------------------------------------------------------------------------------------


def test_validate_warns_of_a_window_that_has_closed(desk):
    it = desk()

    result = it("validate", with_zone(in_waves(it, CLOSED), "Asia/Shanghai"))

    assert result.code == 0
    assert "the window of wave night closed at 2026-01-01 06:00 Asia/Shanghai" in result.err
    assert "move not_after" in result.err
    assert "1 warning" in result.err


def test_a_run_that_could_submit_nothing_is_refused_and_says_what_to_move(desk):
    it = desk()
    it.preflight = True

    result = it("run", in_waves(it, CLOSED))

    assert result.code == 4
    assert "the window of their wave has closed" in result.err
    assert "Move not_after of the wave in the plan" in result.err
    assert it.accepted == {}


def test_images_of_a_closed_wave_are_a_warning_where_others_can_be_imported(desk):
    it = desk()
    it.preflight = True
    path = in_waves(
        it, CLOSED.replace('name = "night"', 'name = "night"\nproceed = 0') + '[[waves]]\nname = "day"\n'
    )
    path.write_text(
        path.read_text().replace('wave = "night"\nname = "web-02"', 'wave = "day"\nname = "web-02"')
    )

    result = it("run", path)

    assert set(it.accepted) == {"web-02"}
    assert "the window of their wave has closed" in result.err
    assert result.code == 7
    assert "move not_after in the plan, then run again" in result.err


# --- Edits and selectors --------------------------------------------------------------------------------


def test_images_that_were_edited_after_their_import_are_told_first(desk):
    it = desk()
    path = it.plan(2)
    it("run", path)
    path.write_text(path.read_text().replace("min_disk = 40", "min_disk = 80"))

    again, status = it("run", path), it("status", path)

    for said in (again.err, status.out):
        assert (
            "2 images were edited in the plan after import and stay as imported: north/web-01"
            in said.replace("\n  ", " ")
        )
        assert "--again KEY" in said
    assert it.accepted["web-01"] == 1


def test_a_selector_that_nothing_can_match_is_an_error_that_names_what_there_is(desk):
    it = desk()
    path = it.plan(2)
    path.write_text(
        path.read_text().replace('name = "web-01"\n', 'name = "web-01"\nlabels = { owner = "li.wei" }\n')
    )

    result = it("run", path, "--only", "label.owner == zhang.san")

    assert result.code == 2
    assert 'no image of the plan can match "label.owner == zhang.san"' in result.err
    assert 'label.owner is "", "li.wei"' in result.err
    assert it.accepted == {}


def test_failed_images_that_are_selected_want_an_option(desk):
    it = desk(fates={"web-01": "IMG.0057"})
    path = it.plan(2)
    it("run", path)

    result = it("run", path, "--only", "status == failed")

    assert "1 selected image failed before" in result.err
    assert "--retry-failed" in result.err
