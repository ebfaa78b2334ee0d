"""Who exists."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "companies",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("inn", sa.String(length=12), nullable=False),
        sa.Column("ogrn", sa.String(length=15), nullable=True),
        sa.Column("legal_name", sa.String(), nullable=False),
        sa.Column("short_name", sa.String(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("suspended_reason", sa.String(), nullable=True),
        sa.Column("bik", sa.String(length=9), nullable=True),
        sa.Column("bank_account", sa.String(length=20), nullable=True),
        sa.Column("warehouse_address", sa.String(), nullable=True),
        sa.Column("new_browser", sa.String(length=16), nullable=False),
        sa.Column("offer_version", sa.String(), nullable=True),
        sa.Column("offer_accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('sole_proprietor', 'legal_entity')", name=op.f("ck_companies_kind")),
        sa.CheckConstraint("new_browser IN ('code', 'code+password')", name=op.f("ck_companies_new_browser")),
        sa.CheckConstraint("status IN ('registered', 'active', 'suspended')", name=op.f("ck_companies_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_companies")),
    )
    op.create_index("ix_companies_inn", "companies", ["inn"])
    op.create_index(
        "uq_companies_inn_checked",
        "companies",
        ["inn"],
        unique=True,
        sqlite_where=sa.text("activated_at IS NOT NULL"),
        postgresql_where=sa.text("activated_at IS NOT NULL"),
    )
    op.create_table(
        "partners",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("search_name", sa.String(), nullable=False),
        sa.Column("developer", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("website", sa.String(), nullable=True),
        sa.Column("logo", sa.String(), nullable=True),
        sa.Column("client_id", sa.String(length=40), nullable=True),
        sa.Column("scopes", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("status IN ('published', 'hidden')", name=op.f("ck_partners_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partners")),
        sa.UniqueConstraint("client_id", name=op.f("uq_partners_client_id")),
        sa.UniqueConstraint("key", name=op.f("uq_partners_key")),
    )

    op.create_table(
        "users",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("phone", sa.String(length=16), nullable=True),
        sa.Column("phone_verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("email_canonical", sa.String(), nullable=True),
        sa.Column("email_verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("family_name", sa.String(), nullable=True),
        sa.Column("given_name", sa.String(), nullable=True),
        sa.Column("middle_name", sa.String(), nullable=True),
        sa.Column("nickname", sa.String(), nullable=True),
        sa.Column("preferred_username", sa.String(), nullable=True),
        sa.Column("profile", sa.String(), nullable=True),
        sa.Column("picture", sa.String(), nullable=True),
        sa.Column("website", sa.String(), nullable=True),
        sa.Column("gender", sa.String(), nullable=True),
        sa.Column("birthdate", sa.String(), nullable=True),
        sa.Column("zoneinfo", sa.String(), nullable=True),
        sa.Column("locale", sa.String(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("address_formatted", sa.String(), nullable=True),
        sa.Column("street_address", sa.String(), nullable=True),
        sa.Column("locality", sa.String(), nullable=True),
        sa.Column("region", sa.String(), nullable=True),
        sa.Column("postal_code", sa.String(), nullable=True),
        sa.Column("country", sa.String(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_reason", sa.String(), nullable=True),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column("terms_version", sa.String(), nullable=True),
        sa.Column("terms_accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_sign_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('active', 'blocked')", name=op.f("ck_users_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("email_canonical", name=op.f("uq_users_email_canonical")),
        sa.UniqueConstraint("phone", name=op.f("uq_users_phone")),
    )

    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("user_id", sa.String(length=40), nullable=True),
        sa.Column("company_id", sa.String(length=40), nullable=True),
        sa.Column("login_email", sa.String(), nullable=True),
        sa.Column("login_email_canonical", sa.String(), nullable=True),
        sa.Column("password_digest", sa.String(), nullable=True),
        sa.Column("is_premium", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind = 'business' OR (kind = 'employee') = (company_id IS NOT NULL)", name=op.f("ck_accounts_company")),
        sa.CheckConstraint("kind IN ('personal', 'business', 'employee')", name=op.f("ck_accounts_kind")),
        sa.CheckConstraint("status IN ('active', 'closed')", name=op.f("ck_accounts_status")),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_accounts_company_id_companies")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_accounts_user_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("login_email_canonical", name=op.f("uq_accounts_login_email_canonical")),
    )
    op.create_index(op.f("ix_accounts_company_id"), "accounts", ["company_id"])
    op.create_index(op.f("ix_accounts_user_id"), "accounts", ["user_id"])
    op.create_index(
        "uq_accounts_employee",
        "accounts",
        ["user_id", "company_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'employee' AND status = 'active'"),
        postgresql_where=sa.text("kind = 'employee' AND status = 'active'"),
    )
    op.create_index(
        "uq_accounts_personal",
        "accounts",
        ["user_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'personal'"),
        postgresql_where=sa.text("kind = 'personal'"),
    )
    op.create_table(
        "roles",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("company_id", sa.String(length=40), nullable=True),
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_roles_company_id_companies")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roles")),
        sa.UniqueConstraint("company_id", "key", name=op.f("uq_roles_company_id_key")),
    )

    op.create_table(
        "connections",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("company_id", sa.String(length=40), nullable=False),
        sa.Column("partner_id", sa.String(length=40), nullable=False),
        sa.Column("scopes", sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested_by_account_id", sa.String(length=40), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_account_id", sa.String(length=40), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("status IN ('requested', 'active', 'declined', 'cancelled')", name=op.f("ck_connections_status")),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_connections_company_id_companies")),
        sa.ForeignKeyConstraint(["ended_by_account_id"], ["accounts.id"], name=op.f("fk_connections_ended_by_account_id_accounts")),
        sa.ForeignKeyConstraint(["partner_id"], ["partners.id"], name=op.f("fk_connections_partner_id_partners")),
        sa.ForeignKeyConstraint(["requested_by_account_id"], ["accounts.id"], name=op.f("fk_connections_requested_by_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connections")),
    )
    op.create_index(op.f("ix_connections_company_id"), "connections", ["company_id"])
    op.create_index(op.f("ix_connections_partner_id"), "connections", ["partner_id"])
    op.create_index(
        "uq_connections_open",
        "connections",
        ["company_id", "partner_id"],
        unique=True,
        sqlite_where=sa.text("status IN ('requested', 'active')"),
        postgresql_where=sa.text("status IN ('requested', 'active')"),
    )
    op.create_table(
        "employees",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("company_id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("position", sa.String(), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("requested_email", sa.String(), nullable=True),
        sa.Column("requested_email_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("phone", sa.String(length=16), nullable=True),
        sa.Column("picture", sa.String(), nullable=True),
        sa.Column("is_owner", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_reason", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("NOT is_owner OR status = 'active'", name=op.f("ck_employees_owner")),
        sa.CheckConstraint("status IN ('active', 'blocked', 'removed')", name=op.f("ck_employees_status")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_employees_account_id_accounts")),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_employees_company_id_companies")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_employees")),
        sa.UniqueConstraint("account_id", name=op.f("uq_employees_account_id")),
    )
    op.create_index(op.f("ix_employees_company_id"), "employees", ["company_id"])
    op.create_index(
        "uq_employees_owner",
        "employees",
        ["company_id"],
        unique=True,
        sqlite_where=sa.text("is_owner"),
        postgresql_where=sa.text("is_owner"),
    )
    op.create_table(
        "families",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("owner_account_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_account_id"], ["accounts.id"], name=op.f("fk_families_owner_account_id_accounts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_families")),
        sa.UniqueConstraint("owner_account_id", name=op.f("uq_families_owner_account_id")),
    )

    op.create_table(
        "role_permissions",
        sa.Column("role_id", sa.String(length=40), nullable=False),
        sa.Column("permission", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_role_permissions_role_id_roles"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("role_id", "permission", name=op.f("pk_role_permissions")),
    )

    op.create_table(
        "employee_restrictions",
        sa.Column("employee_id", sa.String(length=40), nullable=False),
        sa.Column("permission", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["employee_id"], ["employees.id"], name=op.f("fk_employee_restrictions_employee_id_employees"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("employee_id", "permission", name=op.f("pk_employee_restrictions")),
    )

    op.create_table(
        "employee_roles",
        sa.Column("employee_id", sa.String(length=40), nullable=False),
        sa.Column("role_id", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["employee_id"], ["employees.id"], name=op.f("fk_employee_roles_employee_id_employees"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_employee_roles_role_id_roles")),
        sa.PrimaryKeyConstraint("employee_id", "role_id", name=op.f("pk_employee_roles")),
    )
    op.create_index(op.f("ix_employee_roles_role_id"), "employee_roles", ["role_id"])
    op.create_table(
        "family_members",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("family_id", sa.String(length=40), nullable=False),
        sa.Column("account_id", sa.String(length=40), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_family_members_account_id_accounts")),
        sa.ForeignKeyConstraint(["family_id"], ["families.id"], name=op.f("fk_family_members_family_id_families")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_family_members")),
    )
    op.create_index(op.f("ix_family_members_family_id"), "family_members", ["family_id"])
    op.create_index(
        "uq_family_members_account",
        "family_members",
        ["account_id"],
        unique=True,
        sqlite_where=sa.text("left_at IS NULL"),
        postgresql_where=sa.text("left_at IS NULL"),
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("token_digest", sa.String(length=64), nullable=False),
        sa.Column("company_id", sa.String(length=40), nullable=True),
        sa.Column("family_id", sa.String(length=40), nullable=True),
        sa.Column("role_id", sa.String(length=40), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("phone", sa.String(length=16), nullable=True),
        sa.Column("contact", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("inviter_account_id", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by_user_id", sa.String(length=40), nullable=True),
        sa.Column("account_id", sa.String(length=40), nullable=True),
        sa.CheckConstraint("status IN ('pending', 'accepted', 'declined', 'revoked', 'expired')", name=op.f("ck_invitations_status")),
        sa.CheckConstraint("(company_id IS NULL) <> (family_id IS NULL)", name=op.f("ck_invitations_target")),
        sa.CheckConstraint("(company_id IS NULL) = (role_id IS NULL)", name=op.f("ck_invitations_role")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_invitations_account_id_accounts")),
        sa.ForeignKeyConstraint(["answered_by_user_id"], ["users.id"], name=op.f("fk_invitations_answered_by_user_id_users")),
        sa.ForeignKeyConstraint(["company_id"], ["companies.id"], name=op.f("fk_invitations_company_id_companies")),
        sa.ForeignKeyConstraint(["family_id"], ["families.id"], name=op.f("fk_invitations_family_id_families")),
        sa.ForeignKeyConstraint(["inviter_account_id"], ["accounts.id"], name=op.f("fk_invitations_inviter_account_id_accounts")),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_invitations_role_id_roles")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_invitations_token_digest")),
    )
    op.create_index("ix_invitations_company_id_created_at", "invitations", ["company_id", "created_at"])
    op.create_index(op.f("ix_invitations_contact"), "invitations", ["contact"])
    op.create_index(op.f("ix_invitations_role_id"), "invitations", ["role_id"])
    op.create_index("ix_invitations_status_expires_at", "invitations", ["status", "expires_at"])
    op.create_index(
        "uq_invitations_company_contact",
        "invitations",
        ["company_id", "contact"],
        unique=True,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "uq_invitations_family_contact",
        "invitations",
        ["family_id", "contact"],
        unique=True,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )


def downgrade() -> None:
    op.drop_table("invitations")
    op.drop_table("family_members")
    op.drop_table("employee_roles")
    op.drop_table("employee_restrictions")
    op.drop_table("role_permissions")
    op.drop_table("families")
    op.drop_table("employees")
    op.drop_table("connections")
    op.drop_table("roles")
    op.drop_table("accounts")
    op.drop_table("users")
    op.drop_table("partners")
    op.drop_table("companies")
