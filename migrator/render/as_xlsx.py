"""The report as a workbook, for Excel: where it stands, every image, and who has to do something.

- Text is only ever text: its cells are typed and formatted so, and neither formulas nor links are made of it.
- Moments are real dates in UTC, as their headers say; numbers are numbers; unknown is an empty cell.
- The same summary gives the same bytes.
- XlsxWriter makes the workbook, but for the rows of its long sheet: that is given one row as a pattern, from
  which all others are stamped while the file is written. It takes a fifth of the time, and no memory.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple
from xml.sax.saxutils import escape
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from migrator.core.causes import Cause, one_line
from migrator.core.headline import headline, next_step, span
from migrator.core.lifecycle import Phase
from migrator.core.summary import Row, Summary, Tally
from migrator.model import Moment

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

# --- Cells ----------------------------------------------------------------------------------------------

_LONGEST = 16_383
"""Characters in one cell: half of what Excel takes (32,767), because it counts an emoji twice."""

_MOST_ROWS = 1_048_576
_MOST_COLUMNS = 16_384
"""What one sheet may hold (Microsoft, "Excel specifications and limits")."""

_ROWS = 64
"""Rows between two writes."""

_NO_CHARACTERS = re.compile("[\ufffe\uffff]")
_ESCAPE = re.compile("_(?=x[0-9a-fA-F]{4}_)")
"""What Excel would read as the code of a character (ECMA-376 part 1, 22.9.2.19)."""


def text(untrusted: str | None) -> str:
    """What a cell may hold: one line of characters that XML allows, no longer than Excel takes."""
    if not untrusted:
        return ""
    line = untrusted if untrusted.isprintable() else _NO_CHARACTERS.sub("", one_line(untrusted))
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def serial(moment: Moment) -> float:
    """The moment as Excel counts: days since 1899-12-30, in UTC, to the millisecond."""
    return round(moment * 1000) / 86_400_000 + 25_569


def _text_cell(untrusted: str | None) -> str:
    """The rest of a cell after its position and format, as XML."""
    shown = text(untrusted)
    if not shown:
        return "/>"
    if "_x" in shown:
        shown = _ESCAPE.sub("_x005F_", shown)
    return f' t="inlineStr"><is><t xml:space="preserve">{escape(shown)}</t></is></c>'


_word_cell = lru_cache(maxsize=4096)(_text_cell)
"""The same for text that many images share."""


def _number_cell(number: float | None) -> str:
    return "/>" if number is None else f"><v>{number!r}</v></c>"


def _moment_cell(moment: Moment | None) -> str:
    return "/>" if moment is None else f"><v>{serial(moment)!r}</v></c>"


# --- The sheet of images --------------------------------------------------------------------------------


class _Column(NamedTuple):
    header: str
    width: float
    format: str
    """Name of one of `_FORMATS`."""

    cell: Callable[[Row], str]


_NO, _YES = _text_cell("no"), _text_cell("yes")
_STATUS = {phase: _text_cell(phase.replace("_", " ")) for phase in Phase}

COLUMNS: tuple[_Column, ...] = (
    _Column("Key", 30, "text", lambda row: _text_cell(row.state.key)),
    _Column("Name", 26, "text", lambda row: _text_cell(row.image.name)),
    _Column("Target", 12, "text", lambda row: _word_cell(row.image.target)),
    _Column("Wave", 12, "text", lambda row: _word_cell(row.image.wave)),
    _Column("Status", 12, "text", lambda row: _STATUS[row.state.phase]),
    _Column("Progress", 9, "percent", lambda row: _number_cell(row.progress)),
    _Column("First request (UTC)", 19, "moment", lambda row: _moment_cell(row.began_at)),
    _Column("Accepted (UTC)", 19, "moment", lambda row: _moment_cell(row.state.submitted_at)),
    _Column("Job ended (UTC)", 19, "moment", lambda row: _moment_cell(row.state.job_ended_at)),
    _Column("Finished (UTC)", 19, "moment", lambda row: _moment_cell(row.state.finished_at)),
    _Column("Minutes", 9, "decimal", lambda row: _number_cell(row.minutes)),
    _Column("Attempts", 9, "number", lambda row: _number_cell(len(row.state.attempts))),
    _Column("Error code", 14, "text", lambda row: _fault_cell(row, "code")),
    _Column("Error", 50, "text", lambda row: _fault_cell(row, "message")),
    _Column("Remedy", 50, "text", lambda row: _fault_cell(row, "remedy")),
    _Column("Request ID", 20, "text", lambda row: _fault_cell(row, "request_id")),
    _Column("Type", 10, "text", lambda row: _word_cell(row.image.type)),
    _Column("OS", 24, "text", lambda row: _word_cell(row.os)),
    _Column("Disk (GB)", 9, "number", lambda row: _number_cell(row.image.min_disk)),
    _Column("Source", 50, "text", lambda row: _text_cell(row.image.image_url)),
    _Column("Image ID", 38, "text", lambda row: _text_cell(row.state.image_id)),
    _Column("Job ID", 38, "text", lambda row: _text_cell(row.state.job_id)),
    _Column("Left the plan", 12, "text", lambda row: _YES if row.state.removed else _NO),
    _Column("Edited since", 12, "text", lambda row: _YES if row.drifted else _NO),
    _Column("Held", 8, "text", lambda row: _YES if row.state.held else _NO),
)
"""What each row of the sheet Images says before its labels."""


def _fault_cell(row: Row, what: str) -> str:
    fault = row.state.fault
    return "/>" if fault is None else _text_cell(getattr(fault, what))


def _label_column(label: str) -> _Column:
    return _Column(f"label {label}", 16, "text", lambda row: _word_cell(row.image.labels.get(label)))


# --- The workbook ---------------------------------------------------------------------------------------

_GREEN, _RED, _AMBER, _BLUE, _GREY = "#C6EFCE", "#FFC7CE", "#FFEB9C", "#DDEBF7", "#E7E6E6"
_COLOURS = {
    Phase.SUCCEEDED: _GREEN,
    Phase.SKIPPED: _GREEN,
    Phase.FAILED: _RED,
    Phase.IN_DOUBT: _AMBER,
    Phase.OVERDUE: _AMBER,
    Phase.SUBMITTING: _BLUE,
    Phase.RUNNING: _BLUE,
    Phase.VERIFYING: _BLUE,
    Phase.CANCELLED: _GREY,
}
_FORMATS: dict[str, dict[str, Any]] = {
    # Typed as text, so that a cell stays text even when somebody edits it.
    "text": {"num_format": "@", "valign": "top"},
    "wrapped": {"num_format": "@", "valign": "top", "text_wrap": True},
    "number": {"num_format": "#,##0", "valign": "top"},
    "decimal": {"num_format": "#,##0.0", "valign": "top"},
    "percent": {"num_format": "0%", "valign": "top"},
    "moment": {"num_format": "yyyy-mm-dd hh:mm:ss", "valign": "top", "align": "left"},
    "header": {"num_format": "@", "bold": True, "bg_color": "#1F3864", "font_color": "#FFFFFF"},
    "title": {"num_format": "@", "bold": True, "font_size": 16},
    "strong": {"num_format": "@", "bold": True},
}


def write(summary: Summary, stream: BinaryIO) -> None:
    """Write the report to `stream`."""
    from xlsxwriter import Workbook  # when it is needed: no other command should wait for it

    columns = [*COLUMNS, *map(_label_column, summary.label_keys)][:_MOST_COLUMNS]
    rows = min(len(summary.images), _MOST_ROWS - 1)
    made = BytesIO()
    # In memory, because temporary files would bear the time at which they were made.
    with Workbook(made, {"in_memory": True}) as workbook:
        workbook.set_properties(
            {
                "title": f"Migration {summary.plan.name}",
                "author": text(summary.plan.owner),
                "created": datetime.fromtimestamp(summary.generated_at, UTC).replace(tzinfo=None),
            }
        )
        book = _Book(workbook)
        _summary_sheet(book, summary)
        _images_sheet(book, columns, rows)
        _causes_sheet(book, summary.failures)
        _tally_sheet(book, "By wave", "Wave", summary.by_wave)
        owners = summary.by_label.get("owner") or ({"": summary.totals} if summary.totals.images else {})
        _tally_sheet(book, "By owner", "Owner", owners)
        _timeline_sheet(book, summary)
    with ZipFile(made) as source, ZipFile(stream, "w", ZIP_DEFLATED, compresslevel=_LEVEL) as target:
        for name in source.namelist():
            with target.open(_entry(name), "w") as entry:
                if name == _IMAGES:
                    entry.writelines(_stamped(source.read(name).decode(), columns, summary.images, rows))
                else:
                    entry.write(source.read(name))


_LEVEL = 3
"""Half the time of the usual 6, for files that are a fifth larger."""

_IMAGES = "xl/worksheets/sheet2.xml"


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = ZIP_DEFLATED
    entry._compresslevel = _LEVEL  # type: ignore[attr-defined]
    return entry


def _stamped(sheet: str, columns: Sequence[_Column], images: Iterable[Row], count: int) -> Iterator[bytes]:
    """The sheet with a row for each image in place of its pattern rows."""
    begin, end = sheet.index('<row r="2"'), sheet.index("</sheetData>")
    cells = re.findall(r'<c r="([A-Z]+)2" s="(\d+)"/>', sheet[begin:end])
    pattern = "".join(f'<c r="{column}{{row}}" s="{style}"%s' for column, style in cells)
    pattern = f'<row r="{{row}}">{pattern}</row>'
    makers = [column.cell for column in columns]
    yield sheet[:begin].encode()
    numbered = enumerate(islice(images, count), 2)
    while some := [
        pattern.replace("{row}", str(number)) % tuple([make(row) for make in makers])
        for number, row in islice(numbered, _ROWS)
    ]:
        yield "".join(some).encode()
    yield sheet[end:].encode()


class _Book:
    """A workbook with our formats, and the few ways in which its sheets are filled."""

    def __init__(self, workbook: "Workbook") -> None:
        self._workbook = workbook
        self.formats: dict[str, Format] = {
            name: workbook.add_format(properties) for name, properties in _FORMATS.items()
        }
        self.colours = {
            phase: workbook.add_format({"bg_color": colour}) for phase, colour in _COLOURS.items()
        }

    def sheet(self, name: str) -> "Worksheet":
        sheet = self._workbook.add_worksheet(name)
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        return sheet

    def chart(self) -> Any:
        return self._workbook.add_chart({"type": "column", "subtype": "stacked"})

    def put(self, sheet: "Worksheet", row: int, column: int, value: object, kind: str) -> None:
        """One cell; empty for None."""
        form = self.formats[kind]
        if value is None:
            return
        if isinstance(value, str):
            sheet.write_string(row, column, text(value), form)
        elif isinstance(value, int | float):
            sheet.write_number(row, column, serial(value) if kind == "moment" else value, form)

    def header(self, sheet: "Worksheet", row: int, names: Sequence[str]) -> None:
        for column, name in enumerate(names):
            self.put(sheet, row, column, name, "header")


def _images_sheet(book: _Book, columns: Sequence[_Column], rows: int) -> None:
    sheet = book.sheet("Images")
    book.header(sheet, 0, [column.header for column in columns])
    for index, column in enumerate(columns):
        sheet.set_column(index, index, column.width)
        sheet.write_blank(1, index, None, book.formats[column.format])
    last = max(rows, 1)
    sheet.write_blank(last, len(columns) - 1, None, book.formats[columns[-1].format])  # how far it reaches
    sheet.freeze_panes(1, 1)
    sheet.repeat_rows(0)
    sheet.autofilter(0, 0, last, len(columns) - 1)
    status = next(index for index, column in enumerate(columns) if column.header == "Status")
    for phase, form in book.colours.items():
        rule = {"type": "cell", "criteria": "==", "value": f'"{phase.replace("_", " ")}"', "format": form}
        sheet.conditional_format(1, status, last, status, rule)


def _summary_sheet(book: _Book, summary: Summary) -> None:
    sheet = book.sheet("Summary")
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 19)
    sheet.set_column(2, 7, 14)
    line = 0

    def put(*cells: tuple[object, str]) -> None:
        nonlocal line
        for column, (value, kind) in enumerate(cells):
            book.put(sheet, line, column, value, kind)
        line += 1

    def table(title: str, names: Sequence[str], rows: Iterable[Sequence[tuple[object, str]]]) -> None:
        nonlocal line
        line += 1
        put((title, "strong"))
        book.header(sheet, line, names)
        line += 1
        for cells in rows:
            put(*cells)

    plan, totals, eta = summary.plan, summary.totals, summary.eta
    put((f"Migration {plan.name}", "title"))
    put((headline(summary), "strong"))
    put((next_step(summary).replace("`", '"'), "text"))
    line += 1
    put(("As of (UTC)", "text"), (summary.generated_at, "moment"))
    if plan.description:
        put(("About", "text"), (plan.description, "text"))
    if plan.owner:
        put(("Whom to ask", "text"), (plan.owner, "text"))
    put(("Done by (UTC)", "text"), (eta.at, "moment"))
    put(("Time left", "text"), (None if eta.seconds is None else span(eta.seconds), "text"))
    put(("Images in an hour", "text"), (summary.throughput.per_hour, "decimal"))
    put(("… if always at the limits", "text"), (summary.throughput.possible_per_hour, "decimal"))
    cloud = summary.durations.cloud
    put(("Minutes in the cloud, half", "text"), (None if cloud is None else cloud.p50 / 60, "decimal"))
    put(("… 95 of 100", "text"), (None if cloud is None else cloud.p95 / 60, "decimal"))
    if len(summary.images) >= _MOST_ROWS:
        put((f"The sheet Images holds the first {_MOST_ROWS - 1:,} images only.", "strong"))
    top = line + 3
    table(
        "By status",
        ("Status", "Images"),
        [
            *(((phase.replace("_", " "), "text"), (totals[phase], "number")) for phase in Phase),
            (("All", "strong"), (totals.images, "number")),
        ],
    )
    for phase, form in book.colours.items():
        rule = {"type": "cell", "criteria": "==", "value": f'"{phase.replace("_", " ")}"', "format": form}
        sheet.conditional_format(top - 1, 0, top + len(Phase) - 2, 0, rule)
    table(
        "By target",
        ("Target", "Region", "Images", "Done", "Failed", "To go"),
        (
            (
                (target, "text"),
                (plan.targets[target].region if target in plan.targets else None, "text"),
                (tally.images, "number"),
                (tally.done, "number"),
                (tally.failed, "number"),
                (tally.unfinished, "number"),
            )
            for target, tally in summary.by_target.items()
        ),
    )
    if summary.waiting:
        table(
            "What it waits for",
            ("Why", "Code", "Images", "Message"),
            (
                (
                    (cause.why.replace("_", " "), "text"),
                    (cause.code, "text"),
                    (cause.count, "number"),
                    (cause.message or cause.remedy, "text"),
                )
                for cause in summary.waiting
            ),
        )
    table(
        "Runs",
        ("Run", "Began (UTC)", "State", "Minutes", "Exit code", "Reason"),
        (
            (
                (run.run, "text"),
                (run.began_at, "moment"),
                (run.state.value, "text"),
                (run.seconds / 60, "decimal"),
                (run.exit_code, "number"),
                (run.reason, "text"),
            )
            for run in reversed(summary.runs[-_RUNS:])
        ),
    )


_RUNS = 50
"""How many runs are listed, the latest first."""

_KEYS = 20
"""How many images of one cause are named."""


def _causes_sheet(book: _Book, causes: Sequence[Cause]) -> None:
    sheet = book.sheet("Failures by cause")
    names = (
        "Code",
        "Message",
        "Remedy",
        "Images",
        "Owners",
        "First (UTC)",
        "Last (UTC)",
        "Request ID",
        "Keys",
    )
    book.header(sheet, 0, names)
    for column, width in enumerate((14, 50, 50, 9, 26, 19, 19, 20, 60)):
        sheet.set_column(column, column, width)
    for row, cause in enumerate(islice(causes, _MOST_ROWS - 1), 1):
        more = len(cause.keys) - _KEYS
        keys = ", ".join(cause.keys[:_KEYS]) + (f" and {more:,} more" if more > 0 else "")
        owners = ", ".join(f"{owner or '(none)'} {count:,}" for owner, count in cause.owners.items())
        cells: tuple[tuple[object, str], ...] = (
            (cause.code, "text"),
            (cause.message, "wrapped"),
            (cause.remedy, "wrapped"),
            (cause.count, "number"),
            (owners, "wrapped"),
            (cause.first_at, "moment"),
            (cause.last_at, "moment"),
            (cause.request_id, "text"),
            (keys, "wrapped"),
        )
        for column, (value, kind) in enumerate(cells):
            book.put(sheet, row, column, value, kind)
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    sheet.autofilter(0, 0, max(len(causes), 1), len(names) - 1)


def _tally_sheet(book: _Book, title: str, what: str, tallies: Mapping[str, Tally]) -> None:
    sheet = book.sheet(title)
    names = (
        what,
        "Images",
        "Done",
        "Failed",
        "To go",
        "Done %",
        *(phase.replace("_", " ") for phase in Phase),
    )
    book.header(sheet, 0, names)
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, len(names) - 1, 11)
    for row, (name, tally) in enumerate(islice(tallies.items(), _MOST_ROWS - 1), 1):
        book.put(sheet, row, 0, name or "(none)", "text")
        for column, count in enumerate((tally.images, tally.done, tally.failed, tally.unfinished), 1):
            book.put(sheet, row, column, count, "number")
        book.put(sheet, row, 5, tally.done / tally.wanted if tally.wanted else None, "percent")
        for column, count in enumerate(tally.counts, 6):
            book.put(sheet, row, column, count, "number")
    last = max(len(tallies), 1)
    sheet.conditional_format(
        1,
        5,
        last,
        5,
        {
            "type": "data_bar",
            "bar_color": "#63BE7B",
            "min_type": "num",
            "min_value": 0,
            "max_type": "num",
            "max_value": 1,
        },
    )
    sheet.freeze_panes(1, 1)
    sheet.repeat_rows(0)
    sheet.autofilter(0, 0, last, len(names) - 1)


def _timeline_sheet(book: _Book, summary: Summary) -> None:
    sheet = book.sheet("Timeline data")
    names = ("From (UTC)", "Minutes", "Done", "Failed", "Done so far", "Failed so far")
    book.header(sheet, 0, names)
    sheet.set_column(0, 0, 19)
    sheet.set_column(1, len(names) - 1, 12)
    minutes = summary.throughput.bucket_seconds / 60
    done = failed = 0
    buckets = summary.throughput.buckets
    for row, bucket in enumerate(buckets, 1):
        done, failed = done + bucket.succeeded, failed + bucket.failed
        book.put(sheet, row, 0, bucket.at, "moment")
        for column, number in enumerate((minutes, bucket.succeeded, bucket.failed, done, failed), 1):
            book.put(sheet, row, column, number, "number")
    sheet.freeze_panes(1, 0)
    if not buckets:
        return
    chart = book.chart()
    for column, colour in ((2, "#548235"), (3, "#C00000")):
        chart.add_series(
            {
                "name": [sheet.name, 0, column],
                "categories": [sheet.name, 1, 0, len(buckets), 0],
                "values": [sheet.name, 1, column, len(buckets), column],
                "fill": {"color": colour},
                "gap": 20,
            }
        )
    chart.set_title({"name": f"Finished in each {minutes:g} minutes"})
    chart.set_x_axis({"num_format": "mm-dd hh:mm", "text_axis": True})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 900, "height": 380})
    sheet.insert_chart("H2", chart)
