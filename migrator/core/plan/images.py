"""The images as written → Images: defaults merged, targets and addresses resolved, every rule checked.

A plan may hold a hundred thousand of them, so the work goes in three sweeps: merge the tables as plain
dicts, let pydantic-core check and build them all in one call, and compare them with each other and with what
is known of the service. Words are looked for only where something is wrong.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import ValidationError
from pydantic_core import SchemaValidator, core_schema

from migrator.core.plan.forms import (
    DEFAULT_KEYS,
    IMAGE_KEYS,
    NOT_FOR_DATA,
    NOT_FOR_SYSTEM,
    OWN_KEYS,
    STRICT,
    Tag,
    core_of,
    table_of,
    validator_of,
)
from migrator.core.plan.problems import NO_SECRETS, Findings, did_you_mean, is_secret, shown, unknown_name
from migrator.core.plan.systems import family, known_systems
from migrator.model import MARKER_ITEM, MARKER_PLAN, Image, ImageType

MAX_TAGS = 10
"""Tags of one image (IMS API reference, adding a tag)."""

_DATA = "DataImage"
_SAFE = re.compile(r"[a-z0-9.-]+:[A-Za-z0-9._-][A-Za-z0-9._/-]*\.(?:raw|zvhd2)")
"""The narrowest reading of what an object may be called (IMS error codes IMG.0075 and IMG.0175)."""

_DISK_FORMATS = re.compile(r"\.(qcow2?|vmdk|vhdx?|vdi|ova|iso|img|zvhd|qed)$", re.IGNORECASE)
_BUCKET = re.compile(r"[a-z0-9]+(?:(?:\.|-+)[a-z0-9]+)*")
_NEUTRAL = "Other Linux(64 bit)"
_HOLLOW: dict[str, Any] = {"type": "ECS"}
"""Stands for an image that is no table."""

Faulty = defaultdict[int, set[str]]
"""Keys that were complained about, by position of the image."""

UNDECIDED = "CHECK"
"""`migrator init --from` begins a value with it where a person has to decide."""

_UNDECIDED = (
    "waits for a person to decide",
    'put an operating system there that the service knows, such as "CentOS 7.6 64bit"',
)

_SUGGESTIONS = 20  # looking for a close match in the whole table takes milliseconds


def _builder(refused: Collection[str], required: Collection[str]) -> core_schema.CoreSchema:
    """Builds an Image from a merged table that must not hold some of the keys."""
    keys = {name: core_of(IMAGE_KEYS[name]) for name in Image.__struct_fields__ if name not in refused}
    keys["type"] = core_schema.enum_schema(ImageType, list(ImageType), sub_type="str", strict=False)
    keys["tags"] = core_schema.tuple_schema([core_of(Tag)], variadic_item_index=0, strict=False)
    table = table_of(keys, required)
    return core_schema.no_info_after_validator_function(lambda checked: Image(**checked), table)


@cache
def _defaults() -> SchemaValidator:
    return validator_of(DEFAULT_KEYS)


@cache
def _images() -> SchemaValidator:
    """Builds the list of Images from merged tables; made when first needed, since that takes a while."""
    required = {"name", "target", "image_url", "min_disk"}
    system = _builder(NOT_FOR_SYSTEM, required | {"os_version"})
    data = _builder(NOT_FOR_DATA, required | {"os_type"})
    kinds: dict[Hashable, core_schema.CoreSchema] = {"ECS": system, "BMS": system, _DATA: data}
    return SchemaValidator(
        core_schema.list_schema(core_schema.tagged_union_schema(kinds, discriminator="type")), STRICT
    )


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


def read_defaults(table: object, targets: Collection[str], waves: Sequence[str], found: Findings) -> Defaults:
    """[defaults], each key checked once; what is wrong goes to `found`."""
    plain: dict[str, Any] = {}
    if len(targets) <= 1:  # without any, that is said, and no image is blamed for it
        plain["target"] = next(iter(targets), "")
    if waves:
        plain["wave"] = waves[-1]
    if not isinstance(table, dict):
        found.error(("defaults",), "must be a table", value=table)
        table = {}
    table = dict(table)
    where = ("defaults",)
    for key in OWN_KEYS:
        if key in table:
            found.error((*where, key), "cannot be a default", "each image writes its own")
            del table[key]
    wrong: dict[str, object] = {}
    try:
        _defaults().validate_python(table)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        found.refused(errors, where, list(DEFAULT_KEYS))
        wrong = {str(fault["loc"][0]): table[str(fault["loc"][0])] for fault in errors}
    for key, known in (("target", targets), ("wave", waves)):
        if key in table and key not in wrong and table[key] not in known:
            if known or key == "wave":
                unknown_name((*where, key), table[key], known, found)
            wrong[key] = table[key]
    if "bucket" in table and "bucket" not in wrong and (reason := _bucket_fault(table["bucket"])):
        found.error((*where, "bucket"), *reason, value=table["bucket"])
        wrong["bucket"] = table["bucket"]
    version = table.get("os_version")
    if isinstance(version, str) and version.startswith(UNDECIDED):
        found.error((*where, "os_version"), *_UNDECIDED, value=version)
        wrong["os_version"] = version
    if "tags" in table and "image_tags" in table:
        found.error((*where, "image_tags"), "stands beside tags", "write one of the two")
        wrong.update(tags=table["tags"], image_tags=table["image_tags"])
    good = {key: value for key, value in table.items() if key not in wrong}
    tags, doubled = _as_table(good.get("tags", []))
    for key in doubled:
        found.error((*where, "tags"), "names a tag twice", "keep one of the two", value=key)
    tags.update(good.get("image_tags", {}))
    _check_names((*where, "image_tags" if "image_tags" in good else "tags"), tags, found)
    _check_names((*where, "labels"), good.get("labels", {}), found, reserved=False)
    # A wrong value is passed on as it is, so that its images are complete, and known by it.
    merged = {key: value for key, value in table.items() if key in DEFAULT_KEYS}
    for key in ("type", "bucket", "tags", "image_tags", "labels"):
        merged.pop(key, None)
    merged = {**plain, **merged}
    return Defaults(
        kind=good.get("type", "ECS"),
        bucket=table.get("bucket"),
        system={key: value for key, value in merged.items() if key not in NOT_FOR_SYSTEM},
        data={key: value for key, value in merged.items() if key not in NOT_FOR_DATA},
        tags=tags,
        old_tags="tags" in good,
        labels=good.get("labels", {}),
        wrong=wrong,
    )


def read_images(
    tables: list[Any],
    defaults: Defaults,
    targets: Collection[str],
    waves: Collection[str],
    *,
    marked: bool,
    faulty: Faulty,
    blamed: Mapping[str, Collection[object]],
    found: Findings,
) -> list[Image]:
    """The images, or an empty list when any of them is wrong; what is wrong goes to `found`.

    `tables` is used up: each entry is replaced by its merged form. `marked` says that the marker takes two of
    an image's tags. `faulty` are keys that were complained about, and are missing for that reason; `blamed`
    are targets and waves that were, so that the images that inherit them are not.
    """
    _merge(tables, defaults, MAX_TAGS - 2 if marked else MAX_TAGS, faulty, found)
    images: list[Image] = []
    try:
        images = _images().validate_python(tables)
    except ValidationError as error:
        _refused(error, tables, faulty, defaults, found)
    _compare(tables, faulty, targets, waves, blamed, found)
    return [] if found.failed else images


# --- First sweep: one complete table for each image -----------------------------------------------------


def _merge(tables: list[Any], defaults: Defaults, most_tags: int, faulty: Faulty, found: Findings) -> None:
    """Replace each table by itself over the defaults; note what is wrong where that is impossible."""
    words: set[str] = set()  # of labels
    texts: dict[str, str] = {}
    share = texts.setdefault  # tomli makes a new string each time; the same text is kept once
    system, data = {**defaults.system, "type": "ECS"}, {**defaults.data, "type": _DATA}
    any_tags, any_labels = bool(defaults.tags), bool(defaults.labels)
    for index, table in enumerate(tables):
        if type(table) is not dict:
            found.error(("images", index), "must be a table", "write [[images]] above its keys", value=table)
            tables[index] = _HOLLOW
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
            _place(image, index, defaults, faulty, found)
        if any_tags or "tags" in table or "image_tags" in table:
            _tag(image, table, index, defaults, most_tags, faulty, found)
        labels = table.get("labels")
        if type(labels) is dict or (labels is None and any_labels):
            own = {**defaults.labels, **(labels or {})}
            try:
                image["labels"] = {share(key, key): share(own[key], own[key]) for key in own}
            except TypeError:  # a label that is no text, which the second sweep says
                image["labels"] = own
            words.update(own)
        version = image.get("os_version")
        if type(version) is str:
            image["os_version"] = share(version, version)
        target = image.get("target")
        if type(target) is str:
            image["target"] = share(target, target)
        if "wave" in table and type(wave := table["wave"]) is str:
            image["wave"] = share(wave, wave)
    if any(map(is_secret, words)):
        for index, image in enumerate(tables):
            if type(labels := image.get("labels")) is dict:
                own = {key: labels[key] for key in labels if key not in defaults.labels}
                _check_names(("images", index, "labels"), own, found, reserved=False)


def _of_unknown_kind(
    table: dict[str, Any], index: int, system: dict[str, Any], data: dict[str, Any], found: Findings
) -> dict[str, Any]:
    """The most likely reading, so that its other keys are checked too."""
    kinds = ("ECS", "BMS", _DATA)
    listed = ", ".join(shown(kind) for kind in kinds)
    kind = table["type"]
    found.error(("images", index, "type"), f"must be one of {listed}", did_you_mean(kind, kinds), value=kind)
    like = data if "os_type" in table and "os_version" not in table else system
    return {**like, **table, "type": like["type"]}


def _place(image: dict[str, Any], index: int, defaults: Defaults, faulty: Faulty, found: Findings) -> None:
    """Turn object and bucket into image_url."""
    where = ("images", index)
    own_bucket = image.pop("bucket", None)
    if "image_url" in image:
        other = "object" if "object" in image else "bucket"
        found.error(
            (*where, other), "stands beside image_url", "write either image_url, or object and bucket"
        )
        image.pop("object", None)
        return
    if "object" not in image:
        return  # the missing image_url is the second sweep's to tell
    key = image.pop("object")
    bucket = defaults.bucket if own_bucket is None else own_bucket
    faults = len(found.findings)
    if not isinstance(key, str):
        found.error((*where, "object"), "must be text in quotes", value=key)
    if bucket is None:
        remedy = 'set bucket = "..." here or in [defaults]'
        found.error((*where, "object"), "lies in no bucket", remedy, value=key)
    elif own_bucket is not None and not isinstance(bucket, str):
        found.error((*where, "bucket"), "must be text in quotes", value=bucket)
    elif own_bucket is not None and (reason := _bucket_fault(bucket)):
        found.error((*where, "bucket"), *reason, value=bucket)
    if len(found.findings) > faults or (own_bucket is None and "bucket" in defaults.wrong):
        if isinstance(key, str) and (reason := _key_fault(key)):
            found.error((*where, "object"), *reason, value=key)
        image["image_url"] = "bucket:key.raw"  # so that only its other keys are looked at
        faulty[index].add("image_url")
    else:
        image["image_url"] = f"{bucket}:{key}"


def _tag(
    image: dict[str, Any],
    own: dict[str, Any],
    index: int,
    defaults: Defaults,
    most: int,
    faulty: Faulty,
    found: Findings,
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
        tags, doubled = _as_table(written)
        for key in doubled:
            found.error((*where, form), "names a tag twice", "keep one of the two", value=key)
        image[form] = [f"{key}.{value}" for key, value in defaults.tags.items() if key not in tags] + written
    elif not old and isinstance(written, dict):
        tags = written
        image[form] = {**defaults.tags, **written}
    else:
        return  # not even a list or a table, which the second sweep says
    _check_names((*where, form), tags, found)
    if (count := len(tags.keys() | defaults.tags.keys())) > most:
        why = "the marker takes two of the ten that an image may have" if most < MAX_TAGS else ""
        inherited = " with those of [defaults]" if defaults.tags else ""
        found.error((*where, form), f"has {count} tags{inherited}; at most {most} are allowed", why)
        faulty[index].add(form)
        del image[form]


def _as_table(tags: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Old-style tags by key, and the keys that come twice."""
    table: dict[str, str] = {}
    doubled = []
    for tag in tags:
        key, _, value = tag.partition(".")
        if key in table:
            doubled.append(key)
        table[key] = value
    return table, doubled


