"""The ids as variables of Ansible: a YAML file for `vars_files`, or for `group_vars/`.

`image_ids` has the id of each image, by target and name; `machines` has the disks of each machine, the system
disk first, for plans whose images have the label `machine`.

- Every key and value is a string in double quotes, written as JSON writes it: no text is taken for a number,
  a date or a boolean, and none ends a line.
- Ansible takes the values of variables for Jinja templates. One that holds what begins a template is marked
  `!unsafe`, and stays text.
"""

import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from migrator.domain.image import ImageType
from migrator.reports.ids import ImageId, about, image_ids
from migrator.reports.summary import Summary


def write(summary: Summary, stream: BinaryIO) -> None:
    """Write the variables to `stream`."""
    stream.write("".join(f"{line}\n" for line in _lines(summary)).encode("utf-8", "replace"))


def _lines(summary: Summary) -> Iterator[str]:
    found = image_ids(summary)
    yield f"# {about(summary, len(found))}"
    yield "---"
    by_target: dict[str, list[ImageId]] = {}
    by_machine: dict[str, list[ImageId]] = {}
    for one in found:
        by_target.setdefault(one.target, []).append(one)
        if machine := one.row.image.labels.get("machine"):
            by_machine.setdefault(machine, []).append(one)
    places = {target: place for place, target in enumerate(by_target)}
    yield "image_ids:" if found else "image_ids: {}"
    for target, images in by_target.items():
        yield entry("  ", target)
        yield from (entry("    ", one.name, value(one.image_id)) for one in images)
    yield "machines:" if by_machine else "machines: {}"
    for machine, disks in by_machine.items():
        yield entry("  ", machine)
        for one in sorted(disks, key=lambda one: (places[one.target], one.row.type is ImageType.DATA)):
            yield f"    - id: {value(one.image_id)}"
            yield f"      name: {value(one.name)}"
            yield f"      target: {value(one.target)}"
            yield f"      type: {value(one.row.type.value)}"
            yield f"      min_disk: {one.row.min_disk}"


# JSON leaves these as they are; YAML 1.1 takes some for the end of a line and forbids the others.
_UNWRITTEN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_TEMPLATE = re.compile(r"\{[{%#]")

_LONGEST_KEY = 1000
"""Characters: of a longer key YAML wants to be told that it is one."""


def entry(indent: str, key: str, content: str = "") -> str:
    """A line of a mapping; `content` is written already, and empty where more lines follow."""
    name, rest = _quoted(key), f": {content}".rstrip()
    return f"{indent}{name}{rest}" if len(name) <= _LONGEST_KEY else f"{indent}? {name}\n{indent}{rest}"


def value(text: str) -> str:
    """The text as a value that stays text."""
    return f"!unsafe {_quoted(text)}" if _TEMPLATE.search(text) else _quoted(text)


def _quoted(text: str) -> str:
    written = json.dumps(_SURROGATES.sub("\ufffd", text), ensure_ascii=False)
    return _UNWRITTEN.sub(lambda found: f"\\u{ord(found[0]):04x}", written)
