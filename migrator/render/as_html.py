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
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, BinaryIO

from pydantic_core import to_json

from migrator import __version__
from migrator.core.causes import Cause, Why, one_line, plain
from migrator.core.headline import headline, next_step, span
from migrator.core.lifecycle import Attempt, Outcome, Phase
from migrator.core.summary import Row, Rows, RunState, Summary, Tally
from migrator.model import Fault, Moment
from migrator.render.words import iso

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

ATTEMPTS = 20
"""The latest attempts of an image that its details list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """How a status is said and shown."""

    label: str
    meaning: str


STATUSES: dict[Phase, Word] = {
    Phase.FAILED: Word(label="Failed", meaning="It will not be tried again until somebody asks for it."),
    Phase.IN_DOUBT: Word(
        label="In doubt",
        meaning="The answer to its request was lost; it is looked up before anything is sent.",
    ),
    Phase.OVERDUE: Word(
        label="Overdue",
        meaning="Its job takes longer than the plan allows. Not failed: the next run picks it up.",
    ),
    Phase.VERIFYING: Word(label="Verifying", meaning="Its job ended well; the image is being read back."),
    Phase.RUNNING: Word(label="Running", meaning="The cloud is importing it."),
    Phase.SUBMITTING: Word(label="Submitting", meaning="Its request is on the way."),
    Phase.PENDING: Word(label="To do", meaning="Not submitted yet, or to be submitted again."),
    Phase.SUCCEEDED: Word(label="Imported", meaning="The image is there and is what the plan asked for."),
    Phase.SKIPPED: Word(label="There before", meaning="An image was there already and was left as it is."),
    Phase.CANCELLED: Word(label="Cancelled", meaning="It left the plan before it was submitted."),
}
"""What needs attention first; the order of the image table."""

_RANK = {phase: rank for rank, phase in enumerate(STATUSES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Statuses that a manager need not tell apart."""

    name: str
    label: str
    statuses: tuple[Phase, ...]


GROUPS = (
    Group(name="done", label="Imported", statuses=(Phase.SUCCEEDED, Phase.SKIPPED)),
    Group(name="busy", label="In the cloud", statuses=(Phase.VERIFYING, Phase.RUNNING, Phase.SUBMITTING)),
    Group(name="doubt", label="In doubt or overdue", statuses=(Phase.IN_DOUBT, Phase.OVERDUE)),
    Group(name="failed", label="Failed", statuses=(Phase.FAILED,)),
    Group(name="open", label="To do", statuses=(Phase.PENDING,)),
    Group(name="out", label="Cancelled", statuses=(Phase.CANCELLED,)),
)
"""In the order in which they stand in a bar."""

REASONS: dict[Why, str] = {
    Why.FAILED: "Failed",
    Why.HELD: "A person has to decide",
    Why.HALTED: "Its target stopped submitting",
    Why.OVERDUE: "Overdue",
    Why.IN_DOUBT: "Being looked up",
    Why.RETRYING: "Submitted again after a pause",
}

RUNS: dict[RunState, str] = {
    RunState.ENDED: "Ended",
    RunState.RUNNING: "Running",
    RunState.KILLED: "Interrupted",
}


def write(summary: Summary, stream: BinaryIO) -> None:
    """Write the report to `stream`."""
    page = _page(summary)
    # Half a surrogate pair, which a name can carry and UTF-8 cannot, must not cost anybody the report.
    stream.write(page.encode("utf-8", "replace"))


def _page(summary: Summary) -> str:
    assets = _assets()
    # What needs attention comes first; sorting is stable, so the plan's order is kept within each status.
    order = sorted(range(len(summary.images)), key=[_RANK[row.status] for row in summary.images].__getitem__)[
        :ROWS
    ]
    causes = [*summary.failures, *summary.waiting]
    return assets.template.render(
        assets=assets,
        s=summary,
        version=__version__,
        headline=_sentence(headline(summary)),
        next_step=next_step(summary),
        standing=_standing(summary),
        at_work=bool(summary.runs) and summary.runs[-1].state is RunState.RUNNING,
        statuses=STATUSES,
        groups=GROUPS,
        reasons=REASONS,
        run_words=RUNS,
        values_shown=VALUES,
        named=NAMED,
        share=_share(summary.totals),
        first=[(position + 1, summary.images[position]) for position in order[:FIRST]],
        listed=len(order),
        data=_data(summary, order, causes),
        Phase=Phase,
    )