def _check_names(
    where: tuple[str | int, ...], names: object, found: Findings, *, reserved: bool = True
) -> None:
    """Note tags or labels that are ours, or that would carry a secret into reports and the cloud."""
    for key in names if isinstance(names, dict) else ():
        if reserved and key in (MARKER_PLAN, MARKER_ITEM):
            remedy = "choose another name; this one marks what the plan imported"
            found.error((*where, key), "is a tag of the program's own", remedy)
        elif is_secret(key):
            found.error((*where, key), *NO_SECRETS)


# --- Second sweep: what pydantic-core says --------------------------------------------------------------


def _refused(
    error: ValidationError, tables: list[Any], faulty: Faulty, defaults: Defaults, found: Findings
) -> None:
    """Note the errors of the one call, and in `faulty` the keys that have any."""
    for fault in error.errors(include_url=False):
        loc = fault["loc"]
        index, path = loc[0], loc[2:]
        assert isinstance(index, int)
        if tables[index] is _HOLLOW:
            continue
        key = path[0] if path else ""
        where = ("images", index, *path)
        if fault["type"] == "missing" and key in faulty[index]:
            continue
        faulty[index].add(str(key))
        if key in defaults.wrong and _same(tables[index].get(key), defaults.wrong[str(key)]):
            continue
        refused = fault["type"] == "extra_forbidden"
        if refused and key in NOT_FOR_DATA:
            remedy = "take it out; a data disk has os_type only"
            found.error(where, f"does not go with a data disk image (type {_DATA})", remedy)
        elif refused and key in NOT_FOR_SYSTEM:
            remedy = f'a system disk has os_version; for a data disk set type = "{_DATA}"'
            found.error(where, "does not go with a system disk image", remedy)
        elif key == "image_url" and fault["type"] == "string_pattern_mismatch":
            found.error(where, *_address_fault(fault["input"]), value=fault["input"])
        else:
            found.refuse(fault, where, list(IMAGE_KEYS) if len(path) == 1 else ())


