"""An RVTools export of a vSphere → a plan: of each machine a system disk, and its data disks.

The tabs are vInfo (one row for each machine) and vDisk (one for each disk): sheets of a workbook, or a CSV
file each. Their headings are those of RVTools 3 and 4, or of its option -DBColumnNames. Where the export
leaves a doubt, the plan has a comment that begins with CHECK. Where it leaves no value at all, the plan has
one there that `migrator validate` refuses.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from migrator.domain.sheets import Row, Unreadable
from migrator.ims.fields import CHINESE
from migrator.ims.methods import METHOD
from migrator.plan.guests import Guest, guest_of
from migrator.plan.rvtools_tabs import (
    CAPACITIES,
    YES,
    disk_number,
    identity_of,
    left_out,
    numbers,
    paths_of,
    system_first,
    tab_rows,
    value_of,
)
from migrator.plan.scaffold import AUTO_LINE, Scaffold, head, plain, quoted

_CONFIGURED = "OS according to the configuration file"
_RUNNING = "OS according to the VMware Tools"

_NOT_IN_NAMES = re.compile(rf"[^A-Za-z0-9._{CHINESE} -]+")
_NOT_IN_KEYS = re.compile(rf"[^A-Za-z0-9._{CHINESE}-]+")
_ESCAPED = re.compile("%(2f|5c|25)", re.IGNORECASE)
"""How vSphere writes / and backslash and % in the name of a machine."""

_SECRET = re.compile(r"passw|pwd|secret|token|credential|密码|口令|密钥", re.IGNORECASE)
_FIRMWARE = {"bios": "bios", "efi": "uefi"}
_LONGEST_NAME = 128
_LEAST = {"Windows": 20}
_FEW = 10

_ABOUT = (
    "",
    "Lines with CHECK are for you to decide or to confirm. What else was taken for granted:",
    '- Where the export does not tell which disk holds C:\\ or /, "Hard disk 1" is put first, with CHECK.',
    "- Files lie in the bucket under the names that object says. Put yours there, or change the line.",
    "- min_disk is in GB and has to be larger than the disk in the file: one of exactly 40 GiB asks for 41.",
    f"  Linux asks for 10 at least, Windows for 20. Nothing above {METHOD.largest_disk} can be imported.",
    "- A description would be sent to the cloud; those of the export are commented out.",
)


@dataclass(slots=True, kw_only=True)
class _Notes:
    """What whoever asked for the plan should know."""

    left_out: Counter[str] = field(default_factory=Counter)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    assumed: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    undecided: Counter[str] = field(default_factory=Counter)
    doubted: int = 0
    """Machines whose system may lie on another disk."""
    unowned: int = 0
    """Disks of machines that are not listed."""
    images: int = 0


def plan_of_rvtools(info: Iterator[Row], disks: Iterator[Row], *, source: str, name: str) -> Scaffold:
    """A plan of the machines in an export, whose two sheets these are. Raises Unreadable."""
    machines = tab_rows(info, "vInfo", [("VM",)])
    listed = tab_rows(disks, "vDisk", [("VM",), CAPACITIES])
    identity = identity_of(machines, listed)
    by_machine: dict[tuple[str, ...], list[dict[str, str]]] = defaultdict(list)
    for row in listed.rows:
        by_machine[identity(row)].append(row)
    again = Counter(identity(row) for row in machines.rows)
    notes, names = _Notes(), _Names()
    notes.unowned = sum(len(rows) for owner, rows in by_machine.items() if owner not in again)
    paths: set[tuple[str, str]] = set()
    lines: list[str] = []
    chosen = []
    for row in machines.rows:
        if (reason := left_out(row)) is None:
            chosen.append(row)
        else:
            notes.left_out[reason] += 1
    for row, system in zip(chosen, _systems(chosen, names), strict=True):
        twice = again[identity(row)] > 1
        own = [] if twice else sorted(by_machine[identity(row)], key=disk_number)
        ordered, doubt = system_first(own)
        lines += _machine(row, system, ordered, names, paths, notes, twice=twice, doubt=doubt)
    if not (count := len(chosen)):
        raise Unreadable("lists no machine", "its sheet vInfo has templates and placeholders at most")
    about = (*_ABOUT, "", f"{count} machines, {notes.images} disks.")
    begin = head(name=name, targets=["north"], source=source, about=about)
    shared = [
        "",
        "[policy]",
        'keep_together = "machine"   # the disks of a machine go in one wave, one after another',
        "",
        "[defaults]",
        AUTO_LINE,
        'bucket = "CHECK"   # CHECK: the OBS bucket with the uploaded files, in the same region',
    ]
    return Scaffold(text="\n".join([*begin, *shared, *lines]) + "\n", notes=_noted(notes, count))


# --- One machine ----------------------------------------------------------------------------------------


class _Names:
    """Names that the cloud takes, each given once."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._next: dict[tuple[str, str], int] = {}

    def give(self, wanted: str, end: str = "") -> str:
        """The allowed name closest to `wanted`, with `end` at its end."""
        plain_name = _NOT_IN_NAMES.sub("-", wanted).strip() or "vm"
        number = self._next.get((plain_name, end), 1)
        while True:
            tail = (f"-{number}" if number > 1 else "") + end
            name = plain_name[: _LONGEST_NAME - len(tail)].rstrip() + tail
            number += 1
            if self._take(name):
                self._next[plain_name, end] = number
                return name

    def _take(self, name: str) -> bool:
        # Their objects must differ too, and some file systems take capitals for small letters.
        key = _object(name).casefold()
        if key in self._given:
            return False
        self._given.add(key)
        return True


