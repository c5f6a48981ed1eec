"""Room on a terminal: what fits is shown, and nothing is counted twice or lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.domain.cells import cell_len, chopped, fitted

texts = st.text(st.characters(exclude_categories=("Cc", "Cs")))


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        pytest.param("web-01", 6, id="letters"),
        pytest.param("数据", 4, id="Chinese takes two each"),
        pytest.param("e\u0301", 1, id="an accent of its own takes none"),
        pytest.param("█▒→…", 4, id="what bars are made of"),
        pytest.param("👩\u200d💻", 2, id="one sign of several characters"),
    ],
)
def test_room_is_counted_as_terminals_take_it(text, cells):
    assert cell_len(text) == cells


@given(texts, st.integers(0, 30))
def test_a_fitted_text_takes_exactly_its_room_and_begins_as_it_did(text, cells):
    assert cell_len(fitted(text, cells)) == cells
    assert text.startswith(fitted(text, cells).rstrip(" "))


@given(texts, st.integers(2, 30))
def test_pieces_fit_their_rows_and_together_are_the_text(text, cells):
    pieces = chopped(text, cells)

    assert "".join(pieces) == text
    assert all(piece and cell_len(piece) <= cells for piece in pieces)


def test_a_sign_wider_than_the_row_stands_in_one_of_its_own():
    assert chopped("数a据", 1) == ["数", "a", "据"]


def test_a_sign_is_not_cut_in_half():
    assert fitted("数据", 3) == "数 "
