"""The report as one HTML file, for people: opens offline, and no request ever leaves it.

- Everything that is text in it went through Jinja2's autoescape, or through JSON in which no `<` is left, and
  reaches the page as text. Names and messages are on one line, without marks that turn the direction.
- The Content-Security-Policy names each script and style by its hash and allows nothing else, so that even
  what slipped through could not act, nor call home.
- Without scripts it is still a report: charts have tables beside them, and the first FIRST rows of the image
  table are in the page.
- Plotly draws the charts. Only its browser half is used, taken from its package and packed: the browser
  unpacks it when everything else is there already, and makes the figures from the rows of the table.
- The same summary gives the same bytes.
"""

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import quote

from msgspec import Struct
from pydantic_core import to_json

from migrator import __version__
from migrator.domain.cloud import Fault
from migrator.domain.units import Moment, span
from migrator.reports.causes import Cause, CauseKind
from migrator.reports.columns import COLUMNS, Kind, ReportColumn, getter
from migrator.reports.formats import page_template
from migrator.reports.glossary import (
    BUSY,
    CAUSES,
    DONE,
    DOUBT,
    FAILED,
    GROUPS,
    HELD,
    OPEN,
    RUNS,
    STATUSES,
    Group,
    label,
    statuses_of,
)
from migrator.reports.headline import headline, next_step
from migrator.reports.rows import ImageRow, ImageRows
from migrator.reports.runs import RunState
from migrator.reports.summary import Summary
from migrator.reports.tally import Tally
from migrator.reports.times import iso, minutes
from migrator.reports.untrusted import one_line, plain
from migrator.workflow.states import Attempt, Outcome, Phase

if TYPE_CHECKING:
    from jinja2 import Template

ROWS = 20_000
"""At most so many images are in the page, what needs attention first; the CSV has all of them."""

FIRST = 50
"""Rows of the image table that show without scripts."""

VALUES = 100
"""At most so many values of one label have a line of their own."""

NAMED = 8
"""Images that a cause names; the table shows all."""

PART = 1 << 16
"""Characters of the charts' script that are in memory at a time."""

ATTEMPTS = 20
"""The latest attempts of an image that its details list."""


_RANK = {phase: rank for rank, phase in enumerate(STATUSES)}

_COLUMNS = [column for column in COLUMNS if column.html is not None]


def _table() -> list[ReportColumn]:
    """The columns of the table of images. Where an image stands catches the eye first."""
    shown = [column for column in _COLUMNS if column.html and column.html.table]
    return sorted(shown, key=lambda column: column.kind is not Kind.STATUS)


def write(summary: Summary, stream: BinaryIO) -> None:
    """Write the report to `stream`."""
    # Half a surrogate pair, which a name can carry and UTF-8 cannot, must not cost anybody the report.
    stream.writelines(part.encode("utf-8", "replace") for part in _page(summary))


def _page(summary: Summary) -> Iterator[str]:
    """The page, part by part: as one text it would be there several times."""
    assets = _assets()
    # What needs attention comes first; sorting is stable, so the plan's order is kept within each status.
    order = sorted(range(len(summary.images)), key=[_RANK[row.status] for row in summary.images].__getitem__)[
        :ROWS
    ]
    causes = [*summary.failures, *summary.waiting]
    return assets.template.generate(
        assets=assets,
        s=summary,
        version=__version__,
        headline=_sentence(headline(summary)),
        next_step=next_step(summary),
        standing=_standing(summary),
        at_work=bool(summary.runs) and summary.runs[-1].state is RunState.RUNNING,
        statuses=STATUSES,
        groups=GROUPS,
        DONE=DONE,
        BUSY=BUSY,
        DOUBT=DOUBT,
        FAILED=FAILED,
        OPEN=OPEN,
        HELD=HELD,
        cause_words=CAUSES,
        run_words=RUNS,
        table=_table(),
        flags=[column for column in _COLUMNS if column.html and column.html.flag],
        values_shown=VALUES,
        named=NAMED,
        share=_share(summary.totals),
        wave_lines=summary.waves,
        asked_of=_asked_of(summary),
        first=[(position + 1, summary.images[position]) for position in order[:FIRST]],
        listed=len(order),
        data=_data(summary, order, causes),
        Phase=Phase,
    )


def _standing(summary: Summary) -> tuple[str, str]:
    """Where the plan stands, as a word for machines and one for people."""
    if not summary.runs:
        return "new", "Not started"
    last = summary.runs[-1].state
    if last is RunState.RUNNING:
        return "running", label(RUNS[last])
    if summary.totals.unfinished:
        return "stopped", label(RUNS[last]) if last is RunState.KILLED else "Stopped"
    return ("failed", "Finished, with failures") if summary.totals.failed else ("done", "Finished")


def _sentence(text: str) -> str:
    return label(text) + "."


