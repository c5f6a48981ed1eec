"""The disks of one machine, held against the waves: a machine that is kept together is in one of them."""

from collections.abc import Sequence

from migrator.domain.image import Image
from migrator.domain.plan import KeepTogether, Policy
from migrator.domain.text import shown
from migrator.plan.problems import ProblemCollector


def check_machines(images: Sequence[Image], policy: Policy, found: ProblemCollector) -> None:
    """Note each disk that is in another wave than the first of its machine, and a plan without machines."""
    if policy.keep_together is not KeepTogether.MACHINE:
        return
    first_of: dict[str, int] = {}
    for index, image in enumerate(images):
        if not image.machine:
            continue
        first = first_of.setdefault(image.machine, index)
        if images[first].wave != image.wave:
            reason = (
                f"splits machine {shown(image.machine)}, which policy.keep_together forbids: "
                f"in wave {shown(images[first].wave)} is"
            )
            remedy = "give all disks of a machine the same wave (one that names none is in the last)"
            found.error(("images", index, "wave"), reason, remedy, value=image.wave, other=("images", first))
    if not first_of:
        found.warning(
            ("policy", "keep_together"),
            "means nothing, because no image says whose disk it is",
            'give images labels = { machine = "db01" }, or take it out',
            value=policy.keep_together.value,
        )
