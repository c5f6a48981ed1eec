"""A Summary as pages of the site. Every text of others is one line, and escaped by the template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from migrator.domain.plan import Plan, Target, Wave
from migrator.domain.units import Moment, span
from migrator.domain.zone import Zone
from migrator.reports.glossary import GROUPS, STATUSES, statuses_of
from migrator.reports.headline import headline
from migrator.reports.rows import ImageRow
from migrator.reports.summary import Summary
from migrator.reports.tally import Tally
from migrator.reports.times import iso
from migrator.reports.untrusted import one_line
from migrator.workflow.events import Event, ImageEvent
from migrator.workflow.ledger import Ledger
from migrator.workflow.states import FINISHED, Phase

if TYPE_CHECKING:
    from jinja2 import Environment

MOST_IMAGES = 200
"""Images on a plan's page: what needs attention first. All of them are in its report."""

_FIRST = (Phase.FAILED, Phase.IN_DOUBT, Phase.OVERDUE, Phase.VERIFYING, Phase.RUNNING, Phase.SUBMITTING)
_RANK = {phase: rank for rank, phase in enumerate([*_FIRST, *(one for one in Phase if one not in _FIRST)])}


def plan_of(name: str, ledger: Ledger) -> Plan:
    """As much of a plan as its journal tells: its targets, its waves, its images."""
    targets: dict[str, Target] = {}
    waves: dict[str, Wave] = {}
    for planned in ledger.planned.values():
        image = planned.image
        if image.target not in targets:
            targets[image.target] = _target(image.target)
        if image.wave:
            waves.setdefault(image.wave, Wave(name=image.wave))
    return Plan(name=name, targets=targets, waves=tuple(waves.values()), images=())


def _target(name: str) -> Target:
    nowhere = "https://localhost"
    return Target(name=name, region="", ims_endpoint=nowhere, iam_endpoint=nowhere, obs_endpoint=nowhere)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One plan in the list of all."""

    name: str
    headline: str
    said: str
    totals: Tally
    images: int


def page_of_all(cards: Sequence[Card], now: Moment, zone: Zone) -> str:
    """Every plan, one card each."""
    return _render("all.html.j2", cards=cards, now=now, zone=zone, title="Plans", plan="")


def page_of_plan(facts: Summary, said: str, unattended: Sequence[str]) -> str:
    """One plan."""
    rows = sorted(facts.images, key=lambda row: _RANK[row.status])[:MOST_IMAGES]
    return _render(
        "plan.html.j2",
        s=facts,
        said=said,
        headline=headline(facts),
        unattended=unattended,
        rows=rows,
        more=max(len(facts.images) - len(rows), 0),
        waves=[(wave, facts.by_wave.get(wave.name)) for wave in facts.waves],
        zone=facts.zone,
        now=facts.generated_at,
        title=facts.plan.name,
        plan=facts.plan.name,
    )


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
    environment.globals |= {"counted": counted, "statuses": STATUSES, "finished": FINISHED, "groups": GROUPS}
    return environment
