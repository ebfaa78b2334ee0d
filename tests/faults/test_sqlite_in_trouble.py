"""R11, R12: SQLite is locked by somebody else, its disk is full or read-only: 503, nothing half done, and well again by itself."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import pytest
import sqlalchemy as sa

from idp.db.session import engine
from idp.delegation.tables import TokenFamily
from tests.conftest import Told
from tests.faults.race import allowed
from tests.world import Browser, Party, World, answer_of

ANNA = "+79005553501"
PATIENCE = 0.3  # seconds of `database.lock_timeout`


class Troubled:
    """A provider whose database lies in a folder that can be spoiled; Anna is signed in."""

    def __init__(self, told: Told, folder: Path) -> None:
        self.path = folder / "idp.sqlite3"
        shutil.copy(told.folder / "told.sqlite3", self.path)
        self.world = World(told.settings(f"sqlite:///{self.path}", database={"lock_timeout": PATIENCE}))
        self.party: Party = self.world.party()
        self.anna: Browser = self.world.browser()
        self.given = self.world.tokens(self.anna, self.party, ANNA)

    def refuses(self, *, room_for_one: bool = False) -> None:
        """Whoever writes is told 503, as a page or as JSON, and soon. `room_for_one`: one more refresh may still have found its place."""
        began = time.monotonic()
        page = self.world.browser().authorize(self.party)
        token = self.refresh()
        if room_for_one and token.status_code == 200:
            self.given = token.json()
        else:
            refusal = token.status_code, token.json()["error"], int(token.headers["Retry-After"]) > 0
            assert refusal == (503, "temporarily_unavailable", True)
        assert (page.status_code, int(page.headers["Retry-After"]) > 0, "<h1" in page.text) == (503, True, True), page.text
        assert time.monotonic() - began < allowed(2 * PATIENCE + 1)
        assert self.world.browser().get("/jwks").status_code == 200
        assert self.world.browser().get("/health/live").status_code == 200

    def refresh(self) -> httpx2.Response:
        return self.world.refresh(self.party, self.given["refresh_token"])

    def is_well(self) -> None:
        """The file is sound, nothing was spent by what was refused, and everything works."""
        with closing(sqlite3.connect(self.path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        with self.world.reads():
            from idp.db.session import session

            family = self.given["refresh_token"].partition(".")[0]
            counter = session.scalar(sa.select(TokenFamily.counter).where(TokenFamily.id == family))
        assert counter == int(self.given["refresh_token"].split(".")[1])
        self.given = self.refresh().json()
        assert self.world.userinfo(self.given["access_token"]).status_code == 200
        assert "code" in answer_of(self.world.sign_in(self.world.browser(), self.party, ANNA))

    def let_go(self) -> None:
        """Close every file."""
        with self.world.app.app_context():
            engine().dispose()


@pytest.fixture
def troubled(told_on_sqlite: Told, tmp_path: Path) -> Iterator[Troubled]:
    made = Troubled(told_on_sqlite, tmp_path)
    yield made
    made.world.close()


def test_locked_by_somebody_else(troubled: Troubled) -> None:
    """R11: longer than `database.lock_timeout`: who writes is told, who only reads goes on; a shorter lock nobody notices."""
    for _ in range(2):
        with closing(sqlite3.connect(troubled.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            troubled.refuses()
            assert troubled.world.userinfo(troubled.given["access_token"]).status_code == 200
            other.execute("ROLLBACK")
        troubled.is_well()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of five megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not shutil.which("mount") or os.getuid() != 0 or _mount("-t", "tmpfs", "-o", "size=5m", "idp-test", folder):
        pytest.skip("a small disk can be mounted by root only, where mounting is allowed at all")
    yield folder
    _mount("-o", "remount,rw", folder)
    subprocess.run(["umount", str(folder)], check=True)


def _mount(*words: object) -> int:
    return subprocess.run(["mount", *map(str, words)], check=False, capture_output=True).returncode


@contextmanager
def _on(told: Told, folder: Path) -> Iterator[Troubled]:
    made = Troubled(told, folder)
    try:
        yield made
    finally:
        made.world.close()


def test_the_disk_is_full(told_on_sqlite: Told, small: Path) -> None:
    """R12: whatever the instant in which it fills, each request is done or is not; with room again, all goes on."""
    with _on(told_on_sqlite, small) as troubled:
        for size in (1, 7, 20):  # pages of four kilobytes that are left: another statement finds no room each time
            filler = small / "filler"
            with filler.open("wb") as file:
                left = os.statvfs(small)
                file.write(bytes(max(0, left.f_bavail * left.f_frsize - size * 4096)))
            seen = set()
            for _ in range(40):
                page = troubled.world.browser().authorize(troubled.party)
                seen.add(page.status_code)
                if page.status_code == 503:
                    break
            assert seen <= {200, 503}
            assert 503 in seen
            troubled.refuses(room_for_one=True)
            filler.unlink()
            troubled.is_well()


def test_the_disk_is_read_only(told_on_sqlite: Told, small: Path) -> None:
    """R12: a disk that the kernel has turned read-only after an error."""
    with _on(told_on_sqlite, small) as troubled:
        troubled.let_go()
        assert _mount("-o", "remount,ro", small) == 0
        troubled.refuses()
        troubled.let_go()
        assert _mount("-o", "remount,rw", small) == 0
        troubled.is_well()
