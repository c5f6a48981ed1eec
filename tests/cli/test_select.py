"""--only and --wave: a run submits, and tries again, what they mean, and follows the rest."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Desk


def pilot(desk: Desk, count: int = 3) -> Path:
    """A plan whose first image is a wave of its own, and whose second belongs to li.wei."""
    path = desk.plan(count)
    text = path.read_text()
    text = text.replace('name = "web-01"\n', 'name = "web-01"\nwave = "pilot"\n')
    text = text.replace('name = "web-02"\n', 'name = "web-02"\nlabels = { owner = "li.wei" }\n')
    path.write_text(text + '[[waves]]\nname = "pilot"\nproceed = 0\n[[waves]]\nname = "rest"\n')
    return path


@pytest.mark.parametrize(
    ("options", "submitted"),
    [
        pytest.param(["--wave", "pilot"], {"web-01"}, id="a wave"),
        pytest.param(["--only", "label.owner==li.wei"], {"web-02"}, id="a label"),
        pytest.param(["--only", 'name~"web-*"', "--wave", "rest"], {"web-02", "web-03"}, id="both together"),
        pytest.param(["--only", "not status==pending"], set(), id="nothing at all"),
        pytest.param(["--only", "name~web-*", "--limit", "1"], {"web-01"}, id="and a limit"),
    ],
)
def test_a_run_submits_what_is_meant_and_says_that_there_is_more(desk, options, submitted):
    it = desk()

    result = it("run", pilot(it), *options)

    assert set(it.accepted) == submitted
    assert result.code == 7
    assert f"{3 - len(submitted)} more are not finished" in result.err


def test_a_dry_run_shows_what_is_meant(desk):
    it = desk()

    result = it("run", pilot(it), "--only", "name==web-03", "--dry-run", "--json")

    assert [line["key"] for line in result.objects] == ["north/web-03"]
    assert it.accepted == {}


def test_only_failed_images_that_are_meant_are_tried_again(desk):
    it = desk(fates={"web-01": "IMG.0057", "web-02": "IMG.0057"})
    path = pilot(it)
    assert it("run", path).code == 3

    it.change(fates={})
    result = it("run", path, "--retry-failed", "--only", "status==failed and label.owner==li.wei")

    assert it.accepted == {"web-01": 1, "web-02": 2, "web-03": 1}
    assert [phase.value for phase in it.phases()] == ["failed", "succeeded", "succeeded"]
    assert result.code == 3


def test_a_wave_waits_for_the_ones_before_it_although_it_alone_is_meant(desk):
    it = desk()
    path = pilot(it)
    path.write_text(path.read_text().replace("proceed = 0\n", ""))

    result = it("run", path, "--wave", "rest")

    assert (result.code, it.accepted) == (7, {})
    assert "wave rest waits for wave pilot" in result.err


def test_a_named_image_is_imported_again_whatever_else_is_meant(desk):
    it = desk()
    path = pilot(it)
    assert it("run", path).code == 0

    it("run", path, "--again", "north/web-03", "--wave", "pilot", "--no-preflight")

    assert it.accepted == {"web-01": 1, "web-02": 1, "web-03": 2}


def test_what_is_on_its_way_is_followed_although_it_is_not_meant(desk):
    it = desk(job_seconds=3600)
    path = pilot(it)
    it("run", path, "--wave", "pilot", "--max-duration", "500ms")
    it.finish_jobs()

    it("run", path, "--only", "name==web-02")

    assert it.ledger().states["north/web-01"].phase.value == "succeeded"
    assert it.accepted == {"web-01": 1, "web-02": 1}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--wave", "pilto"], "--wave 'pilto': the plan has no such wave"),
        (["--only", "nam==x"], '--only, column 1: "nam" is nothing that an image has; did you mean "name"?'),
        (["--only", ""], "--only, column 1: here a condition is missing"),
    ],
)
def test_what_nobody_knows_is_a_usage_error_and_nothing_is_sent(desk, options, said):
    it = desk()

    result = it("run", pilot(it), *options, "--json")

    assert result.code == 2
    assert said in result.err
    assert said in result.objects[-1]["error"]
    assert it.accepted == {}


def test_a_plan_without_waves_says_so(desk):
    it = desk()

    result = it("run", it.plan(1), "--wave", "pilot")

    assert (result.code, "It has none: see [[waves]]" in result.err) == (2, True)


def test_an_inventory_is_run_like_any_list_of_images(desk):
    it = desk()
    path = it.plan(1, more='[[inventory]]\nfile = "more.csv"\n')
    (it.folder / "more.csv").write_text("name,object,label.owner\nfile-01,file-01.zvhd2,li.wei\n")

    result = it("run", path)

    assert (result.code, set(it.accepted)) == (0, {"web-01", "file-01"})
    report = json.loads((it.reports / "dc-east" / "report.json").read_text())
    assert report["images"][1]["labels"] == {"owner": "li.wei"}


def test_a_broken_inventory_is_told_by_its_path_from_here(desk):
    it = desk()
    (it.folder / "plans").mkdir()
    path = it.plan(1, more='[[inventory]]\nfile = "lists/more.csv"\n[[inventory]]\nfile = "lists/less.csv"\n')
    path = path.rename(it.folder / "plans" / "p.toml")
    (it.folder / "plans" / "lists").mkdir()
    (it.folder / "plans" / "lists" / "more.csv").write_text("name,object\nfile 01 ,file-01.vmdk\n")

    result = it("validate", "plans/p.toml")

    assert result.code == 2
    assert 'plans/lists/more.csv:2: "file 01".object (B2): "bucket:file-01.vmdk" is a vmdk file' in result.err
    assert "looked for plans/lists/less.csv; paths are relative to the plan" in result.err
