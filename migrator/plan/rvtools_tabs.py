"""The tabs of an RVTools export as written → rows by heading, and what their cells say.

A tab is a sheet of a workbook or a CSV file. What versions and languages write differently is told by its
form: names of tabs, headings, paths, numbers.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from migrator.domain.sheets import Cell, Row, Unreadable, is_blank, text_of
from migrator.domain.text import shown

CAPACITIES = ("Capacity MiB", "Capacity MB")
"""The same unit: older versions wrote MB and meant MiB."""

_TAB = re.compile(r"(?:rvtools[ _-]*)?(?:tab)?v(info|disk)(?:\.csv)?", re.IGNORECASE)
"""What a tab is called as a sheet ("vInfo", "tabvInfo") or as a file ("RVTools_tabvInfo.csv")."""

_DATABASE_NAMES = {
    "vinfo": {
        "vmname": "vm",
        "os": "osaccordingtotheconfigurationfile",
        "ostools": "osaccordingtothevmwaretools",
        "uuid": "vmuuid",
        "notes": "annotation",
    },
    "vdisk": {"vmname": "vm", "name": "disk", "key": "diskkey"},
}
"""Headings of -DBColumnNames, without the name of their tab before them, that are not the usual ones in one
word ("vDiskCapacityMiB"). As seen in readers of such exports; no manual of RVTools lists them. That
headings are English whatever the language of the machine is a belief: no export with others was found."""

_VMDK = re.compile(r"\[[^\]]+\].*|.*\.vmdk", re.IGNORECASE)
"""Where the file of a disk lies in vSphere: "[datastore] folder/name.vmdk"."""

_GUEST = re.compile(r"[A-Za-z]:(?:[\\/].*)?|/.*")
"""Where the guest has a disk: "C:\\", "/var"; of a disk with several file systems, all of them."""

_BETWEEN = re.compile(r"\s*[,;|]\s*")
_ROOT = re.compile(r"[cC]:[\\/]?|/")
_BOOT = re.compile(r"/boot(?:/.*)?")
_NAMED = 4
"""Disks that a question names."""

YES = frozenset({"true", "1", "yes", "wahr", "ja", "vrai", "verdadero", "是"})
"""A spreadsheet writes TRUE in the language of whoever saved it."""


def tab_of(name: str) -> str | None:
    """Which tab a sheet or a file of that name is, "vInfo" or "vDisk"; None for another."""
    found = _TAB.fullmatch(name.strip())
    return f"v{found[1].capitalize()}" if found else None


def tabs(names: Iterable[str]) -> dict[str, str]:
    """Those of the sheets or files that are tabs of an export, by tab. Raises Unreadable where one of the two
    is missing or there more than once: which machines and which disks belong together is not guessed."""
    found: dict[str, str] = {}
    for name in names:
        if (tab := tab_of(name)) is None:
            continue
        if (first := found.setdefault(tab, name)) != name:
            raise Unreadable(
                f"has the tab {tab} of an RVTools export twice: {shown(first)} and {shown(name)}",
                "keep those of one export",
            )
    if len(found) == 1:
        (there,) = found
        (missing, holds) = ("vDisk", "the disks") if there == "vInfo" else ("vInfo", "the machines")
        raise Unreadable(
            f"has the tab {there} of an RVTools export, and not {missing}, which lists {holds}",
            "export all tabs, and keep both together",
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A sheet, its cells as text."""

    columns: frozenset[str]
    rows: list[dict[str, str]]


def tab_rows(rows: Iterator[Row], sheet: str, needed: Sequence[tuple[str, ...]]) -> Tab:
    """A sheet by its headings. Raises Unreadable when none of a group of `needed` ones is there."""
    heading: Sequence[Cell] = next((cells for _, cells in rows if not all(map(is_blank, cells))), ())
    names = [_heading(text_of(cell), sheet.casefold()) for cell in heading]
    for group in needed:
        if not {_plain(one) for one in group} & set(names):
            raise Unreadable(
                f"is no RVTools export: its tab {sheet} has no column {group[0]}", "export it again"
            )
    table = [
        {name: _text(cell) for name, cell in zip(names, cells, strict=False) if name}
        for _, cells in rows
        if not all(map(is_blank, cells))
    ]
    return Tab(columns=frozenset(names), rows=[row for row in table if row.get("vm")])


def _text(cell: Cell) -> str:
    """A cell as text. A number that a workbook holds as one has a single reading, so its point is written
    with more places than a thousand has."""
    if isinstance(cell, float) and not cell.is_integer():
        return f"{cell:.6f}"
    return text_of(cell)


def _heading(written: str, tab: str) -> str:
    """What a heading is known by, whether it is written for people or for a database."""
    squeezed = _plain(written)
    if squeezed.startswith(tab) and squeezed != tab:
        own = squeezed.removeprefix(tab)
        return _DATABASE_NAMES[tab].get(own, own)
    return squeezed


