"""Which gateways fail, and whose the messages were (as a digest)."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gateway_breakers",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("in_a_row", sa.Integer(), nullable=False),
        sa.Column("recent", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("pause", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("probe_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('closed', 'open')", name=op.f("ck_gateway_breakers_state")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_gateway_breakers")),
    )
    op.add_column("message_receipts", sa.Column("recipient", sa.String(length=80), nullable=True))
    op.add_column("message_receipts", sa.Column("recipient_digest", sa.String(length=64), nullable=True))
    op.add_column("message_receipts", sa.Column("passed", sa.String(length=200), nullable=True))
    op.create_index("ix_message_receipts_recipient_digest_created_at", "message_receipts", ["recipient_digest", "created_at"])


def downgrade() -> None:
    op.drop_index("ix_message_receipts_recipient_digest_created_at", "message_receipts")
    for column in ("passed", "recipient_digest", "recipient"):
        op.drop_column("message_receipts", column)
    op.drop_table("gateway_breakers")