def _standing(summary: Summary) -> tuple[str, str]:
    """Where the whole stands, as a word for machines and one for people."""
    if not summary.runs:
        return "new", "Not started"
    last = summary.runs[-1].state
    if last is RunState.RUNNING:
        return "running", "Running"
    if summary.totals.unfinished:
        return "stopped", "Interrupted" if last is RunState.KILLED else "Stopped"
    return ("failed", "Finished, with failures") if summary.totals.failed else ("done", "Finished")


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + "."


def _share(totals: Tally) -> str:
    """Percent done, rounded down so that 100 means all of them."""
    return f"{totals.done * 100 // totals.wanted if totals.wanted else 0}"


# --- The file's fixed parts -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Assets:
    template: "Template"
    style: str
    boot: str
    page: str
    charts: str
    plotly: str
    """Packed with zlib, in base64."""

    policy: str
    """The Content-Security-Policy."""


@lru_cache(maxsize=1)
def _assets() -> _Assets:
    """Read once; a run writes the report every half a minute."""
    import jinja2

    folder = files("migrator.render").joinpath("html")
    style, boot, page, charts = (
        folder.joinpath(name).read_text("utf-8") for name in ("report.css", "boot.js", "page.js", "charts.js")
    )
    plotly = files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    scripts = " ".join(_hash(text) for text in (boot.encode(), page.encode(), charts.encode(), plotly))
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"iso": iso, "clock": clock, "line": one_line, "span": span, "segments": _segments}
    environment.globals |= {"counted": _counted, "in_group": _in_group}
    return _Assets(
        template=environment.from_string(folder.joinpath("report.html.j2").read_text("utf-8")),
        style=style,
        boot=boot,
        page=page,
        charts=charts,
        plotly=base64.b64encode(zlib.compress(plotly, 6)).decode(),
        # Plotly opens an empty style and fills it rule by rule, which no policy has anything against.
        policy=f"default-src 'none'; script-src {scripts}; style-src {_hash(style.encode())} {_hash(b'')}; "
        "img-src data:; base-uri 'none'; form-action 'none'",
    )


