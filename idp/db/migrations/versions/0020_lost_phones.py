"""Lost phones: who asked for a new number, how it was proved, who vouched, until when it waits."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

INSTANTS = ("phone_proved_at", "email_proved_at", "begun_at", "due_at", "ended_at")
WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    op.create_table(
        "recoveries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("flow_id", sa.String(length=40), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=True),
        sa.Column("phone", sa.Text(), nullable=False),
        sa.Column("phone_digest", sa.String(length=64), nullable=False),
        sa.Column("former_digest", sa.String(length=64), nullable=True),
        sa.Column("phone_code_id", sa.String(length=40), nullable=True),
        sa.Column("email_code_id", sa.String(length=40), nullable=True),
        sa.Column("vouch_digest", sa.String(length=64), nullable=True),
        sa.Column("way", sa.String(length=16), nullable=True),
        sa.Column("browser_id", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.DateTime(timezone=True), nullable=True) for name in INSTANTS),
        sa.Column("ended_reason", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recoveries_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recoveries")),
        sa.UniqueConstraint("vouch_digest", name=op.f("uq_recoveries_vouch_digest")),
    )
    for column in ("flow_id", "user_id", "phone_digest", "expires_at"):
        op.create_index(op.f(f"ix_recoveries_{column}"), "recoveries", [column])
    op.create_index("ix_recoveries_state_due_at", "recoveries", ["state", "due_at"])
    op.create_index("uq_recoveries_waiting", "recoveries", ["user_id"], unique=True, sqlite_where=WAITING, postgresql_where=WAITING)
    op.create_table(
        "recovery_vouches",
        sa.Column("recovery_id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("vouched_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["recovery_id"], ["recoveries.id"], name=op.f("fk_recovery_vouches_recovery_id_recoveries"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_vouches_user_id_users")),
        sa.PrimaryKeyConstraint("recovery_id", "user_id", name=op.f("pk_recovery_vouches")),
    )
    op.add_column("users", sa.Column("phone_changes_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("users", "phone_changes_at")
    op.drop_table("recovery_vouches")
    op.drop_table("recoveries")
