"""The rows of signing in: sessions (single sign-on), sign-ins that are under way, and what was typed in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.db.columns import Base, Digest, Id, Instant, Json


class Session(Base):
    """A signed-in browser; `id` is the OIDC `sid`.

    NOTE: `auth_time` and `amr` are the last real proof's. Pressing one's name in a known browser moves only `confirmed_at`.
    `password_at`: when a password or a passkey was last given in this browser. `account_id`: the account whose password signed in.
    NOTE: `expires_at` holds whatever happens; `idle_expires_at` moves with use by `idle_lifetime` (seconds), and never past it.
    """

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("users.id"), index=True)
    secret_digest: Mapped[str] = mapped_column(Digest, unique=True)
    browser_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("browsers.id"), index=True)
    amr: Mapped[list[str]] = mapped_column(Json)
    acr: Mapped[str] = mapped_column(sa.String(32))
    auth_time: Mapped[datetime] = mapped_column(Instant)
    confirmed_at: Mapped[datetime] = mapped_column(Instant)
    ip: Mapped[str] = mapped_column(sa.String(45))
    browser_name: Mapped[str] = mapped_column(sa.String(80))
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_seen_at: Mapped[datetime] = mapped_column(Instant)
    idle_expires_at: Mapped[datetime] = mapped_column(Instant)
    idle_lifetime: Mapped[int | None]
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_reason: Mapped[str | None] = mapped_column(sa.String(32))
    password_at: Mapped[datetime | None] = mapped_column(Instant)
    account_id: Mapped[str | None] = mapped_column(Id)


class LoginFlow(Base):
    """A sign-in under way: where it leads, what is demanded, and what has been proved so far.

    NOTE: `browser_digest` binds it to the browser that began it; the id, which stands in the address, is worth nothing without that cookie.
    NOTE: which number is being proved, and whether it was, stands only in the row of `phone_code_id`. Nothing that a form sends can name
    another number or skip the proof.
    NOTE: once `doubted_user_id` is set, what has been proved so far (`given`, one object for each proof) leads to that ID and does not open
    it: either one of `wanted` is proved too (the row of `email_code_id`, where that was chosen), or (`anew_at`) a fresh ID begins with the
    number. `account_id`: the account whose password was given.
    NOTE: `password_owner_id`: whose password was right (at `password_at`) while more is to be shown before it signs anybody in: that its
    address is read, or to which ID the account is to be linked.
    NOTE: `social_request_id` is a journey to another provider that named somebody whom nobody here is linked to. It proves nothing here.
    NOTE: `awaiting_work` is what was asked for (a number, sealed) while the browser proves that it works for it.
    """

    __tablename__ = "login_flows"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    browser_digest: Mapped[str] = mapped_column(Digest)
    return_to: Mapped[str] = mapped_column(sa.Text)
    cancel_to: Mapped[str | None] = mapped_column(sa.Text)
    demand: Mapped[dict[str, Any]] = mapped_column(Json)
    login_hint: Mapped[str | None] = mapped_column(sa.Text)
    client_name: Mapped[str | None] = mapped_column(sa.Text)
    client_logo: Mapped[str | None] = mapped_column(sa.Text)
    ui_locales: Mapped[list[str]] = mapped_column(Json)
    phone_code_id: Mapped[str | None] = mapped_column(Id)
    awaiting_work: Mapped[str | None] = mapped_column(sa.Text)
    remember: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    doubted_user_id: Mapped[str | None] = mapped_column(Id)
    email_code_id: Mapped[str | None] = mapped_column(Id)
    anew_at: Mapped[datetime | None] = mapped_column(Instant)
    given: Mapped[list[dict[str, Any]] | None] = mapped_column(Json)
    wanted: Mapped[list[str] | None] = mapped_column(Json)
    account_id: Mapped[str | None] = mapped_column(Id)
    providers: Mapped[list[str] | None] = mapped_column(Json)  # of those configured, which are offered; none: all
    social_request_id: Mapped[str | None] = mapped_column(Id)
    password_owner_id: Mapped[str | None] = mapped_column(Id)
    password_at: Mapped[datetime | None] = mapped_column(Instant)


class PasswordReset(Base):
    """A forgotten password in this sign-in: the login that was typed (sealed), whose password it is, and how far its owner has come.

    NOTE: `owner_id` is empty where nobody has such a password; then all goes on as if, and no code is right.
    NOTE: `proved_at` once the code was used up, `done_at` once a password was set; a password that is younger than `begun_at` ends it.
    """

    __tablename__ = "password_resets"

    flow_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("login_flows.id", ondelete="CASCADE"), primary_key=True)
    login: Mapped[str] = mapped_column(sa.Text)
    owner_id: Mapped[str | None] = mapped_column(Id)
    code_id: Mapped[str] = mapped_column(Id)
    begun_at: Mapped[datetime] = mapped_column(Instant)
    proved_at: Mapped[datetime | None] = mapped_column(Instant)
    done_at: Mapped[datetime | None] = mapped_column(Instant)


class LoginDraft(Base):
    """What was typed on a page of a sign-in, kept while the person looks at help. Sealed: it may be a number, a name or a code."""

    __tablename__ = "login_drafts"

    flow_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("login_flows.id", ondelete="CASCADE"), primary_key=True)
    sealed: Mapped[str] = mapped_column(sa.Text)
