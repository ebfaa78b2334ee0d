"""Both databases, whatever the rest of the suite runs on: a promise about locks or crashes is made for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import machine, servers
from tests.conftest import ON_POSTGRESQL, Told
from tests.faults.served import Served, served
from tests.machine import count

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]
# What promises nothing about locks: on PostgreSQL in `make faults` and `make test-postgres`.
BOTH_AT_TIMES = BOTH if ON_POSTGRESQL else BOTH[: count(1, 2)]


@pytest.fixture(scope="session")
def cluster() -> Iterator[servers.Cluster]:
    """A PostgreSQL of our own."""
    if reason := machine.missing("postgresql"):
        pytest.skip(reason)
    with servers.postgresql() as started:
        yield started


@pytest.fixture(scope="session")
def told_on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The story, told on SQLite."""
    return Told(tmp_path_factory.mktemp("told-sqlite"), None)


@pytest.fixture(scope="session")
def told_on_postgresql(tmp_path_factory: pytest.TempPathFactory, cluster: servers.Cluster) -> Told:
    """The story, told on PostgreSQL."""
    return Told(tmp_path_factory.mktemp("told-postgresql"), cluster)


@pytest.fixture(scope="module", params=BOTH)
def told_on_both(request: pytest.FixtureRequest) -> Told:
    """The story, told on each database."""
    made: Told = request.getfixturevalue(f"told_on_{request.param}")
    return made


@pytest.fixture(scope="module")
def provider(told_on_both: Told, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """`idp serve` with four worker processes, on each database, for all tests of a file."""
    with served(told_on_both, tmp_path_factory.mktemp("served")) as running:
        yield running
