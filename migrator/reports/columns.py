"""One table of what reports show of each image; JSON, CSV, XLSX, the page and the manual all walk it.

- A new column is one row at the end of COLUMNS: whoever reads the CSV by position must not be surprised.
- A row says what a value is and what it is called in each format. How a kind of value is written is the
  format's business, and said there once for each Kind.
- Labels differ from plan to plan: in CSV and XLSX each has a column of its own, behind all others.
- `docs/report-columns.md` is made of it (`python -m tests.manual`).
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

from migrator.domain.image import METHODS, ImageType
from migrator.reports import glossary
from migrator.reports.rows import ImageRow


class Kind(StrEnum):
    """What a value is. It is None where nobody knows."""

    TEXT = "text"
    """Another one for nearly every image."""

    NAME = "name"
    """Text that many images share; empty where there is none."""

    CHOICE = "choice"
    """One of a few words of ours."""

    STATUS = "status"
    NUMBER = "number"
    DECIMAL = "decimal"
    MINUTES = "minutes"
    """Seconds, shown in minutes and rounded to hundredths."""

    FRACTION = "fraction"
    """From 0 to 1; percent in the CSV and on the page."""

    MOMENT = "moment"
    YES_NO = "yes or no"
    ERROR = "error"
    """A Fault: code, message, remedy and request id."""

    ATTEMPTS = "attempts"
    """Each of them in JSON, their number elsewhere."""

    LABELS = "labels"


class SheetColumn(NamedTuple):
    """A column of the workbook's sheet of images."""

    heading: str
    width: float
    section: int = 0
    """Sections stand from left to right; within one, columns are in the order of the table. The first is
    what is printed."""

    wraps: bool = False
    """Whether its texts may take several lines."""


class PageColumn(NamedTuple):
    """What the page does with a value. Its scripts know it by the column's name, whatever else is said."""

    table: str = ""
    """Heading in the table of images; empty keeps it out of that."""

    details: str = ""
    """Term in what opens under an image; empty keeps it out of that."""

    flag: str = ""
    """What is noted of the image where the value is yes."""


class ReportColumn(Struct, frozen=True, kw_only=True):
    """One value of each image, and the formats that show it."""

    name: str
    """The member in JSON."""

    kind: Kind
    source: str
    """Where it stands in an ImageRow, as a path of attributes; a fault that is not there makes it None."""

    meaning: str
    """For the JSON Schema and the manual: what the name alone does not say."""

    optional: bool = False
    """It may be unknown: null in JSON, empty elsewhere."""

    choices: tuple[str, ...] = ()
    """All that a value of kind CHOICE may be."""

    json: bool = False
    csv: str = ""
    """Heading; empty keeps it out of the CSV."""

    xlsx: SheetColumn | None = None
    html: PageColumn | None = None


DETAILS, SOURCE, FLAGS = 1, 2, 3
"""Sections of the sheet behind the first: how it went; what an image is made of and became; what is odd about
it."""