def _hash(content: bytes) -> str:
    """How a Content-Security-Policy names an inline script or style (W3C, "CSP Level 3", hash-source)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content).digest()).decode()}'"


# --- What the template asks for -------------------------------------------------------------------------


def clock(moment: Moment) -> str:
    """The moment for a person, in UTC: "2026-12-01 12:00"."""
    return iso(moment)[:16].replace("T", " ")


def _in_group(tally: Tally, group: Group) -> int:
    return sum(tally[status] for status in group.statuses)


def _counted(tally: Tally) -> str:
    """A bar in words: "412 imported, 3 failed"."""
    parts = [f"{count:,} {group.label.lower()}" for group in GROUPS if (count := _in_group(tally, group))]
    return ", ".join(parts) or "no images"


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

COLUMNS = (
    "position",
    "name",
    "target",
    "wave",
    "status",
    "type",
    "os",
    "min_disk",
    "image_url",
    "image_id",
    "job_id",
    "progress",
    "began_at",
    "submitted_at",
    "job_ended_at",
    "finished_at",
    "seconds",
    "error",
    "request_id",
    "flags",
    "labels",
    "attempts",
    "latest",
    "cause",
)
"""What each row of the data says. Moments are milliseconds after `base`, repeated texts places in a list."""


class _Texts(dict[Any, int]):
    """Values that repeat, each kept once: its position in the list that the page is given."""

    def __missing__(self, value: Any) -> int:
        self[value] = position = len(self)
        return position


class _Packing:
    """Rows as short as JSON allows."""

    def __init__(self, summary: Summary, causes: Sequence[Cause]) -> None:
        self.now = summary.generated_at
        self.base = min((run.began_at for run in summary.runs), default=self.now)
        self.labels = summary.label_keys
        self.targets, self.waves, self.systems, self.errors = _Texts(), _Texts(), _Texts(), _Texts()
        self.causes = {key: index for index, cause in enumerate(causes) for key in cause.keys}

    def row(self, position: int, row: Row) -> list[Any]:
        image, error = row.image, row.error
        return [
            position + 1,
            one_line(image.name),
            self.targets[one_line(image.target)],
            self.waves[one_line(row.wave)],
            _PHASES[row.status],
            row.type.value,
            self.systems[one_line(row.os)],
            image.min_disk,
            one_line(image.image_url),
            row.image_id and one_line(row.image_id),
            row.job_id and one_line(row.job_id),
            None if row.progress is None else round(row.progress * 100, 1),
            self.moment(row.began_at),
            self.moment(row.submitted_at),
            self.moment(row.job_ended_at),
            self.moment(row.finished_at),
            row.seconds,
            self.error(error),
            error.request_id if error and error.request_id else None,
            row.removed + 2 * row.drifted + 4 * row.held,
            [one_line(image.labels.get(label, "")) for label in self.labels],
            len(row.attempts),
            [self.attempt(attempt) for attempt in row.attempts[-ATTEMPTS:]],
            self.causes.get(row.key),
        ]

    def attempt(self, attempt: Attempt) -> list[Any]:
        return [
            attempt.number,
            self.moment(attempt.began_at),
            self.moment(attempt.ended_at),
            _OUTCOMES[attempt.outcome],
            None if attempt.fault is None else self.error(plain(attempt.fault)),
        ]

    def error(self, fault: Fault | None) -> int | None:
        return None if fault is None else self.errors[fault.code, fault.message, fault.remedy]

    def moment(self, moment: Moment | None) -> int | None:
        return None if moment is None else round((moment - self.base) * 1000)


_PHASES = {phase: index for index, phase in enumerate(STATUSES)}
_OUTCOMES = {outcome: index for index, outcome in enumerate(Outcome)}


def _data(summary: Summary, order: Sequence[int], causes: Sequence[Cause]) -> str:
    """All that the scripts know, as JSON that may stand inside a script element."""
    packing = _Packing(summary, causes)
    rows = list(_lines(summary.images, order, packing))
    throughput = summary.throughput
    head = {
        "base": round(packing.base * 1000),
        "now": packing.moment(summary.generated_at),
        "total": len(summary.images),
        "columns": COLUMNS,
        "statuses": [[phase.value, word.label] for phase, word in STATUSES.items()],
        "groups": [[group.name, [_PHASES[status] for status in group.statuses]] for group in GROUPS],
        "outcomes": [outcome.value for outcome in Outcome],
        "targets": list(packing.targets),
        "waves": list(packing.waves),
        "systems": list(packing.systems),
        "errors": list(packing.errors),
        "labels": [one_line(label) for label in packing.labels],
        "causes": [_cause_words(cause) for cause in causes],
        "runs": [
            [packing.moment(run.began_at), packing.moment(run.began_at + run.seconds)] for run in summary.runs
        ],
        "throughput": {
            "per_hour": throughput.per_hour,
            "possible_per_hour": throughput.possible_per_hour,
            "bucket_seconds": throughput.bucket_seconds,
            "buckets": [
                [packing.moment(bucket.at), bucket.succeeded, bucket.failed] for bucket in throughput.buckets
            ],
        },
    }
    return "".join([_safe(head)[:-1], ',"rows":[\n', ",\n".join(rows), "\n]}"])


def _lines(images: Rows, order: Iterable[int], packing: _Packing) -> Iterator[str]:
    return (_safe(packing.row(position, images[position])) for position in order)


def _cause_words(cause: Cause) -> str:
    return f"{cause.code}: {cause.message}" if cause.code else cause.message or REASONS[cause.why]


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
