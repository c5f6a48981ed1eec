"""`migrator report`: one report, or ids for other programs, where they are wanted."""

import json
import re
from collections.abc import Callable

import hcl2
import pytest

from migrator.cli.options import ReportFormat
from migrator.reports.formats import FILES
from tests.cli.conftest import Desk


@pytest.fixture
def cli(desk: Callable[..., Desk]) -> Desk:
    """A plan of two images, of which one was imported."""
    cli = desk()
    assert cli("run", cli.plan(2), "--limit", 1).code == 7
    return cli


def test_ids_are_written_beside_the_reports_and_what_is_left_out_is_said(cli: Desk):
    done = cli("report", cli.folder / "dc-east.toml", "--format", "terraform", "--format", "tfvars")

    folder = cli.reports / "dc-east"
    assert done.out.splitlines() == [
        "reports/dc-east/images.tf",
        "reports/dc-east/images.auto.tfvars.json",
    ]
    assert "1 image handed on\n" in done.err
    assert "left out: 1 image (1 to do)\n" in done.err
    (image_id,) = [state.image_id for state in cli.ledger().states.values() if state.image_id]
    ((_, ids),) = json.loads((folder / FILES["tfvars"]).read_text())["image_ids"].items()
    assert ids == {"web-01": image_id}
    assert [block["id"] for block in hcl2.loads((folder / FILES["terraform"]).read_text())["import"]] == [
        f'"{image_id}"'
    ]


def test_stdout_gets_the_report_and_nothing_else(cli: Desk):
    done = cli("report", cli.folder / "dc-east.toml", "--format", "tfvars", "--output", "-")

    assert list(json.loads(done.out)) == ["image_ids"]
    assert not (cli.reports / "dc-east" / FILES["tfvars"]).exists()


@pytest.mark.parametrize("form", ["csv", "md"])
def test_a_report_on_stdout_is_what_its_file_is(cli: Desk, form: str):
    piped = cli.spawn("report", cli.folder / "dc-east.toml", "--format", form, "--output", "-")
    cli("report", cli.folder / "dc-east.toml", "--format", form)

    written = (cli.reports / "dc-east" / FILES[form]).read_bytes().decode()
    assert timeless(piped.out) == timeless(written)


def timeless(text: str) -> str:
    """Without the moment at which a report was made, and with the line ends that a text has in here."""
    return re.sub(r"As of [^;.]*", "", text).replace("\r\n", "\n")


def test_a_file_elsewhere_is_written_whole(cli: Desk):
    there = cli.folder / "elsewhere.yml"

    done = cli("report", cli.folder / "dc-east.toml", "--format", "ansible", "-o", there)

    assert done.out == f"{there}\n"
    assert there.read_text().count("web-01") == 1


def test_output_takes_one_report(cli: Desk):
    for formats in ([], ["--format", "csv", "--format", "md"]):
        done = cli("report", cli.folder / "dc-east.toml", *formats, "--output", "x")

        assert done.code == 2
        assert "--output takes one report" in done.err


def test_every_format_can_be_asked_for():
    assert {form.value for form in ReportFormat} == FILES.keys()
