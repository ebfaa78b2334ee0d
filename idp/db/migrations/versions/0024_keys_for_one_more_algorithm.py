"""Keys that sign by PS256."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _allow("algorithm IN ('RS256', 'ES256', 'Ed25519', 'PS256')")


def downgrade() -> None:
    op.execute("DELETE FROM signing_keys WHERE algorithm = 'PS256'")
    _allow("algorithm IN ('RS256', 'ES256', 'Ed25519')")


def _allow(algorithms: str) -> None:
    with op.batch_alter_table("signing_keys") as keys:
        keys.drop_constraint(op.f("ck_signing_keys_algorithm"), type_="check")
        keys.create_check_constraint(op.f("ck_signing_keys_algorithm"), algorithms)
