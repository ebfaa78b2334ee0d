"""Migrations: the tables they make are those of the code, they lose no row on the way down and up, and they run one at a time (R16)."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from idp.db import schema
from idp.db.schema import SchemaError
from tests.db import rows
from tests.machine import count


@contextmanager
def connected(url: str) -> Iterator[sa.Engine]:
    """An engine as the application has it: with foreign keys on."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
    yield engine
    engine.dispose()


def tables(url: str) -> set[str]:
    with connected(url) as engine:
        return set(sa.inspect(engine).get_table_names())


def test_the_files_stand_in_one_line() -> None:
    """`pending` goes by the numbers of the files; Alembic by what they say: both must mean the same order."""
    config = Config()
    config.set_main_option("script_location", str(schema.FOLDER))
    line = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    assert line == list(reversed(schema.revisions()))
    assert schema.revisions() == [f"{number:04}" for number in range(1, len(line) + 1)]


def test_the_tables_are_those_of_the_code(url: str) -> None:
    assert schema.pending(url) == schema.revisions()
    assert schema.upgrade(url) == schema.revisions()
    assert schema.pending(url) == []
    assert schema.differences(url) == []
    assert tables(url) == {*schema.load_tables().tables, "alembic_version"}


def test_a_second_upgrade_finds_nothing_to_do(url: str) -> None:
    schema.upgrade(url)
    assert schema.upgrade(url) == []


def test_all_the_way_down_leaves_nothing(url: str) -> None:
    schema.upgrade(url)
    assert schema.downgrade(url, "base") == schema.revisions()
    assert tables(url) == {"alembic_version"}


def test_no_row_is_lost_on_the_way_down_and_up(url: str) -> None:
    """At each revision every table is filled, it is undone and applied again: what stood in columns of both sides is unchanged.

    The older ones, which nobody changes any more, in `make faults`' large count.
    """
    for revision in schema.revisions()[-count(3, 1000) :]:
        schema.upgrade(url, revision)
        with connected(url) as engine:
            before = rows.fill(engine)
            assert all(len(found) == rows.EACH for found in before.values()), (revision, before)
            schema.downgrade(url, "-1")
            below = rows.read(engine)
            schema.upgrade(url, revision)
            after = rows.read(engine)
            rows.empty(engine)
        for table in below:
            kept = {name for row in below[table] for name, _ in row}

            def of(found: rows.Rows, table: str = table, kept: set[str] = kept) -> list[list[tuple[str, str]]]:
                return sorted([[cell for cell in row if cell[0] in kept] for row in found[table]])

            assert of(after) == of(before), (revision, table)
        assert {table for table, found in after.items() if found} >= set(below), revision


def test_a_newer_database_is_refused(url: str) -> None:
    schema.upgrade(url)
    with connected(url) as engine, engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    for act in (schema.pending, schema.upgrade, schema.downgrade):
        with pytest.raises(SchemaError, match="9999"):
            act(url)


def test_an_unknown_revision_is_named(url: str) -> None:
    with pytest.raises(SchemaError, match="0001"):
        schema.upgrade(url, "nonsense")


def test_two_at_once_take_turns(url: str) -> None:
    """One applies everything, the others wait and find nothing to do; none fails."""
    program = f"from idp.db import schema; print(len(schema.upgrade({url!r})))"
    running = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    done = [int(process.communicate(timeout=120)[0]) for process in running]
    assert sorted(done) == [0, 0, 0, len(schema.revisions())]
    assert schema.differences(url) == []


def test_what_is_interrupted_has_not_happened(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in mid-migration leaves the database as it was, and the next run starts afresh."""

    def fails(_connection: sa.Connection) -> None:
        raise RuntimeError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(schema, "_check_foreign_keys", fails)
        with pytest.raises(RuntimeError):
            schema.upgrade(url)
    assert tables(url) == set()
    assert schema.upgrade(url) == schema.revisions()


def test_a_row_that_points_nowhere_stops_it(tmp_path: Path) -> None:
    """SQLite: foreign keys are off while tables are copied, so they are checked before the commit."""
    url = f"sqlite:///{tmp_path / 'broken.sqlite3'}"
    schema.upgrade(url, schema.revisions()[0])
    with connected(url) as engine:
        rows.fill(engine)
    plain = sa.create_engine(url, poolclass=sa.NullPool)
    with plain.begin() as connection:
        connection.execute(sa.text("UPDATE accounts SET user_id = 'usr_nobody' WHERE user_id IS NOT NULL"))
    with pytest.raises(SchemaError, match="accounts -> users"):
        schema.upgrade(url)
    assert schema.pending(url) == schema.revisions()[1:]


def test_a_reader_does_not_stop_it(url: str) -> None:
    """Somebody reads all the while: the upgrade goes through, and the reader never fails."""
    schema.upgrade(url, schema.revisions()[-2])
    stop, failed = threading.Event(), []
    with connected(url) as engine:

        def look() -> None:
            while not stop.is_set():
                try:
                    with engine.connect() as connection:
                        connection.execute(sa.text("SELECT count(*) FROM users")).scalar()
                except sa.exc.DBAPIError as e:
                    failed.append(e)

        reader = threading.Thread(target=look)
        reader.start()
        try:
            schema.upgrade(url)
        finally:
            stop.set()
            reader.join()
    assert failed == []
