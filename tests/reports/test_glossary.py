"""The words for people: one for each thing, and the same wherever somebody reads them."""

import io

import pytest

from migrator.reports.causes import CauseKind
from migrator.reports.formats import FORMATS
from migrator.reports.glossary import CAUSES, GROUPS, RUNS, STATUSES, label, statuses_of
from migrator.reports.runs import RunState
from migrator.reports.summary import summary
from migrator.reports.terminal import live_status, view
from migrator.workflow.states import Phase
from tests.ledgers import START, plan_for
from tests.reports.test_reports import small_ledger


def test_everything_that_can_be_said_has_a_word():
    assert set(STATUSES) == set(Phase)
    assert set(CAUSES) == set(CauseKind)
    assert set(RUNS) == set(RunState)


def test_no_two_statuses_and_no_two_groups_share_a_word():
    assert len({status.word for status in STATUSES.values()}) == len(Phase)
    assert len({group.word for group in GROUPS}) == len(GROUPS)


def test_every_status_is_in_one_group():
    assert sorted(phase for group in GROUPS for phase in statuses_of(group)) == sorted(Phase)


@pytest.mark.parametrize(("word", "heading"), [("to do", "To do"), ("", ""), ("imported", "Imported")])
def test_a_word_begins_a_line_with_a_capital(word: str, heading: str):
    assert label(word) == heading


def test_where_people_read_nobody_meets_the_words_for_programs():
    facts = summary(small_ledger(), plan=plan_for(), now=START + 700)
    texts = {"terminal": "\n".join(line.plain for line in view(live_status(facts, run="")))}
    for form in ("md", "html"):
        stream = io.BytesIO()
        FORMATS[form](facts, stream)
        texts[form] = stream.getvalue().decode()
    visible = texts["html"].partition("<h1>")[2].partition("<script")[0]

    for text in (texts["terminal"], texts["md"]):
        assert "succeeded" not in text
        assert "pending" not in text
    assert ">succeeded<" not in visible
    assert "Imported" in visible
