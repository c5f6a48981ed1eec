"""What the plan asks for after an import, held against its targets: shares and copies that can be made."""

from collections.abc import Iterator, Mapping, Sequence

from migrator.domain.image import Image
from migrator.domain.plan import Target
from migrator.domain.text import did_you_mean
from migrator.plan.problems import ProblemCollector


def check_after_import(
    images: Sequence[Image], targets: Mapping[str, Target], found: ProblemCollector
) -> None:
    """Note what is wrong with `share_with` and `copy_to`; what many images inherit is said once for each."""
    names = {(image.target, image.name) for image in images} if any(one.copy_to for one in images) else set()
    for index, image in enumerate(images):
        if not image.share_with and not image.copy_to:
            continue
        for key, value, reason, remedy in _wrong(image, targets, names):
            found.error(("images", index, key), reason, remedy, value=value)


def _wrong(
    image: Image, targets: Mapping[str, Target], names: set[tuple[str, str]]
) -> Iterator[tuple[str, str, str, str]]:
    here = targets[image.target]
    if image.cmk_id is not None:
        for key in ("share_with", "copy_to"):
            if getattr(image, key):
                reason = "does not go with cmk_id: an encrypted image can be neither shared nor copied"
                yield key, "", reason, "take one of the two out"
        return
    for project in image.share_with:
        if project == here.project_id:
            yield "share_with", project, "is the project that the image is in", "take it out"
    for name in image.copy_to:
        there = targets.get(name)
        if there is None:
            remedy = did_you_mean(name, targets) or f"its targets are {', '.join(targets)}"
            yield "copy_to", name, "is not a target of this plan", remedy
        elif there.region == here.region:
            remedy = "use share_with inside a region"
            yield "copy_to", name, f"is in {here.region}, as the image is: copies go to other regions", remedy
        elif not there.agency:
            remedy = f"set agency in [targets.{name}]: the IAM agency that may copy images there"
            yield "copy_to", name, "is a target without an agency", remedy
        elif (name, image.name) in names:
            remedy = "rename one"
            yield "copy_to", name, "would get two images of one name: the plan imports one there", remedy
