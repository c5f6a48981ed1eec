"""The plan that a journal is about: as a run recorded it, or as much of it as the images tell."""

from migrator.domain.plan import Plan, Target, Wave
from migrator.workflow.ledger import Ledger
from migrator.workflow.plan_facts import plan_from, target_at_nowhere


def plan_of(name: str, ledger: Ledger) -> Plan:
    """The plan without its images."""
    if ledger.plan is not None:
        return plan_from(name, ledger.plan)
    targets: dict[str, Target] = {}
    waves: dict[str, Wave] = {}
    for planned in ledger.planned.values():
        image = planned.image
        if image.target not in targets:
            targets[image.target] = target_at_nowhere(image.target)
        if image.wave:
            waves.setdefault(image.wave, Wave(name=image.wave))
    return Plan(name=name, targets=targets, waves=tuple(waves.values()), images=())
