"""Every command with its journal in PostgreSQL: the very tests of the journal on disk, once more."""

from collections.abc import Callable
from itertools import count

import pytest

from tests.cli.conftest import Desk
from tests.cli.test_commands import *  # noqa: F403
from tests.cli.test_reconcile import *  # noqa: F403
from tests.cli.test_select import *  # noqa: F403
from tests.journal.conftest import NEEDS_POSTGRES, server  # noqa: F401
from tests.postgres import Cluster

pytestmark = NEEDS_POSTGRES

_NAMES = count(1)


@pytest.fixture
def desk(desk: Callable[..., Desk], server: Cluster) -> Callable[..., Desk]:  # noqa: F811
    """A desk whose journals lie in a database of the test's own."""
    url = server.create(f"desk_{next(_NAMES)}")

    def build(**settings: object) -> Desk:
        one = desk(**settings)
        one.env["MIGRATOR_JOURNAL"] = url
        return one

    return build
