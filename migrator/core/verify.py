"""Whether an image is what the plan asked for."""

from migrator.model import CloudImage, Fault, Image, ImageType, Marker

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
