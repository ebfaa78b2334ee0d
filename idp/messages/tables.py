"""The rows of messages: what the inbox of a desk has received, and what became of what was sent, which gateways fail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.db.columns import Base, Digest, Id, Instant, Json

_UNSENT = sa.text("sent_at IS NULL AND returned_at IS NULL")

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


class SpendCount(Base):
    """What has gone against one budget in one day (UTC): money in ten-thousandths, messages, and how many of them were entered.

    NOTE: counted by one conditional upsert, so that no number of processes together spends more than `most`, the limit of whoever counted
    last. A large budget has several rows (`shard`), each with a part of the limit.
    """

    __tablename__ = "spend_counts"

    day: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    subject: Mapped[str] = mapped_column(Digest, primary_key=True)
    shard: Mapped[int] = mapped_column(primary_key=True)
    cost: Mapped[int] = mapped_column(sa.BigInteger)
    messages: Mapped[int] = mapped_column(sa.BigInteger)
    verified: Mapped[int] = mapped_column(sa.BigInteger)
    most: Mapped[int] = mapped_column(sa.BigInteger)


class SpendAlarm(Base):
    """What has been told today of a budget or a rule, so that it is told once: `mark` is a percentage, or a rule's name."""

    __tablename__ = "spend_alarms"

    day: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16), primary_key=True)
    subject: Mapped[str] = mapped_column(Digest, primary_key=True)
    mark: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    told_at: Mapped[datetime] = mapped_column(Instant)


class SpendEntry(Base):
    """The ledger: one message, what it costs, and what became of it. `id` is its outbox row's.

    NOTE: the number does not stand here, only its first seven digits; the network is a digest. `day` and `shard` say where it was counted.
    `is_doubtful`: a gateway may have taken it although it did not say so: its money is not given back.
    """

    __tablename__ = "spend_ledger"
    __table_args__ = (
        sa.Index("ix_spend_ledger_day_created_at", "day", "created_at"),
        sa.Index("ix_spend_ledger_unsent", "created_at", sqlite_where=_UNSENT, postgresql_where=_UNSENT),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    day: Mapped[str] = mapped_column(sa.String(10))
    purpose: Mapped[str] = mapped_column(sa.String(40))
    code_id: Mapped[str | None] = mapped_column(Id, index=True)
    channel: Mapped[str] = mapped_column(sa.String(16))
    country: Mapped[str] = mapped_column(sa.String(2))
    prefix: Mapped[str] = mapped_column(sa.String(8))
    network: Mapped[str] = mapped_column(Digest)
    reserve: Mapped[str] = mapped_column(sa.String(8))
    day_shard: Mapped[int]
    country_shard: Mapped[int]
    gateway: Mapped[str | None] = mapped_column(sa.String(32))
    parts: Mapped[int]
    cost: Mapped[int] = mapped_column(sa.BigInteger)
    is_doubtful: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(Instant)
    sent_at: Mapped[datetime | None] = mapped_column(Instant)
    delivered_at: Mapped[datetime | None] = mapped_column(Instant)
    verified_at: Mapped[datetime | None] = mapped_column(Instant)
    returned_at: Mapped[datetime | None] = mapped_column(Instant)


class UsedWork(Base):
    """A proof of work that was shown. It works once: whoever inserts the row has it."""

    __tablename__ = "used_work"

    nonce: Mapped[str] = mapped_column(Digest, primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
