"""CHANGELOG.md, read as keepachangelog.com 1.1.0 says that it is written."""

import re
from dataclasses import dataclass
from datetime import date

KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
"""What a change may be, in the order in which a version has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One heading and what stands below it."""

    name: str
    """"Unreleased" or a version."""

    day: date | None
    kinds: tuple[str, ...]
    entries: int


def versions(text: str) -> list[Version]:
    """Every version, newest first. Raises ValueError for a heading of another form."""
    found = []
    for part in re.split(r"(?m)^## ", text)[1:]:
        heading, _, body = part.partition("\n")
        match = re.fullmatch(r"\[(Unreleased|\d+\.\d+\.\d+)\](?: - (\d{4}-\d{2}-\d{2}))?", heading)
        if match is None:
            raise ValueError(f"no heading of a version: {heading!r}")
        found.append(
            Version(
                name=match[1],
                day=date.fromisoformat(match[2]) if match[2] else None,
                kinds=tuple(re.findall(r"(?m)^### (.+)$", body)),
                entries=len(re.findall(r"(?m)^- ", body)),
            )
        )
    return found


def problems(text: str) -> list[str]:
    """What is not as keepachangelog.com says."""
    found = versions(text)
    said = []
    if [version.name for version in found[:1]] != ["Unreleased"]:
        said.append("the first heading is not [Unreleased]")
    for version in found:
        if (version.day is None) != (version.name == "Unreleased"):
            said.append(f"{version.name}: a version has a day, and what is not released has none")
        if list(version.kinds) != [kind for kind in KINDS if kind in version.kinds]:
            said.append(f"{version.name}: {', '.join(version.kinds)}: other headings, twice, or out of order")
        if version.name != "Unreleased" and not version.entries:
            said.append(f"{version.name}: nothing changed")
    days = [version.day for version in found if version.day]
    numbers = [tuple(map(int, version.name.split("."))) for version in found if version.day]
    if days != sorted(days, reverse=True) or numbers != sorted(set(numbers), reverse=True):
        said.append("the versions are not the newest first, each once")
    return said


def released(text: str, version: str) -> bool:
    """Whether a version is named, with the day of its release."""
    return any(one.name == version and one.day is not None for one in versions(text))
