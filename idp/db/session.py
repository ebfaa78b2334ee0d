"""The session of the present request, job or command, and the two ways to use it: `reads` and `writes`.

A reading unit runs in autocommit (on PostgreSQL one round trip, no BEGIN). A writing unit begins at its first statement, on SQLite with
BEGIN IMMEDIATE (a deferred one that reads before it writes is refused as busy whatever the timeout), and is committed once, at its end.
A Refusal is an answer and is committed too; any other exception rolls back.

NOTE: what concerns one person is locked in one order, by everybody; two units that took it the other way round would wait for each other,
and PostgreSQL would end one of them:

    a sign-in under way, its code, what is counted against the number
    users            first of what stays: `users.get(…, alone=True)`. A sign-in, a sign-out everywhere, a changed number wait here for one
                     another, so what was looked at after this line still holds at the commit
    authenticators, recovery codes, browsers, devices, sessions, invitations, token families
    users.phone      a changed number once more wants the row, now against all who only name it (a foreign key) as well: whoever hands out
                     a code or an account does so with the session's row in hand, hence after the two `hold_all`

A unit that needs no person (a thief is expelled, one session ended) begins further down, and never goes up again.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask, current_app
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import scoped_session

from idp.config import Database
from idp.db.columns import Base, table
from idp.db.places import Places
from idp.db.ready import Ready
from idp.errors import Refusal

_NOTHING = sa.util.EMPTY_DICT
ENGINES = "idp.engines"
PLACES = "idp.places"
SOME = 5000  # rows of one sweep's transaction: a tenth of a second
TURN = "idp.turn"
RECYCLE = 600  # seconds; a new connection also looks at the clock again


class _Session(FlaskSession):
    """The ORM's session on the one connection of its unit. What the ORM need not see goes to that connection, in half the time."""

    unit: sa.Connection | None = None
    reading = False

    def connection(self, *_: Any, **__: Any) -> sa.Connection:
        """The unit's connection: of the engine in autocommit, or of the one that begins."""
        if self.unit is None:
            self.unit = current_app.extensions[ENGINES][self.reading].connect()
            self.unit.begin()
        return self.unit

    def get_bind(self, mapper: Any = None, clause: Any = None, bind: Any = None, **kwargs: Any) -> Any:  # noqa: ARG002 - SQLAlchemy's signature
        """The ORM works on the unit's connection as well, and neither begins nor commits there."""
        return self.connection() if bind is None else bind

    def execute(self, statement: Any, params: Any = None, *, execution_options: Any = _NOTHING, **kwargs: Any) -> Any:
        """As SQLAlchemy does it. Statements about tables, which the rules use, go straight to the connection."""
        if isinstance(statement, Ready):
            return statement.run(self.unit or self.connection(), params or {})
        if statement._propagate_attrs or self._new or self._deleted or self.identity_map._modified or any(kwargs.values()):
            return super().execute(statement, params, execution_options=execution_options, **kwargs)
        return (self.unit or self.connection()).execute(statement, params, execution_options=execution_options)

    def begin_nested(self) -> Any:
        """A SAVEPOINT, made now: statements that the ORM does not see are behind it too."""
        self._connection_for_bind(self.connection())
        nested = super().begin_nested()
        self._connection_for_bind(self.connection())
        return nested

    def in_transaction(self) -> bool:
        """Whether the unit has begun."""
        return self.unit is not None or super().in_transaction()

    def commit(self) -> None:
        """Commit what the ORM and the unit have done, and give the connection back."""
        if super().in_transaction():
            super().commit()
        if self.unit is not None:
            try:
                self.unit.commit()
            except BaseException:
                _take_back(self.unit)
                raise
            self._give_back()

    def rollback(self) -> None:
        """Take back what the ORM and the unit have done, and give the connection back."""
        if super().in_transaction():
            super().rollback()
        if self.unit is not None:
            self.unit.rollback()
            self._give_back()

    def close(self) -> None:
        """Forget everything; what was not committed is taken back."""
        if super().in_transaction() or self.identity_map:
            super().close()
        self._give_back()

    def _give_back(self) -> None:
        unit, self.unit = self.unit, None
        if unit is not None:
            unit.close()


def _take_back(connection: sa.Connection) -> None:
    """After a COMMIT that failed: for SQLAlchemy the transaction is over, for the database it may go on."""
    try:
        connection.connection.dbapi_connection.rollback()  # type: ignore[union-attr] # there is one, or it raises
    except Exception:
        connection.invalidate()  # nobody else gets it


_database = SQLAlchemy(metadata=Base.metadata, session_options={"class_": _Session, "expire_on_commit": False})
session: scoped_session[FlaskSession] = _database.session


def engine() -> sa.Engine:
    """The engine of the present application; needs an application context."""
    writing: sa.Engine = current_app.extensions[ENGINES][0]
    return writing


def reading_engine() -> sa.Engine:
    """The same in autocommit: for what is looked up beside the unit that runs."""
    reading: sa.Engine = current_app.extensions[ENGINES][1]
    return reading


def is_postgresql() -> bool:
    """Whether the present database is PostgreSQL."""
    return engine().dialect.name == "postgresql"


