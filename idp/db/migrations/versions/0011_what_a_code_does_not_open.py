"""What a code or a known browser does not open: numbers that changed hands, proofs for lesser rights, companies that trust no browser."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COLUMNS = (
    ("users", "phone_doubted_at", sa.DateTime(timezone=True)),
    ("users", "rights_raised_at", sa.DateTime(timezone=True)),
    ("companies", "remember_browser", sa.Integer()),
    ("browsers", "language", sa.String(length=16)),
    ("sessions", "idle_lifetime", sa.Integer()),
    ("login_flows", "doubted_user_id", sa.String(length=40)),
    ("login_flows", "email_code_id", sa.String(length=40)),
    ("login_flows", "anew_at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    for table, name, kind in COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    for table, name, _ in reversed(COLUMNS):
        op.drop_column(table, name)
