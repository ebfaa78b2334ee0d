"""What clients may ask for: all of a registration, single claims, resource servers; devices, fetched documents, who may register."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
INSTANT = sa.DateTime(timezone=True)
ADDRESS, ALGORITHM, ENCRYPTION = sa.String(length=2000), sa.String(length=10), sa.String(length=20)

CLIENTS = (
    ("sector_identifier_uri", ADDRESS),
    ("response_types", JSON),
    ("jwks_uri", ADDRESS),
    ("token_endpoint_auth_signing_alg", ALGORITHM),
    ("id_token_encrypted_response_alg", ENCRYPTION),
    ("id_token_encrypted_response_enc", ENCRYPTION),
    ("userinfo_signed_response_alg", ALGORITHM),
    ("userinfo_encrypted_response_alg", ENCRYPTION),
    ("userinfo_encrypted_response_enc", ENCRYPTION),
    ("introspection_signed_response_alg", ALGORITHM),
    ("introspection_encrypted_response_alg", ENCRYPTION),
    ("introspection_encrypted_response_enc", ENCRYPTION),
    ("request_object_signing_alg", ALGORITHM),
    ("request_object_encryption_alg", ENCRYPTION),
    ("request_object_encryption_enc", ENCRYPTION),
    ("require_signed_request_object", sa.Boolean()),
    ("request_uris", JSON),
    ("default_max_age", sa.Integer()),
    ("require_auth_time", sa.Boolean()),
    ("default_acr_values", JSON),
    ("backchannel_logout_uri", ADDRESS),
    ("backchannel_logout_session_required", sa.Boolean()),
    ("frontchannel_logout_uri", ADDRESS),
    ("frontchannel_logout_session_required", sa.Boolean()),
    ("resources", JSON),
    ("claim_mapping", JSON),
    ("contacts", JSON),
    ("software_id", sa.String(length=255)),
    ("software_version", sa.String(length=100)),
    ("registered_by", sa.String(length=10)),
    ("registration_token_digest", sa.String(length=64)),
    ("unused_until", INSTANT),
)
OTHERS = (
    ("client_secrets", "sealed", sa.Text()),
    ("codes", "claims", JSON),
    ("codes", "resources", JSON),
    ("token_families", "claims", JSON),
    ("token_families", "resources", JSON),
    ("opaque_tokens", "audience", JSON),
)


def upgrade() -> None:
    for name, kind in CLIENTS:
        op.add_column("clients", sa.Column(name, kind, nullable=True))
    op.create_index(op.f("ix_clients_unused_until"), "clients", ["unused_until"])
    for table, name, kind in OTHERS:
        op.add_column(table, sa.Column(name, kind, nullable=True))
    op.create_table(
        "fetched_documents",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("fetched_at", INSTANT, nullable=True),
        sa.Column("tried_at", INSTANT, nullable=False),
        sa.Column("failed", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_fetched_documents")),
    )
    op.create_index(op.f("ix_fetched_documents_tried_at"), "fetched_documents", ["tried_at"])
    op.create_table(
        "initial_access_tokens",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("uses_left", sa.Integer(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_initial_access_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_initial_access_tokens_digest")),
    )
    op.create_table(
        "device_authorizations",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("user_code_digest", sa.String(length=64), nullable=False),
        sa.Column("client_id", sa.String(length=100), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("issued", JSON, nullable=True),
        sa.Column("pause", sa.Integer(), nullable=False),
        sa.Column("polled_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("family_id", sa.String(length=40), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_device_authorizations_client_id_clients")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_device_authorizations")),
        sa.UniqueConstraint("user_code_digest", name=op.f("uq_device_authorizations_user_code_digest")),
    )
    op.create_index(op.f("ix_device_authorizations_expires_at"), "device_authorizations", ["expires_at"])


def downgrade() -> None:
    for table in ("device_authorizations", "initial_access_tokens", "fetched_documents"):
        op.drop_table(table)
    for table, name, _ in reversed(OTHERS):
        op.drop_column(table, name)
    op.drop_index(op.f("ix_clients_unused_until"), "clients")
    for name, _ in reversed(CLIENTS):
        op.drop_column("clients", name)