def _called(row: Mapping[str, str]) -> str:
    """The name of a machine as people see it."""
    return _ESCAPED.sub(lambda found: {"2f": "/", "5c": "\\", "25": "%"}[found[1].lower()], row["vm"])


def _systems(machines: list[dict[str, str]], names: _Names) -> list[str]:
    """The name of each machine's system disk; whoever bears one that the cloud takes keeps it."""
    called = [_called(row) for row in machines]
    order = sorted(range(len(called)), key=lambda at: _NOT_IN_NAMES.search(called[at]) is not None)
    given = {at: names.give(called[at]) for at in order}
    return [given[at] for at in range(len(called))]


def _object(name: str) -> str:
    return METHOD.example(f"images/{_NOT_IN_KEYS.sub('-', name)}")


def _machine(
    row: Mapping[str, str],
    system: str,
    disks: list[dict[str, str]],
    names: _Names,
    paths: set[tuple[str, str]],
    notes: _Notes,
    *,
    twice: bool,
    doubt: str,
) -> Iterator[str]:
    """The tables of one machine; `doubt` is why its system disk may be another."""
    called = _called(row)
    guest = guest_of(
        configured=value_of(row, _CONFIGURED),
        running=value_of(row, _RUNNING),
        detailed=value_of(row, "Guest Detailed Data"),
    )
    # Two machines may bear one name; that of the system disk is given once.
    labels = {
        "machine": system,
        "vm": called,
        "cluster": value_of(row, "Cluster"),
        "power": value_of(row, "Powerstate"),
    }
    if system != called:
        notes.renamed.append((called, system))
    for position, disk in enumerate(disks or [{}]):
        name = system if position == 0 else names.give(system, f"-data{position}")
        notes.images += 1
        yield ""
        yield "[[images]]"
        renamed = f'   # "{plain(called)}" in the export' if position == 0 and name != called else ""
        yield f"name = {quoted(name)}{renamed}"
        yield from _content(name, disk, paths)
        if position == 0:
            if doubt:
                notes.doubted += 1
                yield f"# CHECK: which disk holds the system? {plain(doubt)}"
            yield from _system(row, guest, notes)
        else:
            yield 'type = "DataImage"'
            why = plain(guest.why or f"its system is {guest.os_version}")
            unknown = f"   # CHECK: Linux or Windows? {why}" if guest.os_type is None else ""
            yield f"os_type = {quoted(guest.os_type or 'CHECK')}{unknown}"
        missing = "vDisk lists no disk of it"
        if twice:
            missing = "several machines bear this name, and the export has nothing else to tell them apart"
        yield _size(disk, _LEAST.get(guest.os_type or "", 10), missing)
        yield _labels({**labels, "disk": value_of(disk, "Disk")})


