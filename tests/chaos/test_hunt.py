"""A few of the weathers of `make chaos`, and those that once went wrong."""

import pytest

from tests.chaos.hunt import hunted

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "seed",
    [
        *range(8),
        pytest.param(54, id="54: finished images that lists did not show counted for nothing"),
    ],
)
async def test_whatever_lists_show_and_whenever_it_is_killed_a_plan_makes_one_image_of_each(seed):
    assert await hunted(seed) == []
