"""PostgreSQL's connections: none waits for ever, none is taken from the pool dead, and few round trips are made.

Three time limits, from the inside out: the server's own (`statement_timeout`, `lock_timeout`); silence, which a server that is stopped
cannot limit (`presence`); and the kernel's, for a network that acknowledges nothing.
"""

from __future__ import annotations

import select
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus

from idp import clock
from idp.config import Database
from idp.db.columns import LATER
from idp.db.presence import SILENT, Presence

CONNECT = 1.2  # seconds: with the silence before it, whoever waits is told within two
TICK = 0.1  # seconds between two looks of somebody who waits
MARGIN = 0.5  # seconds by which we are more patient than the server's own limit
NETWORK: dict[str, Any] = {
    "connect_timeout": 2,  # psycopg's least; ours is CONNECT
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 1500,  # milliseconds that what was sent may stay without acknowledgement
}


def options(url: sa.URL, limits: Database) -> dict[str, Any]:
    """What the engine is made with. What the address itself says of the network stands."""
    server = f"-c statement_timeout={int(limits.statement_timeout * 1000)} -c lock_timeout={int(limits.lock_timeout * 1000)}"
    network = {name: value for name, value in NETWORK.items() if name not in url.query}
    return {"connect_args": {**network, "options": server, "application_name": "idp"}}


def watch(engine: sa.Engine, limits: Database) -> None:
    """Let the connections of `engine` be as this file says."""
    patience = max(limits.statement_timeout, limits.lock_timeout) + MARGIN
    knocking: list[Any] = []

    def knock() -> None:
        words, named = knocking[0]
        try:
            _Patient.connect(*words, **named).close()
        except psycopg.errors.ConnectionTimeout:
            raise
        except psycopg.Error:
            return  # it sent us away (full, starting, no such database): so it is there, and says so to everybody who asks

    presence = Presence(knock)

    class Watched(_Patient):
        """Of this engine."""

        def wait(self, gen: Any, interval: float = TICK, timeout: float | None = None) -> Any:
            """As psycopg does it, but not for ever."""
            return super().wait(_while_it_speaks(self, gen, presence, patience), min(interval, TICK), timeout)

    def connect(_dialect: Any, _record: Any, words: Any, named: Any) -> Any:
        knocking[:] = [(words, named)]
        if presence.away:
            raise _away()
        try:
            return Watched.connect(*words, **named)
        except psycopg.errors.ConnectionTimeout:
            presence.doubt()
            raise

    def check(connection: Any, _record: Any, _proxy: Any) -> None:
        if presence.away:
            raise _away()
        if connection.closed or _has_news(connection.fileno()):
            raise sa.exc.DisconnectionError("the database has closed this connection")

    sa.event.listen(engine, "do_connect", connect)
    sa.event.listen(engine, "connect", _take_the_time)
    sa.event.listen(engine, "checkout", check)
    sa.event.listen(engine, "handle_error", _as_away)
    sa.event.listen(engine, "do_execute", _execute)


class _Patient(psycopg.Connection[Any]):
    """Connects within CONNECT seconds (libpq's own limit begins at two), and may hold back what nobody waits for (`_execute`)."""

    held: AbstractContextManager[psycopg.Pipeline] | None = None

    @classmethod
    def _connect_gen(cls, *words: Any, **named: Any) -> Any:
        return _within(CONNECT, super()._connect_gen(*words, **named))

    def begin(self) -> None:
        """Hold back a BEGIN of our own: the driver, which now believes to be in autocommit, would wait for the answer to its own.

        NOTE: so SQLAlchemy must not be told to leave out the rollback of connections in autocommit (`skip_autocommit_rollback`).
        """
        self.autocommit = True
        self.hold()
        self.execute("BEGIN")

    def hold(self) -> None:
        """From here on what is said waits until `let_go`."""
        if self.held is None:
            self.held = self.pipeline()
            self.held.__enter__()

    def let_go(self) -> None:
        """Say what was held back, and wait for the answers; raises the first that is an error."""
        held, self.held = self.held, None
        if held is not None:
            held.__exit__(None, None, None)

    def commit(self) -> None:
        """COMMIT, together with what was held back before it."""
        if self.held is None:
            super().commit()
        else:
            self.execute("COMMIT")
            self.let_go()
        self.autocommit = False

    def rollback(self) -> None:
        """ROLLBACK, whatever became of what was held back."""
        with suppress(psycopg.Error):
            self.let_go()
        super().rollback()
        self.autocommit = False


def _execute(cursor: Any, statement: str, parameters: Any, context: Any) -> bool:
    """Round trips are what a transaction's time is made of: BEGIN goes with the first statement, and LATER ones with what follows.

    A LATER statement is one whose answer nobody reads; when it fails, that is raised by the next statement or the COMMIT.
    """
    connection: _Patient = cursor.connection
    begins = connection.pgconn.transaction_status == TransactionStatus.IDLE
    if begins:
        if connection.autocommit:
            return False
        connection.begin()
    later = not begins and bool(context.execution_options.get(LATER))
    if later:
        connection.hold()
    context.dialect.do_execute(cursor, statement, parameters, context)
    if not later:
        connection.let_go()
    return True


def _within(seconds: float, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """`gen`, which opens a connection, until its time is over."""
    until = time.monotonic() + seconds
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > until:  # an answer that we were too slow to read is an answer
                raise psycopg.errors.ConnectionTimeout("connection timeout expired")
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value


def _while_it_speaks(
    connection: psycopg.Connection[Any], gen: Generator[Any, Any, Any], presence: Presence, patience: float
) -> Generator[Any, Any, Any]:
    """`gen`, which waits on `connection`. Silence raises OperationalError, and the connection is of no use any more."""
    heard = doubted = time.monotonic()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            now = time.monotonic()
            if ready:
                heard = doubted = now
            else:
                if now - doubted >= SILENT:
                    doubted = now
                    presence.doubt()
                if presence.away or now - heard >= patience:
                    connection.pgconn.finish()
                    raise psycopg.OperationalError("the database has fallen silent")
            wanted = gen.send(ready)
    except StopIteration as end:
        return end.value


def _has_news(descriptor: int) -> bool:
    """Whether there is something to read on a connection that nobody asked anything: it says goodbye. No round trip is spent on it."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _take_the_time(connection: Any, _record: object) -> None:
    """A new connection tells how late it is: machines agree with the database, and so with one another (`clock`)."""

    def ask() -> datetime:
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            told: datetime = cursor.fetchone()[0]
        return told

    clock.correct(ask)
    connection.rollback()


def _as_away(context: sa.engine.ExceptionContext) -> None:
    """A server that lets nobody write any more is one that was replaced: we leave it, and the answer is 503."""
    error = context.original_exception
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        context.is_disconnect = True
        raise sa.exc.OperationalError(context.statement, None, error)


def _away() -> psycopg.OperationalError:
    return psycopg.OperationalError("the database is away")