def _same(value: object, default: object) -> bool:
    return value is default or (isinstance(value, str) and value == default)


def _bucket_fault(bucket: str) -> tuple[str, str] | None:
    """What is wrong with a bucket's name (OBS API reference, creating a bucket), and what to do."""
    remedy = 'a bucket has 3 to 63 of a-z, 0-9, "-" and ".", as the OBS console shows it'
    if not 3 <= len(bucket) <= 63:
        return "is not the name of a bucket: too short or too long", remedy
    if not _BUCKET.fullmatch(bucket):
        return "is not the name of a bucket", remedy
    if re.fullmatch(r"\d+\.\d+\.\d+\.\d+", bucket):
        return "is an IP address, not the name of a bucket", remedy
    return None


def _address_fault(url: str) -> tuple[str, str]:
    """What is wrong with an image_url that cannot be one."""
    form = 'write "bucket:folder/disk.zvhd2"'
    if "://" in url:
        return "is a web address", f"{form}, not a URL"
    bucket, colon, key = url.partition(":")
    if not colon:
        return "has no colon between bucket and key", form
    if (fault := _bucket_fault(bucket)) is not None:
        return f"begins with {shown(bucket)}, which {fault[0]}", fault[1]
    return _key_fault(key) or ("is not understood", form)


def _key_fault(key: str) -> tuple[str, str] | None:
    """What is wrong with an object's key (IMS error codes IMG.0074, 0158 and 0175), and what to do."""
    convert = "convert the disk to ZVHD2, or to RAW with its bitmap (.mf), with qemu-img-hw, and upload that"
    if not key:
        return "names no object in the bucket", 'write "bucket:folder/disk.zvhd2"'
    if any(char.isspace() for char in key):
        return "has a space in the key, which the service refuses", "copy the object to a key without spaces"
    if not key.isprintable():
        return "has a control character in the key", "copy the object to a plain key"
    if other := _DISK_FORMATS.search(key):
        return f"is a {other[1].lower()} file; quick import takes only .zvhd2 and .raw", convert
    if not key.lower().endswith((".zvhd2", ".raw")):
        return "does not end in .zvhd2 or .raw, which are all that quick import takes", convert
    if len(key.encode()) > 1024:
        return "has a key of more than 1024 bytes", "copy the object to a shorter key"
    return None


