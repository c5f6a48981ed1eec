"""Text for people: one line, nothing that a terminal takes for orders, and the closest name."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.text import UNPRINTABLE, did_you_mean, escaped, shown


@given(st.text())
def test_what_is_escaped_is_one_line_without_orders_for_a_terminal(text):
    assert escaped(text).isprintable()
    assert escaped(text) == text or not text.isprintable()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(True, "true", id="a choice"),
        pytest.param(7, "7", id="a number"),
        pytest.param(10**20, "a number of more than 20 digits", id="a number nobody reads"),
        pytest.param("web", '"web"', id="a text"),
        pytest.param("a\nb", r'"a\nb"', id="two lines"),
        pytest.param("x" * 81, f'"{"x" * 79}…"', id="a long text"),
        pytest.param(date(2026, 12, 1), "2026-12-01", id="a date"),
    ],
)
def test_a_value_is_shown_as_a_plan_writes_it(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("Nroth", 'did you mean "north"?', id="letters in another order, and a capital"),
        pytest.param("xyz", "", id="nothing close"),
        pytest.param(7, "", id="no text"),
        pytest.param("north" * 26, "", id="longer than any name"),
    ],
)
def test_the_closest_name_is_asked_for(name, said):
    assert did_you_mean(name, ["south", "north"]) == said


@given(st.characters())
def test_what_cannot_be_in_a_line_is_escaped(char):
    if re.match(f"[{UNPRINTABLE}]", char):
        assert escaped(char) != char
