"""A stage for each file, and people for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import Told
from tests.journeys.stage import Stage, set_up
from tests.journeys.visitor import PATIENCE, Visitors


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, chromium: Browser, told: Told, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The provider and the portals on loopback, for all tests of a file, with the `SETTINGS` of that file."""
    expect.set_options(timeout=PATIENCE)
    with set_up(told, tmp_path_factory.mktemp("stage"), **getattr(request.module, "SETTINGS", {})) as made:
        yield made


@pytest.fixture
def visitors(chromium: Browser, stage: Stage) -> Iterator[Visitors]:
    """`visitors.come("ru")`: somebody at a browser of their own."""
    with Visitors.of(chromium, stage) as people:
        yield people
