"""What a plan and the program say themselves: no secret that begins like it takes it out of a text."""

from collections.abc import Iterator

from migrator.domain.image import MARKER_ITEM, MARKER_PLAN
from migrator.domain.plan import Plan, Target
from migrator.ims.error_codes import CODES
from migrator.ims.fields import FIELDS
from migrator.workflow.resume import plan_tag

_SERVICE = (
    MARKER_PLAN,
    MARKER_ITEM,
    "FusionCompute",
    "DataImage",
    "STANDARD",
    "DEEP_ARCHIVE",
    "accepted",
    "migrator",
    "Huawei Cloud",
)
"""Words of the service that are compared, and of ours that stand in every output."""


def own_words(plan: Plan) -> Iterator[str]:
    """Every text of a plan that is sent, compared or shown, and the fixed words beside them."""
    yield from _SERVICE
    yield from CODES
    yield from (field.key for field in FIELDS)
    yield from (plan.name, plan.description, plan.owner, plan_tag(plan.name)[1])
    for target in plan.targets.values():
        yield from _of_target(target)
    yield from (wave.name for wave in plan.waves)
    for image in plan.images:
        yield from (image.key, image.image_url)
        for value in (image.os_version, image.description, image.enterprise_project_id):
            if value is not None:
                yield value
        yield from image.tags or ()
        for pairs in (image.image_tags or {}, image.labels):
            for name, value in pairs.items():
                yield from (name, value)


def _of_target(target: Target) -> Iterator[str]:
    yield from (target.name, target.region, target.credentials, target.project_id or "")
    yield from (target.ims_endpoint, target.iam_endpoint, target.obs_endpoint)
