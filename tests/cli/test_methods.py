"""Images by either method, shared and copied, as a person runs them: what is said, shown and reported."""

import csv
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from migrator.cli import rehearsal
from tests.cli.conftest import Desk

PLAN = """
[plan]
name = "mixed"
[targets.north]
region = "cn-north-4"
[targets.south]
region = "cn-south-1"
agency = "{agency}"
[defaults]
target = "north"
bucket = "bucket"
method = "auto"
min_disk = 40
[[images]]
name = "quick"
object = "quick.zvhd2"
os_version = "CentOS 7.6 64bit"
share_with = ["a123456789abcdef0123456789abcdef"]
copy_to = ["south"]
[[images]]
name = "normal"
object = "normal.vmdk"
[[images]]
name = "open"
object = "open.raw"
os_version = "CentOS 7.6 64bit"
"""


@pytest.fixture
def desk(desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    it = desk()
    it.preflight = True
    return it


def written(desk: Desk, agency: str = "ims_admin_agency") -> Path:
    path = desk.folder / "mixed.toml"
    path.write_text(PLAN.format(agency=agency))
    return path


def rows(desk: Desk) -> dict[str, dict[str, str]]:
    (file,) = desk.folder.rglob("report.csv")
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return {row["name"]: row for row in csv.DictReader(lines)}


def test_what_is_left_to_decide_is_said_offline(desk: Desk):
    path = written(desk)

    found = desk("validate", path)

    assert found.code == 0
    assert "1 image: preflight decides: quick import if a .mf file lies beside it, else normal" in found.err


def test_the_dry_run_shows_each_request_at_the_call_of_its_method(desk: Desk):
    path = written(desk)

    found = desk("run", path, "--dry-run", "--json")

    shown = [json.loads(line) for line in found.out.splitlines()]
    assert [(one["key"], one["import"], one["decided"]) for one in shown] == [
        ("north/quick", "quick", True),
        ("north/normal", "normal", True),
        ("north/open", "quick", False),
    ]
    assert shown[1]["url"].endswith("/v2/cloudimages/action")
    assert "os_version" not in shown[1]["body"]


def test_reports_tell_the_method_the_reason_and_what_was_done_after_the_import(desk: Desk):
    path = written(desk)

    found = desk("run", path, "--simulate", "--reports-dir", desk.folder)

    assert found.code == 0, found.err
    told = rows(desk)
    assert {name: (row["method"], row["method_reason"]) for name, row in told.items()} == {
        "quick": ("quick", "a .zvhd2 file"),
        "normal": ("normal", "a .vmdk file"),
        "open": ("quick", "a .raw file with its .mf"),
    }
    assert told["quick"]["after_import"] == ("share a123456789abcdef0123456789abcdef: done; copy south: done")
    assert told["normal"]["after_import"] == ""


def test_a_copy_that_failed_ends_the_run_with_3_and_is_told_with_what_to_do(desk: Desk):
    path = written(desk, agency="nobody")

    found = desk("run", path, "--simulate", "--reports-dir", desk.folder)

    assert found.code == 3
    assert "all images succeeded, but 1 share or copy failed" in found.out + found.err
    told = rows(desk)["quick"]["after_import"]
    assert "copy south: failed (IMG.0151: The agency is not there, or may not replicate images.)" in told
    (report,) = desk.folder.rglob("report.md")
    text = report.read_text(encoding="utf-8")
    assert "1 share or copy failed" in text
    assert "look at the shares and copies that failed" in text.lower()


def test_without_preflight_what_only_the_bucket_tells_is_not_guessed(desk: Desk):
    path = written(desk)
    desk.preflight = False

    found = desk("run", path, "--no-preflight", "--simulate")

    assert found.code == 2
    assert "preflight would decide how 1 image of method auto goes in: north/open" in found.err
    assert rehearsal.DEFAULT_QUOTA == 50


def test_a_plan_for_open_telekom_cloud_is_rehearsed_like_any_other(desk: Desk):
    path = desk.folder / "otc.toml"
    path.write_text(
        """
[plan]
name = "otc"
[targets.bonn]
cloud = "otc"
region = "eu-de"
project_name = "eu-de_test"
[defaults]
bucket = "bucket"
method = "auto"
min_disk = 40
os_version = "CentOS 7.6 64bit"
[[images]]
name = "a"
object = "a.zvhd2"
[[images]]
name = "b"
object = "b.vmdk"
[[images]]
name = "c"
object = "c.qcow2"
"""
    )

    shown = desk("run", path, "--dry-run", "--json")
    found = desk("run", path, "--simulate", "--json")

    assert json.loads(shown.out.splitlines()[0])["url"].startswith("https://ims.eu-de.otc.t-systems.com/v2/")
    assert found.code == 0, found.err
    assert found.objects[0]["totals"]["succeeded"] == 3
