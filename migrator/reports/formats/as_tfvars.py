"""The ids as variables of Terraform: one map, by target and by the image's name.

The file declares nothing; `variable "image_ids" { type = map(map(string)) }` does. Terraform takes each
string of a `.tfvars.json` as it stands: nothing in it is a template.
"""

import json
from typing import BinaryIO

from migrator.reports.ids import image_ids
from migrator.reports.summary import Summary


def write(summary: Summary, stream: BinaryIO) -> None:
    """Write the variables to `stream`."""
    ids: dict[str, dict[str, str]] = {}
    for one in image_ids(summary):
        ids.setdefault(one.target, {})[one.name] = one.image_id
    text = json.dumps({"image_ids": ids}, indent=2, ensure_ascii=False)
    stream.write(f"{text}\n".encode("utf-8", "replace"))
