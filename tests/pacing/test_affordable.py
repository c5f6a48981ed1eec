"""What is made again and again takes a small part of a core, however dear it is."""

from math import inf

import pytest

from migrator.pacing.affordable import RefreshSchedule, pause


@pytest.mark.parametrize(
    ("spent", "seconds"),
    [(0.0, 30.0), (0.3, 30.0), (0.31, 31.0), (5.0, 500.0)],
    ids=["nothing", "just cheap enough", "a little dear", "dear"],
)
def test_what_is_dear_is_made_more_seldom(spent: float, seconds: float):
    assert pause(spent, share=0.01, least=30.0) == pytest.approx(seconds)


def test_each_has_its_own_turn_and_an_equal_part():
    turns = RefreshSchedule(["json", "xlsx"], share=0.01, least=30.0, now=100.0)
    assert turns.due(129.0) == ()
    assert turns.wait(129.0) == 1.0
    assert turns.due(130.0) == ("json", "xlsx")
    turns.made({"json": 0.01, "xlsx": 2.0}, 130.0)
    assert turns.wait(130.0) == 30.0
    assert turns.due(160.0) == ("json",)
    turns.made({"json": 0.01}, 160.0)
    assert turns.due(529.0) == ("json",)
    assert turns.due(530.0) == ("json", "xlsx")


def test_all_of_them_together_stay_within_the_share():
    names = [f"format-{number}" for number in range(5)]
    turns, now, spent = RefreshSchedule(names, share=0.01, least=30.0, now=0.0), 0.0, 0.0
    while now < 36_000.0:
        costs = {name: 0.05 * 4**place for place, name in enumerate(names) if name in turns.due(now)}
        spent += sum(costs.values())
        turns.made(costs, now)
        now += turns.wait(now)
    assert spent <= 0.0105 * 36_000.0


def test_what_failed_has_its_next_turn_when_the_caller_says_what_it_took():
    turns = RefreshSchedule(["json"], share=0.01, least=30.0, now=0.0)
    assert turns.wait(40.0) == 0.0
    turns.made({"json": 0.0}, 40.0)
    assert turns.wait(40.0) == 30.0


def test_where_there_is_nothing_to_make_its_turn_never_comes():
    assert RefreshSchedule([], share=0.01, least=30.0, now=5.0).wait(50.0) == inf
