"""What tests of the command line have, and a database with workers."""

from collections.abc import Callable

import pytest

from tests.cli.conftest import _log_as_it_was, clouds, desk, loop
from tests.cli.receiver import receiver
from tests.hosts.team import NAMES, Team
from tests.journal.conftest import server
from tests.postgres import Cluster

__all__ = ["_log_as_it_was", "clouds", "desk", "loop", "receiver", "server"]


@pytest.fixture
def team(desk, server: Cluster) -> Callable[..., Team]:
    """Sets up a desk whose cloud is as told, with a database of its own."""
    return lambda **settings: Team(desk(**settings), server.create(f"team_{next(NAMES)}"))
