"""The rows of the directory: users, accounts, companies, roles, employees, invitations, families, partners.

A uniqueness that two requests may race for stands here as an index: the rules insert and look at the row count, they do not look first.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.db.columns import Base, Digest, Id, Instant, Json

_DELETED = sa.text("deletion_due_at IS NOT NULL")  # the few that are to be deleted


def _one_of(column: str, *words: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(sa.column(column).in_(words), name=column)


def _unique_where(name: str, *columns: str, where: str) -> sa.Index:
    return sa.Index(name, *columns, unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


class User(Base):
    """One person's ID; `id` is the OIDC `sub`.

    The profile columns bear the names of OpenID Connect Core §5.4, the address ones those of §5.1.1.
    NOTE: `email_canonical` is filled in only once the address is verified, so nobody can occupy an address that is not theirs.
    NOTE: what was proved before `proofs_since`, in a sign-in that is still under way, counts for nothing: meanwhile the person was
    signed out everywhere, or has another password or number.
    NOTE: a proof that is older than `rights_raised_at` counts for nothing: it was given for lesser rights.
    NOTE: while `phone_doubted_at` is set, somebody who held the number did not show that the ID is theirs: a code alone does not open it.
    NOTE: once `deleted_at` is set the row is only the `id`, which nobody gets again; it is `blocked` for good, and names nobody.
    NOTE: `phone_changes_at` is set while a recovery waits (`credentials/recoveries`): whoever signs in is asked whether it was them.
    """

    __tablename__ = "users"
    __table_args__ = (
        _one_of("status", "active", "blocked"),
        sa.Index("ix_users_deletion_due_at", "deletion_due_at", sqlite_where=_DELETED, postgresql_where=_DELETED),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    phone: Mapped[str | None] = mapped_column(sa.String(16), unique=True)
    phone_verified_at: Mapped[datetime | None] = mapped_column(Instant)
    email: Mapped[str | None]
    email_canonical: Mapped[str | None] = mapped_column(unique=True)
    email_verified_at: Mapped[datetime | None] = mapped_column(Instant)

    name: Mapped[str | None]
    family_name: Mapped[str | None]
    given_name: Mapped[str | None]
    middle_name: Mapped[str | None]
    nickname: Mapped[str | None]
    preferred_username: Mapped[str | None]
    profile: Mapped[str | None]
    picture: Mapped[str | None]
    website: Mapped[str | None]
    gender: Mapped[str | None]
    birthdate: Mapped[str | None]
    zoneinfo: Mapped[str | None]
    locale: Mapped[str | None]
    updated_at: Mapped[datetime] = mapped_column(Instant)

    address_formatted: Mapped[str | None]
    street_address: Mapped[str | None]
    locality: Mapped[str | None]
    region: Mapped[str | None]
    postal_code: Mapped[str | None]
    country: Mapped[str | None]

    status: Mapped[str] = mapped_column(sa.String(16), default="active")
    blocked_at: Mapped[datetime | None] = mapped_column(Instant)
    blocked_reason: Mapped[str | None]
    is_test: Mapped[bool] = mapped_column(default=False)
    terms_version: Mapped[str | None]
    terms_accepted_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_sign_in_at: Mapped[datetime | None] = mapped_column(Instant)
    phone_doubted_at: Mapped[datetime | None] = mapped_column(Instant)
    rights_raised_at: Mapped[datetime | None] = mapped_column(Instant)
    proofs_since: Mapped[datetime | None] = mapped_column(Instant)
    deletion_requested_at: Mapped[datetime | None] = mapped_column(Instant)
    deletion_due_at: Mapped[datetime | None] = mapped_column(Instant)
    deleted_at: Mapped[datetime | None] = mapped_column(Instant)
    phone_changes_at: Mapped[datetime | None] = mapped_column(Instant)


class Company(Base):
    """A seller: a sole proprietor or a legal entity.

    NOTE: an INN is unique among companies that the operator has checked. A mere registration does not occupy it: else a stranger could
    keep a seller out by registering their number first.
    NOTE: `remember_browser` (seconds) only shortens what the provider allows; 0: no browser's word counts for the people who work here.
    """

    __tablename__ = "companies"
    __table_args__ = (
        _one_of("kind", "sole_proprietor", "legal_entity"),
        _one_of("status", "registered", "active", "suspended"),
        _one_of("new_browser", "code", "code+password"),
        sa.Index("ix_companies_inn", "inn"),
        _unique_where("uq_companies_inn_checked", "inn", where="activated_at IS NOT NULL"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    inn: Mapped[str] = mapped_column(sa.String(12))
    ogrn: Mapped[str | None] = mapped_column(sa.String(15))
    legal_name: Mapped[str]
    short_name: Mapped[str]
    status: Mapped[str] = mapped_column(sa.String(16), default="registered")
    activated_at: Mapped[datetime | None] = mapped_column(Instant)
    suspended_at: Mapped[datetime | None] = mapped_column(Instant)
    suspended_reason: Mapped[str | None]
    bik: Mapped[str | None] = mapped_column(sa.String(9))
    bank_account: Mapped[str | None] = mapped_column(sa.String(20))
    warehouse_address: Mapped[str | None]
    new_browser: Mapped[str] = mapped_column(sa.String(16), default="code")
    remember_browser: Mapped[int | None]
    offer_version: Mapped[str | None]
    offer_accepted_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)


class Picture(Base):
    """A person's picture, drawn by us; one each. `id` cannot be guessed: whoever has the address may see it."""

    __tablename__ = "pictures"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("users.id", ondelete="CASCADE"), unique=True)
    content: Mapped[bytes] = mapped_column(sa.LargeBinary)
    small: Mapped[bytes] = mapped_column(sa.LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Instant)


