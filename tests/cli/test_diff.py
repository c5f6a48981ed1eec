"""`migrator diff`: what a person, a script and a mistyped path get."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from migrator.cli.app import app
from migrator.domain.cells import cell_len
from tests.cli.conftest import Result
from tests.reports.test_diff import document, shown


class Reports:
    """A folder of reports, and the command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, *images: dict[str, Any], **more: Any) -> Path:
        path = self.folder / name
        path.write_text(json.dumps(document(*images, **more)), encoding="utf-8")
        return path

    def __call__(self, *arguments: object) -> Result:
        done = CliRunner().invoke(app, ["diff", *map(str, arguments)], catch_exceptions=False)
        return Result(code=done.exit_code, out=done.stdout, err=done.stderr)


@pytest.fixture
def diff(tmp_path: Path) -> Reports:
    return Reports(tmp_path)


def error(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message, "remedy": "", "request_id": ""}


def two(diff: Reports) -> tuple[Path, Path]:
    """A day's work."""
    old = diff.write(
        "old.json",
        *(shown(f"north/web-{n:02d}") for n in range(12)),
        shown("north/db", "failed", error=error("IMG.0057", "damaged")),
        shown("north/left"),
        shown("north/slow", "succeeded", seconds=600.0),
    )
    new = diff.write(
        "new.json",
        *(shown(f"north/web-{n:02d}", "succeeded", seconds=60.0) for n in range(11)),
        shown("north/web-11", "failed", error=error("IMG.0060", "too\x1b[31m many")),
        shown("north/db", "succeeded"),
        shown("north/left", "cancelled", removed=True),
        shown("north/slow", "succeeded", seconds=1500.0),
        shown("north/extra"),
        generated_at="2026-05-29T22:56:40.000Z",
    )
    return old, new


def test_a_person_reads_what_changed(diff: Reports):
    done = diff(*two(diff))

    assert (done.code, done.err) == (0, "")
    assert (
        done.out
        == """\
dc-east
2026-05-28 20:26 → 2026-05-29 22:56 UTC, 1 d 2 h

                before     after    change
images              15        15
done                 1        13       +12
failed               1         1
to go               13         1       -12

newly done (11 images)
  north/web-00
  north/web-01
  north/web-02
  north/web-03
  north/web-04
  north/web-05
  north/web-06
  north/web-07
  north/web-08
  north/web-09
  and 1 more

recovered: failed before, done now (1 image)
  north/db

newly failed (1 image)
  north/web-11  IMG.0060  too[31m many

new in the plan (1 image)
  north/extra

gone from the plan (1 image)
  north/left

slower (1 image)
  north/slow  10 min → 25 min (+150%)

status moves
         to do → imported          11
         to do → failed             1
        failed → imported           1
"""
    )


def test_a_machine_gets_all_of_it_on_one_line(diff: Reports):
    done = diff(*two(diff), "--json")

    (found,) = done.objects
    assert found["plan"] == {"old": "dc-east", "new": "dc-east"}
    assert found["done"] == [f"north/web-{n:02d}" for n in range(11)]
    assert found["failed"] == [{"key": "north/web-11", "code": "IMG.0060", "message": "too[31m many"}]
    assert (found["recovered"], found["added"], found["gone"]) == (
        ["north/db"],
        ["north/extra"],
        ["north/left"],
    )
    assert found["slower"] == [{"key": "north/slow", "old_seconds": 600.0, "new_seconds": 1500.0}]
    assert found["moves"][0] == {"from": "pending", "to": "succeeded", "count": 11}
    assert found["totals"]["new"]["succeeded"] == 13
    assert found["generated_at"]["new"] == "2026-05-29T22:56:40+00:00"


def test_no_line_is_wider_than_a_terminal_whatever_an_image_is_called(diff: Reports):
    name = "north/" + "网络服务器" * 20 + "\n\x1b[2J"
    old = diff.write("old.json", shown(name, "running", seconds=10.0), shown(name + "2", seconds=1.0))
    new = diff.write(
        "new.json",
        shown(name, "failed", seconds=10_000.0, error=error("IMG.0057", "坏" * 100)),
        plan={"name": "x" * 63},
    )

    done = diff(old, new)

    assert max(cell_len(line) for line in done.out.splitlines()) <= 80
    assert "\x1b" not in done.out
    assert "…" in done.out


def test_nothing_changed_is_said(diff: Reports):
    old = diff.write("old.json", shown("north/a"))

    assert diff(old, old).out.splitlines()[-1] == "nothing changed"


def test_reports_in_the_wrong_order_or_of_two_plans_are_compared_with_a_warning(diff: Reports):
    old = diff.write("old.json", plan={"name": "dc-west"})
    new = diff.write("new.json", generated_at="2026-05-01T00:00:00Z")

    done = diff(old, new)

    assert done.code == 0
    assert "the second report is older" in done.err
    assert "two plans" in done.err
    assert done.out.startswith("dc-west → dc-east\n")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "not JSON", id="empty"),
        pytest.param(b'{"schema": "migrator.re', "not JSON, or only a part of it", id="cut short"),
        pytest.param(b"\xff\xfe\x00", "not JSON", id="no text"),
        pytest.param(b"[" * 100_000, "not JSON", id="a nest without an end"),
        pytest.param(b"key,name\r\n", "not JSON", id="the CSV report"),
        pytest.param(b'{"images": []}', "no member `schema`", id="other JSON"),
        pytest.param(b'{"schema": "migrator.report/2"}', "newer version", id="a newer report"),
        pytest.param(b'{"schema": "migrator.report/1"}', "damaged", id="a damaged report"),
    ],
)
def test_a_file_that_is_no_report_is_named_with_what_is_wrong(diff: Reports, content: bytes, says: str):
    good, bad = diff.write("good.json"), diff.folder / "bad.json"
    bad.write_bytes(content)

    for pair in ((good, bad), (bad, good)):
        done = diff(*pair)

        assert (done.code, done.out) == (2, "")
        message, hint = done.err.splitlines()
        assert f"{bad}: " in message
        assert says in message
        assert hint.startswith("Upgrade" if "newer" in says else "Name two report.json")


@pytest.mark.parametrize(
    ("name", "says"),
    [("missing.json", "No such file"), (".", "Is a directory"), ("a\0b", "embedded null")],
)
def test_a_file_that_cannot_be_read_is_told_with_the_reason(diff: Reports, name: str, says: str):
    done = diff(diff.write("good.json"), diff.folder / name)

    assert done.code == 2
    assert says in done.err


def test_errors_are_objects_for_a_machine(diff: Reports):
    done = diff(diff.folder / "missing.json", diff.folder / "missing.json", "--json")

    assert done.code == 2
    assert done.objects[0]["exit_code"] == 2
