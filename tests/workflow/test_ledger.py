"""The journal folded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.domain.cloud import Fault
from migrator.workflow.events import (
    AttemptBegan,
    Event,
    ImageEvent,
    ImagePlanned,
    ImageRemoved,
    JobAccepted,
    RunBegan,
    RunEnded,
    TargetHalted,
    VisibilityLearned,
)
from migrator.workflow.ledger import Ledger, Planned, after, fold
from migrator.workflow.states import Phase, State
from migrator.workflow.transitions import ImpossibleTransition
from migrator.workflow.visibility_delay import ListedBy, VisibilityDelays
from tests.ledgers import histories, image

WEB, DB = image("web-01"), image("db-01")
QUOTA = Fault(code="IMG.0155", message="no quota left")


def planned(one=WEB, at: float = 1.0, digest: str = "d1") -> ImagePlanned:
    return ImagePlanned(at=at, key=one.key, image=one, digest=digest)


def began(run: str = "run-0", at: float = 0.0) -> RunBegan:
    return RunBegan(at=at, run=run, version="1.0", host="jump", pid=7)


def test_images_stay_in_the_order_in_which_they_were_first_seen():
    ledger = fold([planned(WEB), planned(DB), planned(WEB, at=2.0, digest="d2")])

    assert list(ledger.planned) == list(ledger.states) == ["north/web-01", "north/db-01"]
    assert ledger.planned["north/web-01"] == Planned(image=WEB, digest="d2")


def test_images_are_passed_over_each_with_its_own_state_in_whatever_order_those_are():
    ledger = fold([planned(WEB), planned(DB), ImageRemoved(at=2.0, key=DB.key)])
    turned = Ledger(planned=ledger.planned, states=dict(reversed(ledger.states.items())))

    assert list(turned.images()) == list(ledger.images())
    assert [(key, item.image, state.removed) for key, item, state in turned.images()] == [
        (WEB.key, WEB, False),
        (DB.key, DB, True),
    ]


@given(keys=st.lists(st.integers(0, 11), max_size=20))
def test_some_images_are_found_in_the_order_in_which_they_are_asked_for(keys):
    ledger = fold([planned(image(f"web-{number:02}")) for number in range(12)])
    asked = [f"north/web-{number:02}" for number in keys]

    found = list(ledger.images_of(asked))

    assert found == [(key, ledger.planned[key], ledger.states[key]) for key in asked]


def test_an_image_that_was_removed_is_remembered_as_it_was_last_listed():
    ledger = fold([planned(), ImageRemoved(at=2.0, key=WEB.key)])

    assert ledger.planned[WEB.key].image == WEB
    assert ledger.states[WEB.key] == State(key=WEB.key, phase=Phase.CANCELLED, removed=True)


def test_a_run_is_open_until_it_says_that_it_ended():
    ledger = fold([began("run-0"), began("run-1", 50.0)])
    ledger.apply(RunEnded(at=60.0, run="run-1", reason="finished", exit_code=0))

    first, second = ledger.runs
    assert (first.run, first.ended_at, first.reason, first.exit_code) == ("run-0", None, None, None)
    assert (second.began_at, second.ended_at, second.reason, second.exit_code) == (50.0, 60.0, "finished", 0)
    assert (second.version, second.host, second.pid) == ("1.0", "jump", 7)


def test_a_halted_target_is_noted_with_the_run_in_which_it_halted():
    ledger = fold([began("run-0"), TargetHalted(at=5.0, target="north", fault=QUOTA), began("run-1", 9.0)])

    assert [run.halted for run in ledger.runs] == [{"north": QUOTA}, {}]


def test_what_was_learned_last_about_a_targets_lists_counts():
    by = next(iter(ListedBy))
    older, newer = VisibilityDelays(), VisibilityDelays()

    ledger = fold(
        [
            VisibilityLearned(at=1.0, target="north", by=by, learned=older),
            VisibilityLearned(at=2.0, target="north", by=by, learned=newer),
        ]
    )

    assert ledger.learned["north", by] is newer


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([AttemptBegan(at=1.0, key="x/y", attempt=1, digest="d")], id="an image never planned"),
        pytest.param([planned(), JobAccepted(at=2.0, key=WEB.key, job_id="j")], id="a move not in the table"),
        pytest.param([RunEnded(at=1.0, run="run-0", reason="finished", exit_code=0)], id="an end of no run"),
        pytest.param(
            [began("run-1"), RunEnded(at=1.0, run="run-0", reason="finished", exit_code=0)],
            id="an end of another run",
        ),
        pytest.param([TargetHalted(at=1.0, target="north", fault=QUOTA)], id="a halt outside any run"),
    ],
)
def test_a_fact_that_cannot_follow_is_an_impossible_move(events: list[Event]):
    with pytest.raises(ImpossibleTransition):
        fold(events)


def test_an_impossible_fact_changes_nothing():
    ledger = fold([planned()])

    with pytest.raises(ImpossibleTransition):
        ledger.apply(JobAccepted(at=2.0, key=WEB.key, job_id="j"))

    assert ledger == fold([planned()])


@given(histories())
@settings(max_examples=40)
def test_folding_at_once_applying_one_by_one_and_taking_known_states_agree(history: list[Event]):
    one_by_one, taking = Ledger(), Ledger()
    for event in history:
        one_by_one.apply(event)
        if isinstance(event, ImageEvent):
            taking.take(event, after(taking.states.get(event.key), event))
        else:
            taking.apply(event)

    assert fold(history) == one_by_one == taking
