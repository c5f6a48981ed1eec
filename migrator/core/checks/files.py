"""What lies in the object storage, held against the rules for files and against the plan."""

from collections.abc import Iterator

from migrator.core.checks.facts import Facts, Unknown, Why, address, bitmap, is_raw
from migrator.core.checks.finding import Finding, Item, grouped
from migrator.model import STANDARD, BucketInfo, Image, ImageType, ObjectInfo

GB = 2**30
"""Bytes that min_disk counts in: disks are sold in steps of that size."""

SAFE_SIZE = 10**12
HARD_SIZE = 2**40
"""The file may have 1 TB; whether decimal or binary is nowhere defined."""

LARGEST_DISK = 1024
"""GB (IMS API reference, "Importing an Image File Quickly", min_disk)."""

NORMAL_IMPORT = 128 * GB
"""Files below are better imported the normal way, says the reference, since that converts them itself."""

_MOVED = frozenset({301, 302, 303, 307, 308})
"""How the storage answers for a bucket that lies elsewhere."""


def files(facts: Facts) -> Iterator[Finding]:
    """The findings about buckets and objects of one target."""
    absent = facts.absent
    found = (pair for image in absent for pair in (*_bucket(image, facts), *_file(image, facts)))
    yield from grouped(facts.target.name, found)
    known = [info for image in absent if (info := _info(image, facts)) is not None]
    small = sum(0 < info.size < NORMAL_IMPORT for info in known)
    if small:
        yield Finding(code="PF065", target=facts.target.name, says=f"{small} of {len(known)}")
    unseen = sum(info.encryption is None for info in known)
    if unseen:
        says = f"{len(known) - unseen} of {len(known)} objects"
        yield Finding(code="PF097", target=facts.target.name, says=says)


def sizes(facts: Facts) -> dict[str, int]:
    """Bytes of each image's file, by key, as far as they were told."""
    found = {}
    for image, _ in facts.work:
        info = _info(image, facts)
        if info is not None:
            found[image.key] = info.size
    return found


def _info(image: Image, facts: Facts) -> ObjectInfo | None:
    found = facts.objects.get(address(image.image_url))
    return found if isinstance(found, ObjectInfo) else None


def _bucket(image: Image, facts: Facts) -> Iterator[tuple[str, Item]]:
    name, _ = address(image.image_url)
    if name not in facts.buckets:
        return
    region = facts.target.region
    match facts.buckets[name]:
        case None:
            yield "PF040", Item(key=image.key, says=name)
        case Unknown(why=Why.ELSEWHERE, fault=fault) if fault.status in _MOVED:
            yield "PF041", Item(key=image.key, says=f"{name} is not in {region}")
        case Unknown(fault=fault):
            yield "PF095", Item(key=image.key, says=f"{name}: {fault.message}")
        case BucketInfo() as bucket:
            if not bucket.region:
                yield "PF095", Item(key=image.key, says=f"{name}: the storage does not tell its region")
            elif bucket.region != region:
                yield "PF041", Item(key=image.key, says=f"{name} is in {bucket.region}, not in {region}")
            if bucket.storage_class != STANDARD:
                yield "PF042", Item(key=image.key, says=f"{name} is {bucket.storage_class}")
            if bucket.file_system:
                yield "PF043", Item(key=image.key, says=name)


def _file(image: Image, facts: Facts) -> Iterator[tuple[str, Item]]:
    url = image.image_url
    if not url.lower().endswith((".raw", ".zvhd2")):
        yield "PF060", Item(key=image.key, says=url)
    elif not url.endswith((".raw", ".zvhd2")):
        yield "PF061", Item(key=image.key, says=url)
    place = address(url)
    if place not in facts.objects:
        return
    match facts.objects[place]:
        case None:
            yield "PF051" if place in facts.uploads else "PF050", Item(key=image.key, says=url)
        case Unknown(fault=fault):
            yield "PF096", Item(key=image.key, says=f"{url}: {fault.message}")
        case ObjectInfo() as info:
            yield from _content(image, info)
    if is_raw(image):
        yield from _bitmap(image, facts)


def _content(image: Image, info: ObjectInfo) -> Iterator[tuple[str, Item]]:
    url, size = image.image_url, info.size
    if info.storage_class != STANDARD:
        yield "PF055", Item(key=image.key, says=f"{url} is {info.storage_class}")
    if info.encryption == "customer":
        yield "PF056", Item(key=image.key, says=url)
    elif info.encryption:
        yield "PF057", Item(key=image.key, says=url)
    if size == 0:
        yield "PF052", Item(key=image.key, says=url)
    elif size > HARD_SIZE:
        yield "PF053", Item(key=image.key, says=f"{url} has {gigabytes(size)}")
    else:
        if size > SAFE_SIZE:
            yield "PF054", Item(key=image.key, says=f"{url} has {gigabytes(size)}")
        yield from _disk(image, size)


def _disk(image: Image, size: int) -> Iterator[tuple[str, Item]]:
    """A system disk has to be larger than its file. For data disks the reference does not repeat that, but a
    disk that is smaller than the file cannot hold what is in it."""
    room = image.min_disk * GB
    if size < room or (size == room and image.type is ImageType.DATA):
        return
    needed = -(-size // GB) if image.type is ImageType.DATA else size // GB + 1
    says = f"min_disk {image.min_disk}, file {gigabytes(size)}"
    if needed > LARGEST_DISK:
        yield "PF064", Item(key=image.key, says=says)
    else:
        code = "PF063" if size == room else "PF062"
        yield code, Item(key=image.key, says=f"{says}: make it {needed} or more")


def _bitmap(image: Image, facts: Facts) -> Iterator[tuple[str, Item]]:
    place = bitmap(address(image.image_url))
    if place not in facts.objects:
        return
    url = ":".join(place)
    match facts.objects[place]:
        case None:
            code = "PF051" if place in facts.uploads else "PF058"
            yield code, Item(key=image.key, says=url)
        case Unknown(fault=fault):
            yield "PF096", Item(key=image.key, says=f"{url}: {fault.message}")
        case ObjectInfo(size=0):
            yield "PF059", Item(key=image.key, says=url)
        case ObjectInfo(storage_class=named) if named != STANDARD:
            yield "PF055", Item(key=image.key, says=f"{url} is {named}")
        case ObjectInfo(encryption="customer"):
            yield "PF056", Item(key=image.key, says=url)


def gigabytes(size: int) -> str:
    """A size as disks are measured; a byte count where rounding would hide what matters."""
    if size % GB == 0:
        return f"{size // GB} GB"
    return f"{size / GB:.1f} GB" if size > GB else f"{size:,} bytes"
