"""Two reports compared: every image is told once, and what is no report is told from what is."""

import copy
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.reports.diff import LEAST, NotAReport, difference, read
from migrator.reports.formats import as_json
from migrator.reports.summary import summary
from migrator.workflow.events import Event
from migrator.workflow.ledger import Ledger
from migrator.workflow.states import Phase
from tests.ledgers import histories, latest, plan_for

DONE = {Phase.SUCCEEDED, Phase.SKIPPED}


def shown(key: str, status: str = "pending", **more: Any) -> dict[str, Any]:
    """One image of a report, with only what is compared."""
    return {"key": key, "status": status, "seconds": None, "error": None, "removed": False} | more


def document(*images: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "schema": "migrator.report/1",
        "generated_at": "2026-05-28T20:26:40.000Z",
        "plan": {"name": "dc-east"},
        "images": list(images),
    } | more


def written(ledger: Ledger) -> dict[str, Any]:
    """A report as the program writes it."""
    stream = io.BytesIO()
    as_json.write(summary(ledger, plan=plan_for(), now=latest(ledger)), stream)
    found: dict[str, Any] = json.loads(stream.getvalue())
    return found


def of(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> Any:
    return difference(read(document(*old)), read(document(*new)))


# --- What changed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "group"),
    [
        pytest.param("pending", "succeeded", "done", id="imported"),
        pytest.param("running", "skipped", "done", id="found to be there"),
        pytest.param("failed", "succeeded", "recovered", id="failed, then imported"),
        pytest.param("failed", "skipped", "recovered", id="failed, then found to be there"),
        pytest.param("running", "failed", "failed", id="failed"),
        pytest.param("succeeded", "failed", "failed", id="imported again, and failed"),
        pytest.param("succeeded", "running", "undone", id="being imported again"),
        pytest.param("succeeded", "skipped", None, id="done one way or the other"),
        pytest.param("failed", "pending", None, id="tried again"),
        pytest.param("pending", "running", None, id="on its way"),
        pytest.param("failed", "failed", None, id="still failed"),
    ],
)
def test_an_image_is_told_under_the_heading_of_what_became_of_it(before: str, after: str, group: str | None):
    found = of([shown("north/a", before)], [shown("north/a", after)])

    groups = {name: getattr(found, name) for name in ("done", "recovered", "failed", "undone")}
    assert {name for name, keys in groups.items() if keys} == ({group} if group else set())
    assert found.moves == ({} if before == after else {(Phase(before), Phase(after)): 1})


def test_what_came_into_the_plan_and_what_left_it_is_told():
    old = [shown("north/a"), shown("north/b"), shown("north/c", removed=True)]
    new = [shown("north/c"), shown("north/b", "cancelled", removed=True), shown("north/d", "succeeded")]

    found = of(old, new)

    assert found.added == ("north/c", "north/d")
    assert found.gone == ("north/a", "north/b")
    assert (found.done, found.moves) == ((), {})


@pytest.mark.parametrize(
    ("before", "after", "listed"),
    [
        pytest.param(600.0, 901.0, "slower", id="half as long again"),
        pytest.param(600.0, 900.0, None, id="just half as long again"),
        pytest.param(600.0, 299.0, "faster", id="in less than half the time"),
        pytest.param(60.0, 120.0, None, id="twice, but just a minute"),
        pytest.param(60.0, 120.1, "slower", id="twice, and more than a minute"),
        pytest.param(0.0, 61.0, "slower", id="from nothing"),
        pytest.param(None, 900.0, None, id="nothing to compare with"),
        pytest.param(900.0, None, None, id="nothing to compare"),
    ],
)
def test_another_time_is_told_when_it_differs_by_half_and_by_a_minute(
    before: float | None, after: float | None, listed: str | None
):
    found = of(
        [shown("north/a", "succeeded", seconds=before)], [shown("north/a", "succeeded", seconds=after)]
    )

    assert (bool(found.slower), bool(found.faster)) == (listed == "slower", listed == "faster")
    assert found.empty == (listed is None)


def test_the_largest_change_comes_first():
    before = [shown(f"north/{name}", seconds=1000.0) for name in "abcd"]
    after = [
        shown(f"north/{name}", seconds=took) for name, took in zip("abcd", (1600, 9000, 100, 10), strict=True)
    ]

    found = of(before, after)

    assert [pace.key for pace in found.slower] == ["north/b", "north/a"]
    assert [pace.key for pace in found.faster] == ["north/d", "north/c"]


def test_moves_are_counted_the_most_frequent_first():
    old = [shown(f"north/{n}") for n in range(4)]
    new = [
        shown(f"north/{n}", status) for n, status in enumerate(("running", "failed", "running", "pending"))
    ]

    assert list(of(old, new).moves.items()) == [
        ((Phase.PENDING, Phase.RUNNING), 2),
        ((Phase.PENDING, Phase.FAILED), 1),
    ]


