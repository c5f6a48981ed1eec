"""Preflight's judgement: facts about a plan and its targets → findings, each said once for all it concerns.

Only images that are yet to be submitted are looked at, and of their objects only those that the run would
really import: what is there already was read from files that may be gone by now.
"""

from collections.abc import Iterable, Iterator, Sequence

from migrator.core.checks.account import account
from migrator.core.checks.facts import Facts, Unknown, Why, unknown
from migrator.core.checks.files import files, sizes
from migrator.core.checks.finding import Finding, Item, grouped
from migrator.core.checks.table import CHECKS, Check, Severity
from migrator.model import MARKER_ITEM, MARKER_PLAN, Image, MarkerKind, Plan

__all__ = [
    "CHECKS",
    "Check",
    "Facts",
    "Finding",
    "Item",
    "Severity",
    "Unknown",
    "Why",
    "exit_code",
    "findings",
    "sizes",
    "unknown",
]

MOST_TAGS = 10
TAG_KEY = 36
TAG_VALUE = 43
"""Tags of one image, and the characters of each (IMS API reference, "Tag Data Formats")."""

_ORDER = list(Severity)


def findings(plan: Plan, known: Sequence[Facts]) -> list[Finding]:
    """Everything that is to be said, errors first, and by code; one finding for each code and target."""
    found: list[Finding] = []
    for facts in known:
        found += account(facts, plan.policy)
        found += files(facts)
        images = [image for image, _ in facts.work]
        found += grouped(facts.target.name, _plan_rules(images, plan))
    if plan.policy.marker is MarkerKind.NONE and any(facts.work for facts in known):
        found.append(Finding(code="PF072"))
    return sorted(found, key=lambda finding: (_ORDER.index(finding.severity), finding.code))


def exit_code(found: Iterable[Finding]) -> int:
    """How a run that is refused for these findings exits, the most urgent cause first; 0 without errors."""
    codes = {CHECKS[one.code].exit_code for one in found if one.severity is Severity.ERROR}
    return next((code for code in (6, 7, 4) if code in codes), 0)


def _plan_rules(images: Sequence[Image], plan: Plan) -> Iterator[tuple[str, Item]]:
    """What the plan alone tells; most of it was checked when the plan was read."""
    marks = {MARKER_PLAN, MARKER_ITEM} if plan.policy.marker is MarkerKind.TAG else set()
    first: dict[str, str] = {}
    for image in images:
        key = first.setdefault(image.image_url, image.key)
        if key != image.key:
            yield "PF070", Item(key=image.key, says=f"{image.image_url}, as for {key}")
        if wrong := _tags(image, marks):
            yield "PF071", Item(key=image.key, says=wrong)


def _tags(image: Image, marks: set[str]) -> str:
    tags = image.own_tags
    count = len(tags.keys() | marks)
    if count > MOST_TAGS:
        return f"{count} tags with the marker's" if marks else f"{count} tags"
    for key, value in tags.items():
        if not 1 <= len(key) <= TAG_KEY:
            return f"the key {key[:TAG_KEY]!r} has {len(key)} characters"
        if len(value) > TAG_VALUE:
            return f"the value of {key!r} has {len(value)} characters"
    return ""