def _content(name: str, disk: Mapping[str, str], paths: set[tuple[str, str]]) -> Iterator[str]:
    """Where the file of a disk is expected, unless the disk is of a kind that has none of its own."""
    path = (value_of(disk, "VI SDK Server"), paths_of(disk)[0])
    shared = path[1] != "" and path in paths
    paths.add(path)
    if value_of(disk, "Raw").casefold() in YES:
        yield 'object = "CHECK"   # CHECK: a raw device mapping; copy what is on it, or take this table out'
    elif shared:
        yield 'object = "CHECK"   # CHECK: another machine has the same disk; take one of the two tables out'
    else:
        yield f"object = {quoted(_object(name))}"


def _system(row: Mapping[str, str], guest: Guest, notes: _Notes) -> Iterator[str]:
    if guest.os_version is None:
        notes.undecided[guest.said] += 1
        value = f"CHECK: {guest.said}" if guest.said else "CHECK"
        yield f"os_version = {quoted(value[:255])}   # CHECK: which one? {plain(guest.why)}"
    elif guest.assumed:
        notes.assumed[guest.said, guest.os_version, guest.assumed] += 1
        yield (
            f"os_version = {quoted(guest.os_version)}   "
            f'# CHECK: "{plain(guest.said)}", assuming {plain(guest.assumed)}'
        )
    else:
        yield f"os_version = {quoted(guest.os_version)}"
    if (firmware := _FIRMWARE.get(value_of(row, "Firmware").casefold())) is not None:
        yield f"hw_firmware_type = {quoted(firmware)}"
    about = " ".join(plain(value_of(row, "Annotation")).replace("<", " ").replace(">", " ").split())
    if _SECRET.search(about):
        yield "# its annotation seems to hold a secret, and was left out"
    elif about:
        yield f"# description = {quoted(about[:1024])}"


def _size(disk: Mapping[str, str], least: int, missing: str) -> str:
    """min_disk: the next whole GB above the disk."""
    written = value_of(disk, *CAPACITIES)
    if not written:
        return f"min_disk = 0   # CHECK: {missing}"
    readings = sorted(value for value in numbers(written) if value > 0)
    if not readings:
        return f'min_disk = 0   # CHECK: the export says "{plain(written)[:40]}" MiB'
    sizes = [max(int(value) // 1024 + 1, least) for value in readings]
    gigabytes = sizes[-1]
    if len(set(sizes)) > 1:
        read = " or ".join(
            f"{value:.15g} MiB (write {size})"
            for value, size in ((readings[-1], gigabytes), (readings[0], sizes[0]))
        )
        return f'min_disk = 0   # CHECK: the export says "{plain(written)[:40]}": {read}?'
    if gigabytes > METHOD.largest_disk:
        return f"min_disk = {gigabytes}   # CHECK: {METHOD.disk_too_large}"
    return f"min_disk = {gigabytes}"


def _labels(labels: Mapping[str, str]) -> str:
    inner = ", ".join(f"{key} = {quoted(value[:256])}" for key, value in labels.items() if plain(value))
    return f"labels = {{ {inner} }}"


# --- Notes ----------------------------------------------------------------------------------------------


def _noted(notes: _Notes, machines: int) -> list[str]:
    """The plan in a few lines: what is in it, what is not, and what to decide."""
    lines = [f"{machines} machines, {notes.images} disks"]
    lines += [f"left out, as {reason}: {count}" for reason, count in notes.left_out.items()]
    if notes.unowned:
        lines.append(
            f"left out, as vInfo does not list their machines: {notes.unowned} of the disks in vDisk"
        )
    if notes.doubted:
        lines.append(f"to decide for {notes.doubted}: which disk holds the system?")
    lines += _few(
        [f"renamed: {quoted(called)} is {quoted(name)}" for called, name in notes.renamed], "more renamed"
    )
    lines += _few(
        [
            f"assumed for {count}: {quoted(said)} is {quoted(version)}, {why}"
            for (said, version, why), count in notes.assumed.most_common()
        ],
        "more systems assumed",
    )
    lines += _few(
        [
            f"to decide for {count}: what is {quoted(said) if said else 'the system'}?"
            for said, count in notes.undecided.most_common()
        ],
        "more systems to be decided",
    )
    return lines


def _few(lines: list[str], rest: str) -> list[str]:
    more = len(lines) - _FEW
    return lines if more <= 0 else [*islice(lines, _FEW), f"{more} {rest}: look for CHECK and # in the plan"]
