"""Keys that others encrypt to: they sign nothing."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _allow("algorithm IN ('RS256', 'ES256', 'Ed25519', 'PS256', 'RSA-OAEP-256', 'ECDH-ES')")


def downgrade() -> None:
    op.execute("DELETE FROM signing_keys WHERE algorithm IN ('RSA-OAEP-256', 'ECDH-ES')")
    _allow("algorithm IN ('RS256', 'ES256', 'Ed25519', 'PS256')")


def _allow(algorithms: str) -> None:
    with op.batch_alter_table("signing_keys") as keys:
        keys.drop_constraint(op.f("ck_signing_keys_algorithm"), type_="check")
        keys.create_check_constraint(op.f("ck_signing_keys_algorithm"), algorithms)
