"""The first row of an inventory: what its headings mean, and what people mean who call them otherwise."""

import re
from collections.abc import Sequence
from functools import cache

from msgspec import Struct
from pydantic import ValidationError
from pydantic_core import SchemaValidator

from migrator.domain.image import MARKER_ITEM, MARKER_PLAN
from migrator.domain.sheets import Broken, Cell, letters, text_of
from migrator.domain.text import did_you_mean, shown
from migrator.ims.fields import FIELDS
from migrator.plan.forms import IMAGE_KEYS, validator_of
from migrator.plan.lines import Where
from migrator.plan.problems import NO_SECRETS, ProblemCollector, is_secret
from migrator.plan.wording import explained

FREE = dict(sorted((field.column, field.key) for field in FIELDS if field.column and field.is_table))
"""Columns such as label.owner and tag.app, each kind with the image's key that they fill."""

_TABLES = {field.key: field.column for field in FIELDS if field.column is not None}
"""Keys of an image that no cell can hold, with the columns that do."""

_PLAIN_KEYS = [field.key for field in FIELDS if field.column is None]
_FREE = re.compile(r"(labels?|tags?|image[ _-]?tags?)\s*[.:]\s*(.*)", re.IGNORECASE | re.DOTALL)
_SEPARATORS = re.compile(r"[\s_-]+")


@cache
def _free() -> SchemaValidator:
    return validator_of({key: IMAGE_KEYS[key] for key in FREE.values()})


class InventoryColumn(Struct, frozen=True, kw_only=True):
    """One column that is understood."""

    position: int
    """0 is A."""

    key: str
    """The image's key that it fills: "min_disk", "labels"."""

    name: str = ""
    """Of the label or the tag."""

    @property
    def where(self) -> tuple[str, ...]:
        """The way to its value in an image's table."""
        return (self.key, self.name) if self.name else (self.key,)

    @property
    def heading(self) -> tuple[str, ...]:
        """The same as a heading says it."""
        return (_TABLES[self.key], self.name) if self.name else (self.key,)


def read_heading(
    cells: Sequence[Cell],
    where: tuple[str, int, int],
    columns: list[InventoryColumn],
    found: ProblemCollector,
) -> set[int] | None:
    """Fill `columns`, and return the columns without a heading; None when any heading is wrong."""
    faults = found.count
    if not any(understood(text_of(cell)) for cell in cells):
        named = ", ".join(shown(text_of(cell)) for cell in cells[:_NAMED] if text_of(cell))
        likely = [
            f"{key} for {shown(text_of(cell))}"
            for cell in cells
            if (key := _LIKELY.get(_squeezed(text_of(cell))))
        ]
        remedy = 'the first row names keys of an image, one in each column: "name", "object", "min_disk"'
        if likely:
            remedy = f"call them as a plan does: {', '.join(likely)}"
        found.error(where, f"holds no heading that is a key of an image: {named}", remedy)
        return None
    bare: set[int] = set()
    seen: dict[tuple[str, ...], int] = {}
    for position, cell in enumerate(cells):
        heading, place = text_of(cell), (*where, position)
        if not heading:
            bare.add(position)
        elif isinstance(cell, Broken):
            found.error(place, heading, "put the heading itself there, and save the file again")
        elif (column := understood(heading, position)) is None:
            _unknown_heading(heading, place, found)
        elif (first := seen.setdefault(column.where, position)) != position:
            reason = f"is the heading of two columns: first of {letters(first)}"
            found.error(place, reason, "take one of them out", value=heading)
        else:
            _check_name(column, place, heading, found)
            columns.append(column)
    if ("name",) not in seen and found.count == faults:
        found.error(where, "there is no column with the names", 'one of the headings has to be "name"')
    return bare if found.count == faults else None


def understood(heading: str, position: int = 0) -> InventoryColumn | None:
    """The column that a heading means, whatever its capitals, spaces and underscores; None if none."""
    if (free := _FREE.fullmatch(heading)) and (name := free[2].strip()):
        kind = "label" if free[1][0] in "lL" else "tag"
        return InventoryColumn(position=position, key=FREE[kind], name=name)
    key = _BY_HEADING.get(_squeezed(heading))
    return None if key is None else InventoryColumn(position=position, key=key)


def _squeezed(heading: str) -> str:
    return _SEPARATORS.sub("", heading.casefold())


_NAMED = 12
"""Headings that are named where none is understood."""

_LIKELY = {
    **dict.fromkeys(("名称", "镜像名称", "虚拟机名称", "主机名"), "name"),
    **dict.fromkeys(("对象", "对象名", "文件", "文件名"), "object"),
    **dict.fromkeys(("桶", "桶名", "存储桶"), "bucket"),
    **dict.fromkeys(("镜像地址", "镜像文件", "地址"), "image_url"),
    **dict.fromkeys(("最小磁盘", "系统盘", "磁盘大小", "系统盘大小"), "min_disk"),
    **dict.fromkeys(("操作系统", "操作系统版本", "系统版本"), "os_version"),
    **dict.fromkeys(("类型", "镜像类型"), "type"),
    **dict.fromkeys(("描述", "备注", "说明"), "description"),
    **dict.fromkeys(("企业项目", "企业项目id"), "enterprise_project_id"),
    **dict.fromkeys(("负责人", "责任人", "所有者"), "label.owner"),
    **dict.fromkeys(("vm", "vmname", "hostname", "servername"), "name"),
    **dict.fromkeys(("file", "filename", "path"), "object"),
    **dict.fromkeys(("os", "operatingsystem"), "os_version"),
    **dict.fromkeys(("disksize", "sizegb", "disk"), "min_disk"),
    **dict.fromkeys(("owner",), "label.owner"),
}
"""What people call the columns of their lists, and what they mean by it: offered, never taken for granted."""

_BY_HEADING = {_squeezed(key): key for key in _PLAIN_KEYS}
_BY_TABLE = {_squeezed(key): column for key, column in _TABLES.items()}


def _unknown_heading(heading: str, place: Where, found: ProblemCollector) -> None:
    if is_secret(heading):
        found.error(place, *NO_SECRETS)
    elif (column := _BY_TABLE.get(_squeezed(heading))) is not None:
        remedy = f"write one column for each, headed {column}.NAME"
        found.error(place, "is more than one cell can hold", remedy, value=heading)
    else:
        every = ", ".join([*_PLAIN_KEYS, *(f"{kind}.NAME" for kind in FREE)])
        report = f"call it {shown(f'label.{heading}')} if it is for reports; the columns are {every}"
        likely = _LIKELY.get(_squeezed(heading))
        said = f"did you mean {shown(likely)}?" if likely else ""
        remedy = said or did_you_mean(_SEPARATORS.sub("_", heading), _PLAIN_KEYS) or report
        found.error(place, "is not a key of an image", remedy, value=heading)


def _check_name(column: InventoryColumn, place: Where, heading: str, found: ProblemCollector) -> None:
    """Note the name of a label or a tag that every row would be blamed for."""
    if not column.name:
        return
    if is_secret(column.name):
        found.error(place, *NO_SECRETS)
        return
    if column.key == "image_tags" and column.name in (MARKER_PLAN, MARKER_ITEM):
        remedy = "choose another name; this one marks what the plan imported"
        found.error(place, "is a tag of the program's own", remedy, value=heading)
        return
    try:
        _free().validate_python({column.key: {column.name: "x"}})
    except ValidationError as error:
        reason, remedy = explained(error.errors(include_url=False)[0], (column.key,))
        found.error(place, reason, remedy, value=heading)
