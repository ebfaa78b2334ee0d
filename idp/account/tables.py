"""The rows of a person's own pages."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.db.columns import Base, Digest, Id, Instant


class EmailUndo(Base):
    """A link with which the former address takes back that it was changed. `former_email` is sealed.

    NOTE: whoever takes back the change of one address takes back those after it too, and never those before: a thief who changed the
    address twice holds only the second link.
    """

    __tablename__ = "email_undos"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    token_digest: Mapped[str] = mapped_column(Digest, unique=True)
    user_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    former_email: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
