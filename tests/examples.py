"""Small plans, made to order."""

from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import Plan, Target


def a_plan(
    count: int, *, name: str = "dc-east", image_name: str = "web-{:02}", first: int = 1, **tables: object
) -> Plan:
    """A plan of `count` images for one target, with tables such as policy=Policy(...) replaced."""
    target = Target(
        name="north",
        region="cn-north-4",
        ims_endpoint="https://ims.example",
        iam_endpoint="https://iam.example",
        obs_endpoint="https://obs.example",
    )
    if (limits := tables.pop("limits", None)) is not None:
        target = target.model_copy(update={"limits": limits})
    names = [image_name.format(number) for number in range(first, first + count)]
    images = tuple(
        Image(
            name=called,
            target="north",
            source=ObjectRef.parse(f"bucket:{called}.zvhd2"),
            min_disk=40,
            os_version="CentOS 7.6 64bit",
            hw_firmware_type="bios",
        )
        for called in names
    )
    return Plan(name=name, targets={"north": target}, images=images).model_copy(update=tables)
