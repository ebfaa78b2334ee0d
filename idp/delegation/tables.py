"""The tables of delegation: clients, secrets and used assertions, parked requests, choices, consents, codes, families, access tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.db.columns import Base, Digest, Id, Instant, Json


class ClientRow(Base):
    """A registered relying party (RFC 7591 §2 names, where it has one)."""

    __tablename__ = "clients"

    id: Mapped[str] = mapped_column(sa.String(100), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    names: Mapped[dict[str, str]] = mapped_column(Json)  # in other languages, by code (`client_name#ru`, RFC 7591 §2.2)
    kind: Mapped[str] = mapped_column(sa.String(20))
    first_party: Mapped[bool]
    redirect_uris: Mapped[list[str]] = mapped_column(Json)
    post_logout_redirect_uris: Mapped[list[str]] = mapped_column(Json)
    scopes: Mapped[list[str]] = mapped_column(Json)
    grant_types: Mapped[list[str]] = mapped_column(Json)
    account_types: Mapped[list[str]] = mapped_column(Json)
    token_endpoint_auth_method: Mapped[str] = mapped_column(sa.String(30))
    pkce: Mapped[str] = mapped_column(sa.String(10))
    jwks: Mapped[dict[str, Any] | None] = mapped_column(Json)  # public keys only (`client_keys`)
    id_token_signed_response_alg: Mapped[str] = mapped_column(sa.String(10))
    access_token_format: Mapped[str] = mapped_column(sa.String(10))
    subject_type: Mapped[str] = mapped_column(sa.String(10))
    sector_identifier: Mapped[str | None] = mapped_column(sa.String(255))
    initiate_login_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    client_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    logo_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    policy_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    tos_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    support_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    purpose: Mapped[str | None] = mapped_column(sa.String(300))
    new_browser: Mapped[str | None] = mapped_column(sa.String(16))  # of a process that is one version behind: none, which is `code`
    providers: Mapped[list[str] | None] = mapped_column(Json)  # other providers that its sign-in page offers; none: all that are configured
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)
    disabled_at: Mapped[datetime | None] = mapped_column(Instant)


class ClientSecret(Base):
    """One of a client's secrets; at most two live, so that one can be replaced without a pause."""

    __tablename__ = "client_secrets"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    client_id: Mapped[str] = mapped_column(sa.ForeignKey("clients.id"), index=True)
    digest: Mapped[str] = mapped_column(Digest, unique=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class UsedAssertion(Base):
    """An assertion by which a client has proved itself, by the digest of client and `jti`: it is good once, for all workers."""

    __tablename__ = "used_assertions"

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)


class ParkedRequest(Base):
    """An authorization request that waits for the person: one row carries the journey, bound to the browser that began it."""

    __tablename__ = "parked_requests"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    client_id: Mapped[str] = mapped_column(sa.ForeignKey("clients.id"))
    sealed: Mapped[str] = mapped_column(sa.Text)  # the parameters: state, nonce and login_hint are nobody's business in a dump
    binding: Mapped[str] = mapped_column(Digest)
    user_id: Mapped[str | None] = mapped_column(Id)  # who made the choices below; another person's sign-in voids them
    account_id: Mapped[str | None] = mapped_column(Id)
    consented: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)


class AccountChoice(Base):
    """Which account a session last chose for a client; the person's newest one stands first in the chooser."""

    __tablename__ = "account_choices"
    __table_args__ = (sa.Index(None, "user_id", "client_id", "chosen_at"),)

    session_id: Mapped[str] = mapped_column(Id, primary_key=True)
    client_id: Mapped[str] = mapped_column(sa.ForeignKey("clients.id"), primary_key=True)
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id"))
    account_id: Mapped[str] = mapped_column(sa.ForeignKey("accounts.id"))
    chosen_at: Mapped[datetime] = mapped_column(Instant)


class Consent(Base):
    """A grant: what a person allowed a client, as which account. `account_id` is empty where none was asked for."""

    __tablename__ = "consents"
    __table_args__ = (sa.UniqueConstraint("user_id", "client_id", "account_id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id"))
    client_id: Mapped[str] = mapped_column(sa.ForeignKey("clients.id"))
    account_id: Mapped[str] = mapped_column(Id)
    scopes: Mapped[list[str]] = mapped_column(Json)
    granted_at: Mapped[datetime] = mapped_column(Instant)
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)


class _Issued:
    """What request, code and token family hand on to one another, copied and never looked up sideways."""

    client_id: Mapped[str] = mapped_column(sa.ForeignKey("clients.id"))
    user_id: Mapped[str] = mapped_column(sa.ForeignKey("users.id"))
    session_id: Mapped[str] = mapped_column(Id)
    account_id: Mapped[str | None] = mapped_column(Id)
    company_id: Mapped[str | None] = mapped_column(Id)
    scopes: Mapped[list[str]] = mapped_column(Json)
    auth_time: Mapped[datetime] = mapped_column(Instant)
    amr: Mapped[list[str]] = mapped_column(Json)
    acr: Mapped[str] = mapped_column(sa.String(40))


class Code(_Issued, Base):
    """An authorization code, by its digest."""

    __tablename__ = "codes"

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    redirect_uri: Mapped[str] = mapped_column(sa.String(2000))
    code_challenge: Mapped[str] = mapped_column(sa.String(43))  # empty: none was sent
    nonce: Mapped[str | None] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    family_id: Mapped[str | None] = mapped_column(Id)


class TokenFamily(_Issued, Base):
    """All tokens that came of one code. A refresh token is its id, a counter and an HMAC of both: only the counter is stored."""

    __tablename__ = "token_families"
    __table_args__ = (sa.Index(None, "session_id"), sa.Index(None, "user_id", "client_id"), sa.Index(None, "account_id"))

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    refreshable: Mapped[bool]
    offline: Mapped[bool]  # outlives the session (`offline_access`)
    counter: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Instant)
    rotated_at: Mapped[datetime] = mapped_column(Instant)
    idle_expires_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_reason: Mapped[str | None] = mapped_column(sa.String(60))


class OpaqueToken(Base):
    """An opaque access token, by its digest, and what it stands for. A JWT needs no row."""

    __tablename__ = "opaque_tokens"

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    jti: Mapped[str] = mapped_column(sa.String(80))
    client_id: Mapped[str] = mapped_column(sa.ForeignKey("clients.id"))
    family_id: Mapped[str | None] = mapped_column(Id)  # it lives no longer than its family; empty: the client acts for itself
    account_id: Mapped[str | None] = mapped_column(Id)
    scopes: Mapped[list[str]] = mapped_column(Json)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)


class RevokedToken(Base):
    """A JWT access token that was taken back before its time; kept until that time has come."""

    __tablename__ = "revoked_tokens"

    jti: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)


def as_dict(row: Any) -> dict[str, Any]:
    """A Core row as a dict of its columns."""
    return dict(row._mapping)
