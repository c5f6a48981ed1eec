"""What tests of the command line have, and a database."""

from tests.cli.conftest import _log_as_it_was, clouds, desk, loop
from tests.journal.conftest import server

__all__ = ["_log_as_it_was", "clouds", "desk", "loop", "server"]
