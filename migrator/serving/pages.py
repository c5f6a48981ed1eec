"""A Summary as pages of the site. Every text of others is one line, and escaped by the template."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from heapq import nsmallest
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from msgspec import to_builtins

from migrator.domain.image import MACHINE
from migrator.domain.units import Moment, span
from migrator.domain.zone import Zone
from migrator.reports.glossary import GROUPS, STATUSES, statuses_of
from migrator.reports.headline import headline
from migrator.reports.rows import ImageRow
from migrator.reports.tally import Tally
from migrator.reports.times import iso
from migrator.reports.untrusted import one_line
from migrator.serving.views import Trouble, View
from migrator.workflow.events import Event, ImageEvent
from migrator.workflow.states import FINISHED, Phase

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_IMAGES = 200
"""Images on one page: what needs attention first. The others are on further pages."""

MOST_GROUPS = 200
"""Owners, machines, targets or waves in one table. All of them are in the report."""

_FIRST = (Phase.FAILED, Phase.IN_DOUBT, Phase.OVERDUE, Phase.VERIFYING, Phase.RUNNING, Phase.SUBMITTING)
_RANK = {phase: rank for rank, phase in enumerate([*_FIRST, *(one for one in Phase if one not in _FIRST)])}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One plan in the list of all."""

    name: str
    headline: str
    said: str
    totals: Tally
    images: int


FILTERS: dict[str, Callable[[ImageRow], str]] = {
    "wave": lambda row: row.wave,
    "target": lambda row: row.target,
    "owner": lambda row: row.owner,
    "machine": lambda row: row.labels.get(MACHINE, ""),
    "status": lambda row: row.status.value,
}
"""By what the images of a plan can be listed, as the address says it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which images of a plan an address asks for."""

    by: tuple[tuple[str, str], ...]
    """What they share; every image where it is empty."""

    skip: int = 0
    """How many stand on pages before this one."""

    def takes(self, row: ImageRow) -> bool:
        """Whether it asks for this image."""
        return all(FILTERS[name](row) == value for name, value in self.by)

    def query(self, skip: int) -> str:
        """Of the address of another page of the same list."""
        return urlencode([*self.by, ("skip", skip)])


def wanted(query: Mapping[str, str]) -> Wanted | None:
    """Which images a query asks for; None where it asks for the plan's own page."""
    by = tuple((name, query[name]) for name in FILTERS if name in query)
    if not by and "skip" not in query:
        return None
    skip = query.get("skip", "")
    return Wanted(by, int(skip) if skip.isascii() and skip.isdigit() and len(skip) < 10 else 0)


def page_of_all(
    cards: Sequence[Card],
    troubled: Mapping[str, Trouble],
    trouble: Trouble | None,
    now: Moment,
    zone: Zone,
) -> str:
    """Every plan, one card each: first those that cannot be shown."""
    return _render(
        "all.html.j2",
        cards=cards,
        troubled=troubled,
        trouble=trouble,
        now=now,
        zone=zone,
        title="Plans",
        plan="",
    )


def page_of_trouble(name: str, trouble: Trouble, now: Moment, zone: Zone) -> str:
    """In place of a plan that cannot be shown."""
    title = name or "Trouble"
    return _render("trouble.html.j2", trouble=trouble, now=now, zone=zone, title=title, plan=name)


def page_of_plan(view: View) -> str:
    """One plan."""
    facts = view.facts
    # Of a hundred thousand rows the first are found without sorting all.
    rows = nsmallest(MOST_IMAGES, facts.images, key=_urgency)
    return _render(
        "plan.html.j2",
        s=facts,
        said=view.said,
        headline=headline(facts),
        unattended=view.unattended,
        recorded=view.recorded,
        rows=rows,
        more=max(len(facts.images) - len(rows), 0),
        waves={wave.name: wave for wave in facts.waves},
        machines=facts.machines.all[:MOST_GROUPS],
        zone=facts.zone,
        now=facts.generated_at,
        title=facts.plan.name,
        plan=facts.plan.name,
    )


