"""Which waves may submit now."""

from collections.abc import Mapping
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.image import Image
from migrator.domain.object_ref import ObjectRef
from migrator.domain.plan import Wave
from migrator.domain.units import Threshold
from migrator.workflow.states import Phase, State
from migrator.workflow.waves import Waves, line

PILOT, MAIN, REST = Wave(name="pilot"), Wave(name="main"), Wave(name="rest")


def image(number: int, wave: str | None, priority: int = 0, machine: str = "") -> Image:
    return Image(
        name=f"i{number}",
        target="n",
        source=ObjectRef.parse("b:k"),
        min_disk=1,
        wave=wave,
        priority=priority,
        labels={"machine": machine} if machine else {},
    )


def waves(*rules: Wave, **counts: int) -> Waves:
    """Waves by these rules, each with so many pending images."""
    listed = [wave for wave, count in counts.items() for _ in range(count)]
    pairs = [(image(n, wave), State(key=f"n/i{n}")) for n, wave in enumerate(listed)]
    return Waves(rules, pairs)


def ended(of: Waves, wave: str, *phases: Phase) -> Waves:
    for phase in phases:
        of.finished(image(0, wave), phase)
    return of


def test_a_plan_without_waves_is_all_open():
    assert Waves((), [(image(1, None), State(key="n/i1"))]).gate(0.0).open == {0}


def test_the_next_wave_begins_when_this_one_is_finished_whatever_the_outcome():
    of = waves(PILOT, MAIN, pilot=2, main=1)
    ended(of, "pilot", Phase.FAILED)
    assert of.gate(0.0).open == {0}
    assert of.gate(0.0).reason == "wave main waits for wave pilot"

    assert ended(of, "pilot", Phase.SUCCEEDED).gate(0.0).open == {0, 1}


@pytest.mark.parametrize(
    ("proceed", "needed"),
    [(Threshold(fraction=0.75), 3), (Threshold(count=2), 2), (Threshold(fraction=0.0), 0)],
)
def test_the_next_wave_begins_when_so_many_of_this_one_succeeded(proceed, needed):
    of = waves(Wave(name="pilot", proceed=proceed), MAIN, pilot=4, main=1)
    for number in range(needed):
        assert 1 not in of.gate(0.0).open, number
        ended(of, "pilot", Phase.SUCCEEDED)

    assert of.gate(0.0).open == {0, 1}


def test_too_few_successes_keep_the_next_waves_shut_for_good():
    of = waves(Wave(name="pilot", proceed=Threshold(fraction=0.75)), MAIN, pilot=4, main=1)
    ended(of, "pilot", *[Phase.SUCCEEDED] * 2, *[Phase.FAILED] * 2)

    gate = of.gate(0.0)
    assert gate.failed
    assert gate.possible == {0}
    assert gate.reason == "of wave pilot only 2 of 4 succeeded, not 75%"


def test_a_wave_that_begins_later_says_when():
    gate = waves(Wave(name="night", not_before=1_800_000_000.0), night=1).gate(1_700_000_000.0)

    assert (set(gate.open), set(gate.possible), gate.until) == (set(), {0}, 1_800_000_000.0)
    assert gate.reason == "wave night begins at 2027-01-15 08:00 UTC"


def test_a_closed_window_lets_nothing_more_of_its_wave_in():
    of = waves(Wave(name="night", not_after=100.0), MAIN, night=2, main=1)
    assert (set(of.gate(99.0).open), of.gate(99.0).until) == ({0}, 100.0)

    gate = of.gate(101.0)
    assert not gate.open | gate.possible
    assert "the window of wave night closed at" in gate.reason


def test_a_closed_window_of_a_wave_that_let_the_next_begin_does_not_shut_the_next():
    of = waves(Wave(name="night", not_after=100.0, proceed=Threshold(fraction=0.5)), MAIN, night=2, main=1)

    assert ended(of, "night", Phase.SUCCEEDED).gate(101.0).open == {1}


def test_a_wave_without_images_is_passed():
    assert waves(PILOT, MAIN, REST, rest=1).gate(0.0).open == {0, 1, 2}


def ordered(
    named: Mapping[str, Image], index: Mapping[str, int], sizes: Mapping[str, int], **how: bool
) -> list[str]:
    """The line of these images, which the plan lists in this order."""
    return line(list(named), named.__getitem__, index, sizes, **how)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(-3, 3)), max_size=40))
def test_the_line_goes_by_wave_then_priority_then_the_plans_own_order(images):
    index = {"a": 0, "b": 1, "c": 2}
    named = {str(n): image(n, wave, priority) for n, (wave, priority) in enumerate(images)}
    waves_of = {key: index[item.wave or "c"] for key, item in named.items()}

    order = ordered(named, waves_of, {}, largest_first=True)

    ranks = [(waves_of[key], -named[key].priority, int(key)) for key in order]
    assert ranks == sorted(ranks)


def test_where_all_sizes_are_known_the_largest_go_first():
    named = {str(n): image(n, None) for n in range(3)}

    assert ordered(named, dict.fromkeys(named, 0), {"0": 5, "1": 9, "2": 7}, largest_first=True) == [
        "1",
        "2",
        "0",
    ]
    assert ordered(named, dict.fromkeys(named, 0), {"0": 5, "1": 9}, largest_first=True) == ["0", "1", "2"]
    assert ordered(named, dict.fromkeys(named, 0), {"0": 5, "1": 9, "2": 7}, largest_first=False) == [
        "0",
        "1",
        "2",
    ]


def test_disks_of_a_machine_go_next_to_each_other_where_the_first_of_them_has_its_place():
    machines = ("db", "", "web", "db", "", "web")
    named = {str(n): image(n, None, machine=machine) for n, machine in enumerate(machines)}
    sizes = {"0": 1, "1": 5, "2": 9, "3": 7, "4": 6, "5": 2}

    written = ordered(named, {}, {}, largest_first=False, by_machine=True)
    largest = ordered(named, {}, sizes, largest_first=True, by_machine=True)

    assert written == ["0", "3", "1", "2", "5", "4"]
    assert largest == ["2", "5", "3", "0", "4", "1"]


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.integers(-2, 2), st.sampled_from(["", "x", "y", "z"])),
        max_size=30,
    )
)
def test_however_images_are_no_machine_of_a_wave_is_interrupted_and_waves_keep_their_order(images):
    named = {str(n): image(n, *one) for n, one in enumerate(images)}
    index = {key: ("a", "b").index(item.wave or "") for key, item in named.items()}

    order = ordered(named, index, {}, largest_first=True, by_machine=True)

    assert sorted(order) == sorted(named)
    assert [index[key] for key in order] == sorted(index.values())
    stretches = [machine for machine, _ in groupby((index[key], named[key].machine or key) for key in order)]
    assert len(stretches) == len(set(stretches))
