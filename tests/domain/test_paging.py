"""A service that sends the same pages for ever does not keep us for ever."""

import pytest

from migrator.domain.errors import RetryableError
from migrator.domain.paging import NewEntries


def test_a_list_whose_pages_bring_something_new_is_read_to_its_end():
    new = NewEntries()

    for page in (["a", "b"], ["b", "c"], []):
        new.of_page(page)


def test_pages_that_alternate_for_ever_are_an_unreadable_list():
    new = NewEntries()
    new.of_page(["a"])
    new.of_page(["b"])

    with pytest.raises(RetryableError, match="never ends"):
        new.of_page(["a"])