def connect_application(app: Flask, settings: Database, *, threads: int) -> None:
    """Give `app` its database: a pool as large as its threads, time limits, and SQLite's durability."""
    url = sa.make_url(settings.url)
    options: dict[str, Any] = {"pool_size": threads + 1, "max_overflow": threads, "pool_timeout": settings.pool_timeout}
    options["pool_reset_on_return"] = None  # a unit ends its transaction before it gives the connection back; so does `Connection.close`
    on_postgresql = url.get_backend_name() == "postgresql"
    if on_postgresql:
        from idp.db import postgresql  # noqa: PLC0415 - its driver is there where it is used

        options |= {**postgresql.options(url, settings), "pool_recycle": RECYCLE}
    else:
        if url.database:  # Flask-SQLAlchemy would look in Flask's instance folder
            url = url.set(database=str(Path(url.database).absolute()))
        options["connect_args"] = {"timeout": settings.lock_timeout, "check_same_thread": False}
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    _database.init_app(app)
    with app.app_context():
        writing = _database.engine
    if on_postgresql:
        postgresql.watch(writing, settings)
        reading = writing.execution_options(isolation_level="AUTOCOMMIT")
    else:
        sa.event.listen(writing, "connect", _prepare_sqlite)
        reading = writing.execution_options()
        reading.dialect = copy(writing.dialect)  # the one that does not begin
        _take_turns(writing, settings.lock_timeout)
    app.extensions[ENGINES] = (writing, reading)
    # Who waits for SQLite waits for another writer, and that is no fault until `lock_timeout` is over.
    app.extensions[PLACES] = Places(threads, settings.stuck_after if on_postgresql else settings.lock_timeout)


def places() -> Places:
    """The places at the database that the requests of this process share; needs an application context."""
    found: Places = current_app.extensions[PLACES]
    return found


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: `_begin_immediate` does
    # FULL: with NORMAL a power cut may take back an answered commit, and a spent code could be spent again.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16000", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}")


def _take_turns(writing: sa.Engine, patience: float) -> None:
    """Units that write begin with BEGIN IMMEDIATE, and the threads of this process queue for it.

    SQLite lets a writer that finds the lock taken sleep and look again: among our own threads a queue is fair and loses no time.
    """
    turn = threading.Lock()

    def begin(connection: Any) -> None:
        if not connection.info.get(TURN):
            if not turn.acquire(timeout=patience):
                raise sqlite3.OperationalError("database is locked")
            connection.info[TURN] = True
        connection.dbapi_connection.execute("BEGIN IMMEDIATE")

    def end(_connection: Any, record: Any) -> None:
        # Not at SQLAlchemy's `commit`, which is told before the disk is written. A session gives its connection back right after it.
        if record.info.pop(TURN, False):
            turn.release()

    writing.dialect.do_begin = begin  # type: ignore[method-assign,assignment] # an event would cost each statement its look for listeners
    sa.event.listen(writing, "checkin", end)


@contextmanager
def _unit(*, reading: bool) -> Iterator[None]:
    now: _Session = session()  # type: ignore[assignment] # what `class_` says
    if now.in_transaction():
        raise RuntimeError("a unit of work is already running: rules flush, only edges commit")
    now.reading = reading
    try:
        yield
        if now.in_transaction():  # a view that has something slow to do after its last statement has committed already
            now.commit()
    except Refusal:
        now.commit()
        raise
    except BaseException:
        now.rollback()
        raise
    finally:
        now.close()
        now.reading = False


def writes() -> Any:
    """A unit of work that may write: `with writes(): ...`; committed at its end, also when a Refusal ends it."""
    return _unit(reading=False)


def reads() -> Any:
    """A unit of work that only reads, in autocommit."""
    return _unit(reading=True)


def changed(statement: sa.Update | sa.Delete | Ready, **values: Any) -> int:
    """Run a conditional UPDATE or DELETE and answer how many rows it touched: the count decides, nothing was read before.

    `values`: of the statement's bound parameters, and of columns to set that it does not name itself.
    """
    result = session.execute(statement, values or None, execution_options={"synchronize_session": False})
    return int(result.rowcount)  # type: ignore[attr-defined] # a DML statement always gives a CursorResult


def delete_some(model: type[Base], *conditions: sa.ColumnElement[bool]) -> int:
    """Delete up to SOME rows that fit; answers how many. For sweeps: who gets SOME comes again.

    All that a flood of strangers left behind would take longer than a statement may, and then nothing would ever be swept again; or hold
    SQLite's lock against everybody. The conditions stand twice, since a row may be renewed between the look and the DELETE.
    """
    rows = table(model)
    key = list(rows.primary_key)
    chosen = sa.select(*key).where(*conditions).limit(SOME).correlate(None)
    which = key[0].in_(chosen) if len(key) == 1 else sa.tuple_(*key).in_(chosen)
    return changed(sa.delete(rows).where(which, *conditions))


def insert_or_ignore(model: type[Base], **values: Any) -> bool:
    """Insert a row unless a unique column already holds it; answers whether this call inserted it."""
    statement = _insert_ignoring(model, engine().dialect.name)
    return bool(session.execute(statement, values).rowcount == 1)  # type: ignore[attr-defined] # Done


@cache
def _insert_ignoring(model: type[Base], dialect: str) -> Ready:
    """Made once for each table: building it takes as long as running it."""
    build = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return Ready(build(table(model)).on_conflict_do_nothing())
