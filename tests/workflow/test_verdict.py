"""How a run ends: the most urgent cause wins."""

import pytest

from migrator.domain.cloud import Fault
from migrator.workflow.states import Phase, State
from migrator.workflow.verdict import StopReason, ending

DENIED = ("north", Fault(message="denied"), 6)
QUOTA = ("south", Fault(message="quota"), 7)


def code(*phases: Phase, halted=(), stopped=None, threshold=False, held=False) -> int:
    states = [State(key=str(n), phase=phase, held=held) for n, phase in enumerate(phases)]
    return ending(states, halted=list(halted), stopped=stopped, threshold_reached=threshold).exit_code


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        pytest.param(0, code(Phase.SUCCEEDED, Phase.SKIPPED), id="all succeeded"),
        pytest.param(0, code(), id="nothing to do"),
        pytest.param(3, code(Phase.SUCCEEDED, Phase.FAILED), id="some failed"),
        pytest.param(7, code(Phase.FAILED, Phase.OVERDUE), id="overdue"),
        pytest.param(7, code(Phase.SUCCEEDED, Phase.IN_DOUBT, held=True), id="held"),
        pytest.param(7, code(Phase.PENDING, stopped=StopReason.TIME), id="time is up"),
        pytest.param(5, code(Phase.FAILED, Phase.PENDING, threshold=True), id="threshold"),
        pytest.param(6, code(Phase.PENDING, halted=[QUOTA, DENIED]), id="credentials before quota"),
        pytest.param(7, code(Phase.PENDING, halted=[QUOTA]), id="quota"),
        pytest.param(130, code(Phase.PENDING, halted=[DENIED], stopped=StopReason.INTERRUPT), id="Ctrl-C"),
        pytest.param(143, code(Phase.FAILED, stopped=StopReason.TERMINATE, threshold=True), id="SIGTERM"),
    ],
)
def test_the_exit_code(expected, got):
    assert got == expected


def test_the_reason_says_how_many_are_left_and_what_to_do():
    states = [State(key="a", phase=Phase.PENDING), State(key="b", phase=Phase.SUCCEEDED)]

    reason = ending(states, halted=[], stopped=StopReason.TIME, threshold_reached=False).reason

    assert reason == "max-duration is over; 1 images are not finished, run again to continue"