# --- Third sweep: the images beside each other, and beside what is known --------------------------------


@dataclass(slots=True)
class _Tally:
    """One warning for many images."""

    index: int
    """The first of them."""
    count: int = 1


def _compare(
    tables: list[dict[str, Any]],
    faulty: Faulty,
    targets: Collection[str],
    waves: Collection[str],
    blamed: Mapping[str, Collection[object]],
    found: Findings,
) -> None:
    """Note duplicates, unknown targets and waves (but `blamed` ones), and what the service may not like."""
    names: dict[tuple[str, str], int] = {}
    urls: dict[str, int] = {}
    buckets: set[str] = set()
    families: dict[str, str] = {}
    tallies: dict[tuple[str, Any], _Tally] = {}
    known = known_systems()

    def tally(what: str, value: Any, index: int) -> None:
        if (so_far := tallies.get((what, value))) is None:
            tallies[what, value] = _Tally(index)
        else:
            so_far.count += 1

    for index, image in enumerate(tables):
        name, target = image.get("name"), image.get("target")
        if not (type(name) is str and type(target) is str):
            continue  # said already
        if (first := names.setdefault((target, name), index)) != index:
            reason = "is a name that its target gets twice: first for"
            found.error(("images", index, "name"), reason, "rename one", value=name, other=("images", first))
        if target not in targets and targets and target not in blamed["target"]:
            unknown_name(("images", index, "target"), target, targets, found)
        if (wave := image.get("wave")) not in waves and type(wave) is str and wave not in blamed["wave"]:
            unknown_name(("images", index, "wave"), wave, waves, found)
        if index in faulty:
            image = _plausible(image, faulty[index], index)
        url, disk, kind = image["image_url"], image["min_disk"], image["type"]
        if (first := urls.setdefault(url, index)) != index:
            reason = "is imported twice: also for"
            found.warning(("images", index, "image_url"), reason, value=url, other=("images", first))
        bucket = url[: url.index(":")]
        if bucket not in buckets:
            if _bucket_fault(bucket):
                found.error(("images", index, "image_url"), *_address_fault(url), value=url)
            else:
                buckets.add(bucket)
        if len(url) > 256 and (fault := _key_fault(url.partition(":")[2])):  # that many may be 1024 bytes
            found.error(("images", index, "image_url"), *fault, value=url)
        if not _SAFE.fullmatch(url):
            _unsafe(index, url, found)
        if kind == _DATA:
            system = image["os_type"]
        else:
            version = image["os_version"]
            if (system := families.get(version, "")) == "":
                system = families[version] = family(version)
            if version not in known:
                if not version.startswith(UNDECIDED):
                    tally("os_version", version, index)
                elif version not in blamed["os_version"]:
                    found.error(("images", index, "os_version"), *_UNDECIDED, value=version)
            if system != "Windows" and "license_type" in image:
                tally("license_type", image["license_type"], index)
            if image.get("architecture") == "arm" and image.get("hw_firmware_type") == "bios":
                remedy = 'write "uefi", or leave it out'
                found.error(
                    ("images", index, "hw_firmware_type"), "does not boot on arm", remedy, value="bios"
                )
        if system == "Windows":
            tally("windows", "", index)
            if disk < 20:
                tally("min_disk", (20, "Windows"), index)
        elif disk < 10:
            tally("min_disk", (10, "Linux"), index)
    _tell(tallies, tables, found)


