"""The ladder of one-time codes: each sending, by which channel; and what was typed on a page while the person looks at help."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Until now every code went by text message: so say the codes that are under way, and a process that is one version behind.
    json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.add_column("phone_codes", sa.Column("sent", json, server_default='["sms"]', nullable=False))
    op.create_table(
        "phone_code_sendings",
        sa.Column("message_id", sa.String(length=40), nullable=False),
        sa.Column("code_id", sa.String(length=40), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_phone_code_sendings")),
    )
    op.create_index(op.f("ix_phone_code_sendings_code_id"), "phone_code_sendings", ["code_id"])
    op.create_index(op.f("ix_phone_code_sendings_created_at"), "phone_code_sendings", ["created_at"])
    op.create_table(
        "login_drafts",
        sa.Column("flow_id", sa.String(length=40), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["flow_id"], ["login_flows.id"], name=op.f("fk_login_drafts_flow_id_login_flows"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("flow_id", name=op.f("pk_login_drafts")),
    )


def downgrade() -> None:
    op.drop_table("login_drafts")
    op.drop_table("phone_code_sendings")
    op.drop_column("phone_codes", "sent")
