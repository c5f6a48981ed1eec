"""When an attempt in doubt may be given up: two clocks, one after the other, and several empty look-ups."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.pacing.doubt import BLIND, LOOK_UPS, Doubt, Verdict


def verdicts(
    doubt: Doubt, ticks: list[float], timeout: float, *, evidence_grows: bool = False
) -> list[Verdict]:
    return [doubt.looked_up(tick, timeout, evidence_grows=evidence_grows) for tick in ticks]


def test_a_request_without_a_final_answer_is_not_given_up_while_it_may_still_be_accepted():
    doubt = Doubt(began=100.0, late=900.0)

    found = verdicts(doubt, [160.0, 500.0, 999.0, 1001.0], 60.0)

    assert found == [Verdict.LOOK_AGAIN] * 4


def test_the_visibility_timeout_begins_when_it_can_no_longer_be_accepted():
    doubt = Doubt(began=100.0, late=900.0)

    found = verdicts(doubt, [1000.0, 1020.0, 1059.0, 1060.0], 60.0)

    assert found == [Verdict.LOOK_AGAIN] * 3 + [Verdict.NOT_FOUND]


def test_after_a_final_answer_only_visibility_is_waited_for():
    doubt = Doubt(began=100.0, late=0.0)

    assert verdicts(doubt, [110.0, 130.0, 161.0], 60.0)[-1] is Verdict.NOT_FOUND


def test_a_single_look_up_proves_nothing_however_late_it_comes():
    doubt = Doubt(began=0.0, late=0.0)

    found = verdicts(doubt, [5000.0, 5001.0, 5002.0], 60.0)

    assert found == [Verdict.LOOK_AGAIN] * (LOOK_UPS - 1) + [Verdict.NOT_FOUND]


def test_while_nothing_tells_the_timeout_it_is_not_given_up():
    assert (
        verdicts(Doubt(began=0.0, late=0.0), [BLIND * n for n in range(9)], inf, evidence_grows=True)
        == [Verdict.LOOK_AGAIN] * 9
    )


def test_where_nothing_will_ever_tell_a_person_has_to():
    doubt = Doubt(began=0.0, late=900.0)

    found = verdicts(doubt, [900.0, BLIND, BLIND + 899.0, BLIND + 900.0], inf)

    assert found[-2:] == [Verdict.LOOK_AGAIN, Verdict.UNDECIDABLE]


def test_a_clock_that_jumped_makes_it_count_anew():
    doubt = Doubt(began=0.0, late=0.0)
    verdicts(doubt, [20.0, 40.0], 60.0)

    doubt.restart(50.0)

    assert verdicts(doubt, [61.0, 90.0, 109.0, 110.0], 60.0)[-2:] == [Verdict.LOOK_AGAIN, Verdict.NOT_FOUND]


@given(
    late=st.sampled_from([0.0, 60.0, 900.0]),
    timeout=st.floats(1.0, 5000.0),
    shortest=st.floats(0.5, 10.0),
    longest=st.floats(10.0, 120.0),
)
def test_whoever_follows_its_pauses_gives_up_soon_after_both_clocks_and_never_before(
    late, timeout, shortest, longest
):
    doubt, tick = Doubt(began=0.0, late=late), 0.0
    while doubt.looked_up(tick, timeout, evidence_grows=False) is Verdict.LOOK_AGAIN:
        tick += doubt.next_look_up(tick, timeout, shortest=shortest, longest=longest)

    assert tick >= late + timeout
    assert tick <= late + timeout + 4 * longest


@pytest.mark.parametrize("timeout", [10.0, 60.0, 3600.0])
def test_the_look_ups_that_it_rests_on_are_spread_over_the_timeout(timeout):
    doubt, tick, asked = Doubt(began=0.0, late=0.0), 0.0, []
    while True:
        asked.append(tick)
        if doubt.looked_up(tick, timeout, evidence_grows=False) is Verdict.NOT_FOUND:
            break
        tick += doubt.next_look_up(tick, timeout, shortest=5.0, longest=60.0)

    assert len([at for at in asked if at < timeout / 2]) >= 1
    assert len([at for at in asked if at >= timeout / 3]) >= 2
