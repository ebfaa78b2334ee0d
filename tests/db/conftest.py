"""An empty database for each test, on each kind that we promise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import machine, servers


@pytest.fixture(scope="session")
def cluster() -> Iterator[servers.Cluster]:
    """A PostgreSQL of our own."""
    if reason := machine.missing("postgresql"):
        pytest.skip(reason)
    with servers.postgresql() as started:
        yield started


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.sqlite3'}"
        return
    cluster = request.getfixturevalue("cluster")
    yield cluster.create("empty")
    cluster.drop("empty")
