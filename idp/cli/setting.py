"""What a command works with: the configuration, the keys, and an application context that holds the database. No pages, no routes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from idp import config, crypto
from idp.cli.failures import Failure
from idp.config import Settings
from idp.db import schema
from idp.db.session import connect_application, engine


@contextmanager
def at_work(settings: Settings | None = None, *, current: bool = True, threads: int = 1) -> Iterator[Settings]:
    """The configuration in force, the keys read, the database connected: `with at_work() as settings, writes(): ...`.

    `current`: refuse (Failure) unless the tables are at the newest revision. `threads`: so many work with the database at once.
    """
    chosen = settings or config.settings()
    config.use(chosen)
    crypto.load_keys(chosen.keys.folder)
    if current:
        require_current(chosen)
    app = Flask("idp.cli")
    connect_application(app, chosen.database, threads=threads)
    with app.app_context():
        try:
            yield chosen
        finally:
            engine().dispose()


def require_current(settings: Settings) -> None:
    """Raise Failure unless the tables are at the newest revision."""
    missing = schema.pending(settings.database.url)
    if missing:
        raise Failure(f"The database lacks {_revisions(missing)}. Run `idp db upgrade`.")


def _revisions(names: list[str]) -> str:
    return f"revision {names[0]}" if len(names) == 1 else f"revisions {names[0]} to {names[-1]}"
