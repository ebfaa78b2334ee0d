"""Statements that are made ready once answer as SQLAlchemy does: rows, counts, errors, and what listens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from idp import clock, events, limits
from idp.db.columns import table
from idp.db.ready import Ready
from idp.db.session import changed, engine, session
from idp.events import Event
from idp.limits import Limit
from tests.ground import Ground, ground, one_over

__all__ = ["ground"]

_limits, _events = table(Limit), table(Event)
INSERT = Ready(sa.insert(_limits))
FIND = Ready(sa.select(_limits).where(_limits.c.rule == sa.bindparam("of_rule")).order_by(_limits.c.subject_digest))
ADD = Ready(
    sa.update(_limits)
    .where(_limits.c.rule == sa.bindparam("of_rule"), _limits.c.tries < 9)
    .values(tries=_limits.c.tries + 1)
    .returning(_limits.c.tries, _limits.c.window_start)
)
SET = Ready(sa.update(_limits).where(_limits.c.rule == sa.bindparam("of_rule")))
EVENTS = Ready(sa.select(_events).where(_events.c.id == sa.bindparam("event_id")))


def put(subject: str, tries: int = 1, **values: Any) -> Any:
    """A row, as it was given."""
    now = clock.now()
    return session.execute(INSERT, {"rule": "r", "subject_digest": subject, "window_start": now, "tries": tries} | values)


def test_rows_as_sqlalchemy_gives_them(ground: Ground) -> None:
    """Instants with their zone, JSON as it was, NULL; by name, by place, as mappings."""
    with ground.writes():
        event_id = events.record("client.created", details={"a": [1, {"b": None}]}, personal={"phone": "+79005550001"})
        plain = session.execute(sa.select(_events).where(_events.c.id == event_id)).one()
        ready = session.execute(EVENTS, {"event_id": event_id}).one()
        assert tuple(ready) == tuple(plain)
        assert (ready.at, ready.details, ready.company_id) == (plain.at, {"a": [1, {"b": None}]}, None)
        assert ready.at.tzinfo is not None
        assert dict(session.execute(EVENTS, {"event_id": event_id}).mappings().one()) == dict(plain._mapping)
        assert session.execute(EVENTS, {"event_id": "none"}).one_or_none() is None


def test_many_rows_and_their_order(ground: Ground) -> None:
    """All rows, in their order; some columns left out of the INSERT."""
    with ground.writes():
        for subject in "cab":
            assert put(subject).rowcount == 1
        rows = session.execute(FIND, {"of_rule": "r"}).all()
        assert [row.subject_digest for row in rows] == ["a", "b", "c"]
        assert {row.expires_at for row in rows} == {None}


def test_returning_and_counts(ground: Ground) -> None:
    """RETURNING gives rows; without it, the count decides. What the statement itself has in it stays."""
    with ground.writes():
        put("a", 8)
        put("b", 9)
        assert [row.tries for row in session.execute(ADD, {"of_rule": "r"})] == [9]
        assert session.execute(ADD, {"of_rule": "r"}).one_or_none() is None
        assert changed(SET, of_rule="r", tries=3, expires_at=clock.now() + timedelta(seconds=5)) == 2
        assert changed(SET, of_rule="r", expires_at=None) == 2
        assert changed(SET, of_rule="other", tries=0) == 0
        assert {(row.tries, row.expires_at) for row in session.execute(FIND, {"of_rule": "r"})} == {(3, None)}


def test_errors_are_sqlalchemy_s(ground: Ground) -> None:
    """A key that is there, behind a SAVEPOINT; a value that is missing is our mistake and never NULL."""
    with ground.writes():
        put("a")
        with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
            put("a")
        with pytest.raises(KeyError):
            session.execute(FIND, {})
        with pytest.raises(ValueError, match="zone"):
            put("b", window_start=clock.now().replace(tzinfo=None))
        put("c")
    assert [row.subject_digest for row in ground.rows(Limit)] == ["a", "c"]


def test_a_unit_that_breaks_takes_it_back(ground: Ground) -> None:
    """What went straight to the driver is in the unit's transaction."""
    with pytest.raises(ZeroDivisionError), ground.writes():
        one_over((put("a"), limits.spend("other", "b", limit=3, window_seconds=60)))
    assert ground.rows(Limit) == []


def test_who_listens_hears_it(ground: Ground) -> None:
    """Somebody who listens to the engine is told of these statements too."""
    heard: list[str] = []
    with ground.app.app_context():
        source = engine()
    sa.event.listen(source, "before_cursor_execute", lambda *given: heard.append(given[2]))
    with ground.writes():
        put("a")
        session.execute(FIND, {"of_rule": "r"}).one()
    assert [each.split()[0] for each in heard] == ["INSERT", "SELECT"]


@pytest.mark.parametrize(
    "statement",
    [
        sa.select(_limits).where(_limits.c.rule.in_(sa.bindparam("rules", expanding=True))),
        sa.select(_limits).where(_limits.c.rule.in_(["a", "b"])),
    ],
)
def test_lists_are_refused(ground: Ground, statement: Any) -> None:
    """`IN` is another statement for each length: said at once, to whoever writes it."""
    with ground.reads(), pytest.raises(TypeError, match="ready"):
        session.execute(Ready(statement), {"rules": ["a"]})
