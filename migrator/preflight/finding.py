"""Findings: values that say what is the matter, with whom, and what to do."""

from collections.abc import Iterable

from msgspec import Struct

from migrator.preflight.table import CHECKS, Severity


class Item(Struct, frozen=True, kw_only=True):
    """One image that a finding is about."""

    key: str
    says: str = ""
    """What is particular about it: its file, a size, whose the name is."""


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that preflight found, however many images it concerns."""

    code: str
    """Of `CHECKS`, which has severity, title and remedy."""

    target: str | None = None
    """Name of the target; None when it is about the whole plan."""

    says: str = ""
    """The facts, in one line; empty where the items say it all."""

    items: tuple[Item, ...] = ()
    """The images it concerns, in the plan's order; empty when it is about the target or the plan."""

    advice: str = ""
    """What to do, where the service's answer tells it better than the code does."""

    @property
    def severity(self) -> Severity:
        return CHECKS[self.code].severity

    @property
    def title(self) -> str:
        return CHECKS[self.code].title

    @property
    def remedy(self) -> str:
        return self.advice or CHECKS[self.code].remedy


def grouped(target: str | None, found: Iterable[tuple[str, Item]]) -> list[Finding]:
    """One finding for each code, with all of its items."""
    items: dict[str, list[Item]] = {}
    for code, item in found:
        items.setdefault(code, []).append(item)
    return [Finding(code=code, target=target, items=tuple(listed)) for code, listed in items.items()]
