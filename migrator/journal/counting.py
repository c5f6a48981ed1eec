"""A large journal counted by whoever has its states at hand; a database counts by itself."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence

from migrator.domain.units import Moment
from migrator.journal.port import MOST_TROUBLED, JournalCounts
from migrator.workflow.ledger import Planned, Run
from migrator.workflow.states import Phase, State

TROUBLED = (Phase.FAILED, Phase.IN_DOUBT)
"""Of whose images somebody wants to know why."""


def counted(
    states: Mapping[str, State],
    runs: Sequence[Run],
    now: Moment,
    planned: Callable[[Sequence[str]], Mapping[str, Planned]],
) -> JournalCounts:
    """How many images stand where; `planned` is asked once, about those alone that are in trouble."""
    targets: defaultdict[str, Counter[Phase]] = defaultdict(Counter)
    for key, state in states.items():
        targets[key.partition("/")[0]][state.phase] += 1
    ill = [state for state in states.values() if state.phase in TROUBLED][:MOST_TROUBLED]
    images = planned([state.key for state in ill])
    ends = (state.finished_at for state in states.values())
    return JournalCounts(
        targets=targets,
        runs=runs,
        troubled=[(images[state.key], state) for state in ill],
        last_hour=sum(end is not None and end > now - 3600 for end in ends),
    )
