"""What every test can ask for: `world`, a provider with the demo's story in a database of its own.

It is SQLite, or PostgreSQL where IDP_TEST_DATABASE says so. The story is told once per process; each test gets a copy of that database.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Playwright, sync_playwright

from idp import config, crypto, keyring
from idp.cli import demo_story
from idp.cli.demo_story import Story
from idp.config import Settings
from idp.db import schema
from tests import machine, servers
from tests.canary import CANARY, listening
from tests.world import ISSUER, World

ON_POSTGRESQL = os.environ.get("IDP_TEST_DATABASE") == "postgresql"
LONG_ROOMS = ("journeys", "faults", "clients", "cli")  # they begin first, so that at the end all processes have something short to do


def pytest_collection_finish() -> None:
    """What is here now stays to the end: to look through it for garbage again and again is a tenth of the suite's time."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Rooms whose files take long come first."""
    items.sort(key=lambda item: item.path.parent.name not in LONG_ROOMS)


class Told:
    """The story in a database that is copied, never used itself."""

    def __init__(self, folder: Path, cluster: servers.Cluster | None) -> None:
        self.folder, self.cluster, self.copies = folder, cluster, 0
        crypto.make_keys(folder / "keys")
        self.url = cluster.create("told") if cluster else f"sqlite:///{folder / 'told.sqlite3'}"
        settings = self.settings(self.url)
        crypto.load_keys(settings.keys.folder)
        schema.upgrade(self.url)
        world = World(settings)
        with world.writes():
            keyring.ensure()
        with world.writes():
            self.story: Story = demo_story.seed()
        world.close()

    def settings(self, url: str, **changes: dict[str, object]) -> Settings:
        """The settings of a test's provider; `changes` by table."""
        values: dict[str, dict[str, object]] = {
            "server": {"issuer": ISSUER},
            "database": {"url": url},
            "keys": {"folder": self.folder / "keys"},
            "telemetry": {"log_level": "DEBUG"},
        }
        for section, given in changes.items():
            values[section] = values.get(section, {}) | given
        chosen = Settings(**values)  # type: ignore[arg-type] # pydantic reads the tables
        config.use(chosen)
        return chosen

    def copy(self) -> str:
        """The address of a fresh copy."""
        self.copies += 1
        if self.cluster is not None:
            return self.cluster.create(f"copy{self.copies}", template="told")
        path = self.folder / f"copy{self.copies}.sqlite3"
        shutil.copy(self.folder / "told.sqlite3", path)
        return f"sqlite:///{path}"

    def drop(self, url: str) -> None:
        """Throw a copy away."""
        if self.cluster is not None:
            self.cluster.drop(str(sa.make_url(url).database))
            return
        for path in self.folder.glob(Path(str(sa.make_url(url).database)).name + "*"):
            path.unlink()


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The story, told once."""
    with ExitStack() as stack:
        cluster = None
        if ON_POSTGRESQL:
            if reason := machine.missing("postgresql"):
                pytest.skip(reason)
            cluster = stack.enter_context(servers.postgresql())
        yield Told(tmp_path_factory.mktemp("told"), cluster)


@pytest.fixture(scope="session", autouse=True)
def _canary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Case 41: no secret that was issued in the whole run stands in a log line, on an error page or in a database."""
    with listening(tmp_path_factory.mktemp("canary") / "log"):
        yield
    assert not CANARY.found, "\n".join(sorted(set(CANARY.found))[:20])


@pytest.fixture
def changed_settings() -> dict[str, dict[str, object]]:
    """What `world` has otherwise than the defaults, by table; a module that wants something says it by a fixture of this name."""
    return {}


@pytest.fixture
def world(told: Told, changed_settings: dict[str, dict[str, object]]) -> Iterator[World]:
    """A provider of this test's own."""
    url = told.copy()
    made = World(told.settings(url, **changed_settings))
    before = set(CANARY.secrets)
    yield made
    made.close()
    CANARY.look_at_database(url, set(CANARY.secrets) - before)
    told.drop(url)


@pytest.fixture
def story(told: Told) -> Story:
    """Who is in the story."""
    return told.story


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """Playwright, one for each process (it bears no second one); skips what needs a browser where there is none."""
    if reason := machine.missing("chromium"):
        pytest.skip(reason)
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """Debian's chromium, one for each process."""
    browser = playwright.chromium.launch(executable_path=machine.headless(), args=["--no-sandbox"])
    yield browser
    browser.close()
