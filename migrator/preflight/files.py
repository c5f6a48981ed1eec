"""What lies in the object storage, held against the rules for files and against the plan."""

from collections.abc import Iterator

from migrator.domain.cloud import STANDARD, BucketInfo, ObjectInfo
from migrator.domain.image import Decided, Image, ImageType
from migrator.domain.object_ref import ObjectRef
from migrator.ims.methods import Choice, ImportMethod, companion_of, method_for, method_of, wish_of
from migrator.preflight.facts import TargetFacts, Unknown, UnknownReason, file_facts
from migrator.preflight.finding import Finding, Item, grouped

GB = 2**30
"""Bytes that min_disk counts in: disks are sold in steps of that size."""

LARGEST_COPY = 2**37
"""Bytes: 128 GB, read generously; images of larger files are not copied across regions."""

_MOVED = frozenset({301, 302, 303, 307, 308})
"""How the storage answers for a bucket that lies elsewhere."""


def file_findings(facts: TargetFacts) -> Iterator[Finding]:
    """The findings about buckets and objects of one target."""
    images = facts.to_import
    found = (pair for image in images for pair in (*_bucket(image, facts), *_file(image, facts)))
    yield from grouped(facts.target.name, found)
    known = [(image, info) for image in images if (info := _info(image, facts)) is not None]
    small = sum(0 < info.size < way_in(image, facts).optional_below for image, info in known)
    if small:
        yield Finding(code="PF065", target=facts.target.name, says=f"{small} of {len(known)}")
    unseen = sum(info.encryption is None for _, info in known)
    if unseen:
        says = f"{len(known) - unseen} of {len(known)} objects"
        yield Finding(code="PF097", target=facts.target.name, says=says)


def file_sizes(facts: TargetFacts) -> dict[str, int]:
    """Bytes of each image's file, by key, as far as they are known."""
    found = {}
    for image, _ in facts.work:
        info = _info(image, facts)
        if info is not None:
            found[image.key] = info.size
    return found


def decided(facts: TargetFacts) -> dict[str, Decided]:
    """How each image goes in whose plan leaves that open, by key, as far as it could be decided."""
    found = {}
    for image, _ in facts.work:
        if image.undecided:
            choice = choice_of(image, facts)
            if choice.method is not None:
                found[image.key] = Decided(choice.method.key, choice.why)
    return found


def choice_of(image: Image, facts: TargetFacts) -> Choice:
    """What its plan and its file together say of how the image goes in."""
    return method_for(wish_of(image), file_facts(image, facts))


def way_in(image: Image, facts: TargetFacts) -> ImportMethod:
    """The way in, as far as it is decided."""
    return choice_of(image, facts).method or method_of(image)


def _info(image: Image, facts: TargetFacts) -> ObjectInfo | None:
    found = facts.objects.get(image.source)
    return found if isinstance(found, ObjectInfo) else None


def _bucket(image: Image, facts: TargetFacts) -> Iterator[tuple[str, Item]]:
    name = image.source.bucket
    if name not in facts.buckets:
        return
    region = facts.target.region
    match facts.buckets[name]:
        case None:
            yield "PF040", Item(key=image.key, says=name)
        case Unknown(reason=UnknownReason.ELSEWHERE, fault=fault) if fault.status in _MOVED:
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


def _file(image: Image, facts: TargetFacts) -> Iterator[tuple[str, Item]]:
    ref, url = image.source, image.image_url
    choice = choice_of(image, facts)
    method = choice.method or method_of(image)
    if choice.objection is not None:
        yield "PF066", Item(key=image.key, says=f"{url}: {choice.why}")
    elif not method.takes(ref.key):
        yield "PF060", Item(key=image.key, says=url)
    elif not method.surely_takes(ref.key):
        yield "PF061", Item(key=image.key, says=url)
    if ref not in facts.objects:
        return
    match facts.objects[ref]:
        case None:
            yield "PF051" if ref in facts.uploads else "PF050", Item(key=image.key, says=url)
        case Unknown(fault=fault):
            yield "PF096", Item(key=image.key, says=f"{url}: {fault.message}")
        case ObjectInfo() as info:
            yield from _content(image, info, None if choice.objection else method)
            if choice.method is None and choice.objection is None:
                yield "PF067", Item(key=image.key, says=f"{url}: {choice.why}")
    if (companion := companion_of(image)) is not None and companion == method.companion(ref):
        yield from _companion(image, companion, facts)


def _content(image: Image, info: ObjectInfo, method: ImportMethod | None) -> Iterator[tuple[str, Item]]:
    url, size = image.image_url, info.size
    if info.storage_class != STANDARD:
        yield "PF055", Item(key=image.key, says=f"{url} is {info.storage_class}")
    if info.encryption == "customer":
        yield "PF056", Item(key=image.key, says=url)
    elif info.encryption:
        yield "PF057", Item(key=image.key, says=url)
    if size == 0:
        yield "PF052", Item(key=image.key, says=url)
    elif method is None:
        return  # that none takes it is said already
    elif size > method.most_bytes:
        yield "PF053", Item(key=image.key, says=f"{url} has {gigabytes(size)}, {_limit(method)}")
    else:
        if image.copy_to and size > LARGEST_COPY:
            yield "PF068", Item(key=image.key, says=f"{url} has {gigabytes(size)}")
        if size > method.sure_bytes:
            yield "PF054", Item(key=image.key, says=f"{url} has {gigabytes(size)}, {_limit(method)}")
        yield from _disk(image, size, method)


def _limit(method: ImportMethod) -> str:
    return f"and {method.name} takes {method.size_limit}"


def _disk(image: Image, size: int, method: ImportMethod) -> Iterator[tuple[str, Item]]:
    """A system disk has to be larger than its file. For data disks the reference does not repeat that, but a
    disk that is smaller than the file cannot hold what is in it."""
    room = image.min_disk * GB
    if size < room or (size == room and image.type is ImageType.DATA):
        return
    needed = -(-size // GB) if image.type is ImageType.DATA else size // GB + 1
    says = f"min_disk {image.min_disk}, file {gigabytes(size)}"
    if needed > method.largest_disk:
        yield "PF064", Item(key=image.key, says=says)
    else:
        code = "PF063" if size == room else "PF062"
        yield code, Item(key=image.key, says=f"{says}: make it {needed} or more")


def _companion(image: Image, ref: ObjectRef, facts: TargetFacts) -> Iterator[tuple[str, Item]]:
    """The findings about the object that has to lie beside the file of an image."""
    if ref not in facts.objects:
        return
    url = str(ref)
    match facts.objects[ref]:
        case None:
            code = "PF051" if ref in facts.uploads else "PF058"
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
