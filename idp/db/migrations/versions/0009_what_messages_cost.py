"""What messages cost: the ledger, the budgets of a day, and work that was shown."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "spend_counts",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("messages", sa.BigInteger(), nullable=False),
        sa.Column("verified", sa.BigInteger(), nullable=False),
        sa.Column("most", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "kind", "subject", "shard", name=op.f("pk_spend_counts")),
    )
    op.create_table(
        "spend_alarms",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("mark", sa.String(length=32), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("day", "kind", "subject", "mark", name=op.f("pk_spend_alarms")),
    )
    op.create_table(
        "spend_ledger",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("code_id", sa.String(length=40), nullable=True),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("prefix", sa.String(length=8), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("reserve", sa.String(length=8), nullable=False),
        sa.Column("day_shard", sa.Integer(), nullable=False),
        sa.Column("country_shard", sa.Integer(), nullable=False),
        sa.Column("gateway", sa.String(length=32), nullable=True),
        sa.Column("parts", sa.Integer(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("is_doubtful", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("returned_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spend_ledger")),
    )
    op.create_index("ix_spend_ledger_code_id", "spend_ledger", ["code_id"])
    op.create_index("ix_spend_ledger_day_created_at", "spend_ledger", ["day", "created_at"])
    unsent = sa.text("sent_at IS NULL AND returned_at IS NULL")
    op.create_index("ix_spend_ledger_unsent", "spend_ledger", ["created_at"], sqlite_where=unsent, postgresql_where=unsent)
    op.create_table(
        "used_work",
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_used_work")),
    )
    op.create_index("ix_used_work_expires_at", "used_work", ["expires_at"])
    op.add_column("login_flows", sa.Column("awaiting_work", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("login_flows", "awaiting_work")
    op.drop_table("used_work")
    op.drop_table("spend_ledger")
    op.drop_table("spend_alarms")
    op.drop_table("spend_counts")
