"""The pages that are written from tables say what the tables say."""

import pytest

from tests.manual import DOCS, PAGES


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_manual_is_the_one_that_its_table_gives(name):
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), (
        "write it again: python -m tests.manual"
    )
