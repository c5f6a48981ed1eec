"""One file for each way of showing a Summary; FORMATS lists those that are files."""

from typing import BinaryIO, Protocol

from migrator.reports.formats import as_csv, as_html, as_json, as_md, as_xlsx
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
