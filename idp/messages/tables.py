"""The rows of messages: what the inbox of a desk has received, and what became of what was sent, which gateways fail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.db.columns import Base, Digest, Id, Instant, Json

RECEIPT_STATES = ("queued", "sent", "delivered", "failed")
BREAKER_STATES = ("closed", "open")


class InboxMessage(Base):
    """A message that was delivered to the inbox. `id` is its outbox row's, so that one that is delivered twice is there once.

    NOTE: recipient, text, code and link are sealed: even a desk's database tells nobody's code.
    """

    __tablename__ = "inbox_messages"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    channel: Mapped[str] = mapped_column(sa.String(16))
    recipient_digest: Mapped[str] = mapped_column(Digest, index=True)
    sealed: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)


class Receipt(Base):
    """What became of a message that a channel was given. `id` is its outbox row's, which is what the gateway knows it by.

    NOTE: neither number nor text nor code stands here, and `reason` is a word of ours (`status_500`, `timeout`), never the gateway's text.
    `recipient` is masked (`+7…01`); `recipient_digest` (an HMAC) finds what went to one number or address. `passed`: the gateways that did
    not take it in the last try, and why.
    """

    __tablename__ = "message_receipts"
    __table_args__ = (
        sa.CheckConstraint(sa.column("state").in_(RECEIPT_STATES), name="state"),
        sa.Index("ix_message_receipts_gateway_message_id", "gateway_message_id"),
        sa.Index("ix_message_receipts_created_at", "created_at"),
        sa.Index("ix_message_receipts_recipient_digest_created_at", "recipient_digest", "created_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    channel: Mapped[str] = mapped_column(sa.String(16))
    wording: Mapped[str] = mapped_column(sa.String(40))
    gateway: Mapped[str] = mapped_column(sa.String(32))
    gateway_message_id: Mapped[str | None] = mapped_column(sa.String(200))
    state: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str | None] = mapped_column(sa.String(40))
    tries: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    recipient: Mapped[str | None] = mapped_column(sa.String(80))
    recipient_digest: Mapped[str | None] = mapped_column(Digest)
    passed: Mapped[str | None] = mapped_column(sa.String(200))


class Breaker(Base):
    """How a gateway has fared of late, for all workers: a row for each name in the settings that was ever asked.

    `recent`: `[start of some seconds, taken, failed]`, the newest last. While `open` it is asked by one message at `probe_at`, and if that
    fails, again after a `pause` (seconds) that grows.
    """

    __tablename__ = "gateway_breakers"
    __table_args__ = (sa.CheckConstraint(sa.column("state").in_(BREAKER_STATES), name="state"),)

    name: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    state: Mapped[str] = mapped_column(sa.String(16))
    in_a_row: Mapped[int]
    recent: Mapped[list[Any]] = mapped_column(Json)
    reason: Mapped[str | None] = mapped_column(sa.String(40))
    pause: Mapped[int]
    opened_at: Mapped[datetime | None] = mapped_column(Instant)
    probe_at: Mapped[datetime | None] = mapped_column(Instant)
