"""Statements that are run again and again: SQLAlchemy writes their SQL and knows their types, once; from then on only the driver is asked.

SQLite takes a few microseconds for what SQLAlchemy's way from a statement to its rows takes fifty for, and a sign-in is fifty statements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData

Process = Callable[[Any], Any]


class Done(NamedTuple):
    """What there is to know of a statement that gives no rows."""

    rowcount: int


class Ready(sa.Executable):
    """A statement for `session.execute` and `changed`, as SQLAlchemy has it, but for lists of values in it (`IN`).

    `session.execute(Ready(...), values)` answers SQLAlchemy's result of rows, or `Done`.
    """

    def __init__(self, statement: sa.Executable) -> None:
        self.statement: Any = statement
        self._made: dict[tuple[str, tuple[str, ...]], _Made] = {}

    def run(self, connection: sa.Connection, values: Mapping[str, Any]) -> Any:
        """Run it on `connection`, which has begun; raises what SQLAlchemy raises."""
        if connection.engine.dispatch.before_cursor_execute:  # somebody listens, and would hear nothing of it
            return connection.execute(self.statement, values, execution_options={"preserve_rowcount": True})
        key = (connection.dialect.name, tuple(values))
        made = self._made.get(key)
        if made is None:
            made = self._made[key] = _Made(self.statement, connection.dialect, key[1])
        return made.run(connection, values)


class _Made:
    """What became of a statement for one dialect, with values of these names."""

    __slots__ = ("binds", "context", "metadata", "named", "processes", "sql", "types")

    def __init__(self, statement: Any, dialect: sa.Dialect, names: tuple[str, ...]) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=list(names))
        writes = compiled.isinsert or compiled.isupdate or compiled.isdelete
        defaults = {each.key: each.default for each in (*compiled.insert_prefetch, *compiled.update_prefetch)} if writes else {}
        late = any(bind.expanding or bind.literal_execute for bind in compiled.binds.values())
        if late or not all(default.is_scalar for default in defaults.values()):
            raise TypeError("a statement with lists or made-up values in it cannot be made ready once")
        self.sql: str = compiled.string
        self.context = SimpleNamespace(dialect=dialect, execution_options=statement.get_execution_options())
        places = {name: bind for bind, name in compiled.bind_names.items()}
        self.named = None if compiled.positional else list(places)
        self.binds = [
            _place(name, places[name], defaults[name].arg if name in defaults else places[name].effective_value, dialect)
            for name in self.named or compiled.positiontup or ()
        ]
        columns = statement.exported_columns.items() if not writes or compiled.effective_returning else ()
        self.metadata = SimpleResultMetaData([key for key, _ in columns]) if columns else None
        self.types = [column.type.dialect_impl(dialect) for _, column in columns]
        self.processes: list[tuple[int, Process]] | None = None  # known with the first row

    def run(self, connection: sa.Connection, values: Mapping[str, Any]) -> Any:
        """As `Ready.run`."""
        given: Any = [value if name is None else process(values[name]) if process else values[name] for name, value, process in self.binds]
        if self.named is not None:
            given = dict(zip(self.named, given, strict=True))
        cursor: Any = None
        try:
            cursor = connection.connection.cursor()
            for run in self.context.dialect.dispatch.do_execute:
                if run(cursor, self.sql, given, self.context):
                    break
            else:
                self.context.dialect.do_execute(cursor, self.sql, given)
            if self.metadata is None:
                return Done(cursor.rowcount)
            return IteratorResult(self.metadata, iter(self._rows(cursor)))
        except Exception as e:
            connection._handle_dbapi_exception(e, self.sql, None, cursor, None)

    def _rows(self, cursor: Any) -> list[Any]:
        if self.processes is None:
            told = [each[1] for each in cursor.description]
            ways = [each.result_processor(self.context.dialect, kind) for each, kind in zip(self.types, told, strict=True)]
            self.processes = [(place, way) for place, way in enumerate(ways) if way is not None]
        rows: list[Any] = cursor.fetchall()
        for number, row in enumerate(rows):
            values = list(row)
            for place, process in self.processes:
                values[place] = process(values[place])
            rows[number] = values
        return rows


def _place(name: str, bind: Any, value: Any, dialect: sa.Dialect) -> tuple[str | None, Any, Process | None]:
    """Where a value goes: its name, or what the statement itself has there, and what makes it fit the driver."""
    process: Process | None = bind.type.dialect_impl(dialect).bind_processor(dialect)
    if bind.required:
        return name, None, process
    return None, process(value) if process else value, None
