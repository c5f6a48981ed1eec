"""`migrator init --from`: from a spreadsheet to a plan that a person can finish."""

from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from tests.cli.conftest import Desk


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    with xlsxwriter.Workbook(path) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
    return path


def finish(desk: Desk, plan: str) -> Path:
    """Do what the comments ask a person to do."""
    path = desk.folder / plan
    hosts = "".join(f'{service}_endpoint = "{desk.url}"\n' for service in ("ims", "iam", "obs"))
    text = path.read_text(encoding="utf-8")
    text = text.replace('region = "CHECK"', f'{hosts}region = "cn-north-4"').replace('"CHECK"', '"bucket"')
    path.write_text(text + '[limits]\nsubmit_rate = "50/s"\n[policy]\nsettle = "1s"\n', encoding="utf-8")
    return path


def test_a_list_becomes_a_plan_that_runs_when_it_is_finished(desk):
    it = desk()
    (it.folder / "lists").mkdir()
    rows = "Name,Object,OS version,Min disk,label.负责人\n网页-01,web-01.zvhd2,CentOS 7.6 64bit,40,李伟\n"
    (it.folder / "lists" / "dc.csv").write_text(rows, encoding="gb18030")

    written = it("init", "plans.toml", "--from", "lists/dc.csv")
    refused = it("validate", "plans.toml")
    result = it("run", finish(it, "plans.toml"), "--no-preflight")

    assert (written.code, refused.code, result.code) == (0, 2, 0)
    assert "1 images in lists/dc.csv" in written.err
    assert 'plans.toml:14: targets.north.region: "CHECK" is not a region id' in refused.err
    assert it.accepted == {"网页-01": 1}


def test_an_rvtools_export_becomes_a_plan_that_says_what_to_decide(desk):
    it = desk()
    workbook(
        it.folder / "RVTools export.xlsx",
        vInfo=[
            ["VM", "Powerstate", "Template", "OS according to the configuration file"],
            ["web-01", "poweredOn", False, "CentOS 7 (64-bit)"],
            ["sol", "poweredOn", False, "Oracle Solaris 11 (64-bit)"],
        ],
        vDisk=[
            ["VM", "Disk", "Capacity MiB"],
            ["web-01", "Hard disk 1", 40960],
            ["sol", "Hard disk 1", 40960],
        ],
    )

    written = it("init", "--from", "RVTools export.xlsx")
    refused = it("validate", "plan.toml", "--json")

    assert written.code == 0
    assert "2 machines, 2 disks" in written.err
    assert 'to decide for 1: what is "Oracle Solaris 11 (64-bit)"?' in written.err
    assert [problem["path"] for problem in refused.objects[0]["problems"]] == [
        "targets.north.region",
        "defaults.bucket",
        'images[1] "sol".os_version',
    ]


@pytest.mark.parametrize(
    ("name", "content", "said", "hint"),
    [
        ("none.csv", None, "none.csv: there is no such file", "Name a .csv or .xlsx file, or a folder."),
        ("x.csv", b"", "x.csv: is empty", 'Its first row names keys of an image: "name", "object".'),
        ("x.xlsx", b"PK\3\4", "x.xlsx: is not a workbook that can be read", "Open it in a spreadsheet"),
        ("x.csv", b'a,"b', "x.csv:1: opens a quote that nothing closes", "Close it, or double it"),
        ("x.txt", b"name,object\n", "x.txt: is called neither .csv nor .xlsx", "Rename it"),
        (
            "x.csv",
            b"VM,Powerstate\n",
            "x.csv: has no heading that a plan understands",
            "If it is a tab of an RVTools export",
        ),
        ("y.csv", b"Host,Rack\n", "y.csv: has no heading that a plan understands", "Such as"),
    ],
)
def test_what_is_no_list_is_a_usage_error_and_writes_nothing(desk, name, content, said, hint):
    it = desk()
    if content is not None:
        (it.folder / name).write_bytes(content)

    result = it("init", "--from", name)

    assert result.code == 2
    assert said in result.err
    assert hint in result.err
    assert not (it.folder / "plan.toml").exists()


def test_a_plan_that_is_there_is_not_written_over(desk):
    it = desk()
    (it.folder / "plan.toml").write_text("mine")
    (it.folder / "x.csv").write_text("name,object\nweb-01,a.raw\n")

    result = it("init", "--from", "x.csv")

    assert result.code == 2
    assert (it.folder / "plan.toml").read_text() == "mine"
