"""The tables of delegation: clients, secrets and used assertions, parked requests, choices, consents, codes, families, access tokens; what
was fetched for clients, who may register some, and devices that wait.
"""

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
    sector_identifier: Mapped[str | None] = mapped_column(sa.String(255))  # the host that pairwise subjects depend on
    sector_identifier_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    initiate_login_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    client_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    logo_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    policy_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    tos_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    support_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    purpose: Mapped[str | None] = mapped_column(sa.String(300))
    new_browser: Mapped[str | None] = mapped_column(sa.String(16))  # of a process that is one version behind: none, which is `code`
    providers: Mapped[list[str] | None] = mapped_column(Json)  # other providers that its sign-in page offers; none: all that are configured
    # What a client asks for in its registration; none: the default of its specification.
    response_types: Mapped[list[str] | None] = mapped_column(Json)  # none: `code`
    jwks_uri: Mapped[str | None] = mapped_column(sa.String(2000))  # where its keys are fetched (`FetchedDocument`)
    token_endpoint_auth_signing_alg: Mapped[str | None] = mapped_column(sa.String(10))
    id_token_encrypted_response_alg: Mapped[str | None] = mapped_column(sa.String(20))
    id_token_encrypted_response_enc: Mapped[str | None] = mapped_column(sa.String(20))
    userinfo_signed_response_alg: Mapped[str | None] = mapped_column(sa.String(10))
    userinfo_encrypted_response_alg: Mapped[str | None] = mapped_column(sa.String(20))
    userinfo_encrypted_response_enc: Mapped[str | None] = mapped_column(sa.String(20))
    introspection_signed_response_alg: Mapped[str | None] = mapped_column(sa.String(10))
    introspection_encrypted_response_alg: Mapped[str | None] = mapped_column(sa.String(20))
    introspection_encrypted_response_enc: Mapped[str | None] = mapped_column(sa.String(20))
    request_object_signing_alg: Mapped[str | None] = mapped_column(sa.String(10))
    request_object_encryption_alg: Mapped[str | None] = mapped_column(sa.String(20))
    request_object_encryption_enc: Mapped[str | None] = mapped_column(sa.String(20))
    require_signed_request_object: Mapped[bool | None]
    request_uris: Mapped[list[str] | None] = mapped_column(Json)
    default_max_age: Mapped[int | None]
    require_auth_time: Mapped[bool | None]
    default_acr_values: Mapped[list[str] | None] = mapped_column(Json)
    backchannel_logout_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    backchannel_logout_session_required: Mapped[bool | None]
    frontchannel_logout_uri: Mapped[str | None] = mapped_column(sa.String(2000))
    frontchannel_logout_session_required: Mapped[bool | None]
    resources: Mapped[list[str] | None] = mapped_column(Json)  # resource servers that it may name (RFC 8707)
    claim_mapping: Mapped[dict[str, Any] | None] = mapped_column(Json)
    contacts: Mapped[list[str] | None] = mapped_column(Json)
    software_id: Mapped[str | None] = mapped_column(sa.String(255))
    software_version: Mapped[str | None] = mapped_column(sa.String(100))
    # Who registered it: an operator (none), itself (`dynamic`), or the document that its id is the address of (`document`).
    registered_by: Mapped[str | None] = mapped_column(sa.String(10))
    registration_token_digest: Mapped[str | None] = mapped_column(Digest)  # opens its own registration (RFC 7592)
    unused_until: Mapped[datetime | None] = mapped_column(Instant, index=True)  # disabled then, unless it is used meanwhile
    created_at: Mapped[datetime] = mapped_column(Instant)
    updated_at: Mapped[datetime] = mapped_column(Instant)
    disabled_at: Mapped[datetime | None] = mapped_column(Instant)


class ClientSecret(Base):
    """One of a client's secrets; at most two live, so that one can be replaced without a pause."""

    __tablename__ = "client_secrets"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    client_id: Mapped[str] = mapped_column(sa.ForeignKey("clients.id"), index=True)
    digest: Mapped[str] = mapped_column(Digest, unique=True)
    sealed: Mapped[str | None] = mapped_column(sa.Text)  # only where it is used as a key (HS256, `client_secret_jwt`)
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
    claims: Mapped[dict[str, Any] | None] = mapped_column(Json)  # asked for one by one (OpenID Connect Core §5.5)
    resources: Mapped[list[str] | None] = mapped_column(Json)  # the resource servers that were named (RFC 8707)


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
    audience: Mapped[list[str] | None] = mapped_column(Json)  # the resource servers that it is for; none: our own API
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)


class RevokedToken(Base):
    """A JWT access token that was taken back before its time; kept until that time has come."""

    __tablename__ = "revoked_tokens"

    jti: Mapped[str] = mapped_column(sa.String(80), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)


class FetchedDocument(Base):
    """What a client's address held when it was last fetched: its keys, the list of its sector, its description. By the address's digest."""

    __tablename__ = "fetched_documents"

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    body: Mapped[str | None] = mapped_column(sa.Text)  # empty: it was never there
    fetched_at: Mapped[datetime | None] = mapped_column(Instant)
    tried_at: Mapped[datetime] = mapped_column(Instant, index=True)
    failed: Mapped[str | None] = mapped_column(sa.String(40))  # why the last try brought nothing, in a word


class InitialAccessToken(Base):
    """Lets whoever holds it register clients (RFC 7591 §3), by its digest."""

    __tablename__ = "initial_access_tokens"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    digest: Mapped[str] = mapped_column(Digest, unique=True)
    name: Mapped[str] = mapped_column(sa.String(100))
    uses_left: Mapped[int | None]  # none: as many as they like
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)


class DeviceAuthorization(Base):
    """A device that waits for a person at another screen (RFC 8628): both of its codes by their digests."""

    __tablename__ = "device_authorizations"

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)  # of the device code
    user_code_digest: Mapped[str] = mapped_column(Digest, unique=True)
    client_id: Mapped[str] = mapped_column(sa.ForeignKey("clients.id"))
    sealed: Mapped[str] = mapped_column(sa.Text)  # what was asked for
    state: Mapped[str] = mapped_column(sa.String(10))  # waiting, allowed, denied, used
    issued: Mapped[dict[str, Any] | None] = mapped_column(Json)  # who allowed it, as a code would say it
    pause: Mapped[int]  # seconds that the device has to leave between two questions
    polled_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    family_id: Mapped[str | None] = mapped_column(Id)


def as_dict(row: Any) -> dict[str, Any]:
    """A Core row as a dict of its columns."""
    return dict(row._mapping)
