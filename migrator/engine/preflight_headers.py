"""Preflight looks into files: the few bytes by which their formats and the disks inside are known."""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from migrator.domain.cloud import STANDARD, ObjectInfo
from migrator.domain.disk_header import ByteRange, DiskHeader
from migrator.domain.disk_inspection import inspected
from migrator.domain.object_ref import ObjectRef
from migrator.engine.ports import ObjectStore
from migrator.preflight import Unknown

Ask = Callable[[Callable[[], Awaitable[bytes]]], Awaitable[bytes | Unknown]]
"""Sends one question when it may be sent, and again where that helps."""


def readable(files: Iterable[ObjectRef], objects: Mapping[ObjectRef, object]) -> list[ObjectRef]:
    """The files of which a piece can be read: they are there, not empty, not archived, nor under a key that
    only their owner has. What keeps the others from being imported is said without looking into them."""
    return [ref for ref in files if _readable(objects.get(ref))]


def _readable(found: object) -> bool:
    return (
        isinstance(found, ObjectInfo)
        and found.size > 0
        and found.storage_class == STANDARD
        and found.encryption != "customer"
    )


async def disk_header(store: ObjectStore, ref: ObjectRef, size: int, ask: Ask) -> DiskHeader | Unknown:
    """What a file is, or why nobody could look; one question for most files, and four at most."""
    inspection = inspected(size, ref.key)

    def piece(wanted: ByteRange) -> Callable[[], Awaitable[bytes]]:
        return lambda: store.read(ref.bucket, ref.key, first=wanted.first, last=wanted.last)

    try:
        wanted = next(inspection)
        while not isinstance(answer := await ask(piece(wanted)), Unknown):
            wanted = inspection.send(answer)
    except StopIteration as end:
        found: DiskHeader = end.value
        return found
    return answer