def _plain(heading: str) -> str:
    return "".join(char for char in heading.casefold() if char.isalnum())


def value_of(row: Mapping[str, str], *headings: str) -> str:
    """The first of these columns that the row has a text in."""
    return next((text for one in headings if (text := row.get(_plain(one), ""))), "")


def identity_of(machines: Tab, disks: Tab) -> Callable[[Mapping[str, str]], tuple[str, ...]]:
    """What tells machines apart, in both sheets: an id if there is one, or else the name."""
    server = _plain("VI SDK Server")
    for key in map(_plain, ("VM UUID", "VM ID")):
        if key in machines.columns & disks.columns and all(row.get(key) for row in machines.rows):
            return lambda row: (row.get(server, ""), row.get(key, ""), row["vm"])
    return lambda row: (row.get(server, ""), row["vm"])


def left_out(row: Mapping[str, str]) -> str | None:
    """What kind of machine this is, if it is of a kind that is not imported."""
    for heading, reason in (("Template", "templates"), ("SRM Placeholder", "placeholders of SRM")):
        if value_of(row, heading).casefold() in YES:
            return reason
    return None


def disk_number(disk: Mapping[str, str]) -> tuple[int, str]:
    """Hard disk 2 comes before Hard disk 10."""
    digits = re.findall(r"\d{1,9}", value_of(disk, "Disk"))
    return (int(digits[-1]) if digits else 0, value_of(disk, "Disk Key"))


def paths_of(disk: Mapping[str, str]) -> tuple[str, str]:
    """Where a disk's file lies, and where the guest has it; empty where the export does not say. Which column
    says which changed between versions, so each is told by its form."""
    said = [text for one in ("Disk Path", "Path") if (text := value_of(disk, one))]
    file = next((text for text in said if _VMDK.fullmatch(text)), "")
    others = (text for text in said if not _VMDK.fullmatch(text))
    return file, next((text for text in others if _GUEST.fullmatch(text)), "")


def system_first(disks: list[dict[str, str]]) -> tuple[list[dict[str, str]], str]:
    """The disks with the one that holds the system before the others, and why that is in doubt."""
    guests = [paths_of(disk)[1] for disk in disks]
    roots, boots = (
        [
            place
            for place, guest in enumerate(guests)
            if any(form.fullmatch(one) for one in _BETWEEN.split(guest))
        ]
        for form in (_ROOT, _BOOT)
    )
    if len(disks) < 2:
        return disks, ""
    named = [
        f"{value_of(disk, 'Disk') or 'a disk'} is {guest or 'unknown'}"
        for disk, guest in zip(disks, guests, strict=True)
    ]
    several = f"{', '.join(named[:_NAMED])}{' and others' if len(named) > _NAMED else ''}"
    if len(boots) <= 1 and len(roots or boots) == 1:
        first = (boots or roots)[0]
        ordered = [disks[first], *disks[:first], *disks[first + 1 :]]
        if not boots or not roots or boots == roots:
            return ordered, ""
        return ordered, f"it starts from {value_of(disks[first], 'Disk')} and needs both: {several}"
    if not any(guests):
        others = ", ".join(value_of(disk, "Disk") or "another" for disk in disks[1 : _NAMED + 1])
        return disks, f"the export does not tell: {value_of(disks[0], 'Disk') or 'the first'}, or {others}"
    why = "several hold one" if roots or boots else "none is C:\\ or /"
    return disks, f"{why}: {several}"


_SEPARATED = re.compile(r"\d{1,3}(?:([.,' \u00a0\u202f\u2019])\d{3})(?:\1\d{3})*")
_LAKHS = re.compile(r"\d{1,2}(?:,\d{2})+,\d{3}")
"""As in India: 1,02,400."""

_SIGNS = ".,' \u00a0\u202f\u2019"


def numbers(written: str) -> list[float]:
    """What a number that a spreadsheet wrote may mean: 102,400 is a hundred thousand or a hundred."""
    text = written.strip()
    if not re.fullmatch(rf"[\d{_SIGNS}]{{1,25}}", text):
        return []
    found = set()
    if _SEPARATED.fullmatch(text) or _LAKHS.fullmatch(text):
        found.add(float(re.sub(r"\D", "", text)))
    whole, sign, part = text.rpartition("." if text.rfind(".") > text.rfind(",") else ",")
    if sign and whole.isdigit() and part.isdigit():
        found.add(float(f"{whole}.{part}"))
    elif sign and part.isdigit() and _SEPARATED.fullmatch(whole) and sign not in whole:
        found.add(float(f"{re.sub(r'[^0-9]', '', whole)}.{part}"))
    elif text.isdigit():
        found.add(float(text))
    return sorted(found)
