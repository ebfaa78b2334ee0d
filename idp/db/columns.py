"""What every table is made of: `Base`, with names for all constraints, and the column types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

# Without names a constraint cannot be dropped on SQLite: so from the first table on, all have one.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The root of every table class; foreign keys between rooms are written as text ("users.id")."""

    metadata = sa.MetaData(naming_convention=NAMES)


class Instant(TypeDecorator[datetime]):
    """An instant in UTC. A datetime without a zone is refused: it has been a local time once too often."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """To the database: as UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs its zone: use clock.now()")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """From the database: with its zone, which SQLite does not keep."""
        if value is None or value.tzinfo is UTC:
            return value
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


LATER = "idp.later"
"""An execution option: nobody reads this statement's answer, so on PostgreSQL it goes with what follows it. A failure is raised there."""

Json = sa.JSON().with_variant(JSONB(), "postgresql")
Id = sa.String(40)
Digest = sa.String(64)


def table(model: type[Base]) -> sa.Table:
    """The Core table of a table class: for statements that should not pass through the ORM."""
    return cast("sa.Table", model.__table__)


def row_values(model: type[Base], **values: Any) -> dict[str, Any]:
    """`values` checked against the columns of `model`; raises KeyError for a name that is no column."""
    columns = table(model).c
    for name in values:
        columns[name]
    return values


def asked_for(like: sa.ColumnElement[Any]) -> sa.Subquery:
    """The value `wanted` of a statement as a table of one row, for `outerjoin`: then nobody gives a row as well, and finding somebody takes
    no longer than finding nobody (G-7).
    """
    return sa.select(sa.bindparam("wanted", type_=like.type).label("wanted")).subquery("asked")
