"""Passwords of people and of accounts with a login e-mail, what was guessed at them, and sign-ins that began with one."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "passwords",
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=200), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_phone", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", name=op.f("pk_passwords")),
    )
    op.create_table(
        "password_guesses",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("recent", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("in_a_row", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_password_guesses")),
    )
    op.create_index(op.f("ix_password_guesses_changed_at"), "password_guesses", ["changed_at"])
    op.create_table(
        "password_resets",
        sa.Column("flow_id", sa.String(length=40), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=True),
        sa.Column("code_id", sa.String(length=40), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["flow_id"], ["login_flows.id"], name=op.f("fk_password_resets_flow_id_login_flows"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("flow_id", name=op.f("pk_password_resets")),
    )
    op.add_column("accounts", sa.Column("login_email_verified_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("login_flows", sa.Column("password_owner_id", sa.String(length=40), nullable=True))
    op.add_column("login_flows", sa.Column("password_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("login_flows", "password_at")
    op.drop_column("login_flows", "password_owner_id")
    op.drop_column("accounts", "login_email_verified_at")
    op.drop_table("password_resets")
    op.drop_index(op.f("ix_password_guesses_changed_at"), table_name="password_guesses")
    op.drop_table("password_guesses")
    op.drop_table("passwords")
