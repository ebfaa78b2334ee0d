"""Proofs beside the code: what a sign-in has proved so far, and which browsers have seen a password."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
COLUMNS = (
    ("login_flows", "given", JSON),
    ("login_flows", "wanted", JSON),
    ("login_flows", "account_id", sa.String(length=40)),
    ("sessions", "password_at", sa.DateTime(timezone=True)),
    ("sessions", "account_id", sa.String(length=40)),
    ("devices", "password_at", sa.DateTime(timezone=True)),
    ("clients", "new_browser", sa.String(length=16)),
)


def upgrade() -> None:
    for table, name, kind in COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    for table, name, _ in reversed(COLUMNS):
        op.drop_column(table, name)
