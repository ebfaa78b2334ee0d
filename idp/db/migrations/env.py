"""Alembic's doorway: runs the revisions on the connection that `idp/db/schema.py` has opened, locked and begun."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context

from idp.db.columns import Base, Instant


def render_item(kind: str, item: Any, autogenerating: Any) -> str | Literal[False]:
    """A revision is history: it names no type of ours that could change later."""
    if kind == "type" and isinstance(item, Instant):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, sa.JSON):
        autogenerating.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def include_object(_item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
    """When a revision is written: whether it looks at this."""
    only = context.config.attributes.get("only")
    return only is None or kind != "table" or name in only


context.configure(
    connection=context.config.attributes["connection"],
    # Holds the tables only when a revision is written (schema.load_tables walks the rooms); the names of constraints, always.
    target_metadata=Base.metadata,
    compare_type=True,
    compare_server_default=True,
    render_as_batch=True,
    render_item=render_item,
    include_object=include_object,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
