"""The images as written → one complete table for each: defaults merged, object and bucket made one address.

A plan may hold a hundred thousand of them, so what nobody wrote costs nothing here.
"""

from collections.abc import Callable
from typing import Any

from migrator.domain.image import ImageType
from migrator.domain.object_ref import bucket_fault, key_fault
from migrator.domain.text import did_you_mean, shown
from migrator.ims.methods import METHOD, any_format_fault
from migrator.plan.defaults import Defaults, check_names, tags_by_key
from migrator.plan.problems import Faulty, ProblemCollector, is_secret

MAX_TAGS = 10
"""Tags of one image (IMS API reference, adding a tag)."""

NO_TABLE: dict[str, Any] = {"type": "ECS"}
"""Stands for an image that is no table."""

EXAMPLE_URL = f"bucket:{METHOD.example('folder/disk')}"
HARMLESS_URL = f"bucket:{METHOD.example('key')}"
"""Stands for an address that was complained about, so that the image's other keys are looked at."""

_DATA = ImageType.DATA.value


def merge(
    tables: list[Any], defaults: Defaults, most_tags: int, faulty: Faulty, found: ProblemCollector
) -> None:
    """Replace each table by itself over the defaults; note what is wrong where that is impossible."""
    label_keys: set[str] = set()
    texts: dict[str, str] = {}
    share = texts.setdefault  # tomli makes a new string each time; the same text is kept once
    system, data = {**defaults.system, "type": "ECS"}, {**defaults.data, "type": _DATA}
    any_tags, any_labels = bool(defaults.tags), bool(defaults.labels)
    for index, table in enumerate(tables):
        if type(table) is not dict:
            found.error(("images", index), "must be a table", "write [[images]] above its keys", value=table)
            tables[index] = NO_TABLE
            continue
        kind = table.get("type", defaults.kind)
        if kind == _DATA:
            image = {**data, **table}
        elif kind == "ECS":
            image = {**system, **table}
        elif kind == "BMS":
            image = {**system, **table, "type": "BMS"}
        else:
            image = _of_unknown_kind(table, index, system, data, found)
        tables[index] = image
        if "object" in table or "bucket" in table:
            _join_address(image, index, defaults, faulty, found)
        if any_tags or "tags" in table or "image_tags" in table:
            _merge_tags(image, table, index, defaults, most_tags, faulty, found)
        labels = table.get("labels")
        if type(labels) is dict or (labels is None and any_labels):
            own = {**defaults.labels, **(labels or {})}
            image["labels"] = _shared(own, share)
            label_keys.update(own)
        for key in ("os_version", "target", "wave"):
            if key in table and type(text := table[key]) is str:
                image[key] = share(text, text)
    if any(map(is_secret, label_keys)):
        _refuse_secret_labels(tables, defaults, found)


def _shared(labels: dict[str, Any], share: Callable[[str, str], str]) -> dict[str, Any]:
    try:
        return {share(key, key): share(labels[key], labels[key]) for key in labels}
    except TypeError:  # a label that is no text, which the check of the keys says
        return labels


def _refuse_secret_labels(tables: list[dict[str, Any]], defaults: Defaults, found: ProblemCollector) -> None:
    for index, image in enumerate(tables):
        if type(labels := image.get("labels")) is dict:
            own = {key: labels[key] for key in labels if key not in defaults.labels}
            check_names(("images", index, "labels"), own, found, reserved=False)


def _of_unknown_kind(
    table: dict[str, Any], index: int, system: dict[str, Any], data: dict[str, Any], found: ProblemCollector
) -> dict[str, Any]:
    """The most likely reading, so that its other keys are checked too."""
    kinds = ("ECS", "BMS", _DATA)
    listed = ", ".join(shown(kind) for kind in kinds)
    kind = table["type"]
    found.error(("images", index, "type"), f"must be one of {listed}", did_you_mean(kind, kinds), value=kind)
    like = data if "os_type" in table and "os_version" not in table else system
    return {**like, **table, "type": like["type"]}