class Account(Base):
    """What a person signs in as. Until it is linked, `user_id` is empty; a link to an ID is for good.

    NOTE: its password stands in `credentials`; `password_digest` was never written, and is here for processes one version behind.
    """

    __tablename__ = "accounts"
    __table_args__ = (
        _one_of("kind", "personal", "business", "employee"),
        _one_of("status", "active", "closed"),
        sa.CheckConstraint("kind = 'business' OR (kind = 'employee') = (company_id IS NOT NULL)", name="company"),
        _unique_where("uq_accounts_personal", "user_id", where="kind = 'personal'"),
        _unique_where("uq_accounts_employee", "user_id", "company_id", where="kind = 'employee' AND status = 'active'"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    user_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("users.id"), index=True)
    company_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("companies.id"), index=True)
    login_email: Mapped[str | None]
    login_email_canonical: Mapped[str | None] = mapped_column(unique=True)
    password_digest: Mapped[str | None]
    login_email_verified_at: Mapped[datetime | None] = mapped_column(Instant)
    is_premium: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(sa.String(16), default="active")
    created_at: Mapped[datetime] = mapped_column(Instant)
    linked_at: Mapped[datetime | None] = mapped_column(Instant)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)


class Role(Base):
    """A named set of permissions: one of the five that every company has (`company_id` empty), or a company's own."""

    __tablename__ = "roles"
    __table_args__ = (sa.UniqueConstraint("company_id", "key"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    company_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("companies.id"))
    key: Mapped[str] = mapped_column(sa.String(40))
    title: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(Instant)


class RolePermission(Base):
    """One permission of a role."""

    __tablename__ = "role_permissions"

    role_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("roles.id", ondelete="CASCADE"), primary_key=True)
    permission: Mapped[str] = mapped_column(sa.String(40), primary_key=True)


class Employee(Base):
    """A person in a company, as the company sees them: name and addresses here are the company's, not the ID's.

    NOTE: the owner always has the role `administrator`, so a company is never without one.
    """

    __tablename__ = "employees"
    __table_args__ = (
        _one_of("status", "active", "blocked", "removed"),
        sa.CheckConstraint("NOT is_owner OR status = 'active'", name="owner"),
        _unique_where("uq_employees_owner", "company_id", where="is_owner"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    account_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("accounts.id"), unique=True)
    company_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("companies.id"), index=True)
    name: Mapped[str | None]
    position: Mapped[str | None]
    email: Mapped[str | None]
    requested_email: Mapped[str | None]
    requested_email_at: Mapped[datetime | None] = mapped_column(Instant)
    phone: Mapped[str | None] = mapped_column(sa.String(16))
    picture: Mapped[str | None]
    is_owner: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(sa.String(16), default="active")
    blocked_at: Mapped[datetime | None] = mapped_column(Instant)
    blocked_until: Mapped[datetime | None] = mapped_column(Instant)
    blocked_reason: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(Instant)
    removed_at: Mapped[datetime | None] = mapped_column(Instant)