COLUMNS: tuple[ReportColumn, ...] = (
    ReportColumn(
        name="key",
        kind=Kind.TEXT,
        source="state.key",
        meaning="Its identity, stable across runs: <target>/<name>.",
        json=True,
        csv="key",
        xlsx=SheetColumn("Key", 30),
    ),
    ReportColumn(
        name="name",
        kind=Kind.TEXT,
        source="image.name",
        meaning="Its name in the cloud.",
        json=True,
        csv="name",
        xlsx=SheetColumn("Name", 26, DETAILS),
        html=PageColumn(table="Image"),
    ),
    ReportColumn(
        name="target",
        kind=Kind.NAME,
        source="image.target",
        meaning="Where it goes.",
        json=True,
        csv="target",
        xlsx=SheetColumn("Target", 12),
        html=PageColumn(table="Target"),
    ),
    ReportColumn(
        name="wave",
        kind=Kind.NAME,
        source="wave",
        meaning="Empty if it has none.",
        json=True,
        csv="wave",
        xlsx=SheetColumn("Wave", 12),
        html=PageColumn(table="Wave"),
    ),
    ReportColumn(
        name="owner",
        kind=Kind.NAME,
        source="owner",
        meaning="Its label `owner`; empty if it has none.",
        html=PageColumn(table="Owner"),
    ),
    ReportColumn(
        name="labels",
        kind=Kind.LABELS,
        source="image.labels",
        meaning="The plan's labels; never sent to the cloud.",
        json=True,
        csv="label.",
        xlsx=SheetColumn("label ", 16),
        html=PageColumn(),
    ),
    ReportColumn(
        name="status",
        kind=Kind.STATUS,
        source="state.phase",
        meaning="Where it stands.",
        json=True,
        csv="status",
        xlsx=SheetColumn("Status", 12),
        html=PageColumn(table="Status"),
    ),
    ReportColumn(
        name="type",
        kind=Kind.CHOICE,
        source="image.type",
        meaning="What it becomes.",
        choices=tuple(type_.value for type_ in ImageType),
        json=True,
        csv="type",
        xlsx=SheetColumn("Type", 10, SOURCE),
        html=PageColumn(),
    ),
    ReportColumn(
        name="os",
        kind=Kind.NAME,
        source="os",
        meaning="OS version, as the plan names it or else as the service found it in the file, or the OS "
        "type of a data disk; may be empty.",
        json=True,
        csv="os",
        xlsx=SheetColumn("OS", 24, SOURCE),
        html=PageColumn(),
    ),
    ReportColumn(
        name="method",
        kind=Kind.CHOICE,
        source="method",
        meaning="How it goes in; auto until that is decided.",
        choices=METHODS,
        json=True,
        csv="method",
        xlsx=SheetColumn("Method", 10, SOURCE),
        html=PageColumn(details="Method"),
    ),
    ReportColumn(
        name="method_reason",
        kind=Kind.NAME,
        source="state.method_why",
        meaning="Why so, where the plan left it open.",
        json=True,
        csv="method_reason",
        xlsx=SheetColumn("Why this method", 24, SOURCE),
        html=PageColumn(details="Why this method"),
    ),
    ReportColumn(
        name="min_disk",
        kind=Kind.NUMBER,
        source="image.min_disk",
        meaning="GB.",
        json=True,
        csv="min_disk_gb",
        xlsx=SheetColumn("Disk (GB)", 9, SOURCE),
        html=PageColumn(),
    ),
    ReportColumn(
        name="image_url",
        kind=Kind.TEXT,
        source="image.image_url",
        meaning="<bucket>:<object key>.",
        json=True,
        csv="image_url",
        xlsx=SheetColumn("Source", 50, SOURCE),
        html=PageColumn(details="Image file"),
    ),
    ReportColumn(
        name="image_id",
        kind=Kind.TEXT,
        source="state.image_id",
        meaning="Id of the private image; of a failed one, of what it may have left behind.",
        optional=True,
        json=True,
        csv="image_id",
        xlsx=SheetColumn("Image ID", 38, SOURCE),
        html=PageColumn(details="Image id"),
    ),
    ReportColumn(
        name="other_images",
        kind=Kind.TEXT,
        source="other_images",
        meaning="Ids of more images that bear this image's marker: somebody on the way repeated the request.",
        optional=True,
        json=True,
        csv="other_images",
        html=PageColumn(details="More images of it"),
    ),
    ReportColumn(
        name="not_compared",
        kind=Kind.TEXT,
        source="not_compared",
        meaning="Keys that the plan set and the service did not tell of when the image was verified.",
        optional=True,
        json=True,
        csv="not_compared",
        html=PageColumn(details="Could not be compared"),
    ),
    ReportColumn(
        name="job_id",
        kind=Kind.TEXT,
        source="state.job_id",
        meaning="Its latest job.",
        optional=True,
        json=True,
        csv="job_id",
        xlsx=SheetColumn("Job ID", 38, SOURCE),
        html=PageColumn(details="Job id"),
    ),
    ReportColumn(
        name="progress",
        kind=Kind.FRACTION,
        source="progress",
        meaning="Fraction of its job, as the service last told; no proof of completion.",
        optional=True,
        json=True,
        csv="progress_percent",
        xlsx=SheetColumn("Progress", 9, DETAILS),
        html=PageColumn(),
    ),
    ReportColumn(
        name="began_at",
        kind=Kind.MOMENT,
        source="began_at",
        meaning="When its first request left, of those that led to where it stands.",
        optional=True,
        xlsx=SheetColumn("First request", 19, DETAILS),
        html=PageColumn(),
    ),
    ReportColumn(
        name="submitted_at",
        kind=Kind.MOMENT,
        source="state.submitted_at",
        meaning="When the service accepted it.",
        optional=True,
        json=True,
        csv="submitted_at",
        xlsx=SheetColumn("Accepted", 19, DETAILS),
        html=PageColumn(table="Submitted", details="Submitted"),
    ),
    ReportColumn(
        name="job_ended_at",
        kind=Kind.MOMENT,
        source="state.job_ended_at",
        meaning="When the service said that its job ended well; it was verified after that.",
        optional=True,
        json=True,
        xlsx=SheetColumn("Job ended", 19, DETAILS),
        html=PageColumn(details="Job ended"),
    ),
    ReportColumn(
        name="finished_at",
        kind=Kind.MOMENT,
        source="state.finished_at",
        meaning="When it succeeded, failed or was skipped.",
        optional=True,
        json=True,
        csv="finished_at",
        xlsx=SheetColumn("Finished", 19),
        html=PageColumn(details="Finished"),
    ),
    ReportColumn(
        name="minutes",
        kind=Kind.MINUTES,
        source="seconds",
        meaning="From submitted to finished, rounded to hundredths.",
        optional=True,
        csv="minutes",
        xlsx=SheetColumn("Minutes", 9),
        html=PageColumn(table="Minutes"),
    ),
    ReportColumn(
        name="seconds",
        kind=Kind.DECIMAL,
        source="seconds",
        meaning="From submitted to finished.",
        optional=True,
        json=True,
        csv="seconds",
    ),
    ReportColumn(
        name="error",
        kind=Kind.ERROR,
        source="state.fault",
        meaning="Why it failed, or why it waits.",
        optional=True,
        json=True,
        html=PageColumn(table="Note"),
    ),
    ReportColumn(
        name="attempts",
        kind=Kind.ATTEMPTS,
        source="state.attempts",
        meaning="Every submission, oldest first.",
        json=True,
        csv="attempts",
        xlsx=SheetColumn("Attempts", 9, DETAILS),
        html=PageColumn(),
    ),
    ReportColumn(
        name="error_code",
        kind=Kind.TEXT,
        source="state.fault.code",
        meaning="Of its error: the service's code, or one of migrator's own (MIG.…).",
        optional=True,
        csv="error_code",
        xlsx=SheetColumn("Error code", 14),
    ),
    ReportColumn(
        name="error_message",
        kind=Kind.TEXT,
        source="state.fault.message",
        meaning="Of its error: the service's words, on one line; untrusted.",
        optional=True,
        csv="error_message",
        xlsx=SheetColumn("Error", 44, wraps=True),
    ),
    ReportColumn(
        name="remedy",
        kind=Kind.TEXT,
        source="state.fault.remedy",
        meaning="Of its error: what to do about it; may be empty.",
        optional=True,
        csv="remedy",
        xlsx=SheetColumn("What to do", 44, wraps=True),
    ),
    ReportColumn(
        name="request_id",
        kind=Kind.TEXT,
        source="state.fault.request_id",
        meaning="Of its error: for the vendor's support; may be empty.",
        optional=True,
        csv="request_id",
        xlsx=SheetColumn("Request id", 20, DETAILS),
        html=PageColumn(details="Request id"),
    ),
    ReportColumn(
        name="after_import",
        kind=Kind.TEXT,
        source="steps",
        meaning="Shares and copies that the plan asks for, and where each stands.",
        optional=True,
        json=True,
        csv="after_import",
        xlsx=SheetColumn("After import", 30, DETAILS),
        html=PageColumn(details="After import"),
    ),
    ReportColumn(
        name="removed",
        kind=Kind.YES_NO,
        source="state.removed",
        meaning="No longer in the plan.",
        json=True,
        csv="removed",
        xlsx=SheetColumn("Left the plan", 12, FLAGS),
        html=PageColumn(flag=glossary.REMOVED),
    ),
    ReportColumn(
        name="drifted",
        kind=Kind.YES_NO,
        source="drifted",
        meaning="Edited in the plan after it was submitted.",
        json=True,
        csv="drifted",
        xlsx=SheetColumn("Edited since", 12, FLAGS),
        html=PageColumn(flag=glossary.DRIFTED),
    ),
    ReportColumn(
        name="held",
        kind=Kind.YES_NO,
        source="state.held",
        meaning="In doubt, and left for a person to decide.",
        json=True,
        csv="held",
        xlsx=SheetColumn("Held", 8, FLAGS),
        html=PageColumn(flag=glossary.HELD),
    ),
)

