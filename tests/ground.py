"""The lower rooms without the house above them: an application with nothing but an empty database of this test's own.

On SQLite by default, on PostgreSQL with IDP_TEST_DATABASE. `parallel` runs a function in threads that all begin at the same moment.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from idp import config, crypto
from idp.config import Settings
from idp.db.columns import Base
from idp.db.session import connect_application, engine, reads, session, writes
from idp.errors import Refusal
from tests.conftest import ON_POSTGRESQL
from tests.servers import Cluster

ISSUER = "https://id.example.com"
EMPTY = "ground_empty"
_made: set[str] = set()


class Ground:
    """An application, its settings, and short ways to work in it."""

    def __init__(self, folder: Path, url: str, **changes: dict[str, object]) -> None:
        self.folder, self.url = folder, url
        crypto.make_keys(folder / "keys")
        self.use(**changes)
        crypto.load_keys(folder / "keys")
        self.app = self.connect()
        with self.app.app_context():
            from idp import schedule  # noqa: F401 - it brings every table with it

            Base.metadata.create_all(engine())

    def use(self, **changes: dict[str, object]) -> Settings:
        """Make these the settings: defaults, and `changes` by table."""
        values: dict[str, dict[str, object]] = {
            "server": {"issuer": ISSUER},
            "database": {"url": self.url},
            "keys": {"folder": self.folder / "keys"},
        }
        for section, given in changes.items():
            values[section] = values.get(section, {}) | given
        self.settings = Settings(**values)  # type: ignore[arg-type] # pydantic reads the tables
        config.use(self.settings)
        return self.settings

    def connect(self) -> Flask:
        """One more application on the same database, with a pool of its own: as another process has it."""
        app = Flask("ground")
        connect_application(app, self.settings.database, threads=16)
        return app

    @contextmanager
    def writes(self) -> Iterator[None]:
        """A unit of work."""
        with self.app.app_context(), writes():
            yield

    @contextmanager
    def reads(self) -> Iterator[None]:
        """A look."""
        with self.app.app_context(), reads():
            yield

    def rows(self, model: type[Base]) -> list[Any]:
        """Everything in a table."""
        with self.reads():
            return list(session.scalars(sa.select(model), execution_options={"populate_existing": True}))

    def dump(self) -> str:
        """The whole database as text: what a thief of a backup reads."""
        with self.app.app_context(), engine().connect() as connection:
            lines = []  # types are not read: this is what lies there
            for table in Base.metadata.sorted_tables:
                as_kept = sa.select(*(sa.type_coerce(column, sa.types.NullType()) for column in table.c))
                lines += [f"{table.name} {tuple(row)!r}" for row in connection.execute(as_kept)]
            return "\n".join(lines)

    def close(self, *others: Flask) -> None:
        """Let go of the database."""
        for app in (self.app, *others):
            with app.app_context():
                engine().dispose()


@contextmanager
def prepared(folder: Path, request: pytest.FixtureRequest) -> Iterator[Ground]:
    """An empty database, all tables, no keys: for fixtures of any scope."""
    if not ON_POSTGRESQL:
        made = Ground(folder, f"sqlite:///{folder / 'ground.sqlite3'}")
        yield made
        made.close()
        return
    cluster: Cluster = request.getfixturevalue("told").cluster
    name = f"ground_{secrets.token_hex(4)}"
    if EMPTY not in _made:  # the tables are made once and copied
        Ground(folder, cluster.create(EMPTY)).close()
        _made.add(EMPTY)
    made = Ground(folder, cluster.create(name, template=EMPTY))
    yield made
    made.close()
    cluster.drop(name)


@pytest.fixture
def ground(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Ground]:
    """An empty database of this test's own."""
    with prepared(tmp_path, request) as made:
        yield made


def one_over(done: object) -> None:
    """Fail, by no refusal, after something was `done` in a unit."""
    assert done
    raise ZeroDivisionError


def refuse(done: object) -> None:
    """Refuse after something was `done` in a unit."""
    assert done
    raise Refusal


def parallel(times: int, work: Callable[[int], Any]) -> list[Any]:
    """What `work(0)` … `work(times - 1)` answered, or the exception it raised; all begin together."""
    answers: list[Any] = [None] * times
    gate = threading.Barrier(times)

    def one(number: int) -> None:
        gate.wait()
        try:
            answers[number] = work(number)
        except Exception as e:
            answers[number] = e

    threads = [threading.Thread(target=one, args=(number,)) for number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