def _asked_of(summary: Summary) -> list[tuple[str, int, int]]:
    """Owners with failed images, or with some that are held for them, and how many; the most first."""
    if "owner" not in summary.by_label:
        return []
    failed, held = Counter[str](), Counter[str]()
    for cause in summary.failures:
        failed.update(cause.owners)
    for cause in summary.waiting:
        if cause.kind is CauseKind.HELD:
            held.update(cause.owners)
    return [(owner, failed[owner], held[owner]) for owner, _ in (failed + held).most_common(VALUES)]


def _share(totals: Tally) -> str:
    """Percent done, rounded down so that 100 means all of them."""
    return f"{totals.done * 100 // totals.wanted if totals.wanted else 0}"


# --- The file's fixed parts -----------------------------------------------------------------------------


class _Assets(Struct, frozen=True, kw_only=True):
    template: "Template"
    style: str
    boot: str
    page: str
    charts: str
    plotly: Callable[[], Iterator[str]]
    """Packed with zlib, in base64; in parts, since it is most of the page."""

    policy: str
    """The Content-Security-Policy."""


@lru_cache(maxsize=1)
def _assets() -> _Assets:
    """Read once; a run writes the report again and again."""
    folder = files("migrator.reports.formats").joinpath("html")
    style, boot, page, charts = (
        folder.joinpath(name).read_text("utf-8") for name in ("report.css", "boot.js", "page.js", "charts.js")
    )
    with folder.joinpath("plotly.packed").open(encoding="ascii") as packed:
        sha256 = packed.readline().strip()
    scripts = " ".join([*(_hash(text.encode()) for text in (boot, page, charts)), f"'sha256-{sha256}'"])
    environment = page_template.environment(
        {
            "iso": iso,
            "line": one_line,
            "span": span,
            "segments": _segments,
            "fragment": _fragment,
            "label": label,
        }
    )
    environment.globals |= {
        "counted": _counted,
        "in_group": _in_group,
        "share_of": _share,
        "value": _value,
        "minutes": minutes,
        "Kind": Kind,
    }
    return _Assets(
        template=page_template.template(environment, folder.joinpath("report.html.j2").read_text("utf-8")),
        style=style,
        boot=boot,
        page=page,
        charts=charts,
        plotly=partial(_packed, folder.joinpath("plotly.packed"), PART),
        # Plotly opens an empty style and fills it rule by rule, which no policy has anything against.
        policy=f"default-src 'none'; script-src {scripts}; style-src {_hash(style.encode())} {_hash(b'')}; "
        "img-src data:; base-uri 'none'; form-action 'none'",
    )


def _packed(path: Traversable, part: int) -> Iterator[str]:
    """What follows the first line of the file, so many characters at a time."""
    with path.open(encoding="ascii") as packed:
        packed.readline()
        while text := packed.read(part):
            yield text


def _hash(content: bytes) -> str:
    """How a Content-Security-Policy names an inline script or style (W3C, "CSP Level 3", hash-source)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"


# --- What the template asks for -------------------------------------------------------------------------


def _in_group(tally: Tally, group: Group) -> int:
    return sum(tally[status] for status in statuses_of(group))


def _counted(tally: Tally) -> str:
    """A bar in words: "412 done, 3 failed"."""
    parts = [f"{count:,} {group.word}" for group in GROUPS if (count := _in_group(tally, group))]
    return ", ".join(parts) or "no images"


def _fragment(value: str) -> str:
    """A value in the address of the page, whatever it holds."""
    return quote(value, safe="", errors="replace")


def _value(row: ImageRow, column: ReportColumn) -> Any:
    return getter(column.source)(row)


_WIDTH = 1000
_LEAST = 6
"""A single failure among thousands must still be seen."""


def _segments(tally: Tally, gap: int) -> list[tuple[str, float, float]]:
    """A bar's segments as (group, x, width), `gap` apart, over a width of 1000 in all."""
    counts = [(group.name, count) for group in GROUPS if (count := _in_group(tally, group))]
    total = sum(count for _, count in counts)
    widths = [max(count / total * _WIDTH, _LEAST) for _, count in counts]
    scale = _WIDTH / sum(widths) if widths else 1.0
    segments, x = [], 0.0
    for (name, _), width in zip(counts, widths, strict=True):
        segments.append((name, round(x, 1), round(max(width * scale - gap, _LEAST / 2), 1)))
        x += width * scale
    return segments


# --- What the scripts ask for ---------------------------------------------------------------------------


class _Texts(dict[Any, int]):
    """Values that repeat, each kept once: its position in the list that the page is given."""

    def __missing__(self, value: Any) -> int:
        self[value] = position = len(self)
        return position


