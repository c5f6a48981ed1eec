"""Preflight findings, for a person in 80 columns or for a program."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from migrator.domain.text import escaped
from migrator.preflight import Finding, Item, Severity

WIDTH = 80
"""Columns of a plain terminal; only a name or an address that is longer than that goes beyond."""

FEW = 3
"""Images of one finding that a person is shown."""

_IDLE = "Nothing to do."


def as_text(findings: Iterable[Finding], *, width: int | None = WIDTH, few: int = FEW) -> Iterator[str]:
    """Each finding in some lines: severity and code, what is the matter, the first images, what to do.

    `width` None keeps each of these on one line, however long: for what is searched rather than read.
    """
    for finding in findings:
        yield from _wrapped(_headline(finding), width, "", "    ")
        for item in finding.items[:few]:
            text = f"{item.key}: {item.says}" if item.says else item.key
            yield from _wrapped(text, width, "    ", "        ")
        more = len(finding.items) - few
        if more > 0:
            yield f"    and {more} more (--json lists all of them)"
        if finding.remedy != _IDLE:
            yield from _wrapped(f"fix: {finding.remedy}", width, "    ", "         ")


def _headline(finding: Finding) -> str:
    parts = [f"{finding.severity.value} {finding.code}"]
    if finding.target is not None and not finding.items:
        parts.append(finding.target)
    count = len(finding.items)
    parts.append(f"{finding.title} ({count} images)" if count > 1 else finding.title)
    if finding.says:
        parts.append(finding.says)
    return ": ".join(parts)


def _wrapped(text: str, width: int | None, first: str, later: str) -> list[str]:
    if width is None:
        return [first + escaped(text)]
    return textwrap.wrap(
        escaped(text),
        width,
        initial_indent=first,
        subsequent_indent=later,
        break_long_words=False,
        break_on_hyphens=False,
    )


def tally(findings: Sequence[Finding]) -> str:
    """How many there are that matter: "2 errors, 1 warning"; empty when there are none."""
    counts = Counter(finding.severity for finding in findings)
    named = [(counts[severity], severity.value) for severity in (Severity.ERROR, Severity.WARNING)]
    return ", ".join(f"{count} {name}{'s' if count > 1 else ''}" for count, name in named if count)


def as_json(plan: str, findings: Sequence[Finding], *, images: int, exit_code: int) -> dict[str, Any]:
    """All of it: every finding with every image that it concerns."""
    counts = Counter(finding.severity for finding in findings)
    return {
        "plan": plan,
        "images": images,
        "exit_code": exit_code,
        "errors": counts[Severity.ERROR],
        "warnings": counts[Severity.WARNING],
        "findings": [_object(finding) for finding in findings],
    }


def _object(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "severity": finding.severity.value,
        "title": finding.title,
        "target": finding.target,
        "says": finding.says,
        "items": [_item(item) for item in finding.items],
        "remedy": finding.remedy,
    }


def _item(item: Item) -> dict[str, str]:
    return {"key": item.key, "says": item.says}