class EmployeeRole(Base):
    """One role of an employee."""

    __tablename__ = "employee_roles"

    employee_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("employees.id", ondelete="CASCADE"), primary_key=True)
    role_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("roles.id"), primary_key=True, index=True)


class EmployeeRestriction(Base):
    """One permission that an employee's roles would give and that was taken away from this employee."""

    __tablename__ = "employee_restrictions"

    employee_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("employees.id", ondelete="CASCADE"), primary_key=True)
    permission: Mapped[str] = mapped_column(sa.String(40), primary_key=True)


class Family(Base):
    """A personal account and the accounts of its family."""

    __tablename__ = "families"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    owner_account_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("accounts.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)


class FamilyMember(Base):
    """One membership, from `joined_at` to `left_at`. An account belongs to one family at a time."""

    __tablename__ = "family_members"
    __table_args__ = (_unique_where("uq_family_members_account", "account_id", where="left_at IS NULL"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    family_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("families.id"), index=True)
    account_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("accounts.id"))
    joined_at: Mapped[datetime] = mapped_column(Instant)
    left_at: Mapped[datetime | None] = mapped_column(Instant)


class Invitation(Base):
    """An offer to become an employee (with `company_id`, `role_id`) or a family member (with `family_id`).

    Everything that is offered stands in this row; the link holds a random token and nothing else, so there is nothing in it to edit.
    `contact` is the canonical form of `email` or `phone`: one open offer for each, in one company or family.
    """

    __tablename__ = "invitations"
    __table_args__ = (
        _one_of("status", "pending", "accepted", "declined", "revoked", "expired"),
        sa.CheckConstraint("(company_id IS NULL) <> (family_id IS NULL)", name="target"),
        sa.CheckConstraint("(company_id IS NULL) = (role_id IS NULL)", name="role"),
        _unique_where("uq_invitations_company_contact", "company_id", "contact", where="status = 'pending'"),
        _unique_where("uq_invitations_family_contact", "family_id", "contact", where="status = 'pending'"),
        sa.Index("ix_invitations_company_id_created_at", "company_id", "created_at"),
        sa.Index("ix_invitations_status_expires_at", "status", "expires_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    token_digest: Mapped[str] = mapped_column(Digest, unique=True)
    company_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("companies.id"))
    family_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("families.id"))
    role_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("roles.id"), index=True)
    email: Mapped[str | None]
    phone: Mapped[str | None] = mapped_column(sa.String(16))
    contact: Mapped[str] = mapped_column(index=True)
    name: Mapped[str | None]
    inviter_account_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("accounts.id"))
    status: Mapped[str] = mapped_column(sa.String(16), default="pending")
    created_at: Mapped[datetime] = mapped_column(Instant)
    sent_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    answered_at: Mapped[datetime | None] = mapped_column(Instant)
    answered_by_user_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("users.id"))
    account_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("accounts.id"))


class Partner(Base):
    """A technology partner's published app. `scopes` is the most that a company can let it do.

    `client_id` is the client it speaks as; no foreign key, since clients stand on a floor above.
    """

    __tablename__ = "partners"
    __table_args__ = (_one_of("status", "published", "hidden"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(40), unique=True)
    name: Mapped[str]
    search_name: Mapped[str]
    developer: Mapped[str]
    description: Mapped[str | None]
    website: Mapped[str | None]
    logo: Mapped[str | None]
    client_id: Mapped[str | None] = mapped_column(Id, unique=True)
    scopes: Mapped[list[Any]] = mapped_column(Json)
    status: Mapped[str] = mapped_column(sa.String(16), default="published")
    created_at: Mapped[datetime] = mapped_column(Instant)


class Connection(Base):
    """A company's two-sided agreement to let a partner in: the company asks, the partner confirms, either side ends it."""

    __tablename__ = "connections"
    __table_args__ = (
        _one_of("status", "requested", "active", "declined", "cancelled"),
        _unique_where("uq_connections_open", "company_id", "partner_id", where="status IN ('requested', 'active')"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    company_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("companies.id"), index=True)
    partner_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("partners.id"), index=True)
    scopes: Mapped[list[Any]] = mapped_column(Json)
    status: Mapped[str] = mapped_column(sa.String(16), default="requested")
    requested_at: Mapped[datetime] = mapped_column(Instant)
    requested_by_account_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("accounts.id"))
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_by_account_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("accounts.id"))
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)
