"""The rows of messages: what the inbox of a desk has received."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.db.columns import Base, Digest, Id, Instant


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
