"""[defaults]: what holds for every image that does not say otherwise, each key checked once."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import SchemaValidator

from migrator.domain.image import MARKER_ITEM, MARKER_PLAN, ImageType
from migrator.domain.object_ref import bucket_fault
from migrator.plan.forms import DEFAULT_KEYS, OWN_KEYS, not_inherited_by, validator_of
from migrator.plan.lines import Where
from migrator.plan.problems import NO_SECRETS, ProblemCollector, is_secret, unknown_name

UNDECIDED = "CHECK"
"""`migrator init --from` begins a value with it where a person has to decide."""

NOT_DECIDED = (
    "waits for a person to decide",
    'put an operating system there that the service knows, such as "CentOS 7.6 64bit"',
)

_WHERE = ("defaults",)
_MERGED_APART = ("type", "bucket", "tags", "image_tags", "labels")
"""Keys that are not simply inherited."""


@dataclass(slots=True, kw_only=True)
class Defaults:
    """What [defaults] holds, the sole target and the last wave, ready to be merged."""

    kind: str = "ECS"
    bucket: str | None = None
    system: dict[str, Any] = field(default_factory=dict)
    """What a system disk inherits as it is."""

    data: dict[str, Any] = field(default_factory=dict)
    """What a data disk inherits as it is."""

    tags: dict[str, str] = field(default_factory=dict)
    old_tags: bool = False
    """They were written as `tags`."""

    labels: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, object] = field(default_factory=dict)
    """Values that were already complained about; images that inherit one are not blamed again."""


@cache
def _keys() -> SchemaValidator:
    return validator_of(DEFAULT_KEYS)


def read_defaults(
    table: object, targets: Collection[str], waves: Sequence[str], found: ProblemCollector
) -> Defaults:
    """[defaults], each key checked once; what is wrong goes to `found`."""
    if not isinstance(table, dict):
        found.error(_WHERE, "must be a table", value=table)
        table = {}
    written = _without_own_keys(table, found)
    wrong = _check_keys(written, found)
    wrong |= _check_values(written, wrong, targets, waves, found)
    good = {key: value for key, value in written.items() if key not in wrong}
    tags = _check_tags(good, found)
    check_names((*_WHERE, "labels"), good.get("labels", {}), found, reserved=False)
    # A wrong value is passed on as it is, so that its images are complete, and known by it.
    inherited = {key: value for key, value in written.items() if key in DEFAULT_KEYS}
    for key in _MERGED_APART:
        inherited.pop(key, None)
    inherited = {**_understood(targets, waves), **inherited}
    return Defaults(
        kind=good.get("type", "ECS"),
        bucket=written.get("bucket"),
        system={key: value for key, value in inherited.items() if key not in not_inherited_by(ImageType.ECS)},
        data={key: value for key, value in inherited.items() if key not in not_inherited_by(ImageType.DATA)},
        tags=tags,
        old_tags="tags" in good,
        labels=good.get("labels", {}),
        wrong=wrong,
    )


def _understood(targets: Collection[str], waves: Sequence[str]) -> dict[str, Any]:
    """What holds although nobody wrote it: the sole target, and the last wave."""
    plain: dict[str, Any] = {}
    if len(targets) <= 1:  # without any, that is said, and no image is blamed for it
        plain["target"] = next(iter(targets), "")
    if waves:
        plain["wave"] = waves[-1]
    return plain


def _without_own_keys(table: dict[str, Any], found: ProblemCollector) -> dict[str, Any]:
    """The table without the keys that each image has to write itself."""
    for key in OWN_KEYS:
        if key in table:
            found.error((*_WHERE, key), "cannot be a default", "each image writes its own")
    return {key: value for key, value in table.items() if key not in OWN_KEYS}


def _check_keys(table: dict[str, Any], found: ProblemCollector) -> dict[str, object]:
    """The values that their keys cannot hold."""
    try:
        _keys().validate_python(table)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        found.refused(errors, _WHERE, list(DEFAULT_KEYS))
        return {str(fault["loc"][0]): table[str(fault["loc"][0])] for fault in errors}
    return {}


def _check_values(
    table: dict[str, Any],
    wrong: dict[str, object],
    targets: Collection[str],
    waves: Collection[str],
    found: ProblemCollector,
) -> dict[str, object]:
    """The values that are wrong although their keys could hold them; those that are `wrong` are left out."""
    more: dict[str, object] = {}
    for key, known in (("target", targets), ("wave", waves)):
        if key in table and key not in wrong and table[key] not in known:
            if known or key == "wave":
                unknown_name((*_WHERE, key), table[key], known, found)
            more[key] = table[key]
    if "bucket" in table and "bucket" not in wrong and (fault := bucket_fault(table["bucket"])):
        found.error((*_WHERE, "bucket"), *fault, value=table["bucket"])
        more["bucket"] = table["bucket"]
    version = table.get("os_version")
    if isinstance(version, str) and version.startswith(UNDECIDED):
        found.error((*_WHERE, "os_version"), *NOT_DECIDED, value=version)
        more["os_version"] = version
    if "tags" in table and "image_tags" in table:
        found.error((*_WHERE, "image_tags"), "stands beside tags", "write one of the two")
        more |= {"tags": table["tags"], "image_tags": table["image_tags"]}
    return more


def _check_tags(good: dict[str, Any], found: ProblemCollector) -> dict[str, str]:
    """The tags, whichever way they are written."""
    tags, doubled = tags_by_key(good.get("tags", []))
    for key in doubled:
        found.error((*_WHERE, "tags"), "names a tag twice", "keep one of the two", value=key)
    tags.update(good.get("image_tags", {}))
    check_names((*_WHERE, "image_tags" if "image_tags" in good else "tags"), tags, found)
    return tags


def tags_by_key(tags: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Old-style tags by key, and the keys that come twice."""
    table: dict[str, str] = {}
    doubled = []
    for tag in tags:
        key, _, value = tag.partition(".")
        if key in table:
            doubled.append(key)
        table[key] = value
    return table, doubled


def check_names(where: Where, names: object, found: ProblemCollector, *, reserved: bool = True) -> None:
    """Note tags or labels that are ours, or that would carry a secret into reports and the cloud."""
    for key in names if isinstance(names, dict) else ():
        if reserved and key in (MARKER_PLAN, MARKER_ITEM):
            remedy = "choose another name; this one marks what the plan imported"
            found.error((*where, key), "is a tag of the program's own", remedy)
        elif is_secret(key):
            found.error((*where, key), *NO_SECRETS)