class _Packing:
    """Rows as short as JSON allows: moments are milliseconds after `base`, repeated texts are looked up."""

    def __init__(self, summary: Summary, causes: Sequence[Cause]) -> None:
        self.now = summary.generated_at
        self.base = min((run.began_at for run in summary.runs), default=self.now)
        self.labels = summary.label_keys
        self.texts = {column.name: _Texts() for column in _COLUMNS if column.kind is Kind.NAME}
        self.errors = _Texts()
        self.causes = {key: index for index, cause in enumerate(causes) for key in cause.keys}
        self.cells = [(getter(column.source), self._packer(column)) for column in _COLUMNS]

    def row(self, position: int, row: ImageRow) -> list[Any]:
        """The values of `ROW`, and then those of the columns."""
        packed = [None if (value := get(row)) is None else pack(value) for get, pack in self.cells]
        return [position + 1, self.causes.get(row.key), *packed]

    def _packer(self, column: ReportColumn) -> Callable[[Any], Any]:
        """How a value of the column, if it is known, is given to the page."""
        texts = self.texts.get(column.name, _Texts())
        packers: dict[Kind, Callable[[Any], Any]] = {
            Kind.TEXT: one_line,
            Kind.NAME: texts.__getitem__,
            Kind.CHOICE: str,
            Kind.STATUS: _PHASES.__getitem__,
            Kind.NUMBER: int,
            Kind.DECIMAL: float,
            Kind.MINUTES: minutes,
            Kind.FRACTION: lambda fraction: round(fraction * 100, 1),
            Kind.MOMENT: self.moment,
            Kind.YES_NO: int,
            Kind.ERROR: self.error,
            Kind.ATTEMPTS: self.attempts,
            Kind.LABELS: lambda labels: [one_line(labels.get(label, "")) for label in self.labels],
        }
        return packers[column.kind]

    def attempts(self, attempts: Sequence[Attempt]) -> list[Any]:
        """How many there are, and the latest of them."""
        return [len(attempts), [self.attempt(attempt) for attempt in attempts[-ATTEMPTS:]]]

    def attempt(self, attempt: Attempt) -> list[Any]:
        return [
            attempt.number,
            self.moment(attempt.began_at),
            None if attempt.ended_at is None else self.moment(attempt.ended_at),
            _OUTCOMES[attempt.outcome],
            None if attempt.fault is None else self.error(attempt.fault),
        ]

    def error(self, fault: Fault) -> int:
        fault = plain(fault)
        return self.errors[fault.code, fault.message, fault.remedy]

    def moment(self, moment: Moment) -> int:
        return round((moment - self.base) * 1000)


ROW = ("position", "cause")
"""What each row of the data says before its columns: its place in the plan, and the cause it belongs to."""

_PHASES = {phase: index for index, phase in enumerate(STATUSES)}
_OUTCOMES = {outcome: index for index, outcome in enumerate(Outcome)}


def _data(summary: Summary, order: Sequence[int], causes: Sequence[Cause]) -> Iterator[str]:
    """All that the scripts know, as JSON that may stand inside a script element; in parts."""
    packing = _Packing(summary, causes)
    yield '{"rows":['
    for index, row in enumerate(_lines(summary.images, order, packing)):
        yield f",\n{row}" if index else f"\n{row}"
    throughput, zone = summary.throughput, summary.zone
    head = {
        "base": round(packing.base * 1000),
        "now": packing.moment(summary.generated_at),
        "zone": [zone.name, zone.offset(summary.generated_at) if zone.name.startswith("UTC") else None],
        "total": len(summary.images),
        "columns": [*ROW, *(column.name for column in _COLUMNS)],
        "table": [[column.name, column.kind.value] for column in _table()],
        "details": [
            [column.name, column.kind.value, column.html.details]
            for column in _COLUMNS
            if column.html and column.html.details
        ],
        "flags": [[column.name, column.html.flag] for column in _COLUMNS if column.html and column.html.flag],
        "statuses": [[phase.value, status.label] for phase, status in STATUSES.items()],
        "groups": [
            [group.name, label(group.word), [_PHASES[phase] for phase in statuses_of(group)]]
            for group in GROUPS
        ],
        "outcomes": [outcome.value for outcome in Outcome],
        "texts": {name: list(map(one_line, texts)) for name, texts in packing.texts.items()},
        "errors": list(packing.errors),
        "labels": [one_line(name) for name in packing.labels],
        "causes": [_cause_title(cause) for cause in causes],
        "runs": [
            [packing.moment(run.began_at), packing.moment(run.began_at + run.seconds)] for run in summary.runs
        ],
        "throughput": {
            "per_hour": throughput.per_hour,
            "possible_per_hour": throughput.possible_per_hour,
            "slice_seconds": throughput.slice_seconds,
            "slices": [[packing.moment(each.at), each.succeeded, each.failed] for each in throughput.slices],
        },
    }
    yield "\n]," + _safe(head)[1:]


def _lines(images: ImageRows, order: Iterable[int], packing: _Packing) -> Iterator[str]:
    return (_safe(packing.row(position, images[position])) for position in order)


def _cause_title(cause: Cause) -> str:
    return f"{cause.code}: {cause.message}" if cause.code else cause.message or label(CAUSES[cause.kind])


def _safe(value: Mapping[str, Any] | list[Any]) -> str:
    """JSON in which nothing ends a script element, opens a comment or breaks a line."""
    return _json(value).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _json(value: object) -> str:
    try:
        return to_json(value).decode()
    except ValueError:  # half a surrogate pair
        import json

        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "replace").decode()
