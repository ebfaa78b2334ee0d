"""Desks in providers of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Told
from tests.credentials.lab import Desk
from tests.ground import ground
from tests.world import World

__all__ = ["ground"]


@pytest.fixture
def desk(world: World) -> Desk:
    """A desk in a provider of its own."""
    return Desk(world)


@pytest.fixture
def configured(told: Told) -> Iterator[Any]:
    """Make the desk of a provider with other settings."""
    made: list[World] = []

    def make(**changes: dict[str, object]) -> Desk:
        made.append(World(told.settings(told.copy(), **changes)))
        return Desk(made[-1])

    yield make
    for world in made:
        world.close()