Cell = tuple[str, Callable[[Any], str]]
"""How the cell of a row is made: the source of its value, and how that is written."""


class RowWriter(Protocol):
    """Writes a row; `number` is put where its template says so."""

    def __call__(self, row: ImageRow, number: str = "", /) -> str: ...


def getter(source: str) -> Callable[[ImageRow], Any]:
    """The function that takes a value out of a row."""
    found = attrgetter(source)
    if not source.startswith(_OF_FAULT):
        return found
    return lambda row: None if row.state.fault is None else found(row)


_OF_FAULT = "state.fault."


NUMBER = "\1"
"""Stands in a template for the number of the row: no format has that character."""


def row_writer(template: str, cells: Sequence[Cell], *, unknown: str) -> RowWriter:
    """The function that fills the `%s` of a template with the cells of a row; `unknown` stands for None.

    It is put together once, as the standard library does for named tuples. Walking the cells of each row in a
    loop takes a third longer, and a large report has millions of them.
    """
    names: dict[str, Any] = {"unknown": unknown}
    code = repr(template.replace("{", "{{").replace("}", "}}")).replace(repr(NUMBER)[1:-1], "{number}")
    taken: dict[str, str] = {}
    for index, (source, write) in enumerate(cells):
        names[f"write{index}"] = write
        # A part of a fault is unknown where there is no fault.
        asked = _OF_FAULT[:-1] if source.startswith(_OF_FAULT) else source
        part = source.removeprefix(asked)
        if asked in taken:
            value = variable = taken[asked]
        else:
            variable = taken[asked] = f"value{index}"
            value = f"({variable} := {_expression(asked)})"
        code = code.replace("%s", f"{{(unknown if {value} is None else write{index}({variable}{part}))}}", 1)
    body = f"    image, state, drifted = row\n    return f{code}"
    exec(f"def write(row, number=''):\n{body}", names)  # noqa: S102 all of it is ours
    made: RowWriter = names["write"]
    return made


def _expression(source: str) -> str:
    return source if source == "drifted" or source.startswith(("image.", "state.")) else f"row.{source}"
