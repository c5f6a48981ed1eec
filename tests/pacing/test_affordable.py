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


def turns_of(*names: str, now: float = 0.0) -> RefreshSchedule:
    return RefreshSchedule(names, share=0.01, first=10.0, least=30.0, now=now)


def test_each_has_its_own_turn_and_an_equal_part():
    turns = turns_of("json", "xlsx", now=100.0)
    assert turns.due(109.0) == ()
    assert turns.wait(109.0) == 1.0
    assert turns.due(110.0) == ("json", "xlsx")
    turns.made({"json": 0.01, "xlsx": 2.0}, 110.0)
    assert turns.wait(110.0) == 30.0
    assert turns.due(140.0) == ("json",)
    turns.made({"json": 0.01}, 140.0)
    assert turns.due(509.0) == ("json", "xlsx")


def test_who_is_half_way_comes_along_and_waits_the_longer_for_the_next_turn():
    turns = turns_of("json", "csv")
    turns.made({"json": 0.15, "csv": 0.25}, 10.0)  # in 30 and 50 seconds

    assert turns.due(39.0) == ()
    assert turns.due(40.0) == ("json", "csv")
    turns.made({"json": 0.15, "csv": 0.25}, 40.0)
    assert turns.due(70.0) == ("json",)  # csv was due at 60, and is again at 110
    turns.made({"json": 0.15}, 70.0)
    assert turns.due(100.0) == ("json", "csv")


def test_what_they_have_in_common_is_paid_for_together():
    turns = turns_of("json", "csv")

    turns.made({"json": 0.0, "csv": 0.1}, 10.0, common=0.4)

    assert turns.wait(10.0) == pytest.approx(40.0)
    turns.made({"json": 0.0}, 50.0, common=0.4)
    assert turns.wait(50.0) == pytest.approx(20.0)  # csv: 60 after the first time
    turns.made({"csv": 0.0}, 70.0)
    assert turns.wait(70.0) == pytest.approx(30.0)
    turns.made({"csv": 0.0}, 100.0)
    assert turns.wait(100.0) == pytest.approx(30.0)  # json: 80 after the second time


@pytest.mark.parametrize("common", [0.0, 0.3, 6.0])
def test_all_of_them_together_stay_within_the_share(common: float):
    names = [f"format-{number}" for number in range(5)]
    turns = RefreshSchedule(names, share=0.01, first=30.0, least=30.0, now=0.0)
    now = spent = 0.0
    while now < 360_000.0:
        due = turns.due(now)
        costs = {name: 0.05 * 4**place for place, name in enumerate(names) if name in due}
        spent += sum(costs.values()) + (common if due else 0.0)
        turns.made(costs, now, common=common)
        now += turns.wait(now)
    assert spent <= 0.0105 * 360_000.0


def test_what_failed_has_its_next_turn_when_the_caller_says_what_it_took():
    turns = turns_of("json")
    assert turns.wait(40.0) == 0.0
    turns.made({"json": 0.0}, 40.0)
    assert turns.wait(40.0) == 30.0


def test_where_there_is_nothing_to_make_its_turn_never_comes():
    assert turns_of(now=5.0).wait(50.0) == inf