@given(histories(max_images=8, max_steps=80), st.data())
@settings(max_examples=60)
def test_whatever_happened_between_two_reports_each_image_is_accounted_for(
    history: list[Event], data: st.DataObject
):
    cut = data.draw(st.integers(0, len(history)))
    earlier, later = Ledger(), Ledger()
    for index, event in enumerate(history):
        later.apply(event)
        if index < cut:
            earlier.apply(event)
    old, new = read(written(earlier)), read(written(later))

    found = difference(old, new)

    facts = [*found.done, *found.recovered, *found.failed, *found.undone, *found.added, *found.gone]
    assert len(facts) == len(set(facts))
    assert old.images.keys() - set(found.gone) == new.images.keys() - set(found.added)
    both = old.images.keys() & new.images.keys()
    assert sum(found.moves.values()) == sum(old.images[key].status != new.images[key].status for key in both)
    done_before = sum(old.images[key].status in DONE for key in both)
    done_after = sum(new.images[key].status in DONE for key in both)
    regressed = sum(
        old.images[key].status in DONE and new.images[key].status == Phase.FAILED for key in found.failed
    )
    change = len(found.done) + len(found.recovered) - len(found.undone) - regressed
    assert done_after - done_before == change
    for pace in (*found.slower, *found.faster):
        assert abs(pace.after - pace.before) > LEAST


@given(histories(max_images=5, max_steps=40))
@settings(max_examples=20)
def test_a_report_compared_with_itself_shows_nothing(history: list[Event]):
    ledger = Ledger()
    for event in history:
        ledger.apply(event)
    report = read(written(ledger))

    assert difference(report, report).empty


# --- What is no report ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        pytest.param([], "no member `schema`", id="a list"),
        pytest.param(None, "no member `schema`", id="null"),
        pytest.param({}, "no member `schema`", id="an empty object"),
        pytest.param({"schema": 1}, "no member `schema`", id="a number for a schema"),
        pytest.param({"schema": "other/1"}, "its schema is 'other/1'", id="another format"),
        pytest.param({"schema": "migrator.report"}, "its schema is 'migrator.report'", id="no version"),
        pytest.param({"schema": "migrator.report/x"}, "no migrator report", id="no number"),
        pytest.param({"schema": "migrator.report/" + "9" * 5000}, "no migrator report", id="a huge number"),
        pytest.param({"schema": "migrator.report/2"}, "written by a newer version", id="newer"),
        pytest.param({"schema": "migrator.report/1"}, "no member 'images'", id="no images"),
        pytest.param(document(images={}), "'images' is dict", id="images that are no list"),
        pytest.param(document(images=[1]), "damaged", id="an image that is a number"),
        pytest.param(document(shown("a", "done")), "'done' is not a valid Phase", id="an unknown status"),
        pytest.param(document(shown("a") | {"status": ["x"]}), "damaged", id="a status that is a list"),
        pytest.param(document(shown("a"), shown("a")), "lists 'a' twice", id="an image listed twice"),
        pytest.param(document(shown("a", seconds="1")), "'seconds' is str", id="text for a duration"),
        pytest.param(document(shown("a", seconds=float("inf"))), "took inf seconds", id="for ever"),
        pytest.param(document(shown("a", seconds=10**400)), "damaged", id="longer than a number may be"),
        pytest.param(document(shown("a", removed=1)), "'removed' is int", id="a number for yes"),
        pytest.param(document(shown("a", error={})), "no member 'code'", id="an error without a code"),
        pytest.param(document(generated_at="2026-05-28"), "has no zone", id="a day without a zone"),
        pytest.param(document(generated_at="yesterday"), "damaged", id="no moment"),
        pytest.param(document(plan=[]), "damaged", id="a plan that is a list"),
    ],
)
def test_what_is_no_report_is_told_in_one_line(given_: Any, says: str):
    with pytest.raises(NotAReport) as caught:
        read(given_)

    assert says in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@given(histories(max_images=3, max_steps=20), st.data())
@settings(max_examples=60)
def test_a_report_with_a_wrong_member_is_read_or_refused_but_never_breaks_the_reader(
    history: list[Event], data: st.DataObject
):
    ledger = Ledger()
    for event in history:
        ledger.apply(event)
    report = copy.deepcopy(written(ledger))
    part = data.draw(st.sampled_from([report, *report["images"]]))
    wrong: st.SearchStrategy[Any] = st.sampled_from([None, [], {}, "x", 1, -1.5, True, float("nan"), 10**400])
    part[data.draw(st.sampled_from(sorted(part)))] = data.draw(wrong)

    try:
        found = read(report)
    except NotAReport:
        return
    assert difference(found, found).slower == ()


def test_members_that_a_later_program_adds_do_no_harm():
    extended = document(shown("north/a", "succeeded", surprise=1), surprise={"a": 1})

    assert list(read(extended).images) == ["north/a"]
