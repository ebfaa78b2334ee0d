"""How an ID is deleted: when it was asked for, when it is due, that it was done. And whose doing an event was, found by an index."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

COLUMNS = ("deletion_requested_at", "deletion_due_at", "deleted_at")
DUE, ACTED = sa.text("deletion_due_at IS NOT NULL"), sa.text("actor_id IS NOT NULL")


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("users", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.create_index("ix_users_deletion_due_at", "users", ["deletion_due_at"], sqlite_where=DUE, postgresql_where=DUE)
    op.create_index("ix_events_actor_id", "events", ["actor_id"], sqlite_where=ACTED, postgresql_where=ACTED)


def downgrade() -> None:
    op.drop_index("ix_events_actor_id", "events")
    op.drop_index("ix_users_deletion_due_at", "users")
    for name in reversed(COLUMNS):
        op.drop_column("users", name)
