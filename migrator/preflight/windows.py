"""Windows of waves that closed before their images were submitted."""

from collections.abc import Iterable, Sequence

from migrator.domain.plan import Plan, Wave
from migrator.domain.units import Moment
from migrator.domain.zone import Zone
from migrator.preflight.finding import Finding, Item
from migrator.workflow.ledger import Ledger
from migrator.workflow.states import Phase
from migrator.workflow.waves import Waves


def closed(waves: Sequence[Wave], now: Moment) -> list[Wave]:
    """Those that submit nothing any more."""
    return [wave for wave in waves if wave.not_after is not None and wave.not_after <= now]


def window_findings(
    plan: Plan, ledger: Ledger, keys: Iterable[str], now: Moment, zone: Zone
) -> list[Finding]:
    """Of the images `keys`, those whose wave is closed: an error where the run could do nothing else."""
    late = {wave.name: wave.not_after for wave in closed(plan.waves, now)}
    keys = list(keys)
    shut = [
        ledger.planned[key].image
        for key in keys
        if ledger.states[key].phase is Phase.PENDING and ledger.planned[key].image.wave in late
    ]
    if not shut:
        return []
    listed = ((item.image, ledger.states[key]) for key, item in ledger.planned.items())
    waves = Waves(plan.waves, ((image, state) for image, state in listed if not state.removed))
    possible = waves.gate(now).possible
    others = any(
        ledger.states[key].phase is not Phase.PENDING or waves.index(ledger.planned[key].image) in possible
        for key in keys
        if ledger.planned[key].image.wave not in late or ledger.states[key].phase is not Phase.PENDING
    )
    items = tuple(
        Item(key=image.key, says=f"wave {image.wave} closed at {zone.stamp(late[image.wave or ''] or 0.0)}")
        for image in shut
    )
    return [Finding(code="PF074" if others else "PF073", items=items)]
