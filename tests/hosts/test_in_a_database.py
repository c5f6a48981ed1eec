"""Every command with its journal in PostgreSQL: the very tests of the journal on disk, once more."""

from collections.abc import Callable
from itertools import count

import pytest

from tests.cli.conftest import Desk
from tests.cli.test_commands import *  # noqa: F403
from tests.cli.test_going_on import *  # noqa: F403
from tests.cli.test_reconcile import *  # noqa: F403
from tests.cli.test_select import *  # noqa: F403
from tests.journal.conftest import NEEDS_POSTGRES
from tests.postgres import Cluster

pytestmark = NEEDS_POSTGRES

_NAMES = count(1)


@pytest.fixture
def desk(desk: Callable[..., Desk], server: Cluster) -> Callable[..., Desk]:
    """A desk whose journals lie in a database of the test's own."""
    url = server.create(f"desk_{next(_NAMES)}")

    def build(**settings: object) -> Desk:
        one = desk(**settings)
        one.env["MIGRATOR_JOURNAL"] = url
        return one

    return build


def test_a_status_made_of_counts_says_what_one_made_of_all_images_says(desk, monkeypatch):
    one = desk()
    plan = one.plan(6)
    one("run", plan, "--limit", "4")
    whole, said = one("status", plan, "--json").objects[0], one("status", plan).out

    monkeypatch.setattr("migrator.cli.counted.LARGE", 0)
    counted, lines = one("status", plan, "--json").objects[0], one("status", plan).out

    same = ("plan", "images", "totals", "run", "said", "holder")
    assert [counted[key] for key in same] == [whole[key] for key in same]
    assert counted["new_in_plan"] is None
    counts = [line for line in said.splitlines() if line[:1].islower()][1:]
    assert [line for line in lines.splitlines() if line[:1].islower()][1:] == counts
