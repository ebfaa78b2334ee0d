"""A portal to sign in to."""

from __future__ import annotations

import pytest

from tests.world import Party, World


@pytest.fixture
def party(world: World) -> Party:
    """A portal."""
    return world.party()
