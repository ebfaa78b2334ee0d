"""Fills every table of a database, whatever its tables are: two rows each, foreign keys pointing at rows that are there.

It reads the tables from the database itself, so that it can fill an older revision as well as the newest.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

Rows = dict[str, list[tuple[Any, ...]]]
START = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
EACH = 2


def fill(engine: sa.Engine) -> Rows:
    """Put rows into every table and answer what is in them."""
    found = sa.MetaData()
    found.reflect(engine)
    given: dict[str, list[dict[str, Any]]] = {}
    with engine.begin() as connection:
        for table in found.sorted_tables:
            if table.name == "alembic_version":
                continue
            checks = [str(check["sqltext"]) for check in sa.inspect(connection).get_check_constraints(table.name)]
            given[table.name] = []
            for number in range(EACH):
                given[table.name].append(_insert(connection, table, _row(table, number, given, checks), checks))
    return read(engine)


def empty(engine: sa.Engine) -> None:
    """Take all rows away again."""
    found = sa.MetaData()
    found.reflect(engine)
    with engine.begin() as connection:
        for table in reversed(found.sorted_tables):
            if table.name != "alembic_version":
                connection.execute(table.delete())


def _insert(connection: sa.Connection, table: sa.Table, row: dict[str, Any], checks: list[str]) -> dict[str, Any]:
    """Insert `row`, or the first of its variants that the checks over several columns let pass; answers what was inserted."""
    refused: sa.exc.IntegrityError | None = None
    for variant in _variants(table, row, checks):
        try:
            with connection.begin_nested():
                connection.execute(table.insert().values(variant))
        except sa.exc.IntegrityError as e:
            refused = refused or e
        else:
            return variant
    raise AssertionError(f"no row fits {table.name}") from refused


def _variants(table: sa.Table, row: dict[str, Any], checks: list[str]) -> Iterator[dict[str, Any]]:
    """`row` with other words, and with ever more of what may be null left out."""
    words = {column.name: found for column in table.columns if (found := _one_of(column.name, checks))}
    optional = [column.name for column in table.columns if column.nullable]
    yield row
    for missing in (size for count in (0, 1, 2) for size in itertools.combinations(optional, count)):
        for chosen in itertools.product(*words.values()):
            yield {**row, **dict(zip(words, chosen, strict=True)), **dict.fromkeys(missing)}


def read(engine: sa.Engine) -> Rows:
    """What is in every table, as the database gives it."""
    found = sa.MetaData()
    found.reflect(engine)
    rows: Rows = {}
    with engine.connect() as connection:
        for table in found.sorted_tables:
            if table.name == "alembic_version":
                continue
            columns = sorted(column.name for column in table.columns)
            answer = connection.execute(sa.select(*(table.c[name] for name in columns)))
            rows[table.name] = sorted((tuple(zip(columns, map(repr, row), strict=True)) for row in answer), key=repr)
    return rows


def _row(table: sa.Table, number: int, given: dict[str, list[dict[str, Any]]], checks: list[str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column in table.columns:
        target = next((key.column for key in column.foreign_keys), None)
        if target is not None and target.table is table:
            row[column.name] = None  # to a row of the same table: left out, it may be null
        elif target is not None:
            row[column.name] = given[target.table.name][number][target.name]
        else:
            row[column.name] = _value(table, column, number, checks)
    return row


def _value(table: sa.Table, column: sa.Column[Any], number: int, checks: list[str]) -> Any:
    words = _one_of(column.name, checks)
    if words:
        return words[number % len(words)]
    kind = column.type
    if isinstance(kind, sa.JSON):
        return {"row": number, "text": "Ромашка"} if number else ["a", "b"]
    if isinstance(kind, sa.Boolean):
        return number == 0
    if isinstance(kind, sa.DateTime):
        return START + timedelta(days=number, microseconds=7)
    if isinstance(kind, sa.Integer):
        return number + 1
    if isinstance(kind, sa.Numeric | sa.Float):
        return number + 0.5
    if isinstance(kind, sa.LargeBinary):
        return bytes([number, 255])
    if isinstance(kind, sa.String):
        text = f"{number}ж {table.name}.{column.name}"
        return text[: kind.length] if kind.length else text
    raise TypeError(f"{table.name}.{column.name}: no value is known for a {kind!r}")


def _one_of(column: str, checks: list[str]) -> list[str]:
    """The words that a check allows in `column`: `status IN ('a', 'b')`, or as PostgreSQL writes it, `= ANY (ARRAY['a'::…, 'b'::…])`."""
    for check in checks:
        if re.match(rf"\W*{column}\W", check) and (" IN (" in check or "ANY" in check) and " OR " not in check.upper():
            return re.findall(r"'([^']*)'", check)
    return []
