"""Preflight's judgement: facts about a plan and its targets → findings, each said once for all it concerns.

It concerns only images that are yet to be submitted, and of their objects only those that the run would
really import: what is there already was read from files that may be gone by now.
"""

from collections.abc import Iterable, Iterator, Sequence

from migrator.domain.image import MARKER_ITEM, MARKER_PLAN, Image
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import MarkerKind, Plan
from migrator.preflight.account import account_findings
from migrator.preflight.facts import TargetFacts, Unknown, UnknownReason, unknown
from migrator.preflight.files import decided, file_findings, file_sizes
from migrator.preflight.finding import Finding, Item, grouped
from migrator.preflight.headers import header_findings
from migrator.preflight.table import CHECKS, Check, Severity

__all__ = [
    "CHECKS",
    "Check",
    "Finding",
    "Item",
    "Severity",
    "TargetFacts",
    "Unknown",
    "UnknownReason",
    "decided",
    "exit_code",
    "file_sizes",
    "findings",
    "unknown",
]

MOST_TAGS = 10
TAG_KEY = 36
TAG_VALUE = 43
"""Tags of one image, and the characters of each (IMS API reference, "Tag Data Formats")."""

_ORDER = list(Severity)


def findings(plan: Plan, known: Sequence[TargetFacts]) -> list[Finding]:
    """Everything that is to be said, errors first, and by code; one finding for each code and target."""
    found: list[Finding] = []
    for facts in known:
        found += account_findings(facts, plan.policy)
        found += file_findings(facts)
        found += header_findings(facts)
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
    """What the plan alone shows; most of it was checked when the plan was read."""
    marker_keys = {MARKER_PLAN, MARKER_ITEM} if plan.policy.marker is MarkerKind.TAG else set()
    first: dict[ObjectRef, str] = {}
    for image in images:
        key = first.setdefault(image.source, image.key)
        if key != image.key:
            yield "PF070", Item(key=image.key, says=f"{image.source}, as for {key}")
        if wrong := _tags_fault(image, marker_keys):
            yield "PF071", Item(key=image.key, says=wrong)


def _tags_fault(image: Image, marker_keys: set[str]) -> str:
    tags = image.own_tags
    count = len(tags.keys() | marker_keys)
    if count > MOST_TAGS:
        return f"{count} tags with the marker's" if marker_keys else f"{count} tags"
    for key, value in tags.items():
        if not 1 <= len(key) <= TAG_KEY:
            return f"the key {key[:TAG_KEY]!r} has {len(key)} characters"
        if len(value) > TAG_VALUE:
            return f"the value of {key!r} has {len(value)} characters"
    return ""