def page_of_images(view: View, wanted: Wanted) -> str:
    """Some of the images of a plan, what needs attention first, page by page."""
    facts = view.facts
    found = sorted(filter(wanted.takes, facts.images), key=_urgency)
    end = wanted.skip + MOST_IMAGES
    return _render(
        "images.html.j2",
        by=wanted.by,
        rows=found[wanted.skip : end],
        count=len(found),
        first=wanted.skip + 1,
        before=wanted.query(max(wanted.skip - MOST_IMAGES, 0)) if wanted.skip else "",
        after=wanted.query(end) if end < len(found) else "",
        zone=facts.zone,
        now=facts.generated_at,
        title=facts.plan.name,
        plan=facts.plan.name,
    )


def _urgency(row: ImageRow) -> int:
    return _RANK[row.status]


def first_groups(tallies: Mapping[str, Tally]) -> list[tuple[str, Tally]]:
    """Those that a table shows: all, or where there are too many, those with failures first."""
    if len(tallies) <= MOST_GROUPS:
        return list(tallies.items())
    return nsmallest(MOST_GROUPS, tallies.items(), key=lambda one: (not one[1].failed, not one[1].unfinished))


def page_of_image(name: str, row: ImageRow, events: Sequence[Event], now: Moment, zone: Zone) -> str:
    """The life of one image."""
    lines = [(event.at, _kind(event), _details(event)) for event in events]
    title = f"{row.key} · {name}"
    return _render("image.html.j2", row=row, lines=lines, now=now, zone=zone, title=title, plan=name)


def page_of_login(*, wrong: bool) -> str:
    """Where a person gives the token."""
    return _render("login.html.j2", wrong=wrong, title="Log in", plan="", now=None, zone=None)


def _kind(event: Event) -> str:
    name = type(event).__name__
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


_LEFT_OUT = {"at", "key", "image", "digest", "leftovers"}


def _details(event: Event) -> list[tuple[str, str]]:
    found: Mapping[str, Any] = to_builtins(event)
    lines: list[tuple[str, str]] = []
    for key, value in found.items():
        if key in _LEFT_OUT or value in (None, "", [], {}):
            continue
        if isinstance(value, dict):
            lines += [(part.replace("_", " "), one_line(str(said))) for part, said in value.items() if said]
        elif key.endswith("_at") and isinstance(value, float):
            lines.append((key.replace("_", " "), iso(value)))
        else:
            lines.append((key.replace("_", " "), one_line(str(value))))
    return lines if isinstance(event, ImageEvent) else []


def segments(tally: Tally) -> list[tuple[str, float, float]]:
    """(group, where it begins, how wide it is) of a bar that is a thousand wide."""
    total, found, at = max(tally.images, 1), [], 0.0
    for group in GROUPS:
        width = 1000 * sum(tally[phase] for phase in statuses_of(group)) / total
        if width:
            found.append((group.name, round(at, 2), round(width, 2)))
        at += width
    return found


def counted(tally: Tally) -> str:
    """The same for those who do not see it: "412 done, 3 failed, 85 to do"."""
    counts = [(sum(tally[phase] for phase in statuses_of(group)), group.word) for group in GROUPS]
    return ", ".join(f"{count:,} {word}" for count, word in counts if count) or "no images"


def _render(template: str, **values: object) -> str:
    return _environment().get_template(template).render(values)


@cache
def _environment() -> "Environment":
    import jinja2

    folder = files("migrator.serving").joinpath("site")
    loader = jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8"))
    environment = jinja2.Environment(
        autoescape=True,
        loader=loader,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"line": one_line, "iso": iso, "span": span, "segments": segments}
    environment.globals |= {"first_groups": first_groups, "most_groups": MOST_GROUPS}
    environment.globals |= {"counted": counted, "statuses": STATUSES, "finished": FINISHED, "groups": GROUPS}
    return environment