def _plausible(image: dict[str, Any], faulty: set[str], index: int) -> dict[str, Any]:
    """The image without what was complained about, so that its other keys are compared too."""
    harmless = {
        "image_url": f"bucket:{index}.raw",
        "min_disk": 40,
        "os_version": _NEUTRAL,
        "os_type": "Linux",
    }
    return {**harmless, **{key: value for key, value in image.items() if key not in faulty}}


def _unsafe(index: int, url: str, found: Findings) -> None:
    where = ("images", index, "image_url")
    key = url.partition(":")[2]
    if key.startswith("//"):
        found.error(where, *_address_fault(url), value=url)
    elif not key.endswith((".raw", ".zvhd2")):
        found.warning(where, "ends in capitals, which the service may not take for .raw or .zvhd2", value=url)
    else:
        reason = "has unusual characters in its key, which the service may refuse"
        found.warning(where, reason, "safe are A-Z, a-z, 0-9, '.', '_', '-' and '/'", value=url)


def _tell(tallies: Mapping[tuple[str, Any], _Tally], tables: list[dict[str, Any]], found: Findings) -> None:
    """One warning for each thing that many images share."""
    unknown = 0
    for (what, value), tally in tallies.items():
        where = ("images", tally.index)
        more = f" ({tally.count} images)" if tally.count > 1 else ""
        match what:
            case "os_version":
                unknown += 1
                close = did_you_mean(value, known_systems()) if unknown <= _SUGGESTIONS else ""
                remedy = close or "compare it with the region's own list: `migrator preflight PLAN`"
                reason = f"is not an operating system we know of{more}"
                found.warning((*where, "os_version"), reason, remedy, value=value)
            case "license_type":
                reason = f"is meant for Windows only{more}"
                found.warning((*where, "license_type"), reason, "leave it out for Linux", value=value)
            case "min_disk":
                least, system = value
                reason = f"is below the {least} GB that newer documents ask for with {system}{more}"
                disk = tables[tally.index]["min_disk"]
                found.warning((*where, "min_disk"), reason, f"make it {least} or more", value=disk)
            case _:
                key = "os_type" if tables[tally.index]["type"] == _DATA else "os_version"
                reason = f"is Windows, which some regions no longer take by quick import{more}"
                remedy = "try one first, or import it the normal way"
                shown_value = tables[tally.index][key]
                found.warning((*where, key), reason, remedy, value=shown_value)
