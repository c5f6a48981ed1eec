"""What goes wrong beside a run is logged, and the run goes on: nothing of it is lost."""

import pytest

from migrator.reports.formats import FORMATS


def oops(*args: object, **options: object) -> None:
    raise ZeroDivisionError("oops")


def test_a_report_that_cannot_be_rendered_ends_no_run_and_keeps_no_other_report_from_being_written(
    desk, monkeypatch
):
    it = desk()
    monkeypatch.setitem(FORMATS, "csv", oops)
    path = it.plan(3)

    result = it("run", path)

    assert it.accepted == {"web-01": 1, "web-02": 1, "web-03": 1}
    assert "report.csv cannot be made: ZeroDivisionError: oops" in result.err
    assert it("status", path, "--json").objects[0]["totals"]["succeeded"] == 3
    assert {one.name for one in (it.reports / "dc-east").glob("report.*")} == {
        f"report.{suffix}" for suffix in FORMATS if suffix != "csv"
    }


@pytest.mark.parametrize("broken", ["on_event", "line"])
def test_a_view_that_fails_ends_no_run(desk, monkeypatch, broken):
    it = desk()
    monkeypatch.setattr(f"migrator.cli.progress.Progress.{broken}", oops)
    monkeypatch.setattr("migrator.cli.progress.PLAIN_EVERY", 0.0)

    result = it("run", it.plan(3))

    assert result.code == 0
    assert it.accepted == {"web-01": 1, "web-02": 1, "web-03": 1}
    assert "beside.failed" in result.err
