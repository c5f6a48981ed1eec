"""What VMware calls the system of a machine → what the image service calls it, and how sure that is."""

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from migrator.ims.os_versions import known_systems

_PAIR = re.compile(r"(\w+)='([^']*)'")
_WINDOWS = re.compile(r"(?:Microsoft )?(Windows .+?), (32|64)-bit")
_LINUX = re.compile(
    r"linux|centos|ubuntu|debian|red hat|rhel|suse|sles|fedora|photon|kylin|euler|coreos",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """The operating system of one machine, as far as an export tells."""

    said: str
    """What the export calls it; empty where it says nothing."""

    os_version: str | None = None
    """What the service calls it; None where a person has to say."""

    os_type: str | None = None
    """"Linux" or "Windows"; None where even that is unknown."""

    assumed: str = ""
    """What was taken for granted, such as the edition; empty where the export says it all."""

    why: str = ""
    """Why a person has to say; empty where none has to."""


def guest_of(*, configured: str, running: str, detailed: str) -> Guest:
    """The system of a machine: by what it said of itself when it ran, else by how it was configured.

    `running` is what the VMware Tools name, `detailed` their list of details (key='value' ...), `configured`
    what somebody chose when the machine was made. What ran is believed before what was chosen.
    """
    if (exact := _by_details(detailed)) is not None:
        return exact
    said = running or configured
    if not said:
        return Guest(said="", why="the export does not name its system")
    table = _guests()
    entry = table.get(_plain(running)) or table.get(_plain(configured))
    if entry is None:
        return Guest(said=said, os_type=_family_of(said), why="it is not in the table of guest systems")
    if entry["guest"] != said and _plain(entry["guest"]) == _plain(configured):
        said = configured
    if entry["os_version"] is None:
        return Guest(said=said, os_type=_family_of(said), why=f"that name {entry['why']}")
    version: str = entry["os_version"]
    return Guest(said=said, os_version=version, os_type=_type_of(version), assumed=entry["assumed"])


def _by_details(detailed: str) -> Guest | None:
    """The system that the details name exactly, if the service knows it."""
    details = dict(_PAIR.findall(detailed))
    pretty = details.get("prettyName", "")
    names = []
    if windows := _WINDOWS.match(pretty):
        names.append(f"{windows[1]} {windows[2]}bit")
    version = details.get("distroVersion", "")
    major, _, minor = version.partition(".")
    for form in _forms().get(details.get("distroName", ""), ()):
        bits = details.get("bitness", "64")
        names.append(form.format(version=version, major=major, minor=minor, bits=bits))
        if "SP{minor}" in form and not minor:
            names.append(form.replace(" SP{minor}", "").format(major=major, bits=bits))
    for name in names:
        if name in known_systems():
            return Guest(said=pretty, os_version=name, os_type=_type_of(name))
    return None


def _type_of(version: str) -> str | None:
    """The family of a known system; None for one that is neither Linux nor Windows."""
    kind = known_systems()[version]
    return kind if kind in ("Linux", "Windows") else None


def _family_of(said: str) -> str | None:
    if "windows" in said.lower():
        return "Windows"
    return "Linux" if _LINUX.search(said) else None


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


@cache
def _table() -> dict[str, Any]:
    """migrator/data/guest-os.json, which names its sources. Package data, read once."""
    text = files("migrator").joinpath("data/guest-os.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


@cache
def _guests() -> dict[str, dict[str, Any]]:
    return {_plain(entry["guest"]): entry for entry in _table()["guests"]}


@cache
def _forms() -> dict[str, list[str]]:
    forms: dict[str, list[str]] = {}
    for entry in _table()["detailed"]:
        for distro in entry["distro"]:
            forms.setdefault(distro, []).append(entry["os_version"])
    return forms
