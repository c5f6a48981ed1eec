"""What is wrong with a value, and what would be right: the words for every fault that pydantic finds."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from migrator.domain.text import did_you_mean, shown
from migrator.domain.units import OutOfBounds
from migrator.ims.fields import FIELDS
from migrator.ims.methods import METHOD
from migrator.plan.lines import Where

VARIABLES = ("url_env", "secret_env", "apprise_env")
SILENT = frozenset({"credentials", "iam_endpoint", "ims_endpoint", "obs_endpoint", *VARIABLES})
"""Keys whose wrong values are not repeated: people paste secrets into them."""

MISSING = {
    "plan": 'add a [plan] table with name = "..."',
    "name": 'give it one: name = "..."',
    "targets": 'add a table such as [targets.north] with region = "cn-north-4"',
    "images": "add an [[images]] table for each disk image, or an [[inventory]] that lists them",
    "file": 'name the spreadsheet: file = "disks.csv" or "disks.xlsx"',
    "on": 'say of what: on = ["failed-threshold", "stalled", "end"]',
    "region": 'set it, for example region = "cn-north-4"',
    "target": "the plan has several targets: name one here, or once in [defaults]",
    "image_url": f'set image_url = "bucket:{METHOD.example("folder/disk")}", or object with a bucket here or '
    "in [defaults]",
    "min_disk": "set it in GB, larger than the disk in the file, here or in [defaults]",
    "os_version": 'a system disk needs one such as "CentOS 7.6 64bit", here or in [defaults]; '
    'for a data disk set type = "DataImage"',
    "os_type": 'a data disk needs "Linux" or "Windows", here or in [defaults]',
}
"""What to do when a required key is not there."""

_PLAIN = ("holds a control character", "keep it to one line of ordinary text")
PATTERNS = {
    **{row.key: row.unfit for row in FIELDS if row.unfit is not None},
    "plan.name": (
        "is not a plan name",
        'use up to 63 of a-z, 0-9, ".", "_" and "-", and begin with a letter or a digit',
    ),
    "plan.description": _PLAIN,
    "waves.name": (
        "is not a name for a wave",
        'use up to 63 of a-z, 0-9, ".", "_" and "-", and begin with a letter or a digit',
    ),
    "targets": (
        "is not a target name",
        'use up to 63 of a-z, 0-9, ".", "_" and "-", and begin with a letter or a digit',
    ),
    "notify.name": (
        "is not a name for a receiver",
        'use up to 63 of a-z, 0-9, ".", "_" and "-", and begin with a letter or a digit',
    ),
    **dict.fromkeys(
        VARIABLES,
        (
            "is not the name of a variable",
            "what it stands for is a secret: put that into the environment, and the variable's name here",
        ),
    ),
    "file": ("is not a spreadsheet that can be read", "save it as .csv or .xlsx"),
    "project_id": (
        "is not a project id",
        "it has 32 hex digits; leave it out to have it looked up by region",
    ),
    "region": ("is not a region id", 'it looks like "cn-north-4"'),
    "credentials": (
        "does not name a source of credentials",
        'write "env", "env:PREFIX", "profile:NAME" or "metadata"; never the secret itself',
    ),
}
"""What a pattern asks for, by the key it belongs to: what is wrong, and what would be right."""

_TYPES = {
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "bool_type": "must be true or false",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "list_type": "must be a list",
    "tuple_type": 'must be a list such as ["app.shop"]',
}


_NUMBER = re.compile(r"\d{1,9}")
_SUB_PROJECT = re.compile(r"([a-z]{2,}(?:-[a-z0-9]+)+)_[\w-]+")
"""A project of its own within a region, as the IAM console lists it: "eu-de_test1"."""


def explained(error: Mapping[str, Any], where: Where) -> tuple[str, str]:
    """What is wrong and what to do, for one of pydantic's errors about a value."""
    context = error.get("ctx", {})
    keys = [part for part in where if isinstance(part, str)]
    match error["type"]:
        case "string_pattern_mismatch":
            if keys[-1:] == ["region"] and (found := _SUB_PROJECT.fullmatch(str(error["input"]))):
                remedy = f'write region = "{found[1]}", and the id of the project as project_id = "..."'
                return "is the name of a project in a region", remedy
            if (key := ".".join(keys)) in PATTERNS:
                return PATTERNS[key]
            for key in reversed(keys):
                if key in PATTERNS:
                    return PATTERNS[key]
            return _PLAIN
        case "literal_error" | "enum":
            choices = [choice.strip(" '") for choice in context["expected"].replace(" or ", ", ").split(", ")]
            listed = ", ".join(map(shown, choices))
            return f"must be one of {listed}", did_you_mean(error["input"], choices)
        case "string_too_long":
            return f"has {len(error['input'])} characters; at most {context['max_length']} are allowed", ""
        case "string_too_short" if error["input"]:
            noun = "character" if len(error["input"]) == 1 else "characters"
            return f"has {len(error['input'])} {noun}; at least {context['min_length']} are needed", ""
        case "string_too_short":
            return "must not be empty", MISSING.get(keys[-1], "")
        case "greater_than_equal":
            return f"must be at least {context['ge']}", ""
        case "less_than_equal":
            return f"must be at most {context['le']}", ""
        case "too_short":
            return "must not be empty", MISSING.get(keys[-1], "")
        case "too_long":
            return f"has {context['actual_length']} entries; at most {context['max_length']} are allowed", ""
        case "datetime_type" | "timezone_aware":
            value = error["input"]
            complete = isinstance(value, datetime)
            no_zone = "has no zone, so it is a different moment for everybody"
            form = "write it without quotes" if isinstance(value, str) else "write all of it"
            if complete:
                form = "add one"
            return (
                no_zone if complete else "must be a date and time",
                f"{form}, as in 2026-12-01T20:00:00+08:00, or with Z for UTC",
            )
        case "value_error" if isinstance(context["error"], OutOfBounds):
            return context["error"].reason, context["error"].remedy
        case "value_error":
            return "is not understood", str(context["error"])
        case "int_type" if isinstance(value := error["input"], str) and _NUMBER.fullmatch(value.strip()):
            return "must be a whole number", f"write it without quotes: {value.strip()}"
        case kind:
            return _TYPES.get(kind) or str(error["msg"]), ""
