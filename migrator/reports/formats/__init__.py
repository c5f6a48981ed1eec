"""One file for each way of showing a Summary: FORMATS are written always, IDS where somebody asks."""

from typing import BinaryIO, Protocol

from migrator.reports.formats import (
    as_ansible,
    as_csv,
    as_html,
    as_json,
    as_md,
    as_terraform,
    as_tfvars,
    as_xlsx,
)
from migrator.reports.summary import Summary


class ReportWriter(Protocol):
    """Shows a summary as bytes."""

    def __call__(self, summary: Summary, stream: BinaryIO, /) -> None:
        """Write all of it to `stream`, row by row, and leave it open. Raises what writing to it raises."""


FORMATS: dict[str, ReportWriter] = {
    "json": as_json.write,
    "csv": as_csv.write,
    "xlsx": as_xlsx.write,
    "md": as_md.write,
    "html": as_html.write,
}
"""By file suffix: `report.<suffix>`."""

IDS: dict[str, ReportWriter] = {
    "terraform": as_terraform.write,
    "ansible": as_ansible.write,
    "tfvars": as_tfvars.write,
}
"""By what `report --format` calls them: ids of images that are there, for other programs to go on with."""

FILES: dict[str, str] = {
    **{suffix: f"report.{suffix}" for suffix in FORMATS},
    "terraform": "images.tf",
    "ansible": "images.yml",
    "tfvars": "images.auto.tfvars.json",
}
"""By format: the name of its file in the folder of the plan's reports."""
