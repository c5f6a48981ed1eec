"""Whether an image is what the plan asked for."""

from migrator.domain.cloud import CloudImage, Fault
from migrator.domain.image import Image, Marker
from migrator.ims.fields import Absent, shown_attributes


def mismatches(image: Image, marker: Marker | None, found: CloudImage) -> list[str]:
    """What about `found` is not as the plan asked; empty when it is."""
    wrong = []
    if found.status != "active":
        told = repr(found.status) if found.status else "not told"
        wrong.append(f"status is {told}, not 'active'")
    for key, shown, value_of in shown_attributes():
        if shown.compare is None or (asked := value_of(image, marker)) is None:
            continue
        got = getattr(found, shown.attribute)
        if got is None or got in ("", {}):
            got = shown.absent
        if got is not Absent.UNKNOWN and (difference := shown.compare(key, asked, got)):
            wrong.append(difference)
    if found.size == 0:
        wrong.append("its size is 0 bytes")
    return wrong


def uncompared(image: Image, marker: Marker | None, found: CloudImage) -> tuple[str, ...]:
    """Keys that the plan set and the service does not tell of: nobody knows whether they are as asked."""
    return tuple(
        key
        for key, shown, value_of in shown_attributes()
        if shown.compare is not None
        and shown.absent is Absent.UNKNOWN
        and value_of(image, marker) is not None
        and getattr(found, shown.attribute) in (None, "", {})
    )


def mismatch(image_id: str, wrong: list[str]) -> Fault:
    """The failure of an image that is not what was asked for."""
    return Fault(
        code="MIG.verify",
        message=f"the job reported success, but image {image_id} is not as asked: {'; '.join(wrong)}",
        remedy="Look at the image in the console; delete it if useless, then run again with --retry-failed.",
    )


def missing(image_id: str | None) -> Fault:
    """The failure of a success without an image."""
    return Fault(
        code="MIG.verify",
        message=f"the job reported success, but there is no image {image_id or 'that bears its marker'}",
        remedy="Check in the console whether somebody deleted it, then run again with --retry-failed.",
    )
