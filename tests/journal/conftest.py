"""A database for the tests of journals, where there is a server."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests.postgres import Cluster, cluster, missing

NEEDS_POSTGRES = pytest.mark.skipif(bool(missing()), reason=missing() or "there is one")

_NAMES = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Cluster]:
    """A PostgreSQL of this process's own."""
    with cluster() as one:
        yield one


@pytest.fixture(scope="module")
def database(server: Cluster) -> str:
    """The address of a database that one file of tests has for itself."""
    return server.create(f"tests_{next(_NAMES)}")
