"""What another process does between two statements of a request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from idp.db.session import engine
from tests.conftest import ON_POSTGRESQL
from tests.world import World

between_statements = pytest.mark.skipif(not ON_POSTGRESQL, reason="on SQLite one writer is alone from its first statement on")


@contextmanager
def meanwhile(world: World, statement: str, happens: Callable[[], object]) -> Iterator[list[str]]:
    """Once, just before the first `statement` (its beginning), `happens` in a unit of work of its own. Gives what it interrupted."""
    seen: list[str] = []

    def work() -> None:
        with world.writes():
            happens()

    def before(_connection: Any, _cursor: Any, text: str, *_more: Any) -> None:
        if not seen and text.startswith(statement):
            seen.append(text)
            other = threading.Thread(target=work)
            other.start()
            other.join()

    with world.app.app_context():
        source = engine()
    sa.event.listen(source, "before_cursor_execute", before)
    try:
        yield seen
    finally:
        sa.event.remove(source, "before_cursor_execute", before)
