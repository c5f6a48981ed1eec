"""The manual's page about the columns of the reports, made from their table; `tests/manual.py` writes it."""

from collections.abc import Iterator

from migrator.reports.columns import COLUMNS, Kind, PageColumn, ReportColumn
from migrator.reports.glossary import STATUSES

_HEAD = """\
# What reports show of each image

Made from `migrator/reports/columns.py`.

Moments are ISO 8601 in UTC in JSON and CSV, and dates in the zone of the plan in XLSX. Sizes are GB. What is
not known is null in JSON and empty elsewhere. In CSV and XLSX each label has a column of its own, behind all
others. The JSON Schema is printed by `migrator schema report`. What HTML has in its data alone, it shows in
its own way.

"""

_STATUSES = """
## Statuses

JSON and CSV have the status, for programs; what people read says it in words.

"""


def column_manual() -> str:
    """The page, as Markdown."""
    return _HEAD + "".join(_columns()) + _STATUSES + "".join(_statuses())


def _columns() -> Iterator[str]:
    yield "| JSON | CSV | XLSX | HTML | Kind | What it is |\n"
    yield "|:--|:--|:--|:--|:--|:--|\n"
    for column in COLUMNS:
        cells = (
            f"`{column.name}`" if column.json else "",
            f"`{column.csv}{_key(column)}`" if column.csv else "",
            f"{column.xlsx.heading}{_key(column)}" if column.xlsx else "",
            _on_page(column.html) if column.html else "",
            _kind(column),
            column.meaning.replace("<", "\\<"),
        )
        yield f"| {' | '.join(cells)} |\n"


def _key(column: ReportColumn) -> str:
    return "KEY" if column.kind is Kind.LABELS else ""


def _on_page(page: PageColumn) -> str:
    places = ((page.table, "table"), (page.details, "details"), (page.flag, "note"))
    return ", ".join(f"{heading} ({place})" for heading, place in places if heading) or "in the data"


def _kind(column: ReportColumn) -> str:
    kind = ", ".join(f"`{choice}`" for choice in column.choices) or column.kind.value
    return f"{kind}, or unknown" if column.optional else kind


def _statuses() -> Iterator[str]:
    yield "| Status | In words | Counted as | What it means |\n"
    yield "|:--|:--|:--|:--|\n"
    for phase, status in STATUSES.items():
        yield f"| `{phase.value}` | {status.word} | {status.group.word} | {status.meaning} |\n"
