"""Authenticator apps and recovery codes."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

LIVE = sa.text("confirmed_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "authenticators",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("session_id", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_authenticators_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_authenticators")),
    )
    op.create_index(op.f("ix_authenticators_user_id"), "authenticators", ["user_id"])
    op.create_index(op.f("ix_authenticators_created_at"), "authenticators", ["created_at"])
    op.create_index("uq_authenticators_live", "authenticators", ["user_id"], unique=True, sqlite_where=LIVE, postgresql_where=LIVE)
    op.create_table(
        "recovery_code_sets",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=False),
        sa.Column("sealed_salt", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_code_sets_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code_sets")),
        sa.UniqueConstraint("user_id", name=op.f("uq_recovery_code_sets_user_id")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("set_id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["set_id"], ["recovery_code_sets.id"], name=op.f("fk_recovery_codes_set_id_recovery_code_sets"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("set_id", "digest", name=op.f("pk_recovery_codes")),
    )


def downgrade() -> None:
    op.drop_table("recovery_codes")
    op.drop_table("recovery_code_sets")
    op.drop_table("authenticators")