# --- Addresses ------------------------------------------------------------------------------------------


def _join_address(
    image: dict[str, Any], index: int, defaults: Defaults, faulty: Faulty, found: ProblemCollector
) -> None:
    """Turn object and bucket into image_url."""
    own_bucket = image.pop("bucket", None)
    if "image_url" in image:
        other = "object" if "object" in image else "bucket"
        found.error(
            ("images", index, other),
            "stands beside image_url",
            "write either image_url, or object and bucket",
        )
        image.pop("object", None)
        return
    if "object" not in image:
        return  # the missing image_url is for the check of the keys to say
    key = image.pop("object")
    bucket = defaults.bucket if own_bucket is None else own_bucket
    if type(key) is str and type(bucket) is str and own_bucket is None and not defaults.wrong:
        image["image_url"] = f"{bucket}:{key}"  # as nearly all are written
        return
    if _refuse_parts(key, bucket, index, defaults, found, own=own_bucket is not None):
        image["image_url"] = HARMLESS_URL
        faulty[index].add("image_url")
    else:
        image["image_url"] = f"{bucket}:{key}"


def _refuse_parts(
    key: object, bucket: object, index: int, defaults: Defaults, found: ProblemCollector, *, own: bool
) -> bool:
    """Whether there is something wrong with an object or its bucket, which may be the image's `own`."""
    where = ("images", index)
    wrong = not own and "bucket" in defaults.wrong
    if not isinstance(key, str):
        found.error((*where, "object"), "must be text in quotes", value=key)
        wrong = True
    if bucket is None:
        remedy = 'set bucket = "..." here or in [defaults]'
        found.error((*where, "object"), "lies in no bucket", remedy, value=key)
        wrong = True
    elif own and not isinstance(bucket, str):
        found.error((*where, "bucket"), "must be text in quotes", value=bucket)
        wrong = True
    elif own and isinstance(bucket, str) and (fault := bucket_fault(bucket)):
        found.error((*where, "bucket"), *fault, value=bucket)
        wrong = True
    if wrong and isinstance(key, str) and (fault := object_fault(key)):
        found.error((*where, "object"), *fault, value=key)
    return wrong


def object_fault(key: str) -> tuple[str, str] | None:
    """What is wrong with the key of a file that is to be imported, and what to do; None where nothing is."""
    return key_fault(key, example=EXAMPLE_URL) or any_format_fault(key)


# --- Tags -----------------------------------------------------------------------------------------------


def _merge_tags(
    image: dict[str, Any],
    own: dict[str, Any],
    index: int,
    defaults: Defaults,
    most: int,
    faulty: Faulty,
    found: ProblemCollector,
) -> None:
    """Merge the defaults' tags into the image's, in the form the image uses."""
    where = ("images", index)
    if "tags" in own and "image_tags" in own:
        found.error((*where, "image_tags"), "stands beside tags", "write one of the two")
        del image["tags"], image["image_tags"]
        return
    old = "tags" in own or ("image_tags" not in own and defaults.old_tags)
    form = "tags" if old else "image_tags"
    written = own.get(form, [] if old else {})
    if old and isinstance(written, list) and all(isinstance(tag, str) for tag in written):
        tags, doubled = tags_by_key(written)
        for key in doubled:
            found.error((*where, form), "names a tag twice", "keep one of the two", value=key)
        image[form] = [f"{key}.{value}" for key, value in defaults.tags.items() if key not in tags] + written
    elif not old and isinstance(written, dict):
        tags = written
        image[form] = {**defaults.tags, **written}
    else:
        return  # not even a list or a table, which the check of the keys says
    check_names((*where, form), tags, found)
    if (count := len(tags.keys() | defaults.tags.keys())) > most:
        why = "the marker takes two of the ten that an image may have" if most < MAX_TAGS else ""
        inherited = " with those of [defaults]" if defaults.tags else ""
        found.error((*where, form), f"has {count} tags{inherited}; at most {most} are allowed", why)
        faulty[index].add(form)
        del image[form]
