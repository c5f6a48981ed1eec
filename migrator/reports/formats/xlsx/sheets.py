"""The short sheets: the summary, the failures by cause, the groups, and the timeline with its chart."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from migrator.domain.units import span
from migrator.reports.causes import Cause
from migrator.reports.formats.xlsx.workbook import MOST_ROWS, Book, TextLines, height
from migrator.reports.glossary import CAUSES, DONE, FAILED, RUNS, STATUSES, TO_GO, label
from migrator.reports.headline import headline, next_step
from migrator.reports.summary import Summary
from migrator.reports.tally import Tally
from migrator.workflow.states import Phase

_RUNS = 50
"""How many runs are listed, the latest first."""

_KEYS = 20
"""How many images of one cause are named."""


def summary_sheet(book: Book, summary: Summary) -> None:
    """How it stands and what to do, on one page."""
    sheet = book.sheet("Summary")
    sheet.set_column(0, 0, 30)
    sheet.set_column(1, 1, 19)
    sheet.set_column(2, 7, 14)
    lines = TextLines(book, sheet)
    _put_outlook(lines, summary)
    first = lines.next + 3
    _put_statuses(lines, summary.totals)
    book.colour_statuses(sheet, 0, first - 1, first + len(Phase) - 2)
    _put_targets(lines, summary)
    if summary.waiting:
        _put_waiting(lines, summary.waiting)
    _put_runs(lines, summary)


def _put_outlook(lines: TextLines, summary: Summary) -> None:
    plan, eta, cloud = summary.plan, summary.eta, summary.durations.cloud
    lines.put((f"Migration {plan.name}", "title"))
    lines.put((headline(summary), "strong"))
    lines.put((next_step(summary).replace("`", '"'), "text"))
    lines.skip()
    zone = f"({summary.zone.name})"
    lines.put((f"As of {zone}", "text"), (summary.generated_at, "moment"))
    if plan.description:
        lines.put(("About", "text"), (plan.description, "text"))
    if plan.owner:
        lines.put(("Owner", "text"), (plan.owner, "text"))
    if eta.range is not None:
        lines.put((f"Done not before {zone}", "text"), (eta.range.earliest, "moment"))
        lines.put(("… most likely", "text"), (eta.range.at, "moment"))
        lines.put(("… and by", "text"), (eta.range.latest, "moment"))
    if eta.reason:
        lines.put(("No estimate", "text"), (eta.reason, "text"))
    for sentence in summary.waits:
        lines.put(("Waits for", "text"), (sentence, "text"))
    lines.put(("Time left", "text"), (None if eta.seconds is None else span(eta.seconds), "text"))
    lines.put(("Images in an hour", "text"), (summary.throughput.per_hour, "decimal"))
    lines.put(("… if always at the limits", "text"), (summary.throughput.possible_per_hour, "decimal"))
    lines.put(("Minutes in the cloud, half", "text"), (None if cloud is None else cloud.p50 / 60, "decimal"))
    lines.put(("… 95 of 100", "text"), (None if cloud is None else cloud.p95 / 60, "decimal"))
    if len(summary.images) >= MOST_ROWS:
        lines.put((f"The sheet Images holds the first {MOST_ROWS - 1:,} images only.", "strong"))


def _put_statuses(lines: TextLines, totals: Tally) -> None:
    rows = [((STATUSES[phase].word, "text"), (totals[phase], "number")) for phase in Phase]
    everything = (("All", "strong"), (totals.images, "number"))
    lines.table("By status", ("Status", "Images"), [*rows, everything])


def _put_targets(lines: TextLines, summary: Summary) -> None:
    targets = summary.plan.targets
    lines.table(
        "By target",
        ("Target", "Region", "Images", *_TALLIED),
        (
            (
                (name, "text"),
                (targets[name].region if name in targets else None, "text"),
                *((count, "number") for count in (tally.images, *_tallied(tally))),
            )
            for name, tally in summary.by_target.items()
        ),
    )


def _put_waiting(lines: TextLines, waiting: Iterable[Cause]) -> None:
    lines.table(
        "What it waits for",
        ("Why", "Code", "Images", "Message"),
        (
            (
                (CAUSES[cause.kind], "text"),
                (cause.code, "text"),
                (cause.count, "number"),
                (cause.message or cause.remedy, "text"),
            )
            for cause in waiting
        ),
    )


def _put_runs(lines: TextLines, summary: Summary) -> None:
    lines.table(
        "Runs",
        ("Run", f"Began ({summary.zone.name})", "State", "Minutes", "Exit code", "Reason"),
        (
            (
                (run.run, "text"),
                (run.began_at, "moment"),
                (RUNS[run.state], "text"),
                (run.seconds / 60, "decimal"),
                (run.exit_code, "number"),
                (run.reason, "text"),
            )
            for run in reversed(summary.runs[-_RUNS:])
        ),
    )


_TALLIED = tuple(label(word) for word in (DONE.word, FAILED.word, TO_GO))


def _tallied(tally: Tally) -> tuple[int, int, int]:
    """Done, failed, to go; how many images there are stands beside them."""
    return tally.done, tally.failed, tally.unfinished


_CAUSE_WIDTHS = (14, 50, 50, 9, 26, 19, 19, 20, 60)


def causes_sheet(book: Book, causes: Sequence[Cause]) -> None:
    """The failures, one line for each cause."""
    sheet = book.sheet("Failures by cause")
    headings = (
        "Code",
        "Message",
        "What to do",
        "Images",
        "Owners",
        f"First ({book.zone.name})",
        f"Last ({book.zone.name})",
        "Request id",
        "Keys",
    )
    book.header(sheet, 0, headings)
    for column, width in enumerate(_CAUSE_WIDTHS):
        sheet.set_column(column, column, width)
    for row, cause in enumerate(islice(causes, MOST_ROWS - 1), 1):
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
        widths = zip(cells, _CAUSE_WIDTHS, strict=True)
        sheet.set_row(
            row, height((str(value), width) for (value, kind), width in widths if kind == "wrapped")
        )
    sheet.freeze_panes(1, 0)
    sheet.repeat_rows(0)
    sheet.autofilter(0, 0, max(len(causes), 1), len(headings) - 1)


def tally_sheet(book: Book, title: str, what: str, tallies: Mapping[str, Tally]) -> None:
    """A group on each line, with its images by status."""
    sheet = book.sheet(title)
    headings = (
        what,
        "Images",
        *_TALLIED,
        "Done %",
        *(STATUSES[phase].word for phase in Phase),
    )
    book.header(sheet, 0, headings)
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, len(headings) - 1, 11)
    for row, (name, tally) in enumerate(islice(tallies.items(), MOST_ROWS - 1), 1):
        book.put(sheet, row, 0, name or "(none)", "text")
        for column, count in enumerate((tally.images, *_tallied(tally)), 1):
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
    sheet.autofilter(0, 0, last, len(headings) - 1)


def timeline_sheet(book: Book, summary: Summary) -> None:
    """What finished when, as numbers and as a chart."""
    sheet = book.sheet("Timeline data")
    headings = (f"From ({book.zone.name})", "Minutes", "Done", "Failed", "Done so far", "Failed so far")
    book.header(sheet, 0, headings)
    sheet.set_column(0, 0, 19)
    sheet.set_column(1, len(headings) - 1, 12)
    minutes = summary.throughput.slice_seconds / 60
    done = failed = 0
    slices = summary.throughput.slices
    for row, each in enumerate(slices, 1):
        done, failed = done + each.succeeded, failed + each.failed
        book.put(sheet, row, 0, each.at, "moment")
        for column, number in enumerate((minutes, each.succeeded, each.failed, done, failed), 1):
            book.put(sheet, row, column, number, "number")
    sheet.freeze_panes(1, 0)
    if not slices:
        return
    chart = book.chart()
    for column, colour in ((2, "#548235"), (3, "#C00000")):
        chart.add_series(
            {
                "name": [sheet.name, 0, column],
                "categories": [sheet.name, 1, 0, len(slices), 0],
                "values": [sheet.name, 1, column, len(slices), column],
                "fill": {"color": colour},
                "gap": 20,
            }
        )
    chart.set_title({"name": f"Finished in each {minutes:g} minutes"})
    chart.set_x_axis({"num_format": "mm-dd hh:mm", "text_axis": True})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 900, "height": 380})
    sheet.insert_chart("H2", chart)
