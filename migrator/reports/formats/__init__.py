"""One file for each way of showing a Summary: FORMATS are written always, IDS where somebody asks."""

from importlib import import_module
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from migrator.reports.summary import Summary


class ReportWriter(Protocol):
    """Shows a summary as bytes."""

    def __call__(self, summary: "Summary", stream: BinaryIO, /) -> None:
        """Write all of it to `stream`, row by row, and leave it open. Raises what writing to it raises."""


def _in(module: str) -> ReportWriter:
    """The `write` of a file in this folder, imported when it is first called: a run needs each only now and
    then, and some never."""

    def write(summary: "Summary", stream: BinaryIO) -> None:
        written: ReportWriter = import_module(f"{__name__}.{module}").write
        written(summary, stream)

    return write


FORMATS: dict[str, ReportWriter] = {
    "json": _in("as_json"),
    "csv": _in("as_csv"),
    "xlsx": _in("as_xlsx"),
    "md": _in("as_md"),
    "html": _in("as_html"),
}
"""By file suffix: `report.<suffix>`."""

IDS: dict[str, ReportWriter] = {
    "terraform": _in("as_terraform"),
    "ansible": _in("as_ansible"),
    "tfvars": _in("as_tfvars"),
}
"""By what `report --format` calls them: ids of images that are there, for other programs to go on with."""

FILES: dict[str, str] = {
    **{suffix: f"report.{suffix}" for suffix in FORMATS},
    "terraform": "images.tf",
    "ansible": "images.yml",
    "tfvars": "images.auto.tfvars.json",
}
"""By format: the name of its file in the folder of the plan's reports."""
