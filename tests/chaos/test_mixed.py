"""Images of every kind, by either method, shared and copied, in a storm with five kills: each once."""

import pytest

from tests.chaos.mixed import played

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_nothing_is_imported_shared_or_copied_twice_nor_falsely_reported(seed):
    found = await played(seed, 300, kills=5)

    assert found.wrong == []
    assert (found.methods["quick"] + found.methods["normal"], found.shares, found.copies) == (300, 40, 20)
    assert found.kills >= 3
