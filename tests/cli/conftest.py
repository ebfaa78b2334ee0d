"""A folder for commands to run in, empty or with everything that `idp init` makes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.running import Place


@pytest.fixture
def empty(tmp_path: Path) -> Place:
    """Nothing is there yet."""
    return Place(tmp_path)


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("made"))
    done = place.idp("init")
    assert done.code == 0, done.err
    return place


@pytest.fixture
def place(_made: Place, tmp_path: Path) -> Place:
    """What `idp init` made, as a copy."""
    shutil.copytree(_made.folder, tmp_path, dirs_exist_ok=True)
    return Place(tmp_path)
