"""The inbox: the channel of a desk. Every message is kept, sealed, for a day, and shown at /dev/inbox. Refused in production."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from idp import clock, crypto
from idp.db.columns import table
from idp.db.session import delete_some, insert_or_ignore, session
from idp.messages.tables import InboxMessage
from idp.messages.wording import Text

KEEP = timedelta(days=1)
PURPOSE = "inbox"

_rows = table(InboxMessage)


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it would have reached the person."""

    id: str
    channel: str
    to: str
    text: str
    code: str | None
    link: str | None
    created_at: datetime

    def as_json(self) -> dict[str, str | None]:
        """The shape of `/dev/inbox.json`; `created_at` as RFC 3339."""
        return {
            "id": self.id,
            "channel": self.channel,
            "to": self.to,
            "text": self.text,
            "code": self.code,
            "link": self.link,
            "created_at": self.created_at.isoformat(),
        }


def deliver(message_id: str, channel: str, to: str, text: Text) -> None:
    """Keep a message; one that comes again (its `message_id` says so) is kept once."""
    insert_or_ignore(
        InboxMessage,
        id=message_id,
        channel=channel,
        recipient_digest=_digest(to),
        sealed=crypto.seal(PURPOSE, json.dumps({"to": to, "text": text.text, "code": text.code, "link": text.link})),
        created_at=clock.now(),
    )


def newest(to: str | None = None, limit: int = 100) -> list[Received]:
    """What was received, newest first; `to`: only for this phone number (E.164) or e-mail address."""
    wanted = sa.select(_rows).order_by(_rows.c.created_at.desc(), _rows.c.id.desc()).limit(limit)
    if to:
        wanted = wanted.where(_rows.c.recipient_digest == _digest(to))
    rows = session.execute(wanted).all()
    return [
        Received(id=row.id, channel=row.channel, created_at=row.created_at, **json.loads(crypto.unseal(PURPOSE, row.sealed)))
        for row in rows
    ]


def sweep(now: datetime) -> int:
    """Delete what is older than a day; answers how many. For the schedule."""
    return delete_some(InboxMessage, _rows.c.created_at < now - KEEP)


def _digest(to: str) -> str:
    return crypto.derive("inbox recipient", to).hex()
