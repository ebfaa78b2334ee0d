"""Lost phones: which passkey was shown, so that it can be looked whether it is still there when the time is over."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recoveries", sa.Column("passkey_id", sa.String(length=40), nullable=True))


def downgrade() -> None:
    op.drop_column("recoveries", "passkey_id")
