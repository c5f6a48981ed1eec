"""Whether an image is what the plan asked for, and which of many images is an item's own."""

from collections.abc import Iterable

from migrator.core.lifecycle import Outcome, State
from migrator.model import MARKER_ITEM, CloudImage, Fault, Image, ImageType, Marker

CLOCK_SKEW = 900.0
"""Seconds by which our clock and the service's may differ before it refuses our signatures."""

_KINDS = {ImageType.ECS: "FusionCompute", ImageType.BMS: "Ironic", ImageType.DATA: "DataImage"}


def differences(image: Image, marker: Marker | None, found: CloudImage) -> list[str]:
    """What about `found` is not as the plan asked; empty when it is.

    What the service does not say is not held against it.
    """
    compare: list[tuple[str, object, object]] = [
        ("status", "active", found.status),
        ("name", image.name, found.name),
        ("min_disk", image.min_disk, found.min_disk),
        ("os_version", image.os_version, found.os_version),
        ("os_type", image.os_type, found.os_type),
        ("architecture", image.architecture, found.architecture),
        ("hw_firmware_type", image.hw_firmware_type, found.hw_firmware_type),
        ("type", _KINDS[image.type], found.virtual_env_type),
    ]
    wrong = [
        f"{what} is {got!r}, not {asked!r}"
        for what, asked, got in compare
        if asked is not None and got not in (None, "", asked)
    ]
    if found.size == 0:
        wrong.append("its size is 0 bytes")
    if found.tags:
        wanted = {**image.own_tags, **(marker.tags if marker else {})}
        missing = sorted(f"{key}={value}" for key, value in wanted.items() if found.tags.get(key) != value)
        if missing:
            wrong.append(f"tags are missing: {', '.join(missing)}")
    return wrong


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


def own(found: Iterable[CloudImage], item: str, state: State) -> list[CloudImage]:
    """The images that bear an item's marker and may be this life's, best first.

    Left out: images of an earlier life (`--again`), and dead ones that are older than the latest attempt.
    """
    began = max((a.began_at for a in state.attempts if a.outcome is not Outcome.LOST), default=0.0)
    candidates = [
        image
        for image in found
        if image.tags.get(MARKER_ITEM) == item
        and image.id not in state.disowned
        and image.status != "deleted"
        and not (image.status == "killed" and (image.created_at or 0.0) < began - CLOCK_SKEW)
    ]
    order = {"active": 0, "saving": 1, "queued": 2}
    return sorted(
        candidates, key=lambda image: (order.get(image.status, 3), image.created_at or 0.0, image.id)
    )


def same_source(image: Image, found: CloudImage, began: float) -> bool:
    """Whether an image without marker is this attempt's: its name, its time, and its source if known."""
    if found.name != image.name or found.created_at is None or found.created_at < began - CLOCK_SKEW:
        return False
    return not found.data_origin or found.data_origin.partition(",")[2] == image.image_url
