"""A list of disks → the plan that `migrator init --from` writes around it.

What the list cannot say is not guessed: it is written as CHECK, with a comment, and `migrator validate`
refuses it until a person has put the right thing there.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from migrator.domain.sheets import How, Row, Unreadable, is_blank, text_of
from migrator.domain.text import UNPRINTABLE, shown
from migrator.ims.methods import AUTO_NOTE
from migrator.plan.headings import understood

_SLUG = re.compile(r"[^a-z0-9._-]+")
_AS_IT_IS = How()
_OF_EXPORTS = frozenset({"vm", "vinfovmname", "vdiskvmname"})
"""What an RVTools export calls the name of a machine."""

_UNPRINTABLE = re.compile(f"[{UNPRINTABLE}]+")


@dataclass(slots=True, kw_only=True)
class Scaffold:
    """A plan to begin with."""

    text: str
    """TOML."""

    notes: list[str] = field(default_factory=list)
    """What its author should know, a line each."""


def slug(text: str) -> str:
    """A name for a plan, a target or a wave, as close to `text` as such names allow."""
    return _SLUG.sub("-", text.lower()).strip("-._")[:63] or "my-plan"


def quoted(text: str) -> str:
    """`text` as a TOML string in one line; what cannot be shown becomes a space."""
    return json.dumps(plain(text), ensure_ascii=False)


def plain(text: str) -> str:
    """`text` in one line that no terminal takes for orders."""
    return _UNPRINTABLE.sub(" ", text).strip()


def head(*, name: str, targets: Iterable[str], source: str, about: Iterable[str]) -> Iterator[str]:
    """The first lines of a plan that was made from `source`; `about` is said about it in comments."""
    yield f"# Made by `migrator init --from {plain(source)}`. Nothing is sent before you say so:"
    yield "#"
    yield "#     migrator validate PLAN     says what is still to be decided; look for CHECK"
    yield "#     migrator preflight PLAN    asks the cloud whether it can be done; changes nothing"
    yield "#     migrator run PLAN          imports, or continues where it stopped"
    for line in about:
        yield f"# {_UNPRINTABLE.sub(' ', line)}".rstrip()
    yield ""
    yield "[plan]"
    yield f"name = {quoted(slug(name))}   # names the folder of the reports; keep it once you have begun"
    yield 'owner = ""   # who to ask'
    for target in targets:
        yield ""
        yield f"[targets.{target}]"
        yield 'region = "CHECK"   # CHECK: where the images go, such as "cn-north-4"'
        yield 'credentials = "env"   # from HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK; never keys in here'


def plan_of_list(rows: Iterator[Row], *, file: str, name: str, how: How = _AS_IT_IS) -> Scaffold:
    """A plan that reads its images from the spreadsheet `file`, whose rows these are, read as `how` says.
    Raises Unreadable."""
    heading = next((cells for _, cells in rows if not all(map(is_blank, cells))), None)
    if heading is None:
        raise Unreadable("is empty", 'its first row names keys of an image: "name", "object", ...')
    places: dict[str, int] = {}
    strange: list[str] = []
    for position, cell in enumerate(heading):
        if column := understood(text_of(cell)):
            places.setdefault(column.key, position)
        elif not is_blank(cell):
            strange.append(text_of(cell))
    if not places:
        remedy = 'such as "name", "object" and "min_disk"'
        if _OF_EXPORTS & {one.casefold() for one in strange}:
            remedy = (
                "if it is a tab of an RVTools export, call it RVTools_tabvInfo.csv or RVTools_tabvDisk.csv, "
                "and put both into one folder"
            )
        raise Unreadable("has no heading that a plan understands", remedy)
    seen: dict[str, dict[str, None]] = {"target": {}, "wave": {}}
    count = 0
    for _, cells in rows:
        if all(map(is_blank, cells)):
            continue
        count += 1
        for key, values in seen.items():
            if key in places and places[key] < len(cells) and (value := text_of(cells[places[key]])):
                values[value] = None
    targets = [target for target in seen["target"] if target == slug(target)] or ["north"]
    about = (
        "",
        f"It reads {count} images from {file}: change them there, and what holds for all of them here.",
    )
    lines = list(head(name=name, targets=targets, source=file, about=about))
    for wave in seen["wave"]:
        lines += ["", "[[waves]]   # they run in this order", f"name = {quoted(wave)}"]
    lines += ["", "[defaults]   # what holds for every row that does not say otherwise", *_defaults(places)]
    lines += ["", "[[inventory]]", f"file = {quoted(file)}   # relative to this plan"]
    said = (("sheet", how.sheet), ("encoding", how.encoding), ("hidden", how.hidden))
    lines += [f"{key} = {quoted(text)}" for key, text in said if text is not None]
    notes = [f"{count} images in {file}"]
    if strange:
        listed = ", ".join(shown(one) for one in islice(strange, 10))
        notes.append(
            f"headings that a plan does not understand: {listed}; call them label.NAME, or take them out"
        )
    return Scaffold(text="\n".join(lines) + "\n", notes=notes)


AUTO_LINE = f'method = "auto"   # {AUTO_NOTE}'
"""For whoever has files of many kinds, as most have."""


def _defaults(places: dict[str, int]) -> Iterator[str]:
    """What the rows cannot do without and have no column for."""
    if "method" not in places:
        yield AUTO_LINE
    if "image_url" not in places and "bucket" not in places:
        yield 'bucket = "CHECK"   # CHECK: the OBS bucket with the uploaded files, in the same region'
    if "os_version" not in places:
        yield 'os_version = "CHECK"   # CHECK: such as "CentOS 7.6 64bit"'
    if "min_disk" not in places:
        yield "min_disk = 0   # CHECK: in GB, larger than the disk in the file"
