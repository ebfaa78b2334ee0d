"""The tables, from one revision to the next: `upgrade`, `downgrade`, `pending`.

Revisions are the files of `migrations/versions`, applied in the order of their numbers, each database change in one transaction under a
lock: of two processes that upgrade at once, the second finds nothing left to do, and what was interrupted has not happened.
"""

from __future__ import annotations

import importlib
import re
import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from idp.db.columns import Base

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent / "migrations"
PACKAGE = Path(__file__).parent.parent
LOCK = 0x1D9_5C4E3A  # of pg_advisory_xact_lock: any number that nobody else takes in this database
LOCK_WAIT = 60  # seconds to wait for another process that upgrades
STEPS = re.compile(r"[+-][0-9]{1,4}")
TABLE_WAIT = 2  # seconds to wait for a table on PostgreSQL: whoever queues behind us waits as long


class SchemaError(Exception):
    """The tables cannot be brought to where they should be; the message says what to do."""


def revisions() -> list[str]:
    """Every revision that this version of the program knows, oldest first ("0001", "0002", …)."""
    return sorted(path.name.split("_")[0] for path in (FOLDER / "versions").glob("[0-9]*.py"))


def current(connection: sa.Connection) -> str | None:
    """The revision at which the database is; None when it holds nothing yet."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def pending(target: str | sa.Engine) -> list[str]:
    """The revisions that `target` (a URL or an engine) still lacks, oldest first.

    Alembic is not asked, nor loaded: every start of a server asks this. Raises SchemaError when the database is ahead of the program.
    """
    with _engine(target) as engine, engine.connect() as connection:
        return _after(current(connection))


def _after(revision: str | None) -> list[str]:
    known = revisions()
    if revision is None:
        return known
    if revision not in known:
        raise SchemaError(f"The database is at revision {revision}, which this program does not know. Run the newer one.")
    return known[known.index(revision) + 1 :]


def upgrade(target: str | sa.Engine, revision: str = "head") -> list[str]:
    """Bring `target` (a URL or an engine) up to `revision`; answers the revisions that were applied, none when it was there already."""
    return _migrate(target, "upgrade", revision)


def downgrade(target: str | sa.Engine, revision: str = "-1") -> list[str]:
    """Take `target` back to `revision`: "-1" is one step, "base" an empty database. Answers the revisions that were undone."""
    return _migrate(target, "downgrade", revision)


def _migrate(target: str | sa.Engine, direction: Literal["upgrade", "downgrade"], revision: str) -> list[str]:
    from alembic import command, util  # noqa: PLC0415 - 250 ms that a server which is up to date does not spend

    config, listed = _alembic(), f"The revisions are: {', '.join(revisions())}."
    # Alembic takes parts of names, ranges and branches as well, and stumbles over what is none of them.
    if revision not in {"head", "base", *revisions()} and not STEPS.fullmatch(revision):
        raise SchemaError(f"There is no revision {revision[:40]!r}. {listed}")
    with _engine(target, migrates=True) as engine, engine.connect() as connection, connection.begin():
        _take_turn(connection)
        before = current(connection)
        _after(before)
        config.attributes["connection"] = connection
        try:
            (command.upgrade if direction == "upgrade" else command.downgrade)(config, revision)
        except util.CommandError as e:
            raise SchemaError(f"{str(e).rstrip('.')}. {listed}") from e
        _check_foreign_keys(connection)
        after = current(connection)
    known = [None, *revisions()]
    low, high = sorted((known.index(before), known.index(after)))
    return [name for name in known[low + 1 : high + 1] if name is not None]


def _alembic() -> Config:
    from alembic.config import Config  # noqa: PLC0415 - as above

    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    return config


def _take_turn(connection: sa.Connection) -> None:
    """One process at a time. On SQLite the transaction itself, BEGIN IMMEDIATE, has already seen to that."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            sa.text("SET LOCAL statement_timeout = 0")
        )  # whatever the role or the database says: copying takes what it takes
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}s'"))
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        connection.execute(sa.text(f"SET LOCAL lock_timeout = '{TABLE_WAIT}s'"))


def _check_foreign_keys(connection: sa.Connection) -> None:
    """They were off on SQLite while tables were copied, so each row is looked at before the commit."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            tables = ", ".join(sorted({f"{row[0]} -> {row[2]}" for row in broken}))
            raise SchemaError(f"{len(broken)} rows would point nowhere ({tables}); nothing was changed.")


@contextmanager
def _engine(target: str | sa.Engine, *, migrates: bool = False) -> Iterator[sa.Engine]:
    """An engine of our own: with foreign keys on, as elsewhere, a table that is copied empties its ON DELETE CASCADE children."""
    url = target.url if isinstance(target, sa.Engine) else sa.make_url(target)
    waits = {"timeout": LOCK_WAIT} if url.get_backend_name() == "sqlite" else {"connect_timeout": 5, "application_name": "idp db"}
    engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args=waits)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
        if migrates:
            sa.event.listen(engine, "connect", _turn_to_wal)
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        yield engine
    finally:
        engine.dispose()


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # else the driver commits before each CREATE, and half a revision could stay
    connection.execute("PRAGMA foreign_keys=OFF")  # has no effect inside a transaction, so it is set before any begins


def _turn_to_wal(connection: sqlite3.Connection, _record: object) -> None:
    """Once for the file, here: SQLite does not wait for others at this one, and whoever connects later finds it done."""
    until = time.monotonic() + LOCK_WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


def load_tables() -> sa.MetaData:
    """Import every module of the house that holds tables and answer all of them: for writing a revision, and for comparing."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if FOLDER not in path.parents and "    __tablename__ = " in path.read_text("utf-8"):
            importlib.import_module(".".join(("idp", *path.relative_to(PACKAGE).with_suffix("").parts)))
    return Base.metadata


def differences(target: str | sa.Engine) -> list[str]:
    """Where the tables of `target` differ from those that the code describes, a line each; empty when they are equal."""
    from alembic.autogenerate import compare_metadata  # noqa: PLC0415 - as above
    from alembic.migration import MigrationContext  # noqa: PLC0415 - as above

    metadata = load_tables()
    with _engine(target) as engine, engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return [str(difference) for difference in compare_metadata(context, metadata)]


def write_revision(target: str | sa.Engine, message: str, *, only: Collection[str] | None = None) -> Path:
    """Write the next revision from what `target` (which must be at the newest) lacks of the code's tables; answers its file.

    `only`: look at these tables alone.
    """
    from alembic import command  # noqa: PLC0415 - as above

    config = _alembic()
    load_tables()
    known = revisions()
    with _engine(target) as engine, engine.connect() as connection:
        config.attributes.update(connection=connection, only=only)
        command.revision(config, message, autogenerate=True, rev_id=f"{int(known[-1]) + 1 if known else 1:04}")
    path = next((FOLDER / "versions").glob(f"{revisions()[-1]}_*.py"))
    path.write_text("\n".join(line for line in path.read_text("utf-8").split("\n") if not line.strip().startswith("# ###")), "utf-8")
    return path
