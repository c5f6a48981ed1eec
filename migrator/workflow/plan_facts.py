"""What a plan says of itself that reports show and estimates rest on, as a run records it.

It is a list of what is taken, and not the plan without what is left out: no address, no credentials, no
command of a receiver gets into the journal because somebody adds a key to plans.
"""

from msgspec import Struct

from migrator.domain.notify import Receiver
from migrator.domain.plan import Limits, MarkerKind, Plan, Policy, Target, Wave
from migrator.domain.units import Rate

_NOWHERE = "https://localhost"
"""In place of every address, which no report shows."""


class TargetFacts(Struct, frozen=True, kw_only=True):
    """Where one target is, and how hard it may be pressed."""

    region: str
    max_jobs: int
    submit_rate: Rate


class PlanFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A plan without its images, as far as a report of it goes."""

    targets: dict[str, TargetFacts]
    """By name, in the plan's order."""

    description: str = ""
    owner: str = ""
    timezone: str | None = None
    waves: tuple[Wave, ...] = ()
    receivers: tuple[str, ...] = ()
    """Names of those who are told of something."""

    settle: float | None = None
    """`policy.settle`; None for "auto"."""

    late: float = 900.0
    """`policy.late`."""

    marker: MarkerKind = MarkerKind.TAG
    """`policy.marker`."""


class Provenance(Struct, frozen=True, kw_only=True):
    """What the images of a plan came from, by digests: while all that is the same, so are the images."""

    plan: str
    """Digest of the plan's own file, and of the program that read it."""

    lists: str
    """Digest of the inventories that the plan names."""

    images: str
    """Digest of the images themselves, each complete, in the plan's order."""

    events: int
    """How many facts the journal holds, at least, once every image is written down."""


def facts_of(plan: Plan) -> PlanFacts:
    """What a run of this plan records."""
    return PlanFacts(
        targets={
            name: TargetFacts(
                region=target.region,
                max_jobs=target.limits.max_jobs,
                submit_rate=target.limits.submit_rate,
            )
            for name, target in plan.targets.items()
        },
        description=plan.description,
        owner=plan.owner,
        timezone=plan.timezone,
        waves=plan.waves,
        receivers=tuple(receiver.name for receiver in plan.notify),
        settle=plan.policy.settle,
        late=plan.policy.late,
        marker=plan.policy.marker,
    )


def plan_from(name: str, facts: PlanFacts) -> Plan:
    """A plan of which every report is the same as of the one that was recorded."""
    return Plan(
        name=name,
        description=facts.description,
        owner=facts.owner,
        timezone=facts.timezone,
        targets={
            target: target_at_nowhere(
                target, found.region, Limits(max_jobs=found.max_jobs, submit_rate=found.submit_rate)
            )
            for target, found in facts.targets.items()
        },
        policy=Policy.model_validate(
            {
                "settle": "auto" if facts.settle is None else facts.settle,
                "late": facts.late,
                "marker": facts.marker,
            }
        ),
        waves=facts.waves,
        notify=tuple(Receiver(name=receiver, on=()) for receiver in facts.receivers),
        images=(),
    )


def target_at_nowhere(name: str, region: str = "", limits: Limits | None = None) -> Target:
    """A target that is shown and never asked."""
    return Target(
        name=name,
        region=region,
        ims_endpoint=_NOWHERE,
        iam_endpoint=_NOWHERE,
        obs_endpoint=_NOWHERE,
        limits=limits or Limits(),
    )
